"""What the command line, the page and the plots have to know of a part that is measured place by place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from benchmarks.contenders import Family
    from benchmarks.results import PlaceResult, Row
    from benchmarks.tables import Rival

Panels = dict[str, list["Row"]]


def by_place_and_mode(places: list[PlaceResult]) -> Panels:
    """A panel of bars for each place and mode."""
    return {
        f"{place.name}, {mode}": [row for row in place.rows if row.mode == mode]
        for place in places
        for mode in place.modes()
    }


@dataclass(frozen=True)
class Part:
    """One part: who takes part, and its section of the page.

    `introduction` opens the section, `heading` comes before the name of a place, `what` is above the column of modes.
    `places` are where it is measured unless others are asked for. `repeats` multiplies the rounds, for what is over in
    no time. `link_modes` if the modes are link modes, which can be chosen.
    """

    name: str
    families: Mapping[str, Family]
    title: str
    introduction: str
    heading: str
    rivals: tuple[Rival, ...]
    places: tuple[str, ...]
    what: str = "mode"
    unit: str = "s"
    repeats: int = 1
    link_modes: bool = False
    panels: Callable[[list[PlaceResult]], Panels] = by_place_and_mode
