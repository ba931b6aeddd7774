"""Installing a few wheels, in a process that has done so before."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from benchmarks.children.install_few import CALLS
from benchmarks.children.job import Job
from benchmarks.contenders import (
    Contender,
    Context,
    Family,
    Sample,
    child_sample,
    into_directory,
    process_sample,
    uv_command,
    uv_requirements,
)
from benchmarks.corpus import size_of
from benchmarks.installing import check_fit, fill_store
from benchmarks.part import Part
from benchmarks.results import SMALL
from benchmarks.tables import Rival

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from benchmarks.corpus import Wheel

COUNTS = (1, 5, 25)
INTRODUCTION = """\
## A few wheels

One, five and 25 wheels: those in the middle when all are sorted by their number of files. `wheel_linker` is
`install_wheels` by hard links from an open store that has them, in a process that has done the same before: the
median of {calls} calls, each into a new directory; the column *process* has all of these and the start. `uv` is the
process of `uv pip install --target` with a hot cache.

![Milliseconds to install a few wheels](benchmarks-small.svg)
"""


class Few(NamedTuple):
    """Some of the wheels, and what the page calls that."""

    mode: str
    wheels: list[Wheel]
    files: int


def middle(wheels: list[Wheel], count: int) -> list[Wheel]:
    """So many wheels around the median, by number of files."""
    ranked = sorted(wheels, key=lambda wheel: (size_of([wheel]).files, wheel.file.name))
    start = max(0, (len(ranked) - count) // 2)
    return ranked[start : start + count]


def selections(context: Context) -> Iterator[Few]:
    """Each of the numbers that there are wheels for."""
    for count in COUNTS:
        wheels = middle(context.wheels, count)
        mode = "1 wheel" if count == 1 else f"{len(wheels)} wheels"
        yield Few(mode, wheels, size_of(wheels).files)


def wheel_linker(context: Context) -> Iterator[Contender]:
    """`install_wheels` in a running process."""
    check_fit(context)
    store, threads = fill_store(context), max(context.threads)

    def contender(few: Few) -> Contender:
        def run(destination: Path) -> Sample:
            files = [(str(wheel.file), "") for wheel in few.wheels]
            job = Job(str(destination), files, "hardlink", threads, str(store))
            return child_sample("install_few", job, context.place.root)

        files = few.files * (CALLS + 1)
        return Contender("wheel_linker", few.mode, threads, run, exact=False, files=files)

    yield from (contender(few) for few in selections(context))


def uv(context: Context) -> Iterator[Contender]:
    """`uv pip install` of them, hot."""
    cache = context.uv_cache
    uv_command("hardlink", cache)

    def contender(few: Few) -> Contender:
        wheels = uv_requirements(context, few.wheels)

        def run(destination: Path) -> Sample:
            command = uv_command("hardlink", cache, *into_directory(destination))
            return process_sample([*command, *wheels])

        return Contender("uv", few.mode, None, run, exact=False, files=few.files)

    yield from (contender(few) for few in selections(context))


FEW: dict[str, Family] = {"wheel_linker": wheel_linker, "uv": uv}
PART = Part(
    SMALL,
    FEW,
    "installing a few wheels",
    INTRODUCTION.format(calls=CALLS),
    "A few wheels on",
    (Rival("x uv", "uv"),),
    ("tmpfs", "xfs"),
    what="wheels",
    unit="ms",
    repeats=2,
)
