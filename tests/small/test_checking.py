"""What is looked at before an entry is used, one thing at a time; tests/store/test_damaged_entries.py has real ones."""

from __future__ import annotations

import errno
import os
import shutil
import sys
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final, NoReturn

import pytest
from store.archives import claim
from wheels import write_tree

from wheel_linker._archive.stored_file import StoredFile
from wheel_linker._fs.folder import Folder
from wheel_linker._wheel.tree import Unpacked
from wheel_linker.store._entry import checking, manifest
from wheel_linker.store._entry.checking import (
    boot_note,
    has_directories,
    note_boot,
    promising,
    whole,
)
from wheel_linker.store._entry.descriptions import Descriptions
from wheel_linker.store._entry.manifest import Manifest, read_description
from wheel_linker.store._entry.seal import sealed
from wheel_linker.store.layout import Layout
from wheel_linker.store.trust import Standing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from wheel_linker.store._entry.manifest import Description

NAME: Final = "abcdefghij"
DIGEST: Final = "5e" * 32
SECOND: Final = 10**9
STAMP: Final = 1_000_000_000 * SECOND
INIT: Final = "demo/__init__.py"
SCRIPT: Final = "demo-1.0.data/scripts/run"
METADATA: Final = "demo-1.0.dist-info/METADATA"
FILES: Final = {
    "single.py": b"single",
    INIT: b"init",
    "demo/sub/run": b"run",
    SCRIPT: b"script",
    METADATA: b"metadata",
}
EXECUTABLES: Final = ("demo/sub/run", SCRIPT)
ROWS: Final = sealed(b"rows")
POSIX: Final = os.name == "posix"
on_posix = pytest.mark.skipif(not POSIX, reason="Windows has no such bits, or no such error")


def no_bits() -> NoReturn:
    raise AssertionError("no executable is missing")


class Made:
    """An entry, and ways to look at it."""

    def __init__(self, root: Path) -> None:
        self.layout = Layout(os.fspath(root))
        self.path = root / NAME
        self.tree = self.path / "w"
        write_tree(self.tree, FILES)
        files = [
            StoredFile(path, len(data), path in EXECUTABLES, claim(data))
            for path, data in FILES.items()
        ]
        for path in FILES:
            (self.tree / path).chmod(0o755 if path in EXECUTABLES else 0o644)
            self.date(path, STAMP)
        (self.path / "rows").write_bytes(ROWS)
        self.describe(files)

    def describe(self, files: list[StoredFile], rows: int = len(ROWS)) -> None:
        facts = Manifest(DIGEST, "demo-1.0-py3-none-any.whl", 1, len(files), 0, STAMP, rows)
        (self.path / "entry").unlink(missing_ok=True)
        with Folder.open(os.fspath(self.path)) as entry:
            manifest.write(entry, "entry", facts, files)

    def date(self, path: str, when: int) -> None:
        os.utime(self.tree / path, ns=(when, when))

    def change(self, path: str, data: bytes, when: int = STAMP) -> None:
        (self.tree / path).write_bytes(data)
        self.date(path, when)

    def without_rows(self) -> None:
        _, files = manifest.read_files(self.layout.manifest(NAME))
        (self.path / "rows").unlink()
        self.describe(list(files), -1)

    def whole(
        self,
        check: Any = "size",
        *,
        bits: Callable[[], bool] = no_bits,
        notes: Standing | None = None,
        digest: str = DIGEST,
    ) -> Description | None:
        return whole(self.layout, NAME, digest, check, bits, notes)

    def is_whole(self, check: Any = "size", notes: Standing | None = None) -> bool:
        return self.whole(check, notes=notes) is not None

    def promising(self, digest: str = DIGEST) -> Unpacked | None:
        found = promising(self.layout, NAME, digest, Descriptions())
        if found is None:
            return None
        assert found[0].facts.digest == DIGEST
        return found[1]

    def note(self, name: str) -> bytes | None:
        path = self.path / name
        return path.read_bytes() if path.exists() else None


@pytest.fixture
def made(tmp_path: Path) -> Made:
    return Made(tmp_path / "store")


@pytest.fixture
def strict_umask() -> Iterator[None]:
    before = os.umask(0o077)
    yield
    os.umask(before)


