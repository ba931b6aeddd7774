"""Descriptions of entries that one store object has read: while they stay as they are, they are not read again."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from wheel_linker._fs.timestamps import identity, unsettled_for
from wheel_linker.store._entry.manifest import read_description

if TYPE_CHECKING:
    from wheel_linker.store._entry.manifest import Description

# Files and directories in all of them: a few megabytes.
_MOST: Final = 30_000


class Descriptions:
    """What was read, that which was used longest ago first; what is too much is forgotten."""

    def __init__(self) -> None:
        self._known: dict[str, Description] = {}
        self._size = 0

    def read(self, path: str) -> Description:
        """Return what an entry has, by the path of its description.

        The errors are those of :func:`read_description`.
        """
        description = self._known.pop(path, None)
        if description is None or not _is_as_read(path, description):
            description = read_description(path)
            if unsettled_for(description.status):
                return description
            # Other threads may do the same at once, and spoil the sum: all is counted again before anything is
            # forgotten.
            self._size += _size(description)
        self._known[path] = description
        if self._size > _MOST:
            self._forget_much()
        return description

    def _forget_much(self) -> None:
        # Another thread may come between, and forget the same descriptions.
        known = list(self._known.items())
        size = sum([_size(description) for _, description in known])
        for path, description in known:
            if size <= _MOST:
                break
            self._known.pop(path, None)
            size -= _size(description)
        self._size = size


def _is_as_read(path: str, description: Description) -> bool:
    return identity(os.lstat(path)) == identity(description.status)


def _size(description: Description) -> int:
    return description.facts.files + len(description.directories)
