"""Locked input: wheels that are named with their hashes are looked up in the store, and no resolver is needed."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Final

from wheel_linker._compat.named_tuple import NamedTuple
from wheel_linker._wheel.filename import WheelFilename
from wheel_linker.install.asking import kept_in
from wheel_linker.install.interpreter import describe
from wheel_linker.integrations.pip.wanted import NotLockedError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from wheel_linker.install.interpreter import Interpreter
    from wheel_linker.integrations.pip.resolved import Project
    from wheel_linker.integrations.pip.running import RunPip
    from wheel_linker.integrations.pip.wanted import Lock, Wanted
    from wheel_linker.store import StoredWheel, WheelStore

# What pip takes for the address of a file of requirements.
_ADDRESS: Final = re.compile("(?:https?|file):", re.IGNORECASE)


def obtain_locked(
    lock: str | os.PathLike[str],
    *,
    python: str | os.PathLike[str],
    store: WheelStore,
    extras: Collection[str] = (),
    groups: Collection[str] | None = None,
    pip_args: Sequence[str] = (),
    run: RunPip | None = None,
) -> list[StoredWheel]:
    """Return unpacked wheels of what a lock file names for an interpreter.

    With everything in the store, no pip is started: each wheel is found by its SHA-256.

    :param lock: a ``pylock.toml`` (PEP 751), or a requirements file in which each requirement is pinned by ``==`` and
        has hashes.
    :param python: the interpreter that the wheels are for.
    :param store: where wheels are looked for, and kept.
    :param extras: the extras that are wanted; of a ``pylock.toml`` only.
    :param groups: the dependency groups that are wanted, by default the lock's own default; of a ``pylock.toml`` only.
    :param pip_args: further arguments for pip, which fetches what is missing.
    :param run: as for :func:`resolve`.
    :returns: unpacked wheels, in the lock's order.
    :raises NotLockedError: if a requirement is not pinned, has no hash, or is a project in a directory or in version
        control.
    :raises WheelLinkerError: if the file is missing, is none of the two, or is not for this interpreter.
    :raises PipError: if pip cannot fetch what is missing.
    """
    path, interpreter = os.fspath(lock), described(python, store)
    read = read_lock(path, interpreter, extras, groups)
    if read.projects:
        raise NotLockedError(
            f"{path!r} has {read.projects[0]!r}, which is no wheel or sdist:"
            f" install it by: wheel-linker sync {path}"
        )
    return _files_of(read, python, Finder(store, interpreter), store, pip_args, run)


class Obtained(NamedTuple):
    """What a lock comes to."""

    wheels: Sequence[StoredWheel]
    direct_urls: Mapping[str, Mapping[str, object]] = {}
    """What ``direct_url.json`` says of those that were named by an address (PEP 610)."""
    projects: Mapping[str, Project] = {}
    """The projects that are to be installed in place, by their normalised names."""


def obtain_with_projects(
    lock: str | os.PathLike[str],
    *,
    python: str | os.PathLike[str],
    store: WheelStore,
    extras: Collection[str] = (),
    groups: Collection[str] | None = None,
    run: RunPip | None = None,
) -> Obtained:
    """Return what a lock file names, projects in directories and in version control included.

    The parameters and errors are those of :func:`obtain_locked`. pip builds the wheels of projects, each time.
    """
    interpreter = described(python, store)
    read = read_lock(os.fspath(lock), interpreter, extras, groups)
    wheels = _files_of(read, python, Finder(store, interpreter), store, (), run)
    return _with_projects(wheels, read, python, store, run) if read.projects else Obtained(wheels)


def _files_of(
    read: Lock,
    python: str | os.PathLike[str],
    finder: Finder,
    store: WheelStore,
    pip_args: Sequence[str],
    run: RunPip | None,
) -> list[StoredWheel]:
    """Return the wheels of what a lock names with a SHA-256."""
    wanted = read.wanted
    found = {one.name: finder.find(one) for one in wanted}
    missing = [one for one in wanted if found[one.name] is None]
    if missing:
        from tempfile import TemporaryDirectory

        from wheel_linker.integrations.pip.resolved import fetch_wheels

        with TemporaryDirectory(prefix="wheel_linker-pip-") as directory:
            lines = [*read.options, *(one.line for one in missing)]
            paths = fetch_wheels(lines, python=python, into=directory, index=pip_args, run=run)
            names = [one.name for one in missing]
            found.update(zip(names, store.add_all([paths[name] for name in names])))
    return [wheel for wheel in (found[one.name] for one in wanted) if wheel is not None]


def _with_projects(
    wheels: Sequence[StoredWheel],
    read: Lock,
    python: str | os.PathLike[str],
    store: WheelStore,
    run: RunPip | None,
) -> Obtained:
    from wheel_linker.integrations.pip.resolved import project_of, resolve_lines, wheels_of

    chosen = resolve_lines([*read.options, *read.projects], python=python, run=run)
    linked = [one for one in chosen if not one.editable]
    built = wheels_of(linked, python=python, store=store, options=read.options, run=run)
    return Obtained(
        [*wheels, *built],
        {one.name: one.direct_url for one in linked if one.direct_url is not None},
        {one.name: project_of(one) for one in chosen if one.editable},
    )


def described(python: str | os.PathLike[str], store: WheelStore) -> Interpreter:
    """Ask an interpreter for its markers and tags; the answer is kept in the store, if that may be."""
    return describe(python, kept_in=kept_in(store))


def read_lock(
    path: str,
    interpreter: Interpreter,
    extras: Collection[str] = (),
    groups: Collection[str] | None = None,
) -> Lock:
    """Return what a lock names for an interpreter.

    The errors are those of :func:`obtain_locked`.
    """
    if _ADDRESS.match(path):
        raise NotLockedError(f"{path!r} has to be fetched: give the path of a file")
    if path.endswith(".toml"):
        from wheel_linker.integrations.pip.pylock import read_pylock

        return read_pylock(path, interpreter, extras, groups)
    from wheel_linker.integrations.pip.requirements_file import read_requirements

    return read_requirements(path, interpreter)


class Finder:
    """Finds in a store what locks name.

    :param store: the store.
    :param interpreter: what the wheels are for.
    """

    def __init__(self, store: WheelStore, interpreter: Interpreter) -> None:
        self._store = store
        self._rank: dict[str, int] = {tag: place for place, tag in enumerate(interpreter.tags)}

    def find(self, wanted: Wanted) -> StoredWheel | None:
        """Return the best of the wheels that would do and that the store has.

        A wheel of another distribution, or version, is none of them, though the lock has its digest.
        """
        best: StoredWheel | None = None
        lowest = len(self._rank)
        for digest in wanted.digests:
            wheel = self._store.find(digest)
            if wheel is None or not _is_of(filename_of(wheel), wanted):
                continue
            missing = len(self._rank)
            place = min(
                (self._rank.get(tag, missing) for tag in filename_of(wheel).tags()), default=missing
            )
            if place < lowest:
                best, lowest = wheel, place
        return best


def filename_of(wheel: StoredWheel) -> WheelFilename:
    """Return what a wheel of the store is called, which was taken apart when it was found."""
    assert isinstance(wheel.filename, WheelFilename)
    return wheel.filename


def _is_of(filename: WheelFilename, wanted: Wanted) -> bool:
    if filename.name != wanted.name:
        return False
    return wanted.version is None or fulfils(filename.version_text, wanted.version)


def fulfils(version: str, pinned: str) -> bool:
    """Tell whether a version is one that ``==`` asks for."""
    if version == pinned:
        return True
    from packaging.specifiers import SpecifierSet

    try:
        return SpecifierSet(f"=={pinned}").contains(version, prereleases=True)
    except ValueError:  # one of them is no version, or has more digits than Python reads
        return False