class TestWhole:
    def test_is_told_by_its_description(self, made: Made) -> None:
        for check in (None, "size", "hash"):
            found = made.whole(check)
            assert found is not None
            assert found.facts == read_description(made.layout.manifest(NAME)).facts

    def test_by_one_that_was_read_before(self, made: Made) -> None:
        description = read_description(made.layout.manifest(NAME))
        known: Any = SimpleNamespace(read={made.layout.manifest(NAME): description}.__getitem__)
        found = whole(made.layout, NAME, DIGEST, "size", no_bits, None, descriptions=known)
        assert found is description

    def test_of_another_wheel(self, made: Made) -> None:
        assert made.whole(digest="5f" * 32) is None

    def test_no_files_are_looked_at_without_a_check(self, made: Made) -> None:
        shutil.rmtree(made.tree)
        assert made.is_whole(None)
        assert not made.is_whole()

    @pytest.mark.parametrize("path", FILES)
    def test_missing_files(self, made: Made, path: str) -> None:
        (made.tree / path).unlink()
        assert not made.is_whole()

    @pytest.mark.parametrize("path", FILES)
    def test_files_of_another_size(self, made: Made, path: str) -> None:
        made.change(path, FILES[path] + b"x")
        assert not made.is_whole()

    @pytest.mark.parametrize("path", FILES)
    def test_files_of_other_bytes(self, made: Made, path: str) -> None:
        made.change(path, bytes(len(FILES[path])))
        assert made.is_whole()
        assert not made.is_whole("hash")
        made.date(path, STAMP + 1000)
        assert not made.is_whole()

    @pytest.mark.parametrize("path", FILES)
    def test_files_of_another_time(self, made: Made, path: str) -> None:
        made.date(path, STAMP - 1000)
        assert made.is_whole()
        assert made.is_whole("hash")

    def test_no_description(self, made: Made) -> None:
        (made.path / "entry").write_bytes(b"")
        assert not made.is_whole()
        (made.path / "entry").unlink()
        assert not made.is_whole()

    @on_posix
    def test_symlink_in_its_place(self, made: Made) -> None:
        made.tree.rename(made.path / "real")
        made.tree.symlink_to("real")
        assert not made.is_whole()
        assert made.promising() is None

    @on_posix
    def test_what_cannot_be_told_is_an_error(self, made: Made) -> None:
        with pytest.raises(OSError, match="xxx") as caught:
            whole(made.layout, "x" * 300, DIGEST, "size", no_bits, None)
        assert caught.value.errno == errno.ENAMETOOLONG
        with pytest.raises(OSError, match="xxx"):
            promising(made.layout, "x" * 300, DIGEST, Descriptions())

    def test_rows(self, made: Made) -> None:
        (made.path / "rows").write_bytes(bytes(len(ROWS)))
        assert made.is_whole()
        assert not made.is_whole("hash")
        (made.path / "rows").write_bytes(ROWS + b"x")
        assert not made.is_whole()
        (made.path / "rows").unlink()
        assert not made.is_whole()

    def test_no_rows(self, made: Made) -> None:
        made.without_rows()
        assert made.is_whole()
        assert made.is_whole("hash")
        (made.path / "rows").write_bytes(b"")
        assert not made.is_whole()

    def test_rows_of_no_bytes(self, made: Made) -> None:
        _, files = manifest.read_files(made.layout.manifest(NAME))
        made.describe(list(files), 0)
        (made.path / "rows").write_bytes(b"")
        assert made.is_whole()
        assert not made.is_whole("hash")

    def test_problems(self, made: Made) -> None:
        (made.path / "problems").write_bytes(sealed(b"[]"))
        assert made.is_whole()
        (made.path / "problems").write_bytes(b"[]")
        assert not made.is_whole()

    @on_posix
    def test_execute_bits(self, made: Made) -> None:
        (made.tree / INIT).chmod(0o755)
        assert made.is_whole()
        (made.tree / SCRIPT).chmod(0o644)
        assert made.is_whole()
        (made.tree / "demo/sub/run").chmod(0o644)
        assert made.whole(bits=lambda: True) is None
        assert made.whole(bits=lambda: False) is not None
        assert made.whole(None) is not None

    @on_posix
    def test_symlinks(self, made: Made) -> None:
        _, files = manifest.read_files(made.layout.manifest(NAME))
        links = [StoredFile(f"demo/{name}", 0, False, "", "sub/run") for name in ("one", "two")]
        made.describe([*files, *links])
        assert not made.is_whole()
        (made.tree / "demo/one").symlink_to("sub/run")
        (made.tree / "demo/two").symlink_to("sub/run")
        assert made.is_whole()
        (made.tree / "demo/one").unlink()
        (made.tree / "demo/one").symlink_to("sub")
        assert not made.is_whole()


