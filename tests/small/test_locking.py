"""Locks, call by call; tests/test_locking.py has processes that wait for each other."""

from __future__ import annotations

import errno
import os
import stat
import sys
import time
from contextlib import contextmanager
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

import pytest
from standins import windows_error

from small.descriptors import open_descriptors
from wheel_linker._fs import locking, windows
from wheel_linker._fs.locking import LOCK_FILE, claim, exclusive, locked, wait_for_lock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from wheel_linker._fs.folder import Folder
    from wheel_linker._fs.patience import Patience

if sys.platform == "win32":
    pytest.skip("Windows has other locks", allow_module_level=True)

import fcntl

SHARING_VIOLATION: Final = 32


class Waiting:
    """What a lock is waited for with: notes that, and ends what holds the lock when it has waited often enough."""

    def __init__(self, times: int, end: Callable[[], None]) -> None:
        self.asked: list[int | None] = []
        self._times = times
        self._end = end

    def wait(self, fd: int | None = None) -> None:
        self.asked.append(fd)
        if len(self.asked) == self._times:
            self._end()


def no_patience() -> Patience:
    return Waiting(1, lambda: pytest.fail("it is free"))  # type: ignore[return-value,unused-ignore]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.touch()
    return path


@pytest.fixture
def fd(file: Path) -> Iterator[int]:
    with file.open("rb+") as opened:
        yield opened.fileno()


@pytest.fixture
def other(file: Path) -> Iterator[int]:
    """The same file, as another has it open."""
    with file.open("rb+") as opened:
        yield opened.fileno()


def holder(fd: int) -> str:
    """Return who may not take the lock of a file that is open elsewhere."""
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return "one alone"
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return "some together"
    finally:
        fcntl.flock(fd, fcntl.LOCK_UN)
    return "nobody"


def refused(number: int) -> Callable[..., Any]:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, "refused here")

    return refuse


class TestLocked:
    @pytest.mark.parametrize(
        ("shared", "by"), [(None, "one alone"), (False, "one alone"), (True, "some together")]
    )
    def test_as_long_as_it_is_needed(
        self, fd: int, other: int, shared: bool | None, by: str
    ) -> None:
        with locked(fd, no_patience(), **({} if shared is None else {"shared": shared})):
            assert holder(other) == by
        assert holder(other) == "nobody"

    def test_until_an_error(self, fd: int, other: int) -> None:
        with pytest.raises(KeyError), locked(fd, no_patience()):
            raise KeyError
        assert holder(other) == "nobody"

    def test_where_there_are_no_locks(self, fd: int, monkeypatch: pytest.MonkeyPatch) -> None:
        done: list[int] = []

        def refuse(_: int, how: int) -> None:
            done.append(how)
            raise OSError(errno.ENOLCK, "no locks here")

        monkeypatch.setattr(fcntl, "flock", refuse)
        with locked(fd, no_patience()):
            pass
        # What was not taken is not given back.
        assert done == [fcntl.LOCK_EX | fcntl.LOCK_NB]


