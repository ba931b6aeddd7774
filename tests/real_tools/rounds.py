"""Rounds: one tool installs into a new environment, all are asked about it, and another one removes everything."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from packaging.utils import parse_wheel_filename

from real_tools.environment import Environment, pip, run, uv
from real_tools.pictures import (
    Entry,
    Record,
    below,
    launchers,
    picture,
    records,
    unverified,
    without,
)
from wheel_linker.install import install_wheels, uninstall
from wheel_linker.store import WheelStore

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from wheel_linker.store import Damage

HERE: Final = ("hardlink", "symlink")
"""Installed here: hard-linked without a store of one's own, and symlinked to a store."""

RUNS: Final[Mapping[str, Sequence[str]]] = {
    "every-main": ("one", "two"),
    "every-extra": (),
    "every-window": ("three",),
    "every-python": ("four",),
    "every-flags": ("five",),
    "every-shell": (),
    "jp.py": ("--help",),
    "pip": ("--version",),
    "pycodestyle": ("--version",),
    "pygmentize": ("-V",),
    "ruff": ("--version",),
    "tqdm": ("--version",),
}
"""Scripts of wheels that need no others, and what they are given."""

_METADATA: Final = """
import json, os, re
from importlib.metadata import distributions

def canonical(name):
    return re.sub("[-_.]+", "-", name).lower()

print(json.dumps({
    canonical(found.metadata["Name"]): {
        "version": found.version,
        "requires": found.requires,
        "entry_points": sorted(map(str, found.entry_points)),
        "missing": [str(file) for file in found.files if not file.locate().is_file()],
        "files": [os.path.normpath(file.locate()) for file in found.files],
    }
    for found in distributions()
    # PyPy ships some without a list of files.
    if found.files is not None
}))
"""


class Run(NamedTuple):
    """What became of a script that was run."""

    code: int | None
    """None if it is not executable."""
    printed: str


class Answers(NamedTuple):
    """What the tools say of an environment."""

    checked: Sequence[str]
    """By ``pip check``: its lines, which it prints in the order that the file system has of distributions."""
    shown: Mapping[str, Mapping[str, str]]
    """By ``pip show -f``, but for the files."""
    shown_files: Mapping[str, set[str]]
    """These, as paths of a picture."""
    frozen: str
    """By ``uv pip freeze``."""
    metadata: Mapping[str, Mapping[str, Any]]
    """By :mod:`importlib.metadata`, but for the files."""
    files: Mapping[str, set[str]]
    """These, as paths of a picture."""
    ran: Mapping[str, Run]
    """What became of scripts."""


class Installed(NamedTuple):
    """What one tool has installed."""

    tree: Mapping[str, Entry]
    records: Mapping[str, Record]
    launchers: frozenset[str]
    starts: Mapping[str, bytes]
    """The first line of each launcher."""
    wrong: Sequence[str]
    """Rows of a ``RECORD`` that are not right."""
    answers: Answers


class Left(NamedTuple):
    """What is there when everything has been removed."""

    tree: Mapping[str, Entry]
    """What the environment has besides what it had in the beginning."""
    lost: Mapping[str, Entry]
    """What it had in the beginning, and has no more."""
    damage: Sequence[Damage]
    """What became of the store."""


