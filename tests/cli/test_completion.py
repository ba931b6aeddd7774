"""The command ``wheel-linker completion``: what a shell completes with its script."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from cli.kit import run, run_without

if TYPE_CHECKING:
    from pathlib import Path

# Completes the last of some words, as bash does when the tabulator is pressed.
COMPLETE = """
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=()
_shtab_wheel_linker
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["un"], {"uninstall"}),
        (["store", "pr"], {"prune"}),
        (["install", "--mo"], {"--mode"}),
        (["install", "--mode", "h"], {"hardlink"}),
        (["store", "verify", "--d"], {"--deep"}),
    ],
)
def test_bash_completes(tmp_path: Path, words: list[str], expected: set[str]) -> None:
    pytest.importorskip("shtab")
    script = tmp_path / "completion"
    script.write_text(run("completion", "bash").stdout)
    done = subprocess.run(
        ["bash", "--norc", "-c", COMPLETE, "bash", script, "wheel-linker", *words],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert set(done.stdout.split()) == expected


def test_wheels_are_files_and_stores_are_directories() -> None:
    pytest.importorskip("shtab")
    script = run("completion", "zsh").stdout
    assert script.startswith("#compdef wheel-linker")
    (store,) = {line.rpartition("]")[2] for line in script.splitlines() if '"--store[' in line}
    assert store == ':DIR:_files -/"'
    wheels = [line for line in script.splitlines() if "an unpacked wheel, or a .whl file" in line]
    assert all(line.rstrip().endswith(':_files"') for line in wheels)
    assert wheels


def test_needs_a_library() -> None:
    done = run_without("shtab", "completion", "bash")
    assert done.returncode == 1
    assert "install wheel-linker[cli]" in done.stderr


def test_another_shell() -> None:
    done = run("completion", "fish")
    assert done.returncode == 2
    assert "'fish'" in done.stderr
    assert "zsh" in done.stderr
