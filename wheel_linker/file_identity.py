"""What tells a file from the one that was at its path before, by one stat(2)."""

from __future__ import annotations

import os
import time
from typing import Final

# Nanoseconds. Kernels before Linux 6.13 stamp files by a clock that ticks every 1 to 10 ms.
_TICK: Final = 50_000_000
_SECOND: Final = 1_000_000_000
# FAT and exFAT: "Volume and File Structure of Disk Drives", time stamps in steps of two seconds.
_COARSE_TICK: Final = 2 * _SECOND


def identity(status: os.stat_result) -> str:
    """Return text that differs if the file was changed or replaced: size, mtime, change time, inode.

    The device is left out: its number may be another after each boot. On Windows the change time is not to be had
    and the time of creation stands in its place; the file's number, which NTFS does not give twice, is the inode.
    """
    return f"{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns} {status.st_ino}"


def unsettled_for(status: os.stat_result) -> float:
    """Return for how many more seconds the file could be changed without :func:`identity` showing it.

    A second write within one tick of the file system's clock leaves all time stamps as they are.
    """
    newest = max(status.st_mtime_ns, status.st_ctime_ns if os.name != "nt" else 0)
    age = time.time_ns() - newest
    tick = _COARSE_TICK if _has_whole_seconds(status) else _TICK
    # Stamps from the future say nothing of when the file was last written; only the tick matters then.
    return max(0, tick - max(age, 0)) / _SECOND


def has_coarse_stamps(status: os.stat_result) -> bool:
    """Tell whether the file lies where time stamps are whole seconds, as far as it shows."""
    return _has_whole_seconds(status)


def _has_whole_seconds(status: os.stat_result) -> bool:
    return status.st_mtime_ns % _SECOND == 0 and (
        os.name == "nt" or status.st_ctime_ns % _SECOND == 0
    )
