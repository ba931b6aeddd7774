"""Making an environment hold exactly some wheels, in one step."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

from wheel_linker._compat.named_tuple import NamedTuple
from wheel_linker._link.sites import sweep_all
from wheel_linker._wheel.filename import WheelFilename, normalised
from wheel_linker.errors import InvalidWheelError, LinkError
from wheel_linker.install._changes.given import own_filename
from wheel_linker.install._changes.litter import littered
from wheel_linker.install._changes.unchanged import is_unchanged, stamp
from wheel_linker.install._present.distributions import find_distributions, is_left_over
from wheel_linker.install._present.installed import described
from wheel_linker.install.installing import change, foreseen
from wheel_linker.install.report import SyncReport

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from wheel_linker._link.options import LinkOptions
    from wheel_linker._wheel.unpacked import UnpackedWheel
    from wheel_linker.install._changes.unchanged import Stamp
    from wheel_linker.install._present.distributions import Distribution
    from wheel_linker.install.installing import Change, InstallOptions
    from wheel_linker.install.layout import Layout

# Each is lost only if somebody else changes the environment just then.
_ATTEMPTS: Final = 10


class _MeanwhileError(Exception):
    """Somebody has changed what was to be left alone."""


class Decision(NamedTuple):
    """What has to be done, by what was there when it was looked at."""

    wheels: Sequence[UnpackedWheel]
    """Those that are to be installed."""
    kept: Sequence[Distribution]
    stamps: Mapping[str, Stamp | None]
    """What is left alone because it is as its wheel would make it, by name."""
    surplus: Sequence[Distribution]


class Wanted(NamedTuple):
    """What an environment is to hold."""

    wheels: Mapping[str, UnpackedWheel]
    """By normalised name."""
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

    def is_surplus(self, one: Distribution) -> bool:
        """Tell whether a distribution has to go because nobody wants it."""
        return one.name not in self.wheels and one.name not in self.keep and not is_left_over(one)

    def decide(self, layout: Layout) -> Decision:
        """Compare with what is installed."""
        present: dict[str, list[Distribution]] = {}
        for one in find_distributions(layout):
            present.setdefault(one.name, []).append(one)
        stamps: dict[str, Stamp | None] = {}
        for name, wheel in self.wheels.items():
            found = present.get(name, [])
            if len(found) == 1 and is_unchanged(found[0], wheel, self.filenames[name]):
                stamps[name] = stamp(found[0])
        everything = [one for found in present.values() for one in found]
        # A wheel that is given takes the place of what has its name, though that name may stay.
        stays = stamps.keys() | (self.keep - self.wheels.keys())
        return Decision(
            [wheel for name, wheel in self.wheels.items() if name not in stamps],
            [one for one in everything if one.name in stays],
            stamps,
            [one for one in everything if self.is_surplus(one)],
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
            decision = wanted.decide(layout)
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

    def surplus(installed: Sequence[Distribution]) -> Sequence[Distribution]:
        now = {one.name: stamp(one) for one in installed if one.name in decision.stamps}
        if now != decision.stamps:
            raise _MeanwhileError
        return [one for one in installed if wanted.is_surplus(one)]

    done = change(decision.wheels, layout, how, options._replace(removes=surplus))
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
    decision = wanted.decide(layout)
    return foreseen(
        decision.wheels,
        layout,
        how,
        options._replace(removes=lambda found: [one for one in found if wanted.is_surplus(one)]),
    )
