"""The order in which files come and go, so that an interpreter that starts meanwhile finds what it is told of.

A ``*.pth`` file tells interpreters what to import: it comes after what it names, and goes before it. A ``*.dist-info``
tells tools that everything is there: it comes last, its RECORD at its end, which says which files these are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from wheel_linker._compat.named_tuple import NamedTuple
from wheel_linker._wheel.dist_info import DIST_INFO

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from wheel_linker._wheel.tree import Directory, Listing

_PATH_CONFIGURATION: Final = ".pth"
_RECORD: Final = "RECORD"


class Order(NamedTuple):
    """The order for what is in the root of a wheel."""

    files: Sequence[str]
    """The files that come first."""
    directories: Sequence[int]
    """The positions in the listing of the directories that come next."""
    path_configuration: Sequence[str]
    """The ``*.pth`` files."""
    infos: Sequence[int]
    """The positions of ``*.dist-info`` directories, which come last."""


def order_of(listing: Listing) -> Order:
    """Return the order in which a wheel's files come into place."""
    names = entries(listing.directories[0])
    top_level = list(listing.top_level())
    return Order(
        [name for name in names if not is_path_configuration(name)],
        [index for index in top_level if not _is_info(listing, index)],
        [name for name in names if is_path_configuration(name)],
        [index for index in top_level if _is_info(listing, index)],
    )


def entries(directory: Directory) -> list[str]:
    """Return the names of a directory's files and symlinks, ``RECORD`` last."""
    return sorted(directory.names(), key=_RECORD.__eq__)


def removal_order(paths: Iterable[str]) -> list[str]:
    """Return the order in which files are removed: ``*.pth`` first. Its callers remove ``*.dist-info`` last."""
    return sorted(paths, key=is_path_configuration, reverse=True)


def is_path_configuration(path: str) -> bool:
    """Tell whether a file tells interpreters what to import when they start."""
    return path.endswith(_PATH_CONFIGURATION)


def _is_info(listing: Listing, index: int) -> bool:
    return listing.directories[index].parts[0].endswith(DIST_INFO)
