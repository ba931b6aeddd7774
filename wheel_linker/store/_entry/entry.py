"""What is known of one unpacked wheel in a store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wheel_linker._compat.named_tuple import NamedTuple

if TYPE_CHECKING:
    from wheel_linker._wheel.filename import WheelFilename


class Entry(NamedTuple):
    """One unpacked wheel in a store."""

    name: str
    """The directory in the store's root."""
    digest: str
    """The SHA-256 of the wheel file, in hexadecimal digits; empty if the entry's description cannot be read."""
    filename: WheelFilename
    """What the wheel file was called that the entry was made from."""
    path: str
    """The root of the unpacked wheel."""
    files: int
    """How many files and symlinks there are."""
    size: int
    """How many bytes they have."""
    used: float
    """When the entry was last added or linked, in seconds since the epoch."""
    frees: int | None = None
    """How many bytes removing it frees: files that environments have as hard links do not count. Known of what was
    pruned."""
    bytecode: int = 0
    """How many bytes of bytecode are kept for it, besides."""

    @property
    def whole_size(self) -> int:
        """How many bytes its files and their bytecode have."""
        return self.size + self.bytecode
