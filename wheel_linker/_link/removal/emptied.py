"""Directories that are empty once files have been removed from them: they go at the end, unless they are needed before.

Which empty directories an uninstall leaves is decided in ``install/_present/empty_directories``.
"""

from __future__ import annotations

import unicodedata  # noqa: F401 - fold() imports it late, when something has been changed already
from typing import TYPE_CHECKING

from wheel_linker._fs.descent import Descent
from wheel_linker._fs.folder import Folder
from wheel_linker._fs.windows import is_directory
from wheel_linker._wheel.names import fold

if TYPE_CHECKING:
    from wheel_linker._fs.folder import Parts


class Emptied:
    """The directories of one site that wait to be removed."""

    def __init__(self) -> None:
        self._waiting: dict[Parts, None] = {}
        self._folded: set[str] = set()

    def add(self, parts: Parts) -> None:
        """Let one more directory wait."""
        self._waiting[parts] = None
        self._folded.clear()

    def deepest_first(self) -> list[Parts]:
        """Return the directories in the order in which they can be removed."""
        return sorted(self._waiting, key=_deepest_first)

    def clear(self) -> None:
        """Forget the directories."""
        self._waiting.clear()

    def makes_way(self, target: Folder, parts: Parts, name: str) -> bool:
        """Tell whether a directory may be removed at once, because its place is needed.

        :returns: False if it does not wait, or has more in it than directories.
        """
        return (*parts, name) in self._waiting and not _has_files(target, name)

    def other_spelling(self, target: Folder, parts: Parts, name: str) -> str | None:
        """Return the name of a directory that may be removed at once, because it comes back with other letters in it.

        That is where names are folded. A directory of the very name stays, and is filled again.

        :returns: None if there is no such directory, or if there is more in it than directories.
        """
        if not self._waiting or (*parts, name) in self._waiting:
            return None
        if not self._folded:
            self._folded.update(fold("/".join(each)) for each in self._waiting)
        if fold("/".join((*parts, name))) not in self._folded:
            return None
        names = target.listdir()
        there = next((one for one in names if fold(one) == fold(name)), None)
        if name in names or there is None or _has_files(target, there):
            return None
        return there


def _deepest_first(parts: Parts) -> tuple[int, Parts]:
    return -len(parts), parts


def _has_files(folder: Folder, name: str) -> bool:
    """Tell whether there is anything but directories below the directory ``name``."""
    pending: list[Parts] = [(name,)]
    with Descent(folder, Folder.enter) as folders:
        while pending:
            parts = pending.pop()
            inner = folders.go(parts)
            for each in inner.listdir():
                status = inner.lstat(each)
                if status is not None and not is_directory(status):
                    return True
                if status is not None:
                    pending.append((*parts, each))
    return False
