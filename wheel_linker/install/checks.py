"""Checking an environment, and mending it from a store."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, NamedTuple

from wheel_linker._api import link_options
from wheel_linker._wheel.record import NOTES
from wheel_linker.errors import WheelLinkerError
from wheel_linker.install._changes.given import own_filename
from wheel_linker.install._changes.unchanged import is_unchanged, is_version
from wheel_linker.install._present.checking import FileProblem, file_problems
from wheel_linker.install._present.distributions import find_distributions
from wheel_linker.install._present.installed import InstalledDistribution, installed
from wheel_linker.install._present.requirements import MissingRequirement, missing_requirements
from wheel_linker.install.installing import InstallOptions, change
from wheel_linker.install.interpreter import describe
from wheel_linker.install.plan import Notes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wheel_linker._link.locks import Locks
    from wheel_linker._wheel.unpacked import UnpackedWheel
    from wheel_linker.install.layout import Layout
    from wheel_linker.install.report import InstallReport
    from wheel_linker.mode import Modes
    from wheel_linker.store import WheelStore
    from wheel_linker.store._entry.entry import Entry

REQUESTED: Final = NOTES[1]


class RepairReport(NamedTuple):
    """What became of an environment that was to be mended."""

    installed: tuple[InstallReport, ...]
    """What was installed again."""
    not_in_store: tuple[InstalledDistribution, ...]
    """What is wrong still, for the store has no wheel of that version."""


class EnvironmentReport(NamedTuple):
    """What is wrong about an environment."""

    layout: Layout
    """The environment."""
    files: tuple[FileProblem, ...]
    """Files that are not as their ``RECORD`` says, and files in packages that nobody has recorded, by path."""
    incomplete: tuple[InstalledDistribution, ...]
    """Distributions whose ``RECORD`` is missing, empty or damaged, so that nothing can be told of their files."""
    requirements: tuple[MissingRequirement, ...]
    """Requirements that nothing installed fulfils, by name."""
    store: WheelStore | None = None
    """Where :meth:`repair` looks for wheels, if it is not told."""

    def is_sound(self) -> bool:
        """Tell whether nothing is wrong."""
        return not (self.files or self.incomplete or self.requirements)

    def broken(self) -> tuple[InstalledDistribution, ...]:
        """Return the distributions that have files that are not right, or nothing to tell by, by name."""
        names = {problem.distribution for problem in self.files if problem.distribution}
        names |= {one.name for one in self.incomplete}
        return tuple(one for one in installed(self.layout) if one.name in names)

    def repair(
        self,
        *,
        store: WheelStore | None = None,
        mode: Modes = None,
        locks: Locks | None = None,
    ) -> RepairReport:
        """Install again, from wheels of a store, what has files that are not right: all of it, or nothing.

        Files that nobody has recorded stay, and so do requirements that are missing.

        :param store: where the wheels are; by default the one that was given when the environment was checked.
        :param mode: as for :func:`install_wheel`.
        :param locks: as for :func:`install_wheel`.
        :raises WheelLinkerError: if there is no store.
        :raises LinkError: as for :func:`install_wheels`.
        """
        used = self.store if store is None else store
        if used is None:
            raise WheelLinkerError(
                "cannot repair without a store: give the WheelStore that has the wheels, store=..."
            )
        entries = used.entries()
        found: dict[str, UnpackedWheel] = {}
        lost = []
        for one in self.broken():
            wheel = None if one.editable else _wheel_of(one, self.layout, used, entries)
            if wheel is None:
                lost.append(one)
            else:
                found[one.name] = wheel
        by_name = {one.name: one for one in self.broken()}
        how = link_options(mode, locks, None, None, None, None)
        options = InstallOptions(
            lambda name: _notes(by_name[name]), "ignore", compile_bytecode=False
        )
        done = change(list(found.values()), self.layout, how, options) if found else None
        return RepairReport(tuple(done.installed) if done else (), tuple(lost))


def _notes(one: InstalledDistribution) -> Notes:
    """Return the notes that a distribution has."""
    requested = os.path.lexists(os.path.join(one.path, REQUESTED))
    return Notes(one.installer or "wheel-linker", requested, one.direct_url)


def _wheel_of(
    one: InstalledDistribution, layout: Layout, store: WheelStore, entries: Sequence[Entry]
) -> UnpackedWheel | None:
    """Return the wheel that a distribution was installed from, by its ``RECORD``; or one of its version."""
    alike = [
        entry
        for entry in entries
        if entry.filename.name == one.name and is_version(one.version, entry.filename)
    ]
    wheels = [wheel for entry in alike if (wheel := store.find(entry.digest)) is not None]
    found = [each for each in find_distributions(layout) if each.path == one.path]
    for wheel in wheels:
        if found and is_unchanged(found[0], wheel, own_filename(wheel)):
            return wheel
    return wheels[0] if len(wheels) == 1 else None


def check_environment(layout: Layout, store: WheelStore | None = None) -> EnvironmentReport:
    """Compare what is installed with what its ``RECORD`` files say, and its requirements with what is there.

    Every file is read, and its hash compared. Bytecode may come and go.

    :param layout: the environment.
    :param store: where :meth:`EnvironmentReport.repair` is to look for wheels.
    :raises LinkError: if what is installed cannot be read, or the interpreter cannot be asked for its markers.
    """
    problems, untold = file_problems(layout)
    environment = describe(layout.python).environment
    missing = missing_requirements(layout, environment)
    return EnvironmentReport(layout, tuple(problems), tuple(untold), tuple(missing), store)
