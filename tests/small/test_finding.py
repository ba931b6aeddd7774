"""How the entry of a wheel is found, way by way; tests/store/test_adding.py and test_bases.py have whole stores."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, NoReturn

import pytest
from store.archives import NAME, sha256_of, write_wheel
from store.conftest import settle

from small.made import OPTIONS
from wheel_linker import InvalidWheelError, LinkError
from wheel_linker._archive.wheel_file import WheelFile
from wheel_linker._wheel.filename import WheelFilename
from wheel_linker.store._adding.batch import unpack_all
from wheel_linker.store._adding.wanted import Wanted
from wheel_linker.store._entry import making
from wheel_linker.store.finding import (
    MAY_BE_THERE,
    find_below,
    find_by_content,
    find_digest,
    find_digest_below,
    find_known,
    find_wheel,
)
from wheel_linker.store.index import Known
from wheel_linker.store.layout import Layout
from wheel_linker.store.session import Session
from wheel_linker.store.trust import Standing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from wheel_linker.store import StoredWheel

OTHERS = Standing(exclusive=False)
on_posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such bits or users")


@pytest.fixture
def make_session(tmp_path: Path) -> Iterator[Callable[[str], Session]]:
    made: list[Session] = []

    def make(name: str) -> Session:
        made.append(Session(Layout(os.fspath(tmp_path / name))))
        return made[-1]

    yield make
    for session in made:
        session.close()


@pytest.fixture
def session(make_session: Callable[[str], Session]) -> Session:
    return make_session("store")


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A wheel file that no test changes, old enough for its time stamps to be trusted."""
    return os.fspath(settle(write_wheel(tmp_path_factory.mktemp("dist") / NAME)))


@pytest.fixture(scope="module")
def digest(file: str) -> str:
    return sha256_of(Path(file))


def add(session: Session, path: str) -> StoredWheel:
    """Put a wheel into a store that has nothing of it."""
    session.open()
    return unpack_all(session, OPTIONS, [Wanted(0, path, None)])[0]


def copy_of(file: str, path: Path) -> str:
    """Return the path of a file with the same content, settled."""
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(file, path)
    return os.fspath(settle(path))


def spoil(wheel: StoredWheel, data: bytes = b"VALUE = 2\n") -> None:
    """Change a file, which keeps its time."""
    path = Path(wheel.path, "demo/__init__.py")
    times = path.stat()
    path.write_bytes(data)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def unread(monkeypatch: pytest.MonkeyPatch) -> None:
    """No wheel file is read from now on."""

    def digest(_: WheelFile) -> NoReturn:
        raise AssertionError("it is read")

    monkeypatch.setattr(WheelFile, "digest", digest)


def is_found(found: object, wheel: StoredWheel, path: str | None) -> bool:
    """Tell whether a wheel was found as it was added, under a path of its own."""
    return found == wheel and found.file() == path


class TestByDigest:
    def test_what_is_there(self, session: Session, file: str, digest: str) -> None:
        assert find_digest(session, OPTIONS, digest) is None
        wheel = add(session, file)
        session.close()
        found = find_digest(session, OPTIONS, digest)
        assert found is not None
        assert is_found(found, wheel, None)
        assert (found.entry, found.digest, found.looks_late) == (wheel.entry, digest, False)
        assert found.filename == wheel.filename
        assert found.session is None
        assert session._held == {wheel.entry}
        assert find_digest(session, OPTIONS, "5e" * 32) is None

    def test_what_is_in_it_is_known_from_then_on(
        self, session: Session, file: str, digest: str
    ) -> None:
        add(session, file)
        found = find_digest(session, OPTIONS, digest)
        assert found is not None
        before = found.known_tree()
        os.unlink(session.layout.manifest(found.entry))
        assert found.known_tree() == before

    def test_what_is_damaged_is_not(self, session: Session, file: str, digest: str) -> None:
        wheel = add(session, file)
        spoil(wheel)
        assert find_digest(session, OPTIONS, digest) is not None
        assert find_digest(session, OPTIONS._replace(check="size"), digest) is not None
        assert find_digest(session, OPTIONS._replace(check="hash"), digest) is None
        spoil(wheel, b"VALUE = 100\n")
        assert find_digest(session, OPTIONS, digest) is None

    def test_what_is_looked_at_late(self, session: Session, file: str, digest: str) -> None:
        late = OPTIONS._replace(looks_late=True)
        wheel = add(session, file)
        spoil(wheel, b"VALUE = 100\n")
        found = find_digest(session, late, digest)
        assert found is not None
        assert is_found(found, wheel, None)
        assert (found.entry, found.digest, found.looks_late) == (wheel.entry, digest, True)
        assert find_digest(session, late._replace(check="size"), digest) is None

    def test_what_is_checked_is_checked_when_it_is_linked(
        self, session: Session, file: str, digest: str
    ) -> None:
        wheel = add(session, file)
        for options, is_damaged in ((OPTIONS, False), (OPTIONS._replace(check="hash"), True)):
            found = find_digest(session, options, digest)
            assert found is not None
            spoil(wheel)
            if is_damaged:
                with pytest.raises(InvalidWheelError, match="damaged"), found.hold():
                    pass
            else:
                with found.hold():
                    pass
                spoil(wheel, b"VALUE = 1\n")

    def test_below(self, make_session: Callable[[str], Session], file: str, digest: str) -> None:
        bases = [make_session(name) for name in "abc"]
        assert find_digest_below(bases, OPTIONS, digest) is None
        wheels = [add(base, file) for base in bases[1:]]
        assert find_digest_below(bases, OPTIONS, digest) == wheels[0]
        spoil(wheels[0])
        checked = OPTIONS._replace(check="hash")
        assert find_digest_below(bases, checked, digest) == wheels[1]


