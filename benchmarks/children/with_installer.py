"""Installs wheel files by the library `installer`, without bytecode."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from installer import install
from installer.destinations import SchemeDictionaryDestination
from installer.sources import WheelFile

from benchmarks.children.job import Answer, Job, peak_memory


def scheme(root: Path) -> dict[str, str]:
    """Everything below one directory, as `--target` of other installers does."""
    places = {name: str(root / name) for name in ("headers", "scripts", "data")}
    return {"purelib": str(root), "platlib": str(root), **places}


def main() -> None:
    """Install every wheel file; the job's roots are the wheel files here."""
    job = Job.read()
    started = time.perf_counter()
    destination = SchemeDictionaryDestination(
        scheme(Path(job.destination)), sys.executable, "posix"
    )
    for wheel, _ in job.wheels:
        with WheelFile.open(Path(wheel)) as source:
            install(source, destination, {"INSTALLER": b"benchmark"})
    Answer(time.perf_counter() - started, peak_memory()).give()


if __name__ == "__main__":
    main()
