"""The calls for noxfiles, run by nox."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

import pytest
from examples.kit import run

from integrations.projects import write_index, write_project

if TYPE_CHECKING:
    from pathlib import Path

RESOLVED: Final = "--dry-run"
NOTHING: Final = "nothing to link"
NOXFILE: Final = """
import nox
from wheel_linker.integrations.nox import install, sync

STORE = "store"

@nox.session(venv_backend="venv", venv_params=["--without-pip"])
def one(session):
    install(session, "top", "-r", "more.txt", store=STORE)
    install(session, ".[more]", "--group", "dev", store=STORE)
    session.run("python", "-c", "import base, local, grouped; print('base', base.VERSION, local.NAME)")

@nox.session(venv_backend="venv", venv_params=["--without-pip"])
def two(session):
    install(session, "top", "-r", "more.txt", store=STORE)

@nox.session(venv_backend="venv", venv_params=["--without-pip"])
def locked(session):
    sync(session, "locked.txt", store=STORE)
    session.run("python", "-c", "import top, base; print('base', base.VERSION)")

@nox.session(venv_backend="venv", venv_params=["--without-pip"])
def twice(session):
    install(session, "extra", store=STORE)
    sync(session, "locked.txt", store=STORE)
    sync(session, "other.txt", store=STORE)

@nox.session(venv_backend="venv", venv_params=["--without-pip"])
def projects(session):
    sync(session, "pylock.toml", store=STORE)
    session.run("python", "-c", "import local; print('it is', local.NAME)")

@nox.session(venv_backend="none")
def bare(session):
    install(session, "top", store=STORE)

@nox.session(venv_backend="venv", venv_params=["--without-pip"])
def missing(session):
    install(session, "unheard-of", store=STORE)
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    made = write_project(tmp_path / "project")
    index = write_index(tmp_path / "index")
    (made / "noxfile.py").write_text(NOXFILE, encoding="utf-8")
    (made / "more.txt").write_text("extra\n", encoding="utf-8")
    lines = []
    for name in ("top", "base"):
        wheel = (index / f"{name}-1.0-py3-none-any.whl").read_bytes()
        lines.append(f"{name}==1.0 --hash=sha256:{hashlib.sha256(wheel).hexdigest()}\n")
    (made / "locked.txt").write_text("".join(lines), encoding="utf-8")
    return made


def nox(project: Path, *arguments: str, fails: bool = False) -> str:
    variables = {"PIP_FIND_LINKS": str(project.parent / "index")}
    return run(["-m", "nox", *arguments], project, fails=fails, variables=variables)


def library(project: Path, session: str) -> Path:
    (found,) = (project / ".nox" / session).rglob("top.py")
    return found.parent


def test_sessions_share_what_was_found_out_and_a_project_is_built_each_time(project: Path) -> None:
    said = nox(project, "-s", "one", "two")
    assert "\nbase 1.0 local\n" in said
    assert said.count(RESOLVED) == 2
    (stored,) = (project / "store").rglob("top.py")
    for session in ("one", "two"):
        assert (library(project, session) / "top.py").samefile(stored)

    (project / "local.py").write_text("NAME = 'other'\n", encoding="utf-8")
    said = nox(project, "-r", "-s", "one", "two")
    assert "\nbase 1.0 other\n" in said
    assert said.count(RESOLVED) == 1  # the project
    assert NOTHING in said


def test_what_is_asked_for_no_longer_goes(project: Path) -> None:
    nox(project, "-s", "two")
    site = library(project, "two")
    (project / "more.txt").write_text("grouped\n", encoding="utf-8")
    nox(project, "-R", "-s", "two")  # without installing
    assert (site / "extra.py").exists()
    nox(project, "-r", "-s", "two")
    assert (site / "grouped.py").exists()
    assert not (site / "extra.py").exists()


def test_lock_is_what_is_there(project: Path) -> None:
    assert "\nbase 1.0\n" in nox(project, "-s", "locked")
    site = library(project, "locked")
    stray = site / "stray-1.0.dist-info"
    stray.mkdir()
    (stray / "METADATA").write_text("Name: stray\nVersion: 1.0\n", encoding="utf-8")
    (stray / "RECORD").write_text("stray-1.0.dist-info/METADATA,,\n", encoding="utf-8")
    said = nox(project, "-r", "-s", "locked")
    assert "-m pip" not in said
    assert not stray.exists()
    (project / "locked.txt").write_text("extra\n", encoding="utf-8")  # pip has to resolve this
    said = nox(project, "-r", "-s", "locked", fails=True)
    assert RESOLVED in said
    # That pip is asked is a note for debugging, and nox shows those of every library.
    assert "wheel_linker >" not in said
    assert not (site / "top.py").exists()


@pytest.mark.parametrize("editable", ["false", "true"])
def test_projects_of_a_lock(project: Path, editable: str) -> None:
    (project / "pylock.toml").write_text(
        'lock-version = "1.0"\ncreated-by = "hand"\n'
        f'[[packages]]\nname = "local"\ndirectory = {{path = ".", editable = {editable}}}\n'
    )
    assert "\nit is local\n" in nox(project, "-s", "projects")
    (project / "local.py").write_text("NAME = 'other'\n", encoding="utf-8")
    assert "\nit is other\n" in nox(project, "-r", "-s", "projects")


def test_what_was_there_before_is_not_in_the_lock(project: Path) -> None:
    lines = (project / "locked.txt").read_text(encoding="utf-8").splitlines()
    (project / "other.txt").write_text(lines[1] + "\n", encoding="utf-8")
    nox(project, "-s", "twice")
    (base,) = (project / ".nox" / "twice").rglob("base.py")
    assert not (base.parent / "top.py").exists()
    assert not (base.parent / "extra.py").exists()


@pytest.mark.parametrize(
    ("session", "end", "why"),
    [
        ("bare", "aborted", "session bare has no virtual environment"),
        ("missing", "failed", "No matching distribution found for unheard-of"),
    ],
)
def test_failures_are_the_sessions(project: Path, session: str, end: str, why: str) -> None:
    said = nox(project, "-s", session, fails=True)
    assert why in said
    assert "Traceback" not in said
    assert f"Session {session} {end}" in said
