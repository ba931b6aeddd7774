"""Taking installed files away: for an uninstall, or where a new version lacks what an old one had."""

from __future__ import annotations

import errno
import os
import stat
from itertools import groupby
from typing import TYPE_CHECKING, Final

from wheel_linker._fs.descent import Descent
from wheel_linker._wheel.bytecode import CACHE, bytecode_of
from wheel_linker.errors import LinkError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from wheel_linker._fs.folder import Folder, Parts
    from wheel_linker._link.transaction import Transaction

_NOT_THERE: Final = frozenset({errno.ENOENT, errno.ENOTDIR})


def retire(
    transaction: Transaction, site: Folder, files: Iterable[Parts], keep: Callable[[str], bool]
) -> list[Parts]:
    """Take files away with their bytecode, and the directories that are empty then. It can all be taken back.

    :param files: what to take away, relative to ``site``, in this order; what is missing is passed over.
    :param keep: called with the path of an empty directory: whether it stays.
    :returns: the files that were there.
    :raises LinkError: if a directory on the way leads outside of ``site``, or the system refuses.
    """
    # Once each: what a RECORD names twice can be taken away once.
    by_directory = [
        (parent, [parts[-1] for parts in entries])
        for parent, entries in groupby(dict.fromkeys(files), _parent)
    ]
    gone: list[Parts] = []
    try:
        with Descent(site, transaction.enter_existing) as folders:
            for parts, names in by_directory:
                gone += _take_files(transaction, folders, parts, names)
            for parts in _deepest_first(parent for parent, _ in by_directory):
                _remove_if_empty(transaction, folders, parts, keep)
    except LinkError:
        raise
    except OSError as error:
        doing = f"remove what is installed in {site.path!r}"
        raise LinkError.from_os_error(error, doing, destination=site.path) from error
    return gone


def _parent(parts: Parts) -> Parts:
    return parts[:-1]


def _take_files(
    transaction: Transaction, folders: Descent, parts: Parts, names: list[str]
) -> list[Parts]:
    folder = _existing(folders, parts)
    if folder is None:
        return []
    there = [name for name in names if _is_file(folder, name)]
    for name in there:
        transaction.take_away(folder, parts, name)
    # Bytecode of a file that was missing already is of no use either.
    if folder.lstat(CACHE) is not None and any(name.endswith(".py") for name in names):
        with transaction.enter_existing(folder, CACHE) as cache:
            for name in bytecode_of(names, cache.listdir()):
                transaction.take_away(cache, (*parts, CACHE), name)
    return [(*parts, name) for name in there]


def _is_file(folder: Folder, name: str) -> bool:
    status = folder.lstat(name)
    return status is not None and not stat.S_ISDIR(status.st_mode)


def _existing(folders: Descent, parts: Parts) -> Folder | None:
    try:
        return folders.go(parts)
    except OSError as error:
        if error.errno in _NOT_THERE and not isinstance(error, LinkError):
            return None
        raise


def _deepest_first(directories: Iterable[Parts]) -> list[Parts]:
    """Return the directories, their ``__pycache__`` and all their parents."""
    everything: set[Parts] = set()
    for parts in directories:
        everything.add((*parts, CACHE))
        everything.update(parts[:depth] for depth in range(1, len(parts) + 1))
    return sorted(everything, key=lambda parts: (-len(parts), parts))


def _remove_if_empty(
    transaction: Transaction, folders: Descent, parts: Parts, keep: Callable[[str], bool]
) -> None:
    parent, name = _existing(folders, parts[:-1]), parts[-1]
    if parent is not None and not keep(os.path.join(parent.path, name)):
        transaction.remove_if_empty(parent, parts[:-1], name)
