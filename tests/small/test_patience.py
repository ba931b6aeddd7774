"""How long a lock is waited for, what is said meanwhile, and who is said to hold it; by a clock that does not run."""

from __future__ import annotations

import errno
import logging
import os
import sys
import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from wheel_linker import LockTimeoutError
from wheel_linker._fs import patience
from wheel_linker._fs.patience import TIMEOUT, Patience

if TYPE_CHECKING:
    from pathlib import Path


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(patience, "time", made)
    return made


def test_pauses_grow_to_a_twentieth_of_a_second(clock: Clock) -> None:
    waiting = Patience("here", None)
    for _ in range(8):
        waiting.wait()
    assert clock.slept == [0.002, 0.004, 0.008, 0.016, 0.032, 0.05, 0.05, 0.05]


def test_a_wait_ends_when_the_time_is_over(clock: Clock) -> None:
    clock.now = 0.0
    waiting = Patience("here", 0.01)
    for _ in range(3):
        waiting.wait()
    with pytest.raises(LockTimeoutError) as caught:
        waiting.wait()
    assert clock.slept == pytest.approx([0.002, 0.004, 0.004])
    assert clock.now == pytest.approx(0.01)
    said = "waited 0.01 seconds for 'here', which another thread of this process has locked; "
    assert str(caught.value) == said + "end that, or wait longer (timeout=)"
    assert (caught.value.errno, caught.value.destination) == (errno.ETIMEDOUT, "here")


def test_five_minutes_if_nobody_says_otherwise(clock: Clock) -> None:
    waiting = Patience("here")
    assert waiting.timeout == TIMEOUT == 300
    clock.now += 299.99
    waiting.wait()
    assert clock.slept == [pytest.approx(0.002)]
    clock.now = 1300.0
    with pytest.raises(LockTimeoutError, match="waited 300 seconds for 'here'"):
        waiting.wait()


def test_no_time_is_one_try(clock: Clock) -> None:
    with pytest.raises(LockTimeoutError, match="waited 0 seconds"):
        Patience("here", 0).wait()
    assert clock.slept == []


def test_a_word_after_three_seconds_and_only_one(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    waiting = Patience("/the/place", None)
    with caplog.at_level(logging.WARNING, "wheel_linker"):
        clock.now += 2.99
        waiting.wait()
        assert caplog.messages == []
        clock.now = 1003.0
        waiting.wait()
        assert len(caplog.messages) == 1
        waiting.wait()
    assert caplog.messages == [
        "waiting for /the/place, which another thread of this process has locked"
    ]


class TestTurn:
    def test_is_held(self) -> None:
        lock = threading.Lock()
        with Patience("here", 0).turn(lock):
            assert lock.locked()
        assert not lock.locked()

    def test_is_given_back_after_an_error(self) -> None:
        lock = threading.Lock()
        with pytest.raises(KeyError), Patience("here", 0).turn(lock):
            raise KeyError
        assert not lock.locked()

    def test_is_tried_in_small_steps(self, clock: Clock) -> None:
        tried: list[float] = []

        class Taken:
            def acquire(self, blocking: bool, timeout: float) -> bool:
                assert blocking
                tried.append(timeout)
                clock.now += timeout
                return len(tried) == 3

            def release(self) -> None:
                tried.append(-1)

        with Patience("here", 1).turn(Taken()):  # type: ignore[arg-type]
            pass
        assert tried == [0.05, 0.05, 0.05, -1]
        assert clock.slept == [0.002, 0.004]


@pytest.mark.skipif(sys.platform == "win32", reason="there nobody tells")
class TestHolder:
    @pytest.fixture
    def locks(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """What stands for /proc/locks, with the descriptor 42 being of one file."""
        if sys.platform == "win32":
            pytest.skip("is about POSIX systems")
        status: Any = SimpleNamespace(st_dev=os.makedev(0x0B, 0x1D), st_ino=4711)
        known = os.fstat
        monkeypatch.setattr(os, "fstat", lambda fd: status if fd == 42 else known(fd))
        monkeypatch.setattr(patience, "_PROC_LOCKS", os.fspath(tmp_path / "locks"))
        return tmp_path / "locks"

    @pytest.mark.parametrize(
        ("lines", "holder"),
        [
            ("1: FLOCK  ADVISORY  WRITE 815 0b:1d:4711 0 EOF\n", "the process 815"),
            ("1: FLOCK  ADVISORY  READ 815 0b:1d:4711 0 EOF\n", "the process 815"),
            ("1: FLOCK  ADVISORY  WRITE 1 0b:1d:4711 0 EOF\n", "the process 1"),
            ("1: FLOCK ADVISORY WRITE 815 0b:1d:4711", "the process 815"),
            ("1: FLOCK  ADVISORY  WRITE 815 0b:1d:4712 0 EOF\n", "another process"),
            ("1: FLOCK  ADVISORY  WRITE 815 1d:0b:4711 0 EOF\n", "another process"),
            ("1: POSIX  ADVISORY  WRITE 815 0b:1d:4711 0 EOF\n", "another process"),
            ("1: FLOCK  ADVISORY  WRITE 0 0b:1d:4711 0 EOF\n", "another process"),
            ("1: -> FLOCK  ADVISORY  WRITE 815 0b:1d:4711 0 EOF\n", "another process"),
            ("1: FLOCK ADVISORY WRITE 815\n", "another process"),
            ("\xff\n", "another process"),
            ("", "another process"),
            (
                "1: FLOCK ADVISORY WRITE 0 0b:1d:4711 0 EOF\n2: FLOCK ADVISORY WRITE 5 0b:1d:4711 0 EOF\n",
                "the process 5",
            ),
            (
                "1: POSIX ADVISORY WRITE 3 0b:1d:4711 0 EOF\n2: FLOCK ADVISORY WRITE 5 0b:1d:4711 0 EOF\n",
                "the process 5",
            ),
        ],
    )
    def test_is_named(self, locks: Path, lines: str, holder: str) -> None:
        locks.write_text(lines, encoding="latin-1")
        assert patience._holder(42) == holder

    def test_is_this_process(self, locks: Path) -> None:
        locks.write_text(f"1: FLOCK  ADVISORY  WRITE {os.getpid()} 0b:1d:4711 0 EOF\n")
        assert patience._holder(42) == "another call of this process"

    def test_is_not_told(self, locks: Path) -> None:
        assert not locks.exists()
        assert patience._holder(42) == "another process"

    @pytest.mark.usefixtures("locks")
    def test_is_asked_for_by_the_descriptor(
        self, locks: Path, clock: Clock, caplog: pytest.LogCaptureFixture
    ) -> None:
        locks.write_text("1: FLOCK  ADVISORY  WRITE 815 0b:1d:4711 0 EOF\n")
        waiting = Patience("here", 4)
        clock.now += 3.5
        with caplog.at_level(logging.WARNING, "wheel_linker"):
            waiting.wait(42)
        assert caplog.messages == ["waiting for here, which the process 815 has locked"]
        clock.now += 3.5
        with pytest.raises(LockTimeoutError, match="which the process 815 has locked"):
            waiting.wait(42)
