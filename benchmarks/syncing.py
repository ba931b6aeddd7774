"""Keeping a large environment in step: nothing to do, and one wheel that has changed."""

from __future__ import annotations

from itertools import cycle
from typing import TYPE_CHECKING

from benchmarks.children.job import Job
from benchmarks.contenders import (
    Contender,
    Context,
    Family,
    Sample,
    child_sample,
    process_sample,
    uv_command,
    uv_listing,
)
from benchmarks.installing import check_fit, fill_store, make_environment
from benchmarks.part import Part
from benchmarks.results import SYNC
from benchmarks.synthetic import make_wheel_file
from benchmarks.tables import Rival

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

UNCHANGED, CHANGED = "unchanged", "one changed"
VERSIONS = ("1.0", "2.0")
FILES = 60
INTRODUCTION = """\
## Keeping an environment in step

The environment holds all of the wheels. *unchanged*: it is to hold the same ones. *one changed*: it has one more,
made up, of {files} files, which is to be replaced by its other version. `wheel_linker` is `sync_wheels` in a process
that has done so before; the column *process* has the start and all calls. `uv` is the process of `uv pip sync
--offline`.

![Milliseconds to keep an environment in step](benchmarks-sync.svg)
"""


def made_up(context: Context) -> list[Path]:
    """The two versions of one more wheel."""
    directory = context.place.directory("made-up")
    return [make_wheel_file(directory, "made_up", FILES, version) for version in VERSIONS]


def environment(context: Context, name: str) -> Path:
    """An environment that stays from run to run."""
    root = context.place.directory("sync") / name
    make_environment(root)
    return root


def wheel_linker(context: Context) -> Iterator[Contender]:
    """`sync_wheels` in a running process."""
    check_fit(context)
    store, threads = fill_store(context), max(context.threads)
    files = [wheel.file for wheel in context.wheels]

    def contender(mode: str, changing: list[Path]) -> Contender:
        root = environment(context, f"wheel_linker-{mode.replace(' ', '-')}")
        wheels = [*((str(file), "") for file in files), *((str(file), mode) for file in changing)]

        def run(_destination: Path) -> Sample:
            job = Job(str(root), wheels, "hardlink", threads, str(store))
            return child_sample("sync", job, context.place.root)

        return Contender("wheel_linker", mode, threads, run, counted=False)

    yield contender(UNCHANGED, [])
    yield contender(CHANGED, made_up(context))


def uv(context: Context) -> Iterator[Contender]:
    """`uv pip sync` as a process, in an environment that it has filled itself."""
    check_fit(context)
    cache = context.uv_cache
    files = [wheel.file for wheel in context.wheels]

    def contender(mode: str, lists: list[Path]) -> Contender:
        root, turns = environment(context, f"uv-{mode.replace(' ', '-')}"), cycle(lists)
        command = uv_command("hardlink", cache, "--python", root / "bin" / "python", verb="sync")

        def run(_destination: Path) -> Sample:
            return process_sample([*command, next(turns)])

        return Contender("uv", mode, None, run, counted=False)

    yield contender(UNCHANGED, [uv_listing(context, files)])
    yield contender(CHANGED, [uv_listing(context, [one, *files]) for one in made_up(context)])


SYNCING: dict[str, Family] = {"wheel_linker": wheel_linker, "uv": uv}
PART = Part(
    SYNC,
    SYNCING,
    "keeping an environment in step",
    INTRODUCTION.format(files=FILES),
    "In step on",
    (Rival("x uv", "uv"),),
    ("xfs",),
    what="what",
    unit="ms",
    repeats=2,
)
