"""Released projects with their own configuration, by the real tools; with ``--long`` only, for they take minutes.

Each is run by the tool's own means and linked, and is to come to the same.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
import time
import zipfile
from pathlib import Path
from typing import Final, NamedTuple

import pytest
from examples.kit import entry_points

import wheel_linker

TOX: Final = ("click==8.1.7", "itsdangerous==2.1.2", "pluggy==1.5.0")
NOX: Final = ("charset-normalizer==3.5.3", "pyproject-hooks==1.2.0")
# By their back ends: flit, hatchling, setuptools with an extension of it, poetry, pdm.
BUILT: Final = (
    "idna==3.10",
    "iniconfig==2.0.0",
    "pluggy==1.5.0",
    "rich==13.9.4",
    "findpython==0.6.2",
)
SUMMARY: Final = re.compile(r"\d+ passed")
TIMEOUT: Final = 1200
LINKED: Final = "\nrunner = wheel-linker"


class Run(NamedTuple):
    said: str
    seconds: float

    def passed(self) -> str:
        found = SUMMARY.findall(self.said)
        assert found, self.said[-3000:]
        return str(found[-1])


@pytest.fixture(autouse=True)
def _long(is_long: bool) -> None:
    if not is_long:
        pytest.skip("takes minutes: give --long")


@pytest.fixture
def plugin(tmp_path: Path) -> Path:
    return entry_points(tmp_path / "plugin")


def run(plugin: Path, directory: Path, *command: str) -> Run:
    hidden = ("COVERAGE", "NOX", "PYTEST", "PYTHON", "TOX", "VIRTUAL_ENV")
    kept = {key: text for key, text in os.environ.items() if not key.startswith(hidden)}
    path = os.pathsep.join([str(Path(wheel_linker.__file__).parents[1]), str(plugin)])
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, *command],
        cwd=directory,
        env={**kept, "NO_COLOR": "1", "PYTHONPATH": path},
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        encoding="utf-8",
        errors="replace",
        timeout=TIMEOUT,
    )
    assert done.returncode == 0, done.stdout[-5000:]
    return Run(done.stdout, time.perf_counter() - start)


def unpacked(requirement: str, directory: Path) -> Path:
    """Download a released sdist, and return its directory."""
    directory.mkdir()
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    command = [*pip, "--no-binary", ":all:", "--dest", str(directory), requirement]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"{requirement} cannot be downloaded: {done.stderr[-300:]}")
    (sdist,) = directory.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(directory)
    (project,) = (path for path in directory.iterdir() if path.is_dir())
    return project


@pytest.mark.timeout(3 * TIMEOUT)
@pytest.mark.parametrize("requirement", TOX)
def test_tox(tmp_path: Path, plugin: Path, requirement: str) -> None:
    project = unpacked(requirement, tmp_path / "released")
    command = ("-m", "tox", "run", "-e", "py")
    own = [run(plugin, project, *command, "--workdir", ".own") for _ in range(2)]
    config = project / "tox.ini"
    text = config.read_text(encoding="utf-8")
    assert "\n[testenv]" in text
    config.write_text(text.replace("\n[testenv]", f"\n[testenv]{LINKED}"), encoding="utf-8")
    linked = [run(plugin, project, *command) for _ in range(2)]
    assert len({one.passed() for one in (*own, *linked)}) == 1
    assert "--dry-run" in linked[0].said
    assert "--dry-run" not in linked[1].said
    tell(requirement, "tox", own, linked)


@pytest.mark.timeout(3 * TIMEOUT)
@pytest.mark.parametrize("requirement", NOX)
def test_nox(tmp_path: Path, plugin: Path, requirement: str) -> None:
    project = unpacked(requirement, tmp_path / "released")
    session = "test-{}.{}".format(*sys.version_info)
    command = ("-m", "nox", "--reuse-existing-virtualenvs", "-s", session)
    own = [run(plugin, project, *command, "--envdir", ".own") for _ in range(2)]
    noxfile = project / "noxfile.py"
    text = noxfile.read_text(encoding="utf-8")
    changed = re.sub(r"session\.install\(\s*", "install(session, ", text)
    imported = "import nox\nfrom wheel_linker.integrations.nox import install\n"
    noxfile.write_text(changed.replace("import nox\n", imported, 1), encoding="utf-8")
    linked = [run(plugin, project, *command) for _ in range(2)]
    assert len({one.passed() for one in (*own, *linked)}) == 1
    tell(requirement, "nox", own, linked)


@pytest.mark.timeout(3 * TIMEOUT)
@pytest.mark.parametrize("requirement", BUILT)
def test_build(tmp_path: Path, plugin: Path, requirement: str) -> None:
    project = unpacked(requirement, tmp_path / "released")
    own = run(plugin, project, "-m", "build", "--wheel", "--outdir", "own")
    command = ("-m", "wheel_linker", "build", "--wheel", "--outdir", "linked")
    linked = [run(plugin, project, *command) for _ in range(2)]
    (theirs,), (ours,) = (list((project / name).glob("*.whl")) for name in ("own", "linked"))
    assert theirs.name == ours.name
    assert contents(theirs) == contents(ours)
    tell(requirement, "build", [own], linked)


def contents(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def tell(requirement: str, tool: str, own: list[Run], linked: list[Run]) -> None:
    """Print what it took; ``pytest -s`` shows it."""
    words = [" then ".join(f"{one.seconds:.1f}" for one in runs) for runs in (own, linked)]
    print(f"{requirement}: {tool} {words[0]} s, linked {words[1]} s")
