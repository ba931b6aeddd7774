"""How far a command is, for those who see no bar: a line now and then, or nothing."""

from __future__ import annotations

import sys
import time
from typing import Final

from wheel_linker._compat.override import override
from wheel_linker._wheel.progress import ProgressBar

_SECONDS_BETWEEN_LINES: Final = 1.0
_MB: Final = 1_000_000


class Silence(ProgressBar):
    """Tells nobody."""

    @override
    def __call__(self, files: int, /) -> None:
        pass

    @override
    def total(self, files: int, size: int, /) -> None:
        pass


class Lines(ProgressBar):
    """Prints a line now and then; none at all for what is done in a moment."""

    def __init__(self) -> None:
        self._files = self._size = 0
        self._all_files = self._all_bytes = 0
        # How many of the files are unpacked; the others are linked.
        self._to_unpack = 0
        self._started = time.monotonic()
        self._next = self._started + _SECONDS_BETWEEN_LINES

    @override
    def total(self, files: int, size: int, /) -> None:
        if size > self._all_bytes:
            self._to_unpack = files
        self._all_files, self._all_bytes = files, size

    @override
    def __call__(self, files: int, /) -> None:
        self._files += files
        self._say()

    @override
    def unpacked(self, size: int, /) -> None:
        self._size += size
        self._say()

    @override
    def putting_back(self) -> None:
        # What took no time to be done takes no time to be put back.
        if time.monotonic() >= self._started + _SECONDS_BETWEEN_LINES:
            print("putting everything back as it was", file=sys.stderr)

    def _say(self) -> None:
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + _SECONDS_BETWEEN_LINES
        to_link = self._all_files - self._to_unpack
        if self._to_unpack and not to_link:
            said = f"{self._size / _MB:,.1f} of {self._all_bytes / _MB:,.1f} MB unpacked"
        else:
            said = f"{self._files - self._to_unpack:,} of {to_link:,} files linked"
        print(said, file=sys.stderr)
