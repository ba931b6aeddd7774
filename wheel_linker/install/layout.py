"""Where the parts of a distribution go in an environment."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Final

from wheel_linker._compat.named_tuple import NamedTuple
from wheel_linker._fs.paths import is_same, is_within, possible
from wheel_linker._log import log
from wheel_linker.errors import LinkError
from wheel_linker.install.asking import SAY, base_of, executable, identity, kept_answer, no_python

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from wheel_linker._fs.folder import Parts

SCHEMES: Final = ("purelib", "platlib", "headers", "scripts", "data")
"""The installation schemes of the binary distribution format."""
# What sysconfig calls the default scheme is what pip installs into, on Debian and Fedora too. In a virtual
# environment headers do not go to the base interpreter, as sysconfig says, but to where pip puts them.
_BEGINNING: Final = """
import importlib.util, os, sys, sysconfig
launcher = "posix"
if os.name == "nt":
    machine = sysconfig.get_platform()
    known = {"win-amd64": "win-amd64", "win-arm64": "win-arm64", "win-arm32": "win-arm"}
    launcher = known.get(machine, "win-ia32")
version = "%d.%d" % sys.version_info[:2]
magic, tag = importlib.util.MAGIC_NUMBER.hex(), sys.implementation.cache_tag
bytecode = "%s-%s" % (tag, magic) if tag else ""
"""
_QUESTION: Final = (
    _BEGINNING
    + """
name = getattr(sysconfig, "get_default_scheme", None) or sysconfig._get_default_scheme
paths = sysconfig.get_paths(name())
headers = paths["include"]
managed = os.path.join(sysconfig.get_path("stdlib"), "EXTERNALLY-MANAGED")
if sys.prefix != sys.base_prefix:
    headers = os.path.join(sys.prefix, "include", "site", "python" + version)
    managed = ""
answer = [sys.executable or "", version, os.name, launcher, managed if os.path.exists(managed) else "", bytecode]
answer.extend([paths["purelib"], paths["platlib"], headers, paths["scripts"], paths["data"]])
"""
)
# The same, of virtual environments at a place that is named. The scheme "venv", which is that of all of them, came with
# Python 3.11; what is before it has to be asked in each environment.
_OF_ENVIRONMENTS: Final = (
    _BEGINNING
    + """
answer, place = [""], sys.argv[1]
if sys.prefix == sys.base_prefix and "venv" in sysconfig.get_scheme_names():
    paths = sysconfig.get_paths("venv", {"base": place, "platbase": place})
    headers = os.path.join(place, "include", "site", "python" + version)
    answer = ["", version, os.name, launcher, "", bytecode]
    answer.extend([paths["purelib"], paths["platlib"], headers, paths["scripts"], paths["data"]])
"""
)
# What an interpreter says that does not know where environments have their files, as none does before Python 3.11.
_UNKNOWN: Final = [""]
_PLACE: Final = "{environment}"
_WHAT: Final = "directories"
_OF_ALL: Final = "environments"
_answers: dict[tuple[object, ...], Layout] = {}


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
    """The absolute paths of the directories for ``purelib``, ``platlib``, ``headers``, ``scripts`` and ``data``.

    Headers go into a directory below theirs that has the distribution's normalised name.
    """
    externally_managed: str | None = None
    """The file by which another package manager says that the environment is its own (PEP 668); None without one."""
    bytecode: str | None = None
    """The cache tag and magic number of the interpreter's bytecode; None if that is not known, or it keeps none."""

    @classmethod
    def for_python(
        cls, python: str | os.PathLike[str], *, kept_in: str | os.PathLike[str] | None = None
    ) -> Layout:
        """Ask an interpreter for its layout, in one subprocess; the answer is kept as long as the file is the same.

        :param python: the path of an interpreter, such as that of a virtual environment, or the name of one on PATH.
        :param kept_in: a directory where the answer is kept for other processes, too; by default in memory only.
        :returns: the interpreter's layout.
        :raises LinkError: if it is missing, cannot be run, or does not answer as a Python should.
        """
        path = executable(os.fsdecode(python))
        key = identity(path)
        directory = None if kept_in is None else os.fsdecode(kept_in)
        # No lock: threads that come at once may ask twice, while a lock would stay locked in the child of a fork(2)
        # that another thread makes meanwhile.
        known = _answers.get(key)
        return known if known is not None else _answers.setdefault(key, _ask(path, directory))

    @classmethod
    def for_target(
        cls, directory: str | os.PathLike[str], *, python: str | os.PathLike[str] | None = None
    ) -> Layout:
        """Return the flat layout: packages in the directory itself, scripts in ``bin`` and headers in ``include``.

        :param directory: made when something is installed.
        :param python: the interpreter that scripts are started with; by default the running one.
        :raises LinkError: as :meth:`for_python`, or if the directory's path is empty or has a NUL byte.
        """
        asked = cls.for_python(sys.executable if python is None else python)
        root = os.path.abspath(possible(os.fsdecode(directory), "use an environment"))
        below = {"headers": "include", "scripts": "bin"}
        schemes = {scheme: os.path.join(root, below.get(scheme, "")) for scheme in SCHEMES}
        return asked._replace(
            schemes={name: path.rstrip(os.sep) or path for name, path in schemes.items()},
            externally_managed=None,
        )

    def bytecode_tag(self) -> str | None:
        """Return the cache tag and magic number of the interpreter's bytecode; it is asked if they are not known.

        :returns: None for an interpreter that keeps no bytecode.
        :raises LinkError: as :meth:`for_python`.
        """
        if self.bytecode is not None:
            return self.bytecode
        return Layout.for_python(self.python).bytecode

    def resolved(self) -> Layout:
        """Return the same layout with all symlinks in its directories resolved, once for a whole call.

        :raises LinkError: if something in it cannot be a path.
        """
        if self.python:  # an embedded interpreter may not know its own path
            possible(self.python, "use an environment")
        real = _real(self.schemes.values())
        return self._replace(schemes={scheme: real[path] for scheme, path in self.schemes.items()})

    def directory(self, scheme: str, distribution: str) -> str:
        """Return where files of a scheme go; no symlinks are on the way if the layout is :meth:`resolved`.

        :param scheme: one of the keys of :attr:`schemes`.
        :param distribution: its normalised name, which is that of the directory for its headers.
        """
        path = self.named_directory(scheme, distribution)
        return os.path.realpath(path) if scheme == "headers" else path

    def named_directory(self, scheme: str, distribution: str) -> str:
        """Return the same without resolving a symlink; the parameters are those of :meth:`directory`."""
        path = self.schemes[scheme]
        return os.path.join(path, distribution) if scheme == "headers" else path

    def libraries(self) -> list[str]:
        """Return the directories where distributions are, symlinks resolved: one, or two.

        Of two paths of one directory, such as ``lib64`` mounted in the place of ``lib``, the first counts.
        """
        return list(self.named_libraries())

    def named_libraries(self) -> dict[str, str]:
        """Return the same, each with the path that this layout has for it."""
        found: dict[str, str] = {}
        libraries = (self.schemes["purelib"], self.schemes["platlib"])
        for path, real in _real(libraries).items():
            if not any(real == other or is_same(real, other) for other in found):
                found[real] = path
        return found

    def roots(self) -> list[str]:
        """Return the directories that files of distributions may be in, symlinks resolved, the deepest first.

        That of headers is not among them where it is part of that for data: made for the first headers, it goes with
        the last.
        """
        return roots_of(self.resolved().schemes)


