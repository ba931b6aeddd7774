"""The threads that unpack: so many in one store, however many calls there are at once."""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections import deque
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from wheel_linker._threads import MOMENT, Thread, ended, uninterrupted, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_Task = TypeVar("_Task")
# Seconds; who has to wait for room looks less and less often.
_LONGEST_PAUSE: Final = 0.02


class Place:
    """Room for one thread, until it leaves or nobody knows of it any more."""

    __slots__ = ("__weakref__", "is_left")

    def __init__(self) -> None:
        self.is_left = False

    def leave(self) -> None:
        """Make room for another thread; leaving twice is harmless."""
        self.is_left = True


class Room:
    """Room for so many threads at once, which nothing can lose: not even Ctrl-C as it is given or returned.

    No Semaphore: Ctrl-C just after that took its own lock leaves this taken, and whoever returns room waits for ever.
    Ctrl-C just after room was given would lose that room. Here it is returned without a lock, and counted by who still
    knows of it.

    :param most: how many threads there is room for.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._places: list[weakref.ref[Place]] = []

    def take(self) -> Place | None:
        """Return room for one thread, if there is any."""
        with self._lock:
            places = [each for each in self._places if _is_taken(each())]
            place = Place() if len(places) < self._most else None
            if place is not None:
                places.append(weakref.ref(place))
            self._places = places
            return place

    def wait(self) -> Place:
        """Return room for one thread, as soon as there is any."""
        pause = MOMENT
        while (place := self.take()) is None:
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
        return place


def _is_taken(place: Place | None) -> bool:
    return place is not None and not place.is_left


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
        self._room = Room(self._jobs)

    @contextmanager
    def joined(self) -> Iterator[None]:
        """Have the calling thread be one of the crew; wait until there is room for it."""
        place = self._room.wait()
        try:
            yield
        finally:
            place.leave()

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
        place = self._room.take() if shift.waiting > 1 else None
        if place is None:
            return
        helper = _Helper(shift, place)
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

    def __init__(self, shift: _Shift[Any], place: Place) -> None:
        # The work does not refer to this object, so that this and its place are gone as soon as nobody knows of them.
        super().__init__(partial(_help, shift, place))
        self._place = place

    def leave(self) -> None:
        """Make room for another one; leaving twice is harmless."""
        self._place.leave()

    def wait(self) -> None:
        """Wait for the end of the thread. A thread that could not even begin leaves now."""
        super().wait()
        self.leave()


def _help(shift: _Shift[Any], place: Place) -> None:
    try:
        while shift.work_on_one():
            pass
    finally:
        place.leave()


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