class TestBoot:
    """Whether it is known that all was on the disk when the system was started."""

    @pytest.fixture(params=[b"another", b"", b"x" * 101], ids=["other", "none", "long"])
    def unsettled(self, made: Made, request: pytest.FixtureRequest) -> Made:
        (made.path / "boot").write_bytes(request.param)
        return made

    def test_everything_is_read_after_it(self, unsettled: Made) -> None:
        unsettled.change(INIT, b"xxxx")
        assert not unsettled.is_whole(notes=Standing())
        assert unsettled.note("boot") is not None

    def test_rows_are_read_after_it(self, unsettled: Made) -> None:
        (unsettled.path / "rows").write_bytes(bytes(len(ROWS)))
        assert not unsettled.is_whole()

    def test_without_rows(self, unsettled: Made) -> None:
        unsettled.without_rows()
        assert unsettled.is_whole()

    def test_it_is_asked_once(self, unsettled: Made) -> None:
        assert unsettled.is_whole()
        assert unsettled.note("boot") is not None
        assert unsettled.is_whole(notes=Standing())
        assert unsettled.note("boot") is None

    def test_nothing_is_read_in_the_same(self, made: Made) -> None:
        (made.path / "boot").write_bytes(boot_note())
        made.change(INIT, b"xxxx")
        assert made.is_whole(notes=Standing())
        assert made.note("boot") == boot_note()

    def test_in_the_same_it_stays(self, made: Made) -> None:
        (made.path / "boot").write_bytes(boot_note())
        assert made.is_whole("hash", notes=Standing())
        assert made.note("boot") == boot_note()

    def test_a_note_that_cannot_be_read_or_removed(self, made: Made) -> None:
        (made.path / "boot").mkdir()
        assert made.is_whole(notes=Standing())
        assert (made.path / "boot").is_dir()
        made.change(INIT, b"xxxx")
        assert not made.is_whole()

    def test_unknown_ones_are_never_the_same(
        self, made: Made, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(checking, "boot_id", lambda: None)
        assert boot_note() == b"unknown"
        (made.path / "boot").write_bytes(b"unknown")
        made.change(INIT, b"xxxx")
        assert not made.is_whole()

    def test_names_of_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(checking, "boot_id", lambda: "b\u00f6ot")
        assert boot_note() == b"b?ot"

    @on_posix
    @pytest.mark.usefixtures("strict_umask")
    def test_is_noted(self, made: Made) -> None:
        with Folder.open(os.fspath(made.path)) as entry:
            note_boot(entry, Standing(shared=True))
        assert made.note("boot") == boot_note()
        assert (made.path / "boot").stat().st_mode & 0o777 == 0o640


class TestTimes:
    """Files that were read are not read again while their times are not later."""

    LATE: Final = STAMP + 10 * SECOND
    LATER: Final = STAMP + 20 * SECOND

    def seen(self, when: int) -> bytes:
        return sealed(str(when).encode())

    @pytest.fixture
    def copied(self, made: Made) -> Made:
        made.date(INIT, self.LATE)
        made.date("single.py", self.LATER)
        made.date(METADATA, self.LATE)
        return made

    def test_are_noted(self, copied: Made) -> None:
        assert copied.is_whole(notes=Standing())
        assert copied.note("times") == self.seen(self.LATER)

    @on_posix
    @pytest.mark.usefixtures("strict_umask")
    def test_are_noted_for_all(self, copied: Made) -> None:
        assert copied.is_whole(notes=Standing(shared=True))
        assert (copied.path / "times").stat().st_mode & 0o777 == 0o640

    def test_are_not_noted_for_who_does_not_write(self, copied: Made) -> None:
        assert copied.is_whole(notes=None)
        assert copied.note("times") is None

    def test_of_destroyed_files_are_not(self, copied: Made) -> None:
        copied.change(INIT, b"xxxx", self.LATE)
        assert not copied.is_whole(notes=Standing())
        assert copied.note("times") is None

    def test_of_nothing_are_not(self, made: Made) -> None:
        assert made.is_whole(notes=Standing())
        assert made.note("times") is None

    def test_of_nothing_are_not_looked_up(
        self, made: Made, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(checking, "_unread", None)
        assert made.is_whole()

    def test_are_not_noted_where_all_is_read(self, copied: Made) -> None:
        assert copied.is_whole("hash", notes=Standing())
        assert copied.note("times") is None

    def test_files_up_to_then_are_not_read(self, copied: Made) -> None:
        (copied.path / "times").write_bytes(self.seen(self.LATER))
        copied.change("single.py", b"xxxxxx", self.LATER)
        assert copied.is_whole(notes=Standing())
        assert copied.note("times") == self.seen(self.LATER)

    def test_later_ones_are_read(self, copied: Made) -> None:
        (copied.path / "times").write_bytes(self.seen(self.LATE))
        assert copied.is_whole(notes=Standing())
        assert copied.note("times") == self.seen(self.LATER)
        copied.change("single.py", b"xxxxxx", self.LATER + 1000)
        assert not copied.is_whole()

    def test_earlier_ones_are_not_read_with_later_ones(self, copied: Made) -> None:
        (copied.path / "times").write_bytes(self.seen(self.LATE))
        copied.change(INIT, b"xxxx", self.LATE)
        assert copied.is_whole()

    @pytest.mark.parametrize("note", [b"", b"12", sealed(b"x"), sealed(b"9" * 100)])
    def test_destroyed_notes(self, copied: Made, note: bytes) -> None:
        (copied.path / "times").write_bytes(note)
        assert copied.is_whole(notes=Standing())
        assert copied.note("times") == self.seen(self.LATER)
        (copied.path / "times").write_bytes(note)
        copied.change(INIT, b"xxxx", self.LATE)
        assert not copied.is_whole()

    def test_notes_that_cannot_be_written(self, copied: Made) -> None:
        (copied.path / "times").mkdir()
        assert copied.is_whole(notes=Standing())
        assert (copied.path / "times").is_dir()

    @pytest.mark.parametrize(("ago", "noted"), [(3 * SECOND, True), (3 * SECOND - 1, False)])
    def test_just_after_they_say_nothing(
        self, copied: Made, monkeypatch: pytest.MonkeyPatch, ago: int, noted: bool
    ) -> None:
        monkeypatch.setattr(time, "time_ns", lambda: self.LATER + ago)
        assert copied.is_whole(notes=Standing())
        assert (copied.note("times") is not None) is noted


class TestPromising:
    def test_what_is_linked_is_left_to_be_looked_at(self, made: Made) -> None:
        assert made.promising() == Unpacked(STAMP, 1 if POSIX else 2)
        (made.tree / INIT).unlink()
        assert made.promising() == Unpacked(STAMP, 1 if POSIX else 2)

    @on_posix
    def test_executables(self, made: Made) -> None:
        (made.tree / SCRIPT).chmod(0o644)
        assert made.promising() == Unpacked(STAMP, 2)

    @pytest.mark.parametrize("path", [SCRIPT, METADATA])
    def test_what_an_installation_reads(self, made: Made, path: str) -> None:
        made.change(path, FILES[path] + b"x")
        assert made.promising() is None
        made.change(path, FILES[path], STAMP + 1000)
        assert made.promising() is None
        made.date(path, STAMP)
        assert made.promising() is not None
        (made.tree / path).unlink()
        assert made.promising() is None

    def test_of_another_wheel(self, made: Made) -> None:
        assert made.promising("5f" * 32) is None

    def test_no_description(self, made: Made) -> None:
        (made.path / "entry").write_bytes(b"")
        assert made.promising() is None
        (made.path / "entry").unlink()
        assert made.promising() is None

    def test_rows(self, made: Made) -> None:
        (made.path / "rows").write_bytes(ROWS + b"x")
        assert made.promising() is None

    def test_times(self, made: Made) -> None:
        (made.path / "times").write_bytes(sealed(b"1"))
        assert made.promising() is None

    def test_boot(self, made: Made) -> None:
        (made.path / "boot").write_bytes(boot_note())
        assert made.promising() is not None
        (made.path / "boot").write_bytes(b"another")
        assert made.promising() is None


class TestDirectories:
    def asked(self, made: Made, above: str | None = None) -> bool:
        directories = read_description(made.layout.manifest(NAME)).directories
        return has_directories(os.fspath(made.tree) if above is None else above, directories)

    def test_all(self, made: Made) -> None:
        assert self.asked(made) is True

    def test_missing(self, made: Made) -> None:
        shutil.rmtree(made.tree / "demo/sub")
        assert self.asked(made) is False

    def test_other_things(self, made: Made) -> None:
        shutil.rmtree(made.tree / "demo/sub")
        (made.tree / "demo/sub").touch()
        assert self.asked(made) is False

    @on_posix
    def test_symlinks(self, made: Made) -> None:
        (made.tree / "demo/sub").rename(made.path / "real")
        (made.tree / "demo/sub").symlink_to(made.path / "real")
        assert self.asked(made) is False

    @on_posix
    def test_that_cannot_be_told(self, made: Made) -> None:
        assert self.asked(made, "x" * 300) is True


@pytest.mark.skipif(sys.platform != "linux", reason="Linux says which boot it is")
def test_boots_have_names() -> None:
    assert boot_note() != b"unknown"
