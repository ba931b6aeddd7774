"""The plans of a call: what each of its wheels will do, and whether they fit together."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from wheel_linker._compat.named_tuple import NamedTuple
from wheel_linker._fs.destination import leading_to
from wheel_linker._link.pipeline import can_go_ahead
from wheel_linker._wheel.record_problems import warn_of_problems
from wheel_linker.errors import InvalidWheelError
from wheel_linker.install._scripts.protected import refuse_protected
from wheel_linker.install.plan import plan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from wheel_linker._fs.folder import Identity
    from wheel_linker._link.options import LinkOptions
    from wheel_linker._wheel.unpacked import UnpackedWheel
    from wheel_linker.install.layout import Layout
    from wheel_linker.install.plan import Notes, Plan

# Whoever unpacked a wheel may have added files, and told nobody what they are.
_ADDED_SINCE: Final = frozenset({"extra", "no-hash"})


class Environment(NamedTuple):
    """Where a change is made."""

    layout: Layout
    """The environment, with its symlinks resolved."""
    named_layout: Layout
    """The environment, as the caller gave it."""
    above: Mapping[Identity, str]
    """What :func:`leading_to` returns of its library."""

    @classmethod
    def of(cls, layout: Layout) -> Environment:
        """Return the environment of a layout, as it is now.

        :raises LinkError: if something in the layout cannot be a path.
        """
        real = layout.resolved()
        return cls(real, layout, leading_to(real.schemes["purelib"]))


def planned(
    given: Sequence[UnpackedWheel],
    where: Environment,
    how: LinkOptions,
    notes: Callable[[str], Notes],
    *,
    strict: bool,
) -> Iterator[Plan]:
    """Yield the plan of each wheel as soon as it is made. The parameters and errors are those of :func:`plan`."""
    for wheel in given:
        yield plan(wheel, where.layout, where.named_layout, where.above, how, notes, strict=strict)


def check_plans(
    plans: Sequence[Plan],
    given: Sequence[UnpackedWheel],
    where: Environment,
    *,
    check_tags: bool,
) -> None:
    """Refuse wheels that cannot be installed together, or there; warn of what is not right about their ``RECORD``.

    :param check_tags: whether wheels for other interpreters are refused.
    :raises InvalidWheelError: if there are any.
    :raises LinkError: if what is installed cannot be read, or the interpreter cannot be asked.
    """
    _refuse_twice(plans)
    refuse_protected(plans, where.layout)
    if check_tags:
        from wheel_linker.install._changes.compatible import refuse_incompatible

        refuse_incompatible(plans, given, where.layout)
    _warn_of_records(given, plans)


def can_be_staged_meanwhile(
    given: Sequence[UnpackedWheel], where: Environment, how: LinkOptions
) -> bool:
    """Tell whether files of the first wheels can be staged while others are still to be planned."""
    return os.path.isdir(where.layout.schemes["purelib"]) and can_go_ahead(given, where.above, how)


def _refuse_twice(plans: Sequence[Plan]) -> None:
    known: dict[str, Plan] = {}
    for one in plans:
        other = known.setdefault(one.wheel.name.name, one)
        if other is not one:
            raise InvalidWheelError(
                f"cannot install {other.wheel.name} and {one.wheel.name} at once: both are "
                f"{one.wheel.name.name}; give one of them"
            )


def _warn_of_records(given: Sequence[UnpackedWheel], plans: Sequence[Plan]) -> None:
    """Warn of unpacked wheels whose ``RECORD`` is not right; a store does so itself, when it unpacks one."""
    for wheel, one in zip(given, plans):
        if not wheel.record_problems():
            warn_of_problems(str(one.wheel.name), one.record_problems, but_for=_ADDED_SINCE)
