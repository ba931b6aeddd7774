"""Removing from a mirror what none of the wheels has."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from wheel_linker import LinkError
from wheel_linker._fs.folder import Folder, Identity
from wheel_linker._fs.stage import PREFIX
from wheel_linker._link.removal.files import waiting
from wheel_linker._link.removal.surplus import _is_in_the_way, _supplied, remove_surplus
from wheel_linker._wheel.tree import Directory, Tree, in_order

if TYPE_CHECKING:
    from pathlib import Path

    from wheel_linker._fs.folder import Parts
    from wheel_linker._link.transaction import Transaction

INFO = "demo-1.0.dist-info"


def tree_of(*paths: str, links: tuple[str, ...] = ()) -> Tree:
    """Return a wheel of files at these paths, and of symlinks."""
    found: dict[Parts, Directory] = {(): Directory((), [], [])}
    for path in (*paths, *links):
        *above, name = path.split("/")
        for depth in range(len(above) + 1):
            parts = tuple(above[:depth])
            found.setdefault(parts, Directory(parts, [], []))
        if path in links:
            found[tuple(above)].links.append((name, "target"))
        else:
            found[tuple(above)].files.append(name)
    return Tree.of("wheel", Identity(0, 0), in_order(found.values()))


def fill(site: Path, *paths: str) -> None:
    for path in paths:
        (site / path).parent.mkdir(parents=True, exist_ok=True)
        (site / path).write_text(path)


def there(site: Path) -> set[str]:
    """Return what is there of files, the stage left out."""
    found = set()
    for directory, _, names in os.walk(site):
        inner = os.path.relpath(directory, site).replace(os.sep, "/")
        if not inner.startswith(PREFIX):
            found |= {name if inner == "." else f"{inner}/{name}" for name in names}
    return found


def waits(transaction: Transaction) -> list[str]:
    return ["/".join(each) for each in waiting(transaction).deepest_first()]


def link(path: Path, target: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        path.symlink_to(target)
    except OSError:
        pytest.skip("no symlinks here")


class TestRemove:
    def test_what_no_wheel_has(self, transaction: Transaction, site: Path) -> None:
        fill(site, "pkg/a.py", "pkg/gone.py", "pkg/lost/x", "other/b.py", "c.py", "top.py")
        (site / "empty/deep").mkdir(parents=True)
        remove_surplus(transaction, [tree_of("pkg/a.py"), tree_of("other/b.py", "c.py")], None)
        assert there(site) == {"pkg/a.py", "other/b.py", "c.py"}
        assert {"empty/deep", "empty", "pkg/lost"} <= {*waits(transaction)}

    def test_directories_stay_until_the_end(self, transaction: Transaction, site: Path) -> None:
        """No file goes, and with it no RECORD."""
        fill(site, f"{INFO}/RECORD", "pkg/a.py")
        (site / "empty").mkdir()
        remove_surplus(transaction, [tree_of(f"{INFO}/RECORD", "pkg/a.py")], None)
        assert there(site) == {f"{INFO}/RECORD", "pkg/a.py"}
        assert waits(transaction) == ["empty"]

    def test_nothing_waits(self, transaction: Transaction, site: Path) -> None:
        fill(site, "pkg/a.py")
        remove_surplus(transaction, [tree_of("pkg/a.py")], None)
        assert transaction.emptied is None

    def test_the_records_go_first(self, transaction: Transaction, site: Path) -> None:
        """Those of the wheels, which come back, as well as others."""
        old = "old-1.0.dist-info"
        others = [f"pkg/{INFO}/RECORD", "pkg/RECORD", f"{INFO}/sub/RECORD", "RECORD"]
        fill(site, "pkg/gone.py", f"{INFO}/RECORD", f"{old}/RECORD", *others)
        removed: list[str] = []
        remove = transaction.remove

        def noting(target: Folder, parts: Parts, name: str, *, touch: bool = True) -> None:
            removed.append("/".join((*parts, name)))
            remove(target, parts, name, touch=touch)

        transaction.remove = noting  # type: ignore[method-assign]
        remove_surplus(transaction, [tree_of(f"{INFO}/RECORD", *others)], None)
        assert {*removed[:2]} == {f"{INFO}/RECORD", f"{old}/RECORD"}
        assert removed[2:] == ["pkg/gone.py"]
        assert there(site) == {*others}

    def test_the_records_go_once(self, transaction: Transaction, site: Path) -> None:
        fill(site, "old-1.0.dist-info/RECORD", "old-1.0.dist-info/METADATA")
        remove_surplus(transaction, [tree_of("a.py")], None)
        assert there(site) == set()

    def test_a_dist_info_is_emptied_at_once(self, transaction: Transaction, site: Path) -> None:
        """One with a directory in it would seem to be another's, if this process were killed."""
        old = "old-1.0.dist-info"
        fill(site, f"{old}/RECORD", f"{old}/licenses/LICENSE")
        remove_surplus(transaction, [tree_of("a.py")], None)
        assert os.listdir(site / old) == []

    def test_what_is_spared(self, transaction: Transaction, site: Path) -> None:
        """A directory with all that is in it."""
        fill(site, "pkg/mine/deep/x", "pkg/a.py", "pkg/gone.py", "mine.txt")
        asked: set[str] = set()

        def spare(path: str) -> bool:
            asked.add(path)
            return path in {"pkg/mine", "mine.txt"}

        remove_surplus(transaction, [tree_of("pkg/a.py")], spare)
        assert there(site) == {"pkg/a.py", "pkg/mine/deep/x", "mine.txt"}
        assert asked == {"pkg", "pkg/mine", "pkg/a.py", "pkg/gone.py", "mine.txt"}
        assert not {"pkg/mine", "pkg/mine/deep"} & {*waits(transaction)}

    def test_stages_stay(self, transaction: Transaction, site: Path, in_stage: Path) -> None:
        """That of another call may be there, too; deeper down it is no stage."""
        fill(site, f"{PREFIX}1/x", f"pkg/{PREFIX}2/x", "pkg/a.py")
        remove_surplus(transaction, [tree_of("pkg/a.py")], None)
        assert (site / f"{PREFIX}1/x").exists()
        assert (in_stage / "old").is_dir()
        assert not (site / f"pkg/{PREFIX}2/x").exists()
        assert f"{PREFIX}1" not in waits(transaction)

    def test_what_vanishes_is_passed_over(
        self, transaction: Transaction, site: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It was listed, and somebody has removed it."""
        fill(site, "gone.py")
        listdir = Folder.listdir
        monkeypatch.setattr(Folder, "listdir", lambda self: ["none", *listdir(self)])
        remove_surplus(transaction, [tree_of("a.py")], None)
        assert there(site) == set()

    def test_a_file_is_in_the_place_of_a_directory(
        self, transaction: Transaction, site: Path
    ) -> None:
        fill(site, "pkg", "other/x")
        remove_surplus(transaction, [tree_of("pkg/a.py", "other")], None)
        assert there(site) == set()
        assert "other" in waits(transaction)

    def test_symlinks(self, transaction: Transaction, site: Path) -> None:
        """One that leads to a directory goes if a file is to have its place; others are replaced."""
        (site / "pkg").mkdir()
        for name in ("gone", "file", "both", "own"):
            link(site / name, "pkg")
        link(site / "nowhere", "none")
        fill(site, "pkg/a.py")
        trees = [tree_of("pkg/a.py", "file", "both", "nowhere"), tree_of(links=("own", "both"))]
        remove_surplus(transaction, trees, None)
        assert there(site) == {"pkg/a.py", "nowhere"}
        assert {name for name in os.listdir(site) if os.path.islink(site / name)} == {
            "own",
            "nowhere",
        }

    def test_a_symlink_is_not_entered(
        self, transaction: Transaction, site: Path, tmp_path: Path
    ) -> None:
        fill(tmp_path, "elsewhere/x")
        link(site / "pkg", str(tmp_path / "elsewhere"))
        remove_surplus(transaction, [tree_of("a.py")], None)
        assert (tmp_path / "elsewhere/x").exists()
        assert not os.path.lexists(site / "pkg")

    def test_a_wheel_in_the_destination(
        self, transaction: Transaction, site: Path, folder: Folder
    ) -> None:
        fill(site, "wheel/x")
        transaction.containment.protect([os.path.join(folder.path, "wheel")])
        with pytest.raises(LinkError, match="is part of the unpacked wheel"):
            remove_surplus(transaction, [tree_of("a.py")], None)
        assert there(site) == {"wheel/x"}


class TestSupplied:
    def test_what_each_path_is(self) -> None:
        tree = tree_of("pkg/a.py", "b.py", links=("pkg/link",))
        assert _supplied([tree]) == {
            (): "directory",
            ("pkg",): "directory",
            ("pkg", "a.py"): "file",
            ("b.py",): "file",
            ("pkg", "link"): "symlink",
        }

    @pytest.mark.parametrize("turned", [False, True])
    def test_of_a_file_and_a_symlink_it_is_the_file(self, turned: bool) -> None:
        trees = [tree_of("a"), tree_of(links=("a",))]
        assert _supplied(reversed(trees) if turned else trees)[("a",)] == "file"


class TestInTheWay:
    @pytest.mark.parametrize(
        ("wanted", "expected"),
        [(None, True), ("directory", True), ("symlink", False), ("file", False)],
    )
    def test_a_file(self, site: Path, folder: Folder, wanted: str | None, expected: bool) -> None:
        fill(site, "a")
        assert _is_in_the_way(wanted, folder, "a", os.lstat(site / "a")) is expected

    @pytest.mark.parametrize(
        ("target", "expected"), [("directory", True), ("file", False), ("none", False)]
    )
    def test_a_symlink(self, site: Path, folder: Folder, target: str, expected: bool) -> None:
        (site / "directory").mkdir()
        fill(site, "file")
        link(site / "a", target)
        assert _is_in_the_way("file", folder, "a", os.lstat(site / "a")) is expected
