"""A second environment of tox, by each of the runners."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from functools import partial
from typing import TYPE_CHECKING, Final

from benchmarks import commands
from benchmarks.contenders import Contender, Context, Family, UnavailableError, process_sample
from benchmarks.installing import check_fit
from benchmarks.measure import WrongResultError
from benchmarks.small import middle

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from benchmarks.contenders import Sample
    from benchmarks.corpus import Wheel

SECOND = "second environment of tox"
TOX, TOX_UV, OURS = "tox", "tox-uv", "wheel_linker, tox"
RUNNERS: Final = {TOX: "virtualenv", TOX_UV: "uv-venv-runner", OURS: "wheel-linker"}
MODULES: Final = {TOX: "tox", TOX_UV: "tox_uv", OURS: "installer"}
WHEELS = 25
PROJECT = """\
[tox]
no_package = true
env_list = first, second

[testenv]
runner = {runner}
deps = {deps}
commands = python -c pass
{more}"""
UV_SETTINGS = """\
offline = true
cache-dir = "{cache}"

[pip]
no-deps = true
no-index = true
find-links = ["{links}"]
"""


def project(context: Context, name: str, wheels: list[Wheel]) -> Path:
    """A directory with a `tox.ini`."""
    root = context.place.directory("tox") / name.replace(", ", "-")
    root.mkdir(exist_ok=True)
    deps = "".join(f"\n    {'=='.join(wheel.file.name.split('-')[:2])}" for wheel in wheels)
    more = f"wheel_linker_store = {context.place.root / 'store'}\n" if name == OURS else ""
    text = PROJECT.format(runner=RUNNERS[name], deps=deps, more=more)
    (root / "tox.ini").write_text(text)
    settings = UV_SETTINGS.format(cache=context.uv_cache, links=wheels[0].file.parent)
    (root / "uv.toml").write_text(settings)
    return root


def variables(root: Path, wheels: list[Wheel]) -> dict[str, str]:
    """Have pip and uv find the wheels without an index, and take nothing else."""
    return {
        "PIP_NO_INDEX": "1",
        "PIP_NO_DEPS": "1",
        "PIP_FIND_LINKS": str(wheels[0].file.parent),
        "UV_CONFIG_FILE": str(root / "uv.toml"),
    }


def tox(root: Path, environment: str) -> list[str | Path]:
    """One run of tox."""
    return [sys.executable, "-m", "tox", "run", "-q", "-c", root / "tox.ini", "-e", environment]


def check(root: Path, name: str, expected: int) -> None:
    """Raise `WrongResultError` unless the wheels are there; pip may be, too."""
    found = len(list(root.glob(".tox/second/lib/python*/site-packages/*.dist-info")))
    if found < expected:
        raise WrongResultError(f"{name}: {found} distributions instead of {expected}")


def second(name: str, context: Context) -> Iterator[Contender]:
    """The environment `second`, after `first` has been made."""
    check_fit(context)
    for module in ("tox", MODULES[name]):
        if importlib.util.find_spec(module) is None:
            raise UnavailableError(f"{module} is not installed")
    wheels = middle(context.wheels, WHEELS)
    root = project(context, name, wheels)
    settings = variables(root, wheels)
    commands.run(tox(root, "first"), environment=commands.child_environment(**settings))

    def run(_destination: Path) -> Sample:
        shutil.rmtree(root / ".tox" / "second", ignore_errors=True)
        sample = process_sample(tox(root, "second"), **settings)
        check(root, name, len(wheels))
        return sample

    yield Contender(name, SECOND, None, run, slow=name == TOX, counted=False)


FAMILIES: dict[str, Family] = {name: partial(second, name) for name in RUNNERS}
