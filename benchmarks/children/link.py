"""Links wheels by `wheel_linker.link_wheels` and times the call."""

from __future__ import annotations

import time

from benchmarks.children.job import LINKING, Answer, Job, peak_memory, preload
from wheel_linker import LinkMode, UnpackedWheel, WheelFilename, link_wheels


def main() -> None:
    """Link strictly, so that a fallback is an error and not a wrong figure."""
    job = Job.read()
    wheels = [UnpackedWheel(root, WheelFilename.parse(name)) for root, name in job.wheels]
    chain = (LinkMode(job.mode),)
    preload(LINKING)
    started = time.perf_counter()
    link_wheels(job.destination, wheels, mode=chain, jobs=job.threads)
    seconds = time.perf_counter() - started
    Answer(seconds, peak_memory()).give()


if __name__ == "__main__":
    main()
