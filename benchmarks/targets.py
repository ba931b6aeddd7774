"""What the library is meant to reach, and whether the figures do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks import bytecode, cold, command, syncing, tools, tox_runs
from benchmarks.contenders import PIP, UNPACK
from benchmarks.results import BYTECODE, COLD, COMMAND, INSTALL, LINK, SMALL, STORE, SYNC, TOOLS
from benchmarks.store import AGAIN, FAST, UNWAITING, ZIPFILE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.results import PlaceResult, Results, Row

OURS = "wheel_linker"
MEMORY_BYTES = 60_000_000
IMPORT_LIMIT = 0.65
"""What importing adds, as a multiple of a bare interpreter."""
LIMITS = {
    "hardlink": {"C program": 1.25, "uv": 0.75},
    "clone": {"C program": 1.15, "uv": 0.95},
    "symlink": {"C program": 1.1, "uv": 0.85},
    "copy": {"C program": 1.12},
}
"""Mode to contender to the most that `wheel_linker` may take, as a multiple."""
INSTALL_LIMITS = {"hardlink": {"uv": 0.75}, "clone": {"uv": 0.9}}
PIP_LIMIT = 1 / 20
SMALL_LIMITS = {"1 wheel": 1.6 / 13, "5 wheels": 4.5 / 16, "25 wheels": 19 / 33}
"""As quick as it was, in milliseconds, beside uv's process in the same run."""
COMMAND_LIMIT = 2.5
BYTECODE_LIMITS = {bytecode.UV: ("hardlink", 1 / 20), bytecode.PIP: (UNPACK, 1 / 40)}
BYTECODE_PLAIN_LIMIT = 1.7
STORE_LIMITS = {ZIPFILE: 0.6, "uv": 0.75, UNWAITING: 1.25}
FAST_LIMIT = 0.6
TMPFS_LIMITS = {
    (cold.NINE, OURS): 1.05,
    (cold.NINE, FAST): 0.75,
    (cold.ONE, OURS): 1.0,
    (cold.ONE, FAST): 0.75,
}
DISK_LIMITS = {(cold.NINE, OURS): 0.75, (cold.NINE, FAST): 0.6}
"""Large wheels and the way of inflating to the most beside uv, in memory and on disks."""
AGAIN_SECONDS = 0.015
SYNC_SECONDS, CHANGE_SECONDS = 0.06, 0.015
TOOLS_LIMIT = 0.8


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


def counted(threads: int | None) -> str:
    """Threads in words, as they follow a comma; nothing for a program that does not say."""
    return f", {threads} thread{'s' if threads != 1 else ''}" if threads else ""


def against(
    what: str, place: PlaceResult, row: Row | None, rival: Row | None, limit: float
) -> Iterator[Target]:
    """The target of a pair, if both were measured."""
    if row and rival:
        told = f"{what}{counted(row.threads)}, against {rival.contender}"
        yield Target(told, place.name, row.median / rival.median, limit, "x")


def link_targets(place: PlaceResult) -> Iterator[Target]:
    """Linking, with the most threads; copying with one as well."""
    for mode, limits in LIMITS.items():
        for other, limit in limits.items():
            row, rival = place.find(OURS, mode), place.find(other, mode)
            yield from against(mode, place, row, rival, limit)
    row, rival = (place.find(name, "copy", 1) for name in (OURS, "C program"))
    if row is not place.find(OURS, "copy"):
        yield from against("copy", place, row, rival, LIMITS["copy"]["C program"])


def install_targets(place: PlaceResult) -> Iterator[Target]:
    """Installing, with the most threads; pip against hard links."""
    for mode, limits in INSTALL_LIMITS.items():
        for other, limit in limits.items():
            rival = place.find(other, mode)
            yield from against(f"install, {mode}", place, place.find(OURS, mode), rival, limit)
    row, rival = place.find(OURS, "hardlink"), place.find(PIP, UNPACK)
    yield from against("install, hardlink", place, row, rival, PIP_LIMIT)


def small_targets(place: PlaceResult) -> Iterator[Target]:
    """A few wheels, from the store."""
    for mode, limit in SMALL_LIMITS.items():
        row, rival = place.find(OURS, mode), place.find("uv", mode)
        yield from against(f"install {mode}", place, row, rival, limit)


