"""Installs a few wheel files again and again, each time into a new directory, and times the calls after the first."""

from __future__ import annotations

import time
from pathlib import Path
from statistics import median

from benchmarks.children.job import Answer, Job, peak_memory
from wheel_linker import LinkMode
from wheel_linker.install import Layout, install_wheels
from wheel_linker.store import WheelStore

CALLS = 5


def seconds_of(job: Job, store: WheelStore, number: int) -> float:
    """One call, by itself."""
    layout = Layout.for_target(Path(job.destination, str(number)))
    files = [file for file, _ in job.wheels]
    chain = (LinkMode(job.mode),)
    started = time.perf_counter()
    install_wheels(files, layout, store=store, mode=chain, jobs=job.threads)
    return time.perf_counter() - started


def main() -> None:
    """Open the store once, as a program does that goes on running."""
    job = Job.read()
    with WheelStore(job.store, jobs=job.threads) as store:
        _, *seconds = [seconds_of(job, store, number) for number in range(CALLS + 1)]
    Answer(median(seconds), peak_memory()).give()


if __name__ == "__main__":
    main()
