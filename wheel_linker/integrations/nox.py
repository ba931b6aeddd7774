"""Functions for noxfiles: they link what a session needs from a store of unpacked wheels."""

from __future__ import annotations

import logging
import os
import shutil
from typing import TYPE_CHECKING, Final
from weakref import WeakKeyDictionary

from wheel_linker.errors import WheelLinkerError
from wheel_linker.integrations._filling.filling import Filling, Means
from wheel_linker.integrations._filling.lots import NOTES_FILE
from wheel_linker.integrations._filling.memory import Memory
from wheel_linker.integrations._filling.user_store import shared_store

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from nox import Session
    from nox.virtualenv import ProcessEnv

    from wheel_linker.integrations.pip.locked import Obtained
    from wheel_linker.mode import Modes
    from wheel_linker.store import WheelStore

__all__ = ["install", "sync"]

# What requirements came to in this run of nox, for all of its sessions.
_memory: Final = Memory()
_fillings: Final[WeakKeyDictionary[ProcessEnv, Filling]] = WeakKeyDictionary()


def install(
    session: Session,
    *requirements: str,
    env: Mapping[str, str] | None = None,
    silent: bool = True,
    store: str | os.PathLike[str] | None = None,
    mode: Modes = None,
) -> None:
    """Have requirements, and what these require, in a session's environment, as ``session.install`` does.

    pip resolves, once for each set of requirements and interpreter in one run of nox. In an environment that is reused
    nothing is done if nothing else is asked for than the last time; what is asked for no longer goes. A project that is
    named by its directory is built each time, unless it is editable.

    :param session: the session.
    :param requirements: arguments of ``pip install``, such as ``"rich>=13"``, ``"-r"``, ``"requirements.txt"``.
    :param env: environment variables for pip and for the back ends that it runs.
    :param silent: whether what pip says is shown only if it fails.
    :param store: the directory of the store, by default in this user's cache directory.
    :param mode: how files are linked; as for :func:`~wheel_linker.link_wheels`.

    If something fails, the session ends with an error of nox.
    """
    if not requirements:
        session.error("at least one requirement is needed")
    run = _run_by(session, env, silent=silent)
    if (filling := _ready(session, store, mode, run)) is None:
        return
    lines = [*_lines(requirements), *map(str, sorted((env or {}).items()))]
    _filled(session, lambda: filling.require("install", requirements, lines))


def sync(
    session: Session,
    lock: str | os.PathLike[str],
    *,
    extras: Collection[str] = (),
    groups: Collection[str] | None = None,
    store: str | os.PathLike[str] | None = None,
    mode: Modes = None,
) -> None:
    """Have exactly what a lock file names in a session's environment, besides pip and what is installed afterwards.

    With everything in the store no pip is started.

    :param session: the session.
    :param lock: a ``pylock.toml`` (PEP 751), or a requirements file. Where it does not have a hash for everything, pip
        resolves.
    :param extras: the extras that are wanted; of a ``pylock.toml`` only.
    :param groups: the dependency groups that are wanted; of a ``pylock.toml`` only.
    :param store: as for :func:`install`.
    :param mode: as for :func:`install`.

    If something fails, the session ends with an error of nox.
    """
    path = os.fspath(lock)
    run = _run_by(session)
    if (filling := _ready(session, store, mode, run)) is None:
        return

    def locked(used: WheelStore) -> Obtained:
        from wheel_linker.integrations.pip.locked import obtain_with_projects
        from wheel_linker.integrations.pip.wanted import NotLockedError

        python = filling.layout.python
        try:
            return obtain_with_projects(
                path, python=python, store=used, extras=extras, groups=groups, run=run
            )
        except NotLockedError as error:
            if path.endswith(".toml"):
                raise WheelLinkerError(str(error)) from error
            raise

    def fill() -> bool:
        chosen = [f"extras: {sorted(extras)}", f"groups: {groups and sorted(groups)}"]
        given = ["-r", path]
        lines = [*_lines(given), *_directories(path), *chosen]
        return filling.require("sync", given, lines, locked, exact=True)

    _filled(session, fill)


def _directories(lock: str) -> list[str]:
    """Return the directories of projects that a ``pylock.toml`` names: they are looked at each time."""
    if not lock.endswith(".toml"):
        return []
    from wheel_linker.integrations.pip.pylock import directories_of

    return directories_of(lock)


def _filled(session: Session, fill: Callable[[], bool]) -> None:
    try:
        if fill():
            session.log("linked what was missing or out of date")
        else:
            session.log("nothing to link: everything is as it was")
    except (ImportError, OSError, ValueError, WheelLinkerError) as error:
        session.error(str(error))


def _ready(
    session: Session,
    store: str | os.PathLike[str] | None,
    mode: Modes,
    run: Callable[[Sequence[str]], int],
) -> Filling | None:
    """Return what fills a session's environment; None if nox is told not to install anything."""
    _tell_only_warnings(session)
    environment = session.virtualenv
    if session.venv_backend == "none":
        session.error(
            f"session {session.name} has no virtual environment (venv_backend is 'none'), and nothing is installed "
            "into the one that nox runs in"
        )
    runner = session._runner  # noqa: SLF001 - the one way to learn of --no-install
    if runner.global_config.no_install and environment._reused:  # noqa: SLF001
        return None
    python = shutil.which("python", path=session.bin)
    if python is None:
        session.error(f"there is no Python in {session.bin}")
    variables = {**os.environ, **session.env}
    try:
        means = Means(
            store=shared_store(store),
            memory=_memory,
            run=run,
            mode=mode,
            variables={name: text for name, text in variables.items() if text is not None},
            rebuilt=True,
        )
    except (ImportError, OSError, WheelLinkerError) as error:
        session.error(str(error))
    if environment not in _fillings:
        _fillings[environment] = Filling(
            python, os.path.join(environment.location, NOTES_FILE), means
        )
    filling = _fillings[environment]
    filling.means = means
    return filling


def _tell_only_warnings(session: Session) -> None:
    """Keep notes for debugging out of what nox says, which shows those of every library, unless it is to say more."""
    logger = logging.getLogger("wheel_linker")
    if logger.level == logging.NOTSET and not session._runner.global_config.verbose:  # noqa: SLF001
        logger.setLevel(logging.WARNING)


def _run_by(
    session: Session, env: Mapping[str, str] | None = None, *, silent: bool = True
) -> Callable[[Sequence[str]], int]:
    def run(command: Sequence[str]) -> int:
        session.run_install(*command, env=env, external=True, silent=silent)
        return 0

    return run


def _lines(given: Sequence[str]) -> list[str]:
    """Return what the files of requirements say that are named, and those named there."""
    from wheel_linker.integrations.pip.named_files import lines_of

    return lines_of(given)
