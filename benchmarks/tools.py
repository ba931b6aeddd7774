"""What people run: a lock file into a new environment, and a second environment of tox."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

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
    from collections.abc import Callable, Container, Iterator, Mapping
    from pathlib import Path

    from benchmarks.contenders import Contender, Sample
    from benchmarks.corpus import Wheel

LOCKED, RESOLVED = "locked", "resolved"
OURS, OUR_PIP = "wheel_linker sync", "wheel_linker pip install"
UV, UV_INSTALL = "uv pip sync", "uv pip install"
INTRODUCTION = """\
## Tools

Processes from start to end. *{locked}*: a requirements file that pins all of the wheels with their hashes, into a new
virtual environment, which is made before the time begins; store and cache have everything. *{ours}* is `wheel-linker
sync`. Neither it nor *{our_pip}* starts pip where that is so. `uv` and `pip` find the wheels in a directory
(`--no-index --find-links`); nobody follows dependencies or compiles bytecode.

*{resolved}*: the same versions without hashes. Only those wheels are taken whose requirements are all among them, so
that dependencies can be followed. pip resolves before anything is linked, for *{our_pip}* as well. If the table has no
such rows, it was not measured.

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


def closed(wheels: list[Wheel]) -> list[Wheel]:
    """Those wheels of which all that they require, by the markers of this interpreter, is among them."""
    versions = {name_of(wheel): wheel.file.name.split("-")[1] for wheel in wheels}
    required = {name_of(wheel): requirements_of(wheel) for wheel in wheels}
    while True:
        left = {
            name: requirements
            for name, requirements in required.items()
            if all(is_met(one, required, versions) for one in requirements)
        }
        if len(left) == len(required):
            return [wheel for wheel in wheels if name_of(wheel) in left]
        required = left


def is_met(one: Requirement, names: Container[str], versions: Mapping[str, str]) -> bool:
    """Whether a wheel of one of the names is what is required; one of extras counts as missing."""
    name = canonicalize_name(one.name)
    return (
        name in names
        and not one.extras
        and one.specifier.contains(versions[name], prereleases=True)
    )


def name_of(wheel: Wheel) -> str:
    """The normalised name of a wheel's project."""
    return canonicalize_name(wheel.file.name.partition("-")[0])


def requirements_of(wheel: Wheel) -> list[Requirement]:
    """What a wheel requires here, without extras."""
    (metadata,) = wheel.root.glob("*.dist-info/METADATA")
    head = metadata.read_text(encoding="utf-8").partition("\n\n")[0]
    found = (
        Requirement(line.partition(":")[2])
        for line in head.splitlines()
        if line.startswith("Requires-Dist:")
    )
    return [one for one in found if one.marker is None or one.marker.evaluate({"extra": ""})]


def pins(context: Context) -> Path:
    """A requirements file with the version of each wheel that can be resolved, and no hashes."""
    path = context.place.root / "pins.txt"
    lines = (f"{'=='.join(wheel.file.name.split('-')[:2])}\n" for wheel in closed(context.wheels))
    path.write_text("".join(lines))
    return path


def found_in(context: Context) -> list[str | Path]:
    """Options by which pip and uv find the wheels without an index."""
    return ["--no-index", "--find-links", context.wheels[0].file.parent]


def from_file(
    name: str,
    mode: str,
    options: Callable[[Path], list[str | Path]],
    *,
    slow: bool = False,
    files: int | None = None,
) -> Contender:
    """A program that fills a new environment with what a file names."""

    def install(root: Path) -> Sample:
        return process_sample(options(root))

    return into_environment(name, mode, None, install, slow=slow, files=files)


def files_of(wheels: list[Wheel]) -> int:
    """How many files they hold."""
    return sum(len(files) for wheel in wheels for _, _, files in os.walk(wheel.root))


def wheel_linker(context: Context) -> Iterator[Contender]:
    """Our two commands."""
    check_fit(context)
    store, locked = fill_store(context), lock(context)

    def options(*command: str) -> Callable[[Path], list[str | Path]]:
        common: list[str | Path] = ["--quiet", "--mode", "hardlink", "--store", store]
        return lambda root: [*program(), *command, *common, "--python", root]

    sync = options("sync")
    yield from_file(OURS, LOCKED, lambda root: [*sync(root), locked])
    check_pip()
    pip = options("pip", "install")
    found = found_in(context)
    yield from_file(OUR_PIP, LOCKED, lambda root: [*pip(root), "--no-deps", *found, "-r", locked])
    pinned, files = pins(context), files_of(closed(context.wheels))
    resolved = [*found, "-r", pinned]
    yield from_file(OUR_PIP, RESOLVED, lambda root: [*pip(root), *resolved], slow=True, files=files)


def uv(context: Context) -> Iterator[Contender]:
    """`uv pip sync`, and `uv pip install`."""
    check_fit(context)
    cache, found = context.uv_cache, found_in(context)
    uv_command("hardlink", cache, verb="sync")

    def options(verb: str, *rest: str | Path) -> Callable[[Path], list[str | Path]]:
        def command(root: Path) -> list[str | Path]:
            python = root / "bin" / "python"
            words = uv_command("hardlink", cache, "--python", python, verb=verb)
            return [word for word in [*words, *found, *rest] if word != "--no-deps"]

        return command

    yield from_file(UV, LOCKED, options("sync", "--require-hashes", lock(context)))
    files = files_of(closed(context.wheels))
    yield from_file(UV_INSTALL, RESOLVED, options("install", "-r", pins(context)), files=files)


def pip(context: Context) -> Iterator[Contender]:
    """`pip install`."""
    check_fit(context)
    check_pip()
    found: list[str | Path] = ["--find-links", context.wheels[0].file.parent]

    def options(*rest: str | Path) -> Callable[[Path], list[str | Path]]:
        start = [sys.executable, "-m", "pip", "--isolated", "--disable-pip-version-check", "-q"]
        return lambda root: [*start, "--python", root / "bin" / "python", *rest, *found]

    yield from_file(PIP, LOCKED, options(*PIP_INSTALL, "-r", lock(context)), slow=True)
    resolving = [word for word in PIP_INSTALL if word != "--no-deps"]
    files = files_of(closed(context.wheels))
    yield from_file(PIP, RESOLVED, options(*resolving, "-r", pins(context)), slow=True, files=files)


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
        resolved=RESOLVED,
        ours=OURS,
        our_pip=OUR_PIP,
        second=tox_runs.SECOND,
        wheels=tox_runs.WHEELS,
    ),
    "Tools on",
    (
        Rival(f"x {UV}", UV),
        Rival(f"x {UV_INSTALL}", UV_INSTALL),
        Rival(f"x {tox_runs.TOX_UV}", tox_runs.TOX_UV),
    ),
    ("xfs",),
    what="what",
)
