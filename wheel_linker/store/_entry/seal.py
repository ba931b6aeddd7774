"""Bytes that tell by themselves whether they are whole: their last line is a CRC-32 of what is before it.

A power cut leaves files that are empty, cut short, or of the right size and full of zeros.
"""

from __future__ import annotations

import zlib
from typing import Final

from wheel_linker._fs.reading import NOT_READABLE, read_regular

_MARK: Final = b"crc32 "
_LENGTH: Final = len(_MARK) + 8 + 1
LONGEST: Final = 1024**3
"""How many bytes such a file may have: a million files, which is as many as a wheel may have, take a tenth of it."""


def sealed(body: bytes) -> bytes:
    """Return the bytes with their seal."""
    return body + _seal(zlib.crc32(body))


def unsealed(data: bytes) -> bytes:
    """Return the bytes without their seal.

    :raises ValueError: if they are not what was sealed.
    """
    body = data[:-_LENGTH]
    if data[-_LENGTH:] != _seal(zlib.crc32(body)):
        raise ValueError("it is not what was written")
    return body


def is_sealed(path: str, limit: int) -> bool:
    """Tell whether a file is what was sealed. One that is longer than it may be is not, nor is what is no regular file.

    :param limit: how many bytes it may have.
    :raises OSError: if it cannot be opened.
    """
    try:
        unsealed(read_regular(path, limit))
    except ValueError:
        return False
    except OSError as error:
        if error.errno in NOT_READABLE:
            return False
        raise
    return True


def is_sealed_or_missing(path: str) -> bool:
    """Tell whether a file is what was sealed, or is not there. The errors are those of :func:`is_sealed`."""
    try:
        return is_sealed(path, LONGEST)
    except FileNotFoundError:
        return True


def _seal(checksum: int) -> bytes:
    return b"%s%08x\n" % (_MARK, checksum)
