"""Filling an environment lot by lot, and bringing it up to date when something else is wanted."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from wheel_linker._compat.named_tuple import NamedTuple
from wheel_linker._log import log
from wheel_linker._wheel.filename import normalised
from wheel_linker._wheel.tree import NotAsUnpackedError
from wheel_linker.cache_key import environment_cache_key
from wheel_linker.errors import WheelLinkerError, refused
from wheel_linker.integrations._filling.lots import (
    Chosen,
    Filled,
    Lot,
    Notes,
    joined,
    key_of,
    read_notes,
    write_notes,
)
from wheel_linker.integrations._filling.memory import interpreter_of
from wheel_linker.store.wheel_store import looking_late

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from wheel_linker.install import Layout
    from wheel_linker.integrations._filling.memory import Memory
    from wheel_linker.integrations.pip.arguments import Arguments
    from wheel_linker.integrations.pip.locked import Obtained
    from wheel_linker.integrations.pip.running import RunPip
    from wheel_linker.mode import Modes
    from wheel_linker.store import StoredWheel, WheelStore

_SEEDS: Final = frozenset({"pip", "setuptools", "wheel"})
# What says what a project requires.
_DECLARING: Final = ("pyproject.toml", "setup.cfg", "setup.py")
_REQUIREMENTS: Final = (".txt", ".in")


class Means(NamedTuple):
    """What an environment is filled with the help of."""

    store: WheelStore
    memory: Memory
    run: RunPip | None = None
    """What runs pip."""
    mode: Modes = None
    """How wheels are linked."""
    variables: Mapping[str, str] = {}
    """The environment variables that pip is run with, as far as they are its own."""
    root: str = os.curdir
    """The directory that pip is run in."""
    rebuilt: bool = False
    """Whether projects that are named by their directories are built each time."""
    anew: bool = False
    """Whether what was found out by other processes does not count."""
    compiled: bool = False
    """Whether the store's bytecode comes along."""


class GoneError(WheelLinkerError):
    """A wheel that an environment has is in the store no more, and the environment has to change."""


class _Asked(NamedTuple):
    """What pip is to be asked."""

    key: str
    arguments: Arguments
    locked: Callable[[WheelStore], Obtained] | None
    lasting: bool
    """Whether the answer will hold the next time."""


