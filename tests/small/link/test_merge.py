"""Moving a staged wheel into place: in which order, over what is there, and what is in the way."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Any

import pytest
from wheels import write_tree

from small.descriptors import open_descriptors
from wheel_linker import LinkError
from wheel_linker._fs.moving import move
from wheel_linker._fs.stage import PREFIX
from wheel_linker._link import merge as module
from wheel_linker._link import transaction as steps_module
from wheel_linker._link.merge import StagedFiles, commit
from wheel_linker._link.removal.files import waiting
from wheel_linker._wheel.scan import scan

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from wheel_linker._fs.folder import Folder
    from wheel_linker._link.transaction import Transaction

SOURCE = os.path.join(os.sep, "cache", "demo")
INFO = "demo-1.0.dist-info"
FILES = {
    "one.py": b"new",
    "pkg/a.py": b"new",
    "pkg/sub/b.py": b"new",
    "pkg/sub/deep/c.py": b"new",
}


def staged(
    in_stage: Path, files: Mapping[str, bytes], links: Mapping[str, str] | None = None
) -> StagedFiles:
    """Stage a wheel as ``0``."""
    write_tree(in_stage / "0", files)
    (in_stage / "0").mkdir(exist_ok=True)
    for path, target in (links or {}).items():
        link(in_stage / "0" / path, target)
    tree = scan(in_stage / "0")
    for directory in tree.directories:
        directory.files.sort()
    return StagedFiles("0", tree.listing, SOURCE, "demo.whl")


def link(path: Path, target: str | Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        path.symlink_to(target)
    except OSError:
        pytest.skip("no symlinks here")


def there(site: Path) -> dict[str, bytes]:
    """Return the files in a site."""
    return {
        path.relative_to(site).as_posix(): path.read_bytes()
        for path in site.rglob("*")
        if path.is_file() and PREFIX not in os.fspath(path)
    }


def taken(transaction: Transaction) -> list[str]:
    """Return the paths that steps were taken for, in their order."""
    return ["/".join((*step.parts, step.name)) for step in transaction._journal._steps]


class TestNew:
    def test_whole_directories_are_moved(
        self, transaction: Transaction, site: Path, in_stage: Path
    ) -> None:
        wheel = staged(in_stage, FILES)
        inode = (in_stage / "0/pkg").stat().st_ino
        assert commit(transaction, wheel) == []
        assert there(site) == FILES
        assert (site / "pkg").stat().st_ino == inode
        assert taken(transaction) == ["one.py", "pkg"]
        transaction.roll_back()
        assert there(site) == {}
        assert (in_stage / "0/pkg/sub/deep/c.py").exists()

    def test_what_tells_of_others_comes_last(
        self, transaction: Transaction, site: Path, in_stage: Path
    ) -> None:
        files = dict.fromkeys(("a.pth", f"{INFO}/RECORD", "RECORD", "z.py", "zoo/x"), b"")
        commit(transaction, staged(in_stage, files))
        assert taken(transaction) == ["z.py", "RECORD", "zoo", "a.pth", INFO]

    def test_an_empty_wheel(self, transaction: Transaction, site: Path, in_stage: Path) -> None:
        assert commit(transaction, staged(in_stage, {})) == []
        assert taken(transaction) == []

    def test_path_configuration_is_not_hidden(
        self,
        transaction: Transaction,
        site: Path,
        in_stage: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """Not even where a leading dot of the stage hides what is made in it."""
        shown: list[tuple[str, str, bool]] = []

        def show(folder: Folder, name: str) -> None:
            shown.append((folder.path, name, (site / name).exists()))

        monkeypatch.setattr(module, "show", show)
        commit(transaction, staged(in_stage, dict.fromkeys(("a.pth", "b.py", "c.pth"), b"")))
        at = transaction.site.path
        assert shown == [(at, "a.pth", True), (at, "c.pth", True)]

    def test_closes_what_it_opens(
        self, transaction: Transaction, site: Path, in_stage: Path
    ) -> None:
        (site / "pkg/sub").mkdir(parents=True)
        wheel = staged(in_stage, FILES)
        before = open_descriptors()
        commit(transaction, wheel)
        assert open_descriptors() == before

    def test_all_of_a_wheel(self, in_stage: Path, tmp_path: Path) -> None:
        tree = scan(write_tree(tmp_path / "wheel", FILES))
        tree = tree._replace(file="demo.whl")
        assert StagedFiles.of_wheel("7", tree) == StagedFiles(
            "7", tree.listing, os.path.realpath(tmp_path / "wheel"), "demo.whl"
        )


class TestMerge:
    def test_with_what_is_there(self, transaction: Transaction, site: Path, in_stage: Path) -> None:
        before = {"one.py": b"old", "pkg/sub/b.py": b"old", "pkg/sub/mine": b"mine", "own": b""}
        write_tree(site, before)
        inode = (site / "pkg/sub").stat().st_ino
        deep = staged(in_stage, FILES)
        moved = (in_stage / "0/pkg/sub/deep").stat().st_ino
        assert commit(transaction, deep) == ["one.py", "pkg/sub/b.py"]
        assert there(site) == {**before, **FILES}
        assert (site / "pkg/sub").stat().st_ino == inode
        assert (site / "pkg/sub/deep").stat().st_ino == moved
        assert taken(transaction) == ["one.py", "pkg/a.py", "pkg/sub/b.py", "pkg/sub/deep"]
        transaction.roll_back()
        assert there(site) == before

    def test_siblings_of_what_is_moved_whole(
        self, transaction: Transaction, site: Path, in_stage: Path
    ) -> None:
        (site / "pkg").mkdir()
        files = dict.fromkeys(("pkg/a/b/x", "pkg/a/y", "pkg/c/d/z", "q/r"), b"")
        commit(transaction, staged(in_stage, files))
        assert taken(transaction) == ["pkg/a", "pkg/c", "q"]
        assert there(site) == files

    def test_record_comes_last(self, transaction: Transaction, site: Path, in_stage: Path) -> None:
        """Also behind the directories that lie beside it."""
        (site / INFO).mkdir()
        names = ("METADATA", "RECORD", "WHEEL", "licenses/LICENSE", "sboms/a/x")
        commit(transaction, staged(in_stage, {f"{INFO}/{name}": b"" for name in names}))
        assert taken(transaction) == [
            f"{INFO}/{name}" for name in ("licenses", "sboms", "METADATA", "WHEEL", "RECORD")
        ]

    def test_the_same_file_stays(
        self, transaction: Transaction, site: Path, in_stage: Path
    ) -> None:
        """It was linked before, from the same wheel."""
        wheel = staged(in_stage, {"pkg/a.py": b"", "pkg/b.py": b""})
        (site / "pkg").mkdir()
        os.link(in_stage / "0/pkg/a.py", site / "pkg/a.py")
        assert commit(transaction, wheel) == ["pkg/a.py"]
        assert taken(transaction) == ["pkg/b.py"]

    def test_a_dangling_symlink_is_replaced(
        self, transaction: Transaction, site: Path, in_stage: Path
    ) -> None:
        link(site / "one.py", "gone")
        assert commit(transaction, staged(in_stage, {"one.py": b"new"})) == ["one.py"]
        assert there(site) == {"one.py": b"new"}
        assert not (site / "one.py").is_symlink()

    def test_a_symlink_to_a_directory_of_the_site(
        self, transaction: Transaction, site: Path, in_stage: Path
    ) -> None:
        (site / "real").mkdir()
        link(site / "pkg", "real")
        assert commit(transaction, staged(in_stage, {"pkg/a.py": b"new"})) == []
        assert (site / "real/a.py").read_bytes() == b"new"
        assert (site / "pkg").is_symlink()

    def test_a_symlink_out_of_the_site(
        self, transaction: Transaction, site: Path, in_stage: Path, tmp_path: Path
    ) -> None:
        (tmp_path / "elsewhere").mkdir()
        link(site / "pkg", tmp_path / "elsewhere")
        with pytest.raises(LinkError, match="is a symlink to"):
            commit(transaction, staged(in_stage, {"pkg/a.py": b"new"}))
        assert os.listdir(tmp_path / "elsewhere") == []

    def test_a_symlink_of_the_wheel_takes_the_place_of_another(
        self, transaction: Transaction, site: Path, in_stage: Path
    ) -> None:
        """It may have led to the same directory before."""
        (site / "pkg/one").mkdir(parents=True)
        link(site / "pkg/link", "one")
        wheel = staged(in_stage, {"pkg/one/x": b"", "pkg/two/x": b""}, {"pkg/link": "two"})
        assert commit(transaction, wheel) == ["pkg/link"]
        assert os.readlink(site / "pkg/link") == "two"


class TestBytecode:
    """An interpreter must not run that of a file which is there no more."""

    def bytecode(self, directory: Path, *names: str) -> None:
        write_tree(directory / "__pycache__", {f"{name}.cpython-311.pyc": b"" for name in names})

    @pytest.mark.parametrize("where", ["", "pkg"])
    def test_goes_with_its_source(
        self, transaction: Transaction, site: Path, in_stage: Path, where: str
    ) -> None:
        self.bytecode(site / where, "a", "b", "data")
        files = {os.path.join(where, name): b"new" for name in ("a.py", "data")}
        commit(transaction, staged(in_stage, files))
        left = ["b.cpython-311.pyc", "data.cpython-311.pyc"]
        assert sorted(os.listdir(site / where / "__pycache__")) == left
        transaction.roll_back()
        assert len(os.listdir(site / where / "__pycache__")) == 3

    def test_importers_do_not_look_again_for_it_alone(
        self, transaction: Transaction, site: Path, in_stage: Path
    ) -> None:
        self.bytecode(site / "pkg", "a")
        commit(transaction, staged(in_stage, {"pkg/a.py": b"new"}))
        assert {*transaction._touched} == {(), ("pkg",)}

    def test_goes_before_its_source_and_once_more(
        self,
        transaction: Transaction,
        site: Path,
        in_stage: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """This process may be killed in between, and an interpreter may compile the old source once more."""
        write_tree(site / "pkg", {"a.py": b"old"})
        self.bytecode(site / "pkg", "a")
        seen: list[list[str]] = []
        replace = transaction.replace

        def slow(*where: Any) -> None:
            seen.append(os.listdir(site / "pkg/__pycache__"))
            self.bytecode(site / "pkg", "a")
            replace(*where)

        monkeypatch.setattr(transaction, "replace", slow)
        commit(transaction, staged(in_stage, {"pkg/a.py": b"new"}))
        assert seen == [[]]
        assert os.listdir(site / "pkg/__pycache__") == []

    def test_none_of_files_that_are_no_sources(
        self, transaction: Transaction, site: Path, in_stage: Path, tmp_path: Path
    ) -> None:
        """Then nobody looks where it would be."""
        (site / "pkg").mkdir()
        link(site / "pkg/__pycache__", tmp_path)
        commit(transaction, staged(in_stage, {"pkg/data": b"new"}))
        assert (site / "pkg/data").exists()

    def test_not_in_a_place_outside(
        self, transaction: Transaction, site: Path, in_stage: Path, tmp_path: Path
    ) -> None:
        (site / "pkg").mkdir()
        write_tree(tmp_path / "elsewhere", {"a.cpython-311.pyc": b""})
        link(site / "pkg/__pycache__", tmp_path / "elsewhere")
        with pytest.raises(LinkError, match="is a symlink to"):
            commit(transaction, staged(in_stage, {"pkg/a.py": b"new"}))
        assert len(os.listdir(tmp_path / "elsewhere")) == 1
        assert not (site / "pkg/a.py").exists()


class TestInTheWay:
    def refusal(self, transaction: Transaction, wheel: StagedFiles) -> LinkError:
        with pytest.raises(LinkError) as caught:
            commit(transaction, wheel)
        return caught.value

    @pytest.mark.parametrize("path", ["pkg", "pkg/sub"])
    def test_a_file_where_a_directory_should_be(
        self, transaction: Transaction, site: Path, in_stage: Path, path: str
    ) -> None:
        write_tree(site, {path: b"old"})
        error = self.refusal(transaction, staged(in_stage, FILES))
        called, at = os.path.join("demo.whl", path), os.path.join(transaction.site.path, path)
        assert str(error) == (
            f"cannot put the directory {called!r} at {at!r}: there is a file; remove one of the two"
        )
        assert (error.source, error.destination) == (os.path.join(SOURCE, path), at)
        assert error.errno == errno.ENOTDIR

    @pytest.mark.parametrize("path", ["one.py", "pkg/a.py"])
    def test_a_directory_where_a_file_should_be(
        self, transaction: Transaction, site: Path, in_stage: Path, path: str
    ) -> None:
        (site / path).mkdir(parents=True)
        error = self.refusal(transaction, staged(in_stage, FILES))
        called, at = os.path.join("demo.whl", path), os.path.join(transaction.site.path, path)
        assert str(error) == (
            f"cannot put the file {called!r} at {at!r}: there is a directory; remove one of the two"
        )
        assert (error.source, error.destination) == (os.path.join(SOURCE, path), at)
        assert error.errno == errno.EISDIR
        assert (site / path).is_dir()

    def test_a_symlink_to_a_directory_where_a_file_should_be(
        self, transaction: Transaction, site: Path, in_stage: Path
    ) -> None:
        """Everything behind it would be hidden; another symlink of the wheel is no reason."""
        (site / "real").mkdir()
        link(site / "pkg/a.py", "../real")
        wheel = staged(in_stage, {"pkg/a.py": b"new"}, {"pkg/b.py": "a.py"})
        error = self.refusal(transaction, wheel)
        assert "there is a directory; remove one of the two" in str(error)
        assert (site / "pkg/a.py").is_symlink()

    def test_a_symlink_to_a_file_where_a_directory_should_be(
        self, transaction: Transaction, site: Path, in_stage: Path
    ) -> None:
        write_tree(site, {"file": b""})
        link(site / "pkg", "file")
        assert "there is a file" in str(self.refusal(transaction, staged(in_stage, FILES)))

    def test_an_empty_directory_that_waits_to_be_removed(
        self, transaction: Transaction, site: Path, in_stage: Path
    ) -> None:
        (site / "pkg/a.py").mkdir(parents=True)
        waiting(transaction).add(("pkg", "a.py"))
        assert commit(transaction, staged(in_stage, {"pkg/a.py": b"new"})) == []
        assert there(site) == {"pkg/a.py": b"new"}
        assert taken(transaction) == ["pkg/a.py", "pkg/a.py"]

    def test_a_directory_that_comes_back_with_other_letters(
        self,
        transaction: Transaction,
        site: Path,
        in_stage: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """Where names are folded, the one that waits is found under the new name."""
        (site / "pkg/sub").mkdir(parents=True)
        asked: list[tuple[str, tuple[str, ...], str]] = []

        def respell(target: Folder, parts: tuple[str, ...], name: str) -> bool:
            asked.append((target.path, parts, name))
            if name == "sub":
                (site / "pkg/sub").rmdir()
            return name == "sub"

        monkeypatch.setattr(transaction, "respell", respell)
        commit(transaction, staged(in_stage, {"pkg/sub/b.py": b"new"}))
        at = transaction.site.path
        assert asked == [(at, (), "pkg"), (os.path.join(at, "pkg"), ("pkg",), "sub")]
        assert taken(transaction) == ["pkg/sub"]


class TestRefused:
    def refuse(self, monkeypatch: pytest.MonkeyPatch, number: int, refused: str) -> None:
        """Let one name not be moved."""

        def refuse(source: Folder, name: str, target: Folder, new: str) -> None:
            if name == refused:
                raise OSError(number, "refused here")
            move(source, name, target, new)

        monkeypatch.setattr(steps_module, "move", refuse)

    @pytest.mark.parametrize(
        ("refused", "at"),
        [
            ("one.py", "one.py"),
            ("pkg", "pkg"),
            ("b.cpython-311.pyc", "old"),
            ("b.py", "old/b.py"),
            ("deep", "old/deep"),
        ],
    )
    def test_what_was_being_put_into_place_is_named(
        self,
        transaction: Transaction,
        site: Path,
        in_stage: Path,
        refused: str,
        at: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        write_tree(site / "old", {"b.py": b"", "__pycache__/b.cpython-311.pyc": b""})
        self.refuse(monkeypatch, errno.EIO, refused)
        files = dict.fromkeys(("one.py", "old/b.py", "old/deep/c.py", "pkg/a.py"), b"new")
        with pytest.raises(LinkError) as caught:
            commit(transaction, staged(in_stage, files))
        path = os.path.join(transaction.site.path, *at.split("/"))
        assert str(caught.value).startswith(f"cannot put {path!r} into place: refused here")
        assert (caught.value.source, caught.value.destination) == (None, path)
        assert isinstance(caught.value.__cause__, OSError)

    @pytest.mark.parametrize("number", [errno.EXDEV, errno.EBUSY])
    def test_a_mount(
        self,
        transaction: Transaction,
        site: Path,
        in_stage: Path,
        number: int,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        self.refuse(monkeypatch, number, "one.py")
        with pytest.raises(LinkError, match="refused here; something is mounted there: unmount"):
            commit(transaction, staged(in_stage, FILES))
