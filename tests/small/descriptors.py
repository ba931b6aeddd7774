"""Which descriptors are open: tests compare what there were before with what there are after."""

from __future__ import annotations

import gc
import os


def is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


def open_descriptors() -> set[int]:
    """Return the descriptors that are open, in a process that may have hundreds."""
    # What nobody has any more is closed later outside of CPython, and there, too, if it has itself: an earlier test's
    # file that was closed between two looks counted as a difference.
    gc.collect()
    return set(filter(is_open, range(4_096)))
