"""Editable installs as pip makes them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest
from wheels import snapshot, write_tree

from install.kit import check_record, pure
from wheel_linker.install import Layout, install_wheel, uninstall

pytestmark = pytest.mark.skipif(os.name != "posix", reason="symlinks an interpreter")


@pytest.mark.parametrize("call", ["uninstall", "upgrade"])
def test_environments_part_goes(tmp_path: Path, newer: Path, call: str) -> None:
    """As pip and hatchling make one."""
    pytest.importorskip("hatchling")
    pytest.importorskip("pip")
    venv.create(tmp_path / "env", symlinks=True, with_pip=False)
    real = Layout.for_python(tmp_path / "env/bin/python")
    # What builds it, with this interpreter's own libraries.
    (pure(real) / "tools.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
    declared = (
        '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
        '[project]\nname = "demo"\nversion = "0.1"\n[project.scripts]\ndemo = "demo:run"\n'
        '[tool.hatch.build]\ndev-mode-dirs = ["."]\n'
    )
    project = write_tree(
        tmp_path / "project",
        {"pyproject.toml": declared.encode(), "demo/__init__.py": b"RAN = 1\n"},
    )
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", real.python]
    options = ["install", "--no-index", "--no-deps", "--no-build-isolation", "-e", str(project)]
    done = subprocess.run([*pip, *options], check=False, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"cannot be made here: {done.stderr[-200:]}")
    subprocess.run([real.python, "-c", "import demo; demo.RAN"], check=True)
    shutil.rmtree(project / "demo/__pycache__", ignore_errors=True)
    before = snapshot(project)
    if call == "upgrade":
        assert install_wheel(newer, real).upgraded == ("0.1",)
        check_record(real, "demo-2.0.dist-info")
    else:
        uninstall("demo", real)
    assert snapshot(project) == before
    left = {path.name for path in pure(real).iterdir() if path.name != "tools.pth"}
    expected = {"demo", "demo.pth", "demo-2.0.dist-info"} if call == "upgrade" else set()
    assert left == expected
    assert (Path(real.schemes["scripts"]) / "demo").exists() == (call == "upgrade")
