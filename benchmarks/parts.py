"""The parts of a run, measured place by place and stamped."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING

from benchmarks import corpus, scaling
from benchmarks.contenders import FAMILIES, Context, gather
from benchmarks.filesystems import wheels_on
from benchmarks.installing import INSTALLERS
from benchmarks.measure import Plan, measure
from benchmarks.results import IMPORT, INSTALL, LINK, SCALING, STORE, PlaceResult, Results, Stamp
from benchmarks.store import STORES

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from benchmarks.contenders import Family
    from benchmarks.corpus import Wheel
    from benchmarks.filesystems import Place
    from benchmarks.measure import Tell

ALL = (*FAMILIES, INSTALL, STORE, SCALING, IMPORT)


class Run:
    """One run: what was asked for, and what has been measured of it."""

    def __init__(self, options: argparse.Namespace, results: Results, tell: Tell) -> None:
        self.options = options
        self.results = results
        self._tell = tell

    def measure(self, place: Place, wheels: list[Wheel], *, is_last: bool) -> None:
        """Every part that was asked for in one place; once is on the first that clones, else on the last."""
        asked = self.options.only
        families = {name: FAMILIES[name] for name in asked if name in FAMILIES}
        linking = [(LINK, families, self.results.places)] if families else []
        apart = {INSTALL: (INSTALLERS, self.results.install), STORE: (STORES, self.results.store)}
        parts = [*linking, *((name, *apart[name]) for name in apart if name in asked)]
        if parts:
            self._tell(f"{place.name}: {place.filesystem}, {'' if place.clones else 'no '}clones")
            context = self._context(place, wheels)
            for part, members, found in parts:
                self._tell(f"{place.name}: {part}")
                found.append(self._measure_place(context, part, members))
                self._stamp(part, place.name, self.options.rounds)
        if place.clones or is_last:
            self._measure_once(place)

    def _context(self, place: Place, wheels: list[Wheel]) -> Context:
        local = wheels_on(place, wheels)
        corpus.warm(local)
        return Context(place, local, tuple(self.options.threads), place.directory("tools"))

    def _measure_place(
        self, context: Context, part: str, members: Mapping[str, Family]
    ) -> PlaceResult:
        ready, skipped = gather(context, members)
        if part != STORE:  # which has no link modes
            ready = [item for item in ready if item.mode in self.options.modes]
            if "clone" in self.options.modes and not context.place.clones:
                skipped["clone"] = "this file system has no clones"
        options = self.options
        plan = Plan(options.rounds, options.slow_rounds, self.results.corpus["files"])
        rows = measure(ready, context.place, plan, self._tell)
        return PlaceResult(context.place.name, context.place.filesystem, rows, skipped)

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
