"""The parts of a run, measured place by place and stamped."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING

from benchmarks import corpus, scaling
from benchmarks.contenders import FAMILIES, Context, gather
from benchmarks.filesystems import wheels_on
from benchmarks.measure import Plan, measure
from benchmarks.results import IMPORT, LINK, SCALING, PlaceResult, Results, Stamp
from benchmarks.sections import PARTS

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Mapping

    from benchmarks.contenders import Family
    from benchmarks.corpus import Wheel
    from benchmarks.filesystems import Place
    from benchmarks.measure import Tell
    from benchmarks.part import Part

ALL = (*FAMILIES, *(part.name for part in PARTS), SCALING, IMPORT)
LINK_PLACES = ("xfs", "btrfs", "disk")
"""Where linking is measured unless other places are asked for."""
UNFINISHED = "last-run.json"
"""What the last run has measured so far, in the cache."""
ONCE_PLACE = "xfs"
"""Where scaling and import time are measured if nothing else is asked for."""


def places_for(options: argparse.Namespace, known: Iterable[str]) -> list[str]:
    """The places that were asked for, or those where what was asked for is measured."""
    if options.places:
        return list(options.places)
    asked = options.only
    wanted = {place for part in PARTS if part.name in asked for place in part.places}
    if any(name in FAMILIES for name in asked):
        wanted.update(LINK_PLACES)
    return [place for place in known if place in wanted] or [ONCE_PLACE]


class Run:
    """One run: what was asked for, and what has been measured of it."""

    def __init__(self, options: argparse.Namespace, results: Results, tell: Tell) -> None:
        self.options = options
        self.results = results
        self._tell = tell

    def measure(self, place: Place, wheels: list[Wheel], *, is_last: bool) -> None:
        """Every part that was asked for in one place; once is on the first that clones, else on the last."""
        families, parts = self._linking(place.name), self._parts(place.name)
        if families or parts:
            self._tell(f"{place.name}: {place.filesystem}, {'' if place.clones else 'no '}clones")
            context = self._context(place, wheels)
            if families:
                self._measure_place(context, LINK, families)
            for part in parts:
                self._measure_place(context, part.name, part.families, part)
        if place.clones or is_last:
            self._measure_once(place)

    def _linking(self, place: str) -> dict[str, Family]:
        asked, chosen = self.options.only, self.options.places
        if not chosen and place not in LINK_PLACES:
            return {}
        return {name: FAMILIES[name] for name in asked if name in FAMILIES}

    def _parts(self, place: str) -> list[Part]:
        asked, chosen = self.options.only, self.options.places
        return [part for part in PARTS if part.name in asked and (chosen or place in part.places)]

    def _context(self, place: Place, wheels: list[Wheel]) -> Context:
        local = wheels_on(place, wheels)
        corpus.warm(local)
        threads, large = tuple(self.options.threads), self.options.large
        if large:
            corpus.digest_of(large)  # which reads it
        return Context(place, local, threads, place.directory("tools"), large)

    def _measure_place(
        self, context: Context, name: str, members: Mapping[str, Family], part: Part | None = None
    ) -> None:
        self._tell(f"{context.place.name}: {name}")
        ready, skipped = gather(context, members)
        if part is None or part.link_modes:
            ready = [item for item in ready if item.mode in self.options.modes]
            if "clone" in self.options.modes and not context.place.clones:
                skipped["clone"] = "this file system has no clones"
        rounds = self.options.rounds * (part.repeats if part else 1)
        plan = Plan(rounds, self.options.slow_rounds, self.results.corpus["files"])
        rows = measure(ready, context.place, plan, self._tell)
        found = PlaceResult(context.place.name, context.place.filesystem, rows, skipped)
        self.results.add(name, found)
        self._stamp(name, context.place.name, rounds)

    def _measure_once(self, place: Place) -> None:
        options, results = self.options, self.results
        if SCALING in options.only and results.scaling is None:
            threads, rounds = max(options.threads), options.slow_rounds
            results.scaling = scaling.measure_scaling(
                place, options.sizes, threads, rounds, self._tell
            )
            self._stamp(SCALING, place.name, rounds)
        if IMPORT in options.only and results.import_time is None:
            rounds = 5 if options.quick else 20
            results.import_time = scaling.measure_import(rounds, place.root)
            self._stamp(IMPORT, "", rounds)

    def _stamp(self, part: str, place: str, rounds: int) -> None:
        when = datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
        self.results.stamps.append(Stamp(part, place, when, rounds, self.results.machine))
        # Should the next part fail, hours are not lost: `--render` shows it.
        self.results.save(self.options.cache / UNFINISHED)
