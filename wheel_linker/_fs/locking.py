"""Locks that the system lets go of when their owner dies: of whole files, and of directories.

They tell what a killed process left behind from what is in use.
"""

from __future__ import annotations

import errno
import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

from wheel_linker._fs.copying import close_quietly
from wheel_linker._log import log
from wheel_linker.errors import ENOTSUPP

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wheel_linker._fs.patience import Patience


@contextmanager
def locked(fd: int, patience: Patience, *, shared: bool = False) -> Iterator[None]:
    """Hold the lock of an open file; wait for it first.

    Whoever shares the descriptor, such as the threads of a process, has to take turns by other means. Where
    there are no shared locks (Windows), the lock is exclusive; where there are none at all, nothing is waited for.

    :raises LockTimeoutError: if another has held it for too long.
    :raises OSError: if the system refuses for another reason.
    """
    held = wait_for_lock(fd, patience, shared=shared)
    try:
        yield
    finally:
        if held:
            _unlock(fd)


def wait_for_lock(fd: int, patience: Patience, *, shared: bool = False) -> bool:
    """Take the lock of an open file, and wait for it first; it goes when the file is closed.

    :returns: False where there are no such locks.
    :raises LockTimeoutError: if another has held it for too long.
    :raises OSError: if the system refuses for another reason.
    """
    while (held := _try(fd, shared=shared)) is False:
        patience.wait(fd)
    return held is True


def _unlock(fd: int) -> None:
    if sys.platform == "win32":
        import msvcrt

        os.lseek(fd, 0, os.SEEK_SET)
        msvcrt.locking(fd, msvcrt.LK_UNLCK, 1)
    else:
        # Closing would not do if another thread has forked: the child has a copy of the descriptor.
        fcntl.flock(fd, fcntl.LOCK_UN)


# flock(2) where the file system, a container or a sandbox knows no locks; NFS wants a writable file for an exclusive
# one. Of files that are open, flock(2) itself knows neither EPERM nor EACCES.
NO_LOCKS: Final = frozenset(
    {
        errno.ENOLCK,
        errno.ENOSYS,
        errno.ENOTSUP,
        errno.EOPNOTSUPP,
        ENOTSUPP,
        errno.EINVAL,
        errno.EBADF,
        errno.EPERM,
        errno.EACCES,
    }
)
# Windows says EACCES or EDEADLK.
HELD_BY_ANOTHER: Final = frozenset(
    {errno.EACCES, errno.EDEADLK} if sys.platform == "win32" else {errno.EWOULDBLOCK}
)


def claim(fd: int) -> bool | None:
    """Take the exclusive lock of an open file without waiting; it goes when the file is closed.

    :returns: True if it is ours now, False if another holds it, None where there are no locks.
    """
    return _try(fd, shared=False)


def _try(fd: int, *, shared: bool) -> bool | None:
    try:
        if sys.platform == "win32":
            _claim_on_windows(fd)
        elif fcntl is None:  # WebAssembly
            return None
        else:
            fcntl.flock(fd, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in HELD_BY_ANOTHER:
            return False
        if error.errno in NO_LOCKS:
            return None
        raise
    return True


@contextmanager
def exclusive(directory: str, patience: Patience) -> Iterator[None]:
    """Wait until no other process or thread is in here for this directory.

    Where directories have no locks (Windows, some network file systems) nothing is waited for.

    :raises LockTimeoutError: if another has held it for too long.
    :raises OSError: if the directory cannot be opened, or the system refuses for another reason.
    """
    if sys.platform == "win32":
        yield
        return
    fd = os.open(directory, os.O_RDONLY)
    try:
        held = wait_for_lock(fd, patience)
        try:
            yield
        finally:
            if held:
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


def _claim_on_windows(fd: int) -> None:
    import msvcrt

    # Windows lets a byte past the end be locked.
    msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
