"""The seeder, run by virtualenv."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from examples.kit import entry_points, run

from wheel_linker.install import Layout

if TYPE_CHECKING:
    from pathlib import Path

# Notes what interpreters are asked by virtualenv's process, which starts other programs as well with some of them.
NOTING = """
import sys

def note(event, arguments):
    if event == "subprocess.Popen" and "answer" in str(arguments[1]):
        with open("asked", "a", encoding="utf-8") as file:
            print(*arguments[:2], file=file)

sys.addaudithook(note)
"""


def seeded(directory: Path, *arguments: str, fails: bool = False) -> str:
    path = directory / "plugin"
    if not path.exists():
        entry_points(path)
    command = ["-m", "virtualenv", "--seeder", "wheel-linker", "--no-periodic-update", *arguments]
    variables = {"XDG_CACHE_HOME": str(directory / "cache"), "LOCALAPPDATA": str(directory)}
    return run([*command, "environment"], directory, fails=fails, path=path, variables=variables)


def test_pip_is_linked_and_works(tmp_path: Path) -> None:
    seeded(tmp_path)
    python = "Scripts/python.exe" if os.name == "nt" else "bin/python"
    layout = Layout.for_python(tmp_path / "environment" / python)
    (site,) = (tmp_path / "environment").rglob("pip/__main__.py")
    if sys.platform == "linux":
        (stored,) = (tmp_path / "cache").rglob("pip/__main__.py")
        assert site.samefile(stored)
        (bytecode,) = (tmp_path / "cache").rglob("pip/__pycache__/__main__.*.pyc")
        (placed,) = (site.parent / "__pycache__").glob("__main__.*.pyc")
        assert placed.samefile(bytecode)
    suffix = ".exe" if os.name == "nt" else ""
    versions = ("", "3", "{}.{}".format(*layout.version))
    for version in versions:
        script = os.path.join(layout.schemes["scripts"], f"pip{version}{suffix}")
        said = subprocess.run([script, "--version"], check=True, capture_output=True, text=True)
        assert os.path.realpath(tmp_path / "environment") in os.path.realpath(
            said.stdout.partition(" from ")[2].partition(" (")[0]
        )
    # As the interpreter itself says it.
    assert os.path.samefile(layout.schemes["purelib"], site.parents[1])


def test_no_interpreter_is_asked_for_one_more_environment(tmp_path: Path) -> None:
    """What its bytecode is called is kept in the store as soon as there is one."""
    for _ in range(2):
        seeded(tmp_path)
        shutil.rmtree(tmp_path / "environment")
    (tmp_path / "plugin" / "sitecustomize.py").write_text(NOTING, encoding="utf-8")
    seeded(tmp_path)
    asked = tmp_path / "asked"
    assert not asked.exists(), asked.read_text(encoding="utf-8")


def test_nothing_is_nothing(tmp_path: Path) -> None:
    seeded(tmp_path, "--no-pip")
    assert not list((tmp_path / "environment").rglob("pip"))


@pytest.mark.skipif(sys.platform == "win32", reason="other systems name another file")
def test_a_failure_is_virtualenvs(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("no directory", encoding="utf-8")
    said = seeded(tmp_path, fails=True)
    assert "seeding by wheel-linker failed" in said
    assert "Traceback" not in said
