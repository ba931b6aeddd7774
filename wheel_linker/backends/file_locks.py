"""Locks of whole files, shared or exclusive, that are waited for; see ``ownership`` for those that are not."""

from __future__ import annotations

import os
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from wheel_linker.backends import ownership

if TYPE_CHECKING:
    from collections.abc import Iterator

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

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
        while not (held := ownership.claim(fd)):
            if held is None:
                return False
            time.sleep(_PAUSE)
        return True
    try:
        fcntl.flock(fd, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
    except OSError as error:
        if error.errno not in ownership.NO_LOCKS:
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
