"""Others' installers with the drop-in parts: Poetry with the change of the how-to, and ``installer`` by its own tests.

With ``--long`` only: what they take is downloaded.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Final

import pytest
from examples.kit import write_wheel

import wheel_linker

HERE: Final = Path(wheel_linker.__file__).parents[1]
HOW_TO: Final = HERE / "docs/how-to/poetry.md"
POETRY: Final = "poetry==2.5.1"
INSTALLER: Final = "installer==1.1.0"
INSTALL: Final = """
import sys
from pathlib import Path
from poetry.installation.wheel_installer import WheelInstaller
from poetry.utils.env import VirtualEnv
installer = WheelInstaller(VirtualEnv(Path(sys.argv[1])))
installer.enable_bytecode_compilation()
installer.install(Path(sys.argv[2]))
print(installer.invalid_wheels)
"""
# Where its tests look for the destination.
REPLACED: Final = """
import installer.__main__, installer.destinations
from wheel_linker.integrations.installer import LinkingDestination
for module in (installer.__main__, installer.destinations):
    module.SchemeDictionaryDestination = LinkingDestination
"""
BEFORE_RECORD: Final = {
    "test_write_file[normal file]",
    "test_write_file[normal file in subfolder]",
    "test_write_file[script file]",
    "test_write_file[script file in subfolder]",
    "test_write_script",
    "test_finalize_write_record",
}
"""These look for files before ``RECORD`` is written."""
EXISTING: Final = {"test_write_record_duplicate"}
"""This wants ``FileExistsError`` unless it is told otherwise, and files are replaced here."""


@pytest.fixture(autouse=True)
def _long(is_long: bool) -> None:
    if not is_long:
        pytest.skip("downloads other installers: give --long")


def run(*command: object, cwd: Path, fails: bool = False, **variables: str) -> str:
    done = subprocess.run(
        [*map(str, command)],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
        env={**os.environ, "PYTHONPATH": os.fspath(HERE), **variables},
    )
    assert (done.returncode != 0) == fails, f"{done.stdout}{done.stderr}"
    return done.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="takes the program patch")
def test_poetry_links(tmp_path: Path) -> None:
    run(sys.executable, "-m", "venv", "tool", cwd=tmp_path)
    python = tmp_path / "tool/bin/python"
    run(python, "-m", "pip", "install", "-q", POETRY, cwd=tmp_path)
    (site,) = (tmp_path / "tool/lib").glob("python*/site-packages")
    (change,) = re.findall(
        r"^```diff\n(.*?)^```", HOW_TO.read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    (tmp_path / "link.diff").write_text(change, encoding="utf-8")
    run("patch", "-p1", "-i", tmp_path / "link.diff", cwd=site)

    wheel = tmp_path / "one-1.0-py3-none-any.whl"
    write_wheel(wheel, {"one.py": "def main(): print('one')\n"}, scripts={"one": "one:main"})
    for name in ("first", "second"):
        run(sys.executable, "-m", "venv", "--without-pip", name, cwd=tmp_path)
        command = [python, "-c", INSTALL, tmp_path / name, wheel]
        assert run(*command, cwd=tmp_path, XDG_CACHE_HOME=str(tmp_path / "cache")) == "{}\n"
        assert run(tmp_path / name / "bin/one", cwd=tmp_path) == "one\n"
        assert list((tmp_path / name).rglob("one.*.pyc"))
    (stored,) = (tmp_path / "cache/poetry-wheels").rglob("one.py")
    placed = [path for name in ("first", "second") for path in (tmp_path / name).rglob("one.py")]
    assert [path.samefile(stored) for path in placed] == [True, True]


def test_installers_own_tests_pass_but_for_two_kinds(tmp_path: Path) -> None:
    given = ["--no-deps", "--no-binary=installer", INSTALLER]
    run(sys.executable, "-m", "pip", "download", "-q", *given, cwd=tmp_path)
    (sdist,) = tmp_path.glob("installer-*.tar.gz")
    with tarfile.open(sdist) as archive:
        members = [one for one in archive if one.isreg() and "/tests/" in one.name]
        for one in members:
            target = tmp_path / one.name.partition("/")[2]
            target.parent.mkdir(exist_ok=True)
            packed = archive.extractfile(one)
            assert packed is not None
            with target.open("wb") as file:
                shutil.copyfileobj(packed, file)
    (tmp_path / "replaced.py").write_text(REPLACED, encoding="utf-8")
    path = os.pathsep.join([os.fspath(HERE), os.fspath(tmp_path)])
    pytest_ = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"]
    whole = run(*pytest_, cwd=tmp_path)
    said = run(*pytest_, "-p", "replaced", "-rf", cwd=tmp_path, fails=True, PYTHONPATH=path)
    failed = set(re.findall(r"^FAILED .*::(test_.*?)(?: - .*)?$", said, re.MULTILINE))
    assert failed == BEFORE_RECORD | EXISTING
    passed = [int(re.findall(r"(\d+) passed", one)[-1]) for one in (whole, said)]
    assert passed[0] - passed[1] == len(failed)
