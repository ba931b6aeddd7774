"""Adds wheel files to a `WheelStore` and times the calls; or unpacks them by `zipfile`, in one process."""

from __future__ import annotations

import time
import zipfile
from pathlib import Path

from benchmarks.children.job import Answer, Job, peak_memory
from wheel_linker.store import WheelStore


def add_all(job: Job, files: list[str]) -> None:
    """Unpack and verify what is not in the store."""
    with WheelStore(job.destination, jobs=job.threads) as store:
        store.add_all(files)


def add_all_unwaiting(job: Job, files: list[str]) -> None:
    """The same, without waiting until it is on the disk."""
    with WheelStore(job.destination, jobs=job.threads, durable=False) as store:
        store.add_all(files)


def add_each(job: Job, files: list[str]) -> None:
    """Add them one call after the other, as a program would that knows all of them."""
    with WheelStore(job.destination, jobs=job.threads) as store:
        for file in files:
            store.add(file)


def extract(job: Job, files: list[str]) -> None:
    """What `python -m zipfile -e` does, without starting an interpreter for each wheel."""
    for number, file in enumerate(files):
        with zipfile.ZipFile(file) as archive:
            archive.extractall(Path(job.destination, str(number)))


WAYS = {
    "add_all": add_all,
    "add_all_unwaiting": add_all_unwaiting,
    "add_each": add_each,
    "extract": extract,
}


def main() -> None:
    """Do what the job's mode says; its roots are the wheel files here."""
    job = Job.read()
    files = [file for file, _ in job.wheels]
    started = time.perf_counter()
    WAYS[job.mode](job, files)
    Answer(time.perf_counter() - started, peak_memory()).give()


if __name__ == "__main__":
    main()
