"""Removing files with their bytecode, and the directories that are empty then. It can all be taken back."""

from __future__ import annotations

import errno
import os
import stat
from itertools import groupby
from typing import TYPE_CHECKING, Final

from wheel_linker._fs.descent import Descent
from wheel_linker._fs.sharing import how_to_unlock
from wheel_linker._link.removal.emptied import Emptied
from wheel_linker._wheel.bytecode import CACHE, bytecode_of, has_cache
from wheel_linker._wheel.dist_info import DIST_INFO
from wheel_linker.errors import LinkError, refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from wheel_linker._fs.folder import Folder, Parts
    from wheel_linker._link.transaction import Transaction

_NOT_THERE: Final = frozenset({errno.ENOENT, errno.ENOTDIR})


def remove_files(
    transaction: Transaction, files: Iterable[Parts], keep: Callable[[str], bool]
) -> list[Parts]:
    """Remove files with their bytecode, and in the end the directories that are empty then. It can all be taken back.

    :param files: what to remove, relative to the site, in this order; what is missing is passed over.
    :param keep: called with the path of a directory: whether it stays when it is empty.
    :returns: the files that were there.
    :raises LinkError: if a directory on the way leads outside of the site, or the system refuses.
    """
    # Each file once: a RECORD may name one twice.
    by_directory = [
        (parent, [parts[-1] for parts in entries])
        for parent, entries in groupby(dict.fromkeys(files), _parent)
    ]
    gone: list[Parts] = []
    path = transaction.site.path
    with (
        refused(f"remove what is installed in {path!r}", destination=path),
        Descent(transaction.site, transaction.containment.enter) as folders,
    ):
        for parts, names in by_directory:
            gone += _remove_from(transaction, folders, parts, names)
        for parts in _with_parents(parent for parent, _ in by_directory):
            folder = _existing(folders, parts[:-1])
            if folder is not None and not keep(os.path.join(folder.path, parts[-1])):
                waiting(transaction).add(parts)
                _remove_from_dist_info(transaction, folder, parts)
    return gone


def waiting(transaction: Transaction) -> Emptied:
    """Return the directories that wait to be removed at the end of a transaction."""
    if transaction.emptied is None:
        transaction.emptied = Emptied()
    return transaction.emptied


def _remove_from_dist_info(transaction: Transaction, folder: Folder, parts: Parts) -> None:
    """Remove an empty directory in a ``*.dist-info`` at once.

    If this process is killed at the very end, a ``*.dist-info`` with nothing in it tells the next call what is left to
    do; one with a directory in it would seem to be another's.
    """
    if len(parts) == 2 and parts[0].endswith(DIST_INFO):
        status = folder.lstat(parts[1])
        if status is not None and stat.S_ISDIR(status.st_mode):
            try:
                transaction.make_way(folder, parts[:1], parts[1])
            except OSError as error:
                # overlayfs renames no directory of a lower layer; at the end it can be removed.
                if error.errno != errno.EXDEV:
                    raise


def _parent(parts: Parts) -> Parts:
    return parts[:-1]


def _remove_from(
    transaction: Transaction, folders: Descent, parts: Parts, names: list[str]
) -> list[Parts]:
    folder = _existing(folders, parts)
    if folder is None:
        return []
    there = [name for name in names if _is_file(folder, name)]
    for name in there:
        _remove(transaction, folder, parts, name)
    # Bytecode of a file that was missing already is of no use either.
    if has_cache(folder) and any(name.endswith(".py") for name in names):
        with transaction.containment.enter(folder, CACHE) as cache:
            for name in bytecode_of(names, cache.listdir()):
                transaction.remove(cache, (*parts, CACHE), name)
    return [(*parts, name) for name in there]


def _remove(transaction: Transaction, folder: Folder, parts: Parts, name: str) -> None:
    try:
        transaction.remove(folder, parts, name)
    except OSError as error:
        if error.errno != errno.EPERM:
            raise
        path = os.path.join(folder.path, name)
        advice = {errno.EPERM: how_to_unlock(folder.lstat(name))}
        raise LinkError.from_os_error(
            error, f"remove {path!r}", destination=path, advice=advice
        ) from error


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


def _with_parents(directories: Iterable[Parts]) -> list[Parts]:
    """Return the directories, their ``__pycache__`` and all their parents, those with the same parent together."""
    everything: set[Parts] = set()
    for parts in directories:
        everything.add((*parts, CACHE))
        everything.update(parts[:depth] for depth in range(1, len(parts) + 1))
    return sorted(everything, key=lambda parts: (parts[:-1], parts[-1]))
