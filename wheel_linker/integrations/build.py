"""Isolated environments for the front end ``build``, linked from a store of unpacked wheels."""

from __future__ import annotations

import os
import tarfile
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final, Literal

from wheel_linker.errors import WheelLinkerError
from wheel_linker.integrations._filling.filling import Filling, Means
from wheel_linker.integrations._filling.lots import NOTES_FILE
from wheel_linker.integrations._filling.memory import Memory
from wheel_linker.integrations._filling.user_store import shared_store

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from types import TracebackType

    from typing_extensions import Self

    from wheel_linker.mode import Modes
    from wheel_linker.store import WheelStore

__all__ = ["LinkedEnv", "build_distributions"]

Kind = Literal["sdist", "wheel"]
_PREFIX: Final = "build-env-"
# What requirements came to in this process, for all environments that it makes.
_memory: Final = Memory()


class LinkedEnv:
    """An isolated environment for ``build``: what ``build.env.IsolatedEnv`` describes.

    It is a virtual environment without pip, made when it is entered and removed when it is left. What it is to have is
    resolved by pip, once for each set of requirements in one process, and linked.

    :param store: a store, or its directory; by default the one in this user's cache directory.
    :param pip_args: further arguments of ``pip install``, such as ``["--index-url", ...]``.
    :param mode: how files are linked; as for :func:`~wheel_linker.link_wheels`.
    :raises WheelLinkerError: when entered, if no store is given and there is none for this user.
    """

    def __init__(
        self,
        *,
        store: WheelStore | str | os.PathLike[str] | None = None,
        pip_args: Sequence[str] = (),
        mode: Modes = None,
    ) -> None:
        self._store = store
        self._pip_args = tuple(pip_args)
        self._mode = mode

    def __enter__(self) -> Self:
        import venv

        means = Means(self._opened(), _memory, mode=self._mode, variables=dict(os.environ))
        self._directory = TemporaryDirectory(prefix=_PREFIX)
        try:
            # It gets no pip, whose installation would take longer than all the rest.
            root = os.path.realpath(self._directory.name)
            venv.EnvBuilder(symlinks=os.name != "nt").create(root)
            python = "Scripts/python.exe" if os.name == "nt" else "bin/python"
            note = os.path.join(root, NOTES_FILE)
            self._filling = Filling(os.path.join(root, os.path.normpath(python)), note, means)
        except BaseException:
            self._directory.cleanup()
            raise
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self._directory.cleanup()

    @property
    def python_executable(self) -> str:
        """The environment's interpreter."""
        return self._filling.layout.python

    def make_extra_environ(self) -> Mapping[str, str]:
        """Return the environment variables, by name, that a back end is run with besides those of this process."""
        path = (self._filling.layout.schemes["scripts"], os.environ.get("PATH", os.defpath))
        return {"PATH": os.pathsep.join(path), "PYTHONPATH": ""}

    def install(
        self,
        requirements: Collection[str],
        constraints: Collection[str | os.PathLike[str]] = (),
    ) -> None:
        """Have requirements, and what these require, in the environment.

        :param requirements: as in ``[build-system]``.
        :param constraints: files, as for ``pip install -c``.
        :raises PipError: if pip cannot resolve, fetch or build them; what it said went to standard error.
        :raises WheelLinkerError: if they cannot be linked.
        """
        if not requirements:
            return
        files = [word for file in constraints for word in ("-c", os.fspath(file))]
        self._filling.require("build", [*sorted(requirements), *files, *self._pip_args])

    def _opened(self) -> WheelStore:
        from wheel_linker.store import WheelStore

        given = self._store
        return given if isinstance(given, WheelStore) else shared_store(given)


def build_distributions(
    project: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    kinds: Sequence[Kind] = (),
    config_settings: Mapping[str, str | list[str]] | None = None,
    store: WheelStore | str | os.PathLike[str] | None = None,
    pip_args: Sequence[str] = (),
    mode: Modes = None,
) -> list[str]:
    """Build a project's distributions, as ``python -m build`` does.

    :param project: its directory.
    :param out: the directory for what is built.
    :param kinds: ``"sdist"``, ``"wheel"`` or both; by default an sdist, and a wheel of that.
    :param config_settings: for the back end.
    :param store: as for :class:`LinkedEnv`.
    :param pip_args: as for :class:`LinkedEnv`.
    :param mode: as for :class:`LinkedEnv`.
    :returns: the paths of what was built.
    :raises WheelLinkerError: if the project cannot be built, or what that takes cannot be had.
    """
    from build import BuildBackendException, BuildException

    def build(source: str, kind: Kind) -> str:
        with LinkedEnv(store=store, pip_args=pip_args, mode=mode) as env:
            return _built(env, source, kind, os.fspath(out), config_settings)

    source = os.fspath(project)
    try:
        if kinds:
            return [build(source, kind) for kind in kinds]
        sdist = build(source, "sdist")
        with TemporaryDirectory(prefix="build-via-sdist-") as directory:
            return [sdist, build(_unpacked(sdist, directory), "wheel")]
    except (BuildException, BuildBackendException, OSError, tarfile.TarError) as error:
        raise WheelLinkerError(f"cannot build {source!r}: {error}") from error


def _built(
    env: LinkedEnv,
    source: str,
    kind: Kind,
    out: str,
    settings: Mapping[str, str | list[str]] | None,
) -> str:
    from build import ProjectBuilder

    builder = ProjectBuilder.from_isolated_env(env, source)
    env.install(builder.build_system_requires)
    env.install(builder.get_requires_for_build(kind, settings or {}))
    return builder.build(kind, out, settings or {})


def _unpacked(sdist: str, directory: str) -> str:
    """Unpack an sdist that was built here, and return its one directory."""
    from wheel_linker.integrations._filling.sdist import extract

    extract(sdist, directory)
    (name,) = os.listdir(directory)
    return os.path.join(directory, name)