class Filling:
    """The filling of one environment, lot by lot, always in the same order.

    A lot that is as it was costs nothing. When one has changed, the environment loses what came with this lot and with
    those after it, and is then filled again: what stays the same is left alone.

    :param python: the environment's interpreter.
    :param note: the file in the environment in which its lots are noted.
    :ivar means: what it is filled with the help of.
    """

    def __init__(self, python: str, note: str, means: Means) -> None:
        self._python = python
        self._note = note
        self.means = means
        self._position = 0
        self._known: Layout | None = None
        self._looks_first = False

    @property
    def layout(self) -> Layout:
        """The environment."""
        from wheel_linker.install import Layout

        if self._known is None:
            from wheel_linker.install.asking import kept_in

            self._known = Layout.for_python(self._python, kept_in=kept_in(self.means.store))
        return self._known

    def require(
        self,
        name: str,
        given: Sequence[str],
        lines: Sequence[str] = (),
        locked: Callable[[WheelStore], Obtained] | None = None,
        *,
        exact: bool = False,
    ) -> bool:
        """Have what requirements need in the environment.

        :param name: what this lot is called.
        :param given: arguments of ``pip install``.
        :param lines: what the files say that are named in them.
        :param locked: finds the same in a store without a resolver; a :exc:`NotLockedError` from it leaves that to pip.
        :param exact: whether what else is in the environment goes, earlier lots too, except for pip and what comes with
            it.
        :returns: whether anything had to be done.
        :raises WheelLinkerError: if they cannot be had.
        """
        from wheel_linker.integrations.pip.arguments import ISOLATED, parse
        from wheel_linker.integrations.pip.settings import settings_of

        arguments = parse(given)
        settings = settings_of(self._python, isolated=arguments.has(ISOLATED))
        # What lies on this machine may be another file, or be built anew, the next time.
        local = _local([*arguments.all, *lines], self.means.root)
        key = key_of(arguments.all, list(lines), _stamps(local), self._variables(), settings)
        if self.means.rebuilt and any(os.path.isdir(path) for path in _built(arguments, local)):
            key = key_of(key, os.urandom(8).hex())
        asked = _Asked(key, arguments, locked, lasting=not local)
        return self._fill(name, key, lambda base: self._resolved(asked, base), exact=exact)

    def place(self, name: str, key: str, put: Callable[[], Sequence[str]]) -> bool:
        """Have something in the environment that a function puts there.

        :param name: what this lot is called.
        :param key: another text when something else is to be put there.
        :param put: returns the names of the distributions.
        :returns: whether anything had to be done.
        :raises WheelLinkerError: if it cannot be put there.
        """
        return self._fill(name, key, lambda _: Lot((), tuple(put())))

    def _fill(
        self,
        name: str,
        key: str,
        lot_after: Callable[[Sequence[Filled]], Lot],
        *,
        exact: bool = False,
    ) -> bool:
        """Fill a lot; what the store has is looked at when it is linked.

        If something is not as it was unpacked, all is looked at first, and what is damaged counts as missing.
        """
        try:
            return self._filled(name, key, lot_after, exact=exact)
        except NotAsUnpackedError as error:
            log("%s: looking at all of these wheels first", error)
        self._looks_first = True
        try:
            # Whatever this lot has begun, it has not come to its end.
            return self._filled(name, key, lot_after, exact=exact, begun=True)
        finally:
            self._looks_first = False

    def _filled(
        self,
        name: str,
        key: str,
        lot_after: Callable[[Sequence[Filled]], Lot],
        *,
        exact: bool,
        begun: bool = False,
    ) -> bool:
        notes = self._notes(exact)
        if exact:
            self._position = 0  # what was put there before, by this run too, is not named
        base, before = notes.filled[: self._position], notes.filled[self._position :]
        if before and (before[0].name, before[0].key) == (name, key) and not begun:
            if exact:
                self._sync(notes.seeds, notes.filled)
            self._position += 1
            return False
        if before or exact or begun:
            # If this is interrupted, the next run begins with this lot again.
            self._write(Notes(notes.seeds, base))
            self._sync(notes.seeds, base)
        lot = lot_after(base)
        filled = (*base, Filled(name, key, lot))
        if lot.wheels:
            self._sync(notes.seeds, filled)
        self._write(Notes(notes.seeds, filled))
        self._position += 1
        return True

    def _notes(self, exact: bool) -> Notes:
        notes = read_notes(self._note)
        if notes is None:
            from wheel_linker.install import installed

            there = {one.name for one in installed(self.layout)}
            notes = Notes(tuple(sorted(there & _SEEDS if exact else there)), ())
        if len(notes.filled) < self._position:
            # The environment was made anew meanwhile.
            self._position, self._known = 0, None
        return notes

    def _write(self, notes: Notes) -> None:
        with refused(f"note what is in the environment, in {self._note!r}", destination=self._note):
            write_notes(self._note, notes)

    def _resolved(self, asked: _Asked, base: Sequence[Filled]) -> Lot:
        """Return the lot that requirements come to, in an environment that holds those before it."""
        if not asked.arguments.all:
            return Lot()
        means = self.means
        lots = [one.lot for one in base]
        key = key_of(asked.key, interpreter_of(self._python), lots, self._there())

        def ask() -> Lot:
            return self._found(asked)

        lot = means.memory.lot(key, ask, lasting=asked.lasting, anew=means.anew)
        store = self._store()
        if any(store.find(one.digest) is None for one in lot.wheels):
            means.memory.forget(key)
            lot = means.memory.lot(key, ask, lasting=asked.lasting, anew=True)
        if lot.editable:
            self._install_editable(lot.editable, asked.arguments)
        return lot

    def _found(self, asked: _Asked) -> Lot:
        """Find out what requirements come to, and have its wheels in the store."""
        from wheel_linker.integrations.pip.wanted import NotLockedError

        if asked.locked is not None:
            try:
                return _lot_of(asked.locked(self._store()))
            except NotLockedError as error:
                log("asking pip: %s", error)
        return self._found_by_pip(asked.arguments)

    def _found_by_pip(self, arguments: Arguments) -> Lot:
        from wheel_linker.integrations.pip.named_files import options_of
        from wheel_linker.integrations.pip.resolved import (
            project_of,
            resolve,
            wheels_of,
            with_settings,
        )

        run, store = self.means.run, self._store()
        chosen = resolve(
            [], python=self._python, pip_args=arguments.all, ignore_installed=False, run=run
        )
        chosen = with_settings(chosen, arguments.all, self.means.root)
        linked = [one for one in chosen if not one.editable]
        wheels = wheels_of(
            linked,
            python=self._python,
            store=store,
            index=arguments.fetching,
            options=options_of(arguments.all, self.means.root),
            run=run,
        )
        found = tuple(
            Chosen(wheel.digest, one.name, one.requested, one.direct_url)
            for one, wheel in zip(linked, wheels)
        )
        editable = [one for one in chosen if one.editable]
        return Lot(found, tuple(one.name for one in editable), tuple(map(project_of, editable)))

    def _install_editable(self, editable: Sequence[Sequence[str]], arguments: Arguments) -> None:
        from wheel_linker.integrations.pip.named_files import options_of
        from wheel_linker.integrations.pip.resolved import Project, install_editable

        install_editable(
            [Project(*one) for one in editable],
            python=self._python,
            index=arguments.fetching,
            options=options_of(arguments.all, self.means.root),
            run=self.means.run,
        )

    def _sync(self, seeds: Sequence[str], lots: Sequence[Filled]) -> None:
        """Have exactly these lots in the environment, and what was there from the beginning."""
        from wheel_linker.install import sync_wheels

        chosen = joined(lots)
        wheels = []
        store = self._store()
        for one in chosen.values():
            wheel = store.find(one.digest)
            if wheel is None:
                raise GoneError(
                    f"the wheel of {one.name!r} is in the store no more: make the environment "
                    f"of {self._python!r} anew"
                )
            wheels.append(wheel)
        sync_wheels(
            wheels,
            self.layout,
            keep=[*seeds, *(name for one in lots for name in one.lot.others)],
            store=self.means.store,
            mode=self.means.mode,
            compile_bytecode=self.means.compiled,
            requested=[one.name for one in chosen.values() if one.requested],
            direct_urls={
                one.name: one.direct_url for one in chosen.values() if one.direct_url is not None
            },
        )

    def _store(self) -> WheelStore:
        """Return the store, for wheels that are linked next."""
        return self.means.store if self._looks_first else looking_late(self.means.store)

    def _there(self) -> list[str]:
        from wheel_linker.install import installed

        return sorted(f"{one.name}=={one.version}" for one in installed(self.layout))

    def _variables(self) -> dict[str, str]:
        return {
            name: value
            for name, value in self.means.variables.items()
            if name.upper().startswith("PIP_")
        }


