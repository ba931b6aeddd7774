"""Builds a wheel in an isolated environment that is linked from a store of unpacked wheels.

It does what ``python -m build --wheel`` does, with the wheels of a directory in place of an index:

    python store_env.py PROJECT --wheels DIRECTORY --store DIRECTORY --out DIRECTORY
"""

from __future__ import annotations

import argparse
import os
import tempfile
import venv
from importlib.metadata import distributions
from pathlib import Path
from typing import TYPE_CHECKING

from build import ProjectBuilder
from packaging.requirements import Requirement
from packaging.tags import sys_tags
from packaging.utils import canonicalize_name, parse_wheel_filename

from wheel_linker.install import Layout, install_wheels
from wheel_linker.store import StoredWheel, WheelStore

if TYPE_CHECKING:
    from collections.abc import Iterable


class StoreEnv:
    """An isolated environment: what ``build.env.IsolatedEnv`` describes.

    :param wheels: the directory of wheel files that requirements are taken from.
    :param store: where they are unpacked, once.
    """

    def __init__(self, wheels: Path, store: WheelStore) -> None:
        self._wheels = wheels
        self._store = store

    def __enter__(self) -> StoreEnv:
        self._directory = tempfile.TemporaryDirectory(prefix="build-env-")
        # Without pip, whose installation takes longer than all the rest.
        venv.EnvBuilder(symlinks=os.name != "nt").create(self._directory.name)
        python = "Scripts/python.exe" if os.name == "nt" else "bin/python"
        self._layout = Layout.for_python(Path(self._directory.name, python))
        return self

    def __exit__(self, *_: object) -> None:
        self._directory.cleanup()

    @property
    def python_executable(self) -> str:
        return self._layout.python

    def make_extra_environ(self) -> dict[str, str]:
        path = (self._layout.schemes["scripts"], os.environ.get("PATH", os.defpath))
        return {"PATH": os.pathsep.join(path), "PYTHONPATH": ""}

    def install(self, requirements: Iterable[str]) -> None:
        """Install requirements, and what these require: of each the newest version that fits."""
        chosen: dict[str, StoredWheel] = {}
        waiting = [(Requirement(text), {""}) for text in requirements]
        while waiting:
            one, wanted = waiting.pop()
            if one.marker and not any(one.marker.evaluate({"extra": extra}) for extra in wanted):
                continue
            wheel = self._store.add(self._newest(one))
            name = canonicalize_name(one.name)
            if chosen.setdefault(name, wheel).path != wheel.path:
                raise LookupError(f"{one} and another requirement want different versions")
            (installed,) = distributions(path=[os.fsdecode(wheel.path)])
            waiting += [
                (Requirement(text), one.extras or {""}) for text in installed.requires or ()
            ]
        install_wheels(chosen.values(), self._layout)

    def _newest(self, requirement: Requirement) -> Path:
        supported = frozenset(sys_tags())
        found = []
        for path in self._wheels.glob("*.whl"):
            name, version, build, tags = parse_wheel_filename(path.name)
            fits = requirement.specifier.contains(version, prereleases=True) and tags & supported
            if name == canonicalize_name(requirement.name) and fits:
                found.append((version, build, path))
        if not found:
            raise LookupError(f"no wheel for {requirement} in {self._wheels}")
        return max(found)[-1]


def build_wheel(project: Path, wheels: Path, store: Path, out: Path) -> str:
    """Build a project's wheel, and return its path."""
    with WheelStore(store) as opened, StoreEnv(wheels, opened) as env:
        builder = ProjectBuilder.from_isolated_env(env, project)
        env.install(builder.build_system_requires)
        env.install(builder.get_requires_for_build("wheel"))
        return builder.build("wheel", out)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("project", type=Path)
    for option in ("--wheels", "--store", "--out"):
        parser.add_argument(option, type=Path, required=True)
    print(build_wheel(**vars(parser.parse_args())))
