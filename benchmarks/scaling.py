"""Time and memory against the number of files, and what importing costs."""

from __future__ import annotations

import math
import sys
from dataclasses import replace
from statistics import median
from typing import TYPE_CHECKING

from benchmarks import commands
from benchmarks.children.job import Answer, Job
from benchmarks.contenders import ask_child
from benchmarks.destinations import Destinations, remove
from benchmarks.memory import Children
from benchmarks.results import ImportTime, Point, Scaling
from benchmarks.synthetic import make_tree

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.corpus import Wheel
    from benchmarks.filesystems import Place
    from benchmarks.measure import Tell

SIZES = (1_000, 3_000, 10_000, 30_000, 100_000, 300_000)
QUICK_SIZES = (100, 300, 1_000)


def bare_memory(place: Place, wheel: Wheel, rounds: int) -> int:
    """Peak bytes of the interpreter running the same harness without the library."""
    job = Job("", [(str(wheel.root), wheel.file.name)])
    return int(median(ask_child("bare", job, place.root)[1].peak for _ in range(rounds)))


def link_once(place: Place, destinations: Destinations, job: Job) -> Answer:
    """One run into a fresh directory; its memory is that of all its processes."""
    destination = destinations.fresh()
    filled = Job(str(destination), job.wheels, job.mode, job.threads)
    helpers = Children()
    try:
        _, answer = ask_child("link", filled, place.root, watch=helpers.look)
        return replace(answer, peak=answer.peak + helpers.total())
    finally:
        remove(destination)


def measure_size(
    place: Place, files: int, modes: list[str], threads: int, rounds: int
) -> list[Point]:
    """One wheel of that many files, linked in each mode, modes alternating."""
    root = place.directory("scaling") / f"wheel_{files}"
    wheel = make_tree(root, "scaling", files)
    destinations = Destinations(place)
    bare = bare_memory(place, wheel, rounds)
    answers: dict[str, list[Answer]] = {mode: [] for mode in modes}
    for _ in range(rounds):
        for mode in modes:
            job = Job("", [(str(root), wheel.file.name)], mode, threads)
            answers[mode].append(link_once(place, destinations, job))
    remove(root)
    return [point(mode, files, answers[mode], bare) for mode in modes]


def point(mode: str, files: int, answers: list[Answer], bare: int) -> Point:
    """Medians of the runs of one size."""
    seconds = median(answer.seconds for answer in answers)
    memory = median(answer.peak for answer in answers)
    return Point(mode, files, round(seconds, 5), int(memory) - bare)


def measure_scaling(
    place: Place, sizes: tuple[int, ...], threads: int, rounds: int, tell: Tell
) -> Scaling:
    """All sizes, in the modes worth it: hard links, and clones where there are any."""
    modes = ["hardlink", "clone"] if place.clones else ["hardlink"]
    scaling = Scaling(place.filesystem, threads)
    for files in sizes:
        for found in measure_size(place, files, modes, threads, rounds):
            scaling.points.append(found)
            size = f"{found.memory / 1e6:6.1f} MB"
            tell(f"  {files:>7,} files {found.mode:<9} {found.seconds:8.3f} s {size}")
    return scaling


def exponent(points: list[Point]) -> float:
    """The slope of log time over log files: 1 is a straight line through the origin."""
    xs = [math.log(point.files) for point in points]
    ys = [math.log(point.seconds) for point in points]
    x, y = sum(xs) / len(xs), sum(ys) / len(ys)
    return sum((a - x) * (b - y) for a, b in zip(xs, ys)) / sum((a - x) ** 2 for a in xs)


def measure_import(rounds: int, directory: Path) -> ImportTime:
    """Whole processes, alternating; a first pair, not counted, compiles the bytecode."""
    environment = commands.child_environment()
    times: dict[str, list[float]] = {"pass": [], "import wheel_linker": []}
    for turn in range(rounds + 1):
        for program, seconds in times.items():
            command = [sys.executable, "-c", program]
            taken, _ = commands.timed(command, cwd=directory, environment=environment)
            if turn:
                seconds.append(round(taken, 5))
    return ImportTime(times["pass"], times["import wheel_linker"])
