"""Locks that the system lets go of when their owner dies.

They tell what a killed process left behind from what is in use.
"""

from __future__ import annotations

import errno
import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from wheel_linker.debug import log
from wheel_linker.files import close_quietly

if TYPE_CHECKING:
    from collections.abc import Iterator

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

# flock(2) where the file system or a container knows no locks; NFS wants a writable file for an exclusive one.
NO_LOCKS: Final = frozenset(
    {errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL, errno.EBADF}
)
# Windows says EACCES or EDEADLK; flock(2) knows no EACCES that would mean this.
HELD_BY_ANOTHER: Final = frozenset(
    {errno.EACCES, errno.EDEADLK} if sys.platform == "win32" else {errno.EWOULDBLOCK}
)


def claim(fd: int) -> bool | None:
    """Take the exclusive lock of an open file without waiting; it goes when the file is closed.

    :returns: True if it is ours now, False if another holds it, None where there are no locks.
    """
    try:
        if sys.platform == "win32":
            _claim_on_windows(fd)
        else:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in HELD_BY_ANOTHER:
            return False
        if error.errno in NO_LOCKS:
            return None
        raise
    return True


@contextmanager
def exclusive(directory: str) -> Iterator[None]:
    """Wait until no other process or thread is in here for this directory.

    Where directories have no locks (Windows, some network file systems) nothing is waited for.
    """
    if sys.platform == "win32":
        yield
        return
    fd = os.open(directory, os.O_RDONLY)
    try:
        locked = _wait(fd)
        try:
            yield
        finally:
            if locked:
                _let_go(fd)
    finally:
        close_quietly(fd)


def _let_go(fd: int) -> None:
    if sys.platform != "win32":
        try:
            # Closing would not do if another thread has forked: the child has a copy of the descriptor.
            fcntl.flock(fd, fcntl.LOCK_UN)
        except OSError as error:
            # What the lock was for has been done; closing the descriptor lets go of it, too.
            log("cannot unlock a directory: %s", error)


def _wait(fd: int) -> bool:
    if sys.platform == "win32":
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
        return False
    return True


def _claim_on_windows(fd: int) -> None:
    import msvcrt

    # Windows lets a byte past the end be locked.
    msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
