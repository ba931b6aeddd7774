"""What there is in a store, entry by entry."""

from __future__ import annotations

import errno
import os
import sys
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

import pytest

from small.made import DIGEST, FILENAME, make_entry
from wheel_linker._wheel.filename import WheelFilename
from wheel_linker.store import Entry, StoredWheel
from wheel_linker.store.entries import (
    broken_entries,
    find_entry,
    named,
    read_broken,
    read_entries,
    read_entry,
    unreadable,
    used_at,
)
from wheel_linker.store.layout import Layout
from wheel_linker.store.names import names_for

if TYPE_CHECKING:
    from pathlib import Path

ONE, TWO, THREE = "aaaaaaaaaa", "bbbbbbbbbb", "cccccccccc"
OTHER: Final = "5f" * 32
FILES: Final = {"demo/__init__.py": b"init", "demo-1.0.dist-info/METADATA": b""}
on_posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows says other things")


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(os.fspath(tmp_path))


def break_entry(root: Path, name: str) -> None:
    """Write an entry whose description cannot be read, and that was used at 5."""
    make_entry(root, name, FILES)
    (root / name / "entry").write_bytes(b"")
    os.utime(root / name, (5, 5))


def is_broken(layout: Layout, name: str, filename: str = "demo-1.0.whl") -> Entry:
    """Return what is known of an entry whose description cannot be read."""
    path = layout.tree(name)
    return Entry(name, "", WheelFilename(filename, "demo", "1.0"), path, 0, 0, 5.0)


class TestReadEntry:
    def test_with_all_that_is_known(self, tmp_path: Path, layout: Layout) -> None:
        made = make_entry(tmp_path, ONE, FILES)
        make_entry(made / "bytecode", "set", {"demo/__pycache__/__init__.pyc": b"0123456789"})
        os.utime(made / "entry", (1000, 1000))
        filename = WheelFilename.known(FILENAME)
        assert read_entry(layout, ONE) == Entry(
            ONE, DIGEST, filename, layout.tree(ONE), 2, 4, 1000.0, frees=None, bytecode=10
        )

    def test_that_is_none(self, tmp_path: Path, layout: Layout) -> None:
        assert read_entry(layout, ONE) is None
        (tmp_path / ONE).touch()
        assert read_entry(layout, ONE) is None
        break_entry(tmp_path, TWO)
        assert read_entry(layout, TWO) is None
        make_entry(tmp_path, THREE, FILES, filename="nonsense")
        assert read_entry(layout, THREE) is None

    @on_posix
    def test_that_is_kept_from_the_caller(self, nobody: Path) -> None:
        made = make_entry(nobody, ONE, FILES)
        made.chmod(0)
        layout = Layout(os.fspath(nobody))
        assert read_entry(layout, ONE) is None
        assert read_broken(layout, ONE) is None
        made.chmod(0o700)
        assert read_entry(layout, ONE) is not None

    @on_posix
    def test_that_cannot_be_read(self, layout: Layout) -> None:
        for reading in (read_entry, read_broken):
            with pytest.raises(OSError, match="xxx") as caught:
                reading(layout, "x" * 300)
            assert caught.value.errno == errno.ENAMETOOLONG


@pytest.mark.parametrize(
    ("modified", "changed", "used"),
    [(999, 500, 999), (1000, 500, 1000), (1001, 500, 500), (1001, 1002, 1000)],
)
def test_when_it_was_used(
    monkeypatch: pytest.MonkeyPatch, modified: float, changed: float, used: float
) -> None:
    monkeypatch.setattr(time, "time", lambda: 1000)
    status: Any = SimpleNamespace(st_mtime=modified, st_ctime=changed)
    assert used_at(status) == used


class TestAll:
    def test_by_name(self, tmp_path: Path, layout: Layout) -> None:
        for name in (THREE, ONE):
            make_entry(tmp_path, name, FILES)
        break_entry(tmp_path, TWO)
        break_entry(tmp_path, "dddddddddd")
        make_entry(tmp_path, "no-entry", FILES)
        (tmp_path / "eeeeeeeeee").touch()
        assert [entry.name for entry in read_entries(layout)] == [ONE, THREE]
        assert [entry.name for entry in broken_entries(layout)] == [TWO, "dddddddddd"]

    def test_of_no_store(self, tmp_path: Path) -> None:
        layout = Layout(os.fspath(tmp_path / "none"))
        assert read_entries(layout) == []
        assert broken_entries(layout) == []


