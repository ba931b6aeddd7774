"""Measure the first import of a package with native libraries, cloned and hard-linked, in environments of their own.

    python benchmarks/first_import.py scipy.stats scipy-1.17.0-cp313-cp313-macosx_14_0_arm64.whl numpy-....whl

On macOS the kernel checks the signature of a library once for each inode, so that hard links should be quicker. Each
way is measured several times in turn, each time in a fresh environment, after one import that warms the store's files.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from wheel_linker.install import Layout, install_wheels
from wheel_linker.store import WheelStore

if TYPE_CHECKING:
    from collections.abc import Sequence

WAYS: Final[dict[str, str | None]] = {
    "all in one mode": None,
    "native files hard-linked": "hardlink",
}


def first_import(target: Path, module: str) -> float:
    """Return how many seconds a fresh interpreter takes to import a module."""
    script = f"import sys; sys.path.insert(0, {str(target)!r}); import {module}"
    start = time.perf_counter()
    subprocess.run([sys.executable, "-I", "-c", script], check=True)
    return time.perf_counter() - start


def measure(module: str, wheels: Sequence[str], mode: str, rounds: int) -> dict[str, list[float]]:
    """Return the seconds of each round, by the way of installing."""
    found: dict[str, list[float]] = {way: [] for way in WAYS}
    with tempfile.TemporaryDirectory() as place, WheelStore(Path(place, "store")) as store:
        for number in range(rounds + 1):
            for index, (way, native_mode) in enumerate(WAYS.items()):
                target = Path(place, f"{number}-{index}")
                layout = Layout.for_target(target)
                install_wheels(wheels, layout, store=store, mode=mode, native_mode=native_mode)
                seconds = first_import(target, module)
                if number:
                    found[way].append(seconds)
    return found


def main() -> None:
    """Measure, and print one line for each way."""
    parser = argparse.ArgumentParser(description="Measure the first import of a package.")
    parser.add_argument("module")
    parser.add_argument("wheels", nargs="+")
    parser.add_argument("--mode", default="clone")
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    for way, seconds in measure(given.module, given.wheels, given.mode, given.rounds).items():
        print(
            f"{way}: {statistics.median(seconds):.3f} s ({min(seconds):.3f} to {max(seconds):.3f})"
        )


if __name__ == "__main__":
    main()