def _lot_of(obtained: Obtained) -> Lot:
    names = [_name(one) for one in obtained.wheels]
    chosen = (
        Chosen(one.digest, name, True, obtained.direct_urls.get(name))
        for one, name in zip(obtained.wheels, names)
    )
    return Lot(tuple(chosen), tuple(obtained.projects), tuple(obtained.projects.values()))


def _name(wheel: StoredWheel) -> str:
    return normalised(str(wheel.filename).partition("-")[0])


def _local(words: Sequence[str], root: str) -> list[str]:
    """Return the paths of what requirements name on this machine, files of requirements left out."""
    named = (one.removeprefix("-e ").rpartition(" @ ")[2] for one in words)
    paths = (one.removeprefix("file:").removeprefix("//").partition("[")[0] for one in named)
    found = (os.path.join(root, one) for one in paths if not one.startswith("-"))
    return [one for one in found if os.path.exists(one) and not one.endswith(_REQUIREMENTS)]


def _built(arguments: Arguments, local: Sequence[str]) -> list[str]:
    """Return those of some local paths that are not editable."""
    editable = {os.path.normpath(one.partition("[")[0]) for one in arguments.editable}
    return [one for one in local if os.path.normpath(one) not in editable]


def _stamps(paths: Sequence[str]) -> str:
    """Return what changes when an archive is built anew, or a project says another thing of itself."""
    files = [
        os.path.join(path, name) if name else path for path in paths for name in ("", *_DECLARING)
    ]
    there = [path for path in files if os.path.isfile(path)]
    times = [os.stat(path).st_mtime_ns for path in there]
    return environment_cache_key(there, interpreter={"times": times})
