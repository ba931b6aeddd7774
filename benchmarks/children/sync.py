"""Keeps an environment in step with wheel files, and times the calls after the first.

The wheel files whose second word is not empty are versions of one, of which each call has the next.
"""

from __future__ import annotations

import time
from itertools import cycle
from pathlib import Path
from statistics import median

from benchmarks.children.job import Answer, Job, peak_memory
from wheel_linker import LinkMode
from wheel_linker.install import Layout, SyncReport, sync_wheels
from wheel_linker.store import WheelStore

CALLS = 5


def synchronised(
    job: Job, layout: Layout, store: WheelStore, one: list[str]
) -> tuple[float, SyncReport]:
    """One call: its seconds, and what it did."""
    files = [file for file, changing in job.wheels if not changing]
    chain = (LinkMode(job.mode),)
    started = time.perf_counter()
    report = sync_wheels([*files, *one], layout, store=store, mode=chain, jobs=job.threads)
    return time.perf_counter() - started, report


def check(report: SyncReport, expected: int) -> None:
    """Raise `SystemExit` unless so many wheels were installed."""
    if len(report.installed) != expected:
        raise SystemExit(f"{len(report.installed)} wheels were installed, and not {expected}")


def main() -> None:
    """Synchronise once, so that the environment holds everything, and then again and again."""
    job = Job.read()
    layout = Layout.for_python(Path(job.destination, "bin", "python"))
    versions = cycle([[file] for file, changing in job.wheels if changing] or [[]])
    first, seconds = next(versions), []
    with WheelStore(job.store, jobs=job.threads) as store:
        for file, _ in job.wheels:
            store.add(file)
        synchronised(job, layout, store, first)
        for _ in range(CALLS):
            taken, report = synchronised(job, layout, store, next(versions))
            check(report, len(first))
            seconds.append(taken)
    Answer(median(seconds), peak_memory()).give()


if __name__ == "__main__":
    main()
