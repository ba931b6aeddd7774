"""How far a call is: totals that are reached, names, and ending a call from the callback."""

from __future__ import annotations

import random
import stat
import threading
from typing import TYPE_CHECKING, Final

import pytest
from install.kit import layout_in
from store.archives import FILES, record_of, write_archive
from store.conftest import settle
from wheels import snapshot

from wheel_linker import ProgressBar, link_wheels, unpack_wheel
from wheel_linker._archive import member_data, unpacking
from wheel_linker._compat.override import override
from wheel_linker.install import install_wheels, sync_wheels
from wheel_linker.store import WheelStore

if TYPE_CHECKING:
    import zipfile
    from collections.abc import Callable, Sequence
    from pathlib import Path

    Call = Callable[[Path, Sequence[Path], ProgressBar], object]

COUNT: Final = 3


class Stop(Exception):
    """What a caller raises to end a call."""


class Bar(ProgressBar):
    """Notes what it is told, and ends the call at a certain moment.

    :param last: how many calls it takes without complaint.
    """

    def __init__(self, last: float = float("inf")) -> None:
        self.files = self.size = self.calls = self.put_back = 0
        self.totals: list[tuple[int, int]] = []
        self.wheels: list[str] = []
        self._last = last
        self._busy = threading.Lock()

    @override
    def __call__(self, files: int, /) -> object:
        self.files += files
        return self._note()

    @override
    def total(self, files: int, size: int, /) -> object:
        self.totals.append((files, size))
        return self._note()

    @override
    def unpacked(self, size: int, /) -> object:
        self.size += size
        return self._note()

    @override
    def wheel(self, name: str, /) -> object:
        # How often depends on the threads.
        self.wheels.append(name)
        return None

    @override
    def putting_back(self) -> object:
        self.put_back += 1
        return None

    def _note(self) -> str:
        assert self._busy.acquire(blocking=False)
        files, size = self.totals[-1]
        assert self.files <= files
        assert self.size <= size
        self._busy.release()
        self.calls += 1
        if self.calls > self._last:
            raise Stop
        return "of no interest"


def write_wheel(directory: Path, name: str) -> Path:
    """Write a wheel of some files, one of them larger than the others, and one directory's entry."""
    info = f"{name}-1.0.dist-info"
    files = {
        f"{name}/__init__.py": b"",
        f"{name}/more.bin": random.Random(name).randbytes(60_000),
        f"{name}/sub/leaf.py": b"LEAF = True\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n".encode(),
        f"{info}/WHEEL": FILES["demo-1.0.dist-info/WHEEL"],
    }
    record = record_of(files, f"{info}/RECORD")
    everything = {f"{name}/sub/": b"", **files, f"{info}/RECORD": record}
    path = directory / f"{name}-1.0-py3-none-any.whl"
    return write_archive(path, everything, change=_as_directory)


def _as_directory(entry: zipfile.ZipInfo) -> None:
    if entry.is_dir():
        entry.external_attr = (stat.S_IFDIR | 0o755) << 16


@pytest.fixture
def archives(tmp_path: Path) -> list[Path]:
    """Some wheel files."""
    return [settle(write_wheel(tmp_path / "given", f"demo{number}")) for number in range(COUNT)]


@pytest.fixture
def size(archives: list[Path], tmp_path: Path) -> int:
    """How many bytes they unpack to."""
    with WheelStore(tmp_path / "measured") as store:
        store.add_all(archives)
        return sum(entry.size for entry in store.entries())


