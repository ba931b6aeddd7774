"""Removing a tree: in which order, what is moved up, and what is kept until the end."""

from __future__ import annotations

import errno
import os
import sys
from typing import TYPE_CHECKING, Final

import pytest

from wheel_linker._fs import remove_tree as removing
from wheel_linker._fs.folder import Folder
from wheel_linker._fs.remove_tree import remove_tree

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("way")

# What lies deeper, or has a longer path, is moved up.
LEVELS: Final = 20
LETTERS: Final = 500


@pytest.fixture
def parent(tmp_path: Path, way: str) -> Iterator[Folder]:
    assert way
    with Folder.open(os.fspath(tmp_path)) as opened:
        yield opened


@pytest.fixture
def moved(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """What is moved up, and as what."""
    calls: list[tuple[str, str]] = []
    move = Folder.move

    def noting(folder: Folder, name: str, target: Folder, new: str) -> None:
        calls.append((name, new))
        move(folder, name, target, new)

    monkeypatch.setattr(Folder, "move", noting)
    return calls


def make(top: Path, *names: str) -> Path:
    """Make directories in each other, with a file in each."""
    top.mkdir(exist_ok=True)
    (top / "file").touch()
    for name in names:
        top /= name
        top.mkdir()
        (top / "file").touch()
    return top


def test_what_is_missing_is_nothing(tmp_path: Path, parent: Folder) -> None:
    (tmp_path / "other").mkdir()
    remove_tree(parent, "none", last="last", before_last=lambda: pytest.fail("nothing is there"))
    assert os.listdir(tmp_path) == ["other"]


def test_with_all_that_is_in_it(tmp_path: Path, parent: Folder) -> None:
    make(tmp_path / "tree", "a", "b", "c", "d")
    make(tmp_path / "tree/a", "e", "f", "g")
    make(tmp_path / "tree/a/b", "h")
    make(tmp_path / "tree", "i", "j")
    make(tmp_path / "other", "a")
    remove_tree(parent, "tree")
    assert os.listdir(tmp_path) == ["other"]
    assert sorted(os.listdir(tmp_path / "other")) == ["a", "file"]


def test_what_a_symlink_leads_to_stays(tmp_path: Path, parent: Folder) -> None:
    make(tmp_path / "tree", "a")
    make(tmp_path / "other")
    try:
        (tmp_path / "tree/a/link").symlink_to(tmp_path / "other", target_is_directory=True)
    except OSError:
        pytest.skip("the user may make no symlinks")
    remove_tree(parent, "tree")
    assert os.listdir(tmp_path) == ["other"]
    assert os.listdir(tmp_path / "other") == ["file"]


@pytest.mark.skipif(sys.platform == "win32", reason="there the bits of a directory mean nothing")
def test_directories_that_are_read_only(nobody: Path) -> None:
    deep = make(nobody / "tree", *["d"] * (LEVELS + 2))
    while deep != nobody:
        deep.chmod(0o500)
        deep = deep.parent
    nobody.chmod(0o700)
    with Folder.open(os.fspath(nobody)) as parent:
        remove_tree(parent, "tree")
    assert os.listdir(nobody) == []


class TestLast:
    def test_it_is_removed_after_everything_else(self, tmp_path: Path, parent: Folder) -> None:
        make(tmp_path / "tree", "a", "b")
        for place in ("tree", "tree/a", "tree/a/b"):
            (tmp_path / place / "last").touch()
        seen: list[list[str]] = []
        remove_tree(
            parent,
            "tree",
            last="last",
            before_last=lambda: seen.append(os.listdir(tmp_path / "tree")),
        )
        assert seen == [["last"]]
        assert os.listdir(tmp_path) == []

    def test_nothing_may_be_called_before(self, tmp_path: Path, parent: Folder) -> None:
        make(tmp_path / "tree", "a")
        (tmp_path / "tree/last").touch()
        remove_tree(parent, "tree", last="last")
        assert os.listdir(tmp_path) == []

    def test_it_may_be_missing(self, tmp_path: Path, parent: Folder) -> None:
        make(tmp_path / "tree", "a")
        remove_tree(
            parent, "tree", last="last", before_last=lambda: pytest.fail("there is no last one")
        )
        assert os.listdir(tmp_path) == []

    def test_it_stays_if_something_else_does(
        self, tmp_path: Path, parent: Folder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """So that another call finds it, and begins again."""
        make(tmp_path / "tree", "a")
        (tmp_path / "tree/last").touch()
        rmdir = Folder.remove_directory

        def refuse(folder: Folder, name: str) -> None:
            if name == "a":
                raise PermissionError(errno.EACCES, "refused here")
            rmdir(folder, name)

        monkeypatch.setattr(Folder, "remove_directory", refuse)
        with pytest.raises(PermissionError, match="refused here"):
            remove_tree(parent, "tree", last="last", before_last=lambda: pytest.fail("not yet"))
        assert sorted(os.listdir(tmp_path / "tree")) == ["a", "last"]
        monkeypatch.undo()
        remove_tree(parent, "tree", last="last")
        assert os.listdir(tmp_path) == []


class TestDeep:
    def test_up_to_a_number_of_levels_it_stays(
        self, tmp_path: Path, parent: Folder, moved: list[tuple[str, str]]
    ) -> None:
        make(tmp_path / "tree", *["d"] * LEVELS)
        remove_tree(parent, "tree")
        assert moved == []
        assert os.listdir(tmp_path) == []

    def test_deeper_ones_are_moved_up(
        self, tmp_path: Path, parent: Folder, moved: list[tuple[str, str]]
    ) -> None:
        make(tmp_path / "tree", *["d"] * LEVELS, "one", *["e"] * (LEVELS - 1), "two", "three")
        remove_tree(parent, "tree")
        assert moved == [("one", "0.removed"), ("two", "1.removed")]
        assert os.listdir(tmp_path) == []

    def test_by_names_that_are_not_taken(
        self, tmp_path: Path, parent: Folder, moved: list[tuple[str, str]]
    ) -> None:
        make(tmp_path / "tree", *["d"] * LEVELS, "one", *["e"] * (LEVELS - 1), "two", "three")
        for name in ("0.removed", "1.removed", "3.removed"):
            make(tmp_path / "tree", name, "f")
        remove_tree(parent, "tree")
        assert {name for name, _ in moved} == {"one", "two"}
        assert os.listdir(tmp_path) == []

    @pytest.mark.skipif(sys.platform == "win32", reason="paths of Windows may be shorter")
    def test_up_to_a_number_of_letters_it_stays(
        self, tmp_path: Path, parent: Folder, moved: list[tuple[str, str]]
    ) -> None:
        make(tmp_path / "tree", "a" * 200, "b" * 200, "c" * (LETTERS - 400))
        remove_tree(parent, "tree")
        assert moved == []
        assert os.listdir(tmp_path) == []

    @pytest.mark.skipif(sys.platform == "win32", reason="paths of Windows may be shorter")
    def test_longer_ones_are_moved_up(
        self, tmp_path: Path, parent: Folder, moved: list[tuple[str, str]]
    ) -> None:
        make(tmp_path / "tree", "a" * 200, "b" * 200, "c" * (LETTERS - 399), "d")
        remove_tree(parent, "tree")
        assert moved == [("c" * (LETTERS - 399), "0.removed")]
        assert os.listdir(tmp_path) == []

    def test_what_cannot_be_moved_stays_where_it_is(
        self, tmp_path: Path, parent: Folder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As on overlayfs, for a directory of a lower layer."""
        tried: list[tuple[str, str]] = []

        def refuse(_: Folder, name: str, __: Folder, new: str) -> None:
            tried.append((name, new))
            raise OSError(errno.EXDEV, "refused here")

        monkeypatch.setattr(Folder, "move", refuse)
        make(tmp_path / "tree", *["d"] * LEVELS, "one", "two", "three")
        remove_tree(parent, "tree")
        assert tried == [(name, "0.removed") for name in ("one", "two", "three")]
        assert os.listdir(tmp_path) == []


class TestMoveUp:
    def test_the_next_number_is_told(self, tmp_path: Path, parent: Folder) -> None:
        make(tmp_path / "inner", "deep")
        for name in ("3.removed", "4.removed"):
            (tmp_path / name).mkdir()
        with parent.enter("inner") as inner:
            found = removing._move_up(inner, "deep", parent, 3, ("inner", "deep"))
        assert found == (6, ("5.removed",))
        assert os.listdir(tmp_path / "5.removed") == ["file"]

    def test_a_refusal_takes_no_number(
        self, tmp_path: Path, parent: Folder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        make(tmp_path / "inner", "deep")
        (tmp_path / "0.removed").mkdir()

        def refuse(*_: object) -> None:
            raise OSError(errno.EXDEV, "refused here")

        monkeypatch.setattr(Folder, "move", refuse)
        with parent.enter("inner") as inner:
            found = removing._move_up(inner, "deep", parent, 0, ("inner", "deep"))
        assert found == (1, ("inner", "deep"))


class TestFiles:
    def test_what_has_vanished_meanwhile(self, tmp_path: Path, parent: Folder) -> None:
        make(tmp_path / "tree", "a")
        (tmp_path / "file").touch()
        assert removing._remove_files(parent, ["none", "file", "tree"], None) == ["tree"]
        assert os.listdir(tmp_path) == ["tree"]

    def test_what_is_kept(self, tmp_path: Path, parent: Folder) -> None:
        for name in ("kept", "file"):
            (tmp_path / name).touch()
        assert removing._remove_files(parent, ["kept", "file"], "kept") == []
        assert os.listdir(tmp_path) == ["kept"]
