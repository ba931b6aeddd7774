"""Time stamps: whether a file is the one it was, and making importers notice that a directory has changed."""

from __future__ import annotations

import os
import stat
import time
from typing import TYPE_CHECKING, Final

from wheel_linker._compat.named_tuple import NamedTuple
from wheel_linker._fs.permissions import SET_ID, owners
from wheel_linker._log import log
from wheel_linker.errors import shortened

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wheel_linker._fs.folder import Folder

# Nanoseconds. Kernels before Linux 6.13 stamp files by a clock that ticks every 1 to 10 ms.
_TICK: Final = 50_000_000
_SECOND: Final = 1_000_000_000
# FAT and exFAT: "Volume and File Structure of Disk Drives", time stamps in steps of two seconds.
_COARSE_TICK: Final = 2 * _SECOND


def refuse_no_time(timestamp: float | None) -> None:
    """Refuse what is no time that a file can have.

    :param timestamp: seconds since 1970; None for no time at all.
    :raises ValueError: for infinity, what is no number, or what lies further away than this system's times reach.
    """
    if timestamp is None:
        return
    try:
        # Windows counts from 1970 here, its files from 1601.
        time.gmtime(max(timestamp, 0) if os.name == "nt" else timestamp)
    except (ValueError, OverflowError, OSError) as error:
        raise ValueError(
            f"timestamp is {shown(timestamp)}, which is no time that a file can have: give seconds since 1970"
        ) from error


def shown(number: float) -> str:
    """Return a number as text, however many digits it has: Python writes no more than 4,300."""
    try:
        return shortened(repr(number))
    except ValueError:
        return "a number of thousands of digits"


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
    tick = _COARSE_TICK if has_coarse_stamps(status) else _TICK
    # Stamps from the future say nothing of when the file was last written; only the tick matters then.
    return max(0, tick - max(age, 0)) / _SECOND


class Look(NamedTuple):
    """What is seen of files that are as they were written, as far as their status shows."""

    executables: int
    """How many are executable."""
    shareable: bool
    """Whether none is a third user's, neither the caller's nor root's, or has set-id bits."""


def look_at(
    folder: Folder,
    names: Iterable[str],
    sizes: Iterable[int],
    stamp: int,
    late: list[tuple[str, int]],
) -> Look | None:
    """Tell whether files are as they were written, as far as their status shows.

    :param folder: the directory that they are in.
    :param names: the files, as seen from that directory.
    :param sizes: how many bytes each should have.
    :param stamp: the modification time that all were given, in nanoseconds since the epoch.
    :param late: gets the name and the modification time of those that have another.
    :returns: what else is seen of them; None if one has another size, or is no regular file.
    :raises OSError: if that cannot be told; FileNotFoundError if one is missing.
    """
    fd, prefix, lstat, is_regular = folder.fd, folder.prefix, os.lstat, stat.S_ISREG
    ours, set_id = owners(), SET_ID
    executables, shareable = 0, True
    for name, size in zip(names, sizes):
        status = lstat(prefix + name, dir_fd=fd)
        mode = status.st_mode
        if status.st_size != size or not is_regular(mode):
            return None
        if mode & 0o111:
            executables += 1
        if status.st_uid not in ours or mode & set_id:
            shareable = False
        if status.st_mtime_ns != stamp:
            late.append((name, status.st_mtime_ns))
    return Look(executables, shareable)


def as_written(
    folder: Folder, names: Iterable[str], sizes: Iterable[int], stamp: int
) -> Look | None:
    """Return what is seen of files, if all are as they were written, their times included; else None.

    The parameters and errors are those of :func:`look_at`.
    """
    late: list[tuple[str, int]] = []
    seen = look_at(folder, names, sizes, stamp, late)
    return None if late else seen


def has_coarse_stamps(status: os.stat_result) -> bool:
    """Tell whether the file lies where time stamps are whole seconds, as far as it shows."""
    return status.st_mtime_ns % _SECOND == 0 and (
        os.name == "nt" or status.st_ctime_ns % _SECOND == 0
    )


# How far to go, in nanoseconds, until the file system's stamps tell the difference: ext4, XFS, btrfs and APFS keep
# nanoseconds, NTFS 100 ns, exFAT 10 ms or 2 s, HFS+ and old ext4 1 s. As a float, a stamp has about 0.2 µs.
_STEPS: Final = (1_000, 1_000_000, 10_000_000, 1_000_000_000, 2_000_000_000, 4_000_000_000)


def refresh(folder: Folder, before: int) -> None:
    """Set a directory's mtime to a later one than any it had so far.

    :param before: what it was, in nanoseconds, before anything changed. What it is now counts as well: an importer
        may have read the listing after the first change and before the last.

    Failing to is logged at debug level: the directory may belong to another user.
    """
    try:
        _advance(folder, before)
    except (OSError, OverflowError) as error:  # OverflowError: past 2038, where time_t has 32 bits
        log("cannot set the modification time of %s: %s", folder.path, error)


def _advance(folder: Folder, before: int) -> None:
    now = folder.stat()
    latest = max(before, now.st_mtime_ns)
    itself = folder.prefix + os.curdir
    for step in _STEPS:
        os.utime(itself, ns=(now.st_atime_ns, latest + step), dir_fd=folder.fd)
        if _as_float(folder.stat().st_mtime_ns) > _as_float(latest):
            return
    log("the modification time of %s stays the same whatever it is set to", folder.path)


def _as_float(nanoseconds: int) -> float:
    """Return a stamp as CPython makes ``st_mtime`` of it."""
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    return seconds + 1e-9 * rest
