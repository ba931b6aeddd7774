"""The command line: one small wheel, as a process from start to end."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.contenders import (
    Contender,
    Context,
    Family,
    Sample,
    process_sample,
    uv_command,
)
from benchmarks.installing import check_fit, fill_store, make_environment
from benchmarks.measure import WrongResultError
from benchmarks.part import Part
from benchmarks.results import COMMAND
from benchmarks.small import middle
from benchmarks.tables import Rival

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

INSTALL = "install one wheel"
NOTHING = "start"
BARE = "python -c pass"
IMPORTING = 'python -c "import wheel_linker"'
INTRODUCTION = """\
## The command line

Processes from start to end: `wheel-linker install` of one wheel (that in the middle of all, by number of files) from
a store that has it, and `uv pip install --offline --no-deps` of the same with a hot cache. Each has an environment of
its own that it has seen before, emptied before the time begins, as a user has who installs one more wheel. Below,
what Python takes to do nothing, and to import the library.

![Milliseconds of processes](benchmarks-command.svg)
"""


def program() -> list[str | Path]:
    """Our command: the one installed beside this interpreter, or the package run as a program."""
    beside = shutil.which("wheel-linker", path=str(Path(sys.executable).parent))
    return [beside] if beside else [sys.executable, "-m", "wheel_linker"]


def empty(environment: Path) -> Path:
    """The environment's `site-packages`, with nothing in it."""
    site = next(environment.glob("lib/python*/site-packages"))
    shutil.rmtree(site)
    site.mkdir()
    return site


def into_emptied(
    context: Context, name: str, install: Callable[[Path], list[str | Path]]
) -> Contender:
    """A contender whose environment stays, and is empty at the start of each run."""
    root = context.place.directory("command") / name
    make_environment(root)

    def run(_destination: Path) -> Sample:
        site = empty(root)
        sample = process_sample(install(root))
        if not list(site.glob("*.dist-info")):
            raise WrongResultError(f"{name} has installed nothing")
        return sample

    return Contender(name, INSTALL, None, run, counted=False)


def wheel_linker(context: Context) -> Iterator[Contender]:
    """`wheel-linker install`."""
    check_fit(context)
    store, wheel = fill_store(context), middle(context.wheels, 1)[0].file

    def install(root: Path) -> list[str | Path]:
        options: list[str | Path] = ["install", "--quiet", "--mode", "hardlink", "--store", store]
        return [*program(), *options, "--python", root, wheel]

    yield into_emptied(context, "wheel_linker", install)


def uv(context: Context) -> Iterator[Contender]:
    """`uv pip install`."""
    check_fit(context)
    uv_command("hardlink", context.uv_cache)
    wheel = middle(context.wheels, 1)[0].file

    def install(root: Path) -> list[str | Path]:
        command = uv_command("hardlink", context.uv_cache, "--python", root / "bin" / "python")
        return [*command, wheel]

    yield into_emptied(context, "uv", install)


def interpreter(_context: Context) -> Iterator[Contender]:
    """Python doing nothing, and importing the library."""

    def contender(name: str, code: str) -> Contender:
        def run(_destination: Path) -> Sample:
            return process_sample([sys.executable, "-c", code])

        return Contender(name, NOTHING, None, run, counted=False)

    yield contender(BARE, "pass")
    yield contender(IMPORTING, "import wheel_linker")


COMMANDS: dict[str, Family] = {"wheel_linker": wheel_linker, "uv": uv, "python": interpreter}
PART = Part(
    COMMAND,
    COMMANDS,
    "processes",
    INTRODUCTION,
    "Processes on",
    (Rival("x uv", "uv"), Rival(f"x {BARE}", BARE, NOTHING)),
    ("xfs",),
    what="what",
    unit="ms",
    repeats=4,
)
