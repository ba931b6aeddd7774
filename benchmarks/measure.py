"""Rounds in which every contender has its turn, so that drift hits all alike."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.destinations import Destinations, remove
from benchmarks.results import Row

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.contenders import Contender, Sample
    from benchmarks.filesystems import Place

Tell = Callable[[str], None]


class WrongResultError(RuntimeError):
    """A contender did not do the work that it was timed for."""


def count_files(root: Path) -> int:
    """Everything below `root` that is not a directory."""
    return sum(len(files) for _, _, files in os.walk(root))


@dataclass(frozen=True)
class Plan:
    """How often: `slow_rounds` is for the slow contenders."""

    rounds: int
    slow_rounds: int
    expected_files: int


def order(contenders: list[Contender], turn: int, rounds: int) -> list[Contender]:
    """Rotated, every other time backwards: nobody always follows the same one."""
    start = turn * len(contenders) // max(rounds, 1)
    rotated = contenders[start:] + contenders[:start]
    return rotated[::-1] if turn % 2 else rotated


def taking_part(contenders: Iterable[Contender], plan: Plan, turn: int) -> Iterator[Contender]:
    """Those whose turn it is."""
    return (item for item in contenders if turn < (plan.slow_rounds if item.slow else plan.rounds))


def check(contender: Contender, destination: Path, expected: int) -> None:
    """Raise `WrongResultError` when files are missing; installers add some of their own."""
    expected = expected if contender.files is None else contender.files
    found = count_files(destination) if contender.counted else expected
    if found < 0.98 * expected or (contender.exact and found != expected):
        raise WrongResultError(f"{contender.title}: {found} files instead of {expected}")


def run_once(contender: Contender, destinations: Destinations, expected: int | None) -> Sample:
    """One timed run; without `expected` the files are not counted."""
    destination = destinations.fresh()
    try:
        sample = contender.run(destination)
        if expected is not None:
            check(contender, destination, expected)
    finally:
        remove(destination)
    return sample


def warm_up(
    contenders: list[Contender], destinations: Destinations, plan: Plan, tell: Tell
) -> None:
    """Fill caches and compile bytecode: one run that does not count, files counted."""
    for contender in contenders:
        if not contender.slow:
            sample = run_once(contender, destinations, plan.expected_files)
            tell(f"  warm-up  {contender.title:<34} {sample.seconds:8.3f} s")


def measure(contenders: list[Contender], place: Place, plan: Plan, tell: Tell) -> list[Row]:
    """All rounds; one row per contender, in the order given."""
    destinations = Destinations(place)
    rows = {id(item): Row(item.name, item.mode, item.threads) for item in contenders}
    warm_up(contenders, destinations, plan, tell)
    for turn in range(max(plan.rounds, plan.slow_rounds)):
        for item in taking_part(order(contenders, turn, plan.rounds), plan, turn):
            expected = plan.expected_files if item.slow and turn == 0 else None
            sample = run_once(item, destinations, expected)
            rows[id(item)].seconds.append(round(sample.seconds, 5))
            rows[id(item)].process.append(round(sample.process, 5))
            tell(f"  round {turn + 1:>2} {item.title:<34} {sample.seconds:8.3f} s")
    return [row for row in rows.values() if row.seconds]
