"""How a store unpacks wheels, and compiles them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wheel_linker._compat.named_tuple import NamedTuple
from wheel_linker._wheel.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Callable

    from wheel_linker._archive.crew import Crew
    from wheel_linker._archive.limits import Limits
    from wheel_linker.store._entry.checking import Check


class Kept:
    """What one call has added or found: it stays until the call ends, also if the same store object removes."""

    def __init__(self) -> None:
        self._taken: list[tuple[list[str], Callable[[list[str]], None]]] = []

    def take(self, entries: list[str], give_up: Callable[[list[str]], None]) -> None:
        """Keep entries that a session has in use; any thread of the call may do so.

        :param give_up: what the session does at the end, with these entries.
        """
        self._taken.append((entries, give_up))

    def __enter__(self) -> Kept:
        return self

    def __exit__(self, *_: object) -> None:
        for entries, give_up in self._taken:
            give_up(entries)


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
    kept: Kept | None = None
    """What the call keeps until it has linked it; None for one that ends when everything is added."""
