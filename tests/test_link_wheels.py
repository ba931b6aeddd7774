"""Many wheels at once: the later wins, whatever the threads do."""

from __future__ import annotations

import os
import random
import threading
from pathlib import Path, PurePosixPath

import pytest
from standins import ScriptedBackend
from wheels import SAMPLE, contents, make_wheel, names, sample_wheel

from wheel_linker import LinkMode, UnpackedWheel, WheelFilename, link_wheel_files, link_wheels
from wheel_linker._link import staging

MODES = list(LinkMode)


@pytest.fixture
def overlapping(tmp_path: Path) -> list[Path]:
    """Twelve wheels, each of which has files of its own and some that others have too."""
    chance = random.Random(4711)
    pool = [f"shared/{a}/{b}.py" for a in "abc" for b in "xyz"] + ["top.py", "conf.pth"]
    return [
        make_wheel(
            tmp_path / "cache" / f"w{n}",
            {
                f"own{n}/m.py": b"",
                **{path: b"%d %s" % (n, path.encode()) for path in chance.sample(pool, 6)},
            },
            name=f"w{n}",
        )
        for n in range(12)
    ]


def in_order(sources: list[Path]) -> dict[str, bytes | None]:
    expected: dict[str, bytes | None] = {}
    for source in sources:
        expected.update(contents(source))
    return expected


@pytest.mark.parametrize("jobs", [None, 1, 2, 8, 64])
@pytest.mark.parametrize("mode", MODES)
def test_the_later_wheel_wins(
    site: Path, overlapping: list[Path], mode: LinkMode, jobs: int | None
) -> None:
    for order in (overlapping, overlapping[::-1]):
        link_wheels(site, order, mode=mode, jobs=jobs)
        assert contents(site) == in_order(order)


def test_many_rounds_with_many_threads_are_all_alike(
    tmp_path: Path, overlapping: list[Path]
) -> None:
    expected = in_order(overlapping)
    for number in range(20):
        link_wheels(tmp_path / str(number), overlapping, jobs=16)
        assert contents(tmp_path / str(number)) == expected


@pytest.mark.parametrize("jobs", [1, 8])
def test_reports_come_in_order_and_count_each_wheel(
    site: Path, overlapping: list[Path], jobs: int
) -> None:
    reports = link_wheels(site, overlapping, jobs=jobs)
    assert [report.wheel.name for report in reports] == [f"w{n}" for n in range(12)]
    assert {report.files for report in reports} == {10}
    assert all(sum(report.used.values()) == report.files for report in reports)
    # What an earlier wheel of the same call had put there counts as replaced.
    placed: set[str] = set()
    for source, report in zip(overlapping, reports):
        own = {path for path, data in contents(source).items() if data is not None}
        assert set(report.replaced) == own & placed
        assert list(report.replaced) == sorted(report.replaced)
        placed |= own


def test_no_wheels_are_no_work(tmp_path: Path) -> None:
    assert link_wheels(tmp_path / "new", []) == []


def test_wheels_may_come_from_an_iterator_as_paths_or_unpacked(site: Path, wheel: Path) -> None:
    name = WheelFilename.parse("demo-1.0-py3-none-any.whl")
    given: list[str | Path | UnpackedWheel] = [
        wheel,
        str(wheel),
        UnpackedWheel(wheel, name),
        UnpackedWheel(str(wheel), str(name)),
    ]
    assert [report.wheel for report in link_wheels(os.fspath(site), iter(given))] == [name] * 4


class TestProgress:
    @pytest.mark.parametrize("jobs", [1, 4])
    @pytest.mark.parametrize("mode", MODES)
    def test_it_adds_up(
        self, site: Path, overlapping: list[Path], mode: LinkMode, jobs: int
    ) -> None:
        counts: list[int] = []
        reports = link_wheels(site, overlapping, mode=mode, jobs=jobs, progress=counts.append)
        assert sum(counts) == sum(report.files for report in reports)
        assert min(counts) > 0

    def test_one_wheel(self, site: Path, wheel: Path) -> None:
        counts: list[int] = []
        report = link_wheel_files(site, wheel, progress=counts.append)
        assert sum(counts) == report.files == len(SAMPLE) + 3
        assert len(counts) > 1

    def test_calls_do_not_overlap(self, site: Path, overlapping: list[Path]) -> None:
        busy = threading.Lock()

        def progress(_: int) -> None:
            assert busy.acquire(blocking=False)
            busy.release()

        link_wheels(site, overlapping, jobs=8, progress=progress)


