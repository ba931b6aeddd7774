"""Checking an environment, and mending it from a store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wheel_linker._compat.named_tuple import NamedTuple
from wheel_linker.errors import WheelLinkerError

if TYPE_CHECKING:
    from wheel_linker._link.locks import Locks
    from wheel_linker.install._present.installed import InstalledDistribution
    from wheel_linker.install.layout import Layout
    from wheel_linker.install.report import FileProblem, MissingRequirement, RepairReport
    from wheel_linker.mode import Modes
    from wheel_linker.store import WheelStore


class EnvironmentReport(NamedTuple):
    """What is wrong about an environment."""

    layout: Layout
    """The environment."""
    files: tuple[FileProblem, ...]
    """Files that are not as their ``RECORD`` says, and files in packages that nobody has recorded, by path."""
    incomplete: tuple[InstalledDistribution, ...]
    """Distributions whose ``RECORD`` is missing, empty or damaged, or says that somebody is changing them or was killed
    over that: nothing can be told of their files."""
    requirements: tuple[MissingRequirement, ...]
    """Requirements that nothing installed fulfils, by name."""
    store: WheelStore | None = None
    """Where :meth:`repair` looks for wheels, if it is not told."""

    def is_sound(self) -> bool:
        """Tell whether nothing is wrong."""
        return not (self.files or self.incomplete or self.requirements)

    def broken(self) -> tuple[InstalledDistribution, ...]:
        """Return the distributions that have files that are not right, or nothing to tell by, by name."""
        from wheel_linker.install._present.installed import installed

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
        :returns: what was installed again, and what the store has no wheel of.
        :raises WheelLinkerError: if there is no store.
        :raises LinkError: as for :func:`install_wheels`.
        :raises ValueError: for an unknown mode, or an empty chain.
        """
        used = self.store if store is None else store
        if used is None:
            raise WheelLinkerError(
                "cannot repair without a store: give the WheelStore that has the wheels, store=..."
            )
        from wheel_linker.install._changes.repairing import install_again

        return install_again(self.broken(), self.layout, used, mode, locks)


def check_environment(layout: Layout, store: WheelStore | None = None) -> EnvironmentReport:
    """Compare what is installed with what its ``RECORD`` files say, and its requirements with what is there.

    Every file is read, and its hash compared. Bytecode may come and go.

    :param layout: the environment.
    :param store: where :meth:`EnvironmentReport.repair` is to look for wheels.
    :returns: what is not as it was installed, and which requirements are missing.
    :raises LinkError: if what is installed cannot be read, or the interpreter cannot be asked for its markers.
    """
    from wheel_linker.install._present.checking import file_problems
    from wheel_linker.install._present.requirements import missing_requirements
    from wheel_linker.install.interpreter import describe

    problems, untold = file_problems(layout)
    environment = describe(layout.python).environment
    missing = missing_requirements(layout, environment)
    return EnvironmentReport(layout, tuple(problems), tuple(untold), tuple(missing), store)
