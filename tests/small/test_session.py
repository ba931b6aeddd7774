"""What one store object holds and lets go of, step by step; tests/store/test_sharing.py has threads and processes."""

from __future__ import annotations

import errno
import os
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from small.made import DIGEST, make_entry
from wheel_linker import InvalidWheelError, LinkError, LockTimeoutError
from wheel_linker.store import session as module
from wheel_linker.store._entry import execute_bits
from wheel_linker.store._entry.options import Kept
from wheel_linker.store.index import Known
from wheel_linker.store.layout import Layout
from wheel_linker.store.session import Session
from wheel_linker.store.trust import Standing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ONE, TWO, NONE = "aaaaaaaaaa", "bbbbbbbbbb", "cccccccccc"
DOUBT = Standing("it is theirs", exclusive=False, mine=frozenset())
on_posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such bits or users")


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """A store with two entries."""
    for name in (ONE, TWO):
        make_entry(tmp_path / "store", name, {"x": b""})
    return Layout(os.fspath(tmp_path / "store"))


@pytest.fixture
def make(layout: Layout) -> Iterator[Callable[..., Session]]:
    """Return a function that makes a session of that store."""
    made: list[Session] = []

    def of_it(**more: Any) -> Session:
        made.append(Session(layout, **{"timeout": 0.05, **more}))
        return made[-1]

    yield of_it
    for session in made:
        session.close()


@pytest.fixture
def session(make: Callable[..., Session]) -> Session:
    return make()


@pytest.fixture
def other(make: Callable[..., Session]) -> Session:
    """Another store object."""
    return make()


@pytest.fixture
def elsewhere(session: Session) -> Iterator[Callable[[str], Callable[[], None]]]:
    """Return a function with which another thread links from an entry, until what that returns is called."""
    ends: list[Callable[[], None]] = []

    def link(entry: str) -> Callable[[], None]:
        begun, ended = threading.Event(), threading.Event()

        def work() -> None:
            with session.linking(entry):
                begun.set()
                ended.wait(10)

        thread = threading.Thread(target=work)
        thread.start()
        assert begun.wait(10)

        def end() -> None:
            ended.set()
            thread.join()

        ends.append(end)
        return end

    yield link
    for end in ends:
        end()


def used(session: Session) -> set[str] | None:
    """Return what cannot be removed through a store object."""
    with session.going() as found:
        return found


def raising(number: int) -> Callable[..., Any]:
    def refuse(*_: object, **__: object) -> Any:
        raise OSError(number, os.strerror(number))

    return refuse


class TestOpen:
    def test_once(self, session: Session, layout: Layout) -> None:
        assert not os.path.exists(layout.control)
        opened = session.open()
        assert session.open() is opened
        assert session.index is opened.index
        assert session.standing is opened.standing
        assert session.notes is opened.standing
        assert session.writable
        session.close()
        assert session.open() is not opened

    def test_anew_in_another_process(self, session: Session) -> None:
        session.hold(ONE)
        opened = session.open()
        opened.pid = -1
        assert session.open() is not opened
        assert session._held == set()

    @on_posix
    def test_as_it_was_asked_for(self, make: Callable[..., Session], layout: Layout) -> None:
        os.chmod(layout.root, 0o777)
        assert make().standing.doubt == "everybody may write to it"
        assert make(trusted=True).standing.doubt is None
        only_read = make(read_only=True)
        assert not only_read.writable
        assert only_read.notes is None
        assert only_read.standing.doubt is not None

    def test_waits_as_long_as_it_was_told(self, session: Session, other: Session) -> None:
        session.open()
        with other.going(), pytest.raises(LockTimeoutError) as caught:
            session.hold(ONE)
        assert str(caught.value).startswith(f"waited 0.05 seconds for {session.layout.root!r}, ")