class Rounds:
    """What has been done with some wheels, each round once; always at the same path, which scripts contain."""

    def __init__(self, directory: Path, wheels: Sequence[Path], name: str) -> None:
        self.wheels = wheels
        self.names = [parse_wheel_filename(wheel.name)[0] for wheel in wheels]
        self._path = directory.resolve() / name
        self._store = directory / "store"
        self._installed: dict[str, Installed] = {}
        self._left: dict[tuple[str, str], Left] = {}

    def installed(self, tool: str) -> Installed:
        """Return what a tool installs."""
        if tool not in self._installed:
            self._go_round(tool, "uninstall" if tool not in HERE else "pip")
        return self._installed[tool]

    def left(self, tool: str, remover: str) -> Left:
        """Return what is left when one tool has installed the wheels and another one has removed them."""
        if (tool, remover) not in self._left:
            self._go_round(tool, remover)
        return self._left[tool, remover]

    def _go_round(self, tool: str, remover: str) -> None:
        environment = Environment(self._path)
        try:
            before = picture(environment.root)
            self._install(tool, environment)
            if tool not in self._installed:
                self._installed[tool] = self._look_at(environment, before)
            self._remove(remover, environment)
            after = picture(environment.root)
        finally:
            shutil.rmtree(environment.root)
        damage: list[Damage] = []
        if tool == "symlink":
            with WheelStore(self._store) as store:
                damage = store.verify(deep=True)
        self._left[tool, remover] = Left(without(after, before), without(before, after), damage)

    def _install(self, tool: str, environment: Environment) -> None:
        if tool == "pip":
            options = ("--no-deps", "--no-compile", "--no-index", "--quiet")
            run(*pip(environment, "install", *options, *self.wheels))
        elif tool == "uv":
            run(*uv(environment, "install", "--no-deps", "--no-index", *self.wheels))
        else:
            with WheelStore(self._store) as store:
                install_wheels(
                    self.wheels,
                    environment.layout,
                    store=store if tool == "symlink" else None,
                    mode=tool,
                    requested=True,
                    direct_urls={
                        name: {"url": wheel.as_uri(), "archive_info": {}}
                        for name, wheel in zip(self.names, self.wheels)
                    },
                )

    def _remove(self, remover: str, environment: Environment) -> None:
        if remover == "pip":
            run(*pip(environment, "uninstall", "--yes", "--quiet", *self.names))
        elif remover == "uv":
            run(*uv(environment, "uninstall", *self.names))
        else:
            for name in self.names:
                uninstall(name, environment.layout)

    def _look_at(self, environment: Environment, before: Mapping[str, Entry]) -> Installed:
        root, schemes = environment.root, environment.layout.schemes
        site = Path(schemes["purelib"])
        # Before anything is run, which may write bytecode.
        tree = without(picture(root), before)
        found = records(root, site)
        launched = launchers(root, Path(schemes["scripts"]), site)
        return Installed(
            tree=tree,
            records=found,
            launchers=launched,
            starts={path: _first_line(root.parent / path) for path in launched},
            wrong=[
                wrong
                for info, record in found.items()
                for wrong in unverified(root.parent, info, record)
            ],
            answers=_ask(environment, self.names),
        )


def _first_line(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.readline()


def _ask(environment: Environment, names: Sequence[str]) -> Answers:
    root = environment.root
    shown, shown_files = _shown(run(*pip(environment, "show", "--files", *names)), root)
    metadata = json.loads(run(environment.python, "-c", _METADATA))
    files = {
        name: {below(root, path) for path in one.pop("files")} for name, one in metadata.items()
    }
    return Answers(
        # It returns 1 if something that is required is not installed.
        checked=sorted(run(*pip(environment, "check"), codes=frozenset({0, 1})).splitlines()),
        shown=shown,
        shown_files=shown_files,
        # The hash that pip notes in direct_url.json is printed, too.
        frozen=re.sub("#sha256=[0-9a-f]+", "", run(*uv(environment, "freeze"))),
        metadata=metadata,
        files=files,
        ran=_run_scripts(environment),
    )


def _shown(text: str, root: Path) -> tuple[dict[str, dict[str, str]], dict[str, set[str]]]:
    """Take apart what ``pip show -f`` prints: the fields, and the files, of each distribution."""
    fields: dict[str, dict[str, str]] = {}
    files: dict[str, set[str]] = {}
    for block in text.split("\n---\n"):
        head, _, listed = block.partition("\nFiles:\n")
        found = dict(line.split(": ", 1) for line in head.splitlines() if ": " in line)
        fields[found["Name"]] = found
        files[found["Name"]] = {
            below(root, os.path.join(found["Location"], line.strip()))
            for line in listed.splitlines()
        }
    return fields, files


def _run_scripts(environment: Environment) -> dict[str, Run]:
    """Run what there is of the scripts."""
    found = {}
    for name, arguments in RUNS.items():
        path = environment.script(name)
        if os.path.exists(path):
            found[below(environment.root, path)] = _run_script(path, arguments)
    return found


def _run_script(path: str, arguments: Sequence[str]) -> Run:
    if not os.access(path, os.X_OK):
        return Run(None, "")
    done = subprocess.run(
        [path, *arguments],
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
        stdin=subprocess.DEVNULL,
    )
    return Run(done.returncode, done.stdout)
