"""Doing many things on a few threads, none of which outlives the call."""

from __future__ import annotations

import _thread
import contextlib
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest
from interrupter import Interrupter, needs_instructions

from wheel_linker._archive.crew import Crew
from wheel_linker._threads import run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import FrameType


@pytest.mark.parametrize("jobs", [1, 2, 8, 100])
def test_each_task_is_done_once(jobs: int) -> None:
    done: list[int] = []
    run(range(500), done.append, jobs)
    assert sorted(done) == list(range(500))


@pytest.mark.parametrize("jobs", [1, 4])
def test_the_failure_of_the_earliest_task_is_raised(jobs: int) -> None:
    def work(task: int) -> None:
        if task in (3, 4):
            raise ValueError(task)

    for _ in range(50):
        with pytest.raises(ValueError, match=r"^[34]$") as caught:
            run(range(100), work, jobs)
        if jobs == 1:
            assert caught.value.args == (3,)


def test_a_failure_stops_the_others() -> None:
    done: list[int] = []

    def work(task: int) -> None:
        if task == 5:
            raise ZeroDivisionError
        done.append(task)
        time.sleep(0.001)

    with pytest.raises(ZeroDivisionError):
        run(range(1000), work, 3)
    assert len(done) < 20


def run_in_a_crew(tasks: Iterable[int], work: Callable[[int], None], jobs: int) -> None:
    """Do as ``run`` does, with what the store unpacks by."""
    crew = Crew(jobs)
    with crew.joined():
        crew.share(tasks, work, lambda _: 1, 1_000)


def run_while_read(tasks: Iterable[int], work: Callable[[int], None], jobs: int) -> None:
    """Do as ``run`` does, with threads that begin while the tasks are still being read."""
    run(iter(tasks), work, jobs, worth=lambda _: jobs)


def pass_on_in_a_crew(tasks: Iterable[int], work: Callable[[int], None], jobs: int) -> None:
    """Do as ``run`` does, with what the pieces of a very large file are written by."""
    crew = Crew(jobs)
    with crew.joined():
        crew.pass_on(tasks, work, 8)


class TestTasksThatAreStillBeingRead:
    def test_are_done_by_others_meanwhile(self) -> None:
        """The next one comes when the one before is done, which would not end if all were read before."""
        done: list[tuple[int, int]] = []
        is_done = threading.Event()

        def tasks() -> Iterable[int]:
            for task in range(20):
                is_done.clear()
                yield task
                assert is_done.wait(timeout=30)

        def work(task: int) -> None:
            done.append((task, threading.get_ident()))
            is_done.set()

        run(tasks(), work, 2, worth=lambda _: 2)
        assert [task for task, _ in done] == list(range(20))
        assert threading.get_ident() not in {thread for _, thread in done}

    def test_are_waited_for_by_threads_that_find_none(self) -> None:
        done: list[int] = []

        def tasks() -> Iterable[int]:
            yield from range(3)
            while len(done) < 3:
                time.sleep(0.001)
            time.sleep(0.01)  # both of the others have looked for one by now
            yield from range(3, 6)

        others: set[int] = set()

        def work(task: int) -> None:
            others.add(threading.get_ident())
            time.sleep(0.002)
            done.append(task)

        run(tasks(), work, 3, worth=lambda _: 3)
        assert sorted(done) == list(range(6))
        assert len(others) > 1

    def test_that_cannot_be_read_are_a_failure_whatever_fails_beside(self) -> None:
        has_failed = threading.Event()

        def tasks() -> Iterable[int]:
            yield 0
            assert has_failed.wait(timeout=30)
            yield 1
            raise ZeroDivisionError

        def work(_: int) -> None:
            has_failed.set()
            raise ValueError

        with pytest.raises(ZeroDivisionError):
            run(tasks(), work, 2, worth=lambda _: 2)

    def test_are_told_of_when_they_are_there(self) -> None:
        asked: list[tuple[int, bool]] = []
        read: list[int] = []

        def tasks() -> Iterable[int]:
            for task in range(3):
                read.append(task)
                yield task

        def worth(is_all: bool) -> int:
            asked.append((len(read), is_all))
            return 1

        run(tasks(), lambda _: None, 8, worth=worth)
        assert asked == [(1, False), (2, False), (3, False), (3, True)]


