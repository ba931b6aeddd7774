"""What is known of a file that was unpacked."""

from __future__ import annotations

from wheel_linker._compat.named_tuple import NamedTuple


class StoredFile(NamedTuple):
    """One file or symlink of an entry."""

    path: str
    """Its path relative to the wheel, with forward slashes."""
    size: int
    """How many bytes it has; none if it is a symlink."""
    executable: bool
    hash: str
    """Its digest as ``RECORD`` has it: algorithm, ``=``, and URL-safe base 64; empty for a symlink."""
    target: str | None = None
    """Where a symlink leads, with forward slashes; None for a file."""
