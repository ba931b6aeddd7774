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

from wheel_linker._fs import windows
from wheel_linker._fs.copying import close_quietly
from wheel_linker._fs.folder import Folder
from wheel_linker._fs.timestamps import refresh
from wheel_linker._fs.windows import extended, patiently
from wheel_linker._log import log
from wheel_linker.errors import ENOTSUPP

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wheel_linker._fs.patience import Patience


@contextmanager
def locked(fd: int, patience: Patience, *, shared: bool = False) -> Iterator[None]:
    """Hold the lock of an open file; wait for it first.

    Whoever shares the descriptor, such as the threads of a process, has to take turns by other means. Where
    there are no locks nothing is waited for.

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
        from wheel_linker._fs._windows import kernel32

        kernel32.unlock(fd)
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
# winerror.h: ERROR_INVALID_FUNCTION, ERROR_NOT_SUPPORTED.
_NO_WINDOWS_LOCKS: Final = frozenset({1, 50})
LOCK_FILE: Final = ".wheel_linker-lock"
"""The file in a directory whose lock stands for that of the directory, where these have none."""


def claim(fd: int) -> bool | None:
    """Take the exclusive lock of an open file without waiting; it goes when the file is closed.

    :returns: True if it is ours now, False if another holds it, None where there are no locks.
    """
    return _try(fd, shared=False)


def _try(fd: int, *, shared: bool) -> bool | None:
    try:
        if sys.platform == "win32":
            from wheel_linker._fs._windows import kernel32

            return kernel32.lock(fd, shared=shared)
        if fcntl is None:  # WebAssembly
            return None
        fcntl.flock(fd, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno in NO_LOCKS or getattr(error, "winerror", None) in _NO_WINDOWS_LOCKS:
            return None
        raise
    return True


@contextmanager
def exclusive(directory: str, patience: Patience) -> Iterator[None]:
    """Wait until no other process or thread holds the lock of a directory, and hold it.

    On Windows, where directories have no locks, this is the lock of a file in it, which the last of them removes. Where
    there are no locks at all, as on some network file systems, nothing is waited for.

    :raises LockTimeoutError: if another has held it for too long.
    :raises OSError: if the directory cannot be opened, or the system refuses for another reason.
    """
    fd = _lock_file(directory) if windows.WINDOWS else os.open(directory, os.O_RDONLY)
    try:
        held = wait_for_lock(fd, patience)
        try:
            yield
        finally:
            if held:
                _let_go(fd)
    finally:
        close_quietly(fd)
        if windows.WINDOWS:
            _remove_lock_file(directory)


def _lock_file(directory: str) -> int:
    """Open the lock file of a directory; as long as anybody has it open, nobody can remove it."""
    # In a directory whose path is nearly as long as Windows takes them, that of the file would be too long.
    path = extended(os.path.join(directory, LOCK_FILE))
    opened: list[int] = []

    def open_it() -> None:
        # For a moment a file that was removed may be neither there nor gone.
        opened.append(os.open(path, os.O_RDWR | os.O_CREAT, 0o666))

    patiently(open_it)
    return opened[0]


def _remove_lock_file(directory: str) -> None:
    with Folder.open(directory) as folder:
        before = folder.stat().st_mtime_ns
        try:
            os.unlink(folder.prefix + LOCK_FILE, dir_fd=folder.fd)
        except OSError as error:
            log("the lock of %s is left to others: %s", directory, error)
            return
        # Its removal may have set the time back to one that an importer has seen.
        refresh(folder, before)


def _let_go(fd: int) -> None:
    try:
        _unlock(fd)
    except OSError as error:
        # What the lock was for has been done; closing the descriptor lets go of it, too.
        log("cannot unlock a directory: %s", error)
