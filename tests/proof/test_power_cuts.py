"""Power cuts: whatever a journal makes of them, nothing that was destroyed is linked from a store.

A workload is run on a file system whose disk logs what it is asked to do. A cut leaves all that was written before the
last flush, and some of what was written since; from that the file system is mounted again, and the store looked at.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import pytest
from images import Unavailable, run, unmount
from store.archives import FILES, NAME, files_below, with_record, write_wheel

from proof.block_log import DISK, Write, crash_state, read_log
from wheel_linker import link_wheels
from wheel_linker.store import WheelStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from proof.plugin import Figures

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="file systems are mounted")

CUTS: Final = 36
"""On each file system; ten times as many in full."""
WHEELS: Final = 12
_MEGABYTE: Final = 1024 * 1024


class Kind(NamedTuple):
    """One kind of file system."""

    make: tuple[str, ...]
    size: int
    options: str
    delays: bool = True
    """Whether a workload as short as this one is sure to leave names without their data."""


KINDS: Final = {
    "ext4": Kind(("mkfs.ext4", "-q", "-F", "-E", "nodiscard"), 64 * _MEGABYTE, "commit=1"),
    "xfs": Kind(("mkfs.xfs", "-q", "-f", "-K"), 300 * _MEGABYTE, "nouuid"),
    "btrfs": Kind(("mkfs.btrfs", "-q", "-f", "-K"), 128 * _MEGABYTE, "commit=1", delays=False),
}


class Disk:
    """A disk whose writes are logged, and what cuts make of it."""

    def __init__(self, place: Path, kind: Kind) -> None:
        self._place = place
        self.delays = kind.delays
        self._options = f"loop,{kind.options}"
        self.image, self.log = place / "image", place / "log"
        self._base, self._cut = place / "base", place / "cut"
        with self.image.open("wb") as file:
            file.truncate(kind.size)
        run(*kind.make, str(self.image))
        run("cp", "--sparse=always", str(self.image), str(self._base))

    @contextlib.contextmanager
    def at_work(self) -> Iterator[Path]:
        """Have the file system mounted, with everything logged."""
        served = self._place / "served"
        served.mkdir()
        command = [sys.executable, "-m", "proof.block_log", str(self.image), str(served)]
        tests = Path(__file__).parent.parent
        with subprocess.Popen(
            [*command, str(self.log)], cwd=tests, stdout=subprocess.PIPE, text=True
        ) as server:
            try:
                assert server.stdout is not None
                if server.stdout.readline() != "ready\n":
                    raise Unavailable("FUSE cannot be had here")
                with self._mounted(served / DISK) as point:
                    yield point
            finally:
                unmount(served)

    @contextlib.contextmanager
    def after(self, writes: Sequence[Write]) -> Iterator[Path]:
        """Have the file system mounted as a cut left it."""
        run("cp", "--sparse=always", str(self._base), str(self._cut))
        with self._cut.open("r+b") as file:
            for offset, data in writes:
                file.seek(offset)
                file.write(data or b"")
        with self._mounted(self._cut) as point:
            yield point

    @contextlib.contextmanager
    def _mounted(self, image: Path) -> Iterator[Path]:
        point = self._place / "point"
        point.mkdir(exist_ok=True)
        run("mount", "-o", self._options, str(image), str(point))
        try:
            yield point
        finally:
            unmount(point)


@pytest.fixture(params=KINDS)
def disk(
    request: pytest.FixtureRequest,
    on_filesystem: Callable[[str], Path],
) -> Disk:
    """A disk with each kind of file system."""
    if sys.platform == "win32" or os.geteuid() != 0:
        raise Unavailable("mounting needs root")
    return Disk(on_filesystem("tmpfs"), KINDS[request.param])


@pytest.fixture
def wheels(tmp_path: Path) -> dict[Path, dict[str, bytes]]:
    """Wheel files with what they hold, none like another."""
    chance = random.Random(5)
    made = {}
    for number in range(WHEELS):
        more = {
            f"demo/m{number}_{n}.py": chance.randbytes(chance.choice((9, 900, 9000, 60_000)))
            for n in range(12)
        }
        path = tmp_path / "dist" / str(number) / NAME
        made[write_wheel(path, more)] = files_of(more)
    return made


def files_of(more: dict[str, bytes]) -> dict[str, bytes]:
    """Return what an entry of a test wheel has."""
    return with_record({**FILES, **more})


def work(point: Path, wheels: Sequence[Path], *, durable: bool) -> dict[str, Path]:
    """Add wheels, each batch followed by what another program does: it has a file of its own on the disk.

    :returns: the wheel file of each entry.
    """
    entries = {}
    with WheelStore(point / "store", durable=durable, jobs=1) as store:
        for start in range(0, len(wheels), 3):
            batch = wheels[start : start + 3]
            for path, stored in zip(batch, store.add_all(batch)):
                entries[stored.entry] = path
            with (point / "other").open("ab") as file:
                file.write(b"#" * 5000)
                os.fsync(file.fileno())
    return entries


def is_destroyed(entry: Path, expected: dict[str, bytes]) -> bool:
    """Tell whether an entry is not what was added, without asking the library."""
    return not (entry / "w").is_dir() or files_below(entry / "w") != expected


def leave(store: WheelStore, name: str, path: Path, way: int) -> None:
    """Take one of the ways out of a damaged entry."""
    if way == 0:
        store.repair(name, path)
    elif way == 1:
        store.remove(name)
    elif way == 2:
        store.add(path)
    else:
        store.remove(name)
        store.prune(unused_for=0)


@pytest.mark.parametrize("durable", [True, False], ids=["durable", "not-durable"])
def test_power_cuts(
    disk: Disk,
    wheels: dict[Path, dict[str, bytes]],
    durable: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    figures: Figures,
    is_long: bool,
) -> None:
    with disk.at_work() as point:
        entries = work(point, list(wheels), durable=durable)
    log = read_log(disk.log)
    # Whoever looks at a store after a cut does so after another start of the system.
    monkeypatch.setattr("wheel_linker.store._entry.checking.boot_id", lambda: "another one")
    chance = random.Random(7)
    number = CUTS // 2 * (10 if is_long else 1)
    counts: Counter[str] = Counter(cuts=number)
    for turn in range(number):
        moment = chance.randrange(len(log))
        with disk.after(crash_state(log, moment, chance)) as point:
            there = [name for name in entries if (point / "store" / name).exists()]
            broken = [
                name
                for name in there
                if is_destroyed(point / "store" / name, wheels[entries[name]])
            ]
            counts.update(entries=len(there), destroyed=len(broken))
            absent = [name for name in entries if name not in there][:1]
            again = {entries[name]: wheels[entries[name]] for name in there + absent}
            counts.update(look_at(point / "store", tmp_path / "site", entries, again, broken, turn))
    figures.add(f"power cuts, {'durable' if durable else 'not durable'}", **counts)
    if durable:
        assert counts["entries"]
        assert counts["destroyed"] == 0
    elif disk.delays:
        # Or this would prove nothing.
        assert counts["destroyed"]
    assert counts["not_seen_by_verify"] == 0
    assert counts["linked_although_destroyed"] == 0
    assert counts["without_a_way_out"] == 0


def look_at(
    root: Path,
    site: Path,
    entries: dict[str, Path],
    wheels: dict[Path, dict[str, bytes]],
    broken: Sequence[str],
    turn: int,
) -> dict[str, int]:
    """Verify a store after a cut, take a way out of each damaged entry, and link all; count what went wrong.

    :param entries: the wheel file of each entry.
    :param wheels: what is to be linked, with what it should hold: what the store has, and one wheel that it lacks.
    :param broken: the entries that were destroyed.
    """
    with WheelStore(root, jobs=1) as store:
        seen = {damage.entry.name for damage in store.verify(deep=True)}
    with WheelStore(root, jobs=1) as store:
        for number, name in enumerate(broken):
            # Every second one is left for what adding makes of it.
            if number % 2:
                leave(store, name, entries[name], (turn + number) % 4)
    wrong = 0
    with WheelStore(root, jobs=1) as store:
        for path, expected in wheels.items():
            link_wheels(site, [store.add(path)], mode="copy", jobs=1)
            wrong += files_below(site) != expected
            shutil.rmtree(site)
        left = {damage.entry.name for damage in store.verify(deep=True)}
    return {
        "not_seen_by_verify": len(set(broken) - seen),
        "linked_although_destroyed": wrong,
        "without_a_way_out": len(left),
    }
