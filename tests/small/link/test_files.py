"""Removing files with their bytecode, and which directories wait to be removed then."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest

from wheel_linker import LinkError
from wheel_linker._fs.descent import Descent
from wheel_linker._link.removal.files import _existing, _with_parents, remove_files, waiting

if TYPE_CHECKING:
    from pathlib import Path

    from wheel_linker._fs.folder import Folder, Parts
    from wheel_linker._link.transaction import Transaction


def parts(*paths: str) -> list[Parts]:
    return [tuple(path.split("/")) for path in paths]


def fill(site: Path, *paths: str) -> None:
    for path in paths:
        (site / path).parent.mkdir(parents=True, exist_ok=True)
        (site / path).write_text(path)


def there(site: Path) -> set[str]:
    """Return what is there of files, the stage left out."""
    return {
        path.relative_to(site).as_posix()
        for path in site.rglob("*")
        if not path.is_dir() and not path.relative_to(site).parts[0].startswith(".wheel_linker-")
    }


def never(path: str) -> bool:
    return False


def waits(transaction: Transaction) -> list[str]:
    return ["/".join(each) for each in waiting(transaction).deepest_first()]


class TestFiles:
    def test_what_is_named_goes(self, transaction: Transaction, site: Path) -> None:
        fill(site, "pkg/a.py", "pkg/b.txt", "pkg/sub/c", "top.py", "other.py")
        wanted = parts("pkg/a.py", "top.py", "pkg/b.txt", "pkg/sub/c")
        assert remove_files(transaction, wanted, never) == wanted
        assert there(site) == {"other.py"}

    def test_it_can_be_taken_back(self, transaction: Transaction, site: Path) -> None:
        names = ("pkg/a.py", "pkg/__pycache__/a.cpython-311.pyc", "demo-1.0.dist-info/sub/x")
        fill(site, *names)
        remove_files(transaction, parts(names[0], names[2]), never)
        assert there(site) == set()
        transaction.roll_back()
        assert there(site) == set(names)

    def test_what_is_missing_is_passed_over(self, transaction: Transaction, site: Path) -> None:
        fill(site, "pkg/a.py", "file")
        named = parts("pkg/none", "none/none.py", "pkg/a.py", "file/none", "pkg")
        assert remove_files(transaction, named, never) == parts("pkg/a.py")
        assert there(site) == {"file"}

    def test_what_is_named_twice(self, transaction: Transaction, site: Path) -> None:
        fill(site, "pkg/a.py", "b.py")
        named = parts("pkg/a.py", "b.py", "pkg/a.py")
        assert remove_files(transaction, named, never) == parts("pkg/a.py", "b.py")

    def test_symlinks_are_removed(self, transaction: Transaction, site: Path) -> None:
        fill(site, "pkg/a.py")
        try:
            (site / "link").symlink_to("pkg", target_is_directory=True)
        except OSError:
            pytest.skip("no symlinks here")
        assert remove_files(transaction, parts("link"), never) == parts("link")
        assert there(site) == {"pkg/a.py"}

    def test_nothing_is_removed_outside(
        self, transaction: Transaction, site: Path, tmp_path: Path
    ) -> None:
        fill(tmp_path, "elsewhere/a.py")
        try:
            (site / "pkg").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
        except OSError:
            pytest.skip("no symlinks here")
        with pytest.raises(LinkError, match="outside of"):
            remove_files(transaction, parts("pkg/a.py"), never)
        assert there(tmp_path / "elsewhere") == {"a.py"}


class TestBytecode:
    def test_goes_with_its_source(self, transaction: Transaction, site: Path) -> None:
        """Also if the source is missing already; that of another stays."""
        cached = [f"pkg/__pycache__/{name}.cpython-311.pyc" for name in "abcd"]
        fill(site, "pkg/a.py", "pkg/c.py", "pkg/d.txt", *cached)
        before = os.stat(site / "pkg/__pycache__").st_mtime_ns
        removed = remove_files(transaction, parts("pkg/a.py", "pkg/b.py", "pkg/d.txt"), never)
        assert removed == parts("pkg/a.py", "pkg/d.txt")
        assert there(site) == {"pkg/c.py", *cached[2:]}
        assert transaction._touched[("pkg", "__pycache__")] == before

    def test_only_that_of_sources(self, transaction: Transaction, site: Path) -> None:
        """Where there are none, nobody looks."""
        fill(site, "pkg/a.txt")
        (site / "pkg/__pycache__").mkdir()
        entered: list[str] = []
        enter = transaction.containment.enter

        def noting(parent: Folder, name: str) -> Folder:
            entered.append(name)
            return enter(parent, name)

        transaction.containment.enter = noting  # type: ignore[method-assign]
        remove_files(transaction, parts("pkg/a.txt"), lambda _: True)
        assert "__pycache__" not in entered

    def test_of_the_destination_itself(self, transaction: Transaction, site: Path) -> None:
        fill(site, "a.py", "__pycache__/a.cpython-311.pyc")
        remove_files(transaction, parts("a.py"), never)
        assert there(site) == set()
        assert waits(transaction) == ["__pycache__"]

    def test_a_file_of_that_name(self, transaction: Transaction, site: Path) -> None:
        fill(site, "a.py", "__pycache__")
        remove_files(transaction, parts("a.py"), never)
        assert there(site) == {"__pycache__"}


class TestDirectories:
    def test_wait_with_their_parents(self, transaction: Transaction, site: Path) -> None:
        """That of what was missing, too; whether they are empty is found out at the end."""
        fill(site, "pkg/sub/a.py", "other/b.py")
        (site / "gone").mkdir()
        remove_files(transaction, parts("pkg/sub/a.py", "gone/c.py", "top.py"), never)
        assert waits(transaction) == [
            "pkg/sub/__pycache__",
            "gone/__pycache__",
            "pkg/sub",
            "__pycache__",
            "gone",
            "pkg",
        ]

    def test_not_what_is_kept(self, transaction: Transaction, site: Path, folder: Folder) -> None:
        fill(site, "pkg/sub/a.py")
        asked: list[str] = []

        def keep(path: str) -> bool:
            asked.append(path)
            return path.endswith("pkg")

        remove_files(transaction, parts("pkg/sub/a.py"), keep)
        assert waits(transaction) == ["pkg/sub/__pycache__", "pkg/sub"]
        below = [("pkg",), ("pkg", "sub"), ("pkg", "sub", "__pycache__")]
        assert asked == [os.path.join(folder.path, *names) for names in below]

    def test_not_what_is_missing(self, transaction: Transaction) -> None:
        remove_files(transaction, parts("none/sub/a.py"), never)
        assert waits(transaction) == ["none"]

    def test_in_order(self) -> None:
        """Those with the same parent come together."""
        assert _with_parents(parts("b/a", "a", "b/c")) == parts(
            "a",
            "b",
            "a/__pycache__",
            "b/a",
            "b/c",
            "b/a/__pycache__",
            "b/c/__pycache__",
        )

    def test_of_one_transaction(self, transaction: Transaction) -> None:
        assert transaction.emptied is None
        emptied = waiting(transaction)
        assert transaction.emptied is emptied
        assert waiting(transaction) is emptied


class TestDistInfo:
    INFO = "demo-1.0.dist-info"

    def test_empty_directories_go_at_once(self, transaction: Transaction, site: Path) -> None:
        fill(site, f"{self.INFO}/licenses/LICENSE", f"{self.INFO}/METADATA", "pkg/sub/x")
        wanted = parts(f"{self.INFO}/licenses/LICENSE", f"{self.INFO}/METADATA", "pkg/sub/x")
        remove_files(transaction, wanted, never)
        assert os.listdir(site / self.INFO) == []
        assert (site / "pkg/sub").is_dir()
        transaction.roll_back()
        assert (site / self.INFO / "licenses/LICENSE").exists()

    def test_not_those_with_files(self, transaction: Transaction, site: Path) -> None:
        fill(site, f"{self.INFO}/licenses/LICENSE", f"{self.INFO}/licenses/mine")
        remove_files(transaction, parts(f"{self.INFO}/licenses/LICENSE"), never)
        assert os.listdir(site / self.INFO / "licenses") == ["mine"]

    def test_not_deeper_ones(self, transaction: Transaction, site: Path) -> None:
        """They go with those that they are in."""
        fill(
            site,
            f"{self.INFO}/a/b/x",
            f"{self.INFO}/a/mine",
            f"pkg/{self.INFO}/c/y",
            f"z/{self.INFO}/w",
        )
        wanted = parts(f"{self.INFO}/a/b/x", f"pkg/{self.INFO}/c/y", f"z/{self.INFO}/w")
        remove_files(transaction, wanted, never)
        for name in (f"{self.INFO}/a/b", f"pkg/{self.INFO}/c", f"z/{self.INFO}"):
            assert (site / name).is_dir()

    def test_what_is_no_directory(self, transaction: Transaction, site: Path) -> None:
        fill(site, f"{self.INFO}/METADATA")
        fill(site, f"{self.INFO}/a")
        remove_files(transaction, parts(f"{self.INFO}/a/x", f"{self.INFO}/METADATA"), never)
        assert there(site) == {f"{self.INFO}/a"}

    @pytest.mark.parametrize("number", [errno.EXDEV, errno.EBUSY])
    def test_what_cannot_be_moved(self, transaction: Transaction, site: Path, number: int) -> None:
        """On overlayfs it stays to the end; another refusal is an error."""
        fill(site, f"{self.INFO}/a/x")

        def refuse(target: Folder, parts: Parts, name: str) -> bool:
            raise OSError(number, "refused here")

        transaction.make_way = refuse  # type: ignore[method-assign]
        wanted = parts(f"{self.INFO}/a/x")
        if number == errno.EXDEV:
            assert remove_files(transaction, wanted, never) == wanted
            assert (site / self.INFO / "a").is_dir()
        else:
            with pytest.raises(LinkError, match="refused here"):
                remove_files(transaction, wanted, never)


class TestRefusals:
    def refuse(self, transaction: Transaction, number: int) -> None:
        """Let nothing be removed."""

        def remove(*_: object, **__: object) -> None:
            raise OSError(number, "refused here")

        transaction.remove = remove  # type: ignore[method-assign]

    def test_say_where(self, transaction: Transaction, site: Path, folder: Folder) -> None:
        fill(site, "pkg/a.py")
        self.refuse(transaction, errno.EIO)
        with pytest.raises(LinkError) as caught:
            remove_files(transaction, parts("pkg/a.py"), never)
        assert str(caught.value).startswith(
            f"cannot remove what is installed in {folder.path!r}: refused here"
        )
        assert caught.value.destination == folder.path

    def test_of_what_is_immutable(
        self, transaction: Transaction, site: Path, folder: Folder
    ) -> None:
        """The advice depends on its flags."""
        fill(site, "pkg/a.py")
        self.refuse(transaction, errno.EPERM)
        path = os.path.join(folder.path, "pkg", "a.py")
        with pytest.raises(LinkError) as caught:
            remove_files(transaction, parts("pkg/a.py"), never)
        assert str(caught.value).startswith(f"cannot remove {path!r}: refused here; ")
        assert caught.value.destination == path
        assert caught.value.errno == errno.EPERM
        assert isinstance(caught.value.__cause__, PermissionError)

    def test_advice_on_what_is_immutable(
        self, transaction: Transaction, site: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        fill(site, "pkg/a.py")
        self.refuse(transaction, errno.EPERM)
        asked: list[os.stat_result] = []

        def advise(status: os.stat_result) -> str:
            asked.append(status)
            return "do this"

        monkeypatch.setattr("wheel_linker._link.removal.files.how_to_unlock", advise)
        with pytest.raises(LinkError, match="refused here; do this"):
            remove_files(transaction, parts("pkg/a.py"), never)
        assert asked[0].st_ino == os.stat(site / "pkg/a.py").st_ino

    @pytest.mark.parametrize("number", [errno.ENOENT, errno.ENOTDIR])
    def test_what_cannot_be_entered(self, folder: Folder, number: int) -> None:
        """It is missing, but for the library's own errors."""

        def enter(error: OSError) -> Folder | None:
            def refuse(parent: Folder, name: str) -> Folder:
                raise error

            with Descent(folder, refuse) as folders:
                return _existing(folders, ("a",))

        assert enter(OSError(number, "x")) is None
        with pytest.raises(LinkError):
            enter(LinkError("x", errno=number))
        with pytest.raises(PermissionError):
            enter(OSError(errno.EACCES, "x"))