class TestPiecesThatArePassedOn:
    @pytest.mark.parametrize("slow", ["neither", "drawing", "writing"])
    @pytest.mark.parametrize("jobs", [1, 2, 3])
    def test_are_written_one_after_the_other(self, jobs: int, slow: str) -> None:
        written: list[int] = []
        at_work: list[int] = []

        def pieces() -> Iterable[int]:
            for piece in range(60):
                if slow == "drawing":
                    time.sleep(0.001)
                yield piece

        def write(piece: int) -> None:
            at_work.append(piece)
            if slow == "writing":
                time.sleep(0.001)
            assert at_work == [piece]
            written.append(piece)
            at_work.remove(piece)

        pass_on_in_a_crew(pieces(), write, jobs)
        assert written == list(range(60))

    def test_are_written_by_another_thread_while_the_next_are_drawn(self) -> None:
        """Either waits for the other, which would not end if one thread did both."""
        writers: set[int] = set()
        drawn, first = threading.Event(), threading.Event()

        def pieces() -> Iterable[int]:
            yield from range(2)
            assert first.wait(timeout=30)
            drawn.set()
            yield 2

        def write(piece: int) -> None:
            writers.add(threading.get_ident())
            first.set()
            assert piece == 2 or drawn.wait(timeout=30)

        pass_on_in_a_crew(pieces(), write, 2)
        assert threading.get_ident() not in writers

    @pytest.mark.parametrize("jobs", [1, 2])
    def test_do_not_pile_up(self, jobs: int) -> None:
        waiting: list[int] = []
        most = 0

        def pieces() -> Iterable[int]:
            nonlocal most
            for piece in range(100):
                waiting.append(piece)
                most = max(most, len(waiting))
                yield piece

        def write(piece: int) -> None:
            time.sleep(0.0005)
            waiting.remove(piece)

        pass_on_in_a_crew(pieces(), write, jobs)
        assert most <= 11

    @pytest.mark.parametrize("jobs", [1, 2])
    def test_stop_at_a_failure(self, jobs: int) -> None:
        written: list[int] = []

        def write(piece: int) -> None:
            if piece == 20:
                raise ZeroDivisionError
            written.append(piece)

        with pytest.raises(ZeroDivisionError):
            pass_on_in_a_crew(iter(range(10**6)), write, jobs)
        assert written == list(range(20))

    def test_that_cannot_be_drawn_are_a_failure(self) -> None:
        def pieces() -> Iterable[int]:
            yield from range(5)
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            pass_on_in_a_crew(pieces(), lambda _: time.sleep(0.002), 2)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs a timer signal")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("do", [run, run_while_read, run_in_a_crew, pass_on_in_a_crew])
def test_an_interrupt_waits_for_the_threads_at_work(
    do: Callable[[Iterable[int], Callable[[int], None], int], None],
) -> None:
    """Else one of them would go on in a directory that is being removed.

    ``Thread.join``, interrupted, says of a thread at work that it has ended, before Python 3.13.
    """
    if sys.platform == "win32":
        pytest.skip("is about POSIX systems")
    late: list[int] = []
    over = threading.Event()
    # No Event: an interrupt on PyPy may leave its lock taken, and the other thread would wait for that for ever.
    begun: list[int] = []

    def work(task: int) -> None:
        if threading.current_thread() is threading.main_thread():
            for _ in range(100):
                if begun:
                    break
                time.sleep(0.001)
        else:
            begun.append(task)
            time.sleep(0.01)
            if over.is_set():
                late.append(task)

    previous = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        for round_ in range(25):
            over.clear()
            begun.clear()
            with contextlib.suppress(KeyboardInterrupt):
                signal.setitimer(signal.ITIMER_REAL, 0.0005 + round_ * 0.0003)
                do(range(50), work, 2)
                signal.setitimer(signal.ITIMER_REAL, 0)
            over.set()
            time.sleep(0.015)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
    assert late == []


