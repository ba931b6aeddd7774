"""Everybody who installs the same wheels into a fresh virtual environment."""

from __future__ import annotations

import importlib.util
import sys
from typing import TYPE_CHECKING

from benchmarks import commands
from benchmarks.children.job import Job
from benchmarks.contenders import (
    PIP,
    PIP_INSTALL,
    UNPACK,
    Contender,
    Context,
    Family,
    Sample,
    UnavailableError,
    ask_child,
    check_pip,
    child_sample,
    pip_sample,
    process_sample,
    uv_command,
    uv_requirements,
)
from benchmarks.part import Panels, Part, by_place_and_mode
from benchmarks.results import INSTALL
from benchmarks.tables import Rival

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from benchmarks.results import PlaceResult

MODES = ("hardlink", "clone")
INTRODUCTION = """\
## Installing

The same wheels into a new virtual environment, which is made before the time begins. `wheel_linker` is
`Layout.for_python`, which asks the environment's interpreter for its directories, opening a `WheelStore`
that has the wheels, and `install_wheels` of the wheel files, strict: metadata checked, launchers and
`RECORD` written. `uv` is `uv pip install --offline --no-deps` with a hot cache, which asks the same
interpreter. Store and cache are on the file system of the environment. `pip` is `pip --python ENVIRONMENT
install --no-index --no-deps --no-compile` of the wheel files. Nobody compiles bytecode.

![Seconds to install](benchmarks-install.svg)
"""


def make_environment(root: Path) -> Path:
    """A virtual environment without anything installed; its interpreter."""
    commands.run(
        [sys.executable, "-m", "venv", "--without-pip", root],
        environment=commands.child_environment(),
    )
    return root / "bin" / "python"


def check_fit(context: Context) -> None:
    """Raise `UnavailableError` when an environment of this interpreter cannot have the wheels."""
    from packaging.tags import sys_tags
    from packaging.utils import parse_wheel_filename

    fitting = set(sys_tags())
    for wheel in context.wheels:
        if fitting.isdisjoint(parse_wheel_filename(wheel.file.name)[3]):
            raise UnavailableError(f"{wheel.file.name} is for another Python than this one")


def modes(context: Context) -> Iterator[str]:
    """The modes to install by in a place."""
    return (mode for mode in context.modes() if mode in MODES)


def into_environment(
    name: str,
    mode: str,
    threads: int | None,
    install: Callable[[Path], Sample],
    *,
    slow: bool = False,
    files: int | None = None,
) -> Contender:
    """A contender whose environment is made before its time begins."""

    def run(destination: Path) -> Sample:
        make_environment(destination)
        return install(destination)

    return Contender(name, mode, threads, run, slow=slow, exact=False, files=files)


def fill_store(context: Context) -> Path:
    """A store that has the wheels, on the same file system."""
    store = context.place.directory("store")
    files = [(str(wheel.file), "") for wheel in context.wheels]
    job = Job(str(store), files, "add_all", max(context.threads))
    ask_child("fill_store", job, context.place.root)
    return store


def wheel_linker(context: Context) -> Iterator[Contender]:
    """`install_wheels` from a store that has the wheels."""
    check_fit(context)
    if importlib.util.find_spec("installer") is None:
        raise UnavailableError("installer, which it needs, is not installed")
    store = fill_store(context)
    files = [(str(wheel.file), "") for wheel in context.wheels]

    def contender(mode: str, threads: int) -> Contender:
        def install(root: Path) -> Sample:
            job = Job(str(root), files, mode, threads, str(store))
            return child_sample("install", job, context.place.root)

        return into_environment("wheel_linker", mode, threads, install)

    yield from (contender(mode, n) for mode in modes(context) for n in context.threads)


def uv(context: Context) -> Iterator[Contender]:
    """`uv pip install` from a hot cache."""
    check_fit(context)
    cache, wheels = context.uv_cache, uv_requirements(context)
    uv_command("copy", cache)

    def contender(mode: str) -> Contender:
        def install(root: Path) -> Sample:
            command = uv_command(mode, cache, "--python", root / "bin" / "python")
            return process_sample([*command, *wheels])

        return into_environment("uv", mode, None, install)

    yield from (contender(mode) for mode in modes(context))


def pip(context: Context) -> Iterator[Contender]:
    """`pip install --no-compile` from the wheel files."""
    check_fit(context)
    check_pip()

    def install(root: Path) -> Sample:
        return pip_sample(context, "--python", root / "bin" / "python", *PIP_INSTALL)

    yield into_environment(PIP, UNPACK, None, install, slow=True)


def panels(places: list[PlaceResult]) -> Panels:
    """A panel for each place and mode; that of pip has hard links for scale."""
    found = by_place_and_mode(places)
    for place in places:
        if pip_rows := found.pop(f"{place.name}, {UNPACK}", None):
            linked = [
                row for name in ("wheel_linker", "uv") if (row := place.find(name, "hardlink"))
            ]
            found[f"{place.name}, hardlink, and pip"] = [*linked, *pip_rows]
    return found


INSTALLERS: dict[str, Family] = {"wheel_linker": wheel_linker, "uv": uv, "pip": pip}
PART = Part(
    INSTALL,
    INSTALLERS,
    "installing",
    INTRODUCTION,
    "Installing on",
    (Rival("x uv", "uv"), Rival("x pip", PIP, UNPACK)),
    ("xfs", "disk"),
    link_modes=True,
    panels=panels,
)
