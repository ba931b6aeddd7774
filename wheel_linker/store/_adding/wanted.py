"""What is to be added to a store."""

from __future__ import annotations

from wheel_linker._compat.named_tuple import NamedTuple


class Wanted(NamedTuple):
    """A wheel file to be added."""

    position: int
    """Where it is among those of the call."""
    path: str
    sha256: str | None
