"""``python3 -m systems SUITE[-ARCHITECTURE]/USER[/INTERPRETER]...``: try things, and print a line for each."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Final

from systems import lent, table
from systems.debian import made
from systems.rounds import FREE_THREADED, Spec, attempt, tail

SUITES: Final = ("bookworm", "trixie", "forky", "sid")
EVERYTHING: Final = (
    *(f"{suite}/{user}" for suite in SUITES for user in ("user", "root")),
    *("bookworm/root/3.11", "trixie-i386/root/3.13"),
    *(f"bookworm/root/{version}" for version in lent.VERSIONS),
    *(f"sid/root/{version}" for version in ("3.13", "3.14", "3.15", "pypy3.11")),
    f"forky/root/{FREE_THREADED}",
)


def main() -> int:
    """Try what was asked for."""
    options = _parser().parse_args()
    if options.make:
        for text in options.specs or EVERYTHING:
            made(Spec.parse(text).system())
        return 0
    logs = options.logs or Path(tempfile.mkdtemp(prefix="wheel_linker-systems-"))
    logs.mkdir(parents=True, exist_ok=True)
    failed = 0
    for text in options.specs or EVERYTHING:
        spec = Spec.parse(text)
        tried = attempt(spec, logs)
        print(tried.line, flush=True)
        for trouble in tried.troubles:
            print(f"  {trouble}", flush=True)
        if tried.troubles:
            failed += 1
            print(tail(logs / f"{spec.name}.log"), flush=True)
        elif options.table and tried.row is not None:
            table.add([tried.row])
    return min(failed, 1)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="systems", description=__doc__)
    parser.add_argument(
        "specs", nargs="*", metavar="SPEC", help=f"by default {' '.join(EVERYTHING)}"
    )
    parser.add_argument("--logs", type=Path, help="a directory for what is printed")
    parser.add_argument(
        "--make", action="store_true", help="only make the systems that it takes, for later"
    )
    parser.add_argument(
        "--table", action="store_true", help="write what has passed into the documentation"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