class TestJobs:
    @pytest.mark.parametrize("jobs", [0, -1])
    def test_at_least_one(self, tmp_path: Path, wheel: Path, jobs: int) -> None:
        with pytest.raises(ValueError, match=r"jobs"):
            link_wheels(tmp_path / "new", [wheel], jobs=jobs)
        with pytest.raises(ValueError, match=r"jobs"):
            link_wheel_files(tmp_path / "new", wheel, jobs=jobs)
        assert not (tmp_path / "new").exists()

    @pytest.mark.parametrize(("jobs", "most"), [(1, 1), (3, 3)])
    def test_no_more_threads_than_asked_for(
        self, site: Path, overlapping: list[Path], jobs: int, most: int
    ) -> None:
        seen: set[int] = set()

        def must_copy(_: PurePosixPath) -> bool:
            seen.add(threading.get_ident())
            return False

        link_wheels(site, overlapping, jobs=jobs, must_copy=must_copy)
        assert 1 <= len(seen) <= most
        if most == 1:
            assert seen == {threading.get_ident()}

    def test_no_thread_is_left(self, site: Path, overlapping: list[Path]) -> None:
        before = threading.active_count()
        link_wheels(site, overlapping, jobs=8)
        assert threading.active_count() == before


@pytest.mark.parametrize("jobs", [1, 6])
def test_must_copy_is_asked_about_paths_in_the_wheel(
    site: Path, overlapping: list[Path], jobs: int
) -> None:
    asked: list[PurePosixPath] = []

    def must_copy(path: PurePosixPath) -> bool:
        asked.append(path)
        return path.name == "m.py"

    reports = link_wheels(site, overlapping, mode="hardlink", jobs=jobs, must_copy=must_copy)
    existing = {
        path
        for source in overlapping
        for path, data in contents(source).items()
        if data is not None
    }
    assert {os.fspath(path) for path in asked} <= existing
    assert {f"own{n}/m.py" for n in range(12)} <= {os.fspath(path) for path in asked}
    assert [report.used[LinkMode.COPY] for report in reports] == [2] * 12
    assert (site / "own3/m.py").stat().st_nlink == 1


def test_a_backend_of_the_callers_is_used(site: Path, overlapping: list[Path]) -> None:
    backend = ScriptedBackend()
    reports = link_wheels(site, overlapping, mode=("clone",), backend=backend, jobs=3)
    assert {report.mode for report in reports} == {LinkMode.CLONE}
    assert len(backend.tried) == sum(report.files for report in reports)


@pytest.fixture
def flat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One wheel with enough files for several threads to share it."""
    monkeypatch.setattr(staging, "_ENTRIES_PER_THREAD", 600)
    monkeypatch.setattr(staging, "_ENTRIES_PER_UNIT", 100)
    return make_wheel(tmp_path / "flat", {f"p{n % 60}/m{n}.py": b"%d" % n for n in range(700)})


@pytest.mark.parametrize("mode", MODES)
def test_one_large_wheel_is_shared_by_threads(site: Path, flat: Path, mode: LinkMode) -> None:
    counts: list[int] = []
    report = link_wheel_files(site, flat, mode=mode, jobs=4, progress=counts.append)
    assert contents(site) == contents(flat)
    assert report.files == sum(report.used.values()) == sum(counts) == 703


def test_nothing_is_left_in_site_packages_but_the_wheels(site: Path, tmp_path: Path) -> None:
    link_wheels(site, [sample_wheel(tmp_path / "w")], jobs=4)
    assert names(site) == names(tmp_path / "w")
