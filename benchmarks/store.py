"""Everybody who unpacks the same wheel files, cold; and how long a store takes to know them again."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from benchmarks import commands
from benchmarks.children.job import Job
from benchmarks.contenders import (
    UNPACK,
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
from benchmarks.installing import fill_store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

AGAIN = "again"
"""Not a link mode: the wheels are in the store already."""
UNWAITING = "wheel_linker --no-durable"
ZIPFILE = "python -m zipfile -e"


def filling(context: Context, way: str, threads: int, destination: Path) -> Sample:
    """One run of the child program that fills a store, or does something like it."""
    files = [(str(wheel.file), "") for wheel in context.wheels]
    return child_sample(
        "fill_store", Job(str(destination), files, way, threads), context.place.root
    )


def wheel_linker(context: Context) -> Iterator[Contender]:
    """`WheelStore.add_all`, which unpacks and verifies."""

    def contender(threads: int) -> Contender:
        def run(destination: Path) -> Sample:
            return filling(context, "add_all", threads, destination)

        return Contender("wheel_linker", UNPACK, threads, run, exact=False)

    yield from (contender(threads) for threads in context.threads)


def unwaiting(context: Context) -> Iterator[Contender]:
    """The same with `durable=False`, which does not wait until everything is on the disk."""
    threads = context.threads[-1]

    def run(destination: Path) -> Sample:
        return filling(context, "add_all_unwaiting", threads, destination)

    yield Contender(UNWAITING, UNPACK, threads, run, exact=False)


def again(context: Context) -> Iterator[Contender]:
    """`WheelStore.add`, wheel by wheel, in a store that has them."""
    store = fill_store(context)

    def run(_destination: Path) -> Sample:
        return filling(context, "add_each", 1, store)

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
        return filling(context, "extract", 1, destination)

    yield Contender("zipfile", UNPACK, None, run, slow=True)


def uv(context: Context) -> Iterator[Contender]:
    """Filling uv's cache: a whole install from the files less one from the cache, for lack of a command."""
    wheels = uv_requirements(context)
    uv_command("hardlink", context.uv_cache)

    def install(destination: Path, name: str) -> float:
        command = uv_command("hardlink", destination / "cache", *into_directory(destination / name))
        return process_sample([*command, *wheels]).seconds

    def run(destination: Path) -> Sample:
        seconds = install(destination, "cold") - install(destination, "hot")
        return Sample(seconds, seconds)

    yield Contender("uv", UNPACK, None, run, exact=False)


STORES: dict[str, Family] = {
    "wheel_linker": wheel_linker,
    "not durable": unwaiting,
    "again": again,
    "zipfile -e": zipfile_program,
    "zipfile": zipfile_module,
    "uv": uv,
}
