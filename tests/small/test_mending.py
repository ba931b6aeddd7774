"""What differs in an entry, and how it is mended, file by file; tests/store/test_damaged_entries.py has real ones."""

from __future__ import annotations

import os
import shutil
import sys
from typing import TYPE_CHECKING, Any, Final, NoReturn

import pytest
from wheels import write_tree

from small.made import STAMP, make_entry
from wheel_linker import InvalidWheelError, LinkError
from wheel_linker._archive.stored_file import StoredFile
from wheel_linker._fs.folder import Folder
from wheel_linker._log import telling
from wheel_linker.store import Damage
from wheel_linker.store._entry import manifest
from wheel_linker.store._entry.errors import BrokenManifestError, doing_at, named_errors
from wheel_linker.store._entry.mending import description_damage, find_damage, mend
from wheel_linker.store._entry.options import Kept
from wheel_linker.store._entry.seal import sealed
from wheel_linker.store.entries import read_entry
from wheel_linker.store.layout import Layout
from wheel_linker.store.session import Session
from wheel_linker.store.verifying import verify

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from wheel_linker.store import Entry

NAME: Final = "aaaaaaaaaa"
INIT, RUN, DEEP, SINGLE = "demo/__init__.py", "demo/run", "demo/sub/deep/file", "single.py"
FILES: Final = {INIT: b"init", RUN: b"run", DEEP: b"deep", SINGLE: b"single"}
on_posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such bits or calls")


@pytest.fixture
def made(tmp_path: Path) -> Path:
    return make_entry(tmp_path, NAME, FILES, executables=[RUN])


def no_bits() -> NoReturn:
    raise AssertionError("no bits are other ones")


def entry_of(made: Path) -> Entry:
    entry = read_entry(Layout(os.fspath(made.parent)), made.name)
    assert entry is not None
    return entry


def found(
    made: Path, *, deep: bool = False, bits: Callable[[], bool] = no_bits, rows: int = -1
) -> list[tuple[str, str]]:
    facts, files = manifest.read_files(os.fspath(made / "entry"))
    facts = facts._replace(rows=rows)
    entry = entry_of(made)
    damage = find_damage(entry, facts, files, deep=deep, keeps_bits=bits)
    assert all(one.entry == entry for one in damage)
    return [(one.path, one.kind) for one in damage]


def change(path: Path, data: bytes, when: int = STAMP) -> None:
    path.write_bytes(data)
    os.utime(path, ns=(when, when))


