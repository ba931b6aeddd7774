"""Waiting for a lock: not without end, and not without a word.

Waiting means trying again, so that a limit can be kept and Ctrl-C ends it: neither flock(2) nor Windows takes a limit.
"""

from __future__ import annotations

import errno
import os
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from wheel_linker._log import log_warning
from wheel_linker.errors import LockTimeoutError

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator

TIMEOUT: Final = 300.0
"""How many seconds a lock is waited for if nobody says otherwise."""
_SAY_SO_AFTER: Final = 3.0  # seconds
_FIRST_PAUSE: Final = 0.001  # seconds
_LONGEST_PAUSE: Final = 0.05  # seconds; what a lock that is free again may stay unused
_PROC_LOCKS: Final = "/proc/locks"


def refuse_no_timeout(timeout: float) -> None:
    """Refuse what is no time to wait for.

    :raises ValueError: if it is negative, or no number.
    """
    if not timeout >= 0:
        raise ValueError(f"timeout is {timeout}: give seconds, or None to wait for ever")


class Patience:
    """How long one call waits for its turn; begins when it is made, and may be used for several locks in a row.

    :param path: what is locked, as the caller knows it.
    :param timeout: seconds, or None to wait for ever.
    """

    def __init__(self, path: str, timeout: float | None = TIMEOUT) -> None:
        self.path = path
        self.timeout = timeout
        self._begin = time.monotonic()
        self._pause = _FIRST_PAUSE
        self._said = False

    def wait(self, fd: int | None = None) -> None:
        """Wait a moment before the lock is tried again.

        :param fd: the descriptor of what is locked, to find out who holds it.
        :raises LockTimeoutError: if the time is over.
        """
        waited = time.monotonic() - self._begin
        if self.timeout is not None and waited >= self.timeout:
            raise self._over(fd)
        if waited >= _SAY_SO_AFTER and not self._said:
            self._said = True
            log_warning("waiting for %s, which %s has locked", self.path, _holder(fd))
        self._pause = min(2 * self._pause, _LONGEST_PAUSE)
        left = self._pause if self.timeout is None else self.timeout - waited
        time.sleep(min(self._pause, left))

    @contextmanager
    def turn(self, lock: threading.Lock | threading.RLock) -> Iterator[None]:
        """Hold the lock that the threads of this process take turns by; wait for it first.

        :raises LockTimeoutError: if the time is over.
        """
        # Whether it is taken. One step of the interpreter takes the lock and notes that: between two steps Ctrl-C may
        # come, and the lock would stay taken.
        taken = [False]
        try:
            while not taken[0]:
                taken[:] = map(lock.acquire, (True,), (_LONGEST_PAUSE,))
                if not taken[0]:
                    self.wait()
            yield
        finally:
            if taken[0]:
                lock.release()

    def _over(self, fd: int | None) -> LockTimeoutError:
        return LockTimeoutError(
            f"waited {self.timeout:g} seconds for {self.path!r}, which {_holder(fd)} has locked; "
            "end that, or wait longer (timeout=)",
            errno=errno.ETIMEDOUT,
            destination=self.path,
        )


def _holder(fd: int | None) -> str:
    """Say who holds the lock of an open file; for None that is a thread."""
    if fd is None:
        return "another thread of this process"
    number = _holding_process(fd)
    if number is None:
        return "another process"
    return "another call of this process" if number == os.getpid() else f"the process {number}"


def _holding_process(fd: int) -> int | None:
    """Return the number of the process that took the lock of an open file, if the system tells.

    A line of proc_locks(5): ``1: FLOCK  ADVISORY  WRITE 4711 08:01:131076 0 EOF``. Processes of other containers
    have the number 0 there.
    """
    if sys.platform == "win32":
        return None
    status = os.fstat(fd)
    file = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
    try:
        with open(_PROC_LOCKS, encoding="ascii", errors="replace") as lines:
            rows = [line.split() for line in lines]
    except OSError:
        return None
    numbers = [int(row[4]) for row in rows if len(row) > 5 and row[1] == "FLOCK" and row[5] == file]
    return next((number for number in numbers if number > 0), None)