class TestByTheIndex:
    def test_without_reading(
        self, session: Session, file: str, digest: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        wheel = add(session, file)
        unread(monkeypatch)
        for expected in (None, digest):
            assert is_found(find_known(session, OPTIONS, file, expected), wheel, file)
            assert is_found(find_wheel(session, OPTIONS, file, expected), wheel, file)
        # What is looked at late is added again from that file, should it be damaged.
        late = OPTIONS._replace(looks_late=True)
        assert is_found(find_known(session, late, file, None), wheel, file)

    def test_under_the_name_that_was_given(
        self, session: Session, file: str, digest: str, tmp_path: Path
    ) -> None:
        wheel = add(session, file)
        path = copy_of(file, tmp_path / "demo-1.0-7-py3-none-any.whl")
        session.note(path, os.stat(path), Known(digest, wheel.entry))
        under = wheel.renamed(WheelFilename.known("demo-1.0-7-py3-none-any.whl"))
        assert is_found(find_known(session, OPTIONS, path, None), under, path)

    def test_another_digest_is_expected(self, session: Session, file: str) -> None:
        add(session, file)
        assert find_known(session, OPTIONS, file, "5e" * 32) is MAY_BE_THERE
        with pytest.raises(InvalidWheelError, match="and should have 5e5e"):
            find_wheel(session, OPTIONS, file, "5e" * 32)

    def test_that_leads_to_nothing(self, session: Session, file: str) -> None:
        wheel = add(session, file)
        session.close()
        shutil.rmtree(session.layout.entry(wheel.entry))
        assert find_known(session, OPTIONS, file, None) is None

    def test_that_does_not_know_it(self, session: Session, file: str, tmp_path: Path) -> None:
        assert find_known(session, OPTIONS, file, None) is None
        other = settle(write_wheel(tmp_path / NAME, {"demo/more.py": bytes(99)}))
        add(session, os.fspath(other))
        assert find_known(session, OPTIONS, file, None) is None
        # One of that size may be the same, under another name.
        path = copy_of(os.fspath(other), tmp_path / "copy" / NAME)
        assert find_known(session, OPTIONS, path, None) is MAY_BE_THERE

    def test_that_others_write(
        self, session: Session, file: str, digest: str, tmp_path: Path
    ) -> None:
        session.open().standing = OTHERS
        assert find_known(session, OPTIONS, file, None) is MAY_BE_THERE
        wheel = add(session, file)
        assert is_found(find_known(session, OPTIONS, file, None), wheel, file)
        assert find_known(session, OPTIONS, file, digest) is MAY_BE_THERE

    def test_of_a_store_that_is_only_read(
        self, make_session: Callable[[str], Session], file: str
    ) -> None:
        make_session("store").open()
        session = Session(make_session("store").layout, read_only=True)
        assert find_known(session, OPTIONS, file, None) is MAY_BE_THERE
        session.close()

    def test_of_a_file_that_is_missing(self, session: Session, tmp_path: Path) -> None:
        path = os.fspath(tmp_path / NAME)
        for find in (find_known, find_wheel, find_by_content):
            with pytest.raises(InvalidWheelError) as caught:
                find(session, OPTIONS, path, None)
            assert str(caught.value) == f"no wheel at {path!r}: give a .whl file"


class TestByContent:
    def test_is_known_from_then_on(
        self, session: Session, file: str, digest: str, tmp_path: Path
    ) -> None:
        wheel = add(session, file)
        session.close()
        path = copy_of(file, tmp_path / NAME)
        assert is_found(find_by_content(session, OPTIONS, path, digest), wheel, path)
        assert session._held == {wheel.entry}
        assert session.index.find(path, os.stat(path)) == Known(digest, wheel.entry)

    def test_is_found_by_all_means(self, session: Session, file: str, tmp_path: Path) -> None:
        wheel = add(session, file)
        path = copy_of(file, tmp_path / NAME)
        assert is_found(find_wheel(session, OPTIONS, path, None), wheel, path)

    def test_is_in_no_store(self, session: Session, file: str) -> None:
        assert find_by_content(session, OPTIONS, file, None) is None
        assert session.index.find(file, os.stat(file)) is None

    def test_of_a_file_that_was_just_written(
        self, session: Session, file: str, tmp_path: Path
    ) -> None:
        wheel = add(session, file)
        path = shutil.copy(file, os.fspath(tmp_path / NAME))
        os.utime(path, (2**31, 2**31))
        assert find_by_content(session, OPTIONS, path, None) == wheel
        assert session.index.find(path, os.stat(path)) is None

    def test_of_a_file_that_changes_meanwhile(
        self, session: Session, file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        wheel = add(session, file)
        path = copy_of(file, tmp_path / NAME)
        before = os.stat(path)
        real = WheelFile.digest

        def digest(one: WheelFile) -> str:
            found = real(one)
            os.utime(path, (1, 1))
            return found

        monkeypatch.setattr(WheelFile, "digest", digest)
        assert find_by_content(session, OPTIONS, path, None) == wheel
        assert session.index.find(path, before) is None

    def test_is_another_than_expected(self, session: Session, file: str, digest: str) -> None:
        add(session, file)
        with pytest.raises(InvalidWheelError) as caught:
            find_by_content(session, OPTIONS, file, "5e" * 32)
        said = f"the wheel {file!r} has the SHA-256 {digest} and should have {'5e' * 32}: "
        assert str(caught.value).startswith(said)

    def test_is_of_another_name(self, session: Session, file: str, tmp_path: Path) -> None:
        add(session, file)
        path = copy_of(file, tmp_path / "demo-2.0-py3-none-any.whl")
        with pytest.raises(InvalidWheelError) as caught:
            find_by_content(session, OPTIONS, path, None)
        said = f"cannot use {path!r}: it is {NAME} by its content; rename it to what it is"
        assert str(caught.value) == said

    @on_posix
    def test_is_anothers(self, session: Session, file: str) -> None:
        wheel = add(session, file)
        me = os.geteuid()  # type: ignore[attr-defined,unused-ignore]
        session.open().standing = Standing("it is theirs", False, mine=frozenset({me}))
        assert find_by_content(session, OPTIONS, file, None) == wheel
        session.open().standing = Standing("it is theirs", False, mine=frozenset())
        with pytest.raises(LinkError, match="not trusted: it is theirs"):
            find_by_content(session, OPTIONS, file, None)


class TestForged:
    @pytest.fixture
    def shared(self, session: Session) -> Session:
        """The session of a store that others can write to."""
        session.open().standing = OTHERS
        return session

    def test_nothing(self, shared: Session, file: str, digest: str) -> None:
        wheel = add(shared, file)
        assert find_by_content(shared, OPTIONS, file, digest) == wheel
        assert os.listdir(os.path.join(shared.layout.control, "staging")) == []

    def test_content(self, shared: Session, file: str, digest: str) -> None:
        wheel = add(shared, file)
        spoil(wheel)
        assert find_by_content(shared, OPTIONS, file, None) == wheel
        with pytest.raises(InvalidWheelError) as caught:
            find_by_content(shared, OPTIONS, file, digest)
        assert str(caught.value) == (
            f"the entry {shared.layout.entry(wheel.entry)!r} does not hold what {file!r} does: "
            "demo/__init__.py is changed; remove the entry, or use a store of your own"
        )

    def test_content_of_the_same_time(
        self, shared: Session, file: str, digest: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # What is unpacked to be compared gets the time that the forged file has.
        monkeypatch.setattr(making, "time", SimpleNamespace(time_ns=lambda: 10**18))
        spoil(add(shared, file))
        with pytest.raises(InvalidWheelError, match="does not hold what"):
            find_by_content(shared, OPTIONS, file, digest)

    def test_only_where_others_write(self, session: Session, file: str, digest: str) -> None:
        wheel = add(session, file)
        spoil(wheel)
        assert find_by_content(session, OPTIONS, file, digest) == wheel

    @on_posix
    def test_execute_bits(self, shared: Session, file: str, digest: str) -> None:
        wheel = add(shared, file)
        Path(wheel.path, "demo/__init__.py").chmod(0o755)
        with pytest.raises(InvalidWheelError, match=r"demo/__init__\.py is changed"):
            find_by_content(shared, OPTIONS, file, digest)

    def test_a_file_that_changes_meanwhile(
        self,
        shared: Session,
        file: str,
        digest: str,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        add(shared, file)
        # It has become another wheel after it was read.
        other = os.fspath(write_wheel(tmp_path / NAME, {"demo/more.py": b""}))
        monkeypatch.setattr(WheelFile, "digest", lambda _: digest)
        with pytest.raises(InvalidWheelError) as caught:
            find_by_content(shared, OPTIONS, other, digest)
        now = sha256_of(Path(other))
        said = f"the wheel {other!r} has the SHA-256 {now} and should have {digest}: "
        assert str(caught.value).startswith(said)


class TestBelow:
    @pytest.fixture
    def base(self, make_session: Callable[[str], Session]) -> Session:
        return make_session("base")

    def test_no_base(self, session: Session, file: str) -> None:
        add(session, file)
        assert find_below([], session, OPTIONS, file, None) is None
        assert find_below([], session, OPTIONS, "missing.whl", None) is None

    def test_the_first_that_has_it(
        self, session: Session, base: Session, make_session: Callable[[str], Session], file: str
    ) -> None:
        empty, last = make_session("empty"), make_session("last")
        assert find_below([empty, base], session, OPTIONS, file, None) is None
        wheel = add(base, file)
        add(last, file)
        found = find_below([empty, base, last], session, OPTIONS, file, None)
        assert is_found(found, wheel, file)
        assert base._held == {wheel.entry}
        assert session._held == set()

    def test_the_index_of_ones_own_knows_it_from_then_on(
        self,
        session: Session,
        base: Session,
        file: str,
        digest: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        wheel = add(base, file)
        assert find_below([base], session, OPTIONS, file, digest) == wheel
        assert session.index.find(file, os.stat(file)) == Known(digest, wheel.entry)
        index = Path(session.layout.control, "index")
        before = index.read_bytes()
        unread(monkeypatch)
        for expected in (None, digest):
            assert is_found(find_below([base], session, OPTIONS, file, expected), wheel, file)
        assert index.read_bytes() == before
        with pytest.raises(InvalidWheelError, match="and should have 5e5e"):
            find_below([base], session, OPTIONS, file, "5e" * 32)
        # Where others write the index, it does not say what a file holds.
        session.open().standing = OTHERS
        assert is_found(find_below([base], session, OPTIONS, file, None), wheel, file)
        with pytest.raises(AssertionError, match="it is read"):
            find_below([base], session, OPTIONS, file, digest)

    def test_a_file_that_was_just_written(
        self, session: Session, base: Session, file: str, tmp_path: Path
    ) -> None:
        wheel = add(base, file)
        path = shutil.copy(file, os.fspath(tmp_path / NAME))
        os.utime(path, (2**31, 2**31))
        assert find_below([base], session, OPTIONS, path, None) == wheel
        assert session.index.find(path, os.stat(path)) is None

    def test_a_file_that_changes_meanwhile(
        self,
        session: Session,
        base: Session,
        file: str,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        wheel = add(base, file)
        path = copy_of(file, tmp_path / NAME)
        before = os.stat(path)
        real = WheelFile.digest

        def digest(one: WheelFile) -> str:
            found = real(one)
            os.utime(path, (1, 1))
            return found

        monkeypatch.setattr(WheelFile, "digest", digest)
        assert find_below([base], session, OPTIONS, path, None) == wheel
        assert session.index.find(path, before) is None

    def test_a_file_that_is_missing(self, session: Session, base: Session, tmp_path: Path) -> None:
        path = os.fspath(tmp_path / NAME)
        with pytest.raises(InvalidWheelError) as caught:
            find_below([base], session, OPTIONS, path, None)
        assert str(caught.value) == f"no wheel at {path!r}: give a .whl file"

    def test_what_was_forged_is_compared_in_ones_own(
        self, session: Session, base: Session, file: str, digest: str
    ) -> None:
        wheel = add(base, file)
        base.open().standing = OTHERS
        assert find_below([base], session, OPTIONS, file, digest) == wheel
        # The base may be another's: nothing is written to it.
        shutil.rmtree(os.path.join(base.layout.control, "staging"))
        assert find_below([base], session, OPTIONS, file, digest) == wheel
        spoil(wheel)
        assert find_below([base], session, OPTIONS, file, None) == wheel
        with pytest.raises(InvalidWheelError, match="does not hold what"):
            find_below([base], session, OPTIONS, file, digest)
