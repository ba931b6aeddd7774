"""The helper for nox sessions, run by nox."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest
from examples.kit import example, run, write_hello, write_wheel, written

HELLO: Final = "wheels/hello-1.0-py3-none-any.whl"
WORLD: Final = "wheels/world-1.0-py3-none-any.whl"
LINKED: Final = "linked what was missing"
NOTHING: Final = "nothing to link"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    made = example("nox_helper", tmp_path)
    (made / "wheels").mkdir()
    write_hello(made / HELLO, "hello")
    write_wheel(made / WORLD, {"world.py": "NAME = 'world'\n"})
    return made


def nox(project: Path, *, fails: bool = False) -> str:
    return run(["-m", "nox"], project, fails=fails)


def library(project: Path) -> Path:
    (hello,) = (project / ".nox" / "greet").rglob("hello/__init__.py")
    return hello.parent.parent


def test_environment_is_linked_then_reused_then_brought_up_to_date(project: Path) -> None:
    said = nox(project)
    assert LINKED in said
    assert "\nhello\n" in said
    before = written(library(project)), written(project / ".nox" / ".cache")
    (stored,) = (project / ".nox" / ".cache").rglob("hello/__init__.py")
    assert (library(project) / "hello" / "__init__.py").samefile(stored)

    said = nox(project)
    assert NOTHING in said
    assert "\nhello\n" in said
    assert (written(library(project)), written(project / ".nox" / ".cache")) == before

    # The bytecode of the old one fits the new one, by its size and time stamp; it must not run.
    size = (project / HELLO).stat().st_size
    write_hello(project / HELLO, "howdy")
    assert (project / HELLO).stat().st_size == size
    said = nox(project)
    assert LINKED in said
    assert "\nhowdy\n" in said


def test_dropped_wheel_is_uninstalled(project: Path) -> None:
    nox(project)
    assert (library(project) / "world.py").exists()
    (project / WORLD).unlink()
    assert LINKED in nox(project)
    assert not list(library(project).glob("world*"))
    assert NOTHING in nox(project)


def test_failure_is_the_sessions_and_the_next_run_mends_it(project: Path) -> None:
    nox(project)
    wheel = (project / HELLO).read_bytes()
    (project / HELLO).write_bytes(b"no wheel")
    said = nox(project, fails=True)
    assert HELLO.partition("/")[2] in said
    assert "Traceback" not in said
    assert "\nhello\n" not in said
    (project / HELLO).write_bytes(wheel)
    said = nox(project)
    assert LINKED in said
    assert "\nhello\n" in said
