"""Doing many things on a few threads, none of which outlives the call."""

from __future__ import annotations

import os
import threading
from collections import deque
from contextlib import nullcontext
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from contextlib import AbstractContextManager

_Task = TypeVar("_Task")


def usable_cpus() -> int:
    """Return how many CPUs this process may use."""
    if hasattr(os, "process_cpu_count"):  # Python 3.13
        return os.process_cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0)) or 1
    return os.cpu_count() or 1


def run(
    tasks: Iterable[_Task],
    work: Callable[[_Task], None],
    jobs: int,
    *,
    others: Callable[[], AbstractContextManager[Callable[[_Task], None]]] | None = None,
) -> None:
    """Call ``work`` once for each task, on ``jobs`` threads of which the caller's is one.

    The first failure, or an interrupt, stops the others after their current task; then the failure of the
    earliest task is raised. No thread is left running.

    :param others: makes what each of the other threads calls instead, which it leaves when it is through.
    """
    pending = deque(enumerate(tasks))
    failures: list[tuple[int, BaseException]] = []

    def drain(work: Callable[[_Task], None]) -> None:
        while not failures:
            try:
                index, task = pending.popleft()
            except IndexError:
                return
            try:
                work(task)
            except BaseException as error:  # noqa: BLE001 - raised again by the calling thread
                failures.append((index, error))

    def work_along() -> None:
        try:
            with nullcontext(work) if others is None else others() as own:
                drain(own)
        except BaseException as error:  # noqa: BLE001 - raised again by the calling thread
            failures.append((0, error))

    threads = [_Thread(work_along) for _ in range(min(jobs, len(pending)) - 1)]
    try:
        for thread in threads:
            if not thread.begin():
                break
        drain(work)
    finally:
        # One that Ctrl-C kept from being waited for, while it was starting, finds nothing to do.
        pending.clear()
        # Any other one would write into a directory that is being removed.
        uninterrupted(lambda: _wait_for(threads))
    if failures:
        raise min(failures, key=_index)[1]


class _Thread:
    """A thread that can be waited for again when Ctrl-C has come in between.

    ``Thread.join`` cannot, before Python 3.13: interrupted, it takes the thread for ended.
    """

    def __init__(self, work: Callable[[], None]) -> None:
        self._work = work
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def begin(self) -> bool:
        """Start the thread; False if the process may have no more: then fewer do the work."""
        try:
            self._thread.start()
        except RuntimeError:
            return False
        return True

    def wait(self) -> None:
        """Wait for its end, if it has begun."""
        if self._thread.ident is not None:
            while not self._ended.is_set():
                self._ended.wait()
            self._thread.join()

    def _run(self) -> None:
        try:
            self._work()
        finally:
            self._ended.set()


def _wait_for(threads: list[_Thread]) -> None:
    for thread in threads:
        thread.wait()


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


def _index(failure: tuple[int, BaseException]) -> int:
    return failure[0]
