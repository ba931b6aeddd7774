"""How an entry is repaired, step by step; tests/store/test_upkeep.py and test_damaged_entries.py have whole stores."""

from __future__ import annotations

import os
import shutil
import stat
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from store.archives import FILES, NAME, sha256_of, write_wheel

from small.made import OPTIONS, make_entry
from wheel_linker import InvalidWheelError
from wheel_linker._archive.wheel_file import WheelFile
from wheel_linker.store._adding.batch import unpack_all
from wheel_linker.store._adding.wanted import Wanted
from wheel_linker.store.entries import read_entry
from wheel_linker.store.repairing import repair
from wheel_linker.store.trust import Standing
from wheel_linker.store.verifying import verify

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from wheel_linker.store.session import Session

on_posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such bits")
INIT = "demo/__init__.py"


@pytest.fixture
def path(tmp_path: Path) -> str:
    return os.fspath(write_wheel(tmp_path / NAME))


@pytest.fixture
def add(session: Session, path: str) -> Callable[..., str]:
    """Return a function that puts the wheel into the store, and returns its entry's name."""

    def put(**options: Any) -> str:
        return unpack_all(session, OPTIONS._replace(**options), [Wanted(0, path, None)])[0].entry

    return put


@pytest.fixture
def name(add: Callable[..., str]) -> str:
    return add()


@pytest.fixture
def tree(session: Session, name: str) -> Path:
    return Path(session.layout.tree(name))


def mended(session: Session, entry: Any, path: str, **options: Any) -> list[tuple[str, str]]:
    damage = repair(session, OPTIONS._replace(**options), entry, path)
    assert os.listdir(os.path.join(session.layout.control, "staging")) == []
    assert session._used() == set()
    return [(one.path, one.kind) for one in damage]


def compiled(session: Session, name: str, of: str, data: bytes = b"code") -> Path:
    """Write a set of bytecode into an entry; return the directory of its files."""
    above = Path(session.layout.bytecode(name))
    return make_entry(above, of, {"demo/__pycache__/x.pyc": data}) / "w"


