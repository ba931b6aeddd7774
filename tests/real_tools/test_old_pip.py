"""The oldest pip that is promised, which knows what this library asks it for.

With ``--long`` only: it is downloaded.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest
from examples.kit import write_wheel

import wheel_linker
from wheel_linker.install import Layout, installed

OLDEST: Final = "pip==22.3.1"
LIBRARIES: Final = ("installer", "packaging", "platformdirs")
HERE: Final = Path(wheel_linker.__file__).parents[1]
GATHER: Final = """
import json, sys
from wheel_linker.integrations.pip import gather
print(json.dumps([path.name for path in gather(["top"], python=sys.argv[1], wheel_dir=sys.argv[2])]))
"""
PROJECT: Final = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
"""
BACKEND: Final = """
import os

def build_wheel(directory, settings=None, metadata=None):
    import zipfile
    name, info = "local-1.0-py3-none-any.whl", "local-1.0.dist-info"
    files = {
        "local.py": "",
        f"{info}/METADATA": "Metadata-Version: 2.1\\nName: local\\nVersion: 1.0\\nRequires-Dist: base\\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
    }
    rows = "".join(f"{path},,\\n" for path in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(os.path.join(directory, name), "w") as archive:
        for path, text in {**files, f"{info}/RECORD": rows}.items():
            archive.writestr(path, text)
    return name

build_editable = build_wheel
"""


@pytest.fixture(scope="module")
def tool(is_long: bool, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The interpreter of an environment that has the old pip, and what this library takes."""
    if not is_long:
        pytest.skip("downloads an old pip: give --long")
    if sys.version_info >= (3, 12):
        pytest.skip("this pip is for Python 3.11 and older")
    root = tmp_path_factory.mktemp("old")
    made = environment(root / "tool")
    command = [sys.executable, "-m", "pip", "--python", made, "install", "-q", OLDEST, *LIBRARIES]
    subprocess.run(command, check=True, timeout=300)
    return made


@pytest.fixture
def index(tmp_path: Path) -> Path:
    directory = tmp_path / "index"
    directory.mkdir()
    for name, requires in (("top-1.0", ["base<2"]), ("base-1.0", []), ("base-2.0", [])):
        module = name.partition("-")[0]
        path = directory / f"{name}-py3-none-any.whl"
        write_wheel(path, {f"{module}.py": f"NAME = {name!r}\n"}, requires=requires)
    return directory


def environment(root: Path) -> str:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", root], check=True)
    return os.fspath(root / ("Scripts/python.exe" if os.name == "nt" else "bin/python"))


def run(tool: str, index: Path, *arguments: object) -> str:
    """Run the library where the old pip is."""
    hidden = ("PIP_", "PYTHON", "VIRTUAL_ENV")
    kept = {name: text for name, text in os.environ.items() if not name.startswith(hidden)}
    done = subprocess.run(
        [tool, *map(str, arguments)],
        cwd=index.parent,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env={
            **kept,
            "PYTHONPATH": os.fspath(HERE),
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": os.fspath(index),
            "PIP_CONFIG_FILE": os.devnull,
            "XDG_CACHE_HOME": os.fspath(index.parent / "cache"),
            "LOCALAPPDATA": os.fspath(index.parent),
        },
    )
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"
    return done.stdout


def state(python: str) -> dict[str, tuple[str, bool, bool]]:
    """Return versions, whether each was asked for, and whether it came from an address."""
    return {
        one.name: (one.version, Path(one.path, "REQUESTED").exists(), one.direct_url is not None)
        for one in installed(Layout.for_python(python))
    }


def test_gathers(tool: str, index: Path, tmp_path: Path) -> None:
    said = run(tool, index, "-c", GATHER, environment(tmp_path / "env"), tmp_path / "wheels")
    names = ["base-1.0-py3-none-any.whl", "top-1.0-py3-none-any.whl"]
    assert json.loads(said.splitlines()[-1]) == names


def test_installs(tool: str, index: Path, tmp_path: Path) -> None:
    install = ("-m", "wheel_linker", "pip", "install", "--python")
    expected = {"base": ("1.0", False, False), "top": ("1.0", True, False)}
    first, second = environment(tmp_path / "first"), environment(tmp_path / "second")
    run(tool, index, *install, first, "top")
    assert state(first) == expected

    lock = tmp_path / "lock.txt"
    pins = {name: index / f"{name}-1.0-py3-none-any.whl" for name in ("top", "base")}
    lock.write_text(
        "".join(
            f"{name}==1.0 --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n"
            for name, path in pins.items()
        )
    )
    run(tool, index, *install, second, "-r", lock)
    assert state(second) == {**expected, "base": ("1.0", True, False)}
    run(tool, index, "-m", "wheel_linker", "sync", "--python", second, lock)


def test_installs_projects(tool: str, index: Path, tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "pyproject.toml").write_text(PROJECT)
    (project / "backend.py").write_text(BACKEND)
    install = ("-m", "wheel_linker", "pip", "install", "--python")
    for name, more in (("built", ()), ("in place", ("-e",))):
        python = environment(tmp_path / name)
        run(tool, index, *install, python, *more, project)
        assert state(python) == {"base": ("2.0", False, False), "local": ("1.0", True, True)}
