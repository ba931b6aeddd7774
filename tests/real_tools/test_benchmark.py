"""Tests that the benchmark measures its newer parts: a short run with wheels that are made on the spot."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = [
    pytest.mark.usefixtures("tools"),
    pytest.mark.skipif(
        sys.platform != "linux" or sys.implementation.name != "cpython",
        reason="what it measures with is there on Linux only, and for CPython",
    ),
    pytest.mark.skipif(
        importlib.util.find_spec("installer") is None, reason="installer is not installed"
    ),
]


def page(tmp_path: Path, *parts: str) -> str:
    """The page of a run of these parts, in rounds of one."""
    program = os.fspath(ROOT / "benchmarks" / "run.py")
    command = [sys.executable, program, "--quick", "--rounds", "1"]
    done: subprocess.CompletedProcess[str] = subprocess.run(
        [*command, "--only", ",".join(parts)],
        cwd=tmp_path,
        env={**os.environ, "TMPDIR": os.fspath(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def rows(text: str) -> set[tuple[str, str]]:
    """What was done and by whom, from all tables with times."""
    found = re.findall(
        r"^\| ([^|]+) \| ([^|]+) \|(?: [^|]+ \|)? [\d.]+ \| [\d.]+ to ", text, re.MULTILINE
    )
    return {(what, who.strip("*")) for what, who in found}


def lacking(text: str) -> set[str]:
    """Who did not take part."""
    return set(re.findall(r"^Not measured: ([^,]+), because", text, re.MULTILINE))


def test_library(tmp_path: Path) -> None:
    text = page(tmp_path, "small", "command", "bytecode", "unpack", "sync")
    compiled = {"wheel_linker", "wheel_linker, bytecode"}
    expected = {
        *((what, who) for what in ("1 wheel", "5 wheels") for who in ("wheel_linker", "uv")),
        ("install one wheel", "wheel_linker"),
        ("install one wheel", "uv"),
        ("start", "python -c pass"),
        ("start", 'python -c "import wheel_linker"'),
        *((what, who) for what in ("hardlink", "first import") for who in compiled),
        ("hardlink", "uv --compile-bytecode"),
        ("unpack", "pip, compiling"),
        *((what, who) for what in ("nine wheels", "one wheel") for who in ("wheel_linker", "uv")),
        *((what, who) for what in ("unchanged", "one changed") for who in ("wheel_linker", "uv")),
    }
    assert expected <= rows(text)
    # The extra may be missing here, and file systems may have no clones.
    assert lacking(text) <= {"fast", "clone"}
    assert re.search(r"^\d+ of \d+ are met\.$", text, re.MULTILINE)
    assert list(tmp_path.iterdir()) == []


def test_tools(tmp_path: Path) -> None:
    text = page(tmp_path, "tools")
    locked = ("wheel_linker sync", "wheel_linker pip install", "uv pip sync", "pip --no-compile")
    resolved = ("wheel_linker pip install", "uv pip install", "pip --no-compile")
    expected = {
        *(("locked", who) for who in locked),
        *(("resolved", who) for who in resolved),
        ("second environment of tox", "tox"),
        ("second environment of tox", "wheel_linker, tox"),
    }
    assert expected <= rows(text)
    assert lacking(text) <= {"tox-uv"}
    assert list(tmp_path.iterdir()) == []
