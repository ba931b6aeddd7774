"""Locks of files and directories: waiting that ends and says for whom, and places that know no locks."""

from __future__ import annotations

import errno
import logging
import os
import pickle
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from interrupter import Interrupter, needs_instructions
from wheels import contents

from wheel_linker import LinkError, LinkMode, LockTimeoutError, link_wheel_files
from wheel_linker._fs import locking, patience
from wheel_linker._fs.locking import exclusive, locked
from wheel_linker._fs.patience import Patience
from wheel_linker._link.fallback import Cause, classify
from wheel_linker.store import WheelStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

if sys.platform == "win32":
    pytest.skip("directories have no locks there", allow_module_level=True)

HOLD = """
import fcntl, os, sys
fd = os.open(sys.argv[1], os.O_RDONLY)
fcntl.flock(fd, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


@contextmanager
def held_elsewhere(path: Path) -> Iterator[int]:
    """Have a process that holds the lock of a file or directory; gives its number."""
    command = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        try:
            yield process.pid
        finally:
            process.kill()


def test_a_wait_ends_with_an_error_that_says_for_whom(tmp_path: Path) -> None:
    with (
        held_elsewhere(tmp_path) as holder,
        pytest.raises(LockTimeoutError, match=r"waited 0\.2 seconds") as caught,
        exclusive(str(tmp_path), Patience(str(tmp_path), 0.2)),
    ):
        pytest.fail("two are in here")
    assert caught.value.errno == errno.ETIMEDOUT
    assert caught.value.destination == str(tmp_path)
    assert str(tmp_path) in str(caught.value)
    if os.path.exists("/proc/locks"):
        assert f"the process {holder} has locked" in str(caught.value)


def test_a_wait_that_takes_long_is_logged_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "_SAY_SO_AFTER", 0.05)
    with (
        caplog.at_level(logging.WARNING, "wheel_linker"),
        held_elsewhere(tmp_path),
        pytest.raises(LockTimeoutError),
        exclusive(str(tmp_path), Patience(str(tmp_path), 0.3)),
    ):
        pytest.fail("two are in here")
    (record,) = caplog.records
    assert record.getMessage().startswith(f"waiting for {tmp_path}, which ")


@pytest.mark.parametrize("timeout", [60, None])
def test_a_wait_ends_when_the_lock_is_free(tmp_path: Path, timeout: float | None) -> None:
    with held_elsewhere(tmp_path) as holder:
        timer = threading.Timer(0.1, os.kill, (holder, signal.SIGKILL))
        timer.start()
        with exclusive(str(tmp_path), Patience(str(tmp_path), timeout)):
            timer.join()
            with (
                pytest.raises(LockTimeoutError, match="another call of this process"),
                exclusive(str(tmp_path), Patience(str(tmp_path), 0)),
            ):
                pytest.fail("two are in here")


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs a timer that sends signals")
def test_ctrl_c_ends_a_wait(tmp_path: Path) -> None:
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        with held_elsewhere(tmp_path):
            signal.setitimer(signal.ITIMER_REAL, 0.2)
            with (
                pytest.raises(KeyboardInterrupt),
                exclusive(str(tmp_path), Patience(str(tmp_path), None)),
            ):
                pytest.fail("two are in here")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_threads_wait_no_longer_for_one_another() -> None:
    lock = threading.Lock()
    with (
        lock,
        pytest.raises(LockTimeoutError, match="another thread of this process"),
        Patience("here", 0.05).turn(lock),
    ):
        pytest.fail("two are in here")
    with Patience("here", 0).turn(lock):
        assert lock.locked()
    assert not lock.locked()


@needs_instructions
def test_an_interrupt_after_any_call_leaves_no_lock_taken() -> None:
    taken = []
    has_come = True
    nth = 0
    while has_come:
        nth += 1
        lock = threading.Lock()
        interrupter = Interrupter(nth, {Patience.__module__, "contextlib"})
        sys.settrace(interrupter)
        try:
            with Patience("here", 0).turn(lock):
                pass
        except KeyboardInterrupt:
            pass
        finally:
            sys.settrace(None)
        has_come = interrupter.has_come
        if lock.locked():
            taken.append(nth)
    assert nth > 5
    assert taken == []


def test_readers_share_a_lock_and_a_writer_waits(tmp_path: Path) -> None:
    file = tmp_path / "lock"
    file.touch()
    with file.open() as one, file.open() as two, file.open() as three:
        with (
            locked(one.fileno(), Patience("lock", 0), shared=True),
            locked(two.fileno(), Patience("lock", 0), shared=True),
            pytest.raises(LockTimeoutError),
            locked(three.fileno(), Patience("lock", 0.05)),
        ):
            pytest.fail("a writer is in here with readers")
        with locked(three.fileno(), Patience("lock", 0)):
            assert locking.claim(one.fileno()) is False


def test_the_error_is_still_one_of_a_lock_after_it_was_explained() -> None:
    late = LockTimeoutError("waited for long", errno=errno.ETIMEDOUT, destination="here")
    told = LinkError.from_os_error(late, "open the store 'x'", destination="x")
    assert isinstance(told, LockTimeoutError)
    assert isinstance(told, TimeoutError)
    assert str(told) == "cannot open the store 'x': waited for long"
    again = pickle.loads(pickle.dumps(told))
    assert type(again) is LockTimeoutError
    assert (str(again), again.errno) == (str(told), errno.ETIMEDOUT)


@pytest.mark.parametrize(
    "number",
    [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, 524, errno.EPERM, errno.EACCES],
)
def test_where_there_are_no_locks_the_work_is_done_without(
    tmp_path: Path, wheel: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(_fd: int, _how: int) -> None:
        raise OSError(number, "no locks here")

    monkeypatch.setattr("fcntl.flock", refuse)
    link_wheel_files(tmp_path / "site", wheel)
    assert contents(tmp_path / "site") == contents(wheel)
    with WheelStore(tmp_path / "store") as store:
        assert store.prune(max_bytes=0) == []


def test_not_supported_untranslated_is_not_supported() -> None:
    assert classify(OSError(524, "Unknown error 524")) is Cause.NOT_SUPPORTED
    assert LinkError.from_os_error(OSError(524, "?"), "link", mode=LinkMode.CLONE).errno == 524
