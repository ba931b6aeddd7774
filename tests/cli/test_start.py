"""What a process of the command line need not do when a small wheel is in the store already."""

from __future__ import annotations

import subprocess
import sys
import venv
from typing import TYPE_CHECKING

import pytest
from wheels import make_wheel, zip_wheel

from cli.kit import ENVIRONMENT

if TYPE_CHECKING:
    from pathlib import Path

pytest.importorskip("installer")

ASKED = "an interpreter"
NOT_NEEDED = {ASKED, "installer", "email.message", "packaging.tags"}
CODE = """
import subprocess, sys

class Popen(subprocess.Popen):
    def __init__(self, *given, **others):
        sys.modules["an interpreter"] = None
        super().__init__(*given, **others)

subprocess.Popen = Popen
from wheel_linker._cli.main import main
code = main(sys.argv[1:])
print(*sorted(sys.modules), sep=", ")
sys.exit(code)
"""


def loaded(*arguments: object) -> set[str]:
    """Run a command; return the modules that it has loaded, and whether it has asked an interpreter."""
    done = subprocess.run(
        [sys.executable, "-c", CODE, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=True,
        env={**ENVIRONMENT, "NO_COLOR": "1"},
    )
    return set(done.stdout.splitlines()[-1].split(", "))


@pytest.mark.parametrize("others", [[], ["--reinstall"]])
def test_no_interpreter_is_asked_again_and_nothing_loaded_for_launchers(
    tmp_path: Path, others: list[str]
) -> None:
    environment = tmp_path / "environment"
    venv.create(environment, symlinks=sys.platform != "win32")
    wheel = zip_wheel(make_wheel(tmp_path / "w", {"one.py": b"pass\n"}), tmp_path)
    options = ["--store", tmp_path / "store", "--python", environment, *others]
    # The first makes the store, the second keeps there what it was told.
    for _ in range(2):
        assert ASKED in loaded("install", wheel, *options)
    assert loaded("install", wheel, *options) & NOT_NEEDED == set()
    # Another environment in the same place is another matter.
    configuration = environment / "pyvenv.cfg"
    configuration.write_text(configuration.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    assert ASKED in loaded("install", wheel, *options)
