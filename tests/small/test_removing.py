"""How entries are removed, one way at a time; tests/store/test_upkeep.py has what callers see."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Any, Final

import pytest

from small.made import make_entry
from wheel_linker._fs.folder import Folder
from wheel_linker._fs.patience import Patience
from wheel_linker._fs.remove_tree import remove_tree
from wheel_linker._log import telling
from wheel_linker.store import removing
from wheel_linker.store.entries import broken_entries, read_entries
from wheel_linker.store.layout import Layout
from wheel_linker.store.lease import Lease
from wheel_linker.store.removing import remove
from wheel_linker.store.session import Session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from wheel_linker.store import Entry

ONE, TWO, THREE = "aaaaaaaaaa", "bbbbbbbbbb", "cccccccccc"
FILES: Final = {"demo/__init__.py": b"init"}


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    """A session of a store with three entries."""
    for name in (ONE, TWO, THREE):
        make_entry(tmp_path, name, FILES)
    made = Session(Layout(os.fspath(tmp_path)))
    made.open()
    yield made
    made.close()


@pytest.fixture
def no_room(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """No stage can be made any more."""
    monkeypatch.setattr(session, "stage", refuse(errno.ENOSPC))


def refuse(number: int) -> Callable[..., Any]:
    def refusing(*_: object, **__: object) -> Any:
        raise OSError(number, os.strerror(number))

    return refusing


def entries(session: Session) -> list[Entry]:
    return read_entries(session.layout) + broken_entries(session.layout)


def left(session: Session) -> list[str]:
    return sorted(name for name in os.listdir(session.layout.root) if name != ".store")


def stages(session: Session) -> list[str]:
    return os.listdir(os.path.join(session.layout.control, "staging"))


@pytest.mark.parametrize("all_or_none", [False, True])
class TestRemove:
    def test_what_is_named(self, session: Session, all_or_none: bool) -> None:
        session.hold(ONE)
        one, two, _ = entries(session)
        assert remove(session, [one, two], all_or_none=all_or_none) == [one, two]
        assert left(session) == [THREE]
        assert stages(session) == []
        assert ONE not in session._held
        assert "removed or pruned" in session._gone(ONE)
        assert "removed or pruned" not in session._gone(THREE)

    def test_what_has_gone(self, session: Session, all_or_none: bool) -> None:
        one, two, _ = entries(session)
        remove(session, [one], all_or_none=True)
        assert remove(session, [one, two], all_or_none=all_or_none) == [two]

    def test_nothing(self, session: Session, all_or_none: bool) -> None:
        assert remove(session, [], all_or_none=all_or_none) == []
        assert left(session) == [ONE, TWO, THREE]

    def test_what_cannot_be_used(self, session: Session, all_or_none: bool) -> None:
        os.unlink(session.layout.manifest(TWO))
        found = [entry for entry in entries(session) if entry.name == TWO]
        assert remove(session, found, all_or_none=all_or_none) == found
        assert left(session) == [ONE, THREE]

    @pytest.mark.usefixtures("no_room")
    def test_in_place(self, session: Session, all_or_none: bool) -> None:
        one, two, _ = entries(session)
        os.unlink(session.layout.manifest(TWO))
        two = broken_entries(session.layout)[0]
        assert remove(session, [one, two], all_or_none=all_or_none) == [one, two]
        assert left(session) == [THREE]

    @pytest.mark.usefixtures("no_room")
    def test_in_place_the_description_goes_first(
        self, session: Session, monkeypatch: pytest.MonkeyPatch, all_or_none: bool
    ) -> None:
        seen: list[tuple[bool, bool]] = []

        def remove_below(root: Folder, name: str) -> None:
            layout = session.layout
            seen.append((os.path.exists(layout.manifest(name)), os.path.exists(layout.tree(name))))
            remove_tree(root, name)

        monkeypatch.setattr(removing, "remove_tree", remove_below)
        remove(session, entries(session)[:1], all_or_none=all_or_none)
        assert seen == [(False, True)]

    @pytest.mark.parametrize("number", [errno.EXDEV, errno.EMLINK, errno.ENOSPC])
    def test_where_it_cannot_be_moved(
        self,
        session: Session,
        monkeypatch: pytest.MonkeyPatch,
        number: int,
        all_or_none: bool,
    ) -> None:
        one, _, _ = entries(session)
        monkeypatch.setattr(Folder, "move", refuse(number))
        assert remove(session, [one], all_or_none=all_or_none) == [one]
        assert left(session) == [TWO, THREE]

    def test_where_that_is_refused(
        self, session: Session, monkeypatch: pytest.MonkeyPatch, all_or_none: bool
    ) -> None:
        monkeypatch.setattr(Folder, "move", refuse(errno.EIO))
        with pytest.raises(OSError, match=os.strerror(errno.EIO)):
            remove(session, entries(session), all_or_none=all_or_none)
        assert left(session) == [ONE, TWO, THREE]

    def test_what_a_program_has_open_stays(
        self, session: Session, monkeypatch: pytest.MonkeyPatch, all_or_none: bool
    ) -> None:
        """On Windows."""

        def move(*_: object, **__: object) -> None:
            error = OSError(errno.EXDEV, "x")
            error.winerror = 32  # type: ignore[attr-defined,unused-ignore]
            raise error

        monkeypatch.setattr(Folder, "move", move)
        with pytest.raises(OSError, match="x"):
            remove(session, entries(session), all_or_none=all_or_none)
        assert left(session) == [ONE, TWO, THREE]

    def test_waits_for_windows_only_where_it_must(
        self, session: Session, monkeypatch: pytest.MonkeyPatch, all_or_none: bool
    ) -> None:
        asked: list[object] = []
        real = Folder.move

        def move(
            folder: Folder, name: str, target: Folder, new: str, *, patient: bool = True
        ) -> None:
            if name == ONE:
                asked.append((new, patient))
            real(folder, name, target, new, patient=patient)

        monkeypatch.setattr(Folder, "move", move)
        remove(session, entries(session)[:1], all_or_none=all_or_none)
        assert asked == [(ONE, all_or_none)]

    def test_where_no_stage_can_be_made(self, session: Session, all_or_none: bool) -> None:
        os.rmdir(os.path.join(session.layout.control, "staging"))
        with pytest.raises(FileNotFoundError):
            remove(session, entries(session), all_or_none=all_or_none)
        assert left(session) == [ONE, TWO, THREE]


class TestAllOrNone:
    def test_in_use(self, session: Session) -> None:
        with (
            session.looking_at(TWO),
            session.looking_at(THREE),
            pytest.raises(OSError, match="in use") as caught,
        ):
            remove(session, entries(session), all_or_none=True)
        assert caught.value.errno == errno.EBUSY
        assert caught.value.strerror == f"in use: {TWO}, {THREE}; try again later"
        assert caught.value.filename == session.layout.root
        assert left(session) == [ONE, TWO, THREE]

    def test_readers(self, session: Session) -> None:
        reader = Lease(session.layout)
        reader.keep_all(Patience("store", 1))
        with pytest.raises(OSError, match=f"in use: {ONE}, {TWO}; try"):
            remove(session, entries(session)[:2], all_or_none=True)
        assert remove(session, entries(session), all_or_none=False) == []
        assert left(session) == [ONE, TWO, THREE]
        reader.end()

    def test_what_was_used_since(self, session: Session) -> None:
        one, two, _ = entries(session)
        os.utime(session.layout.manifest(ONE), (5, 5))
        remove(session, [one, two], all_or_none=True)
        assert left(session) == [THREE]

    def test_a_refusal(self, session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(Folder, "move", refuse(errno.EACCES))
        with pytest.raises(PermissionError):
            remove(session, entries(session), all_or_none=True)


class TestWhatMayGo:
    def test_in_use(self, session: Session) -> None:
        one, two, three = entries(session)
        with session.looking_at(ONE):
            assert remove(session, [one, two, three], all_or_none=False) == [two, three]
        assert left(session) == [ONE]

    def test_what_was_used_since(self, session: Session) -> None:
        one, two, three = entries(session)
        os.utime(session.layout.manifest(ONE), (5, 5))
        assert remove(session, [one, two, three], all_or_none=False) == [two, three]
        assert left(session) == [ONE]
        assert "pruned" not in session._gone(ONE)

    def test_a_refusal(self, session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
        real = Folder.move

        def move(folder: Folder, name: str, *more: Any, **options: Any) -> None:
            if name == ONE:
                refuse(errno.EACCES)()
            real(folder, name, *more, **options)

        monkeypatch.setattr(Folder, "move", move)
        one, two, three = entries(session)
        said: list[str] = []
        with telling(said.append):
            assert remove(session, [one, two, three], all_or_none=False) == [two, three]
        assert left(session) == [ONE]
        (message,) = said
        root = session.layout.root
        assert message.startswith(f"cannot remove {ONE} in {root}: ")
        assert message.endswith(os.strerror(errno.EACCES))