class TestFindDamage:
    def test_none(self, made: Path) -> None:
        assert found(made) == []
        assert found(made, deep=True) == []

    def test_of_each_kind_by_path(self, made: Path) -> None:
        tree = made / "w"
        (tree / INIT).unlink()
        (tree / SINGLE).write_bytes(b"other")
        (tree / DEEP).unlink()
        (tree / DEEP).mkdir()
        write_tree(tree, {"demo/sub/added": b"", "added": b"", f"{DEEP}/below": b""})
        assert found(made) == [
            ("added", "added"),
            (INIT, "missing"),
            ("demo/sub/added", "added"),
            (DEEP, "missing"),
            (f"{DEEP}/below", "added"),
            (SINGLE, "changed"),
        ]

    def test_of_bytes(self, made: Path) -> None:
        change(made / "w" / INIT, b"xxxx")
        assert found(made) == []
        assert found(made, deep=True) == [(INIT, "changed")]
        change(made / "w" / INIT, b"xxxx", STAMP + 1000)
        assert found(made) == [(INIT, "changed")]

    def test_another_time_is_none(self, made: Path) -> None:
        change(made / "w" / INIT, b"init", STAMP + 1000)
        assert found(made) == []
        assert found(made, deep=True) == []

    def test_another_size_is_some_whatever_the_time(self, made: Path) -> None:
        change(made / "w" / INIT, b"init.")
        assert found(made) == [(INIT, "changed")]

    @on_posix
    def test_of_execute_bits(self, made: Path) -> None:
        (made / "w" / RUN).chmod(0o644)
        assert found(made, bits=lambda: False) == []
        assert found(made, bits=lambda: True) == [(RUN, "changed")]
        (made / "w" / RUN).chmod(0o700)
        (made / "w" / INIT).chmod(0o646)
        assert found(made, bits=lambda: True) == []
        (made / "w" / INIT).chmod(0o755)
        assert found(made, bits=lambda: True) == [(INIT, "changed")]
        assert found(made, bits=lambda: False) == []

    @on_posix
    def test_of_symlinks(self, made: Path) -> None:
        facts, files = manifest.read_files(os.fspath(made / "entry"))
        (made / "entry").unlink()
        with Folder.open(os.fspath(made)) as folder:
            links = [StoredFile(f"demo/{name}", 0, False, "", "run") for name in "abcd"]
            manifest.write(folder, "entry", facts, [*files, *links])
        (made / "w/demo/a").symlink_to("run")
        (made / "w/demo/b").symlink_to("sub")
        (made / "w/demo/c").write_bytes(b"")
        assert found(made) == [
            ("demo/b", "changed"),
            ("demo/c", "changed"),
            ("demo/d", "missing"),
        ]

    @on_posix
    def test_what_is_no_file_any_more(self, made: Path) -> None:
        (made / "w" / INIT).unlink()
        (made / "w" / INIT).symlink_to("run" + "x")
        (made / "w" / SINGLE).unlink()
        os.mkfifo(made / "w" / SINGLE)  # type: ignore[attr-defined,unused-ignore]
        assert found(made) == [(INIT, "changed"), (SINGLE, "changed")]

    def test_what_goes_meanwhile(self, made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (made / "w" / SINGLE).unlink()
        real = Folder.listdir
        monkeypatch.setattr(
            Folder, "listdir", lambda one: [*real(one), *({SINGLE} - set(real(one)))]
        )
        assert (SINGLE, "changed") in found(made)

    def test_no_tree(self, made: Path) -> None:
        everything = [(path, "missing") for path in sorted(FILES)]
        shutil.move(made / "w", made.parent / "real")
        assert found(made) == everything
        (made / "w").touch()
        assert found(made) == everything

    @on_posix
    def test_symlink_in_its_place(self, made: Path) -> None:
        shutil.move(made / "w", made.parent / "real")
        (made / "w").symlink_to("../real")
        assert found(made) == [(path, "missing") for path in sorted(FILES)]

    @on_posix
    def test_that_cannot_be_told(self, made: Path) -> None:
        facts, files = manifest.read_files(os.fspath(made / "entry"))
        entry = entry_of(made)._replace(path=os.fspath(made / ("x" * 300)))
        with pytest.raises(OSError, match="xxx"):
            find_damage(entry, facts, files, deep=False, keeps_bits=no_bits)


class TestRowsDamage:
    def found(self, made: Path, rows: int) -> list[str]:
        return [kind for path, kind in found(made, rows=rows) if path == "../rows"]

    def test_of_what_was_kept(self, made: Path) -> None:
        data = sealed(b"rows")
        assert self.found(made, len(data)) == ["missing"]
        (made / "rows").write_bytes(data)
        assert self.found(made, len(data)) == []
        assert self.found(made, len(data) + 1) == ["changed"]
        (made / "rows").write_bytes(bytes(len(data)))
        assert self.found(made, len(data)) == ["changed"]

    def test_of_nothing(self, made: Path) -> None:
        assert self.found(made, -1) == []
        (made / "rows").write_bytes(b"")
        assert self.found(made, -1) == ["added"]
        assert self.found(made, 0) == ["changed"]

    def test_of_problems(self, made: Path) -> None:
        (made / "problems").write_bytes(sealed(b"[]"))
        assert self.found(made, -1) == []
        (made / "problems").write_bytes(b"[]")
        assert self.found(made, -1) == ["added"]
        data = sealed(b"rows")
        (made / "rows").write_bytes(data)
        assert self.found(made, len(data)) == ["changed"]

    def test_come_with_the_others_by_path(self, made: Path) -> None:
        (made / "w" / SINGLE).unlink()
        (made / "rows").touch()
        assert found(made) == [("../rows", "added"), (SINGLE, "missing")]


def test_damage_of_the_description(made: Path) -> None:
    entry = entry_of(made)
    assert description_damage(entry) == Damage(entry, "../entry", "changed")
    (made / "entry").unlink()
    assert description_damage(entry) == Damage(entry, "../entry", "missing")


class TestMend:
    @pytest.fixture
    def fresh(self, tmp_path: Path) -> Path:
        made = make_entry(tmp_path / "fresh", NAME, FILES, executables=[RUN])
        for path in FILES:
            os.utime(made / "w" / path, (5, 5))
        return made

    @pytest.fixture
    def waste(self, tmp_path: Path) -> Path:
        (tmp_path / "waste").mkdir()
        return tmp_path / "waste"

    @pytest.fixture
    def mended(self, made: Path, fresh: Path, waste: Path) -> Callable[..., None]:
        """Return a function that mends what is said to be damaged; nothing may stay in the waste but what is named."""

        def mend_it(*damage: Any, stamp: int | None = STAMP) -> None:
            nothing: Any = None
            kinds = [Damage(nothing, *one) for one in damage]
            with (
                Folder.open(os.fspath(made)) as one,
                Folder.open(os.fspath(fresh)) as other,
                Folder.open(os.fspath(waste)) as gone,
            ):
                mend(kinds, one, other, gone, stamp)

        return mend_it

    def test_files(self, made: Path, waste: Path, mended: Callable[..., None]) -> None:
        tree = made / "w"
        change(tree / INIT, b"xxxx")
        shutil.rmtree(tree / "demo/sub")
        write_tree(tree, {"added/x": b"", "demo/added": b"2"})
        damage = found(made, deep=True)
        assert damage == [
            ("added/x", "added"),
            (INIT, "changed"),
            ("demo/added", "added"),
            (DEEP, "missing"),
        ]
        mended(*damage)
        assert found(made, deep=True) == []
        for path in FILES:
            assert (tree / path).stat().st_mtime_ns == STAMP
        assert sorted(os.listdir(waste)) == ["0", "1"]

    def test_where_the_time_is_lost(self, made: Path, mended: Callable[..., None]) -> None:
        (made / "w" / INIT).unlink()
        mended((INIT, "missing"), stamp=None)
        assert (made / "w" / INIT).stat().st_mtime == 5

    def test_what_is_not_damaged_stays(
        self, made: Path, fresh: Path, mended: Callable[..., None]
    ) -> None:
        for path in ("rows", "problems"):
            (made / path).write_bytes(b"old")
            (fresh / path).write_bytes(b"new")
        before = {path: path.stat().st_ino for path in made.rglob("*") if path.is_file()}
        mended()
        assert before == {path: path.stat().st_ino for path in made.rglob("*") if path.is_file()}

    def test_a_directory_in_the_way(
        self, made: Path, waste: Path, mended: Callable[..., None]
    ) -> None:
        (made / "w" / INIT).unlink()
        write_tree(made / "w", {f"{INIT}/below": b""})
        mended((INIT, "missing"), (f"{INIT}/below", "added"))
        assert (made / "w" / INIT).read_bytes() == b"init"
        assert sorted(os.listdir(waste)) == ["0", "1"]

    def test_a_file_in_the_way(self, made: Path, waste: Path, mended: Callable[..., None]) -> None:
        shutil.rmtree(made / "w/demo/sub")
        (made / "w/demo/sub").touch()
        mended((DEEP, "missing"), ("demo/sub", "added"))
        assert (made / "w" / DEEP).read_bytes() == b"deep"
        assert os.listdir(waste) == ["0"]

    def test_no_tree(self, made: Path, mended: Callable[..., None]) -> None:
        shutil.rmtree(made / "w")
        mended(*((path, "missing") for path in FILES))
        assert found(made, deep=True) == []

    def test_a_file_in_its_place(
        self, made: Path, waste: Path, mended: Callable[..., None]
    ) -> None:
        shutil.rmtree(made / "w")
        (made / "w").touch()
        mended(*((path, "missing") for path in FILES))
        assert found(made, deep=True) == []
        assert os.listdir(waste) == ["w"]

    @pytest.mark.parametrize("before", [None, b"before"])
    @pytest.mark.parametrize("after", [None, b"after"])
    def test_rows_and_problems(
        self,
        made: Path,
        fresh: Path,
        mended: Callable[..., None],
        before: bytes | None,
        after: bytes | None,
    ) -> None:
        for name in ("rows", "problems"):
            if before is not None:
                (made / name).write_bytes(before)
            if after is not None:
                (fresh / name).write_bytes(after)
        mended(("../rows", "changed"))
        for name in ("rows", "problems"):
            assert (made / name).exists() is (after is not None)
            assert after is None or (made / name).read_bytes() == after

    def test_the_description_and_the_boot(
        self, made: Path, fresh: Path, mended: Callable[..., None]
    ) -> None:
        (fresh / "boot").write_bytes(b"boot")
        data = (fresh / "entry").read_bytes()
        (made / "entry").write_bytes(b"")
        mended(("../entry", "changed"))
        assert (made / "boot").read_bytes() == b"boot"
        assert (made / "entry").read_bytes() == data

    def test_the_description_stays(
        self, made: Path, fresh: Path, mended: Callable[..., None]
    ) -> None:
        (fresh / "entry").write_bytes(b"")
        (made / "boot").write_bytes(b"boot")
        mended((INIT, "changed"))
        assert (made / "entry").read_bytes() != b""
        assert (made / "boot").read_bytes() == b"boot"

    @on_posix
    def test_symlinks(
        self, made: Path, fresh: Path, waste: Path, mended: Callable[..., None]
    ) -> None:
        (made / "w/demo/link").symlink_to("nowhere")
        (fresh / "w/demo/link").symlink_to("run")
        os.utime(fresh / "w/demo/run", (7, 7))
        mended(("demo/link", "changed"))
        assert os.readlink(made / "w/demo/link") == "run"
        # It is not dated, nor is what it leads to.
        assert (fresh / "w/demo/run").stat().st_mtime == 7
        assert os.listdir(waste) == ["0"]

    def test_what_is_missing_there_as_well(self, made: Path, mended: Callable[..., None]) -> None:
        (made / "w" / "old").touch()
        mended(("old", "changed"), (INIT, "changed"))
        assert not (made / "w" / "old").exists()
        assert (made / "w" / INIT).stat().st_mtime_ns == STAMP


class TestVerify:
    @pytest.fixture
    def session(self, made: Path) -> Iterator[Session]:
        session = Session(Layout(os.fspath(made.parent)))
        yield session
        session.close()

    def test_all(self, session: Session, tmp_path: Path) -> None:
        (make_entry(tmp_path, "bbbbbbbbbb", FILES) / "w" / INIT).unlink()
        (make_entry(tmp_path, "cccccccccc", FILES) / "entry").write_bytes(b"")
        other = make_entry(tmp_path, "dddddddddd", FILES)
        change(other / "w" / INIT, b"xxxx")
        made = make_entry(other / "bytecode", "set", {"x.pyc": b"x"})
        change(made / "w" / "x.pyc", b"y")

        def damage(deep: bool) -> list[tuple[str, str, str]]:
            return [
                (one.entry.name, one.path, one.kind) for one in verify(session, None, deep=deep)
            ]

        seen = [("bbbbbbbbbb", INIT, "missing"), ("cccccccccc", "../entry", "changed")]
        assert damage(False) == seen
        assert damage(True) == [
            seen[0],
            ("dddddddddd", INIT, "changed"),
            ("dddddddddd", "../bytecode/set/w/x.pyc", "changed"),
            seen[1],
        ]

    def test_one(self, session: Session, made: Path) -> None:
        (make_entry(made.parent, "bbbbbbbbbb", FILES) / "w" / INIT).unlink()
        assert verify(session, NAME, deep=True) == []
        change(made / "w" / INIT, b"xxxx")
        assert verify(session, NAME, deep=False) == []
        assert [one.path for one in verify(session, NAME, deep=True)] == [INIT]
        assert verify(session, "zzzzzzzzzz", deep=True) == []

    @on_posix
    def test_execute_bits(self, session: Session, made: Path) -> None:
        (made / "w" / RUN).chmod(0o644)
        assert [one.path for one in verify(session, NAME, deep=False)] == [RUN]

    def test_is_not_removed_meanwhile(
        self, session: Session, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        real = manifest.read_files
        used: list[set[str]] = []

        def read_files(path: str) -> Any:
            used.append(session._used())
            return real(path)

        monkeypatch.setattr(manifest, "read_files", read_files)
        verify(session, NAME, deep=False)
        assert used == [{NAME}]

    def test_removed_meanwhile(
        self, session: Session, made: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        entry = entry_of(made)
        monkeypatch.setattr("wheel_linker.store.verifying.named", lambda *_: entry)
        shutil.rmtree(made)
        assert verify(session, NAME, deep=False) == []

    def test_kept_from_the_caller(
        self, session: Session, made: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        make_entry(made.parent, "bbbbbbbbbb", FILES)
        (make_entry(made.parent, "cccccccccc", FILES) / "w" / INIT).unlink()
        real = manifest.read_files

        def read_files(path: str) -> Any:
            if "bbbbbbbbbb" in path:
                raise PermissionError(13, "no")
            return real(path)

        monkeypatch.setattr(manifest, "read_files", read_files)
        said: list[str] = []
        with telling(said.append):
            damage = verify(session, None, deep=False)
        assert [one.entry.name for one in damage] == ["cccccccccc"]
        path = os.path.join(made.parent, "bbbbbbbbbb", "w")
        assert said == [f"cannot verify {path}: [Errno 13] no"]
        with pytest.raises(PermissionError):
            verify(session, "bbbbbbbbbb", deep=False)


class TestErrors:
    def test_of_the_system(self) -> None:
        for name, more in (("/store/x", ""), ("/else/y", " at '/else/y'"), ("x", ""), (None, "")):
            with pytest.raises(LinkError) as caught, named_errors("read '/store/x'", "/store"):
                raise FileNotFoundError(2, os.strerror(2), name)
            assert str(caught.value).startswith(f"cannot read '/store/x'{more}: ")
            assert (caught.value.errno, caught.value.source) == (2, "/store")

    def test_of_descriptions(self) -> None:
        with pytest.raises(InvalidWheelError) as caught, named_errors("do it", "/store"):
            raise BrokenManifestError("/store/entry")
        said = (
            "cannot do it: '/store/entry' is not what was written; prune, and add the wheel again"
        )
        assert str(caught.value) == said

    def test_paths_that_are_no_texts(self) -> None:
        assert doing_at(OSError(2, "no", 5), "do it") == "do it"
        assert doing_at(OSError(2, "no", b"/x"), "do it") == "do it"
        path = os.path.abspath("x")
        assert doing_at(OSError(2, "no", path), "do it") == f"do it at {path!r}"


def test_what_a_call_keeps() -> None:
    given_up: list[list[str]] = []
    with Kept() as kept:
        kept.take(["a", "b"], given_up.append)
        kept.take(["c"], given_up.append)
        assert given_up == []
        assert isinstance(kept, Kept)
    assert given_up == [["a", "b"], ["c"]]
