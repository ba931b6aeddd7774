"""Everybody who unpacks the same wheel files, cold; and how long a store takes to know them again."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks import commands
from benchmarks.children.job import Job
from benchmarks.contenders import (
    UNPACK,
    Contender,
    Context,
    Family,
    Sample,
    UnavailableError,
    child_sample,
    into_directory,
    process_sample,
    uv_command,
    uv_listing,
)
from benchmarks.installing import fill_store
from benchmarks.part import Panels, Part
from benchmarks.results import STORE
from benchmarks.tables import Rival

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from benchmarks.results import PlaceResult

AGAIN = "again"
"""Not a link mode: the wheels are in the store already."""
FAST = "wheel_linker[fast]"
UNWAITING = "wheel_linker --no-durable"
ZIPFILE = "python -m zipfile -e"
INTRODUCTION = """\
## Unpacking and verifying

The same wheel files, from the page cache, into an empty directory. In mode *unpack* `wheel_linker` is
`WheelStore.add_all` in an empty store, which checks every file against `RECORD`; with the extra `fast` it inflates by
`isal`, and otherwise by `zlib`. `zipfile` is the module, in one process, and `python -m zipfile -e` the program, once
for each wheel, its processes added up: both write what is there, checked by CRC-32. `uv` has no command that does
only that: it is a cold `uv pip install` of the files by hard links less a hot one. `wheel_linker` waits until
everything is on the disk, and nobody else here does; with `--no-durable`, where that was measured, it does not wait
either. In mode *again* `wheel_linker` is opening a store that has the wheels and `WheelStore.add` of each.

![Seconds to unpack](benchmarks-store.svg)
"""


@dataclass(frozen=True)
class Load:
    """Wheel files to unpack and what the page calls that; how many files they hold, if not the whole corpus."""

    mode: str
    files: list[Path]
    holds: int | None = None


def whole(context: Context) -> Load:
    """All wheels."""
    return Load(UNPACK, [wheel.file for wheel in context.wheels])


def filling(
    context: Context, load: Load, way: str, threads: int, destination: Path, *, fast: bool = False
) -> Sample:
    """One run of the child program that fills a store, or does something like it."""
    files = [(str(file), "") for file in load.files]
    job = Job(str(destination), files, way, threads, fast=fast)
    return child_sample("fill_store", job, context.place.root)


def adding(context: Context, load: Load, name: str, threads: int) -> Contender:
    """`WheelStore.add_all`, which unpacks and verifies; with the extra or without, by the name."""

    def run(destination: Path) -> Sample:
        return filling(context, load, "add_all", threads, destination, fast=name == FAST)

    return Contender(name, load.mode, threads, run, exact=False, files=load.holds)


def check_fast() -> None:
    """Raise `UnavailableError` where the extra is not installed."""
    if importlib.util.find_spec("isal") is None:
        raise UnavailableError("isal is not installed")


def wheel_linker(context: Context) -> Iterator[Contender]:
    """The store, without the extra."""
    yield from (
        adding(context, whole(context), "wheel_linker", threads) for threads in context.threads
    )


def quick(context: Context) -> Iterator[Contender]:
    """The store, with the extra."""
    check_fast()
    yield adding(context, whole(context), FAST, max(context.threads))


def unwaiting(context: Context) -> Iterator[Contender]:
    """The same with `durable=False`, which does not wait until everything is on the disk."""
    threads = context.threads[-1]

    def run(destination: Path) -> Sample:
        return filling(context, whole(context), "add_all_unwaiting", threads, destination)

    yield Contender(UNWAITING, UNPACK, threads, run, exact=False)


def again(context: Context) -> Iterator[Contender]:
    """`WheelStore.add`, wheel by wheel, in a store that has them."""
    store = fill_store(context)

    def run(_destination: Path) -> Sample:
        return filling(context, whole(context), "add_each", 1, store)

    yield Contender("wheel_linker", AGAIN, 1, run, counted=False)


def zipfile_program(context: Context) -> Iterator[Contender]:
    """`python -m zipfile -e`, once for each wheel."""

    def run(destination: Path) -> Sample:
        extract = [sys.executable, "-m", "zipfile", "-e"]
        environment = commands.child_environment()
        seconds = sum(
            commands.timed(
                [*extract, wheel.file, destination / str(number)], environment=environment
            )[0]
            for number, wheel in enumerate(context.wheels)
        )
        return Sample(seconds, seconds)

    yield Contender(ZIPFILE, UNPACK, None, run, slow=True)


def zipfile_module(context: Context) -> Iterator[Contender]:
    """The module `zipfile`, without an interpreter for each wheel."""

    def run(destination: Path) -> Sample:
        return filling(context, whole(context), "extract", 1, destination)

    yield Contender("zipfile", UNPACK, None, run, slow=True)


def cold_uv(context: Context, load: Load) -> Contender:
    """Filling uv's cache: a whole install from the files less one from the cache, for lack of a command."""
    wheels: list[str | Path] = ["-r", uv_listing(context, load.files)]
    uv_command("hardlink", context.uv_cache)

    def install(destination: Path, name: str) -> float:
        command = uv_command("hardlink", destination / "cache", *into_directory(destination / name))
        return process_sample([*command, *wheels]).seconds

    def run(destination: Path) -> Sample:
        seconds = install(destination, "cold") - install(destination, "hot")
        return Sample(seconds, seconds)

    return Contender("uv", load.mode, None, run, exact=False, files=load.holds)


def uv(context: Context) -> Iterator[Contender]:
    """Uv's cache of all wheels."""
    yield cold_uv(context, whole(context))


def panels(places: list[PlaceResult]) -> Panels:
    """A panel for each place; knowing wheels again is too short to be seen."""
    found = {place.name: [row for row in place.rows if row.mode == UNPACK] for place in places}
    return {name: rows for name, rows in found.items() if rows}


STORES: dict[str, Family] = {
    "wheel_linker": wheel_linker,
    "fast": quick,
    "not durable": unwaiting,
    "again": again,
    "zipfile -e": zipfile_program,
    "zipfile": zipfile_module,
    "uv": uv,
}
PART = Part(
    STORE,
    STORES,
    "unpacking and verifying",
    INTRODUCTION,
    "Unpacking on",
    (Rival("x zipfile -e", ZIPFILE), Rival("x uv", "uv")),
    ("xfs", "disk"),
    panels=panels,
)
