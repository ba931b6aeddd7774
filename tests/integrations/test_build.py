"""``wheel-linker build``, with a back end that is a few lines long."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Final

import pytest
from examples.kit import run, write_wheel, written

from integrations.projects import write_project

BACKEND: Final = """
import os, shutil, subprocess, sys, zipfile
import stamp

def get_requires_for_build_wheel(config_settings=None):
    return ["late-helper"]

def build_wheel(directory, config_settings=None, metadata_directory=None):
    import late_helper
    assert "PYTHONPATH" not in os.environ or not os.environ["PYTHONPATH"]
    said = subprocess.run(["stamp"], check=True, capture_output=True, text=True).stdout.strip()
    name = "project-1.0-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(directory, name), "w") as archive:
        archive.writestr("project.py", f"BUILT = {(MADE_BY, said, late_helper.NAME)!r}")
    with open(os.path.join(directory, "env"), "w") as file:
        file.write(sys.prefix)
    return name
"""


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    made = tmp_path / "wheels"
    made.mkdir()
    write_backend(made, "first")
    for version in ("1.0", "2.0", "3.0"):
        write_wheel(
            made / f"stamp-{version}-py3-none-any.whl",
            {"stamp.py": f"def main(): print('stamp {version}')\n"},
            scripts={"stamp": "stamp:main"},
        )
    write_wheel(made / "late_helper-1.0-py3-none-any.whl", {"late_helper.py": "NAME = 'late'\n"})
    return made


def write_backend(wheels: Path, made_by: str) -> None:
    write_wheel(
        wheels / "tiny_backend-1.0-py3-none-any.whl",
        {"tiny_backend.py": f"MADE_BY = {made_by!r}\n{BACKEND}"},
        requires=["stamp<3", "unheard-of; python_version < '3'", "unheard-of; extra == 'more'"],
    )


@pytest.fixture
def project(tmp_path: Path) -> Path:
    made = tmp_path / "project"
    made.mkdir()
    text = '[build-system]\nrequires = ["Tiny.Backend>=1"]\nbuild-backend = "tiny_backend"\n'
    (made / "pyproject.toml").write_text(text, encoding="utf-8")
    return made


def build(project: Path, *, fails: bool = False) -> str:
    options = ["--store", "store", "--outdir", "out", "--wheel"]
    pip = ["--pip-arg=--no-index", "--pip-arg=--find-links=wheels"]
    command = ["-m", "wheel_linker", "build", "project", *options, *pip]
    return run(command, project.parent, fails=fails)


def built(project: Path) -> str:
    with zipfile.ZipFile(project.parent / "out" / "project-1.0-py3-none-any.whl") as archive:
        return archive.read("project.py").decode()


def stored(project: Path) -> dict[str, tuple[int, int]]:
    # Beside the unpacked wheels there are notes of when they were used.
    everything = written(project.parent / "store")
    return {path: everything[path] for path in everything if "/w/" in path}


def test_wheel_is_built_from_the_store_and_again_when_a_wheel_was_rebuilt(
    project: Path, wheels: Path
) -> None:
    build(project)
    assert built(project) == "BUILT = ('first', 'stamp 2.0', 'late')"
    env = (project.parent / "out" / "env").read_text(encoding="utf-8")
    assert "build-env-" in env
    assert not Path(env).exists()

    # What is stored is not unpacked again.
    before = stored(project)
    assert {path.rpartition("/")[2] for path in before} >= {"tiny_backend.py", "stamp.py"}
    build(project)
    assert stored(project) == before

    size = (wheels / "tiny_backend-1.0-py3-none-any.whl").stat().st_size
    write_backend(wheels, "other")
    assert (wheels / "tiny_backend-1.0-py3-none-any.whl").stat().st_size == size
    build(project)
    assert built(project) == "BUILT = ('other', 'stamp 2.0', 'late')"


def test_missing_requirement_is_named(project: Path, wheels: Path) -> None:
    (wheels / "late_helper-1.0-py3-none-any.whl").unlink()
    said = build(project, fails=True)
    assert "No matching distribution found for late-helper" in said
    assert "pip could not resolve the requirements" in said
    assert "Traceback" not in said


def test_sdist_and_a_wheel_of_it(tmp_path: Path) -> None:
    write_project(tmp_path / "project")
    # What the sdist leaves out is not seen by the wheel.
    (tmp_path / "project" / "unpacked.txt").write_text("", encoding="utf-8")
    said = run(["-m", "wheel_linker", "build", "project", "--store", "store"], tmp_path)
    names = ["local-1.0.tar.gz", "local-1.0-py3-none-any.whl"]
    lines = [line for line in said.splitlines() if line.startswith("built ")]
    assert [Path(line.partition(" ")[2]).name for line in lines] == names
    assert {path.name for path in (tmp_path / "project" / "dist").iterdir()} == set(names)


def test_a_back_end_that_fails_is_said_in_a_line(tmp_path: Path) -> None:
    project = write_project(tmp_path / "project")
    (project / "backend.py").write_text("raise RuntimeError('broken')", encoding="utf-8")
    said = run(["-m", "wheel_linker", "build", "project", "--store", "s"], tmp_path, fails=True)
    assert "cannot build 'project'" in said.splitlines()[-1]
    assert not (project / "dist").exists()
