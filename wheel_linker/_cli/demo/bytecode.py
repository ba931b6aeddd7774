"""The part of the demonstration that is about bytecode: two environments with it, and one without."""

from __future__ import annotations

import os
import subprocess
import time
from typing import TYPE_CHECKING, Final

from wheel_linker._cli.demo.fresh_import import importable_names
from wheel_linker._cli.output import Column, print_table
from wheel_linker.errors import WheelLinkerError
from wheel_linker.store import WheelStore

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wheel_linker._wheel.tree import Tree
    from wheel_linker.install import Layout

_COLUMNS: Final = (
    Column("environment"),
    Column("install, ms", right=True),
    Column("first import, ms", right=True),
)
_ENVIRONMENTS: Final = (
    ("without bytecode", False),
    ("with bytecode, compiled now", True),
    ("with bytecode of the store", True),
)
_IMPORTER: Final = (
    "import sys; sys.path.insert(0, sys.argv[1])\nfor name in sys.argv[2:]: __import__(name)"
)
_TIMEOUT: Final = 120


def demonstrate_bytecode(
    wheels: Sequence[str], trees: Sequence[Tree], layout: Layout, store: str, place: str
) -> None:
    """Install wheels into three new directories, import them there, and print what each took.

    :param wheels: unpacked wheels and ``.whl`` files.
    :param trees: what is in each of them.
    :param store: where the ``.whl`` files are unpacked already.
    :param place: the directory for everything that is made.
    :raises WheelLinkerError: if something cannot be installed.
    """
    from wheel_linker.install import install_wheels

    modules = [names[0] for names in map(importable_names, trees) if names]
    rows = []
    for number, (called, compiled) in enumerate(_ENVIRONMENTS):
        there = os.path.join(place, f"bytecode-{number}")
        target = type(layout).for_target(there, python=layout.python)
        start = time.perf_counter()
        with WheelStore(store) as opened:
            install_wheels(wheels, target, store=opened, compile_bytecode=compiled)
        installed = time.perf_counter() - start
        took = _import(layout.python, there, modules)
        rows.append((called, _milliseconds(installed), took))
    print("\nInstalling bytecode, which the store keeps:")
    print_table(_COLUMNS, rows)


def _import(python: str, directory: str, modules: Sequence[str]) -> str:
    """Return how many milliseconds it takes a new process to import modules for the first time."""
    start = time.perf_counter()
    try:
        done = subprocess.run(  # noqa: S603 - the environment's own interpreter
            [python, "-I", "-c", _IMPORTER, directory, *modules],
            capture_output=True,
            check=False,
            timeout=_TIMEOUT,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise WheelLinkerError(f"cannot import what was installed: {error}") from error
    took = time.perf_counter() - start
    return _milliseconds(took) if not done.returncode else "-"


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:,.1f}"
