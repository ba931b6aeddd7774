"""Putting what one run measured in the place of what an older one did."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.results import PlaceResult, Results, Stamp


class MergeError(RuntimeError):
    """Two runs do not belong on one page; the message says why."""


def check(old: Results, new: Results) -> None:
    """Raise `MergeError` when the runs measured different wheels."""
    if old.corpus != new.corpus:
        raise MergeError("the other run measured another corpus")


def merged(old: Results, new: Results) -> Results:
    """The old run with the places and parts of the new one, whole, in the place of its own.

    Each keeps its stamp, which says when and on what it was measured. The machine is the new run's,
    unless something of the old one has no stamp that tells its own.
    """
    check(old, new)
    names = dict.fromkeys([*old.parts, *new.parts])
    return replace(
        old,
        machine=old.machine if old.unstamped() else new.machine,
        parts={name: merged_places(old.of(name), new.of(name)) for name in names},
        scaling=new.scaling or old.scaling,
        import_time=new.import_time or old.import_time,
        stamps=merged_stamps(old.stamps, new.stamps),
    )


def merged_places(old: list[PlaceResult], new: list[PlaceResult]) -> list[PlaceResult]:
    """Places by name, in the old order and then the new one."""
    return list({place.name: place for place in [*old, *new]}.values())


def merged_stamps(old: list[Stamp], new: list[Stamp]) -> list[Stamp]:
    """Stamps by part and place; scaling and import time are measured in one place only."""
    once = {stamp.part for stamp in new if not stamp.of_place}
    kept = [stamp for stamp in old if stamp.part not in once]
    return list({(stamp.part, stamp.place): stamp for stamp in [*kept, *new]}.values())
