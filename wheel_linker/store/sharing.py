"""Doing one wheel's work on as many threads as are free just now."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from wheel_linker.workers import uninterrupted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_Task = TypeVar("_Task")

# Bytes of work that is read, but not begun; more would only fill the memory.
_AHEAD: Final = 48 * 1024 * 1024


class Crew:
    """Room for a number of threads, shared by everything that goes on in one store at once.

    :param jobs: how many threads may be at work.
    """

    def __init__(self, jobs: int) -> None:
        self._room = threading.Semaphore(jobs)

    def __enter__(self) -> Crew:
        """Wait for room for the calling thread."""
        self._room.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        self._room.release()

    def share(
        self, tasks: Iterable[_Task], work: Callable[[_Task], None], weight: Callable[[_Task], int]
    ) -> None:
        """Call ``work`` once for each task, in this thread and in others while there is room for them.

        ``tasks`` is drawn from in this thread alone. The first failure, or an interrupt, stops all threads after
        their current task and is raised; none is left running.

        :param weight: how many bytes a waiting task takes.
        """
        shift = _Shift(work, weight)
        try:
            for task in tasks:
                shift.put(task)
                self._call_for_help(shift)
                while shift.is_behind() and shift.work_on_one():
                    pass
                if shift.failures:
                    break
            while shift.work_on_one():
                self._call_for_help(shift)
        finally:
            shift.clear()
            uninterrupted(shift.join)
        if shift.failures:
            raise shift.failures[0]

    def _call_for_help(self, shift: _Shift[_Task]) -> None:
        if shift.waiting < 2 or not self._room.acquire(blocking=False):
            return

        def help_out() -> None:
            try:
                while shift.work_on_one():
                    pass
            finally:
                self._room.release()

        helper = threading.Thread(target=help_out, daemon=True)
        try:
            helper.start()
        except RuntimeError:
            # The process may have no more threads: the work gets done by fewer.
            self._room.release()
            return
        shift.helpers.append(helper)


class _Shift(Generic[_Task]):
    """The work of one call, and who helps with it."""

    def __init__(self, work: Callable[[_Task], None], weight: Callable[[_Task], int]) -> None:
        self.failures: list[BaseException] = []
        self.helpers: list[threading.Thread] = []
        self._work = work
        self._weight = weight
        self._pending: deque[_Task] = deque()
        self._ahead = 0
        self._turn = threading.Lock()

    @property
    def waiting(self) -> int:
        """How many tasks nobody has begun."""
        return len(self._pending)

    def put(self, task: _Task) -> None:
        """Let a task wait for a thread."""
        with self._turn:
            self._pending.append(task)
            self._ahead += self._weight(task)

    def is_behind(self) -> bool:
        """Tell whether the waiting tasks take all the memory that they may."""
        return self._ahead > _AHEAD

    def work_on_one(self) -> bool:
        """Do the oldest waiting task; tell whether there was one and nothing has failed."""
        with self._turn:
            if not self._pending or self.failures:
                return False
            task = self._pending.popleft()
            self._ahead -= self._weight(task)
        try:
            self._work(task)
        except BaseException as error:  # noqa: BLE001 - raised again by the calling thread
            self.failures.append(error)
        return not self.failures

    def clear(self) -> None:
        """Forget what is waiting."""
        with self._turn:
            self._pending.clear()

    def join(self) -> None:
        """Wait until nobody is at work; may be called again after an interrupt."""
        for helper in self.helpers:
            helper.join()