class TestRepair:
    def test_what_is_damaged(self, session: Session, name: str, tree: Path, path: str) -> None:
        assert mended(session, name, path) == []
        stamp = (tree / INIT).stat().st_mtime_ns
        (tree / INIT).write_bytes(b"VALUE = 2\n")
        os.utime(tree / INIT, ns=(stamp, stamp))
        (tree / "single.py").unlink()
        (tree / "added").touch()
        seen = [("added", "added"), (INIT, "changed"), ("single.py", "missing")]
        assert mended(session, sha256_of(Path(path)), path) == seen
        assert verify(session, name, deep=True) == []
        assert (tree / INIT).read_bytes() == FILES[INIT]
        # It has the time of all others again, so that it is not read before each use.
        assert {p.stat().st_mtime_ns for p in tree.rglob("*") if p.is_file()} == {stamp}

    def test_by_what_was_found(self, session: Session, name: str, tree: Path, path: str) -> None:
        (tree / INIT).unlink()
        entry = read_entry(session.layout, name)
        assert mended(session, entry, path) == [(INIT, "missing")]

    @on_posix
    def test_execute_bits(self, session: Session, name: str, tree: Path, path: str) -> None:
        (tree / "demo/tool.sh").chmod(0o644)
        assert mended(session, name, path) == [("demo/tool.sh", "changed")]
        assert (tree / "demo/tool.sh").stat().st_mode & 0o111

    @on_posix
    @pytest.mark.parametrize("protect", [False, True])
    def test_permissions_stay(
        self, session: Session, add: Callable[..., str], path: str, protect: bool
    ) -> None:
        tree = Path(session.layout.tree(add(protect=protect)))
        (tree / INIT).unlink()
        repair(session, OPTIONS._replace(protect=not protect), tree.parent.name, path)
        for each in (INIT, "single.py"):
            assert bool((tree / each).stat().st_mode & 0o222) is not protect

    @on_posix
    def test_permissions_are_not_asked_of_symlinks(
        self, session: Session, add: Callable[..., str], path: str
    ) -> None:
        tree = Path(session.layout.tree(add(protect=True)))
        for each in ("single.py", "demo/tool.sh"):
            (tree / each).unlink()
            (tree / each).symlink_to("nowhere")
        mended(session, tree.parent.name, path)
        assert not (tree / "single.py").stat().st_mode & 0o222

    @on_posix
    def test_permissions_where_no_file_is_left(
        self, session: Session, name: str, tree: Path, path: str
    ) -> None:
        shutil.rmtree(tree)
        assert len(mended(session, name, path)) == len(FILES) + 1
        assert (tree / INIT).stat().st_mode & 0o200

    def test_of_what_is_not_there(self, session: Session, path: str) -> None:
        for entry in ("abcdefghij", "5e" * 32):
            with pytest.raises(InvalidWheelError) as caught:
                mended(session, entry, path)
            said = f"the store {session.layout.root!r} has no such entry: {entry}; add the wheel"
            assert str(caught.value) == said

    def test_from_another_wheel(
        self, session: Session, name: str, path: str, tmp_path: Path
    ) -> None:
        other = os.fspath(write_wheel(tmp_path / "other" / NAME, {INIT: b""}))
        digests = sha256_of(Path(other)), sha256_of(Path(path))
        with pytest.raises(InvalidWheelError) as caught:
            mended(session, name, other)
        said = f"the wheel {other!r} has the SHA-256 {digests[0]} and should have {digests[1]}: "
        assert str(caught.value).startswith(said)

    def test_from_a_file_that_changes_meanwhile(
        self,
        session: Session,
        name: str,
        path: str,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        other = os.fspath(write_wheel(tmp_path / "other" / NAME, {INIT: b""}))
        digest = sha256_of(Path(path))
        monkeypatch.setattr(WheelFile, "digest", lambda _: digest)
        with pytest.raises(InvalidWheelError) as caught:
            mended(session, name, other)
        said = f"the wheel {other!r} has the SHA-256 {sha256_of(Path(other))} and should have "
        assert str(caught.value).startswith(f"{said}{digest}: ")

    def test_cannot_be_removed_meanwhile(
        self, session: Session, name: str, path: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        real = WheelFile.digest
        used: list[set[str]] = []

        def digest(one: WheelFile) -> str:
            used.append(session._used())
            return real(one)

        monkeypatch.setattr(WheelFile, "digest", digest)
        mended(session, name, path)
        assert used == [{name}]

    def test_removed_before_it_was_kept(
        self, session: Session, name: str, path: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        real = session.keeping

        @contextmanager
        def keeping(entry: str, *, damaged: bool) -> Iterator[None]:
            shutil.rmtree(session.layout.entry(entry))
            with real(entry, damaged=damaged):
                yield

        monkeypatch.setattr(session, "keeping", keeping)
        with pytest.raises(InvalidWheelError, match="has no such entry"):
            mended(session, name, path)


class TestDescription:
    @pytest.mark.parametrize("what", ["missing", "changed"])
    def test_is_made_anew(
        self, session: Session, name: str, tree: Path, path: str, what: str
    ) -> None:
        entry = Path(session.layout.manifest(name))
        entry.unlink() if what == "missing" else entry.write_bytes(b"")
        (tree / INIT).unlink()
        seen = [(INIT, "missing"), ("../entry", what)]
        assert mended(session, name, path) == seen
        assert verify(session, name, deep=True) == []
        found = read_entry(session.layout, name)
        assert found is not None
        assert (found.digest, str(found.filename)) == (sha256_of(Path(path)), NAME)

    def test_is_made_of_that_wheel_only(
        self, session: Session, name: str, path: str, tmp_path: Path
    ) -> None:
        Path(session.layout.manifest(name)).unlink()
        other = os.fspath(write_wheel(tmp_path / "other" / NAME, {INIT: b""}))
        with pytest.raises(InvalidWheelError) as caught:
            mended(session, name, other)
        assert str(caught.value) == (
            f"{other!r} is not the wheel that the entry {session.layout.tree(name)!r} was made "
            "from: give that one, or remove the entry"
        )

    def test_has_the_name_that_the_file_was_added_under(
        self, session: Session, name: str, path: str, tree: Path, tmp_path: Path
    ) -> None:
        other = os.fspath(tmp_path / "demo-1.0-7-py3-none-any.whl")
        shutil.copy(path, other)
        (tree / INIT).unlink()
        mended(session, name, other)
        found = read_entry(session.layout, name)
        assert found is not None
        assert str(found.filename) == NAME
        Path(session.layout.manifest(name)).unlink()
        mended(session, name, other)
        found = read_entry(session.layout, name)
        assert found is not None
        assert str(found.filename) == "demo-1.0-7-py3-none-any.whl"


class TestBytecode:
    def test_that_is_damaged(self, session: Session, name: str, path: str) -> None:
        one, two = compiled(session, name, "one"), compiled(session, name, "two")
        file = one / "demo/__pycache__/x.pyc"
        when = file.stat().st_mtime_ns
        file.write_bytes(b"edoc")
        os.utime(file, ns=(when, when))
        seen = [("../bytecode/one/w/demo/__pycache__/x.pyc", "changed")]
        assert mended(session, name, path) == seen
        assert not one.parent.exists()
        assert two.exists()

    def test_of_what_was_damaged(self, session: Session, name: str, tree: Path, path: str) -> None:
        sets = [compiled(session, name, "one"), compiled(session, name, "two")]
        assert mended(session, name, path) == []
        assert all(one.exists() for one in sets)
        (tree / INIT).write_bytes(b"")
        assert mended(session, name, path) == [(INIT, "changed")]
        assert not any(one.parent.exists() for one in sets)

    def test_of_what_has_no_description(self, session: Session, name: str, path: str) -> None:
        one = compiled(session, name, "one")
        (one / "demo/__pycache__/x.pyc").unlink()
        Path(session.layout.manifest(name)).unlink()
        assert mended(session, name, path) == [
            ("../entry", "missing"),
            ("../bytecode/one/w/demo/__pycache__/x.pyc", "missing"),
        ]
        assert not one.parent.exists()


class TestBoot:
    """Whether what is mended counts as being on the disk."""

    @pytest.fixture(autouse=True)
    def can(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("wheel_linker.store._entry.making.on_disk", lambda *_: True)

    def test_is_noted_where_it_is_not(
        self, session: Session, add: Callable[..., str], path: str
    ) -> None:
        name = add(durable=True)
        boot = Path(session.layout.boot(name))
        assert not boot.exists()
        mended(session, name, path, durable=True)
        assert not boot.exists()
        mended(session, name, path, durable=False)
        assert boot.exists()

    @pytest.mark.parametrize("durable", [False, True])
    def test_stays_where_the_rest_may_not_be(
        self, session: Session, name: str, path: str, durable: bool
    ) -> None:
        boot = Path(session.layout.boot(name))
        right = boot.read_bytes()
        boot.write_bytes(b"another boot")
        # The note of now: all files have just been read.
        mended(session, name, path, durable=durable)
        assert boot.read_bytes() == right

    @on_posix
    def test_is_noted_for_a_group(self, session: Session, name: str, path: str) -> None:
        session.open().standing = Standing(shared=True)
        boot = Path(session.layout.boot(name))
        boot.write_bytes(b"another boot")
        mended(session, name, path, durable=True)
        assert stat.S_IMODE(boot.stat().st_mode) & 0o040


@on_posix
def test_what_is_made_gets_the_permissions_of_a_shared_store(
    session: Session, name: str, tree: Path, path: str
) -> None:
    session.open().standing = Standing(shared=True)
    (tree / "demo/tool.sh").unlink()
    mended(session, name, path)
    mode = (tree / "demo/tool.sh").stat().st_mode
    assert mode & 0o070 == (mode & 0o700) >> 3 & 0o050
