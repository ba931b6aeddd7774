"""When helper processes start, and how many. Calls that place few files load this module alone of its package."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from wheel_linker.backends import Backend

ENTRIES_PER_HELPER: Final = 8_000
"""How many files and directories make a helper process worth starting.

It is an interpreter with this library, and takes 20 ms to start. In that time a thread places some thousands of files.
"""
LARGE_VISITS_ALONE: Final = 4
"""How many large visits a thread makes before a helper process does its further tasks.

Nobody knows how large a wheel is that has not been read. A visit that does not come to the end of what it was given
shows that the wheel is larger than it seemed.
"""


def how_many(entries: int, backend: Backend) -> int:
    """Return how many helper processes are worth starting; 0 where there can be none.

    :param entries: how many files and directories there are to be placed.
    :param backend: how files are cloned.
    """
    if entries < ENTRIES_PER_HELPER:
        return 0
    from wheel_linker._link.helper.process import may_clone  # most calls have no helpers

    return entries // ENTRIES_PER_HELPER if may_clone(backend) else 0
