"""The library that inflates and takes CRC-32s: the quickest that is installed.

``isal`` (ISA-L, in the extra ``wheel-linker[fast]``) takes half the time of the standard library's ``zlib``, and
``zlib-ng`` little more. They have the same functions, and errors of their own.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Final, cast

from wheel_linker._compat.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    class Inflater(Protocol):
        """What a library's ``decompressobj`` makes, as that of ``zlib`` has it."""

        @property
        def eof(self) -> bool:
            """Whether the end of the compressed data was met."""

        @property
        def unused_data(self) -> bytes:
            """What follows that end."""

        @property
        def unconsumed_tail(self) -> bytes:
            """What was given and is not needed yet."""

        def decompress(self, data: bytes | memoryview, max_length: int = 0, /) -> bytes:
            """Inflate, to so many bytes at most."""

        def flush(self) -> bytes:
            """Return the rest."""


class Library(NamedTuple):
    """What one of the libraries offers."""

    name: str
    make: Callable[[int], Inflater]
    crc32: Callable[[bytes | memoryview, int], int]
    error: type[Exception]


STANDARD: Final = Library("zlib", zlib.decompressobj, zlib.crc32, zlib.error)


def _isal() -> Library:
    from isal import isal_zlib

    return Library(
        "isal", isal_zlib.decompressobj, isal_zlib.crc32, cast("type[Exception]", isal_zlib.error)
    )


def _zlib_ng() -> Library:
    from zlib_ng import zlib_ng

    return Library(
        "zlib-ng", zlib_ng.decompressobj, zlib_ng.crc32, cast("type[Exception]", zlib_ng.error)
    )


def available() -> list[Library]:
    """Return the libraries that are installed, the quickest first."""
    found = []
    for load in (_isal, _zlib_ng):
        try:
            found.append(load())
        except ImportError:
            continue  # it is not installed, or not for this machine
    return [*found, STANDARD]


LIBRARY: Library = available()[0]
"""The one that is used."""


def inflater() -> Inflater:
    """Return what inflates the data of one entry."""
    return LIBRARY.make(-zlib.MAX_WBITS)


def crc32(data: bytes | memoryview, start: int = 0) -> int:
    """Return the CRC-32 of what had ``start`` before ``data``."""
    return LIBRARY.crc32(data, start)