class TestWaitForLock:
    @pytest.mark.parametrize(
        ("shared", "by"), [(None, "one alone"), (False, "one alone"), (True, "some together")]
    )
    def test_until_it_is_free(self, fd: int, other: int, shared: bool | None, by: str) -> None:
        fcntl.flock(other, fcntl.LOCK_EX)
        waiting: Any = Waiting(3, lambda: fcntl.flock(other, fcntl.LOCK_UN))
        keywords = {} if shared is None else {"shared": shared}
        assert wait_for_lock(fd, waiting, **keywords) is True
        assert waiting.asked == [fd] * 3
        assert holder(other) == by

    def test_where_there_are_no_locks(self, fd: int, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(fcntl, "flock", refused(errno.ENOSYS))
        assert wait_for_lock(fd, no_patience()) is False

    def test_another_error(self, fd: int, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(fcntl, "flock", refused(errno.EIO))
        with pytest.raises(OSError, match="refused here"):
            wait_for_lock(fd, no_patience())


class TestClaim:
    def test_is_taken_at_once_or_not_at_all(self, fd: int, other: int) -> None:
        assert claim(fd) is True
        assert holder(other) == "one alone"
        assert claim(other) is False
        locking._unlock(fd)
        assert claim(other) is True

    def test_readers_keep_it_from_being_taken(self, fd: int, other: int) -> None:
        assert locking._try(fd, shared=True) is True
        assert claim(other) is False
        assert locking._try(other, shared=True) is True

    @pytest.mark.parametrize("number", sorted(locking.NO_LOCKS - {errno.EAGAIN}), ids=str)
    def test_where_there_are_no_locks(
        self, fd: int, number: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(fcntl, "flock", refused(number))
        assert claim(fd) is None

    def test_without_the_module(self, fd: int, monkeypatch: pytest.MonkeyPatch) -> None:
        """As in Python for WebAssembly."""
        monkeypatch.setattr(locking, "fcntl", None)
        assert claim(fd) is None

    @pytest.mark.parametrize(
        ("winerror", "known"), [(1, True), (50, True), (SHARING_VIOLATION, False)]
    )
    def test_where_windows_has_none(
        self, fd: int, winerror: int, known: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*_: object) -> None:
            raise windows_error(winerror, errno.EIO)

        monkeypatch.setattr(fcntl, "flock", refuse)
        if known:
            assert claim(fd) is None
        else:
            with pytest.raises(OSError, match="Something the system says"):
                claim(fd)


class TestOnWindows:
    """Which calls are made there, and what becomes of their answers."""

    @pytest.fixture(autouse=True)
    def system(self, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
        known = SimpleNamespace(answers=[True], asked=[])

        def lock(fd: int, *, shared: bool) -> bool:
            known.asked.append(("lock", fd, shared))
            return bool(known.answers.pop(0))

        stand_in: Any = ModuleType("wheel_linker._fs._windows.kernel32")
        stand_in.lock = lock
        stand_in.unlock = lambda fd: known.asked.append(("unlock", fd))
        monkeypatch.setitem(sys.modules, stand_in.__name__, stand_in)
        monkeypatch.setattr("wheel_linker._fs._windows.kernel32", stand_in, raising=False)
        monkeypatch.setattr(locking, "sys", SimpleNamespace(platform="win32"))
        monkeypatch.setattr(locking, "fcntl", None)
        return known

    @pytest.mark.parametrize("shared", [False, True])
    def test_it_is_waited_for(self, system: SimpleNamespace, shared: bool) -> None:
        system.answers = [False, True]
        waiting: Any = Waiting(1, lambda: None)
        with locked(42, waiting, shared=shared):
            assert system.asked == [("lock", 42, shared)] * 2
        assert waiting.asked == [42]
        assert system.asked[2:] == [("unlock", 42)]

    @pytest.mark.parametrize("answer", [False, True])
    def test_it_is_claimed(self, system: SimpleNamespace, answer: bool) -> None:
        system.answers = [answer]
        assert claim(42) is answer
        assert system.asked == [("lock", 42, False)]


@contextmanager
def held(directory: Path) -> Iterator[int]:
    """Hold the lock of a directory."""
    fd = os.open(directory, os.O_RDONLY)
    fcntl.flock(fd, fcntl.LOCK_EX)
    try:
        yield fd
    finally:
        os.close(fd)


class TestExclusive:
    def test_as_long_as_it_is_needed(self, tmp_path: Path) -> None:
        before = open_descriptors()
        fd = os.open(tmp_path, os.O_RDONLY)
        with exclusive(os.fspath(tmp_path), no_patience()):
            assert holder(fd) == "one alone"
            assert os.listdir(tmp_path) == []
        assert holder(fd) == "nobody"
        os.close(fd)
        assert open_descriptors() == before

    def test_until_an_error(self, tmp_path: Path) -> None:
        before = open_descriptors()
        fd = os.open(tmp_path, os.O_RDONLY)
        with pytest.raises(KeyError), exclusive(os.fspath(tmp_path), no_patience()):
            raise KeyError
        assert holder(fd) == "nobody"
        os.close(fd)
        assert open_descriptors() == before

    def test_it_is_waited_for(self, tmp_path: Path) -> None:
        with held(tmp_path) as fd:
            waiting: Any = Waiting(2, lambda: fcntl.flock(fd, fcntl.LOCK_UN))
            with exclusive(os.fspath(tmp_path), waiting):
                assert len(waiting.asked) == 2
                assert os.path.samestat(os.fstat(waiting.asked[0]), tmp_path.stat())

    def test_impatience_leaves_nothing_open(self, tmp_path: Path) -> None:
        def give_up() -> None:
            raise TimeoutError

        before = open_descriptors()
        with held(tmp_path):
            waiting: Any = Waiting(1, give_up)
            with pytest.raises(TimeoutError), exclusive(os.fspath(tmp_path), waiting):
                pass
        assert open_descriptors() == before

    def test_where_there_are_no_locks(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        done: list[int] = []

        def refuse(_: int, how: int) -> None:
            done.append(how)
            raise OSError(errno.ENOLCK, "no locks here")

        monkeypatch.setattr(fcntl, "flock", refuse)
        with exclusive(os.fspath(tmp_path), no_patience()):
            pass
        assert done == [fcntl.LOCK_EX | fcntl.LOCK_NB]

    def test_what_cannot_be_unlocked_is_closed(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        flock = fcntl.flock

        def refuse(fd: int, how: int) -> None:
            if how == fcntl.LOCK_UN:
                raise OSError(errno.EIO, "refused here")
            flock(fd, how)

        monkeypatch.setattr(fcntl, "flock", refuse)
        before = open_descriptors()
        with exclusive(os.fspath(tmp_path), no_patience()):
            pass
        assert open_descriptors() == before

    def test_what_is_missing(self, tmp_path: Path) -> None:
        with (
            pytest.raises(FileNotFoundError),
            exclusive(os.fspath(tmp_path / "none"), no_patience()),
        ):
            pass


class TestLockFile:
    """Where directories have no locks."""

    @pytest.fixture(autouse=True)
    def as_on_windows(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        assert os.listdir(tmp_path) == []
        monkeypatch.setattr(windows, "WINDOWS", True)

    def test_it_is_there_as_long_as_it_is_needed(self, tmp_path: Path) -> None:
        before = open_descriptors()
        with exclusive(os.fspath(tmp_path), no_patience()):
            assert os.listdir(tmp_path) == [LOCK_FILE]
            with (tmp_path / LOCK_FILE).open("rb") as file:
                assert holder(file.fileno()) == "one alone"
        assert os.listdir(tmp_path) == []
        assert open_descriptors() == before

    def test_until_an_error(self, tmp_path: Path) -> None:
        with pytest.raises(KeyError), exclusive(os.fspath(tmp_path), no_patience()):
            raise KeyError
        assert os.listdir(tmp_path) == []

    def test_one_that_is_there_is_the_same(self, tmp_path: Path) -> None:
        (tmp_path / LOCK_FILE).write_bytes(b"1")
        number = (tmp_path / LOCK_FILE).stat().st_ino
        with exclusive(os.fspath(tmp_path), no_patience()):
            assert (tmp_path / LOCK_FILE).stat().st_ino == number
            assert (tmp_path / LOCK_FILE).read_bytes() == b"1"

    def test_everybody_may_lock_it(self, tmp_path: Path) -> None:
        previous = os.umask(0)
        try:
            fd = locking._lock_file(os.fspath(tmp_path))
        finally:
            os.umask(previous)
        assert stat.S_IMODE((tmp_path / LOCK_FILE).stat().st_mode) == 0o666
        assert os.read(fd, 1) == b""
        assert os.write(fd, b"1") == 1
        os.close(fd)

    def test_one_that_is_being_removed(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        opened = os.open
        left = [windows_error(SHARING_VIOLATION)]
        naps: list[float] = []

        def busy(*arguments: Any) -> int:
            if left:
                raise left.pop()
            return opened(*arguments)

        monkeypatch.setattr(os, "open", busy)
        monkeypatch.setattr(time, "sleep", naps.append)
        os.close(locking._lock_file(os.fspath(tmp_path)))
        assert len(naps) == 1
        assert os.listdir(tmp_path) == [LOCK_FILE]

    @pytest.mark.usefixtures("way")
    def test_its_removal_is_noticed_by_importers(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        told: list[tuple[str, int, list[str]]] = []

        def noting(folder: Folder, before: int) -> None:
            told.append((folder.path, before, os.listdir(tmp_path)))

        monkeypatch.setattr(locking, "refresh", noting)
        (tmp_path / LOCK_FILE).touch()
        os.utime(tmp_path, ns=(3_000_000_000, 5_000_000_000))
        locking._remove_lock_file(os.fspath(tmp_path))
        assert told == [(os.fspath(tmp_path), 5_000_000_000, [])]

    def test_another_may_have_it_open(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Then the last of them removes it."""
        monkeypatch.setattr(locking, "refresh", lambda *_: pytest.fail("nothing has changed"))
        monkeypatch.setattr(os, "unlink", refused(errno.EACCES))
        with exclusive(os.fspath(tmp_path), no_patience()):
            pass
        assert os.listdir(tmp_path) == [LOCK_FILE]
