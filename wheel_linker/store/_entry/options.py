"""How a store unpacks wheels, and compiles them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wheel_linker._compat.named_tuple import NamedTuple
from wheel_linker._wheel.progress import Progress

if TYPE_CHECKING:
    from wheel_linker._archive.crew import Crew
    from wheel_linker._archive.limits import Limits
    from wheel_linker.store._entry.checking import Check


class UnpackOptions(NamedTuple):
    """What a store was asked for."""

    limits: Limits
    protect: bool
    jobs: int
    """How many threads work at once, the caller's own included."""
    crew: Crew
    durable: bool
    check: Check | None
    looks_late: bool = False
    """Whether files that are linked are looked at then, and not before."""
    strict: bool = False
    """Whether a ``RECORD`` that is not right is refused."""
    progress: Progress = Progress(None)
    """What counts the files that are unpacked."""
