"""Each step of a transaction: what it does, what it notes, and how it is taken back."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest

from wheel_linker._fs.folder import Folder
from wheel_linker._fs.moving import move
from wheel_linker._fs.stage import PREFIX
from wheel_linker._fs.timestamps import refresh
from wheel_linker._link import transaction as module
from wheel_linker._link.journal import Step
from wheel_linker._link.removal.files import waiting

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from wheel_linker._fs.stage import Stage
    from wheel_linker._link.transaction import Transaction


@pytest.fixture
def source(stage: Stage, in_stage: Path) -> Iterator[Folder]:
    """The staged wheel ``0``, with two files."""
    (in_stage / "0").mkdir()
    for name in ("a.py", "b.py"):
        (in_stage / "0" / name).write_text("new")
    with stage.folder.enter("0") as folder:
        yield folder


def steps(transaction: Transaction) -> list[Step]:
    return transaction._journal._steps


def stages(site: Path) -> list[str]:
    return [name for name in os.listdir(site) if name.startswith(PREFIX)]


def refuse(monkeypatch: pytest.MonkeyPatch, call: str, number: int = errno.EIO) -> None:
    """Let one of the functions that the module uses fail."""

    def refused(*_: object, **__: object) -> None:
        raise OSError(number, "refused here")

    monkeypatch.setattr(module, call, refused)


class TestAdd:
    def test_moves_it(
        self, transaction: Transaction, site: Path, folder: Folder, source: Folder, in_stage: Path
    ) -> None:
        (site / "pkg").mkdir()
        before = os.stat(site / "pkg").st_mtime_ns
        with folder.enter("pkg") as target:
            transaction.add(source, ("0",), target, ("pkg",), "a.py")
        assert (site / "pkg/a.py").read_text() == "new"
        assert steps(transaction) == [Step(("pkg",), "a.py", ("0",), "a.py", was_there=False)]
        assert transaction._touched[("pkg",)] == before
        transaction.roll_back()
        assert (in_stage / "0/a.py").exists()
        assert not (site / "pkg/a.py").exists()

    def test_is_noted_before(
        self,
        transaction: Transaction,
        folder: Folder,
        source: Folder,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        refuse(monkeypatch, "move")
        with pytest.raises(OSError, match="refused here"):
            transaction.add(source, ("0",), folder, (), "a.py")
        assert len(steps(transaction)) == 1


class TestReplace:
    def test_keeps_the_other(
        self, transaction: Transaction, site: Path, folder: Folder, source: Folder, in_stage: Path
    ) -> None:
        (site / "pkg").mkdir()
        for name in ("a.py", "b.py"):
            (site / "pkg" / name).write_text(f"old {name}")
        before = os.stat(site / "pkg").st_mtime_ns
        inode = os.stat(site / "pkg/a.py").st_ino
        with folder.enter("pkg") as target:
            transaction.replace(source, target, ("pkg",), "a.py")
            transaction.replace(source, target, ("pkg",), "b.py")
        assert [(site / "pkg" / name).read_text() for name in ("a.py", "b.py")] == ["new"] * 2
        assert sorted(os.listdir(in_stage / "old")) == ["1", "2"]
        assert os.stat(in_stage / "old/1").st_ino == inode
        assert steps(transaction) == [
            Step(("pkg",), "a.py", ("old",), "1", was_there=True),
            Step(("pkg",), "b.py", ("old",), "2", was_there=True),
        ]
        assert transaction._touched[("pkg",)] == before
        transaction.roll_back()
        assert (site / "pkg/a.py").read_text() == "old a.py"
        assert os.stat(site / "pkg/a.py").st_ino == inode

    def test_a_symlink(
        self, transaction: Transaction, site: Path, folder: Folder, source: Folder
    ) -> None:
        """It is kept itself, not what it leads to."""
        (site / "other").write_text("other")
        try:
            (site / "a.py").symlink_to("other")
        except OSError:
            pytest.skip("no symlinks here")
        transaction.replace(source, folder, (), "a.py")
        assert not (site / "a.py").is_symlink()
        transaction.roll_back()
        assert os.readlink(site / "a.py") == "other"
        assert (site / "other").read_text() == "other"

    @pytest.mark.parametrize("number", [errno.EPERM, errno.EMLINK, errno.EIO])
    def test_where_it_cannot_be_linked(
        self,
        transaction: Transaction,
        site: Path,
        folder: Folder,
        source: Folder,
        in_stage: Path,
        number: int,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """A copy is kept, unless it is a fault."""
        (site / "a.py").write_text("old")

        def refused(*_: object, **__: object) -> None:
            raise OSError(number, "refused here")

        monkeypatch.setattr(module, "hard_link", lambda: refused)
        if number == errno.EIO:
            with pytest.raises(OSError, match="refused here"):
                transaction.replace(source, folder, (), "a.py")
            assert (site / "a.py").read_text() == "old"
            assert steps(transaction) == []
            return
        transaction.replace(source, folder, (), "a.py")
        assert (site / "a.py").read_text() == "new"
        assert (in_stage / "old/1").read_text() == "old"

    def test_what_cannot_be_replaced(
        self,
        transaction: Transaction,
        site: Path,
        folder: Folder,
        source: Folder,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """It was not, and so is not put back."""
        (site / "a.py").write_text("old")
        refuse(monkeypatch, "move", errno.EBUSY)
        with pytest.raises(OSError, match="refused here"):
            transaction.replace(source, folder, (), "a.py")
        assert steps(transaction) == []

    def test_an_error_that_came_after(
        self,
        transaction: Transaction,
        site: Path,
        folder: Folder,
        source: Folder,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """The step was taken all the same, as on a network file system."""
        (site / "a.py").write_text("old")

        def late(source: Folder, name: str, target: Folder, new: str) -> None:
            move(source, name, target, new)
            raise OSError(errno.EIO, "refused here")

        monkeypatch.setattr(module, "move", late)
        with pytest.raises(OSError, match="refused here"):
            transaction.replace(source, folder, (), "a.py")
        assert len(steps(transaction)) == 1
        monkeypatch.undo()
        transaction.roll_back()
        assert (site / "a.py").read_text() == "old"

    def test_an_interrupt(
        self,
        transaction: Transaction,
        site: Path,
        folder: Folder,
        source: Folder,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """Nobody knows whether the step was taken."""
        (site / "a.py").write_text("old")

        def interrupted(*_: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(module, "move", interrupted)
        with pytest.raises(KeyboardInterrupt):
            transaction.replace(source, folder, (), "a.py")
        assert len(steps(transaction)) == 1


class TestRemove:
    @pytest.mark.parametrize("touch", [True, False])
    def test_keeps_it(
        self, transaction: Transaction, site: Path, folder: Folder, in_stage: Path, touch: bool
    ) -> None:
        (site / "pkg").mkdir()
        (site / "pkg/a.py").write_text("old")
        before = os.stat(site / "pkg").st_mtime_ns
        with folder.enter("pkg") as target:
            if touch:
                transaction.remove(target, ("pkg",), "a.py")
            else:
                transaction.remove(target, ("pkg",), "a.py", touch=False)
        assert os.listdir(site / "pkg") == []
        assert (in_stage / "old/1").read_text() == "old"
        assert steps(transaction) == [Step(("pkg",), "a.py", ("old",), "1", was_there=True)]
        assert transaction._touched.get(("pkg",)) == (before if touch else None)
        transaction.roll_back()
        assert (site / "pkg/a.py").read_text() == "old"

    def test_is_noted_before(
        self, transaction: Transaction, folder: Folder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        refuse(monkeypatch, "move")
        with pytest.raises(OSError, match="refused here"):
            transaction.remove(folder, (), "a.py")
        assert len(steps(transaction)) == 1

    def test_names_are_those_of_replaced_files_too(
        self, transaction: Transaction, site: Path, folder: Folder, source: Folder, in_stage: Path
    ) -> None:
        for name in ("a.py", "c.py"):
            (site / name).write_text(name)
        transaction.remove(folder, (), "c.py")
        transaction.replace(source, folder, (), "a.py")
        assert [(in_stage / "old" / name).read_text() for name in "12"] == ["c.py", "a.py"]


class TestTouch:
    def test_the_first_time_counts(
        self, transaction: Transaction, site: Path, folder: Folder, source: Folder
    ) -> None:
        assert {*transaction._touched} == {()}
        before = transaction._touched[()]
        (site / "pkg").mkdir()
        os.utime(site / "pkg", ns=(1, 10**15))
        with folder.enter("pkg") as target:
            transaction.add(source, ("0",), target, ("pkg",), "a.py")
            transaction.add(source, ("0",), target, ("pkg",), "b.py")
        transaction.remove(folder, (), "pkg")
        assert transaction._touched == {(): before, ("pkg",): 10**15}


class TestDirectoriesThatWait:
    def test_nothing_waits(self, transaction: Transaction, site: Path, folder: Folder) -> None:
        (site / "PKG").mkdir()
        assert transaction.make_way(folder, (), "PKG") is False
        assert transaction.respell(folder, (), "pkg") is False
        assert (site / "PKG").exists()

    def test_makes_way(self, transaction: Transaction, site: Path, folder: Folder) -> None:
        (site / "pkg/sub").mkdir(parents=True)
        waiting(transaction).add(("pkg",))
        assert transaction.make_way(folder, (), "none") is False
        assert transaction.make_way(folder, (), "pkg") is True
        assert not (site / "pkg").exists()
        transaction.roll_back()
        assert (site / "pkg/sub").is_dir()

    def test_makes_way_below(self, transaction: Transaction, site: Path, folder: Folder) -> None:
        (site / "pkg/sub").mkdir(parents=True)
        waiting(transaction).add(("pkg", "sub"))
        with folder.enter("pkg") as inner:
            assert transaction.make_way(inner, ("pkg",), "sub") is True
        assert steps(transaction) == [Step(("pkg",), "sub", ("old",), "1", was_there=True)]

    def test_does_not_with_a_file_in_it(
        self, transaction: Transaction, site: Path, folder: Folder
    ) -> None:
        (site / "PKG").mkdir()
        (site / "PKG/a").touch()
        waiting(transaction).add(("PKG",))
        assert transaction.make_way(folder, (), "PKG") is False
        assert transaction.respell(folder, (), "pkg") is False
        assert (site / "PKG/a").exists()

    def test_is_respelt(self, transaction: Transaction, site: Path, folder: Folder) -> None:
        (site / "pkg/SUB").mkdir(parents=True)
        waiting(transaction).add(("pkg", "SUB"))
        assert transaction.respell(folder, (), "sub") is False
        with folder.enter("pkg") as inner:
            assert transaction.respell(inner, ("pkg",), "none") is False
            assert transaction.respell(inner, ("pkg",), "sub") is True
        assert steps(transaction) == [Step(("pkg",), "SUB", ("old",), "1", was_there=True)]
        assert not (site / "pkg/SUB").exists()
        transaction.roll_back()
        assert (site / "pkg/SUB").is_dir()


class TestClose:
    def test_puts_back(
        self, transaction: Transaction, site: Path, folder: Folder, source: Folder
    ) -> None:
        (site / "a.py").write_text("old")
        transaction.replace(source, folder, (), "a.py")
        assert transaction.is_finished is False
        transaction.close()
        assert (site / "a.py").read_text() == "old"
        assert stages(site) == []
        transaction.close()

    def test_not_if_finished(
        self, transaction: Transaction, site: Path, folder: Folder, source: Folder
    ) -> None:
        transaction.add(source, ("0",), folder, (), "a.py")
        transaction.give_up_the_way_back()
        assert transaction.is_finished is True
        assert steps(transaction) == []
        transaction.close()
        assert (site / "a.py").read_text() == "new"
        assert stages(site) == []

    def test_a_step_after_the_end_stays(
        self, transaction: Transaction, site: Path, folder: Folder, source: Folder
    ) -> None:
        transaction.give_up_the_way_back()
        transaction.add(source, ("0",), folder, (), "a.py")
        transaction.roll_back()
        assert (site / "a.py").exists()

    def test_the_stage_stays_when_it_is_only_rolled_back(
        self, transaction: Transaction, site: Path
    ) -> None:
        transaction.roll_back()
        assert len(stages(site)) == 1


@pytest.fixture
def refreshed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """The directories whose times were set to later ones, with the times that they had."""
    refreshed: list[tuple[str, int]] = []

    def noting(folder: Folder, before: int) -> None:
        refreshed.append((folder.path, before))
        refresh(folder, before)

    monkeypatch.setattr(module, "refresh", noting)
    return refreshed


class TestFinish:
    def test_importers_look_again(
        self,
        transaction: Transaction,
        site: Path,
        folder: Folder,
        source: Folder,
        refreshed: list[tuple[str, int]],
    ) -> None:
        for name in ("pkg", "pkg/sub", "gone", "zoo"):
            (site / name).mkdir()
        for name in ("pkg", "zoo"):
            os.utime(site / name, ns=(1, 10**15))
        before = transaction._touched[()]
        for name, moved in (("zoo", "b.py"), ("pkg", "a.py")):
            with folder.enter(name) as target:
                transaction.add(source, ("0",), target, (name,), moved)
        for parts in (("gone",), ("pkg", "sub")):
            transaction._touched[parts] = 7
        (site / "gone").rmdir()
        transaction.finish()
        assert transaction.is_finished
        assert steps(transaction) == []
        assert stages(site) == []
        assert refreshed == [
            (folder.path, before),
            (os.path.join(folder.path, "pkg"), 10**15),
            (os.path.join(folder.path, "pkg", "sub"), 7),
            (os.path.join(folder.path, "zoo"), 10**15),
        ]
        transaction.finish()

    def test_what_is_in_reserve_is_let_go(self, transaction: Transaction, stage: Stage) -> None:
        """Before anything is opened."""
        seen: list[int] = []
        remove, stage.remove = stage.remove, lambda: seen.append(len(stage._reserve))  # type: ignore[method-assign]
        transaction.finish()
        remove()
        assert seen == [0]

    def test_the_way_back_is_given_up_first(
        self, transaction: Transaction, stage: Stage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        seen: list[bool] = []
        release = stage.release_reserve

        def noting() -> None:
            seen.append(transaction.is_finished)
            release()

        monkeypatch.setattr(stage, "release_reserve", noting)
        transaction.finish()
        assert all(seen)
        assert seen

    def test_no_symlink_outside_is_followed(
        self,
        transaction: Transaction,
        site: Path,
        tmp_path: Path,
        refreshed: list[tuple[str, int]],
    ) -> None:
        (tmp_path / "elsewhere").mkdir()
        try:
            (site / "pkg").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
        except OSError:
            pytest.skip("no symlinks here")
        transaction._touched[("pkg",)] = 1
        transaction.finish()
        assert len(refreshed) == 1


class TestEmptyDirectories:
    def wait(self, transaction: Transaction, site: Path, *names: str) -> None:
        for name in names:
            (site / name).mkdir(parents=True, exist_ok=True)
            waiting(transaction).add(tuple(name.split("/")))

    def test_are_removed(
        self, transaction: Transaction, site: Path, refreshed: list[tuple[str, int]]
    ) -> None:
        (site / "stays").mkdir()
        self.wait(transaction, site, "a", "a/b", "a/b/c", "stays/d")
        os.utime(site / "stays", ns=(1, 10**15))
        transaction.finish()
        assert os.listdir(site) == ["stays"]
        assert os.listdir(site / "stays") == []
        assert waiting(transaction).deepest_first() == []
        assert [(os.path.basename(path), before) for path, before in refreshed][1:] == [
            ("stays", 10**15)
        ]

    def test_stay_with_something_in_them(
        self, transaction: Transaction, site: Path, refreshed: list[tuple[str, int]]
    ) -> None:
        """Importers need not look there again."""
        self.wait(transaction, site, "a/b", "other/c")
        (site / "a/b/mine").touch()
        (site / "other/c").rmdir()
        transaction.finish()
        assert (site / "a/b/mine").exists()
        assert len(refreshed) == 1

    def test_are_touched_as_before_if_they_stay(
        self,
        transaction: Transaction,
        site: Path,
        folder: Folder,
        source: Folder,
        refreshed: list[tuple[str, int]],
    ) -> None:
        """A file was put beside one that is not empty: the directory above has changed for that."""
        self.wait(transaction, site, "a/b")
        (site / "a/b/mine").touch()
        with folder.enter("a") as target:
            transaction.add(source, ("0",), target, ("a",), "a.py")
        transaction.finish()
        assert [os.path.basename(path) for path, _ in refreshed][1:] == ["a"]

    @pytest.mark.parametrize(
        ("number", "tries"),
        [
            (errno.ENOTEMPTY, 1),
            (errno.EEXIST, 1),
            (errno.ENOENT, 1),
            (errno.ENOTDIR, 1),
            (errno.ELOOP, 1),
            (errno.EBUSY, 2),
        ],
    )
    def test_are_tried_twice(
        self,
        transaction: Transaction,
        site: Path,
        monkeypatch: pytest.MonkeyPatch,
        refreshed: list[tuple[str, int]],
        number: int,
        tries: int,
    ) -> None:
        self.wait(transaction, site, "a/b")
        tried: list[str] = []

        def refuse(folder: Folder, name: str) -> None:
            tried.append(name)
            raise OSError(number, "refused here")

        monkeypatch.setattr(Folder, "remove_directory", refuse)
        transaction._remove_emptied()
        assert tried == ["b"] * tries
        assert {*transaction._touched} == {()}

    def test_what_is_removed_is_tried_once(
        self, transaction: Transaction, site: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.wait(transaction, site, "a")
        remove = Folder.remove_directory
        tried: list[str] = []

        def noting(folder: Folder, name: str) -> None:
            tried.append(name)
            remove(folder, name)

        monkeypatch.setattr(Folder, "remove_directory", noting)
        transaction._remove_emptied()
        assert tried == ["a"]

    def test_the_second_try_may_succeed(
        self, transaction: Transaction, site: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.wait(transaction, site, "a/b")
        remove = Folder.remove_directory
        tried: list[str] = []

        def refuse_once(folder: Folder, name: str) -> None:
            tried.append(name)
            if len(tried) == 1:
                raise OSError(errno.EBUSY, "refused here")
            remove(folder, name)

        monkeypatch.setattr(Folder, "remove_directory", refuse_once)
        transaction._remove_emptied()
        assert os.listdir(site / "a") == []
        assert {*transaction._touched} == {(), ("a",)}

    def test_one_that_cannot_be_reached(
        self, transaction: Transaction, site: Path, tmp_path: Path
    ) -> None:
        """Others go all the same."""
        (tmp_path / "elsewhere/b").mkdir(parents=True)
        self.wait(transaction, site, "c")
        try:
            (site / "a").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
        except OSError:
            pytest.skip("no symlinks here")
        waiting(transaction).add(("a", "b"))
        transaction.finish()
        assert (tmp_path / "elsewhere/b").exists()
        assert not (site / "c").exists()
