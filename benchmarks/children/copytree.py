"""Copies unpacked wheels by `shutil.copytree`."""

from __future__ import annotations

import shutil
import time

from benchmarks.children.job import Answer, Job, peak_memory


def main() -> None:
    """Copy every wheel into the destination."""
    job = Job.read()
    started = time.perf_counter()
    for root, _ in job.wheels:
        shutil.copytree(root, job.destination, symlinks=True, dirs_exist_ok=True)
    Answer(time.perf_counter() - started, peak_memory()).give()


if __name__ == "__main__":
    main()
