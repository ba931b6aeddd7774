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

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

MODES = ("hardlink", "clone")


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
    name: str, mode: str, threads: int | None, install: Callable[[Path], Sample], *, slow: bool
) -> Contender:
    """A contender whose environment is made before its time begins."""

    def run(destination: Path) -> Sample:
        make_environment(destination)
        return install(destination)

    return Contender(name, mode, threads, run, slow=slow, exact=False)


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

        return into_environment("wheel_linker", mode, threads, install, slow=False)

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

        return into_environment("uv", mode, None, install, slow=False)

    yield from (contender(mode) for mode in modes(context))


def pip(context: Context) -> Iterator[Contender]:
    """`pip install --no-compile` from the wheel files."""
    check_fit(context)
    check_pip()

    def install(root: Path) -> Sample:
        return pip_sample(context, "--python", root / "bin" / "python", *PIP_INSTALL)

    yield into_environment(PIP, UNPACK, None, install, slow=True)


INSTALLERS: dict[str, Family] = {"wheel_linker": wheel_linker, "uv": uv, "pip": pip}
