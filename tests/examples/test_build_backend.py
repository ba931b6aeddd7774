"""The build back end that links, run by build and by pip."""

from __future__ import annotations

import os
import subprocess
import venv
import zipfile
from pathlib import Path
from typing import Final

import pytest

from examples.kit import example, run
from wheel_linker.install import Layout, install_wheels

ANSWER: Final = "import mirrored; print(mirrored.ANSWER, mirrored.__file__)"
NAMES: Final = [
    "mirrored/__init__.py",
    "mirrored/generated.py",
    "mirrored-1.0.dist-info/METADATA",
    "mirrored-1.0.dist-info/WHEEL",
    "mirrored-1.0.dist-info/RECORD",
]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return example("build_backend", tmp_path)


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    venv.create(tmp_path / "env", symlinks=os.name != "nt")
    scripts = "Scripts/python.exe" if os.name == "nt" else "bin/python"
    return Layout.for_python(tmp_path / "env" / scripts)


def asked(layout: Layout) -> list[str]:
    done = subprocess.run(
        [layout.python, "-B", "-c", ANSWER], check=True, capture_output=True, text=True
    )
    return done.stdout.split(maxsplit=1)


def names_in(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()} - {"__pycache__"}


def test_wheel_is_assembled_of_links_and_packed(project: Path, layout: Layout) -> None:
    before = names_in(project)
    command = ["-m", "build", "--wheel", "--no-isolation", "--skip-dependency-check"]
    run(command, project)
    (wheel,) = (project / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        assert archive.namelist() == NAMES
    # The source is as it was, and the tree is gone.
    assert names_in(project) == before | {"build", "dist"}
    assert (project / "src" / "mirrored" / "__init__.py").stat().st_nlink == 1

    # Of the same files the same bytes.
    made = wheel.read_bytes()
    run(command, project)
    assert wheel.read_bytes() == made

    install_wheels([wheel], layout)
    assert asked(layout)[0] == "42"


def test_editable_tree_mirrors_the_source(project: Path, layout: Layout) -> None:
    out = project / "out"
    out.mkdir()
    hook = "import backend; print(backend.build_editable('out'))"
    name = run(["-c", hook], project).strip()
    install_wheels([out / name], layout)
    answer, path = asked(layout)
    assert answer == "42"
    assert Path(path.strip()).is_relative_to(project / "build-editable")

    # An edit of the source is there at once, and a new file the next time.
    source = project / "src" / "mirrored"
    with (source / "__init__.py").open("a", encoding="utf-8") as file:
        file.write("ANSWER = 'edited'\n")
    assert asked(layout)[0] == "edited"
    (source / "new.py").write_text("", encoding="utf-8")
    run(["-c", hook], project)
    mirror = project / "build-editable" / "mirrored"
    assert names_in(mirror) == {"__init__.py", "generated.py", "new.py"}
