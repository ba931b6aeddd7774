"""A Debian in a directory, with wine in it, made once and kept outside of the checkout."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

MIRROR: Final = "http://deb.debian.org/debian"
SUITE: Final = "trixie"  # its wine is of version 10; version 8 of bookworm loses handles
HERE: Final = Path(__file__).parent

_PREFIX: Final = "/opt/prefix"
_ENVIRONMENT: Final = {
    "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LC_ALL": "C.UTF-8",
    "DEBIAN_FRONTEND": "noninteractive",
    "XDG_RUNTIME_DIR": "/tmp",
    "WINEPREFIX": _PREFIX,
    "WINEDEBUG": "-all",
    # No desktop, no menus, and no offer to install .NET or a browser.
    "WINEDLLOVERRIDES": "winex11.drv,winewayland.drv,winemenubuilder.exe,mscoree,mshtml=",
}
# Its mounts and its processes end with it, however it ends.
_CONTAINED: Final = (
    *("setpriv", "--pdeathsig", "KILL"),
    *("unshare", "--mount", "--pid", "--fork", "--kill-child"),
)
_ENTER: Final = """
root=$1 directory=$2
shift 2
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
exec chroot "$root" sh -c 'cd "$0" && exec "$@"' "$directory" "$@"
"""


class NotPossibleError(Exception):
    """This machine cannot have such a system; says what it lacks."""


class Machine:
    """A Debian in a directory.

    :ivar root: the directory.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def inside(self, path: str) -> Path:
        """Return where an absolute path of the machine lies on this one."""
        return self.root / path.lstrip("/")

    def run(
        self,
        command: Sequence[str],
        *,
        directory: str = "/",
        environment: Mapping[str, str] | None = None,
        capture: bool = False,
    ) -> str:
        """Run a command in the machine, and end with it whatever it has started.

        :param capture: whether its output is returned instead of shown.
        :raises subprocess.CalledProcessError: if it fails.
        """
        done = subprocess.run(
            [*_CONTAINED, "sh", "-euc", _ENTER, "sh", os.fspath(self.root), directory, *command],
            env={**_ENVIRONMENT, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if capture else None,
            stderr=subprocess.STDOUT if capture else None,
            text=True,
            errors="replace",
            check=False,
        )
        if done.returncode:
            raise subprocess.CalledProcessError(done.returncode, command, done.stdout)
        return done.stdout or ""

    def install(self, *packages: str) -> None:
        """Install packages of Debian."""
        self.run(
            ["apt-get", "install", "-qq", "--yes", "--no-install-recommends", *packages],
            capture=True,
        )
        self.run(["apt-get", "clean"])


def cache() -> Path:
    """Return where systems are kept."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "wheel_linker-systems"


def kept(name: str, recipe: Sequence[Path], make: Callable[[Machine], None]) -> Machine:
    """Return the machine of that name, made by ``make`` if it is not there, or was made by another recipe.

    :param recipe: the files that say how it is made.
    :raises NotPossibleError: if this user or this machine cannot make one.
    """
    check()
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in recipe)).hexdigest()[:12]
    wanted = cache() / f"{name}-{digest}"
    if not wanted.is_dir():
        for old in cache().glob(f"{name}-*"):
            _remove(old)
        part = cache() / f"{name}-{digest}.part"
        part.mkdir(parents=True)
        _debootstrap(part)
        make(Machine(part))
        part.rename(wanted)
    return Machine(wanted)


def _remove(old: Path) -> None:
    """Remove a system, or the lock that was beside it."""
    if old.is_dir():
        shutil.rmtree(old)
    else:
        old.unlink()


def check() -> None:
    """Tell whether this user on this machine can have a machine.

    :raises NotPossibleError: if not.
    """
    if sys.platform == "win32" or os.geteuid() != 0:
        raise NotPossibleError("needs root, for chroot(2)")
    missing = [tool for tool in ("debootstrap", "unshare") if _which(tool) is None]
    if missing:
        raise NotPossibleError(
            f"needs {' and '.join(missing)}: apt-get install {' '.join(missing)}"
        )


def _which(tool: str) -> str | None:
    return shutil.which(tool, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin")


def _debootstrap(root: Path) -> None:
    tool = _which("debootstrap")
    assert tool is not None
    command = [tool, "--variant=minbase", SUITE, os.fspath(root), MIRROR]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, **_ENVIRONMENT}
    )
    if done.returncode:
        raise NotPossibleError(f"debootstrap failed: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    sources = root / "etc/apt/sources.list.d/sources.list"
    sources.write_text(f"deb-src {MIRROR} {SUITE} main\n", encoding="utf-8")
