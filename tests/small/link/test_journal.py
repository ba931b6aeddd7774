"""Taking back what was moved: each step only if it was taken, and nothing twice."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest

from wheel_linker import LinkError
from wheel_linker._fs.descent import Descent
from wheel_linker._fs.folder import LONGEST_RELATIVE, Folder
from wheel_linker._fs.moving import move
from wheel_linker._fs.stage import OLD
from wheel_linker._link import journal as module
from wheel_linker._link.containment import Containment
from wheel_linker._link.journal import Journal, Step

if TYPE_CHECKING:
    from pathlib import Path

    from wheel_linker._fs.stage import Stage


@pytest.fixture
def journal(folder: Folder, stage: Stage) -> Journal:
    return Journal(folder, stage, Containment(folder))


def new(*parts: str) -> Step:
    """Return the step that moves the last of these names from the wheel ``0`` into the destination."""
    return Step(parts[:-1], parts[-1], ("0", *parts[:-1]), parts[-1], was_there=False)


def kept(*parts: str, name: str = "1") -> Step:
    """Return the step that keeps what was there."""
    return Step(parts[:-1], parts[-1], (OLD,), name, was_there=True)


class TestRollBack:
    def test_nothing_is_noted(self, journal: Journal, stage: Stage) -> None:
        """What is in reserve stays so: it may be needed later."""
        reserve = [*stage._reserve]
        journal.roll_back()
        assert stage._reserve == reserve

    def test_what_is_in_reserve_is_let_go(self, journal: Journal, stage: Stage) -> None:
        journal.note(kept("a.py"))
        journal.roll_back()
        assert (stage._reserve, stage._room) == ([], None)

    def test_what_is_new_goes_back(self, journal: Journal, site: Path, in_stage: Path) -> None:
        (in_stage / "0/pkg").mkdir(parents=True)
        (site / "pkg").mkdir()
        (site / "pkg/a.py").write_text("new")
        (site / "b.py").write_text("b")
        journal.note(new("pkg", "a.py"))
        journal.note(new("b.py"))
        journal.roll_back()
        assert (in_stage / "0/pkg/a.py").read_text() == "new"
        assert (in_stage / "0/b.py").read_text() == "b"
        assert os.listdir(site / "pkg") == []

    def test_what_is_new_goes_back_far_down(
        self, journal: Journal, site: Path, in_stage: Path
    ) -> None:
        parts = ("0", *["d" * 200] * 4)
        try:
            in_stage.joinpath(*parts).mkdir(parents=True)
        except OSError:
            pytest.skip("the system takes no path so long")
        (site / "a.py").write_text("new")
        journal.note(Step((), "a.py", parts, "a.py", was_there=False))
        journal.roll_back()
        assert in_stage.joinpath(*parts, "a.py").read_text() == "new"

    def test_what_was_kept_comes_back(self, journal: Journal, site: Path, in_stage: Path) -> None:
        (site / "pkg").mkdir()
        (site / "pkg/a.py").write_text("new")
        (in_stage / "old/1").write_text("before")
        journal.note(kept("pkg", "a.py"))
        journal.roll_back()
        assert (site / "pkg/a.py").read_text() == "before"
        assert os.listdir(in_stage / "old") == []

    def test_what_was_kept_comes_back_where_nothing_is(
        self, journal: Journal, site: Path, in_stage: Path
    ) -> None:
        (in_stage / "old/1").write_text("before")
        journal.note(kept("a.py"))
        journal.roll_back()
        assert (site / "a.py").read_text() == "before"

    def test_a_step_that_was_not_taken(self, journal: Journal, site: Path, in_stage: Path) -> None:
        """Something else of that name is there, and stays; or nothing at all is."""
        (in_stage / "0").mkdir()
        for path in (in_stage / "0/a.py", site / "a.py", site / "b.py"):
            path.write_text(path.parent.name)
        for step in (new("a.py"), kept("b.py"), new("c.py"), kept("d.py")):
            journal.note(step)
        journal.roll_back()
        assert (in_stage / "0/a.py").read_text() == "0"
        assert {path.name: path.read_text() for path in site.glob("*.py")} == {
            "a.py": site.name,
            "b.py": site.name,
        }

    def test_the_last_step_comes_first(self, journal: Journal, site: Path, in_stage: Path) -> None:
        """A file was removed, and another has taken its name."""
        (in_stage / "0").mkdir()
        (in_stage / "old/1").write_text("before")
        (site / "a.py").write_text("new")
        journal.note(kept("a.py"))
        journal.note(new("a.py"))
        journal.roll_back()
        assert (site / "a.py").read_text() == "before"
        assert (in_stage / "0/a.py").read_text() == "new"

    def test_what_is_forgotten_stays(self, journal: Journal, site: Path, in_stage: Path) -> None:
        for name in ("1", "2"):
            (in_stage / "old" / name).write_text("before")
        journal.note(kept("a.py"))
        journal.note(kept("b.py", name="2"))
        journal.forget_last()
        journal.roll_back()
        assert (site / "a.py").exists()
        assert not (site / "b.py").exists()
        (in_stage / "old/1").write_text("before")
        journal.note(kept("c.py"))
        journal.clear()
        journal.roll_back()
        assert not (site / "c.py").exists()

    def test_may_be_begun_again(
        self, journal: Journal, site: Path, in_stage: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Ctrl-C came when one of two steps was taken back."""
        (in_stage / "0").mkdir()
        for name in ("a.py", "b.py"):
            (site / name).write_text(name)
            journal.note(new(name))

        def interrupted(source: Folder, name: str, target: Folder, new: str) -> None:
            if name == "a.py":
                raise KeyboardInterrupt
            move(source, name, target, new)

        monkeypatch.setattr(module, "move", interrupted)
        with pytest.raises(KeyboardInterrupt):
            journal.roll_back()
        assert (in_stage / "0/b.py").exists()
        (site / "b.py").write_text("another's")
        (in_stage / "0/b.py").unlink()
        monkeypatch.setattr(module, "move", move)
        journal.roll_back()
        assert (in_stage / "0/a.py").exists()
        assert (site / "b.py").read_text() == "another's"

    def test_what_cannot_come_back_is_kept(
        self, journal: Journal, site: Path, folder: Folder, stage: Stage, in_stage: Path
    ) -> None:
        (in_stage / "old/1").write_text("before")
        (site / "a.py").mkdir()
        (site / "a.py/x").touch()
        journal.note(kept("a.py"))
        with pytest.raises(LinkError) as caught:
            journal.roll_back()
        rescued = os.path.join(folder.path, "wheel_linker-rescued-" + in_stage.name[14:])
        assert str(caught.value).startswith(
            f"cannot put back what was in {folder.path!r}; files not yet put back are kept in {rescued!r}: "
        )
        assert caught.value.destination == folder.path
        assert caught.value.errno in {errno.EISDIR, errno.EACCES}
        assert caught.value.__cause__ is not None
        with open(os.path.join(rescued, "1")) as file:
            assert file.read() == "before"
        journal.roll_back()  # nothing is left to be taken back

    def test_no_directory_outside_is_entered(
        self, journal: Journal, site: Path, in_stage: Path, tmp_path: Path
    ) -> None:
        (tmp_path / "elsewhere").mkdir()
        try:
            (site / "pkg").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
        except OSError:
            pytest.skip("no symlinks here")
        (in_stage / "old/1").write_text("before")
        journal.note(kept("pkg", "a.py"))
        with pytest.raises(LinkError, match="cannot put back"):
            journal.roll_back()
        assert os.listdir(tmp_path / "elsewhere") == []


