"""Making a directory hold what the wheels hold, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from wheel_linker._fs._windows.rules import is_directory
from wheel_linker._fs.descent import Descent
from wheel_linker._fs.stage import PREFIX
from wheel_linker._link.removal import remove_files

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


def remove_surplus(
    transaction: Transaction, trees: Iterable[Tree], spare: Callable[[str], bool] | None
) -> None:
    """Remove what none of the wheels has, before they are merged. It can all be taken back.

    :param spare: tells of a path relative to the site, with forward slashes, whether it stays.
    :raises LinkError: if a directory leads outside of the site, or the system refuses.
    """
    surplus = _find(transaction, _supplied(trees), spare)
    remove_files(transaction, surplus.files, lambda _: False)
    for parts in surplus.directories:
        transaction.remove_when_empty(parts)


def _supplied(trees: Iterable[Tree]) -> dict[Parts, bool]:
    """Return everything in the wheels by its path, with True for directories."""
    supplied: dict[Parts, bool] = {}
    for tree in trees:
        for directory in tree.directories:
            supplied[directory.parts] = True
            within = (*directory.files, *(name for name, _ in directory.links))
            supplied.update(((*directory.parts, name), False) for name in within)
    return supplied


def _find(
    transaction: Transaction, supplied: dict[Parts, bool], spare: Callable[[str], bool] | None
) -> _Surplus:
    found = _Surplus([], [])
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
                elif supplied.get(parts) is not False:
                    found.files.append(parts)
    return found