@pytest.fixture(params=["at once", "large", "huge"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Have files unpacked at once, in pieces, and while they are read."""
    chosen: str = request.param
    if chosen != "at once":
        monkeypatch.setattr(unpacking, f"_{chosen.upper()}", 40_000)
        monkeypatch.setattr(member_data, "PIECE", 10_000)
    return chosen


def install(place: Path, wheels: Sequence[Path], bar: ProgressBar) -> object:
    return install_wheels(wheels, layout_in(place), jobs=2, progress=bar)


def synchronise(place: Path, wheels: Sequence[Path], bar: ProgressBar) -> object:
    return sync_wheels(wheels, layout_in(place), jobs=2, progress=bar)


def link(place: Path, wheels: Sequence[Path], bar: ProgressBar) -> object:
    with WheelStore(place.parent / "store") as store:
        return link_wheels(place / "site", store.add_all(wheels), jobs=2, progress=bar)


def add(place: Path, wheels: Sequence[Path], bar: ProgressBar) -> object:
    return WheelStore(place / "store", jobs=1).add(wheels[0], progress=bar)


def unpack_first(place: Path, wheels: Sequence[Path], bar: ProgressBar) -> object:
    return unpack_wheel(wheels[0], place / "tree", jobs=1, progress=bar)


class TestTotals:
    @pytest.mark.usefixtures("way")
    @pytest.mark.parametrize("call", [install, synchronise])
    def test_of_installing_are_reached(
        self, tmp_path: Path, archives: list[Path], size: int, call: Call
    ) -> None:
        bar = Bar()
        call(tmp_path / "env", archives, bar)
        # RECORD is written.
        assert bar.totals == [(6 * COUNT, size), (6 * COUNT + 5 * COUNT, size)]
        assert (bar.files, bar.size) == bar.totals[-1]
        assert set(bar.wheels) == {archive.name for archive in archives}

    def test_of_adding_are_reached(
        self, tmp_path: Path, archives: list[Path], size: int, way: str
    ) -> None:
        bar = Bar()
        with WheelStore(tmp_path / "store", jobs=2) as store:
            wheels = store.add_all(archives, progress=bar)
            assert bar.totals == [(6 * COUNT, size)]
            assert (bar.files, bar.size) == bar.totals[-1]
            assert (bar.calls > 4 * COUNT) == (way != "at once")
            again = Bar()
            store.add_all(archives, progress=again)
            store.add(archives[0], progress=again)
            assert again.calls == 0
            link_wheels(tmp_path / "site", wheels, progress=again)
        assert again.totals == [(6 * COUNT, 0)]
        assert again.files == 6 * COUNT

    def test_of_unpacking_are_reached(self, tmp_path: Path, archives: list[Path]) -> None:
        bar = Bar()
        unpack_wheel(archives[0], tmp_path / "tree", progress=bar)
        assert bar.totals == [(6, bar.size)]
        assert bar.files == 6
        assert bar.wheels == [archives[0].name]

    def test_are_not_needed(self, tmp_path: Path, archives: list[Path]) -> None:
        counts: list[int] = []
        install_wheels(archives, layout_in(tmp_path / "env"), progress=counts.append)
        assert sum(counts) == 11 * COUNT


class TestEnding:
    @pytest.mark.usefixtures("way")
    @pytest.mark.parametrize("call", [install, synchronise])
    def test_at_any_moment_leaves_nothing(
        self, tmp_path: Path, archives: list[Path], call: Call
    ) -> None:
        call(tmp_path / "env", archives[:1], Bar())
        before = snapshot(tmp_path / "env")
        counted = Bar()
        call(tmp_path / "other", archives[1:], counted)
        for last in range(0, counted.calls, 2):
            with pytest.raises(Stop):
                call(tmp_path / "env", archives[1:], Bar(last))
            assert snapshot(tmp_path / "env") == before

    def test_while_adding_leaves_no_part(self, tmp_path: Path, archives: list[Path]) -> None:
        counted = Bar()
        WheelStore(tmp_path / "counted").add_all(archives, progress=counted)
        for last in range(counted.calls):
            with WheelStore(tmp_path / f"store{last}") as store:
                with pytest.raises(Stop):
                    store.add_all(archives, progress=Bar(last))
                assert store.verify(deep=True) == []
                store.add_all(archives)
                assert len(store.entries()) == COUNT

    @pytest.mark.parametrize("call", [install, synchronise, link, add, unpack_first])
    def test_is_told_once_before_all_is_put_back(
        self, tmp_path: Path, archives: list[Path], call: Call
    ) -> None:
        class Watching(Bar):
            there: frozenset[Path] = frozenset()

            @override
            def putting_back(self) -> object:
                self.there = frozenset((tmp_path / "env").rglob("*"))
                return super().putting_back()

        (tmp_path / "env").mkdir()
        bar = Watching(1)
        with pytest.raises(Stop):
            call(tmp_path / "env", archives, bar)
        assert bar.put_back == 1
        assert bar.there - frozenset((tmp_path / "env").rglob("*"))
        well = Bar()
        call(tmp_path / "env", archives, well)
        assert well.put_back == 0

    def test_while_unpacking_leaves_nothing(self, tmp_path: Path, archives: list[Path]) -> None:
        for last in range(3):
            with pytest.raises(Stop):
                unpack_wheel(archives[0], tmp_path / "tree", progress=Bar(last))
            assert sorted(path.name for path in tmp_path.iterdir()) == ["given"]
