"""The second half of the demonstration: wheels are installed, run and removed, and pip installs the same."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Final, TypeVar

from wheel_linker._api import link_wheels
from wheel_linker._archive.wheel_file import is_archive
from wheel_linker._cli.demo.bytecode import demonstrate_bytecode
from wheel_linker._cli.demo.fresh_import import importable_names
from wheel_linker._cli.output import Column, counted, print_table
from wheel_linker._compat.named_tuple import NamedTuple
from wheel_linker._fs.paths import is_within
from wheel_linker.errors import WheelLinkerError
from wheel_linker.store import WheelStore

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from wheel_linker._wheel.tree import Tree
    from wheel_linker.install import InstallReport, Layout, SyncReport

    _Result = TypeVar("_Result")
    _Row = tuple[str, str, str]

_STEPS: Final = (Column("step"), Column("ms", right=True), Column("what came of it"))
_COMPARED: Final = (
    Column("how"),
    Column("seconds", right=True),
    Column("times as fast", right=True),
)
_TIMEOUT: Final = 120
_RUNS: Final = 2
_PIP: Final = "pip install --no-deps --no-index --no-compile"
# Variables that keep it from looking elsewhere, and from keeping anything for later.
_PIP_QUIETLY: Final = (
    *("--isolated", "--no-input", "--no-cache-dir", "--disable-pip-version-check"),
    *("--no-warn-script-location", "--ignore-installed", "-qq"),
)
_NOTE: Final = """\
pip and wheel-linker install are processes of their own, the quicker of two
runs each. pip unpacks what it installs every time, wheel-linker has done so
once. Neither looks for dependencies or compiles.\
"""
_IMPORTER: Final = """
import importlib, sys
module = importlib.import_module(sys.argv[1])
print()
print(vars(module).get("__version__", ""))
print(module.__file__)
"""


class Given(NamedTuple):
    """What there is to install."""

    wheels: Sequence[str]
    """Unpacked wheels and ``.whl`` files."""
    trees: Sequence[Tree]
    """What is in each of them."""
    store: str
    """Where the ``.whl`` files are unpacked already."""
    unpacking: float
    """How many seconds that took."""


def demonstrate_install(given: Given, place: str, find_pip: Callable[[], str]) -> None:
    """Install wheels into a new environment, run what they bring, remove them, and print what it took.

    If something is missing that it takes to install, one line says so.

    :param place: the directory for everything that is made.
    :param find_pip: returns the path of a wheel of pip, to compare with.
    :raises WheelLinkerError: if something cannot be installed, is not found where it was installed, or stays behind.
    """
    try:
        import venv

        from wheel_linker.install import Layout
    except ModuleNotFoundError as error:
        print(f"\nInstalling is not shown: {error}")
        return
    root = os.path.join(place, "environment")
    _, made = _timed(lambda: venv.create(root, symlinks=os.name != "nt", with_pip=False))
    layout, asked = _timed(lambda: Layout.for_python(_interpreter(root)))
    rows = [
        _row("make an environment", made, "without pip"),
        _row(
            "ask its Python where things go", asked, f"Python {'.'.join(map(str, layout.version))}"
        ),
    ]
    if any(map(is_archive, given.wheels)):
        rows.insert(0, _row("unpack into the store, once", given.unpacking, "verified"))
    called = _install_and_remove(given, layout, root, rows)
    print(f"\nInstalling into the environment {root}:")
    print_table(_STEPS, rows)
    if any(map(is_archive, given.wheels)):
        demonstrate_bytecode(given.wheels, given.trees, layout, given.store, place)
    _compare(given, layout, place, called, find_pip)


def _interpreter(root: str) -> str:
    return os.path.join(
        root, *(("Scripts", "python.exe") if os.name == "nt" else ("bin", "python"))
    )


def _install_and_remove(given: Given, layout: Layout, root: str, rows: list[_Row]) -> float:
    """Add what became of the wheels to ``rows``; return how long it took to install them."""
    from wheel_linker.install import install_wheels, sync_wheels

    empty = _everything(root)
    with WheelStore(given.store) as store:
        reports, installing = _timed(
            lambda: install_wheels(given.wheels, layout, store=store, requested=True)
        )
        synced, syncing = _timed(lambda: sync_wheels(given.wheels, layout, store=store))
    rows.append(_row("install", installing, "; ".join(map(_installed, reports))))
    rows.append(_row("sync, with nothing to do", syncing, _synced(synced)))
    rows += [_run(report, tree, layout, root) for report, tree in zip(reports, given.trees)]
    _, removing = _timed(lambda: _remove(given, layout))
    _check_nothing_is_left(root, empty)
    rows.append(_row("uninstall", removing, "nothing is left"))
    return installing


def _installed(report: InstallReport) -> str:
    scripts = counted(len(report.scripts), "script")
    return f"{counted(report.link.files, 'file')}, {report.link.mode}; {scripts}"


def _synced(report: SyncReport) -> str:
    changed = len(report.installed) + len(report.removed)
    return f"{len(report.kept)} kept, {changed} changed"


def _remove(given: Given, layout: Layout) -> None:
    from wheel_linker._wheel.filename import WheelFilename
    from wheel_linker.install import uninstall

    for tree in given.trees:
        dist_info = tree.dist_info("unpack the wheel again")
        uninstall(WheelFilename.from_dist_info(dist_info).name, layout)


def _check_nothing_is_left(root: str, before: set[str]) -> None:
    left = sorted(_everything(root) ^ before)
    if left:
        raise WheelLinkerError(
            f"uninstalling did not leave the environment as it was: {counted(len(left), 'difference')}, "
            f"such as {left[0]!r}"
        )


def _everything(root: str) -> set[str]:
    return {
        os.path.join(parent, name)
        for parent, directories, files in os.walk(root)
        for name in (*directories, *files)
    }


def _run(report: InstallReport, tree: Tree, layout: Layout, root: str) -> _Row:
    """Run a wheel's console script; without one import a module, in the environment either way."""
    script = _console_script(report)
    if script is not None:
        done, seconds = _timed(lambda: _process([script, "--version"]))
        said = _said(done) or "it said nothing"
        return _row(f"run {os.path.basename(script)} --version", seconds, said.replace(root, "..."))
    return _import(report, tree, layout, root)


