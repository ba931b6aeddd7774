"""Descriptions of entries that one store object has read: while they stay as they are, they are not read again."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, NamedTuple

from wheel_linker._fs.timestamps import identity, unsettled_for
from wheel_linker.store._entry.manifest import read_listing

if TYPE_CHECKING:
    from wheel_linker.store._entry.manifest import Listing

# Files and directories in all of them: a few megabytes.
_MOST: Final = 30_000


class _Known(NamedTuple):
    identity: str
    listing: Listing
    size: int
    """How many files and directories it names."""


class Listings:
    """What was read, that which was used longest ago first; what is too much is forgotten."""

    def __init__(self) -> None:
        self._known: dict[str, _Known] = {}

    def read(self, path: str) -> Listing:
        """Return what an entry has, by the path of its description; errors as for :func:`read_listing`."""
        try:
            status = os.lstat(path)
        except OSError:
            return read_listing(path)  # whose errors tell what is wrong
        known = self._known.pop(path, None)
        if known is None or known.identity != identity(status):
            listing = read_listing(path)
            if unsettled_for(status):
                return listing
            files = sum(map(len, listing.sizes))
            known = _Known(identity(status), listing, files + len(listing.directories))
        self._known[path] = known
        self._forget_much()
        return known.listing

    def _forget_much(self) -> None:
        # Threads may come between: what one has removed the other does not find, which does no harm.
        size = sum([each.size for each in list(self._known.values())])
        for path, each in list(self._known.items()):
            if size <= _MOST:
                return
            self._known.pop(path, None)
            size -= each.size
