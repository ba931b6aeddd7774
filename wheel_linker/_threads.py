"""Doing many things on a few threads, none of which outlives the call."""

from __future__ import annotations

import _thread
import os
import sys
import threading
import time
import weakref
from collections import deque
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager

_Task = TypeVar("_Task")
# Bytes of work that is read, but not begun; more would only fill the memory.
_AHEAD: Final = 48 * 1024 * 1024
# Pieces of one file that wait for the thread that writes them.
_PIECES_AHEAD: Final = 8
# Descriptors that the program has for other things.
_OTHERS: Final = 24
# Seconds until a thread that has nothing to do looks for a task again, or one that is ahead looks whether it still is.
_MOMENT: Final = 0.0005
# Seconds until a thread is looked at again that has not said that it is through.
_LOOK_AGAIN: Final = 1.0
COMPLETE: Final = "what was asked for is done"
"""What an interrupt says that comes when nothing is put back any more, while there still is something to clear away."""


def usable_cpus() -> int:
    """Return how many CPUs this process may use."""
    if hasattr(os, "process_cpu_count"):  # Python 3.13
        return os.process_cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0)) or 1
    return os.cpu_count() or 1


def affordable(jobs: int, descriptors: int) -> int:
    """Return how many of so many jobs this process may have files open for, at least one.

    :param descriptors: how many of them one job needs.
    """
    if sys.platform == "win32":
        return jobs
    try:
        import resource
    except ImportError:  # WebAssembly
        return jobs
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit == resource.RLIM_INFINITY:
        return jobs
    return min(jobs, max(1, (limit - _OTHERS) // descriptors))


def run(
    tasks: Iterable[_Task],
    work: Callable[[_Task], Iterable[_Task] | None],
    jobs: int,
    *,
    others: Callable[[], AbstractContextManager[Callable[[_Task], Iterable[_Task] | None]]]
    | None = None,
    stop: Callable[[], None] | None = None,
) -> None:
    """Call ``work`` once for each task, on ``jobs`` threads of which the caller's is one.

    The first failure, or an interrupt, stops the others after their current task; then the interrupt, or the failure of
    the earliest task, is raised. No thread is left running.

    :param work: what is done; what it returns are more tasks.
    :param others: makes what each of the other threads calls instead, which it leaves when it is through.
    :param stop: called after an interrupt, to end what the other threads wait for.
    """
    agenda = _Agenda(tasks)

    def work_along() -> None:
        try:
            with nullcontext(work) if others is None else others() as own:
                while agenda.do_one(own):
                    pass
        except BaseException as error:  # noqa: BLE001 - raised again by the calling thread
            agenda.fail(0, error)

    threads = [_Thread(work_along) for _ in range(jobs - 1)]

    def end() -> None:
        # One that Ctrl-C kept from being waited for, while it was starting, finds nothing to do.
        agenda.close()
        _stop_and_wait(threads, agenda.failures, stop)

    def begin() -> None:
        idle = deque(threads)
        going_on = True
        while going_on:
            # Tasks may have given more of them.
            _begin(idle, agenda.waiting - 1 - (len(threads) - len(idle)))
            going_on = agenda.do_one(work)

    _ended(begin, end)
    if agenda.failures:
        raise min(agenda.failures, key=_precedence)[1]


def _begin(idle: deque[_Thread], number: int) -> None:
    """Begin a number of threads, as far as there are any."""
    for _ in range(min(number, len(idle))):
        if not idle.popleft().begin():
            # The process may have no more threads: the work gets done by fewer.
            idle.clear()
            return


class _Agenda(Generic[_Task]):
    """Tasks that wait for a thread, more of them that those in work may give, and what has failed.

    :ivar failures: the numbers of tasks, and their errors.
    """

    def __init__(self, tasks: Iterable[_Task]) -> None:
        self.failures: list[tuple[int, BaseException]] = []
        self._waiting = deque(enumerate(tasks))
        self._at_work: set[int] = set()
        self._is_closed = False

    @property
    def waiting(self) -> int:
        """How many tasks nobody has begun."""
        return len(self._waiting)

    def do_one(self, work: Callable[[_Task], Iterable[_Task] | None]) -> bool:
        """Do a task as soon as there is one; False if there will be none any more."""
        taken = self._take()
        if taken is None:
            return False
        number, task = taken
        try:
            more = work(task) or ()
            if not self._is_closed:
                self._waiting.extend((number, each) for each in more)
        except BaseException as error:  # noqa: BLE001 - raised again by the calling thread
            self.fail(number, error)
        finally:
            self._at_work.discard(_thread.get_ident())
        return True

    def fail(self, number: int, error: BaseException) -> None:
        """Take note of a failure, and give no more tasks out."""
        self.failures.append((number, error))
        self.close()

    def close(self) -> None:
        """Give no more tasks out."""
        self._is_closed = True

    def _take(self) -> tuple[int, _Task] | None:
        me = _thread.get_ident()
        while not self._is_closed:
            # Before the look: another thread that finds no task is to see that this one may give some.
            self._at_work.add(me)
            try:
                return self._waiting.popleft()
            except IndexError:
                self._at_work.discard(me)
            if not self._at_work:
                break
            time.sleep(_MOMENT)
        return None


class _Thread:
    """A thread that can be waited for again when Ctrl-C has come in between.

    ``Thread.join`` cannot, before Python 3.13: interrupted, it takes the thread for ended. ``Thread.start`` waits
    for ever where there is too little memory for the new thread to say that it runs.
    """

    def __init__(self, work: Callable[[], None]) -> None:
        self._work = work
        # No Event: where Ctrl-C comes just after the caller took its lock, as it may on PyPy, the lock stays taken, and
        # the thread could never say that it has ended.
        self._has_ended = False
        self._running = _thread.allocate_lock()
        self._running.acquire()
        self._life: weakref.ref[_Life] | None = None

    def begin(self) -> bool:
        """Start the thread; False if the process may have no more: then fewer do the work."""
        try:
            _thread.start_new_thread(self._run, (self._new_life(),))
        except (RuntimeError, MemoryError):
            self._life = None
            return False
        return True

    def wait(self) -> None:
        """Wait for its end, if it has begun."""
        while not self.is_over():
            self._running.acquire(timeout=_LOOK_AGAIN)

    def is_over(self) -> bool:
        """Tell whether it has ended, or never begun."""
        return self._has_ended or self._life is None or self._life() is None

    def _new_life(self) -> _Life:
        """Return what is referred to by the new thread alone: the thread is over when it is gone."""
        life = _Life()
        self._life = weakref.ref(life)
        return life

    def _run(self, _: _Life) -> None:
        try:
            _follow_debuggers()
            self._work()
        finally:
            self._has_ended = True
            self._running.release()


class _Life:
    """Something to be referred to."""

    __slots__ = ("__weakref__",)


def _follow_debuggers() -> None:
    """Do what ``threading`` does in a thread of its own for whoever called ``threading.settrace``."""
    trace, profile = threading.gettrace(), threading.getprofile()
    if trace is not None:
        sys.settrace(trace)
    if profile is not None:
        sys.setprofile(profile)


def _ended(action: Callable[[], None], end: Callable[[], None]) -> None:
    """Do something, and end it whatever comes; ``end`` may be called again."""
    try:
        try:
            action()
        finally:
            end()
    finally:
        # Ctrl-C may have come as the first call began, before it could heed it.
        end()


def _stop_and_wait(
    threads: Sequence[_Thread],
    failures: Iterable[tuple[int, BaseException]],
    stop: Callable[[], None] | None,
) -> None:
    if stop is not None and any(map(_is_interrupt, failures)):
        stop()
    # Any that is still at work would write into a directory that is being removed.
    uninterrupted(lambda: _wait_for(threads, stop))


def _wait_for(threads: Sequence[_Thread], stop: Callable[[], None] | None = None) -> None:
    try:
        for thread in threads:
            thread.wait()
    except KeyboardInterrupt:
        if stop is not None:
            stop()
        raise


def uninterrupted(action: Callable[[], None]) -> None:
    """Run an action that may be begun again to its end, however often Ctrl-C comes; then let that through."""
    interrupt = None
    while True:
        try:
            action()
            break
        except KeyboardInterrupt as error:
            interrupt = error
    if interrupt is not None:
        raise interrupt


@contextmanager
def telling_of_completion(is_complete: Callable[[], bool]) -> Iterator[None]:
    """Have an interrupt of the body say so if the change that was asked for is made, and is not put back.

    :param is_complete: whether that is so.
    """
    try:
        yield
    except KeyboardInterrupt as interrupt:
        if is_complete():
            interrupt.args = (COMPLETE,)
        raise


def _is_interrupt(failure: tuple[int, BaseException]) -> bool:
    return isinstance(failure[1], KeyboardInterrupt)


def _precedence(failure: tuple[int, BaseException]) -> tuple[bool, int]:
    return not _is_interrupt(failure), failure[0]


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
        self, tasks: Iterable[_Task], work: Callable[[_Task], None], weight: Callable[[_Task], int]
    ) -> None:
        """Call ``work`` once for each task, in this thread and in others while there is room for them.

        ``tasks`` is drawn from in this thread alone. The first failure, or an interrupt, stops all threads after
        their current task and is raised; none is left running.

        :param weight: how many bytes a waiting task takes.
        """
        shift = _Shift(work, weight)
        _ended(lambda: self._work_through(tasks, shift), shift.end)
        if shift.failures:
            raise shift.failures[0]

    def pass_on(
        self, pieces: Iterable[_Task], work: Callable[[_Task], None], weight: Callable[[_Task], int]
    ) -> None:
        """Call ``work`` with one piece after the other, in another thread while there is room for one.

        ``pieces`` is drawn from in this thread alone, meanwhile; without another thread, this one does both. Failures
        and interrupts as for :meth:`share`.

        :param weight: how many bytes a waiting piece takes.
        """
        shift = _Shift(work, weight)
        _ended(lambda: self._draw(pieces, shift), shift.end)
        if shift.failures:
            raise shift.failures[0]

    def _draw(self, pieces: Iterable[_Task], shift: _Shift[_Task]) -> None:
        for piece in pieces:
            shift.put(piece)
            if not shift.is_helped():
                self._call_for_help(shift)
            _wait_while(shift, lambda: shift.waiting > _PIECES_AHEAD)
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


def _wait_while(shift: _Shift[Any], behind: Callable[[], bool]) -> None:
    """Let the other thread do its work; where there is none, do it here. Pieces are never done by two at once."""
    while behind() and not shift.failures:
        if shift.is_helped():
            time.sleep(_MOMENT)
        else:
            shift.work_on_one()


class _Helper(_Thread):
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
        """Wait for its end. One that could not even begin leaves now."""
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

    def __init__(self, work: Callable[[_Task], None], weight: Callable[[_Task], int]) -> None:
        self.failures: list[BaseException] = []
        self.helpers: list[_Helper] = []
        self._work = work
        self._weight = weight
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
        """Tell whether the waiting tasks take all the memory that they may."""
        return self._ahead > _AHEAD

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
        uninterrupted(lambda: _wait_for(self.helpers))


_crews: weakref.WeakSet[Crew] = weakref.WeakSet()


def _renew_crews() -> None:
    for crew in list(_crews):
        crew.renew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_crews)