def roots_of(schemes: Mapping[str, str]) -> list[str]:
    """Return what :meth:`Layout.roots` does, for directories whose symlinks are resolved."""
    paths = {scheme: schemes[scheme] for scheme in SCHEMES}
    if is_within(paths["headers"], paths["data"]):
        del paths["headers"]
    return sorted(set(paths.values()), key=lambda path: (-path.count(os.sep), path))


def root_of(path: str, roots: Iterable[str]) -> tuple[str, Parts] | None:
    """Return the deepest of an environment's directories that a file lies in, and where; None if it lies outside.

    :param roots: the deepest first.
    """
    for root in roots:
        prefix = os.path.join(root, "")
        if os.path.normcase(path).startswith(os.path.normcase(prefix)):
            return root, tuple(path[len(prefix) :].split(os.sep))
    return None


def _real(paths: Iterable[str]) -> dict[str, str]:
    """Return each path with its symlinks resolved: several schemes often have the same, and resolving costs.

    :raises LinkError: if one cannot be a path.
    """
    doing = "use an environment"
    return {path: os.path.realpath(possible(path, doing)) for path in dict.fromkeys(paths)}


def _ask(path: str, kept_in: str | None) -> Layout:
    found = None if kept_in is None else _known_of_base(path, kept_in)
    if found is not None:
        return found
    said = kept_answer(path, _QUESTION + SAY, (), _WHAT, kept_in)
    try:
        return _layout(path, said)
    except ValueError as error:
        raise no_python(path, _WHAT, f"it answered {said!r}") from error


def _known_of_base(path: str, kept_in: str) -> Layout | None:
    """Return the layout of a virtual environment by what its base interpreter said once of all that it is the base of.

    Starting an interpreter for each new environment would take longer than linking a small one.
    """
    base = base_of(path)
    if base is None:
        return None
    try:
        said = kept_answer(base, _OF_ENVIRONMENTS + SAY, (_PLACE,), _OF_ALL, kept_in)
        if said == _UNKNOWN:
            return None
        found = _layout(path, said)
    except (LinkError, ValueError) as error:
        log("asking the environment itself: %s", error)
        return None
    place = os.path.dirname(os.path.dirname(path))
    schemes = {name: place + one.removeprefix(_PLACE) for name, one in found.schemes.items()}
    return found._replace(schemes=schemes)


def _layout(path: str, said: Sequence[str]) -> Layout:
    """Return what an interpreter said as a layout.

    :raises ValueError: if it is none.
    """
    python, version, os_name, launcher, managed, tag, *paths = said
    major, minor = map(int, version.split("."))
    schemes = dict(zip(SCHEMES, paths, strict=True))
    return Layout(
        python or path, (major, minor), os_name, launcher, schemes, managed or None, tag or None
    )
