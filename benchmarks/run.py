"""The entry point: `python benchmarks/run.py --help`, or `python -m benchmarks.run`."""

from __future__ import annotations

import sys
from pathlib import Path


def main() -> int:
    """Hand over to the command line."""
    # Run as a file, only this directory is on the path, and not the package's parent.
    root = Path(__file__).resolve().parent.parent
    # The tests' folder has the module that mounts images.
    sys.path[:0] = [str(root), str(root / "tests")]
    from benchmarks.command_line import main as measure

    return measure()


if __name__ == "__main__":
    sys.exit(main())
