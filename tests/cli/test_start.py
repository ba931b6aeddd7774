"""What a process of the command line need not do when a small wheel is in the store already."""

from __future__ import annotations

import subprocess
import sys
import venv
from typing import TYPE_CHECKING, Any

import pytest
from wheels import make_wheel, zip_wheel

from cli.kit import ENVIRONMENT
from wheel_linker._cli import main

if TYPE_CHECKING:
    from pathlib import Path

pytest.importorskip("installer")

ASKED = "an interpreter"
NOT_NEEDED = {ASKED, "installer", "email.message", "packaging", "json"}
if sys.implementation.name == "cpython":
    NOT_NEEDED.add("hashlib")
LAUNCHER = {"demo-1.0.dist-info/entry_points.txt": b"[console_scripts]\none = one:run\n"}
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
@pytest.mark.parametrize("more", [{}, LAUNCHER], ids=["plain", "with a launcher"])
def test_no_interpreter_is_asked_again_and_nothing_loaded_for_launchers(
    tmp_path: Path, others: list[str], more: dict[str, bytes]
) -> None:
    if more and sys.platform == "win32":
        pytest.skip("launchers of Windows are programs, which installer has")
    environment = tmp_path / "environment"
    venv.create(environment, symlinks=sys.platform != "win32")
    wheel = zip_wheel(make_wheel(tmp_path / "w", {"one.py": b"pass\n", **more}), tmp_path)
    options = ["--store", tmp_path / "store", "--python", environment, *others]
    # The first makes the store, the second keeps there what it was told.
    for _ in range(2):
        assert ASKED in loaded("install", wheel, *options)
    assert loaded("install", wheel, *options) & NOT_NEEDED == set()
    # Another environment in the same place is another matter: here one with a copy of the interpreter.
    venv.create(environment, clear=True, symlinks=False)
    assert ASKED in loaded("install", wheel, *options)
    assert ASKED not in loaded("install", wheel, *options)
    configuration = environment / "pyvenv.cfg"
    configuration.write_text(configuration.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    assert ASKED in loaded("install", wheel, *options)


def test_what_is_registered_for_the_exit_is_done(tmp_path: Path) -> None:
    """The program ends without taking the interpreter apart."""
    code = (
        "import atexit, sys\n"
        "atexit.register(print, 'at exit')\n"
        "from wheel_linker.__main__ import main\n"
        "main()\n"
        "print('never')\n"
    )
    for arguments, status in ((["probe", str(tmp_path), str(tmp_path)], 0), (["probe"], 2)):
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments],
            capture_output=True,
            text=True,
            check=False,
            env=ENVIRONMENT,
        )
        assert (done.returncode, done.stdout.splitlines()[-1]) == (status, "at exit"), done.stderr


@pytest.mark.parametrize("late", ["wheel_linker._cli.main", "argparse"])
def test_ctrl_c_while_the_command_line_is_imported(tmp_path: Path, late: str) -> None:
    code = (
        "import sys\n"
        "class Finder:\n"
        "    def find_spec(name, path=None, target=None):\n"
        "        if name == sys.argv[1]:\n"
        "            raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Finder)\n"
        "from wheel_linker.__main__ import main\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, late, "list", "--target", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        env=ENVIRONMENT,
    )
    line = "wheel-linker: interrupted: everything is as it was before\n"
    assert (done.returncode, done.stdout, done.stderr) == (130, "", line)


def test_only_the_command_that_is_asked_for_has_a_parser(monkeypatch: pytest.MonkeyPatch) -> None:
    """To make those of the others takes longer than installing a small wheel."""
    made: list[str] = []

    class Parser(main._Parser):
        def __init__(self, **options: Any) -> None:
            super().__init__(**options)
            made.append(self.prog)

    monkeypatch.setattr(main, "_Parser", Parser)
    assert main._parsed(["probe", "one", "two"]).source == "one"
    assert made == ["wheel-linker probe"]
