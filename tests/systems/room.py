"""A system in use: what is written there goes to a directory of its own, and is gone afterwards."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import unquote

from filesystems import CHOSEN

from systems.debian import PATH, USER

if TYPE_CHECKING:
    from types import TracebackType

TREE: Final = Path(__file__).resolve().parents[2]

_NOT_COPIED: Final = (
    *(".git", ".venv", ".nox", ".hypothesis", "dist", "_build"),
    *("__pycache__", "*.egg-info", ".*_cache"),
)
_IDS: Final = {"root": 0, USER: 1000}
_HOMES: Final = {"root": "/root", USER: f"/home/{USER}"}
# What tests were asked for; and how this machine reaches the package index, which is nobody's business but its own.
_LENT: Final = re.compile(
    rf"{CHOSEN}|PIP_(?!NO_INDEX)\w+|UV_\w*INDEX\w*|\w+_proxy|\w+_PROXY|SSL_CERT_\w+|\w+_CA_BUNDLE"
)
_CONFIGURATIONS: Final = ("/etc/pip.conf", "/etc/xdg/pip")


class Left(NamedTuple):
    """What a command left behind."""

    mounts: list[str]
    processes: list[str]


class Room:
    """One user's place in a system: a home with a checkout of the project, and a ``/tmp``.

    :param lent: the directory of an interpreter of this machine, which is the first to be found there.
    """

    def __init__(
        self, root: Path, user: str, architecture: str = "", lent: Path | None = None
    ) -> None:
        self.user = user
        self._machine = ["setarch", architecture] if architecture else []
        self.home = _HOMES[user]
        self.checkout = f"{self.home}/project"
        self._root = root
        self._lent = lent
        self._scratch = Path(tempfile.mkdtemp(prefix="wheel_linker-room-"))

    def __enter__(self) -> Room:
        for name in ("upper", "work", "merged", "home", "tmp"):
            (self._scratch / name).mkdir()
        (self._scratch / "tmp").chmod(0o1777)
        # Whoever it is has to get at his files.
        self._scratch.chmod(0o755)
        shutil.copytree(TREE, self.checkout_outside, ignore=shutil.ignore_patterns(*_NOT_COPIED))
        self._lend_configuration()
        self._give_away(self._scratch / "home")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        shutil.rmtree(self._scratch)

    @property
    def checkout_outside(self) -> Path:
        """The checkout, as a path outside of the room."""
        return self._scratch / "home" / "project"

    @property
    def upper(self) -> Path:
        """Where what is installed in the system goes."""
        return self._scratch / "upper"

    def run(self, command: str, log: Path, **environment: str) -> tuple[int, Left]:
        """Run a shell command in the checkout as the user, with standard output and errors appended to ``log``."""
        left = self._scratch / "left.json"
        left.unlink(missing_ok=True)
        order = {
            "root": str(self._merged),
            "user": f"{_IDS[self.user]}:{_IDS[self.user]}",
            "machine": self._machine,
            "command": f"cd {self.checkout} && {command}",
            "environment": {**self._environment(), **environment},
            "mounts": self._mounts(),
            "log": str(log),
            "left": str(left),
        }
        spaces = ["--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
        done = subprocess.run(
            ["unshare", *spaces, sys.executable, "-m", "systems.within"],
            check=False,
            input=json.dumps(order).encode(),
            env={**os.environ, "PYTHONPATH": str(TREE / "tests"), "PYTHONDONTWRITEBYTECODE": "1"},
        )
        if not left.exists():
            raise RuntimeError(f"nothing could be run in {self._root}")
        return done.returncode, Left(**json.loads(left.read_text(encoding="utf-8")))

    def kept(self) -> int:
        """Return how many bytes of the disk are taken outside of the checkout."""
        places = [self._scratch / "upper", self._scratch / "tmp", self._scratch / "home"]
        usage = [
            "du",
            "--summarize",
            "--total",
            "--block-size=1",
            f"--exclude={self.checkout_outside}",
        ]
        done = subprocess.run([*usage, *places], check=True, capture_output=True, text=True)
        return int(done.stdout.splitlines()[-1].split()[0])

    def largest(self, count: int = 8) -> list[str]:
        """Return which directories take most of that, each with its MB."""
        places = [self._scratch / "upper", self._scratch / "tmp", self._scratch / "home"]
        usage = ["du", "--max-depth=4", "--block-size=1M", f"--exclude={self.checkout_outside}"]
        done = subprocess.run([*usage, *places], check=True, capture_output=True, text=True)
        found = [line.split("\t") for line in done.stdout.splitlines()]
        found.sort(key=lambda row: -int(row[0]))
        return [f"{size} {os.path.relpath(path, self._scratch)}" for size, path in found[:count]]

    @property
    def _merged(self) -> Path:
        return self._scratch / "merged"

    def _give_away(self, directory: Path) -> None:
        owner = _IDS[self.user]
        subprocess.run(["chown", "--recursive", f"{owner}:{owner}", directory], check=True)

    def _lend_configuration(self) -> None:
        """Copy pip's configuration of this machine."""
        for path in _CONFIGURATIONS:
            inside = Path(f"{self.upper}{path}")
            inside.parent.mkdir(parents=True, exist_ok=True)
            if os.path.isdir(path):
                shutil.copytree(path, inside)
            elif os.path.exists(path):
                shutil.copyfile(path, inside)

    def _environment(self) -> dict[str, str]:
        lent = {name: value for name, value in os.environ.items() if _LENT.fullmatch(name)}
        path = PATH if self._lent is None else f"{self._lent}/bin:{PATH}"
        usual = {"PATH": path, "HOME": self.home, "LANG": "C.UTF-8", "USER": self.user}
        return {**lent, **usual, "TERM": "dumb", "SHELL": "/bin/sh"}

    def _place_of(self, path: str) -> Path:
        """Return where an absolute path of the system lies on this machine, if it is written to."""
        if path.startswith(f"{self.home}/"):
            return self._scratch / "home" / path[len(self.home) + 1 :]
        return Path(f"{self.upper}{path}")

    def _mounts(self) -> list[list[str]]:
        """Return what is to be mounted, as arguments of mount(8)."""
        layers = f"lowerdir={self._root},upperdir={self.upper},workdir={self._scratch}/work"
        mounts = [
            ["--make-rprivate", "/"],
            ["-t", "overlay", "overlay", "-o", layers, str(self._merged)],
            ["--rbind", "/dev", f"{self._merged}/dev"],
            ["-t", "proc", "proc", f"{self._merged}/proc"],
            ["-t", "sysfs", "sysfs", f"{self._merged}/sys"],
            ["--bind", f"{self._scratch}/tmp", f"{self._merged}/tmp"],
            ["--bind", f"{self._scratch}/home", f"{self._merged}{self.home}"],
        ]
        for path in (*_lent_paths(), *([] if self._lent is None else [str(self._lent)])):
            self._place_of(path).mkdir(parents=True, exist_ok=True)
            mounts.append(["--bind", "-o", "ro", path, f"{self._merged}{path}"])
        return mounts


def _lent_paths() -> list[str]:
    """Return the directories of this machine that pip's configuration names, with what lies beside an index."""
    pip = [sys.executable, "-m", "pip", "config", "list"]
    done = subprocess.run(pip, check=False, capture_output=True, text=True)
    words = re.findall(r"[^\s'\"]+", done.stdout)
    paths = {word for word in words if word.startswith("/") and os.path.isdir(word)}
    indexes = {
        unquote(word.removeprefix("file://")) for word in words if word.startswith("file:///")
    }
    return sorted(paths | {os.path.dirname(index.rstrip("/")) for index in indexes})
