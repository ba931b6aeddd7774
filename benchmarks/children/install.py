"""Installs wheel files by `wheel_linker.install.install_wheels` from a store that knows them, and times that.

Asking the environment's interpreter for its directories counts, as does looking the files up in the store.
"""

from __future__ import annotations

import time
from pathlib import Path

from benchmarks.children.job import INSTALLING, Answer, Job, peak_memory, preload
from wheel_linker import LinkMode
from wheel_linker.install import Layout, install_wheels
from wheel_linker.store import WheelStore


def main() -> None:
    """Install strictly, so that a fallback is an error; the destination is an environment, the roots wheel files."""
    job = Job.read()
    python = Path(job.destination, "bin", "python")
    files = [file for file, _ in job.wheels]
    chain = (LinkMode(job.mode),)
    preload(INSTALLING)
    started = time.perf_counter()
    with WheelStore(job.store, jobs=job.threads) as store:
        layout = Layout.for_python(python)
        install_wheels(
            files,
            layout,
            store=store,
            mode=chain,
            jobs=job.threads,
            compile_bytecode=job.bytecode,
        )
    Answer(time.perf_counter() - started, peak_memory()).give()


if __name__ == "__main__":
    main()
