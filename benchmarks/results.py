"""What was measured, as plain data that JSON can hold."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


LINK, INSTALL, STORE, SCALING, IMPORT = "link", "install", "store", "scaling", "import"
SMALL, COMMAND, BYTECODE, SYNC, TOOLS = "small", "command", "bytecode", "sync", "tools"
COLD = "unpack"
ONCE = (SCALING, IMPORT)
"""Measured in one place; the others in several."""
FORMER = {LINK: "places", INSTALL: "install", STORE: "store"}
"""Where files that have no `parts` keep those that they know."""


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

    @property
    def title(self) -> str:
        """What headings call it: its name, and the file system unless it is called by that."""
        return self.name if self.name == self.filesystem else f"{self.name} ({self.filesystem})"

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
    def multiple(self) -> float:
        """What the import adds, as a multiple of the bare interpreter."""
        return median(self.library) / median(self.bare) - 1


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
        """Whether the part is measured in several places, not once."""
        return self.part not in ONCE


@dataclass
class Results:
    """One run of the benchmarks, or several merged; the machine is that of the first."""

    machine: dict[str, str]
    corpus: dict[str, int]
    rounds: int
    parts: dict[str, list[PlaceResult]] = field(default_factory=dict)
    scaling: Scaling | None = None
    import_time: ImportTime | None = None
    stamps: list[Stamp] = field(default_factory=list)

    def of(self, part: str) -> list[PlaceResult]:
        """The places where a part was measured."""
        return self.parts.get(part, [])

    def add(self, part: str, place: PlaceResult) -> None:
        """One more place of a part."""
        self.parts.setdefault(part, []).append(place)

    def unstamped(self) -> list[str]:
        """Parts and places that came from a file without stamps."""
        stamped = {(stamp.part, stamp.place) for stamp in self.stamps}
        there = [(part, place.name) for part, places in self.parts.items() for place in places]
        found = [f"{part} on {place}" for part, place in there if (part, place) not in stamped]
        once = {SCALING: self.scaling, IMPORT: self.import_time}
        known = {stamp.part for stamp in self.stamps}
        return [*found, *(part for part, figures in once.items() if figures and part not in known)]

    def save(self, path: Path) -> None:
        """Write as JSON."""
        path.write_text(json.dumps(asdict(self), indent=1) + "\n")

    @classmethod
    def load(cls, path: Path) -> Results:
        """Read what `save` wrote; older files have fewer parts."""
        data: dict[str, Any] = json.loads(path.read_text())
        former = {part: data.pop(name, []) for part, name in FORMER.items()}
        parts = data.get("parts", {part: places for part, places in former.items() if places})
        data["parts"] = {
            part: [load_place(place) for place in found] for part, found in parts.items()
        }
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
