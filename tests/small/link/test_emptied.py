"""Which of the directories that wait to be removed may go at once, because their place is needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from wheel_linker._link.removal.emptied import Emptied, _has_files

if TYPE_CHECKING:
    from pathlib import Path

    from wheel_linker._fs.folder import Folder, Parts


@pytest.fixture
def emptied() -> Emptied:
    return Emptied()


def test_the_deepest_come_first(emptied: Emptied) -> None:
    waiting: list[Parts] = [("b",), ("a",), ("a", "c"), ("b", "a"), ("b", "a", "x")]
    for parts in (*waiting, ("a",)):
        emptied.add(parts)
    assert emptied.deepest_first() == [("b", "a", "x"), ("a", "c"), ("b", "a"), ("a",), ("b",)]
    emptied.clear()
    assert emptied.deepest_first() == []


class TestMakesWay:
    def test_what_waits(self, emptied: Emptied, site: Path, folder: Folder) -> None:
        (site / "pkg/a/b").mkdir(parents=True)
        emptied.add(("pkg",))
        emptied.add(("pkg", "a"))
        assert emptied.makes_way(folder, (), "pkg") is True
        with folder.enter("pkg") as inner:
            assert emptied.makes_way(inner, ("pkg",), "a") is True

    def test_not_what_does_not(self, emptied: Emptied, site: Path, folder: Folder) -> None:
        (site / "pkg/a").mkdir(parents=True)
        emptied.add(("a",))
        assert emptied.makes_way(folder, (), "pkg") is False
        with folder.enter("pkg") as inner:
            assert emptied.makes_way(inner, ("pkg",), "a") is False

    def test_not_what_has_files(self, emptied: Emptied, site: Path, folder: Folder) -> None:
        (site / "pkg").mkdir()
        (site / "pkg/a.py").touch()
        emptied.add(("pkg",))
        assert emptied.makes_way(folder, (), "pkg") is False


class TestHasFiles:
    @pytest.mark.parametrize(
        ("files", "expected"),
        [
            ([], False),
            (["a"], True),
            (["d/a"], True),
            (["d/e/a"], True),
            (["f/a"], True),
            (["e/f/a", "f/b"], True),
        ],
    )
    def test_at_any_depth(
        self, site: Path, folder: Folder, files: list[str], expected: bool
    ) -> None:
        for name in ("d/e", "e/f", "f/g/h"):
            (site / "pkg" / name).mkdir(parents=True)
        for name in files:
            (site / "pkg" / name).touch()
        assert _has_files(folder, "pkg") is expected

    def test_symlinks_count(self, site: Path, folder: Folder) -> None:
        (site / "pkg/d").mkdir(parents=True)
        try:
            (site / "pkg/d/link").symlink_to("..", target_is_directory=True)
        except OSError:
            pytest.skip("no symlinks here")
        assert _has_files(folder, "pkg") is True

    def test_what_vanishes_does_not(
        self, site: Path, folder: Folder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It was listed, and somebody has removed it."""
        (site / "pkg/d").mkdir(parents=True)
        kind = type(folder)
        listdir = kind.listdir
        monkeypatch.setattr(kind, "listdir", lambda self: ["gone", *listdir(self)])
        assert _has_files(folder, "pkg") is False
        (site / "pkg/d/a").touch()
        assert _has_files(folder, "pkg") is True


class TestOtherSpelling:
    def waiting(self, emptied: Emptied, site: Path, *names: str) -> None:
        for name in names:
            (site / name).mkdir(parents=True, exist_ok=True)
            emptied.add(tuple(name.split("/")))

    def test_nothing_waits(self, emptied: Emptied, site: Path, folder: Folder) -> None:
        (site / "PKG").mkdir()
        assert emptied.other_spelling(folder, (), "pkg") is None

    def test_nothing_waits_any_more(self, emptied: Emptied, site: Path, folder: Folder) -> None:
        self.waiting(emptied, site, "PKG")
        assert emptied.other_spelling(folder, (), "pkg") == "PKG"
        emptied.clear()
        assert emptied.other_spelling(folder, (), "pkg") is None

    def test_other_letters(self, emptied: Emptied, site: Path, folder: Folder) -> None:
        self.waiting(emptied, site, "other", "PKG", "Caf\u00e9")
        assert emptied.other_spelling(folder, (), "pkg") == "PKG"
        assert emptied.other_spelling(folder, (), "cafe\u0301") == "Caf\u00e9"
        assert emptied.other_spelling(folder, (), "none") is None

    def test_below(self, emptied: Emptied, site: Path, folder: Folder) -> None:
        self.waiting(emptied, site, "pkg/Sub/Deep", "pkg/Sub")
        with folder.enter("pkg") as inner:
            assert emptied.other_spelling(inner, ("pkg",), "sub") == "Sub"
            assert emptied.other_spelling(inner, ("pkg",), "deep") is None
        assert emptied.other_spelling(folder, (), "sub") is None

    def test_one_more_waits(self, emptied: Emptied, site: Path, folder: Folder) -> None:
        self.waiting(emptied, site, "One")
        assert emptied.other_spelling(folder, (), "one") == "One"
        self.waiting(emptied, site, "Two")
        assert emptied.other_spelling(folder, (), "two") == "Two"

    def test_the_very_name_stays(self, emptied: Emptied, site: Path, folder: Folder) -> None:
        self.waiting(emptied, site, "pkg")
        assert emptied.other_spelling(folder, (), "pkg") is None

    def test_the_very_name_waits(self, emptied: Emptied, site: Path, folder: Folder) -> None:
        """It is gone, and there is one with other letters, which is not taken for it."""
        self.waiting(emptied, site, "pkg")
        (site / "pkg").rmdir()
        (site / "PKG").mkdir()
        assert emptied.other_spelling(folder, (), "pkg") is None

    def test_both_are_there(self, emptied: Emptied, site: Path, folder: Folder) -> None:
        """Names are not folded here."""
        (site / "pkg").mkdir()
        if (site / "PKG").exists():
            pytest.skip("names are folded here")
        self.waiting(emptied, site, "PKG")
        assert emptied.other_spelling(folder, (), "pkg") is None

    def test_it_is_gone(self, emptied: Emptied, site: Path, folder: Folder) -> None:
        self.waiting(emptied, site, "PKG")
        (site / "PKG").rmdir()
        assert emptied.other_spelling(folder, (), "pkg") is None

    def test_it_has_files(self, emptied: Emptied, site: Path, folder: Folder) -> None:
        self.waiting(emptied, site, "PKG")
        (site / "PKG/a").touch()
        assert emptied.other_spelling(folder, (), "pkg") is None
