"""Linking into a directory that is there: names are read in the visit in which files are placed, by whoever does it."""

from __future__ import annotations

import errno
import os
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from proof.kit import package
from wheels import contents, make_wheel, names, snapshot

from wheel_linker import InvalidWheelError, LinkError, LinkMode, link_wheel_files, link_wheels
from wheel_linker._link import staging
from wheel_linker._link.helper import process as helper_process
from wheel_linker._link.helper import starting
from wheel_linker._link.helper.process import Helper
from wheel_linker._link.units import Visit
from wheel_linker._wheel import scan

if TYPE_CHECKING:
    from collections.abc import Callable

    from wheel_linker._link.helper.program import Answer, Order

COPY, HARDLINK, SYMLINK = LinkMode.COPY, LinkMode.HARDLINK, LinkMode.SYMLINK
WITH_HELPERS = (
    sys.platform == "linux"
    and sys.implementation.name == "cpython"
    and getattr(sys, "_is_gil_enabled", lambda: True)()
)
helped = pytest.mark.skipif(not WITH_HELPERS, reason="helper processes are for CPython on Linux")


@pytest.fixture
def site(tmp_path: Path) -> Path:
    site = tmp_path / "site"
    site.mkdir()
    return site


@pytest.fixture(autouse=True)
def never_scanned(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the test fail if a wheel is read before."""
    monkeypatch.setattr(scan, "scan", None)


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Order, Answer]]:
    """What helper processes are asked and answer, which do all but the first visit, of any number of files."""
    seen: list[tuple[Order, Answer]] = []
    place_by_helper, visit_here = Helper.place, Visit.place
    monkeypatch.setattr(starting, "ENTRIES_PER_HELPER", 1)
    monkeypatch.setattr(staging, "_ENTRIES_PER_UNIT", 4)

    def place(helper: Helper, order: Order) -> Answer:
        answer = place_by_helper(helper, order)
        seen.append((order, answer))
        return answer

    helpers: list[Any] = []

    def visit(piece: Visit, stage: Any, progress: Any) -> list[Visit]:
        """Place the first piece here, and all others by one helper process."""
        if not helpers:
            helpers.append(None)
            return visit_here(piece, stage, progress)
        with helper_process.started(stage.path, stage.fd, ()) as helper:
            assert helper is not None
            monkeypatch.setattr(Visit, "place", visit_here)
            try:
                return piece.place_by(helper, stage, progress)
            finally:
                monkeypatch.setattr(Visit, "place", visit)

    monkeypatch.setattr(Helper, "place", place)
    monkeypatch.setattr(Visit, "place", visit)
    return seen


def large(root: Path, **files: bytes) -> Path:
    """Write a wheel with many directories."""
    some = {f"large/d{index % 12}/sub/m{index}.py": b"%d" % index for index in range(96)}
    return make_wheel(root / "large", {**some, **files}, name="large")


@pytest.mark.parametrize("mode", [COPY, HARDLINK, SYMLINK])
@pytest.mark.parametrize("jobs", [1, 2, 5])
def test_everything_is_there(tmp_path: Path, site: Path, mode: LinkMode, jobs: int) -> None:
    wheels = [*(package(tmp_path / str(n), n) for n in range(4)), large(tmp_path)]
    before = snapshot(tmp_path / "large", directory_times=True)
    reports = link_wheels(site, wheels, mode=mode, jobs=jobs)
    expected: dict[str, bytes | None] = {}
    for wheel in wheels:
        expected |= contents(wheel)
    assert contents(site) == expected
    assert [report.files for report in reports] == [len(names_below(wheel)) for wheel in wheels]
    assert snapshot(tmp_path / "large", directory_times=True) == before


@helped
@pytest.mark.parametrize("mode", [COPY, HARDLINK, SYMLINK])
def test_a_helper_does_the_same(
    tmp_path: Path, site: Path, mode: LinkMode, answers: list[tuple[Order, Answer]]
) -> None:
    wheel = large(tmp_path, **{"large/d3/RECORD": b"", "large/d4/sub/deep/x.py": b"x"})
    (wheel / "large/d5/link.py").symlink_to("sub/m5.py")
    report = link_wheel_files(site, wheel, mode=mode, jobs=2)
    assert contents(site) == contents(wheel)
    assert (site / "large/d5/link.py").is_symlink()
    assert answers
    placed = {
        tuple(parts)
        for _, answer in answers
        for index, (parts, _, _) in enumerate(answer.found)
        if index not in answer.left
    }
    assert ("large", "d4", "sub", "deep") in placed
    assert ("large", "d3") not in placed
    assert ("large", "d5") not in placed
    assert sum(report.used.values()) == report.files == len(names_below(wheel))
    assert (site / "large/d3/RECORD").stat().st_nlink == 1


@helped
def test_one_file_that_a_helper_is_refused_falls_back_alone(
    on_filesystem: Callable[[str], Path], answers: list[tuple[Order, Answer]]
) -> None:
    """A file has all the links that ext4 lets it have."""
    place = on_filesystem("ext4")
    files = {f"one/d{index % 10}/m{index // 10}.py": b"%d" % index for index in range(50)}
    wheel = make_wheel(place / "cache", files, name="one")
    (place / "links").mkdir()
    (place / "site").mkdir()
    for index in range(64_999):
        os.link(wheel / "one/d8/m3.py", place / "links" / str(index))
    (report,) = link_wheels(place / "site", [wheel], mode=(HARDLINK, COPY), jobs=2)
    (answer,) = [answer for _, answer in answers if not answer.complete]
    parts, tried, _ = answer.found[answer.directories]
    assert (parts, tried[answer.files]) == (("one", "d8"), "m3.py")
    assert report.used == {HARDLINK: 51, COPY: 2}
    (fall,) = report.fallbacks
    assert (fall.path, fall.error.errno) == ("one/d8/m3.py", errno.EMLINK)
    assert contents(place / "site") == contents(wheel)


@pytest.mark.parametrize("kind", ["fifo", "socket"])
@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.skipif(sys.platform == "win32", reason="POSIX has such files")
def test_what_is_no_file_is_refused(tmp_path: Path, site: Path, kind: str, jobs: int) -> None:
    wheel = large(tmp_path)
    make_special(wheel / "large/d7/sub", kind)
    refused(tmp_path, site, wheel, "neither a file", jobs=jobs)


@helped
def test_what_is_no_file_is_refused_where_a_helper_finds_it(
    tmp_path: Path, site: Path, answers: list[tuple[Order, Answer]]
) -> None:
    wheel = large(tmp_path)
    make_special(wheel / "large/d7/sub", "fifo")
    refused(tmp_path, site, wheel, "neither a file", jobs=2)
    assert any(not answer.complete for _, answer in answers)


def test_a_symlink_that_leads_out_is_refused(tmp_path: Path, site: Path) -> None:
    wheel = large(tmp_path)
    (wheel / "large/d7/sub/out.py").symlink_to("../../../../secret")
    refused(tmp_path, site, wheel, "leads out of the wheel", jobs=2)


def test_a_directory_that_cannot_be_read_is_named(
    tmp_path: Path, site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = large(tmp_path)
    really = os.scandir

    def scandir(where: Any = ".") -> Any:
        if isinstance(where, int) and os.readlink(f"/proc/self/fd/{where}").endswith("d7/sub"):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return really(where)

    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("needs a list of open descriptors")
    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(LinkError, match="large") as caught:
        link_wheels(site, [wheel], jobs=1)
    monkeypatch.undo()
    assert caught.value.errno == errno.EIO
    assert names(site) == set()


def test_one_large_wheel_is_shared(
    tmp_path: Path, site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It seems to be a small one, so that threads begin with it; what they come to later is a helper's."""
    monkeypatch.setattr(staging, "_ENTRIES_PER_UNIT", 4)
    monkeypatch.setattr(starting, "LARGE_VISITS_ALONE", 1)
    helped_with: list[Order] = []
    really = Helper.place

    def place(helper: Helper, order: Order) -> Answer:
        helped_with.append(order)
        return really(helper, order)

    monkeypatch.setattr(Helper, "place", place)
    files = {f"large/d{index}/sub/m.py": b"%d" % index for index in range(2_500)}
    wheel = make_wheel(tmp_path / "large", files, name="large")
    link_wheel_files(site, wheel, mode=HARDLINK, jobs=2)
    assert contents(site) == contents(wheel)
    assert bool(helped_with) == WITH_HELPERS


def names_below(wheel: Path) -> list[Path]:
    return [path for path in wheel.rglob("*") if path.is_symlink() or path.is_file()]


def make_special(directory: Path, kind: str) -> None:
    if sys.platform == "win32":
        pytest.skip("is about POSIX systems")
    if kind == "fifo":
        os.mkfifo(directory / "special")
        return
    before = os.getcwd()
    os.chdir(directory)  # paths of sockets are short
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind("special")
    finally:
        os.chdir(before)


def refused(tmp_path: Path, site: Path, wheel: Path, words: str, *, jobs: int) -> None:
    """Link a wheel beside another one, which must fail and leave everything as it was."""
    (site / "kept.py").write_bytes(b"kept")
    good = package(tmp_path / "good", 1)
    before = snapshot(site), snapshot(wheel, directory_times=True)
    with pytest.raises(InvalidWheelError, match=words):
        link_wheels(site, [good, wheel], jobs=jobs)
    assert (snapshot(site), snapshot(wheel, directory_times=True)) == before
