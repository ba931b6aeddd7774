"""Removing from a mirror of wheels what none of these has."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Final

from wheel_linker._compat.named_tuple import NamedTuple
from wheel_linker._fs.descent import Descent
from wheel_linker._fs.stage import PREFIX
from wheel_linker._fs.windows import is_directory
from wheel_linker._link.removal.files import remove_files, waiting
from wheel_linker._wheel.dist_info import DIST_INFO
from wheel_linker._wheel.record import RECORD

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from wheel_linker._fs.folder import Folder, Parts
    from wheel_linker._link.transaction import Transaction
    from wheel_linker._wheel.tree import Tree

_DIRECTORY: Final = "directory"
_FILE: Final = "file"
_LINK: Final = "symlink"


class _Surplus(NamedTuple):
    """What is there and in none of the wheels."""

    files: list[Parts]
    """Directory by directory."""
    directories: list[Parts]
    records: list[Parts]
    """Each ``RECORD`` that is there, of the wheels as well."""


def remove_surplus(
    transaction: Transaction, trees: Iterable[Tree], spare: Callable[[str], bool] | None
) -> None:
    """Remove what none of the wheels has, before they are merged. It can all be taken back.

    Where something goes, every ``RECORD`` goes first, and comes back with the wheels: of a process that is killed in
    between none is left that names files which are gone.

    :param spare: tells of a path relative to the site, with forward slashes, whether it stays.
    :raises LinkError: if a directory leads outside of the site, or the system refuses.
    """
    surplus = _find(transaction, _supplied(trees), spare)
    if surplus.files:
        remove_files(transaction, [*surplus.records, *surplus.files], lambda _: False)
    for parts in surplus.directories:
        waiting(transaction).add(parts)


def _supplied(trees: Iterable[Tree]) -> dict[Parts, str]:
    """Return what everything in the wheels is, by its path; a file, where one wheel has that and another a symlink."""
    supplied: dict[Parts, str] = {}
    for tree in trees:
        for directory in tree.directories:
            parts = directory.parts
            supplied[parts] = _DIRECTORY
            supplied.update(((*parts, name), _FILE) for name in directory.files)
            for name, _ in directory.links:
                supplied.setdefault((*parts, name), _LINK)
    return supplied


def _find(
    transaction: Transaction, supplied: dict[Parts, str], spare: Callable[[str], bool] | None
) -> _Surplus:
    found = _Surplus([], [], [])
    pending: list[Parts] = [()]
    with Descent(transaction.site, transaction.containment.enter) as folders:
        while pending:
            above = pending.pop()
            folder = folders.go(above)
            for name in folder.listdir():
                parts = (*above, name)
                if (not above and name.startswith(PREFIX)) or (spare and spare("/".join(parts))):
                    continue
                status = folder.lstat(name)
                if status is None:
                    continue
                if is_directory(status):
                    pending.append(parts)
                    if supplied.get(parts) != _DIRECTORY:
                        found.directories.append(parts)
                    continue
                if name == RECORD and len(above) == 1 and above[0].endswith(DIST_INFO):
                    found.records.append(parts)
                if _is_in_the_way(supplied.get(parts), folder, name, status):
                    found.files.append(parts)
    return found


def _is_in_the_way(wanted: str | None, folder: Folder, name: str, status: os.stat_result) -> bool:
    """Tell whether a file or symlink has to go before the wheels are merged, and is not replaced by what these have.

    A merge replaces no symlink to a directory by a file: that would hide what is in the directory.
    """
    if wanted != _FILE:
        return wanted != _LINK
    if not stat.S_ISLNK(status.st_mode):
        return False
    try:
        return stat.S_ISDIR(os.stat(folder.prefix + name, dir_fd=folder.fd).st_mode)
    except OSError:
        return False  # it leads nowhere