def command_targets(place: PlaceResult) -> Iterator[Target]:
    """The command line."""
    row, rival = place.find(OURS, command.INSTALL), place.find("uv", command.INSTALL)
    yield from against("command line, one wheel", place, row, rival, COMMAND_LIMIT)


def bytecode_targets(place: PlaceResult) -> Iterator[Target]:
    """Installing with bytecode, by hard links or clones; those who compile against hard links."""
    for mode in INSTALL_LIMITS:
        row, rival = place.find(bytecode.COMPILED, mode), place.find(bytecode.PLAIN, mode)
        yield from against(f"bytecode, {mode}", place, row, rival, BYTECODE_PLAIN_LIMIT)
    row = place.find(bytecode.COMPILED, "hardlink")
    for other, (mode, limit) in BYTECODE_LIMITS.items():
        yield from against("bytecode, hardlink", place, row, place.find(other, mode), limit)


def store_targets(place: PlaceResult, wheels: int) -> Iterator[Target]:
    """Unpacking, with the most threads, and knowing the wheels again."""
    for other, limit in STORE_LIMITS.items():
        row, rival = place.find(OURS, UNPACK), place.find(other, UNPACK)
        yield from against("unpack and verify", place, row, rival, limit)
    row, rival = place.find(FAST, UNPACK), place.find("uv", UNPACK)
    yield from against("unpack and verify, extra fast", place, row, rival, FAST_LIMIT)
    if row := place.find(OURS, AGAIN):
        what = f"adding {wheels:,} unchanged wheels again"
        yield Target(what, place.name, row.median * 1e3, AGAIN_SECONDS * 1e3, "ms")


def cold_targets(place: PlaceResult) -> Iterator[Target]:
    """Large wheels."""
    limits = TMPFS_LIMITS if place.filesystem == "tmpfs" else DISK_LIMITS
    for (mode, name), limit in limits.items():
        what = f"unpack {mode}{', extra fast' if name == FAST else ''}"
        yield from against(what, place, place.find(name, mode), place.find("uv", mode), limit)


def sync_targets(place: PlaceResult, wheels: int) -> Iterator[Target]:
    """Nothing to do, and what one change adds to that."""
    unchanged, changed = place.find(OURS, syncing.UNCHANGED), place.find(OURS, syncing.CHANGED)
    if unchanged:
        what = f"sync of {wheels:,} unchanged wheels"
        yield Target(what, place.name, unchanged.median * 1e3, SYNC_SECONDS * 1e3, "ms")
    if unchanged and changed:
        more = changed.median - unchanged.median
        what = "sync with one changed, beyond that"
        yield Target(what, place.name, more * 1e3, CHANGE_SECONDS * 1e3, "ms")


def tools_targets(place: PlaceResult) -> Iterator[Target]:
    """What people run."""
    uv = place.find(tools.UV, tools.LOCKED)
    for name in (tools.OUR_PIP, tools.OURS):
        row = place.find(name, tools.LOCKED)
        yield from against(f"{name}, locked", place, row, uv, TOOLS_LIMIT)
    row, rival = (place.find(name, tox_runs.SECOND) for name in (tox_runs.OURS, tox_runs.TOX_UV))
    yield from against(tox_runs.SECOND, place, row, rival, TOOLS_LIMIT)


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
        what = f"import wheel_linker, over {command.BARE}"
        yield Target(what, "", results.import_time.multiple, IMPORT_LIMIT, "x")


def all_targets(results: Results) -> list[Target]:
    """Every target that the figures speak about."""
    wheels = results.corpus["wheels"]
    found = {
        LINK: link_targets,
        INSTALL: install_targets,
        SMALL: small_targets,
        COMMAND: command_targets,
        BYTECODE: bytecode_targets,
        STORE: lambda place: store_targets(place, wheels),
        COLD: cold_targets,
        SYNC: lambda place: sync_targets(place, wheels),
        TOOLS: tools_targets,
    }
    of_parts = [t for part, of in found.items() for place in results.of(part) for t in of(place)]
    return [*of_parts, *general_targets(results)]
