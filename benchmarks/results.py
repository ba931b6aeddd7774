"""What was measured, as plain data that JSON can hold."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


LINK, INSTALL, STORE, SCALING, IMPORT = "link", "install", "store", "scaling", "import"
PLACE_PARTS = (LINK, INSTALL, STORE)
"""Measured in every place; the others once."""


@dataclass
class Row:
    """One contender in one place; seconds per round, whole process likewise."""

    contender: str
    mode: str
    threads: int | None
    seconds: list[float] = field(default_factory=list)
    process: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        """The middle of the seconds."""
        return median(self.seconds)


@dataclass
class PlaceResult:
    """All rows of one place, and what could not be measured there and why."""

    name: str
    filesystem: str
    rows: list[Row] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)

    def modes(self) -> list[str]:
        """The modes measured."""
        return list(dict.fromkeys(row.mode for row in self.rows))

    def find(self, contender: str, mode: str, threads: int | None = None) -> Row | None:
        """That contender; without `threads` the one with the most."""
        found = [row for row in self.rows if (row.contender, row.mode) == (contender, mode)]
        if threads is not None:
            return next((row for row in found if row.threads == threads), None)
        return max(found, key=lambda row: row.threads or 0, default=None)


@dataclass
class Point:
    """One size of the scaling run: seconds, and bytes over the bare interpreter."""

    mode: str
    files: int
    seconds: float
    memory: int


@dataclass
class Scaling:
    """Time and memory against the number of files."""

    filesystem: str
    threads: int
    points: list[Point] = field(default_factory=list)

    def of(self, mode: str) -> list[Point]:
        """The points of one mode, smallest first."""
        return sorted((p for p in self.points if p.mode == mode), key=lambda p: p.files)

    def modes(self) -> list[str]:
        """The modes measured."""
        return list(dict.fromkeys(point.mode for point in self.points))


@dataclass
class ImportTime:
    """Seconds of whole processes: nothing imported, and the library imported."""

    bare: list[float]
    library: list[float]

    @property
    def extra(self) -> float:
        """What the import adds."""
        return median(self.library) - median(self.bare)


@dataclass
class Stamp:
    """When a part was measured in a place, in how many rounds and on what."""

    part: str
    place: str
    when: str
    rounds: int
    machine: dict[str, str]

    @property
    def of_place(self) -> bool:
        """Whether the part is measured in every place, not once."""
        return self.part in PLACE_PARTS


@dataclass
class Results:
    """One run of the benchmarks, or several merged; the machine is that of the first."""

    machine: dict[str, str]
    corpus: dict[str, int]
    rounds: int
    places: list[PlaceResult] = field(default_factory=list)
    scaling: Scaling | None = None
    import_time: ImportTime | None = None
    install: list[PlaceResult] = field(default_factory=list)
    store: list[PlaceResult] = field(default_factory=list)
    stamps: list[Stamp] = field(default_factory=list)

    def save(self, path: Path) -> None:
        """Write as JSON."""
        path.write_text(json.dumps(asdict(self), indent=1) + "\n")

    @classmethod
    def load(cls, path: Path) -> Results:
        """Read what `save` wrote; older files have fewer parts."""
        data: dict[str, Any] = json.loads(path.read_text())
        for part in ("places", "install", "store"):
            data[part] = [load_place(place) for place in data.get(part, [])]
        data["stamps"] = [Stamp(**stamp) for stamp in data.get("stamps", [])]
        if scaling := data["scaling"]:
            points = [Point(**point) for point in scaling.pop("points")]
            data["scaling"] = Scaling(**scaling, points=points)
        if import_time := data["import_time"]:
            data["import_time"] = ImportTime(**import_time)
        return cls(**data)


def load_place(data: dict[str, Any]) -> PlaceResult:
    """One place out of JSON."""
    rows = [Row(**row) for row in data.pop("rows")]
    return PlaceResult(**data, rows=rows)
