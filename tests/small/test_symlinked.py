"""Which entries have symlinks, and what is said when they go; tests/store/test_symlinks.py has real ones."""

from __future__ import annotations

import os
import stat
import sys
from typing import TYPE_CHECKING, Final

import pytest

from wheel_linker._fs.folder import Folder
from wheel_linker._log import telling
from wheel_linker.store import symlinked
from wheel_linker.store.symlinked import note_pruning, note_symlinks, tell_removed
from wheel_linker.store.trust import Standing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ONE, TWO, THREE = "aaaaaaaaaa", "bbbbbbbbbb", "cccccccccc"
MINE: Final = Standing()
on_posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such bits or calls")


@pytest.fixture(autouse=True)
def nothing_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(symlinked, "_told", set())


@pytest.fixture
def said() -> Iterator[list[str]]:
    """What the user is told."""
    heard: list[str] = []
    with telling(heard.append):
        yield heard


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    with Folder.open(os.fspath(tmp_path)) as opened:
        yield opened


@pytest.fixture
def strict_umask() -> Iterator[None]:
    before = os.umask(0o077)
    yield
    os.umask(before)


@pytest.fixture
def gone(tmp_path: Path) -> Iterator[Folder]:
    """A directory that was removed since it was opened."""
    (tmp_path / "gone").mkdir()
    with Folder.open(os.fspath(tmp_path / "gone")) as opened:
        (tmp_path / "gone").rmdir()
        yield opened


def noted(path: Path) -> list[str]:
    return (path / "symlinked").read_bytes().decode().splitlines(keepends=True)


class TestNoteSymlinks:
    def test_each_is_noted_once(self, tmp_path: Path, folder: Folder, said: list[str]) -> None:
        for entry in (ONE, TWO, ONE):
            note_symlinks(folder, entry, "/store", MINE)
        assert noted(tmp_path) == [f"{ONE}\n", f"{TWO}\n"]
        assert said == []

    def test_it_is_said_once_that_a_store_is_pruned(
        self, tmp_path: Path, folder: Folder, said: list[str]
    ) -> None:
        (tmp_path / "pruned").touch()
        for root in ("/one", "/two", "/one"):
            note_symlinks(folder, ONE, root, MINE)
        assert said == [
            f"symlinks point into the store {root}, which is pruned: what they point to may be removed; "
            "link in another mode, or do not prune that store"
            for root in ("/one", "/two")
        ]
        assert noted(tmp_path) == [f"{ONE}\n"]

    def test_strange_notes_stay(self, tmp_path: Path, folder: Folder) -> None:
        (tmp_path / "symlinked").write_bytes(b"\xff\n")
        note_symlinks(folder, ONE, "/store", MINE)
        assert (tmp_path / "symlinked").read_bytes() == b"\xff\n%b\n" % ONE.encode()

    def test_that_cannot_be_noted(self, tmp_path: Path, folder: Folder, said: list[str]) -> None:
        (tmp_path / "symlinked").mkdir()
        (tmp_path / "pruned").touch()
        note_symlinks(folder, ONE, "/store", MINE)
        assert said == []

    def test_too_many_to_read(
        self, tmp_path: Path, folder: Folder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        note_symlinks(folder, ONE, "/store", MINE)
        monkeypatch.setattr(symlinked, "LONGEST", 10)
        note_symlinks(folder, TWO, "/store", MINE)
        assert noted(tmp_path) == [f"{ONE}\n"]

    @on_posix
    @pytest.mark.usefixtures("strict_umask")
    def test_all_who_share_the_store_may_note_theirs(self, tmp_path: Path, folder: Folder) -> None:
        note_symlinks(folder, ONE, "/store", Standing(shared=True))
        assert stat.S_IMODE((tmp_path / "symlinked").stat().st_mode) == 0o660


class TestNotePruning:
    def test_once(self, tmp_path: Path, folder: Folder) -> None:
        note_pruning(folder, MINE)
        assert (tmp_path / "pruned").read_bytes() == b""
        (tmp_path / "pruned").unlink()
        (tmp_path / "pruned").mkdir()
        note_pruning(folder, MINE)
        assert (tmp_path / "pruned").is_dir()

    @on_posix
    def test_what_is_noted_stays_as_it_is(self, tmp_path: Path, folder: Folder) -> None:
        note_pruning(folder, MINE)
        (tmp_path / "pruned").chmod(0o600)
        note_pruning(folder, Standing(shared=True))
        assert stat.S_IMODE((tmp_path / "pruned").stat().st_mode) == 0o600

    @on_posix
    @pytest.mark.usefixtures("strict_umask")
    def test_for_all_who_share_the_store(self, tmp_path: Path, folder: Folder) -> None:
        note_pruning(folder, Standing(shared=True))
        assert stat.S_IMODE((tmp_path / "pruned").stat().st_mode) == 0o660

    @on_posix
    def test_that_cannot_be_noted(self, gone: Folder) -> None:
        note_pruning(gone, MINE)
        assert not os.path.exists(gone.path)


class TestTellRemoved:
    def test_those_with_symlinks(self, tmp_path: Path, folder: Folder, said: list[str]) -> None:
        for entry in (THREE, ONE, TWO, "dddddddddd"):
            note_symlinks(folder, entry, "/store", MINE)
        tell_removed(folder, [TWO, "eeeeeeeeee", ONE], MINE)
        (message,) = said
        assert message == (
            f"removed from the store, although environments may have symlinks to it: {ONE}, {TWO}; "
            "link these environments anew"
        )
        assert noted(tmp_path) == [f"{THREE}\n", "dddddddddd\n"]

    def test_none(self, tmp_path: Path, folder: Folder, said: list[str]) -> None:
        tell_removed(folder, [ONE], MINE)
        assert not (tmp_path / "symlinked").exists()
        note_symlinks(folder, ONE, "/store", MINE)
        before = (tmp_path / "symlinked").stat()
        tell_removed(folder, [TWO], MINE)
        assert (tmp_path / "symlinked").stat().st_ino == before.st_ino
        assert (tmp_path / "symlinked").stat().st_ctime_ns == before.st_ctime_ns
        assert said == []

    def test_notes_that_cannot_be_read(
        self, tmp_path: Path, folder: Folder, said: list[str]
    ) -> None:
        (tmp_path / "symlinked").mkdir()
        tell_removed(folder, [ONE], MINE)
        assert said == []

    @on_posix
    @pytest.mark.usefixtures("strict_umask")
    def test_the_rest_is_for_all(self, tmp_path: Path, folder: Folder) -> None:
        for entry in (ONE, TWO):
            note_symlinks(folder, entry, "/store", MINE)
        tell_removed(folder, [ONE], Standing(shared=True))
        assert stat.S_IMODE((tmp_path / "symlinked").stat().st_mode) == 0o660