def _import(report: InstallReport, tree: Tree, layout: Layout, root: str) -> _Row:
    names = importable_names(tree)
    if not names:
        return _row("run", 0.0, f"{report.wheel.name} has neither a console script nor a module")
    done, seconds = _timed(lambda: _process([layout.python, "-I", "-c", _IMPORTER, names[0]]))
    if done.returncode:
        return _row(f"import {names[0]}", seconds, _said(done))
    *_, version, path = done.stdout.splitlines()
    if not is_within(path, root):
        raise WheelLinkerError(f"imported {names[0]!r} from {path!r}, not from {root!r}")
    where = os.path.dirname(path).replace(root, "...")
    said = f"{names[0]} {version or report.wheel.version} from {where}"
    return _row(f"import {names[0]}", seconds, said)


def _console_script(report: InstallReport) -> str | None:
    """Return the path of the console script that is called like the distribution, else of the first, if any."""
    from importlib.metadata import Distribution

    points = Distribution.at(report.dist_info).entry_points
    wanted = {point.name for point in points if point.group == "console_scripts"}
    paths = {os.path.basename(path).removesuffix(".exe"): path for path in report.scripts}
    names = sorted(wanted & paths.keys(), key=lambda name: (name != report.wheel.name, name))
    return paths[names[0]] if names else None


def _said(done: subprocess.CompletedProcess[str]) -> str:
    """Return what a process said first; if it failed, what it said last."""
    lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    if not done.returncode:
        return lines[0] if lines else ""
    return f"it ended with {done.returncode}{': ' + lines[-1] if lines else ''}"


def _compare(
    given: Given, layout: Layout, place: str, called: float, find_pip: Callable[[], str]
) -> None:
    """Print what the commands of this package and of pip take for the same wheel files.

    :param called: what the call took, in this process.
    """
    if not all(map(is_archive, given.wheels)):
        print("\npip is not compared: it does not install unpacked wheels.")
        return
    pip = _tool(given, os.path.join(place, "pip"), find_pip)
    if pip is None:
        print("\npip is not compared: there is none.")
        return
    own = [sys.executable, "-m", "wheel_linker", "install", *given.wheels]
    own += ["--python", layout.python, "--store", given.store]
    its = [layout.python, "-m", *_PIP.split(), *_PIP_QUIETLY, *given.wheels]
    commanded = _quickest(own, _home(), given, layout)
    try:
        slow = _quickest(its, pip, given, layout)
    except WheelLinkerError as error:
        print(f"\npip is not compared: {error}")
        return
    times = {
        _PIP: slow,
        "wheel-linker install": commanded,
        "install_wheels(), in this process": called,
    }
    rows = [(how, f"{took:.3f}", f"{slow / took:.1f}") for how, took in times.items()]
    print("\nThe same wheel files by pip:")
    print_table(_COMPARED, rows)
    print(f"\n{_NOTE}")


def _tool(given: Given, directory: str, find_pip: Callable[[], str]) -> str | None:
    """Return a directory to import pip from: one where its wheel is linked, else this Python's own, if any."""
    from importlib.util import find_spec

    try:
        wheel = find_pip()
    except WheelLinkerError:
        spec = find_spec("pip")
        return os.path.dirname(os.path.dirname(spec.origin)) if spec and spec.origin else None
    with WheelStore(given.store) as store:
        link_wheels(directory, [store.add(wheel)])
    return directory


def _home() -> str:
    """Return the directory that this package is imported from."""
    import wheel_linker

    return os.path.dirname(os.path.dirname(os.path.abspath(wheel_linker.__file__)))


def _quickest(command: Sequence[str], imported: str, given: Given, layout: Layout) -> float:
    """Return how long a command takes to install; each time what it installed is removed again.

    :param imported: a directory that its Python is to import from.
    """
    times = []
    for _ in range(_RUNS):
        done, seconds = _timed(lambda: _process(command, imported))
        if done.returncode:
            raise WheelLinkerError(f"cannot {' '.join(command[2:4])} it: {_said(done)}")
        times.append(seconds)
        _remove(given, layout)
    return min(times)


def _process(
    command: Sequence[str], imported: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a process to its end."""
    environment = dict(os.environ)
    if imported is not None:
        path = filter(None, [imported, environment.get("PYTHONPATH")])
        environment["PYTHONPATH"] = os.pathsep.join(path)
    try:
        return subprocess.run(  # noqa: S603 - what has just been installed, and pip
            command,
            check=False,
            capture_output=True,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            timeout=_TIMEOUT,
            env=environment,
        )
    except subprocess.TimeoutExpired as error:
        raise WheelLinkerError(f"{command[0]!r} did not end in {_TIMEOUT} seconds") from error


def _timed(call: Callable[[], _Result]) -> tuple[_Result, float]:
    started = time.perf_counter()
    result = call()
    return result, time.perf_counter() - started


def _row(step: str, seconds: float, result: str) -> _Row:
    return step, f"{seconds * 1000:,.1f}", result
