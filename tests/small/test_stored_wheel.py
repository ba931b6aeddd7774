"""An unpacked wheel in a store, answer by answer; tests/store/test_damaged_entries.py has what becomes of damage."""

from __future__ import annotations

import copy
import errno
import os
import pickle
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from store.archives import (
    DIST_INFO,
    FILES,
    NAME,
    RECORD,
    claim,
    record_of,
    write_archive,
    write_wheel,
)
from store.conftest import settle

from small.made import OPTIONS
from wheel_linker import InvalidWheelError, LinkError, UnpackedWheel
from wheel_linker._wheel.filename import WheelFilename
from wheel_linker._wheel.record import Row
from wheel_linker._wheel.tree import NotAsUnpackedError
from wheel_linker.store import StoredWheel
from wheel_linker.store._adding.batch import unpack_all
from wheel_linker.store._adding.wanted import Wanted
from wheel_linker.store._entry.stored_wheel import whole_entry
from wheel_linker.store.trust import Standing

if TYPE_CHECKING:
    from wheel_linker.store.session import Session

REMEDY = "add the wheel again or repair the entry, both with the wheel file"
on_posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such bits or users")


def add(session: Session, path: Path) -> StoredWheel:
    return unpack_all(session, OPTIONS, [Wanted(0, os.fspath(path), None)])[0]


@pytest.fixture
def wheel(session: Session, tmp_path: Path) -> StoredWheel:
    return add(session, write_wheel(tmp_path / NAME))


@pytest.fixture
def bad(session: Session, tmp_path: Path) -> StoredWheel:
    """A wheel with a file that its RECORD does not name."""
    files = {**FILES, RECORD: record_of(FILES), "demo/more": b"more"}
    with pytest.warns(UserWarning, match="RECORD is not right"):
        return add(session, write_archive(tmp_path / "bad" / NAME, files))


def as_found(wheel: StoredWheel, *, late: bool = False, check: Any = None) -> StoredWheel:
    """Return the same wheel, as another call finds it."""
    return StoredWheel.of(
        wheel._session,
        wheel.entry,
        wheel.digest,
        WheelFilename.known(NAME),
        wheel.file(),
        check,
        looks_late=late,
    )


def is_damaged(wheel: StoredWheel, error: InvalidWheelError, why: str = "") -> bool:
    entry = wheel._session.layout.entry(wheel.entry)
    said = str(error)
    return said.startswith(
        f"cannot use the entry {entry!r}: it is damaged ({why}"
    ) and said.endswith(f"); {REMEDY}")


class TestWhatItIs:
    def test_by_its_names(self, session: Session, wheel: StoredWheel, tmp_path: Path) -> None:
        assert wheel.path == session.layout.tree(wheel.entry)
        assert wheel.file() == os.fspath(tmp_path / NAME)
        assert wheel.verified
        assert not wheel.looks_late
        assert wheel.session is None
        session.compiling = OPTIONS
        assert wheel.session is session

    def test_under_another_name(self, wheel: StoredWheel) -> None:
        renamed = wheel.renamed(WheelFilename.known("demo-1.0-7-py3-none-any.whl"))
        assert isinstance(renamed, StoredWheel)
        assert str(renamed.filename) == "demo-1.0-7-py3-none-any.whl"
        assert (renamed.path, renamed.entry, renamed.digest, renamed.file()) == (
            wheel.path,
            wheel.entry,
            wheel.digest,
            wheel.file(),
        )
        assert renamed.known_rows() == wheel.known_rows()

    def test_elsewhere(self, wheel: StoredWheel) -> None:
        for made in (pickle.loads(pickle.dumps(wheel)), copy.copy(wheel)):
            assert type(made) is UnpackedWheel
            assert made == wheel

    def test_by_who_wrote_it(self, session: Session, wheel: StoredWheel) -> None:
        assert wheel.trusted
        assert not wheel.shares_all
        session.open().standing = Standing(exclusive=False, trusted=True)
        assert not wheel.trusted
        assert wheel.shares_all


