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
from typing import TYPE_CHECKING, Final, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager

_Task = TypeVar("_Task")
# Descriptors that the program has for other things.
_OTHERS: Final = 24
MOMENT: Final = 0.0005
"""Seconds until a thread that waits for another one looks again whether it has to."""
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


def refuse_no_jobs(jobs: int | None) -> None:
    """Refuse a number of threads that can do no work.

    :param jobs: how many threads; None for as many as there are CPUs.
    :raises ValueError: for fewer than one.
    """
    if jobs is not None and jobs < 1:
        raise ValueError(f"jobs is {jobs}: at least one thread has to do the work")


def affordable(jobs: int, descriptors: int) -> int:
    """Return how many of so many jobs this process may have files open for, at least one.

    :param descriptors: how many of them one job needs.
    """
    if sys.platform == "win32" or jobs == 1:
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
    worth: Callable[[bool], int] | None = None,
) -> None:
    """Call ``work`` once for each task, on ``jobs`` threads of which the caller's is one.

    The first failure, or an interrupt, stops the others after their current task; then the interrupt, or the failure of
    the earliest task, is raised. No thread is left running.

    :param tasks: read to its end by the calling thread, before that does any task.
    :param work: what is done; what it returns are more tasks.
    :param others: makes what each of the other threads calls instead, which it leaves when it is through.
    :param stop: called after an interrupt, to end what the other threads wait for.
    :param worth: tells how many threads are worth having, the caller's included, and is called with whether all tasks
        are known: after each that was read, and at the end. By default ``jobs``, at the end.
    """
    agenda = _Agenda[_Task]()

    def work_along() -> None:
        try:
            with nullcontext(work) if others is None else others() as own:
                while agenda.do_one(own):
                    pass
        except BaseException as error:  # noqa: BLE001 - raised again by the calling thread
            agenda.fail(0, error)

    along = _Others(work_along, jobs - 1)

    def end() -> None:
        # One that Ctrl-C kept from being waited for, while it was starting, finds nothing to do.
        agenda.close()
        _stop_and_wait(along.threads, agenda.failures, stop)

    def begin() -> None:
        if worth is None:
            agenda.fill(tasks)
        else:
            agenda.fill(tasks, lambda: along.grow(min(worth(False), agenda.waiting + 1)))
        most = jobs if worth is None else worth(True)
        going_on = True
        while going_on:
            # Tasks may have given more of them.
            along.grow(min(most, agenda.waiting))
            going_on = agenda.do_one(work)

    ended(begin, end)
    if agenda.failures:
        raise min(agenda.failures, key=_precedence)[1]


class _Others:
    """The threads besides the calling one.

    :ivar threads: those that have begun, or could not.

    :param work: what each of them does.
    :param most: how many there may be.
    """

    def __init__(self, work: Callable[[], None], most: int) -> None:
        self.threads: list[Thread] = []
        self._work = work
        self._most = most

    def grow(self, size: int) -> None:
        """Begin threads until there are ``size``, the calling one included, as far as there may be so many."""
        while len(self.threads) < min(size - 1, self._most):
            thread = Thread(self._work)
            self.threads.append(thread)
            if not thread.begin():
                # The process may have no more threads: the work gets done by fewer.
                self._most = 0


class _Agenda(Generic[_Task]):
    """Tasks that wait for a thread, more of them that those in work may give, and what has failed.

    :ivar failures: the numbers of tasks, and their errors.
    """

    def __init__(self) -> None:
        self.failures: list[tuple[int, BaseException]] = []
        self._waiting: deque[tuple[int, _Task]] = deque()
        self._at_work: set[int] = set()
        self._is_closed = False

    @property
    def waiting(self) -> int:
        """How many tasks nobody has begun."""
        return len(self._waiting)

    def fill(self, tasks: Iterable[_Task], after_each: Callable[[], None] | None = None) -> None:
        """Take tasks in, which other threads may do meanwhile.

        They are read to the end even if one fails: an error of reading them comes before any of doing them.

        :param after_each: called when one is there.
        """
        me = _thread.get_ident()
        # A thread that finds no task is to wait for the next one.
        self._at_work.add(me)
        try:
            for task in enumerate(tasks):
                self._waiting.append(task)
                if after_each is not None:
                    after_each()
        finally:
            self._at_work.discard(me)

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
            time.sleep(MOMENT)
        return None


class Thread:
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


def ended(action: Callable[[], None], end: Callable[[], None]) -> None:
    """Call ``action``, then ``end``, whatever happens; ``end`` may be called again."""
    try:
        try:
            action()
        finally:
            end()
    finally:
        # Ctrl-C may have come as the first call began, before it could heed it.
        end()


def _stop_and_wait(
    threads: Sequence[Thread],
    failures: Iterable[tuple[int, BaseException]],
    stop: Callable[[], None] | None,
) -> None:
    if stop is not None and any(map(_is_interrupt, failures)):
        stop()
    # A thread that is still at work would write into a directory that is being removed.
    uninterrupted(lambda: wait_for(threads, stop))


def wait_for(threads: Sequence[Thread], stop: Callable[[], None] | None = None) -> None:
    """Wait for the end of threads that have begun.

    :param stop: called if Ctrl-C comes meanwhile, to end what the threads wait for.
    :raises KeyboardInterrupt: then; some of the threads may still run.
    """
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
