"""Interpreters that no Debian has any more, or never had: this machine's own, lent to a system."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

VERSIONS: Final = ("3.10", "3.12")
"""Of those that are supported; bookworm has 3.11, trixie 3.13, forky 3.14, sid 3.15."""
# Debian's own places, where a system has files of its own.
_NOT_LENT: Final = "/usr"


def prefix_of(version: str) -> Path | None:
    """Return the directory of this machine's interpreter, with all that belongs to it; None if there is none."""
    for python in _found(version):
        ask = [python, "-c", "import sys; print(sys.base_prefix)"]
        done = subprocess.run(ask, check=False, capture_output=True, text=True)
        prefix = done.stdout.strip()
        if done.returncode == 0 and prefix != _NOT_LENT:
            return Path(prefix)
    return None


def _found(version: str) -> Iterator[str]:
    name = f"python{version}"
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    yield from map(os.fspath, pyenv.glob(f"versions/{version}.*/bin/{name}"))
    # The shims of pyenv answer for the selected one only.
    if (path := shutil.which(name)) is not None:
        yield path
