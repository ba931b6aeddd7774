"""The threads that unpack: so many in one store, however many calls there are at once."""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections import deque
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from wheel_linker._threads import MOMENT, Thread, ended, uninterrupted, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_Task = TypeVar("_Task")


class Crew:
    """Room for a number of threads, shared by everything that goes on in one store at once.

    :param jobs: how many threads may be at work.
    """

    def __init__(self, jobs: int) -> None:
        self._jobs = jobs
        self.renew()
        _crews.add(self)

    def renew(self) -> None:
        """Have room for all, in a child of fork(2), which has none of its parent's threads."""
        self._room = threading.Semaphore(self._jobs)

    def __enter__(self) -> Crew:
        """Wait for room for the calling thread."""
        self._room.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        self._room.release()

    def share(
        self,
        tasks: Iterable[_Task],
        work: Callable[[_Task], None],
        weight: Callable[[_Task], int],
        most: int,
    ) -> None:
        """Call ``work`` once for each task, in this thread and in others while there is room for them.

        ``tasks`` is drawn from in this thread alone. The first failure, or an interrupt, stops all threads after
        their current task and is raised; none is left running.

        :param weight: how many bytes of memory a waiting task takes.
        :param most: how many bytes waiting tasks may take. Above that this thread works instead of drawing more.
        """
        shift = _Shift(work, weight, most)
        ended(lambda: self._work_through(tasks, shift), shift.end)
        if shift.failures:
            raise shift.failures[0]

    def pass_on(self, pieces: Iterable[_Task], work: Callable[[_Task], None], most: int) -> None:
        """Call ``work`` with one piece after the other, in another thread while there is room for one.

        ``pieces`` is drawn from in this thread alone, meanwhile; without another thread, this one does both. Failures
        and interrupts end it as they end :meth:`share`.

        :param most: how many pieces may wait. Above that this thread waits instead of drawing more.
        """
        shift = _Shift(work, _one, most)
        ended(lambda: self._draw(pieces, shift), shift.end)
        if shift.failures:
            raise shift.failures[0]

    def _draw(self, pieces: Iterable[_Task], shift: _Shift[_Task]) -> None:
        for piece in pieces:
            shift.put(piece)
            if not shift.is_helped():
                self._call_for_help(shift)
            _wait_while(shift, shift.is_behind)
            if shift.failures:
                return
        _wait_while(shift, lambda: shift.waiting > 0)

    def _work_through(self, tasks: Iterable[_Task], shift: _Shift[_Task]) -> None:
        for task in tasks:
            shift.put(task)
            self._call_for_help(shift)
            while shift.is_behind() and shift.work_on_one():
                pass
            if shift.failures:
                return
        while shift.work_on_one():
            self._call_for_help(shift)

    def _call_for_help(self, shift: _Shift[_Task]) -> None:
        if shift.waiting < 2 or not self._room.acquire(blocking=False):
            return
        helper = _Helper(shift, self._room)
        shift.helpers.append(helper)
        if not helper.begin():
            # The process may have no more threads: the work gets done by fewer.
            helper.leave()


def _one(_: object) -> int:
    return 1


def _wait_while(shift: _Shift[Any], behind: Callable[[], bool]) -> None:
    """Let the other thread do its work; where there is none, do it here. Pieces are never done by two at once."""
    while behind() and not shift.failures:
        if shift.is_helped():
            time.sleep(MOMENT)
        else:
            shift.work_on_one()


class _Helper(Thread):
    """A thread that helps with a shift, and takes room of a crew until it leaves."""

    def __init__(self, shift: _Shift[Any], room: threading.Semaphore) -> None:
        super().__init__(self._help)
        self._shift = shift
        self._taken = deque([room])

    def leave(self) -> None:
        """Make room for another one; leaving twice is harmless."""
        try:
            room = self._taken.pop()
        except IndexError:
            return
        room.release()

    def wait(self) -> None:
        """Wait for the end of the thread. A thread that could not even begin leaves now."""
        super().wait()
        self.leave()

    def _help(self) -> None:
        try:
            while self._shift.work_on_one():
                pass
        finally:
            self.leave()


class _Shift(Generic[_Task]):
    """The work of one call, and who helps with it."""

    def __init__(
        self, work: Callable[[_Task], None], weight: Callable[[_Task], int], most: int
    ) -> None:
        self.failures: list[BaseException] = []
        self.helpers: list[_Helper] = []
        self._work = work
        self._weight = weight
        self._most = most
        self._pending: deque[_Task] = deque()
        self._ahead = 0
        self._lock = threading.Lock()

    @property
    def waiting(self) -> int:
        """How many tasks nobody has begun."""
        return len(self._pending)

    def is_helped(self) -> bool:
        """Tell whether the thread that was called last is still there."""
        return bool(self.helpers) and not self.helpers[-1].is_over()

    def put(self, task: _Task) -> None:
        """Let a task wait for a thread."""
        with self._lock:
            self._pending.append(task)
            self._ahead += self._weight(task)

    def is_behind(self) -> bool:
        """Tell whether as much waits as may, and more."""
        return self._ahead > self._most

    def work_on_one(self) -> bool:
        """Do the oldest waiting task; tell whether there was one and nothing has failed."""
        with self._lock:
            if not self._pending or self.failures:
                return False
            task = self._pending.popleft()
            self._ahead -= self._weight(task)
        try:
            self._work(task)
        except BaseException as error:  # noqa: BLE001 - raised again by the calling thread
            self.failures.append(error)
        return not self.failures

    def end(self) -> None:
        """Forget what is waiting, and wait until nobody is at work; may be called again."""
        with self._lock:
            self._pending.clear()
        uninterrupted(lambda: wait_for(self.helpers))


_crews: weakref.WeakSet[Crew] = weakref.WeakSet()


def _renew_crews() -> None:
    for crew in list(_crews):
        crew.renew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_crews)
