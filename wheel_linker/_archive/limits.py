"""How large a wheel file and what it holds may be."""

from __future__ import annotations

from wheel_linker._compat.named_tuple import NamedTuple


class Limits(NamedTuple):
    """What a wheel may unpack to; a larger one is refused before anything is written."""

    entries: int = 1_000_000
    """Files and directories."""
    file_size: int = 32 * 1024**3
    """Bytes of one file."""
    total_size: int = 64 * 1024**3
    """Bytes of all files."""
    ratio: int = 250
    """How many times its own size a wheel may unpack to, once that is more than ``ratio_from``.

    Deflate reaches 1,032.
    """
    ratio_from: int = 512 * 1024**2
    """Bytes of all files below which their ratio to the wheel does not matter."""
