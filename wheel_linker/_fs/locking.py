"""Locks that the system lets go of when their owner dies: of whole files, and of directories.

They tell what a killed process left behind from what is in use.
"""

from __future__ import annotations

import os
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]
import errno

from wheel_linker._fs.copying import close_quietly
from wheel_linker._log import log

if TYPE_CHECKING:
    from collections.abc import Iterator

_PAUSE: Final = 0.005  # seconds between two tries where locks cannot be waited for


@contextmanager
def locked(fd: int, *, shared: bool = False) -> Iterator[None]:
    """Hold the lock of an open file; wait for it first.

    Whoever shares the descriptor, such as the threads of a process, has to take turns by other means. Where
    there are no shared locks (Windows), the lock is exclusive; where there are none at all, nothing is waited for.

    :raises OSError: if the system refuses for another reason than a lock that is held.
    """
    held = wait_for_lock(fd, shared=shared)
    try:
        yield
    finally:
        if held:
            _unlock(fd)


def wait_for_lock(fd: int, *, shared: bool = False) -> bool:
    """Take the lock of an open file, and wait for it first; it goes when the file is closed.

    :returns: False where there are no such locks.
    :raises OSError: if the system refuses for another reason.
    """
    if sys.platform == "win32":
        while not (held := claim(fd)):
            if held is None:
                return False
            time.sleep(_PAUSE)
        return True
    try:
        fcntl.flock(fd, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
        return False
    return True


def _unlock(fd: int) -> None:
    if sys.platform == "win32":
        import msvcrt

        os.lseek(fd, 0, os.SEEK_SET)
        msvcrt.locking(fd, msvcrt.LK_UNLCK, 1)
    else:
        # Closing would not do if another thread has forked: the child has a copy of the descriptor.
        fcntl.flock(fd, fcntl.LOCK_UN)


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
