"""Removing from a mirror of wheels what none of these has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wheel_linker._compat.named_tuple import NamedTuple
from wheel_linker._fs.descent import Descent
from wheel_linker._fs.stage import PREFIX
from wheel_linker._fs.windows import is_directory
from wheel_linker._link.removal.files import remove_files, waiting
from wheel_linker._wheel.dist_info import DIST_INFO
from wheel_linker._wheel.record import RECORD

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from wheel_linker._fs.folder import Parts
    from wheel_linker._link.transaction import Transaction
    from wheel_linker._wheel.tree import Tree


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


def _supplied(trees: Iterable[Tree]) -> dict[Parts, bool]:
    """Return everything in the wheels by its path, with True for directories."""
    supplied: dict[Parts, bool] = {}
    for tree in trees:
        for directory in tree.directories:
            supplied[directory.parts] = True
            within = directory.names()
            supplied.update(((*directory.parts, name), False) for name in within)
    return supplied


def _find(
    transaction: Transaction, supplied: dict[Parts, bool], spare: Callable[[str], bool] | None
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
                    if supplied.get(parts) is not True:
                        found.directories.append(parts)
                    continue
                if name == RECORD and len(above) == 1 and above[0].endswith(DIST_INFO):
                    found.records.append(parts)
                if supplied.get(parts) is not False:
                    found.files.append(parts)
    return found