class TestHold:
    def test_keeps_it(self, session: Session, wheel: StoredWheel) -> None:
        with wheel.hold():
            assert session._used() == {wheel.entry}
        assert session._used() == set()

    def test_what_was_removed(self, session: Session, wheel: StoredWheel) -> None:
        session.forget(wheel.entry)
        shutil.rmtree(session.layout.entry(wheel.entry))
        with pytest.raises(InvalidWheelError, match="removed or pruned"), wheel.hold():
            pass

    @pytest.mark.parametrize(("check", "seen"), [(None, False), ("size", False), ("hash", True)])
    def test_compares_as_it_was_told(self, wheel: StoredWheel, check: Any, seen: bool) -> None:
        file = Path(wheel.path, "single.py")
        when = file.stat().st_mtime_ns
        file.write_bytes(b"SINGLE = 2\n")
        os.utime(file, ns=(when, when))
        found = as_found(wheel, check=check)
        if not seen:
            with found.hold():
                return
        with pytest.raises(InvalidWheelError) as caught, found.hold():
            pass
        assert is_damaged(wheel, caught.value, "its files are not as they were unpacked")

    def test_compares_sizes(self, wheel: StoredWheel) -> None:
        Path(wheel.path, "single.py").write_bytes(b"")
        with as_found(wheel).hold():
            pass
        with pytest.raises(InvalidWheelError), as_found(wheel, check="size").hold():
            pass

    def test_of_a_wheel_whose_problems_are_destroyed(
        self, session: Session, bad: StoredWheel
    ) -> None:
        Path(session.layout.problems(bad.entry)).write_bytes(b"no problems")
        with pytest.raises(InvalidWheelError) as caught, as_found(bad).hold():
            pass
        assert is_damaged(bad, caught.value, "the problems of its RECORD are not known")

    def test_what_fails_because_a_directory_is_gone(
        self, session: Session, wheel: StoredWheel
    ) -> None:
        rows = Path(session.layout.rows(wheel.entry))
        with pytest.raises(LinkError, match="no such"), wheel.hold():
            raise LinkError("no such file", errno=errno.ENOENT)
        assert rows.exists()
        shutil.rmtree(Path(wheel.path, "demo/sub"))
        with pytest.raises(InvalidWheelError) as caught, wheel.hold():
            raise LinkError("no such file", errno=errno.ENOENT)
        assert is_damaged(wheel, caught.value, "a directory is none any more")
        # The next call that adds the wheel makes the entry anew.
        assert not rows.exists()

    @pytest.mark.parametrize("how", ["missing", "changed"])
    def test_what_fails_where_nothing_is_known(
        self, session: Session, wheel: StoredWheel, how: str
    ) -> None:
        shutil.rmtree(Path(wheel.path, "demo/sub"))
        path = Path(session.layout.manifest(wheel.entry))
        with wheel.hold():
            pass
        path.unlink() if how == "missing" else path.write_bytes(b"")
        assert not wheel._lacks_directories()


class TestTree:
    def test_is_what_was_unpacked(self, wheel: StoredWheel) -> None:
        tree = as_found(wheel).known_tree()
        files = {"/".join((*one.parts, name)) for one in tree.directories for name in one.files}
        assert files == {*FILES, RECORD}
        assert tree.path == wheel.path
        assert tree.unpacked is None

    def test_of_what_is_looked_at_late(self, session: Session, wheel: StoredWheel) -> None:
        late = as_found(wheel, late=True)
        assert late.looks_late
        for exclusive in (True, False):
            session.open().standing = Standing(exclusive=exclusive)
            tree = late.known_tree()
            before = as_found(wheel).known_tree().directories
            assert [each.parts for each in tree.directories] == [each.parts for each in before]
            assert tree.unpacked is not None
            assert tree.unpacked.exclusive is exclusive

    def test_of_what_has_to_be_looked_at(self, session: Session, wheel: StoredWheel) -> None:
        Path(wheel.path, DIST_INFO, "METADATA").unlink()
        with pytest.raises(NotAsUnpackedError) as caught:
            as_found(wheel, late=True).known_tree()
        assert is_damaged(wheel, caught.value, "not all is as it was unpacked)")

    @pytest.mark.parametrize("what", ["description", "tree", "no directory"])
    def test_that_is_gone(self, session: Session, wheel: StoredWheel, what: str) -> None:
        path = Path(session.layout.manifest(wheel.entry) if what == "description" else wheel.path)
        path.unlink() if what == "description" else shutil.rmtree(path)
        if what == "no directory":
            path.touch()
        with pytest.raises(InvalidWheelError) as caught:
            as_found(wheel).known_tree()
        assert is_damaged(wheel, caught.value)
        assert not isinstance(caught.value, NotAsUnpackedError)

    @on_posix
    def test_that_cannot_be_read(
        self, session: Session, wheel: StoredWheel, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*_: object) -> Any:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

        monkeypatch.setattr("wheel_linker.store._entry.manifest.read_description", refuse)
        with pytest.raises(LinkError) as caught:
            as_found(wheel).known_tree()
        entry = session.layout.entry(wheel.entry)
        assert str(caught.value).startswith(f"cannot read the entry {entry!r}: ")
        assert (caught.value.errno, caught.value.source) == (errno.EIO, entry)


