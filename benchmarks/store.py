"""How long a store takes to unpack and verify wheel files, and to know them again.

Run from the checkout: python -m benchmarks.store --wheels DIRECTORY --place DIRECTORY

Every run is a fresh process on an empty directory of `--place`; contenders take turns, and medians are shown. uv is
timed filling its cache from the same files: a whole cold install less a whole hot one, since it has no command
that does only that (its processor seconds are those of both).
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import commands
from benchmarks.children.job import Job
from benchmarks.contenders import UnavailableError, ask_child, uv_command
from benchmarks.destinations import remove, sync

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

AGAIN = 180
"""Wheels that are added again."""


@dataclass
class Way:
    """One way to unpack all wheels into a directory, and its seconds, passed and of processors.

    The latter tell something even where the machine has other things to do.
    """

    name: str
    run: Callable[[Path], float]
    seconds: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        """Of its seconds."""
        return statistics.median(self.seconds)


def child(files: Sequence[Path], mode: str, threads: int) -> Callable[[Path], float]:
    """Whole processes, from start to end."""

    def run(destination: Path) -> float:
        job = Job(str(destination), [(str(file), "") for file in files], mode, threads)
        return ask_child("fill_store", job, destination)[0]

    return run


def zipfile_commands(files: Sequence[Path]) -> Callable[[Path], float]:
    """`python -m zipfile -e`, once for each wheel."""

    def run(destination: Path) -> float:
        environment = commands.child_environment()
        seconds = 0.0
        for number, file in enumerate(files):
            command: list[str | Path] = [
                sys.executable,
                "-m",
                "zipfile",
                "-e",
                file,
                destination / str(number),
            ]
            seconds += commands.timed(command, environment=environment)[0]
        return seconds

    return run


def uv_fill(files: Sequence[Path]) -> Callable[[Path], float]:
    """A cold install less a hot one, both by hard links."""

    def run(destination: Path) -> float:
        listing = destination / "wheels.txt"
        listing.write_text("".join(f"{file}\n" for file in files))
        cold, hot = (
            commands.timed(
                [*uv_command("hardlink", destination / "cache", destination / name), "-r", listing],
                environment=commands.child_environment(),
            )[0]
            for name in ("cold", "hot")
        )
        return cold - hot

    return run


def ways(files: Sequence[Path], threads: int) -> list[Way]:
    """Everybody who takes part here."""
    found = [
        Way(f"WheelStore.add_all, {threads} threads", child(files, "add_all", threads)),
        Way("WheelStore.add_all, 1 thread", child(files, "add_all", 1)),
        Way("python -m zipfile -e", zipfile_commands(files)),
        Way("zipfile, one process", child(files, "extract", 1)),
    ]
    try:
        uv_command("hardlink", Path(), Path())
    except UnavailableError as error:
        print(f"left out: {error}", file=sys.stderr)
    else:
        found.append(Way("uv, filling its cache", uv_fill(files)))
    return found


def measure(found: list[Way], place: Path, rounds: int) -> None:
    """Let everybody have a turn in each round."""
    everybody = list(range(len(found)))
    for turn in range(rounds):
        start = turn % len(found)
        for number in everybody[start:] + everybody[:start]:
            destination = Path(tempfile.mkdtemp(dir=place))
            try:
                before = processor_seconds()
                found[number].seconds.append(found[number].run(destination))
                found[number].processor.append(processor_seconds() - before)
            finally:
                remove(destination)
            print(
                f"  round {turn + 1} {found[number].name:<34} {found[number].seconds[-1]:8.3f} s",
                file=sys.stderr,
            )


def processor_seconds() -> float:
    """Of all processes that were started and have ended."""
    times = os.times()
    return times.children_user + times.children_system


def know_again(files: Sequence[Path], place: Path, rounds: int) -> list[float]:
    """Seconds that fresh processes take to add wheels that are there."""
    destination = Path(tempfile.mkdtemp(dir=place))
    try:
        job = Job(
            str(destination), [(str(file), "") for file in files], "add_all", os.cpu_count() or 1
        )
        ask_child("fill_store", job, destination)
        sync()
        again = Job(str(destination), job.wheels, "add_each", 1)
        return [ask_child("fill_store", again, destination)[1].seconds for _ in range(rounds)]
    finally:
        remove(destination)


def table(found: Sequence[Way], again: float, count: int) -> str:
    """The result for people."""
    best = found[0].median
    lines = ["| | seconds | store / this | processor seconds |", "|---|---:|---:|---:|"]
    lines += [
        f"| {way.name} | {way.median:.2f} | {best / way.median:.2f} | {statistics.median(way.processor):.2f} |"
        for way in found
    ]
    return "\n".join([*lines, "", f"{count} wheels known already: {again * 1000:.1f} ms"])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--wheels", type=Path, required=True, help="a directory of .whl files")
    parser.add_argument("--place", type=Path, required=True, help="a directory to unpack into")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--json", type=Path, help="where to write all seconds")
    options = parser.parse_args()
    files = sorted(options.wheels.resolve().glob("*.whl"))
    if not files:
        parser.error(f"there are no wheels in {options.wheels}")
    found = ways(files, options.threads)
    measure(found, options.place, options.rounds)
    again = know_again(files[:AGAIN], options.place, options.rounds)
    print(table(found, statistics.median(again), len(files[:AGAIN])))
    if options.json:
        seconds = {way.name: [way.seconds, way.processor] for way in found}
        options.json.write_text(json.dumps({"fill": seconds, "again": again}, indent=1))


if __name__ == "__main__":
    main()
