"""Adds wheel files to a `WheelStore` and times the calls; or unpacks them by `zipfile`, in one process."""

from __future__ import annotations

import sys
import time
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.children.job import Answer, Job, peak_memory

if TYPE_CHECKING:
    from collections.abc import Callable

    from wheel_linker.store import WheelStore


def opened(job: Job, *, durable: bool = True) -> WheelStore:
    """The store; imported late, when it is clear what it may inflate with."""
    from wheel_linker.store import WheelStore

    return WheelStore(job.destination, jobs=job.threads, durable=durable)


def add_all(job: Job, files: list[str]) -> None:
    """Unpack and verify what is not in the store."""
    with opened(job) as store:
        store.add_all(files)


def add_all_unwaiting(job: Job, files: list[str]) -> None:
    """The same, without waiting until it is on the disk."""
    with opened(job, durable=False) as store:
        store.add_all(files)


def add_each(job: Job, files: list[str]) -> None:
    """Add them one call after the other, as a program would that knows all of them."""
    with opened(job) as store:
        for file in files:
            store.add(file)


def extract(job: Job, files: list[str]) -> None:
    """What `python -m zipfile -e` does, without starting an interpreter for each wheel."""
    for number, file in enumerate(files):
        with zipfile.ZipFile(file) as archive:
            archive.extractall(Path(job.destination, str(number)))


def without_extra() -> None:
    """Have the library not find what the extra `fast` brings, nor what it takes in its place."""
    for name in ("isal", "zlib_ng"):
        sys.modules[name] = None  # type: ignore[assignment]


WAYS: dict[str, Callable[[Job, list[str]], None]] = {
    "add_all": add_all,
    "add_all_unwaiting": add_all_unwaiting,
    "add_each": add_each,
    "extract": extract,
}


def main() -> None:
    """Do what the job's mode says; its roots are the wheel files here."""
    job = Job.read()
    files = [file for file, _ in job.wheels]
    if not job.fast:
        without_extra()
    import wheel_linker.store  # noqa: F401 - before the time begins, as the others are

    started = time.perf_counter()
    WAYS[job.mode](job, files)
    Answer(time.perf_counter() - started, peak_memory()).give()


if __name__ == "__main__":
    main()
