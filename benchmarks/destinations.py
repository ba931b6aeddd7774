"""The directories that contenders fill: made untimed, removed untimed."""

from __future__ import annotations

import os
import sys
from collections import deque
from contextlib import suppress
from itertools import count
from typing import TYPE_CHECKING

from benchmarks import commands

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.filesystems import Place

REMEMBERED = 16
ATTEMPTS = 100


def sync() -> None:
    """Write everything back, so that nobody pays for another one's dirty pages."""
    if sys.platform != "win32":
        os.sync()


def remove(path: Path) -> None:
    """Remove a tree, and have that over before the next run starts."""
    commands.run(["rm", "-rf", path])
    sync()


def spread(directory: Path) -> None:
    """Have ext4 place each directory made there anywhere, not beside the others."""
    with suppress(commands.CommandError, FileNotFoundError):
        commands.run(["chattr", "+T", directory])


def least_distance(place: Place) -> int:
    """How far apart, in inode numbers, the directories of successive runs should lie.

    Ext4 without a journal steps over every inode freed in the last minute, one by one: a run
    where another was removed takes ten times as long.
    """
    if sys.platform == "win32" or not place.filesystem.startswith("ext"):
        return 0
    return os.statvfs(place.root).f_files // (4 * REMEMBERED)


class Destinations:
    """Empty directories, away from those used a moment ago where that matters."""

    def __init__(self, place: Place) -> None:
        self._parent = place.directory("destinations")
        self._numbers = count(1)
        self._recent: deque[int] = deque(maxlen=REMEMBERED)
        self._apart = least_distance(place)
        if self._apart:
            spread(self._parent)

    def fresh(self) -> Path:
        """A new empty directory."""
        path = self._make()
        for _ in range(ATTEMPTS):
            if self._is_apart(path):
                break
            path.rmdir()
            path = self._make()
        self._recent.append(path.stat().st_ino)
        return path

    def _make(self) -> Path:
        # The name decides where ext4 puts it, so it must differ between programs as well.
        path = self._parent / f"{os.getpid()}-{next(self._numbers)}"
        path.mkdir()
        return path

    def _is_apart(self, path: Path) -> bool:
        inode = path.stat().st_ino
        return all(abs(inode - other) >= self._apart for other in self._recent)
