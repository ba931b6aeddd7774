"""Run tests on Windows: ``python -m windows [--table] [--all] [pytest's arguments]``, with ``tests`` on PYTHONPATH.

Without arguments those run that the gate has time for, with ``--all`` all but those that are left out by name. With
``--table`` what has passed goes into the documentation's table. ``--make`` only makes the system, for later.
"""

from __future__ import annotations

import fcntl
import json
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from filesystems import CHOSEN as PLACES
from filesystems import LOCAL
from systems import table

from windows import figures as seen
from windows import machine, python, suites, wine

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from windows.machine import Machine

PROJECT: Final = machine.HERE.parent.parent
COPIED: Final = (
    "docs",
    "pyproject.toml",
    "tests",
    "wheel_linker",
    "README.md",
    "CHANGELOG.md",
    "LICENSE",
    "noxfile.py",
)
RECIPE: Final = tuple(
    machine.HERE / name for name in ("machine.py", "python.py", "python.c", "venvlauncher.c")
)
EVERYTHING: Final = "--all"
TABLE: Final = "--table"
MAKE: Final = "--make"

# One that hangs is to be seen before the others' time is gone.
_PATIENCE: Final = "--timeout=120"

_THERE: Final = "/opt/project"
_RESULT: Final = "/opt/result.json"
_TEMPORARY: Final = "/opt/prefix/drive_c/users/root/AppData/Local/Temp"
# What tests make and remove waits for no disk; it goes with the command's mounts.
_IN_MEMORY: Final = ("sh", "-euc", 'mount -t tmpfs tmpfs "$0"; exec "$@"', _TEMPORARY)


def main(arguments: Sequence[str]) -> int:
    """Make the system if need be, run the tests there, and print one line; return the exit status."""
    arguments, in_table = _without(arguments, TABLE)
    try:
        system = machine.kept("windows", RECIPE, python.make)
    except machine.NotPossibleError as error:
        print(f"Windows (CPython 3.13 under wine): skipped: {error}")
        return 0
    if MAKE in arguments:
        return 0
    with _alone(system):
        _bring(system)
        demonstrated = _demonstrate(system)
        status = _test(system, _chosen(arguments))
        wine_version = system.run(["wine", "--version"], capture=True).strip().replace("-", " ")
        result = system.inside(_RESULT)
        # A test that hangs ends the interpreter, and nothing has been counted.
        figures = json.loads(result.read_text(encoding="utf-8")) if result.exists() else None
    if figures is None:
        print("Windows (CPython 3.13 under wine): the tests came to no end")
        return status or 1
    print(seen.line(figures, demonstrated))
    if EVERYTHING in arguments:
        print(f"left out there: {suites.left_out() or 'nothing'}")
    if in_table and not (demonstrated or status):
        table.add([seen.row(figures, wine_version)])
    return demonstrated or status


def _without(arguments: Sequence[str], word: str) -> tuple[Sequence[str], bool]:
    return [each for each in arguments if each != word], word in arguments


def _chosen(arguments: Sequence[str]) -> Sequence[str]:
    if EVERYTHING in arguments:
        others, _ = _without(arguments, EVERYTHING)
        return [_PATIENCE, *suites.everything(), *others]
    return arguments or [_PATIENCE, *suites.CHOSEN]


@contextmanager
def _alone(system: Machine) -> Iterator[None]:
    if sys.platform == "win32":
        raise machine.NotPossibleError("needs flock(2)")
    with open(f"{system.root}.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
        shutil.rmtree(system.inside(_TEMPORARY), ignore_errors=True)


def _bring(system: Machine) -> None:
    """Put the project there, and install it as a user would."""
    there = system.inside(_THERE)
    shutil.rmtree(there, ignore_errors=True)
    there.mkdir()
    for name in COPIED:
        source = PROJECT / name
        if source.is_dir():
            shutil.copytree(
                source, there / name, ignore=shutil.ignore_patterns("__pycache__", "_build")
            )
        else:
            shutil.copy(source, there / name)
    system.inside(_TEMPORARY).mkdir(parents=True, exist_ok=True)
    shutil.copy(
        machine.HERE / "sitecustomize.py", system.inside(f"{python.PYTHON}/Lib/site-packages")
    )
    with tempfile.TemporaryDirectory() as scratch:
        build = [
            sys.executable,
            "-m",
            "pip",
            "wheel",
            "--quiet",
            "--no-deps",
            "--wheel-dir",
            scratch,
        ]
        subprocess.run([*build, str(PROJECT)], check=True)
        (wheel,) = Path(scratch).glob("*.whl")
        shutil.copy(wheel, there)
    install = (
        *("-m", "pip", "install", "--quiet", "--no-warn-script-location"),
        *("--no-index", "--no-deps", "--force-reinstall"),
    )
    _python(system, *install, wheel.name)


def _demonstrate(system: Machine) -> int:
    """Run the demonstration of what was installed, not of the project's directory."""
    demo = f"{python.PYTHON}/Scripts/wheel-linker.exe"
    return _run(system, "/", "wine", demo, "demo")


def _test(system: Machine, arguments: Sequence[str]) -> int:
    system.inside(_RESULT).unlink(missing_ok=True)
    options = ("-m", "pytest", "-q", "-p", "windows.wine", "-p", "no:cacheprovider")
    return _python(system, *options, *arguments)


def _python(system: Machine, *arguments: str) -> int:
    return _run(system, _THERE, "wine", python.EXECUTABLE, *arguments)


def _run(system: Machine, directory: str, *command: str) -> int:
    # No test can mount anything there.
    environment = {
        wine.RESULT: f"Z:{_RESULT}",
        "PYTHONPATH": f"Z:{_THERE}/tests",
        PLACES: LOCAL,
    }
    try:
        system.run([*_IN_MEMORY, *command], directory=directory, environment=environment)
    except subprocess.CalledProcessError as error:
        return error.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