def interrupted_at(nth: int, action: Callable[[], None]) -> bool:
    """Run an action while Ctrl-C comes as the nth function of the module begins; tell whether there are so many."""
    begun = 0

    def trace(frame: FrameType, event: str, _: object) -> None:
        nonlocal begun
        begun += event == "call" and frame.f_globals.get("__name__") == run.__module__
        if begun == nth:
            begun += 1
            raise KeyboardInterrupt

    sys.settrace(trace)
    try:
        action()
    except KeyboardInterrupt:
        pass
    finally:
        sys.settrace(None)
    return begun > nth


@pytest.mark.parametrize("do", [run, run_while_read, run_in_a_crew, pass_on_in_a_crew])
def test_nobody_is_at_work_after_an_interrupt_as_any_function_begins(
    do: Callable[[Iterable[int], Callable[[int], None], int], None],
) -> None:
    at_work: set[int] = set()

    def work(task: int) -> None:
        if threading.current_thread() is not threading.main_thread():
            at_work.add(task)
            time.sleep(0.004)
            at_work.discard(task)

    left = []
    nth = 1
    while interrupted_at(nth, lambda: do(range(4), work, 2)):
        if at_work:
            left.append(nth)
            time.sleep(0.02)
        nth += 1
    assert nth > 10
    assert left == []


@needs_instructions
def test_an_interrupt_after_any_call_loses_no_room_of_a_crew() -> None:
    """Room that nobody returns, or can return any more, is waited for by the next call, and for ever."""
    modules = {Crew.__module__, "threading", "contextlib"}
    has_come = False

    def interrupted(crew: Crew, nth: int) -> None:
        nonlocal has_come
        interrupter = Interrupter(nth, modules)
        sys.settrace(interrupter)
        try:
            with crew.joined():
                crew.share(range(3), lambda _: None, lambda _: 1, 2)
        except KeyboardInterrupt:
            pass
        finally:
            sys.settrace(None)
        has_come = interrupter.has_come

    def try_it(nth: int) -> None:
        crew = Crew(2)
        interrupted(crew, nth)
        with crew.joined(), crew.joined():
            pass

    nth = 0
    while nth == 0 or has_come:
        nth += 1
        # A daemon: should it wait for ever, the tests end all the same.
        thread = threading.Thread(target=try_it, args=(nth,), daemon=True)
        thread.start()
        thread.join(30)
        assert not thread.is_alive(), f"interrupted after call {nth}"
    assert nth > 50


@pytest.mark.skipif(sys.implementation.name != "cpython", reason="about CPython's memory")
@pytest.mark.parametrize("do", [run, run_while_read, run_in_a_crew, pass_on_in_a_crew])
def test_a_thread_that_never_begins_is_not_waited_for(
    do: Callable[[Iterable[int], Callable[[int], None], int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system has made it, and then there was no memory to run anything in it."""
    begun: list[object] = []
    monkeypatch.setattr(_thread, "start_new_thread", lambda *_: begun.append(None))
    done: list[int] = []
    for _ in range(2):
        do(range(50), done.append, 4)
    assert sorted(done) == sorted([*range(50), *range(50)])
    assert begun


@pytest.mark.parametrize("refusal", [RuntimeError, MemoryError])
def test_fewer_threads_do_the_work(
    refusal: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise refusal

    monkeypatch.setattr(_thread, "start_new_thread", refuse)
    done: list[int] = []
    for _ in range(2):
        run_in_a_crew(range(50), done.append, 2)
        run(range(50), done.append, 2)
    assert len(done) == 200
