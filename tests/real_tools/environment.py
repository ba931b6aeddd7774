"""A virtual environment, and commands that are run in it or on it."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from pathlib import Path
from typing import Final

from wheel_linker.install import Layout

TIMEOUT: Final = 500
_CONFIGURATION: Final = ("PIP_", "UV_", "PYTHON", "VIRTUAL_ENV", "COVERAGE_")


class CommandError(Exception):
    """A command failed; the text is what it said."""


class Environment:
    """A virtual environment without anything, not even pip."""

    def __init__(self, root: Path) -> None:
        self.root = root
        venv.create(root, clear=True, symlinks=os.name != "nt")
        scripts = root / ("Scripts" if os.name == "nt" else "bin")
        self.python = os.fspath(scripts / ("python.exe" if os.name == "nt" else "python"))
        self.layout = Layout.for_python(self.python)
        # What belongs to nobody, and so stays.
        Path(self.layout.schemes["purelib"], "bystander.py").write_text("BYSTANDER = 1\n")

    def script(self, name: str) -> str:
        """Return the path of a script."""
        suffix = ".exe" if os.name == "nt" else ""
        return os.path.join(self.layout.schemes["scripts"], name + suffix)


def run(
    *command: str | os.PathLike[str],
    codes: frozenset[int] = frozenset({0}),
    configured: bool = False,
) -> str:
    """Run a command; return what it printed.

    :param codes: what it may return.
    :param configured: whether the user's configuration counts.
    :raises CommandError: if it returns anything else.
    """
    words = list(map(os.fsdecode, command))
    done = subprocess.run(
        words,
        env=dict(os.environ) if configured else _environ(),
        capture_output=True,
        check=False,
        encoding="utf-8",
        errors="replace",
        stdin=subprocess.DEVNULL,
        timeout=TIMEOUT,
    )
    if done.returncode not in codes:
        said = f"{done.stdout}\n{done.stderr}"[-2000:]
        raise CommandError(f"{' '.join(words)[:400]} returned {done.returncode}: {said}")
    return done.stdout


def _environ() -> dict[str, str]:
    """Return the environment variables without those that configure a tool."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith(_CONFIGURATION)}
    return {**kept, "PYTHONUTF8": "1", "NO_COLOR": "1", "COLUMNS": "200"}


def pip(environment: Environment, *arguments: str | os.PathLike[str]) -> list[str]:
    """Return the words of a command of the tests' own pip, on an environment."""
    start = [sys.executable, "-m", "pip", "--isolated", "--disable-pip-version-check"]
    return [*start, "--python", environment.python, *map(os.fsdecode, arguments)]


def uv(environment: Environment, *arguments: str | os.PathLike[str]) -> list[str]:
    """Return the words of a command of uv, on an environment."""
    from uv import find_uv_bin

    cache = environment.root.parent / "uv-cache"
    options = ["--no-config", "--offline", "--color", "never", "--cache-dir", os.fspath(cache)]
    start = [os.fspath(find_uv_bin()), *options, "pip"]
    command, *others = map(os.fsdecode, arguments)
    return [*start, command, "--python", environment.python, *others]
