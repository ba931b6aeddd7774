"""Making an environment hold exactly some wheels, in one step."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

from wheel_linker._compat.named_tuple import NamedTuple
from wheel_linker._fs.destination import leading_to
from wheel_linker._link.sites import sweep_all
from wheel_linker._wheel.filename import WheelFilename, normalised
from wheel_linker.errors import InvalidWheelError, LinkError
from wheel_linker.install._changes.given import own_filename
from wheel_linker.install._changes.litter import littered
from wheel_linker.install._changes.unchanged import start_of_scripts, unchanged
from wheel_linker.install._present.distributions import find_distributions, is_left_over
from wheel_linker.install._present.installed import described
from wheel_linker.install.installing import change, foreseen
from wheel_linker.install.plan import plan
from wheel_linker.install.report import SyncReport

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from wheel_linker._link.options import LinkOptions
    from wheel_linker._wheel.unpacked import UnpackedWheel
    from wheel_linker.install._changes.unchanged import Unchanged
    from wheel_linker.install._present.distributions import Distribution
    from wheel_linker.install.installing import Change, InstallOptions
    from wheel_linker.install.layout import Layout
    from wheel_linker.install.plan import Plan

# An attempt fails only if somebody else changes the environment at that moment.
_ATTEMPTS: Final = 10


class _MeanwhileError(Exception):
    """Somebody has changed what was to be left alone."""


class Decision(NamedTuple):
    """What has to be done, by what was there when it was looked at."""

    wheels: Sequence[UnpackedWheel]
    """The wheels that are to be installed."""
    kept: Sequence[Distribution]
    unchanged: Mapping[str, Unchanged]
    """What is left alone because it is as its wheel would make it, by name."""
    surplus: Sequence[Distribution]

    def look_again(self, layout: Layout) -> list[Distribution]:
        """Return what is installed now, without reading again what is left alone.

        :raises _MeanwhileError: if somebody has changed that.
        """
        if not all(one.is_still_so() for one in self.unchanged.values()):
            raise _MeanwhileError
        same = [one.distribution for one in self.unchanged.values()]
        found = find_distributions(layout, {(one.library, one.entry): one for one in same})
        if sum(one.name in self.unchanged for one in found) != len(same):
            raise _MeanwhileError
        return found


class Wanted(NamedTuple):
    """What an environment is to hold."""

    wheels: Mapping[str, UnpackedWheel]
    """The wheels by normalised name."""
    filenames: Mapping[str, WheelFilename]
    keep: AbstractSet[str]

    @classmethod
    def of(cls, given: Sequence[UnpackedWheel], keep: Collection[str]) -> Wanted:
        """Make one of wheels, and names of what else may stay.

        :raises InvalidWheelError: if two wheels are of the same distribution.
        """
        wheels: dict[str, UnpackedWheel] = {}
        filenames: dict[str, WheelFilename] = {}
        for wheel in given:
            name = own_filename(wheel)
            if name.name in wheels:
                raise InvalidWheelError(
                    f"cannot install {filenames[name.name]} and {name} at once: both are {name.name}; give one of them"
                )
            wheels[name.name], filenames[name.name] = wheel, name
        return cls(wheels, filenames, set(map(normalised, keep)))

    def surplus(self, installed: Sequence[Distribution]) -> list[Distribution]:
        """Return what has to go because nobody wants it."""
        stays = self.wheels.keys() | self.keep
        return [one for one in installed if one.name not in stays and not is_left_over(one)]

    def decide(self, layout: Layout, how: LinkOptions, options: InstallOptions) -> Decision:
        """Compare with what is installed."""

        def planned(wheel: UnpackedWheel) -> Plan:
            resolved = layout.resolved()
            above = leading_to(resolved.schemes["purelib"])
            return plan(wheel, resolved, layout, above, how, options.notes)

        present: dict[str, list[Distribution]] = {}
        for one in find_distributions(layout):
            present.setdefault(one.name, []).append(one)
        same: dict[str, Unchanged] = {}
        scripts = start_of_scripts(layout)
        for name, wheel in self.wheels.items():
            found = present.get(name, [])
            if len(found) != 1:
                continue
            left_alone = unchanged(found[0], wheel, self.filenames[name], scripts, planned)
            if left_alone is not None:
                same[name] = left_alone
        everything = [one for found in present.values() for one in found]
        # A wheel that is given takes the place of what has its name, though that name may stay.
        stays = same.keys() | (self.keep - self.wheels.keys())
        return Decision(
            [wheel for name, wheel in self.wheels.items() if name not in same],
            [one for one in everything if one.name in stays],
            same,
            self.surplus(everything),
        )


def sync(
    given: Sequence[UnpackedWheel],
    layout: Layout,
    keep: Collection[str],
    how: LinkOptions,
    options: InstallOptions,
) -> SyncReport:
    """Make an environment hold exactly some wheels; what the public call says of it holds here."""
    with ExitStack() as held:
        for wheel in given:
            held.enter_context(wheel.hold())
        wanted = Wanted.of(given, keep)
        for _ in range(_ATTEMPTS):
            decision = wanted.decide(layout, how, options)
            try:
                return _sync(wanted, decision, layout, how, options)
            except _MeanwhileError:
                continue
    raise LinkError(
        f"cannot sync {layout.schemes['purelib']!r}: others keep changing it; stop them, and try again"
    )


def _sync(
    wanted: Wanted, decision: Decision, layout: Layout, how: LinkOptions, options: InstallOptions
) -> SyncReport:
    kept = tuple(described(one) for one in decision.kept)
    if not decision.wheels and not decision.surplus:
        if not options.dry_run:
            sweep_all(littered(layout))
        return SyncReport((), (), kept)

    chosen = options._replace(look=decision.look_again, removes=wanted.surplus)
    done = change(decision.wheels, layout, how, chosen)
    return SyncReport(tuple(done.installed), tuple(done.removed), kept)


def foreseen_sync(
    given: Sequence[UnpackedWheel],
    layout: Layout,
    keep: Collection[str],
    how: LinkOptions,
    options: InstallOptions,
) -> Change:
    """Decide what a sync would do, and touch nothing."""
    wanted = Wanted.of(given, keep)
    decision = wanted.decide(layout, how, options)
    return foreseen(
        decision.wheels,
        layout,
        how,
        options._replace(removes=wanted.surplus),
    )
