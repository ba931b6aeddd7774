"""Installing with bytecode, and the first import where there is some and where there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.children.job import Job
from benchmarks.contenders import (
    PIP_COMPILING,
    UNPACK,
    Contender,
    Context,
    Family,
    Sample,
    check_pip,
    child_sample,
    pip_sample,
    process_sample,
    uv_command,
    uv_requirements,
)
from benchmarks.corpus import size_of
from benchmarks.installing import check_fit, fill_store, into_environment, modes
from benchmarks.part import Panels, Part, by_place_and_mode
from benchmarks.results import BYTECODE
from benchmarks.synthetic import module_path
from benchmarks.tables import Rival

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from benchmarks.corpus import Wheel
    from benchmarks.results import PlaceResult

PLAIN, COMPILED = "wheel_linker", "wheel_linker, bytecode"
UV, PIP = "uv --compile-bytecode", "pip, compiling"
FIRST_IMPORT = "first import"
LARGE_PACKAGE = "pandas"
INTRODUCTION = """\
## Bytecode

The same wheels into new virtual environments, as under *Installing*, but with the bytecode of every module.
*{compiled}* is `install_wheels(compile_bytecode=True)` from a store that has it: the first install has had the
environment's interpreter make it, in the run before the first that counts. *{plain}* installs none. *{uv}* (on all
processors) and *{pip}* compile every time; they run less often, and without that first run.

*{first}* is the process that imports {package} in an environment where nothing has been imported yet. What compiles
then writes what it made, so that the second import is as quick as with bytecode.

![Seconds to install with bytecode](benchmarks-bytecode.svg)
"""


def sources_of(wheels: list[Wheel]) -> int:
    """How many modules there are to compile; a wheel's scripts and headers are none."""
    return sum(
        1
        for wheel in wheels
        for path in wheel.root.rglob("*.py")
        if ".data" not in path.relative_to(wheel.root).parts[0]
    )


def package_of(wheels: list[Wheel]) -> str:
    """A large package; of the made-up wheels, the first module."""
    names = {wheel.root.name.split("-")[0] for wheel in wheels}
    if LARGE_PACKAGE in names:
        return LARGE_PACKAGE
    return module_path(min(names), 0).removesuffix(".py").replace("/", ".")


def installed(
    context: Context, store: Path, mode: str, *, bytecode: bool
) -> Callable[[Path], Sample]:
    """Our call, with bytecode or without."""
    files = [(str(wheel.file), "") for wheel in context.wheels]

    def install(root: Path) -> Sample:
        threads = max(context.threads)
        job = Job(str(root), files, mode, threads, str(store), bytecode=bytecode)
        return child_sample("install", job, context.place.root)

    return install


def wheel_linker(context: Context) -> Iterator[Contender]:
    """`install_wheels` with stored bytecode and without."""
    check_fit(context)
    store, threads = fill_store(context), max(context.threads)
    files = size_of(context.wheels).files
    ways = {PLAIN: files, COMPILED: files + sources_of(context.wheels)}
    for mode in modes(context):
        for name, expected in ways.items():
            install = installed(context, store, mode, bytecode=name == COMPILED)
            yield into_environment(name, mode, threads, install, files=expected)


def uv(context: Context) -> Iterator[Contender]:
    """`uv pip install --compile-bytecode` from a hot cache."""
    check_fit(context)
    cache, wheels = context.uv_cache, uv_requirements(context)
    uv_command("hardlink", cache)
    files = size_of(context.wheels).files + sources_of(context.wheels)

    def install(root: Path) -> Sample:
        command = uv_command("hardlink", cache, "--python", root / "bin" / "python")
        return process_sample([*command, "--compile-bytecode", *wheels])

    yield into_environment(UV, "hardlink", None, install, slow=True, files=files)


def pip(context: Context) -> Iterator[Contender]:
    """`pip install`, which compiles, from the wheel files."""
    check_fit(context)
    check_pip()
    files = size_of(context.wheels).files + sources_of(context.wheels)

    def install(root: Path) -> Sample:
        return pip_sample(context, "--python", root / "bin" / "python", *PIP_COMPILING)

    yield into_environment(PIP, UNPACK, None, install, slow=True, files=files)


def first_import(context: Context) -> Iterator[Contender]:
    """The first import in an environment with bytecode and without."""
    check_fit(context)
    store, package = fill_store(context), package_of(context.wheels)

    def contender(name: str) -> Contender:
        fill = installed(context, store, "hardlink", bytecode=name == COMPILED)

        def run(root: Path) -> Sample:
            fill(root)
            return process_sample([root / "bin" / "python", "-c", f"import {package}"])

        return into_environment(name, FIRST_IMPORT, None, run)

    yield from (contender(name) for name in (PLAIN, COMPILED))


def panels(places: list[PlaceResult]) -> Panels:
    """A panel for each place and mode; pip, which has none, is beside hard links."""
    found = by_place_and_mode(places)
    for place in places:
        alone = found.pop(f"{place.name}, {UNPACK}", [])
        found.setdefault(f"{place.name}, hardlink", []).extend(alone)
    return {name: rows for name, rows in found.items() if rows}


FAMILIES: dict[str, Family] = {
    "wheel_linker": wheel_linker,
    "uv": uv,
    "pip": pip,
    "first import": first_import,
}
PART = Part(
    BYTECODE,
    FAMILIES,
    "installing with bytecode",
    INTRODUCTION.format(
        compiled=COMPILED, plain=PLAIN, uv=UV, pip=PIP, first=FIRST_IMPORT, package=LARGE_PACKAGE
    ),
    "With bytecode on",
    (
        Rival(f"x {PLAIN}", PLAIN),
        Rival(f"x {UV}", UV, "hardlink", unless=FIRST_IMPORT),
        Rival(f"x {PIP}", PIP, UNPACK, unless=FIRST_IMPORT),
    ),
    ("xfs",),
    panels=panels,
)
