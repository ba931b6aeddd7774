"""Markdown tables, and that of one place's seconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.contenders import ours

if TYPE_CHECKING:
    from collections.abc import Iterable

    from benchmarks.results import PlaceResult, Row


@dataclass(frozen=True)
class Rival:
    """Whom a row is held against in a column of its own: in the row's mode, unless it has another.

    Rows of the mode `unless` do something else.
    """

    head: str
    contender: str
    mode: str = ""
    same_threads: bool = False
    unless: str = ""

    def find(self, place: PlaceResult, row: Row) -> Row | None:
        """The other row, if there is one; without threads of its own, that with the most."""
        if row.mode == self.unless:
            return None
        threads = row.threads if self.same_threads else None
        return place.find(self.contender, self.mode or row.mode, threads)


def table(head: list[str], rows: Iterable[list[str]], left: int = 1) -> str:
    """A Markdown table whose first `left` columns are text and the others numbers."""
    rule = [":--" if column < left else "--:" for column in range(len(head))]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [head, rule, *rows]) + "\n"


def ratio(row: Row, rival: Row | None) -> str:
    """How many times as long; a dash without rival."""
    if rival is None or rival is row:
        return "-"
    found = row.median / rival.median
    return f"{found:.{2 if abs(found) >= 0.1 else 3}f}"


def told(seconds: float, unit: str) -> str:
    """A time in one of the units, without its name."""
    return f"{seconds:.3f}" if unit == "s" else f"{seconds * 1e3:.1f}"


def cells(place: PlaceResult, row: Row, rivals: tuple[Rival, ...], unit: str) -> list[str]:
    """One row of a place's table."""
    shortest, longest = (told(which(row.seconds), unit) for which in (min, max))
    seconds = [told(row.median, unit), f"{shortest} to {longest}"]
    process = sorted(row.process)[len(row.process) // 2]
    apart = told(process, unit) if row.process != row.seconds else "-"
    ratios = [ratio(row, rival.find(place, row)) for rival in rivals]
    name = f"**{row.contender}**" if ours(row.contender) else row.contender
    return [row.mode, name, str(row.threads or "-"), *seconds, apart, *ratios]


def place_table(place: PlaceResult, *rivals: Rival, what: str = "mode", unit: str = "s") -> str:
    """All rows of a place: by mode, the quickest first; `what` is what the modes are called."""
    columns = [what, "contender", "threads", f"median {unit}", "min to max", f"process {unit}"]
    head = [*columns, *(rival.head for rival in rivals)]
    modes = place.modes()
    ordered = sorted(place.rows, key=lambda row: (modes.index(row.mode), row.median))
    rows = [cells(place, row, rivals, unit) for row in ordered]
    # A column with nothing in it would only make the reader wonder.
    told_of = [column for column in range(len(head)) if any(row[column] != "-" for row in rows)]
    shown = [[row[column] for column in told_of] for row in (head, *rows)]
    return table(shown[0], shown[1:], left=2)