class TestStaged:
    """Directories of the stage are named by their paths, as long as the system takes these."""

    def test_what_was_kept_is_open(self, journal: Journal, stage: Stage) -> None:
        with Descent(stage.folder, Folder.enter) as folders:
            assert journal._staged((OLD,), folders) is stage.old
            assert folders._parts == ()

    @pytest.mark.parametrize("opened", [False, True])
    def test_long_paths_are_opened(
        self, journal: Journal, stage: Stage, in_stage: Path, opened: bool
    ) -> None:
        if stage.folder.fd is None:
            pytest.skip("directories are named by their paths here")
        first, middle = "0", "d" * 200
        last = "e" * (LONGEST_RELATIVE - len(os.path.join(first, middle, middle, "")) + opened)
        parts = (first, middle, middle, last[:200], last[201:])
        assert len(os.sep.join(parts)) == LONGEST_RELATIVE + opened
        in_stage.joinpath(*parts).mkdir(parents=True)
        in_stage.joinpath(*parts, "x").touch()
        with Descent(stage.folder, Folder.enter) as folders:
            inner = journal._staged(parts, folders)
            assert inner.path == os.fspath(in_stage.joinpath(*parts))
            assert inner.lstat("x") is not None
            assert folders._parts == (parts if opened else ())
            assert (inner.fd == stage.folder.fd) is not opened

    def test_long_paths_where_none_is_opened(self, folder: Folder, stage: Stage) -> None:
        """As on Windows, where they are named by their paths anyway."""
        stage.folder.close()
        stage.folder = Folder.by_path(stage.folder.path)
        journal = Journal(folder, stage, Containment(folder))
        parts = ("0", *["d" * 200] * 4)
        with Descent(stage.folder, Folder.enter) as folders:
            assert journal._staged(parts, folders).path == os.path.join(stage.folder.path, *parts)
