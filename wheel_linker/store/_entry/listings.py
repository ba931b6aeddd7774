"""Descriptions of entries that one store object has read: while they stay as they are, they are not read again."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from wheel_linker._fs.timestamps import identity, unsettled_for
from wheel_linker.store._entry.manifest import read_listing

if TYPE_CHECKING:
    from wheel_linker.store._entry.manifest import Listing

# Files and directories in all of them: a few megabytes.
_MOST: Final = 30_000


class Listings:
    """What was read, that which was used longest ago first; what is too much is forgotten."""

    def __init__(self) -> None:
        self._known: dict[str, Listing] = {}

    def read(self, path: str) -> Listing:
        """Return what an entry has, by the path of its description; errors as for :func:`read_listing`."""
        listing = self._known.pop(path, None)
        if listing is None or not _is_as_read(path, listing):
            listing = read_listing(path)
            if unsettled_for(listing.status):
                return listing
        self._known[path] = listing
        self._forget_much()
        return listing

    def _forget_much(self) -> None:
        # Another thread may come between, and forget the same.
        known = list(self._known.items())
        size = sum([_size(listing) for _, listing in known])
        for path, listing in known:
            if size <= _MOST:
                return
            self._known.pop(path, None)
            size -= _size(listing)


def _is_as_read(path: str, listing: Listing) -> bool:
    return identity(os.lstat(path)) == identity(listing.status)


def _size(listing: Listing) -> int:
    return listing.facts.files + len(listing.directories)
