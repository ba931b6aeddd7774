"""Where files of installed distributions may be removed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from wheel_linker._fs.paths import is_directory
from wheel_linker._link.removal.files import remove_files
from wheel_linker._wheel.order import removal_order
from wheel_linker.install._present.empty_directories import kept_directories
from wheel_linker.install._present.owners import owners_of
from wheel_linker.install.layout import root_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from wheel_linker._fs.folder import Parts
    from wheel_linker._link.sites import Sites
    from wheel_linker.install._present.distributions import Distribution
    from wheel_linker.install._present.recorded import Recorded
    from wheel_linker.install.layout import Layout


def may_go(
    rows: Sequence[Recorded], one: Distribution, shared: Collection[str], roots: Sequence[str]
) -> list[str]:
    """Return those of a distribution's files that lie in the environment, and that no other distribution has too.

    What is in its own ``*.dist-info`` is its own, whatever another one says. ``*.pth`` files come first: as long as
    one is there, it may name what is gone.

    :param shared: what others have of it, as :func:`owners_of` says.
    :param roots: the environment's directories, as :meth:`Layout.roots` gives them.
    """
    found = [
        row.path
        for row in rows
        if root_of(row.path, roots) is not None
        and (is_note(row.path, one) or not is_among(row, shared))
    ]
    return removal_order(found)


def shared_with(rows: Iterable[Recorded], others: Iterable[Distribution]) -> Collection[str]:
    """Return which of the files other distributions have too.

    :raises LinkError: if a ``RECORD`` cannot be read.
    """
    return owners_of(others, [path for row in rows for path in row])


def is_note(path: str, one: Distribution) -> bool:
    """Tell whether a file is in a distribution's own ``*.dist-info``."""
    return path.startswith(os.path.join(one.path, ""))


def is_among(row: Recorded, shared: Collection[str]) -> bool:
    """Tell whether one of a file's two paths is among the shared ones."""
    return any(os.path.normcase(path) in shared for path in row)


def prepare(paths: Collection[str], layout: Layout, sites: Sites) -> None:
    """Make ready for the removal of files; done for all of them before anything is changed.

    :raises LinkError: if a directory of the environment that they are in is not writable.
    :raises OSError: if it cannot be told whether it is there.
    """
    if not paths:
        return
    for root in by_root(paths, layout.roots()):
        if is_directory(root):
            sites.prepare(root)


def remove_paths(paths: Collection[str], layout: Layout, sites: Sites) -> list[str]:
    """Remove files, each through the directory of the environment that it is in; return those that were there.

    :param paths: for which :func:`prepare` was called.
    :raises LinkError: if the system refuses.
    """
    if not paths:
        return []
    roots = layout.roots()
    is_kept = kept_directories(layout, roots)
    gone = []
    for root, files in by_root(paths, roots).items():
        if not sites.has(root):
            continue  # nothing was there
        removed = remove_files(sites.at(root).transaction, files, is_kept)
        gone += [os.path.join(root, *parts) for parts in removed]
    return gone


def by_root(paths: Iterable[str], roots: Sequence[str]) -> dict[str, list[Parts]]:
    """Sort files by the deepest of the environment's directories that they lie in; those outside are left out.

    :param roots: as :meth:`Layout.roots` gives them.
    """
    found: dict[str, list[Parts]] = {}
    for path in paths:
        where = root_of(path, roots)
        if where is not None:
            root, parts = where
            found.setdefault(root, []).append(parts)
    return found
