"""What people run: a lock file into a new environment, and a second environment of tox."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from benchmarks import tox_runs
from benchmarks.command import program
from benchmarks.contenders import (
    PIP,
    PIP_INSTALL,
    Context,
    Family,
    check_pip,
    process_sample,
    uv_command,
)
from benchmarks.corpus import digest_of
from benchmarks.installing import check_fit, fill_store, into_environment
from benchmarks.part import Part
from benchmarks.results import TOOLS
from benchmarks.tables import Rival

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from benchmarks.contenders import Contender, Sample

LOCKED = "locked"
OURS, OUR_PIP = "wheel_linker sync", "wheel_linker pip install"
UV = "uv pip sync"
INTRODUCTION = """\
## Tools

Processes from start to end. *{locked}*: a requirements file that pins all of the wheels with their hashes, into a new
virtual environment, which is made before the time begins; store and cache have everything. *{ours}* is `wheel-linker
sync`, which starts no pip where that is so; *{our_pip}* has pip resolve before it links. `uv` and `pip` find the
wheels in a directory (`--no-index --find-links`), as {our_pip} does; nobody follows dependencies or compiles
bytecode.

*{second}*: `tox run` of an environment that does not exist, for {wheels} pinned requirements, after another one with
the same requirements has been made. The rows are tox with its own runner, with that of tox-uv, and with `runner =
wheel-linker`.

![Seconds of tools](benchmarks-tools.svg)
"""


def lock(context: Context) -> Path:
    """A requirements file with the hash of each wheel."""
    path = context.place.root / "lock.txt"
    lines = (
        f"{'=='.join(wheel.file.name.split('-')[:2])} --hash=sha256:{digest_of(wheel.file)}\n"
        for wheel in context.wheels
    )
    path.write_text("".join(lines))
    return path


def found_in(context: Context) -> list[str | Path]:
    """Options by which pip and uv find the wheels without an index."""
    return ["--no-index", "--find-links", context.wheels[0].file.parent]


def from_lock(
    name: str, options: Callable[[Path], list[str | Path]], *, slow: bool = False
) -> Contender:
    """A program that fills a new environment from the lock."""

    def install(root: Path) -> Sample:
        return process_sample(options(root))

    return into_environment(name, LOCKED, None, install, slow=slow)


def wheel_linker(context: Context) -> Iterator[Contender]:
    """Our two commands."""
    check_fit(context)
    store, locked = fill_store(context), lock(context)

    def options(*command: str) -> Callable[[Path], list[str | Path]]:
        common: list[str | Path] = ["--quiet", "--mode", "hardlink", "--store", store]
        return lambda root: [*program(), *command, *common, "--python", root]

    sync = options("sync")
    yield from_lock(OURS, lambda root: [*sync(root), locked])
    check_pip()
    pip = options("pip", "install")
    more = ["--no-deps", *found_in(context), "-r", locked]
    yield from_lock(OUR_PIP, lambda root: [*pip(root), *more], slow=True)


def uv(context: Context) -> Iterator[Contender]:
    """`uv pip sync`."""
    check_fit(context)
    cache = context.uv_cache
    rest: list[str | Path] = [*found_in(context), "--require-hashes", lock(context)]
    uv_command("hardlink", cache, verb="sync")

    def options(root: Path) -> list[str | Path]:
        python = root / "bin" / "python"
        return [*uv_command("hardlink", cache, "--python", python, verb="sync"), *rest]

    yield from_lock(UV, options)


def pip(context: Context) -> Iterator[Contender]:
    """`pip install`."""
    check_fit(context)
    check_pip()
    rest: list[str | Path] = ["--find-links", context.wheels[0].file.parent, "-r", lock(context)]

    def options(root: Path) -> list[str | Path]:
        command = [sys.executable, "-m", "pip", "--isolated", "--disable-pip-version-check"]
        return [*command, "--quiet", "--python", root / "bin" / "python", *PIP_INSTALL, *rest]

    yield from_lock(PIP, options, slow=True)


FAMILIES: dict[str, Family] = {
    "wheel_linker": wheel_linker,
    "uv": uv,
    "pip": pip,
    **tox_runs.FAMILIES,
}
PART = Part(
    TOOLS,
    FAMILIES,
    "tools",
    INTRODUCTION.format(
        locked=LOCKED,
        ours=OURS,
        our_pip=OUR_PIP,
        second=tox_runs.SECOND,
        wheels=tox_runs.WHEELS,
    ),
    "Tools on",
    (Rival(f"x {UV}", UV), Rival(f"x {tox_runs.TOX_UV}", tox_runs.TOX_UV)),
    ("xfs",),
    what="what",
)