class TestRows:
    def test_of_each_file(self, wheel: StoredWheel) -> None:
        rows = wheel.known_rows()
        assert set(rows) == {*FILES, RECORD}
        data = FILES["single.py"]
        assert rows["single.py"] == Row("sha256", claim(data).partition("=")[2], len(data))
        below = wheel.known_rows({("demo", "sub")})
        assert below["demo/sub/deep/er/leaf.py"] == rows["demo/sub/deep/er/leaf.py"]
        assert "single.py" not in below

    def test_that_are_not_known(self, session: Session, wheel: StoredWheel) -> None:
        Path(session.layout.manifest(wheel.entry)).unlink()
        with pytest.raises(InvalidWheelError) as caught:
            wheel.known_rows()
        assert is_damaged(wheel, caught.value)

    def test_that_are_carried_over(self, session: Session, wheel: StoredWheel) -> None:
        rows = wheel.carried_rows()
        assert rows is not None
        assert b"single.py,sha256=" in rows
        assert b"RECORD" not in rows

    @pytest.mark.parametrize("how", ["missing", "changed"])
    def test_that_are_destroyed_are_made(
        self, session: Session, wheel: StoredWheel, how: str
    ) -> None:
        before = wheel.carried_rows()
        assert before is not None
        path = Path(session.layout.rows(wheel.entry))
        path.unlink() if how == "missing" else path.write_bytes(b"other")
        made = wheel.carried_rows()
        assert made is not None
        assert sorted(made.split()) == sorted(before.split())
        # It counts as damaged from then on.
        assert not path.exists()

    def test_that_are_destroyed_where_the_wheel_file_is_there(
        self, session: Session, wheel: StoredWheel
    ) -> None:
        Path(session.layout.rows(wheel.entry)).write_bytes(b"other")
        late = as_found(wheel, late=True)
        with pytest.raises(NotAsUnpackedError) as caught:
            late.carried_rows()
        assert is_damaged(wheel, caught.value)
        # Nothing can be made anew where it is not, or where nothing can be written.
        late._file = None
        assert late.carried_rows() is not None
        late = as_found(wheel, late=True)
        session.open().lock, lock = None, session.open().lock
        assert late.carried_rows() is not None
        session.open().lock = lock

    def test_that_nobody_kept(self, session: Session, wheel: StoredWheel, monkeypatch: Any) -> None:
        Path(session.layout.rows(wheel.entry)).unlink()
        known = wheel._described()
        for rows, made in ((-1, False), (0, True)):
            described = (known[0]._replace(rows=rows), known[1])
            monkeypatch.setattr(StoredWheel, "_described", lambda _, found=described: found)
            assert (wheel.carried_rows() is not None) is made


class TestProblems:
    def test_are_known(self, wheel: StoredWheel, bad: StoredWheel) -> None:
        assert wheel.record_problems() == ()
        assert [problem.path for problem in as_found(bad).record_problems()] == ["demo/more"]

    def test_are_read_once(self, session: Session, bad: StoredWheel) -> None:
        found = as_found(bad)
        before = found.known_problems()
        os.unlink(session.layout.problems(bad.entry))
        assert found.known_problems() == before

    def test_that_are_destroyed(self, session: Session, bad: StoredWheel) -> None:
        Path(session.layout.problems(bad.entry)).write_bytes(b"none")
        assert as_found(bad).record_problems() == ()
        with pytest.raises(InvalidWheelError) as caught:
            as_found(bad).known_problems()
        assert is_damaged(bad, caught.value, "the problems of its RECORD are not known")
        # Where nothing can be written, the entry cannot be made anew.
        session.open().lock, lock = None, session.open().lock
        assert as_found(bad).known_problems() == ()
        session.open().lock = lock


class TestSymlinks:
    def test_are_noted(self, session: Session, wheel: StoredWheel) -> None:
        wheel.note_symlinks()
        assert wheel.entry in Path(session.layout.control, "symlinked").read_text()

    def test_that_cannot_be_noted_do_not_matter(
        self, session: Session, wheel: StoredWheel, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(_: str) -> None:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

        monkeypatch.setattr(session, "note_symlinks", refuse)
        wheel.note_symlinks()


class TestWhole:
    def test_what_an_entry_has(self, session: Session, wheel: StoredWheel) -> None:
        settle(Path(session.layout.manifest(wheel.entry)))
        found = whole_entry(session, wheel.entry, wheel.digest, "hash")
        assert found is not None
        assert found.facts.digest == wheel.digest
        assert whole_entry(session, wheel.entry, "5e" * 32, "size") is None
        assert whole_entry(session, "aaaaaaaaaa", wheel.digest, "size") is None
        # The description is read once.
        assert whole_entry(session, wheel.entry, wheel.digest, "size") is found

    @on_posix
    def test_executables_count(
        self, session: Session, wheel: StoredWheel, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        Path(wheel.path, "demo/tool.sh").chmod(0o644)
        assert whole_entry(session, wheel.entry, wheel.digest, "size") is None
        monkeypatch.setattr(session, "mends_bits", lambda: False)
        assert whole_entry(session, wheel.entry, wheel.digest, "size") is not None

    def test_what_was_found_out_is_noted(self, session: Session, wheel: StoredWheel) -> None:
        os.utime(Path(wheel.path, "single.py"), (5, 5))
        times = Path(session.layout.times(wheel.entry))
        session.read_only = True
        assert whole_entry(session, wheel.entry, wheel.digest, "size") is not None
        assert not times.exists()
        session.read_only = False
        assert whole_entry(session, wheel.entry, wheel.digest, "size") is not None
        assert times.exists()