class TestBits:
    @on_posix
    def test_are_tried_once(self, session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
        session.open()
        assert session.keeps_bits()
        monkeypatch.setattr(execute_bits, "keeps_execute_bits", lambda _: False)
        assert session.keeps_bits()
        assert session.mends_bits()

    def test_where_there_are_none(self, session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
        session.open()
        monkeypatch.setattr(execute_bits, "keeps_execute_bits", lambda _: False)
        assert not session.keeps_bits()
        assert not session.mends_bits()

    def test_where_they_cannot_be_tried(
        self, session: Session, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        session.open()
        monkeypatch.setattr(execute_bits, "keeps_execute_bits", raising(errno.ENOSPC))
        assert session.keeps_bits()
        monkeypatch.setattr(execute_bits, "keeps_execute_bits", lambda _: False)
        assert not session.keeps_bits()

    def test_are_not_mended_where_nothing_is_written(self, make: Callable[..., Session]) -> None:
        make().open()
        assert not make(read_only=True).mends_bits()


class TestHold:
    def test_keeps_others_from_removing(
        self, session: Session, other: Session, layout: Layout
    ) -> None:
        os.utime(layout.manifest(ONE), (5, 5))
        assert session.hold(ONE)
        assert session.hold(ONE)
        assert not session.hold(NONE)
        assert session._held == {ONE}
        assert used(other) == {ONE, NONE}
        # This store object may remove it.
        assert used(session) == set()
        # It counts as used.
        assert os.stat(layout.manifest(ONE)).st_mtime > 5
        session.close()
        assert used(other) == set()

    def test_asks_once(self, session: Session, layout: Layout) -> None:
        session.hold(ONE)
        os.utime(layout.manifest(ONE), (5, 5))
        session.hold(ONE)
        assert os.stat(layout.manifest(ONE)).st_mtime == 5
        (lease,) = Path(layout.leases).iterdir()
        assert lease.read_text() == f"{ONE}\n"

    def test_what_was_removed_comes_again(self, session: Session) -> None:
        session.forget(ONE)
        assert "it was removed or pruned" in session._gone(ONE)
        session.hold(ONE)
        assert "it was removed or pruned" not in session._gone(ONE)

    def test_in_a_store_that_is_only_read(
        self, make: Callable[..., Session], layout: Layout
    ) -> None:
        make().open()
        os.utime(layout.manifest(ONE), (5, 5))
        only_read = make(read_only=True)
        assert only_read.hold(ONE)
        assert not only_read.hold(NONE)
        assert only_read._held == {ONE}
        assert os.stat(layout.manifest(ONE)).st_mtime == 5
        assert used(make()) is None

    @pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.ENOSPC])
    def test_where_its_use_cannot_be_noted(
        self, session: Session, monkeypatch: pytest.MonkeyPatch, number: int
    ) -> None:
        monkeypatch.setattr(module, "touch", raising(number))
        assert session.hold(ONE)

    def test_on_a_broken_disk(self, session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "touch", raising(errno.EIO))
        with pytest.raises(OSError, match=os.strerror(errno.EIO)):
            session.hold(ONE)
        assert session._held == set()

    def test_is_kept_until_the_call_ends(self, session: Session) -> None:
        session.hold(TWO)
        with session.adding():
            session.hold(ONE)
            session.hold(TWO)
            session.hold(TWO)
            assert used(session) == {ONE, TWO}
        assert used(session) == set()
        with Kept() as kept:
            with session.adding(kept):
                session.hold(ONE)
            assert used(session) == {ONE}
        assert used(session) == set()
        session.hold(ONE)
        assert used(session) == set()


class TestKeeping:
    def test_from_everybody(self, session: Session, other: Session) -> None:
        with session.keeping(ONE), session.keeping(ONE), session.keeping(TWO):
            assert used(session) == used(other) == {ONE, TWO}
        assert used(session) == set()
        assert used(other) == {ONE, TWO}

    def test_twice(self, session: Session) -> None:
        with session.keeping(ONE):
            with session.keeping(ONE):
                pass
            assert used(session) == {ONE}

    def test_what_is_not_there(self, session: Session, layout: Layout) -> None:
        with pytest.raises(InvalidWheelError) as caught, session.keeping(NONE):
            pass
        said = f"the entry {layout.entry(NONE)!r} is not in the store any more"
        assert str(caught.value) == f"{said}; add the wheel again"
        assert used(session) == set()
        session.forget(NONE)
        assert session._gone(NONE) == (
            f"{said}: it was removed or pruned through the store object that it is from; "
            "add the wheel again"
        )
        with session.keeping(NONE, damaged=True):
            assert used(session) == {NONE}

    def test_some_that_were_removed_are_remembered(
        self, session: Session, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "_REMEMBERED", 2)
        session.hold(ONE)
        for name in (ONE, TWO, NONE):
            session.forget(name)
        assert session._held == set()
        assert ["removed or pruned" in session._gone(name) for name in (ONE, TWO, NONE)] == [
            False,
            True,
            True,
        ]

    def test_to_look_is_not_to_use(self, session: Session, other: Session, layout: Layout) -> None:
        os.utime(layout.manifest(ONE), (5, 5))
        with session.looking_at(ONE), session.looking_at(NONE):
            assert used(session) == used(other) == {ONE, NONE}
        assert used(session) == set()
        assert session._held == set()
        assert os.stat(layout.manifest(ONE)).st_mtime == 5

    def test_to_look_where_nothing_is_written(self, make: Callable[..., Session]) -> None:
        make().open()
        only_read = make(read_only=True)
        with only_read.looking_at(ONE):
            assert only_read._used() == {ONE}

    def test_what_is_held_is_not_noted_again(self, session: Session, layout: Layout) -> None:
        session.hold(ONE)
        with session.looking_at(ONE):
            pass
        (lease,) = Path(layout.leases).iterdir()
        assert lease.read_text() == f"{ONE}\n"

    @on_posix
    def test_linking_takes_trust(self, session: Session, layout: Layout) -> None:
        session.open().standing = DOUBT
        with pytest.raises(LinkError, match="not trusted: it is theirs"), session.linking(ONE):
            pass


@on_posix
class TestOthers:
    def test_are_refused_by_entry(self, session: Session, layout: Layout) -> None:
        session.open().standing = DOUBT
        with pytest.raises(LinkError) as caught:
            session.refuse_others(ONE)
        assert str(caught.value).startswith(f"the store {layout.root!r} is not trusted: it is ")
        me = os.stat(layout.root).st_uid
        session.open().standing = DOUBT._replace(mine=frozenset({me}))
        session.refuse_others(ONE)
        session.open().standing = DOUBT._replace(doubt=None)
        session.refuse_others(ONE)
        session.refuse_others(NONE)

    def test_of_what_is_not_there(self, session: Session) -> None:
        session.open().standing = DOUBT
        with pytest.raises(FileNotFoundError):
            session.refuse_others(NONE)

    def test_a_symlink_is_looked_at_itself(self, session: Session, layout: Layout) -> None:
        os.symlink("nowhere", layout.entry(NONE))
        me = os.lstat(layout.entry(NONE)).st_uid
        session.open().standing = DOUBT._replace(mine=frozenset({me}))
        session.refuse_others(NONE)


class TestGoing:
    def test_in_a_store_that_is_only_read(
        self, make: Callable[..., Session], layout: Layout
    ) -> None:
        make().open()
        only_read = make(read_only=True)
        with pytest.raises(PermissionError) as caught, only_read.going():
            pass
        assert (caught.value.errno, caught.value.filename) == (errno.EACCES, layout.root)
        only_read.open().refusal = OSError(errno.EROFS, "only read")
        with pytest.raises(OSError, match="only read"), only_read.going():
            pass

    def test_keeps_others_out(self, session: Session, other: Session) -> None:
        other.open()
        with session.going(), pytest.raises(LockTimeoutError):
            other.hold(ONE)


class TestNotes:
    def test_of_damage(self, session: Session, layout: Layout) -> None:
        rows = Path(layout.rows(ONE))
        rows.write_bytes(b"rows")
        assert session.note_damaged(ONE)
        assert not rows.exists()
        assert session.note_damaged(ONE)

    def test_of_damage_that_cannot_be_written(
        self, make: Callable[..., Session], session: Session, layout: Layout
    ) -> None:
        rows = Path(layout.rows(ONE))
        rows.mkdir()
        assert not session.note_damaged(ONE)
        rows.rmdir()
        rows.write_bytes(b"rows")
        assert not make(read_only=True).note_damaged(ONE)
        session.open().lock, lock = None, session.open().lock
        assert not session.note_damaged(ONE)
        session.open().lock = lock
        assert rows.exists()

    def test_of_wheel_files(
        self, session: Session, make: Callable[..., Session], tmp_path: Path
    ) -> None:
        wheel = tmp_path / "wheel"
        wheel.write_bytes(b"wheel")
        path, known = os.fspath(wheel), Known(DIGEST, ONE)
        only_read = make(read_only=True)
        session.open()
        only_read.note(path, wheel.stat(), known)
        assert only_read.index.find(path, wheel.stat()) is None
        trusted, session.open().standing = session.open().standing, DOUBT
        session.note(path, wheel.stat(), known)
        assert session.index.find(path, wheel.stat()) is None
        session.open().standing = trusted
        session.note(path, wheel.stat(), known)
        assert session.index.find(path, wheel.stat()) == known
        assert make().index.find(path, wheel.stat()) == known

    def test_of_symlinks(
        self, session: Session, make: Callable[..., Session], layout: Layout
    ) -> None:
        noted = Path(layout.control, "symlinked")
        session.open()
        make(read_only=True).note_symlinks(ONE)
        assert not noted.exists()
        session.note_symlinks(ONE)
        assert ONE in noted.read_text()


class TestStage:
    def test_is_gone_at_the_end(self, session: Session, layout: Layout) -> None:
        session.open()
        with session.stage() as stage:
            (name,) = os.listdir(os.path.join(layout.control, "staging"))
            assert os.path.basename(stage.folder.path) == name
        assert os.listdir(os.path.join(layout.control, "staging")) == []

    def test_sweeping(self, session: Session, layout: Layout) -> None:
        session.open()
        left = Path(layout.control, "staging", ".wheel_linker-0123456789abcdef")
        left.mkdir()
        (left / "owner").touch()
        session.sweep()
        assert not left.exists()

    def test_that_is_missing(self, session: Session, layout: Layout) -> None:
        session.open()
        os.rmdir(os.path.join(layout.control, "staging"))
        for attempt in (session.sweep, session._staging):
            with pytest.raises(FileNotFoundError):
                attempt()
        session.open().refusal = OSError(errno.ENOSPC, "no room")
        for attempt in (session.sweep, session._staging):
            with pytest.raises(OSError, match="no room"):
                attempt()

    @on_posix
    def test_what_is_made_is_for_a_group(self, session: Session) -> None:
        session.open().standing = Standing(shared=True)
        with session.stage() as stage:
            os.mkdir(os.path.join(stage.folder.path, "made"), 0o700)
            session.settle(stage.folder, "made")
            assert os.stat(os.path.join(stage.folder.path, "made")).st_mode & 0o770 == 0o770


class TestClose:
    def test_keeps_what_others_link_from(
        self,
        session: Session,
        other: Session,
        elsewhere: Callable[[str], Callable[[], None]],
    ) -> None:
        session.hold(TWO)
        end = elsewhere(ONE)
        session.close()
        assert used(other) == {ONE}
        assert session._held == set()
        end()
        # The last that ends closes it.
        assert session._opened is None
        assert used(other) == set()

    def test_stays_open_for_what_is_held_since(
        self,
        session: Session,
        other: Session,
        elsewhere: Callable[[str], Callable[[], None]],
    ) -> None:
        end = elsewhere(ONE)
        session.close()
        session.hold(TWO)
        end()
        assert used(other) == {ONE, TWO}

    def test_waits_for_the_last(
        self,
        session: Session,
        other: Session,
        elsewhere: Callable[[str], Callable[[], None]],
    ) -> None:
        ends = [elsewhere(ONE), elsewhere(ONE)]
        session.close()
        ends[0]()
        assert used(other) == {ONE}
        ends[1]()
        assert used(other) == set()

    def test_what_cannot_be_kept_does_not_matter(
        self,
        session: Session,
        elsewhere: Callable[[str], Callable[[], None]],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        elsewhere(ONE)
        monkeypatch.setattr(session, "_hold_for_a_look", raising(errno.EIO))
        opened = session.open()
        session.close()
        assert opened.lock is None

    def test_who_ends_last_does_not_wait(
        self,
        session: Session,
        other: Session,
        elsewhere: Callable[[str], Callable[[], None]],
    ) -> None:
        end = elsewhere(ONE)
        session.close()
        with session.turn():
            end()
            # It could not be closed, since this thread is at work.
            assert session._opened is not None
        session.close()
        assert used(other) == set()

    def test_in_another_process_keeps_nothing(
        self, session: Session, elsewhere: Callable[[str], Callable[[], None]]
    ) -> None:
        end = elsewhere(ONE)
        session.open().pid = -1
        session.close()
        assert session._opened is None
        end()

    def test_twice(self, session: Session) -> None:
        session.close()
        session.open()
        session.close()
        session.close()


class TestAfterFork:
    def test_nothing_of_the_parents_threads_is_left(self, session: Session) -> None:
        with session.adding():
            session.hold(ONE)
            assert session._used() == {ONE}
            taken = threading.Thread(target=session._turn.acquire)
            taken.start()
            taken.join()
            session._counting.acquire()
            session.renew()
            assert session._used() == set()
            # The child uses it itself, and leaves the call that it came from.
            with session.keeping(ONE):
                assert session._used() == {ONE}
            session.hold(TWO)
            assert session._used() == {ONE, TWO}
        assert session._used() == set()

    def test_all_sessions_are_renewed(self, session: Session) -> None:
        before = session._turn
        module._renew_all()
        assert session._turn is not before
