"""What the library is meant to reach, and whether the figures do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.contenders import PIP, UNPACK
from benchmarks.store import AGAIN, UNWAITING, ZIPFILE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.results import PlaceResult, Results, Row

MEMORY_BYTES = 60_000_000
IMPORT_SECONDS = 0.015
LIMITS = {
    "hardlink": {"C program": 1.25, "uv": 0.8},
    "clone": {"C program": 1.35, "uv": 1.1},
    "symlink": {"C program": 1.25, "uv": 0.8},
    "copy": {"C program": 1.15},
}
"""Mode to contender to the most that `wheel_linker` may take, as a multiple."""
INSTALL_LIMITS = {"hardlink": {"uv": 1.0}, "clone": {"uv": 1.15}}
PIP_LIMIT = 1 / 20
STORE_LIMITS = {ZIPFILE: 0.6, "uv": 1.3, UNWAITING: 1.25}
AGAIN_SECONDS = 0.015


@dataclass(frozen=True)
class Target:
    """One aim: figure and limit are in the same unit."""

    what: str
    where: str
    figure: float
    limit: float
    unit: str

    @property
    def met(self) -> bool:
        """Whether the figure stays within the limit."""
        return self.figure <= self.limit


def pairs(place: PlaceResult, mode: str, other: str) -> Iterator[tuple[Row, Row]]:
    """Rows of the library and the rows to hold them against."""
    for row in place.rows:
        if (row.contender, row.mode) != ("wheel_linker", mode):
            continue
        if other == "C program":
            rival = place.find(other, mode, row.threads)
        elif row is place.find("wheel_linker", mode):
            rival = place.find(other, mode)
        else:
            rival = None
        if rival:
            yield row, rival


def place_targets(place: PlaceResult) -> Iterator[Target]:
    """The ratios of one place; uv is held against the most threads."""
    for mode, limits in LIMITS.items():
        for other, limit in limits.items():
            for row, rival in pairs(place, mode, other):
                threads = f"{row.threads} thread{'s' if row.threads != 1 else ''}"
                what = f"{mode}, {threads}, against {other}"
                yield Target(what, place.name, row.median / rival.median, limit, "x")


def against(
    what: str, place: PlaceResult, row: Row, rival: Row | None, limit: float
) -> list[Target]:
    """The target of a pair, if there is one."""
    if rival is None:
        return []
    what = f"{what}, {row.threads} threads, against {rival.contender}"
    return [Target(what, place.name, row.median / rival.median, limit, "x")]


def install_targets(place: PlaceResult) -> Iterator[Target]:
    """Installing, with the most threads; pip against hard links."""
    for mode, limits in INSTALL_LIMITS.items():
        if row := place.find("wheel_linker", mode):
            for other, limit in limits.items():
                yield from against(f"install, {mode}", place, row, place.find(other, mode), limit)
    if row := place.find("wheel_linker", "hardlink"):
        yield from against("install, hardlink", place, row, place.find(PIP, UNPACK), PIP_LIMIT)


def store_targets(place: PlaceResult, wheels: int) -> Iterator[Target]:
    """Unpacking, with the most threads, and knowing the wheels again."""
    if row := place.find("wheel_linker", UNPACK):
        for other, limit in STORE_LIMITS.items():
            yield from against("unpack and verify", place, row, place.find(other, UNPACK), limit)
    if row := place.find("wheel_linker", AGAIN):
        what = f"adding {wheels:,} unchanged wheels again"
        yield Target(what, place.name, row.median * 1e3, AGAIN_SECONDS * 1e3, "ms")


def general_targets(results: Results) -> Iterator[Target]:
    """Memory and import time."""
    if results.scaling and results.scaling.points:
        largest = max(point.files for point in results.scaling.points)
        for mode in results.scaling.modes():
            memory = results.scaling.of(mode)[-1].memory
            what = f"peak memory, {largest:,} files, {mode}"
            where = results.scaling.filesystem
            yield Target(what, where, memory / 1e6, MEMORY_BYTES / 1e6, "MB")
    if results.import_time:
        extra = results.import_time.extra * 1e3
        yield Target("import wheel_linker", "", extra, IMPORT_SECONDS * 1e3, "ms")


def all_targets(results: Results) -> list[Target]:
    """Every target that the figures speak about."""
    ratios = [target for place in results.places for target in place_targets(place)]
    ratios += [target for place in results.install for target in install_targets(place)]
    wheels = results.corpus["wheels"]
    ratios += [target for place in results.store for target in store_targets(place, wheels)]
    return [*ratios, *general_targets(results)]
