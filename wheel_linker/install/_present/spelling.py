"""Paths that differ in spelling only, where the file system takes them for one."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from wheel_linker._wheel.dist_info import DIST_INFO
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


def is_one_file(path: str, other: str, listings: dict[str, frozenset[str]]) -> bool:
    """Tell whether two spellings, in a place where names are folded, lead to one file; False if one is not there.

    FUSE may number a file once for each spelling, and what the system knows of one spelling may be out of date for a
    second when the file was written by the other. So it counts what the directories list: two files have two names.

    :param path: an absolute path.
    :param other: one with as many parts, which are the same if they are folded.
    :param listings: the names in directories, kept from one call to the next as long as nothing is changed.
    """
    try:
        if os.path.samestat(os.lstat(path), os.lstat(other)):
            return True
        return not _are_listed_apart(path, other, listings)
    except OSError:
        return False


def _are_listed_apart(path: str, other: str, listings: dict[str, frozenset[str]]) -> bool:
    above = ""
    for name, name_in_other in zip(path.split(os.sep), other.split(os.sep)):
        if name != name_in_other:
            if above not in listings:
                listings[above] = frozenset(os.listdir(above))
            if {name, name_in_other} <= listings[above]:
                return True
        above += name + os.sep
    return False


def in_own_spelling(paths: list[str], library: str, entry: str) -> list[str]:
    """Return what a ``RECORD`` names, with its ``*.dist-info`` spelt as the directory is, where names are folded.

    :param library: the directory that the ``*.dist-info`` is in.
    :param entry: its name there.
    """
    own = os.path.join(library, entry, "")
    start = len(library) + 1
    others = {
        path[start:].partition(os.sep)[0]
        for path in paths
        if DIST_INFO + os.sep in path and not path.startswith(own)
    }
    for name in others:
        if fold(name) == fold(entry) and is_there_as_another(library, name):
            other = os.path.join(library, name, "")
            paths = [own + path[len(other) :] if path.startswith(other) else path for path in paths]
    return paths


def _folded(path: str) -> str:
    return fold(os.path.normcase(path))


def _folds(directory: str, name: str) -> bool:
    """Tell whether a directory takes a name of its own for the same in other letters."""
    return is_there_as_another(directory, name.swapcase())


def is_there_as_another(directory: str, name: str) -> bool:
    """Tell whether a name leads to what a directory has by another spelling.

    The numbers of files do not tell: FUSE may have one for each spelling.
    """
    try:
        os.lstat(os.path.join(directory, name))
        return name not in os.listdir(directory)
    except OSError:
        return False
