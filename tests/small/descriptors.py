"""Which descriptors are open: tests compare what there were before with what there are after."""

from __future__ import annotations

import gc
import os
import sys


def is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


def open_descriptors() -> set[int]:
    """Return the descriptors that are open, in a process that may have hundreds."""
    if sys.implementation.name != "cpython":
        gc.collect()  # elsewhere what nobody has any more is closed later
    return set(filter(is_open, range(4_096)))
