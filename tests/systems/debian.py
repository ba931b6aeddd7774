"""Debian systems from nothing, kept outside of the tree so that they are made once."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

USER: Final = "user"
"""The ordinary user of each system, the first one: 1000."""

_FRESH: Final = ("ca-certificates", "python3", "python3-pip", "python3-venv")
"""What a user has who can follow the README, and nothing else."""
_MARK: Final = "wheel_linker-system.json"
_MOST_DAYS: Final = 14
_DAY: Final = 86400
# Where debootstrap has no script of its own for a suite.
_SCRIPTS: Final = Path("/usr/share/debootstrap/scripts")
PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_QUIET: Final = {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}


class System(NamedTuple):
    """A Debian suite, and what is installed in it beyond the base."""

    suite: str
    architecture: str = ""
    """Nothing for this machine's own."""
    more: tuple[str, ...] = ()
    """Packages beyond what a fresh system has."""
    title: str = ""
    """What sets it apart from the fresh system of that suite."""
    script: str = ""
    """A shell script that makes what Debian has no package of."""

    @property
    def name(self) -> str:
        """Its name, which is that of its directory."""
        return "-".join(part for part in (self.suite, self.architecture, self.title) if part)


def cache() -> Path:
    """Return the directory of the systems; nothing in it belongs to the tree."""
    given = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(given) / "wheel_linker-systems"


def made(system: System) -> Path:
    """Return the root directory of a system, which is made if it is not there, too old, or damaged.

    :raises subprocess.CalledProcessError: if it cannot be made.
    """
    root = cache() / system.name
    cache().mkdir(parents=True, exist_ok=True)
    with _alone(cache() / f".{system.name}.lock"):
        if not _is_whole(root, system):
            _make(root, system)
    return root


@contextlib.contextmanager
def _alone(lock: Path) -> Iterator[None]:
    with lock.open("w") as file:
        if sys.platform != "win32":  # for who checks the types: there are no systems there
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _is_whole(root: Path, system: System) -> bool:
    """Tell whether a system can be taken as it is: finished, young, and every file as Debian has it."""
    try:
        mark = json.loads((root / _MARK).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    young = 0 <= time.time() - mark["made"] < _MOST_DAYS * _DAY
    return young and mark["system"] == _description(system) and _verified(root)


def _verified(root: Path) -> bool:
    check = ["chroot", str(root), "dpkg", "--verify"]
    done = subprocess.run(check, check=False, capture_output=True, text=True)
    # The second column tells a configuration file, which may have been changed.
    changed = [line for line in done.stdout.splitlines() if line[11:12] != "c"]
    return done.returncode == 0 and not changed


def _make(root: Path, system: System) -> None:
    part = root.with_name(f"{root.name}.part")
    for old in (root, part):
        _remove(old)
    if system.title:
        base = made(System(system.suite, system.architecture))
        subprocess.run(["cp", "--archive", "--reflink=auto", base, part], check=True)
        install(part, *system.more)
        if system.script:
            _run_in(part, "sh", "-ec", system.script)
    else:
        _bootstrap(part, system)
    mark = {"made": time.time(), "system": _description(system)}
    (part / _MARK).write_text(json.dumps(mark), encoding="utf-8")
    part.rename(root)


def _bootstrap(part: Path, system: System) -> None:
    """Make a fresh system with an ordinary user."""
    script = _SCRIPTS / system.suite
    subprocess.run(
        [
            *("debootstrap", "--variant=minbase", f"--include={','.join(_FRESH)}"),
            *([f"--arch={system.architecture}"] if system.architecture else []),
            *(system.suite, part, _mirror()),
            # Suites younger than this debootstrap are made as all of late are.
            *([] if script.exists() else [_SCRIPTS / "sid"]),
        ],
        check=True,
        stdout=subprocess.DEVNULL,
        env={**os.environ, **_QUIET},
    )
    _lend_settings(part)
    subprocess.run(
        ["chroot", part, "useradd", "--create-home", "--shell=/bin/sh", USER], check=True
    )


def install(root: Path, *packages: str) -> None:
    """Install Debian packages in a system."""
    for command in (
        ["update", "-qq"],
        ["install", "-qq", "--yes", "--no-install-recommends", *packages],
        ["clean"],
    ):
        _run_in(root, "apt-get", *command)


def _run_in(root: Path, *command: str) -> None:
    usual = {"PATH": PATH, "HOME": "/root", **_QUIET}
    subprocess.run(
        ["chroot", root, *command],
        check=True,
        stdout=subprocess.DEVNULL,
        # Python's own build writes what it found out about the machine there.
        stderr=None if command[0] == "apt-get" else subprocess.DEVNULL,
        env=usual,
    )


def _description(system: System) -> list[object]:
    return [system.suite, system.architecture, *_FRESH, *system.more, system.script]


def _remove(root: Path) -> None:
    if root.exists():
        shutil.rmtree(root)


def _mirror() -> str:
    """Return where apt gets this machine's own packages, or else debootstrap's own idea."""
    form = "$(ORIGIN) $(REPO_URI)"
    done = subprocess.run(
        ["apt-get", "indextargets", "--format", form, "Created-By: Packages"],
        check=False,
        capture_output=True,
        text=True,
    )
    for line in done.stdout.splitlines():
        origin, _, uri = line.partition(" ")
        if origin == "Debian" and "security" not in uri:
            return uri
    return ""


def _lend_settings(root: Path) -> None:
    """Give a system this machine's way to the net: name servers, apt's proxy, the certificates it trusts."""
    _copy("/etc/resolv.conf", root)
    _copy("/etc/hosts", root)
    _copy("/etc/ssl/certs/ca-certificates.crt", root)
    done = subprocess.run(["apt-config", "dump"], check=False, capture_output=True, text=True)
    kept = ("Acquire::http", "Acquire::https", "Acquire::Check-")
    lines = [line for line in done.stdout.splitlines() if line.startswith(kept)]
    settings = root / "etc/apt/apt.conf.d/99-as-outside"
    settings.write_text("\n".join([*lines, ""]), encoding="utf-8")


def _copy(path: str, root: Path) -> None:
    if os.path.exists(path):
        shutil.copyfile(path, f"{root}{path}")
