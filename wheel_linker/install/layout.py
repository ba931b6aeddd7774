"""Where the parts of a distribution go in an environment."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Final, NamedTuple

from wheel_linker._fs.paths import is_within
from wheel_linker.errors import LinkError

if TYPE_CHECKING:
    from collections.abc import Mapping

SCHEMES: Final = ("purelib", "platlib", "headers", "scripts", "data")
"""The installation schemes of the binary distribution format."""
_SECONDS: Final = 60
# What sysconfig calls the default scheme is what pip installs into, on Debian and Fedora too. In a virtual
# environment headers do not go to the base interpreter, as sysconfig says, but to where pip puts them.
_QUESTION: Final = """
import os, sys, sysconfig
name = getattr(sysconfig, "get_default_scheme", None) or sysconfig._get_default_scheme
paths = sysconfig.get_paths(name())
headers = paths["include"]
if sys.prefix != sys.base_prefix:
    headers = os.path.join(sys.prefix, "include", "site", "python%d.%d" % sys.version_info[:2])
launcher = "posix"
if os.name == "nt":
    machine = sysconfig.get_platform()
    known = {"win-amd64": "win-amd64", "win-arm64": "win-arm64", "win-arm32": "win-arm"}
    launcher = known.get(machine, "win-ia32")
answer = [sys.executable, "%d.%d" % sys.version_info[:2], os.name, launcher]
answer += [paths["purelib"], paths["platlib"], headers, paths["scripts"], paths["data"]]
sys.stdout.buffer.write(os.fsencode("\\0".join(answer)))
"""
_answers: dict[tuple[object, ...], Layout] = {}
_asking = threading.Lock()


class Layout(NamedTuple):
    """An environment: its interpreter and its directories."""

    python: str
    """The absolute path of the interpreter that scripts are started with."""
    version: tuple[int, int]
    """The interpreter's major and minor version."""
    os_name: str
    """The interpreter's :data:`os.name`."""
    launcher: str
    """The kind of script launchers, as the library ``installer`` names them: ``posix``, ``win-amd64``, ..."""
    schemes: Mapping[str, str]
    """Absolute directories for ``purelib``, ``platlib``, ``headers``, ``scripts`` and ``data``.

    Headers go into a directory below theirs that is called like the distribution, by its normalised name.
    """

    @classmethod
    def for_python(cls, python: str | os.PathLike[str]) -> Layout:
        """Ask an interpreter for its layout, in one subprocess; the answer is kept as long as the file is the same.

        :param python: the path of an interpreter, such as that of a virtual environment, or the name of one on PATH.
        :raises LinkError: if it is missing, cannot be run, or does not answer as a Python should.
        """
        path = executable(os.fsdecode(python))
        key = identity(path)
        with _asking:
            if key not in _answers:
                _answers[key] = _ask(path)
            return _answers[key]

    @classmethod
    def for_target(
        cls, directory: str | os.PathLike[str], *, python: str | os.PathLike[str] | None = None
    ) -> Layout:
        """Return the flat layout: packages in the directory itself, scripts in ``bin`` and headers in ``include``.

        :param directory: made when something is installed.
        :param python: the interpreter that scripts are started with; by default the running one.
        :raises LinkError: as :meth:`for_python`.
        """
        asked = cls.for_python(sys.executable if python is None else python)
        root = os.path.abspath(os.fsdecode(directory))
        below = {"headers": "include", "scripts": "bin"}
        schemes = {scheme: os.path.join(root, below.get(scheme, "")) for scheme in SCHEMES}
        return asked._replace(
            schemes={name: path.rstrip(os.sep) or path for name, path in schemes.items()}
        )

    def resolved(self) -> Layout:
        """Return the same layout with all symlinks in its directories resolved, once for a whole call."""
        real = {scheme: os.path.realpath(path) for scheme, path in self.schemes.items()}
        return self._replace(schemes=real)

    def directory(self, scheme: str, distribution: str) -> str:
        """Return where files of a scheme go; no symlinks are on the way if the layout is :meth:`resolved`.

        :param distribution: its normalised name, which is that of the directory for its headers.
        """
        path = self.schemes[scheme]
        return os.path.realpath(os.path.join(path, distribution)) if scheme == "headers" else path

    def libraries(self) -> list[str]:
        """Return the directories where distributions are, symlinks resolved: one, or two."""
        paths = (os.path.realpath(self.schemes[scheme]) for scheme in ("purelib", "platlib"))
        return list(dict.fromkeys(paths))

    def roots(self) -> list[str]:
        """Return the directories that files of distributions may be in, symlinks resolved, the deepest first.

        That of headers is not among them where it is part of that for data: made for the first headers, it goes with
        the last.
        """
        paths = {scheme: os.path.realpath(self.schemes[scheme]) for scheme in SCHEMES}
        if is_within(paths["headers"], paths["data"]):
            del paths["headers"]
        return sorted(set(paths.values()), key=lambda path: (-path.count(os.sep), path))


def executable(python: str) -> str:
    """Return the absolute path of an interpreter.

    :param python: its path, or its name on PATH.
    :raises LinkError: if there is none of that name.
    """
    if os.path.dirname(python):
        return os.path.abspath(python)
    found = shutil.which(python)
    if found is None:
        raise LinkError(f"no interpreter {python!r} on PATH: give its path")
    return os.path.abspath(found)


def identity(path: str) -> tuple[object, ...]:
    """Return what changes when an interpreter, or the environment around it, is made anew."""
    known: list[object] = [path]
    configuration = os.path.join(os.path.dirname(os.path.dirname(path)), "pyvenv.cfg")
    for file in (path, configuration):
        try:
            status = os.stat(file)
        except OSError:
            continue  # if it is the interpreter that is missing, running it says so
        known += [status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns]
    return tuple(known)


def _ask(path: str) -> Layout:
    doing = f"ask the interpreter {path!r} for its directories"
    try:
        done = subprocess.run(  # noqa: S603 - running it is what was asked for
            [path, "-I", "-c", _QUESTION],
            capture_output=True,
            check=False,
            timeout=_SECONDS,
            stdin=subprocess.DEVNULL,
        )
    except OSError as error:
        raise LinkError.from_os_error(error, doing, destination=path) from error
    except subprocess.TimeoutExpired as error:
        raise LinkError(f"cannot {doing}: no answer in {_SECONDS} seconds") from error
    try:
        executable, version, os_name, launcher, *paths = os.fsdecode(done.stdout).split("\0")
        major, minor = map(int, version.split("."))
        schemes = dict(zip(SCHEMES, paths, strict=True))
        return Layout(executable or path, (major, minor), os_name, launcher, schemes)
    except ValueError as error:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        reason = said[-1] if said else f"it answered {done.stdout[:80]!r}"
        raise LinkError(
            f"cannot {doing}: {reason}; give the path of a Python 3.8 or newer"
        ) from error
