"""When a file could change unseen, and what a directory's time is set to; on clocks of each kind."""

from __future__ import annotations

import errno
import logging
import os
import sys
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from wheel_linker._fs import timestamps
from wheel_linker._fs.timestamps import has_coarse_stamps, identity, refresh, unsettled_for

if TYPE_CHECKING:
    from collections.abc import Callable

SECOND = 1_000_000_000
NOW = 1_700_000_000 * SECOND + 123_456_789


def status(mtime: int, ctime: int) -> Any:
    return SimpleNamespace(st_mtime_ns=mtime, st_ctime_ns=ctime, st_size=7, st_ino=11)


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    def set_clock(now: int) -> None:
        monkeypatch.setattr(time, "time_ns", lambda: now)

    return set_clock


@pytest.fixture
def system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(timestamps, "os", SimpleNamespace(name=request.param))
    return str(request.param)


POSIX = pytest.mark.parametrize("system", ["posix"], indirect=True)
WINDOWS = pytest.mark.parametrize("system", ["nt"], indirect=True)


def test_identity_is_size_times_and_number() -> None:
    assert identity(status(3, 5)) == "7 3 5 11"


@pytest.mark.usefixtures("system")
class TestUnsettled:
    @POSIX
    @pytest.mark.parametrize(
        ("age", "left"),
        [(0, 0.05), (1, 49_999_999 / SECOND), (20_000_000, 0.03), (50_000_000, 0), (SECOND, 0)],
    )
    def test_counts_down_one_tick(self, at: Callable[[int], None], age: int, left: float) -> None:
        at(NOW + age)
        assert unsettled_for(status(NOW, NOW)) == left

    @POSIX
    def test_the_newer_of_both_times_counts(self, at: Callable[[int], None]) -> None:
        at(NOW + 10_000_000)
        assert unsettled_for(status(NOW - SECOND, NOW)) == 0.04
        assert unsettled_for(status(NOW, NOW - SECOND)) == 0.04
        assert unsettled_for(status(NOW - SECOND, NOW - SECOND)) == 0

    @POSIX
    def test_whole_seconds_take_two(self, at: Callable[[int], None]) -> None:
        whole = NOW // SECOND * SECOND
        at(whole + SECOND)
        assert unsettled_for(status(whole, whole)) == 1
        assert unsettled_for(status(whole, whole - 1)) == 0

    @POSIX
    def test_stamps_from_the_future(self, at: Callable[[int], None]) -> None:
        at(NOW)
        assert unsettled_for(status(NOW + 3600 * SECOND, NOW)) == 0.05

    @WINDOWS
    def test_the_time_of_creation_does_not_count(self, at: Callable[[int], None]) -> None:
        at(NOW + 10_000_000)
        assert unsettled_for(status(NOW - SECOND, NOW)) == 0
        assert unsettled_for(status(NOW, NOW + 3600 * SECOND)) == 0.04


@pytest.mark.usefixtures("system")
class TestCoarse:
    @POSIX
    def test_both_times_are_whole(self) -> None:
        assert has_coarse_stamps(status(3 * SECOND, 5 * SECOND)) is True
        assert has_coarse_stamps(status(3 * SECOND, 5 * SECOND + 1)) is False
        assert has_coarse_stamps(status(3 * SECOND + 1, 5 * SECOND)) is False
        assert has_coarse_stamps(status(3 * SECOND + 1, 5 * SECOND + 1)) is False

    @WINDOWS
    def test_the_time_of_creation_says_nothing(self) -> None:
        assert has_coarse_stamps(status(3 * SECOND, 5 * SECOND + 1)) is True
        assert has_coarse_stamps(status(3 * SECOND + 1, 5 * SECOND)) is False


class FakeFolder:
    """A directory whose file system keeps stamps in steps, and may refuse to have them set."""

    path = "/some/where"
    prefix = "/prefix/"
    fd = 42

    def __init__(self, mtime: int, step: int = 1, refusal: Exception | None = None) -> None:
        self.mtime = mtime
        self.step = step
        self.refusal = refusal
        self.calls: list[tuple[str, int, int]] = []

    def stat(self) -> Any:
        return SimpleNamespace(st_mtime_ns=self.mtime, st_atime_ns=5)

    def utime(self, path: str, *, ns: tuple[int, int], dir_fd: int) -> None:
        if self.refusal is not None:
            raise self.refusal
        self.calls.append((path, ns[0], dir_fd))
        self.mtime = ns[1] // self.step * self.step


def refreshed(folder: FakeFolder, before: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timestamps, "os", SimpleNamespace(utime=folder.utime, curdir="."))
    refresh(folder, before)  # type: ignore[arg-type]


class TestRefresh:
    def test_one_step_where_stamps_are_fine(self, monkeypatch: pytest.MonkeyPatch) -> None:
        folder = FakeFolder(NOW)
        refreshed(folder, NOW, monkeypatch)
        assert folder.mtime == NOW + 1000
        assert folder.calls == [("/prefix/.", 5, 42)]

    @pytest.mark.parametrize(("now", "before"), [(NOW, NOW + SECOND), (NOW + SECOND, NOW)])
    def test_later_than_both(self, now: int, before: int, monkeypatch: pytest.MonkeyPatch) -> None:
        folder = FakeFolder(now)
        refreshed(folder, before, monkeypatch)
        assert folder.mtime == NOW + SECOND + 1000

    @pytest.mark.parametrize(
        ("step", "tries"), [(100, 1), (1_000_000, 2), (10_000_000, 3), (SECOND, 4), (2 * SECOND, 5)]
    )
    def test_as_far_as_it_takes(
        self, step: int, tries: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        begin = 1_700_000_000 * SECOND
        folder = FakeFolder(begin, step)
        refreshed(folder, begin, monkeypatch)
        assert float(folder.mtime) > begin
        assert len(folder.calls) == tries

    def test_where_stamps_stay_as_they_are(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        folder = FakeFolder(NOW, 10**20)
        with caplog.at_level(logging.DEBUG, "wheel_linker"):
            refreshed(folder, NOW, monkeypatch)
        assert len(folder.calls) == 6
        assert caplog.messages == [
            "the modification time of /some/where stays the same whatever it is set to"
        ]

    @pytest.mark.parametrize(
        "refusal", [PermissionError(errno.EPERM, "not yours"), OverflowError("not yours")]
    )
    def test_a_refusal_is_logged(
        self,
        refusal: Exception,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        with caplog.at_level(logging.DEBUG, "wheel_linker"):
            refreshed(FakeFolder(NOW, 1, refusal), NOW, monkeypatch)
        (message,) = caplog.messages
        assert message.startswith("cannot set the modification time of /some/where: ")
        assert "not yours" in message

    def test_another_error_is_raised(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with pytest.raises(MemoryError):
            refreshed(FakeFolder(NOW, 1, MemoryError()), NOW, monkeypatch)


@pytest.mark.parametrize("nanoseconds", [NOW, 1, SECOND - 1, 3 * SECOND, 2**62, -1])
def test_the_float_is_the_one_of_stat(nanoseconds: int, tmp_path: Any) -> None:
    """Of the interpreter that runs, for what the file system has kept."""
    try:
        os.utime(tmp_path, ns=(nanoseconds, nanoseconds))
    except OverflowError:
        pytest.skip("is about times past 2038, which this system's time_t has not")
    kept = os.stat(tmp_path)
    # What x87 works with has more digits than a float: there the interpreter's own sum may differ in the last ones.
    last_digits = 0.0 if sys.maxsize > 2**32 else 1e-15
    assert abs(timestamps._as_float(kept.st_mtime_ns) - kept.st_mtime) <= last_digits
