"""Paths that differ in spelling only, where the file system takes them for one."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from wheel_linker._wheel.names import fold

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


def key_for(entries: Iterable[tuple[str, str]]) -> Callable[[str], str]:
    """Return what gives the same for all paths that may be one file where these entries are.

    That costs one system call for each directory where nothing is folded.

    :param entries: directories, and in each the name of something that is there.
    """
    return _folded if any(_folds(*entry) for entry in dict(entries).items()) else os.path.normcase


def by_key(paths: Iterable[str], key_of: Callable[[str], str]) -> dict[str, list[str]]:
    """Return the paths by their key; nothing where no names are folded."""
    if key_of is os.path.normcase:
        return {}
    found: dict[str, list[str]] = {}
    for path in paths:
        found.setdefault(key_of(path), []).append(path)
    return found


def is_one_file(path: str, other: str) -> bool:
    """Tell whether two spellings, in a place where names are folded, lead to one file; False if one is not there.

    FUSE may number a file once for each spelling, so that its number alone does not tell.
    """
    try:
        one, two = os.lstat(path), os.lstat(other)
    except OSError:
        return False
    return os.path.samestat(one, two) or _seen(one) == _seen(two)


def _seen(status: os.stat_result) -> tuple[int, ...]:
    return status.st_dev, status.st_mode, status.st_size, status.st_mtime_ns


def _folded(path: str) -> str:
    return fold(os.path.normcase(path))


def _folds(directory: str, name: str) -> bool:
    """Tell whether a directory takes a name of its own for the same in other letters."""
    swapped = name.swapcase()
    try:
        os.lstat(os.path.join(directory, swapped))
        return swapped not in os.listdir(directory)
    except OSError:
        return False