class TestFind:
    def test_by_the_first_name(self, tmp_path: Path, layout: Layout) -> None:
        first = next(names_for(DIGEST))
        make_entry(tmp_path, first, FILES)
        assert find_entry(layout, DIGEST) == read_entry(layout, first)
        assert find_entry(layout, OTHER) is None

    def test_by_a_longer_one(self, tmp_path: Path, layout: Layout) -> None:
        names = list(names_for(DIGEST))
        make_entry(tmp_path, names[0], FILES, digest=OTHER)
        break_entry(tmp_path, names[1])
        make_entry(tmp_path, names[2], FILES)
        assert find_entry(layout, DIGEST) == read_entry(layout, names[2])


class TestBroken:
    def test_what_is_known_of_one(self, tmp_path: Path, layout: Layout) -> None:
        break_entry(tmp_path, ONE)
        assert read_broken(layout, ONE) == is_broken(layout, ONE)
        assert unreadable(layout, ONE) == is_broken(layout, ONE)

    def test_with_nothing_in_it(self, tmp_path: Path, layout: Layout) -> None:
        (tmp_path / ONE).mkdir()
        os.utime(tmp_path / ONE, (5, 5))
        assert read_broken(layout, ONE) == is_broken(layout, ONE, f"{ONE}-0+unknown.whl")

    @pytest.mark.parametrize("more", ["other-1.0.dist-info", "bad.dist-info"])
    def test_of_which_no_name_is_known(self, tmp_path: Path, layout: Layout, more: str) -> None:
        break_entry(tmp_path, ONE)
        (tmp_path / ONE / "w" / more).mkdir()
        found = read_broken(layout, ONE)
        assert found is not None
        assert str(found.filename) == f"{ONE}-0+unknown.whl"
        (tmp_path / ONE / "w" / "demo-1.0.dist-info" / "METADATA").unlink()
        (tmp_path / ONE / "w" / "demo-1.0.dist-info").rmdir()
        found = read_broken(layout, ONE)
        assert found is not None
        known = "other-1.0" if more.startswith("other") else f"{ONE}-0+unknown"
        assert str(found.filename) == f"{known}.whl"

    def test_whole_ones_are_none(self, tmp_path: Path, layout: Layout) -> None:
        make_entry(tmp_path, ONE, FILES)
        assert read_broken(layout, ONE) is None

    def test_what_is_somebodys_own_is_none(self, tmp_path: Path, layout: Layout) -> None:
        break_entry(tmp_path, ONE)
        (tmp_path / ONE / "notes").touch()
        assert read_broken(layout, ONE) is None

    def test_what_is_not_there_is_none(self, tmp_path: Path, layout: Layout) -> None:
        assert read_broken(layout, ONE) is None
        (tmp_path / ONE).touch()
        assert read_broken(layout, ONE) is None


class TestNamed:
    def test_by_each_of_its_names(self, tmp_path: Path, layout: Layout) -> None:
        name = next(names_for(DIGEST))
        make_entry(tmp_path, name, FILES)
        entry = read_entry(layout, name)
        assert entry is not None
        session: Any = SimpleNamespace(layout=layout)
        wheel = StoredWheel.of(session, name, DIGEST, entry.filename, None, None)
        for each in (name, DIGEST, entry, wheel):
            assert named(layout, each) == entry

    def test_one_that_is_broken(self, tmp_path: Path, layout: Layout) -> None:
        names = list(names_for(DIGEST))
        break_entry(tmp_path, names[1])
        for each in (names[1], DIGEST, is_broken(layout, names[1])):
            assert named(layout, each) == is_broken(layout, names[1])

    def test_one_that_has_gone(self, layout: Layout) -> None:
        for each in (ONE, DIGEST, is_broken(layout, ONE)):
            assert named(layout, each) is None

    def test_something_else(self, layout: Layout) -> None:
        with pytest.raises(ValueError, match="neither") as caught:
            named(layout, "../else")
        assert str(caught.value) == "'../else' is neither an entry's name nor a SHA-256"
