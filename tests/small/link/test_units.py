"""The tasks of staging: by this process, and by one that helps it as far as it can."""

from __future__ import annotations

import errno
import marshal
import os
from typing import TYPE_CHECKING, Any, cast

import pytest
from wheels import contents, make_wheel, set_times

from wheel_linker import LinkError, LinkMode
from wheel_linker._link.helper.program import Answer, Order, carry_out
from wheel_linker._link.placer import Placer
from wheel_linker._link.units import Unit, Visit
from wheel_linker._wheel.progress import Progress
from wheel_linker._wheel.scan import scan, scan_root
from wheel_linker._wheel.tree import NotAsUnpackedError, Tree, Unpacked
from wheel_linker.backends import default_backend

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from wheel_linker._fs.folder import Folder
    from wheel_linker._fs.stage import Stage
    from wheel_linker._link.helper.process import Helper

CLONE, COPY, HARDLINK = LinkMode.CLONE, LinkMode.COPY, LinkMode.HARDLINK
INFO = "demo-1.0.dist-info"
INFO_FILES = ["METADATA", "RECORD", "WHEEL"]
FILES = {
    "a/one.py": b"1",
    "a/three.py": b"333",
    "a/two.py": b"22",
    "a/deep/four.py": b"4444",
    "b/five.py": b"55555",
    "top.py": b"top",
}
STAMP = 1_000_000_000


class Helping:
    """Does in this process what a helper process does in its own, and knows what it was told.

    :ivar told: the orders.
    """

    def __init__(self, stage: Folder) -> None:
        self._stage = stage
        self.told: list[Order] = []

    def place(self, order: Order) -> Answer:
        self.told.append(order)
        # As it comes through a pipe.
        given = Order(*marshal.loads(order.to_bytes()))
        return carry_out(given, self._stage, default_backend())


class Told(list[Any]):
    """Takes down the progress that callers are told: numbers of files, and names."""

    def __call__(self, files: int) -> None:
        self.append(files)

    def total(self, files: int, size: int) -> None:
        raise AssertionError("it is known before")

    def wheel(self, name: str) -> None:
        self.append(name)

    @property
    def files(self) -> int:
        return sum(each for each in self if isinstance(each, int))


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def progress(told: Told) -> Progress:
    return Progress(told)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return make_wheel(tmp_path / "wheel", FILES)


@pytest.fixture
def target(stage: Stage, in_stage: Path) -> Path:
    """What stands for the wheel in the stage."""
    (in_stage / "7").mkdir()
    return in_stage / "7"


@pytest.fixture
def helper(stage: Stage) -> Helping:
    return Helping(stage.folder)


def as_helper(helping: Helping) -> Helper:
    return cast("Helper", helping)


def scanned(source: Path) -> Tree:
    """Return the names in a wheel, those of files in order: a file system has them in any."""
    tree = scan(source)
    for directory in tree.directories:
        directory.files.sort()
    return tree


def placer_of(tree: Tree, *chain: LinkMode, **more: Any) -> Placer:
    chosen = chain or (COPY,)
    return Placer(tree, chosen, default_backend(), None, "site", name="demo 1.0", **more)


def unit_of(placer: Placer, *wanted: str) -> Unit:
    """Return the task of placing some directories, or all."""
    directories = placer.tree.directories
    return Unit(
        placer, "7", [one for one in directories if not wanted or "/".join(one.parts) in wanted]
    )


def visit_of(placer: Placer, most: int = 1000, *unread: tuple[str, ...]) -> Visit:
    return Visit(placer, "7", [*unread] or [()], most)


def used(placer: Placer) -> dict[LinkMode, int]:
    return {mode: count for mode, count in placer._used.sums().items() if count}


def forced(placer: Placer) -> dict[LinkMode, int]:
    return {mode: count for mode, count in placer._forced.sums().items() if count}


def checked(tree: Tree, *, executables: int = 0, exclusive: bool = False) -> Tree:
    """Return a tree whose files are looked at: they have the time that they were unpacked with, and their sizes."""
    root = tree.path
    for directory in tree.directories:
        directory.sizes = [
            os.stat(os.path.join(root, *directory.parts, name)).st_size for name in directory.files
        ]
    unpacked = Unpacked(STAMP * 10**9, executables, exclusive)
    return tree._replace(unpacked=unpacked)


class TestUnit:
    def test_places_what_it_is_told(
        self, source: Path, target: Path, stage: Stage, progress: Progress, told: Told
    ) -> None:
        placer = placer_of(scanned(source))
        unit_of(placer).place(stage.folder, progress)
        assert contents(target) == contents(source)
        assert told == ["demo 1.0", 1, 3, 1, 1, 3]
        assert used(placer) == {COPY: 8}

    def test_some_directories_only(self, source: Path, target: Path, stage: Stage) -> None:
        unit_of(placer_of(scanned(source)), "b").place(stage.folder, Progress(None))
        assert contents(target) == {"b": None, "b/five.py": b"55555"}

    def test_counts_symlinks(
        self, source: Path, target: Path, stage: Stage, progress: Progress, told: Told
    ) -> None:
        link(source / "b/link", "five.py")
        unit_of(placer_of(scanned(source)), "b").place(stage.folder, progress)
        assert told == ["demo 1.0", 2]
        assert os.readlink(target / "b/link") == "five.py"

    @pytest.mark.parametrize("whole", [True, False])
    def test_what_vanished(self, source: Path, target: Path, stage: Stage, whole: bool) -> None:
        placer = placer_of(scanned(source))
        directory = source / "b"
        (directory / "five.py").unlink()
        if whole:
            directory.rmdir()
        root = os.path.realpath(source)
        with pytest.raises(LinkError, match="vanished while it was being linked") as caught:
            unit_of(placer, "b").place(stage.folder, Progress(None))
        if whole:
            at = os.path.join(root, "b")
            assert str(caught.value).startswith(
                f"cannot link the unpacked wheel {root!r} at {at!r}: "
            )
            assert caught.value.source == root

    def test_an_error_without_a_path(self, source: Path, target: Path, stage: Stage) -> None:
        root = os.path.realpath(source)
        with pytest.raises(LinkError) as caught:
            unit_of(placer_of(scanned(source))).place(stage.folder, Progress(refusing))
        assert str(caught.value) == f"cannot link the unpacked wheel {root!r} at {root!r}: no more"

    def test_a_stage_that_is_gone(self, source: Path, stage: Stage) -> None:
        placer = placer_of(scanned(source))
        with pytest.raises(LinkError) as caught:
            unit_of(placer, "b").place(stage.folder, Progress(None))
        assert caught.value.source == os.path.realpath(source)

    def test_another_wheel_in_its_place(
        self, source: Path, target: Path, stage: Stage, tmp_path: Path
    ) -> None:
        placer = placer_of(scanned(source))
        source.rename(tmp_path / "old")
        make_wheel(source, FILES)
        with pytest.raises(LinkError, match="took the place"):
            unit_of(placer).place(stage.folder, Progress(None))


def refusing(files: int) -> None:
    """Refuse to be told of any progress."""
    raise OSError(0, "no more")


def link(path: Path, target: str) -> None:
    try:
        path.symlink_to(target)
    except OSError:
        pytest.skip("no symlinks here")


@pytest.fixture(autouse=True)
def _by_descriptor(stage: Stage) -> None:
    if stage.folder.fd is None:
        pytest.skip("there are no helper processes here")


class TestUnitByHelper:
    def test_what_it_is_told(
        self, source: Path, target: Path, stage: Stage, helper: Helping, progress: Progress
    ) -> None:
        """A directory with a RECORD is for this process: that is never shared."""
        placer = placer_of(scanned(source), HARDLINK, COPY)
        unit_of(placer).place_by(as_helper(helper), stage.folder, progress)
        (order,) = helper.told
        root = os.path.realpath(source)
        status = os.stat(root)
        assert order == Order(
            mode="hardlink",
            path=root,
            identity=(status.st_dev, status.st_ino),
            staged="7",
            directories=[
                ((), ["top.py"]),
                (("a",), ["one.py", "three.py", "two.py"]),
                (("a", "deep"), ["four.py"]),
                (("b",), ["five.py"]),
            ],
            trusted=False,
            keeps_times=False,
            unread=[],
            most=0,
            sizes=[],
            stamp=0,
            exclusive=False,
        )
        assert contents(target) == contents(source)
        assert (used(placer), forced(placer)) == ({HARDLINK: 8}, {COPY: 1})

    def test_what_it_is_told_of_a_store(
        self, source: Path, target: Path, stage: Stage, helper: Helping
    ) -> None:
        set_times(source, STAMP)
        tree = checked(scanned(source), exclusive=True)._replace(trusted=True)
        placer = placer_of(tree, keeps_times=True)
        unit_of(placer).place_by(as_helper(helper), stage.folder, Progress(None))
        (order,) = helper.told
        assert (order.trusted, order.keeps_times) == (True, True)
        assert order.sizes == [[3], [1, 3, 2], [4], [5]]
        assert (order.stamp, order.exclusive) == (STAMP * 10**9, True)

    def test_nothing_is_left_for_this_process(
        self, source: Path, target: Path, stage: Stage, helper: Helping, told: Told
    ) -> None:
        placer = placer_of(scanned(source))
        unit = unit_of(placer, "a", "a/deep", "b")
        unit.place_by(as_helper(helper), cast("Folder", None), Progress(told))
        assert len(contents(target)) == 3 + 5
        assert told == ["demo 1.0", 5]
        assert used(placer) == {COPY: 5}

    def test_nothing_is_left_for_the_helper(
        self, source: Path, target: Path, stage: Stage, told: Told
    ) -> None:
        placer = placer_of(scanned(source))
        unit_of(placer, INFO).place_by(cast("Helper", None), stage.folder, Progress(told))
        assert sorted(os.listdir(target / INFO)) == INFO_FILES
        assert told == ["demo 1.0", 3]

    @pytest.mark.parametrize(
        "refused", ["top.py", "a/one.py", "a/three.py", "a/two.py", "b/five.py"]
    )
    def test_goes_on_from_what_was_refused(
        self,
        source: Path,
        target: Path,
        stage: Stage,
        helper: Helping,
        told: Told,
        refused: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        refuse_links_to(monkeypatch, refused)
        placer = placer_of(scanned(source), HARDLINK, COPY)
        unit_of(placer).place_by(as_helper(helper), stage.folder, Progress(told))
        assert contents(target) == contents(source)
        assert used(placer) == {HARDLINK: 7, COPY: 1}
        assert told.files == 9
        assert placer.mode is HARDLINK

    def test_a_mode_that_does_not_work(
        self,
        source: Path,
        target: Path,
        stage: Stage,
        helper: Helping,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """The helper has placed none: the first file decides for the rest of the wheel."""
        refuse_links_to(monkeypatch, "top.py", errno.EXDEV)
        placer = placer_of(scanned(source), HARDLINK, COPY)
        unit_of(placer).place_by(as_helper(helper), stage.folder, Progress(None))
        assert used(placer) == {COPY: 8}
        assert placer.mode is COPY

    def test_a_mode_that_has_worked(
        self,
        source: Path,
        target: Path,
        stage: Stage,
        helper: Helping,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """The helper has placed some: one file says nothing of the others."""
        refuse_links_to(monkeypatch, "b/five.py", errno.EXDEV)
        placer = placer_of(scanned(source), HARDLINK, COPY)
        unit_of(placer).place_by(as_helper(helper), stage.folder, Progress(None))
        assert placer.mode is HARDLINK
        assert used(placer) == {HARDLINK: 7, COPY: 1}

    def test_another_wheel_in_its_place(
        self, source: Path, target: Path, stage: Stage, helper: Helping, tmp_path: Path
    ) -> None:
        placer = placer_of(scanned(source))
        source.rename(tmp_path / "old")
        make_wheel(source, FILES)
        with pytest.raises(LinkError, match="took the place"):
            unit_of(placer, "a", "b").place_by(as_helper(helper), stage.folder, Progress(None))

    def test_another_wheel_at_the_end(
        self, source: Path, target: Path, stage: Stage, helper: Helping, told: Told
    ) -> None:
        """All files are there. The error is raised by this process, which places none of them again."""
        placer = placer_of(scanned(source))

        class Late(Helping):
            def place(self, order: Order) -> Answer:
                answer = super().place(order)
                source.rename(source.with_name("old"))
                make_wheel(source, FILES)
                return answer._replace(complete=False)

        unit = unit_of(placer, "a", "b")
        with pytest.raises(LinkError, match="took the place"):
            unit.place_by(as_helper(Late(stage.folder)), stage.folder, Progress(told))
        assert told == ["demo 1.0", 4]

    def test_the_end_is_checked_once_more(
        self, source: Path, target: Path, stage: Stage, told: Told
    ) -> None:
        """It was refused, and is not any more."""

        class Incomplete(Helping):
            def place(self, order: Order) -> Answer:
                return super().place(order)._replace(complete=False)

        placer = placer_of(scanned(source))
        unit = unit_of(placer, "a", "a/deep", "b")
        left = unit._have_placed(
            [*unit.directories], as_helper(Incomplete(stage.folder)), Progress(told)
        )
        assert [(each.parts, each.files) for each in left] == [(("b",), [])]
        assert used(placer) == {COPY: 5}

    def test_what_was_looked_at_is_counted_once(
        self,
        source: Path,
        target: Path,
        stage: Stage,
        helper: Helping,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        if os.name == "nt":
            pytest.skip("no file is executable here")
        for name in ("a/one.py", "a/two.py", "b/five.py", "top.py"):
            (source / name).chmod(0o755)
        set_times(source, STAMP)
        refuse_links_to(monkeypatch, "a/three.py")
        placer = placer_of(checked(scanned(source)), HARDLINK, COPY)
        unit_of(placer).place_by(as_helper(helper), stage.folder, Progress(None))
        assert placer._executables == [3, 0, 1]

    def test_what_was_not_looked_at_is(
        self, source: Path, target: Path, stage: Stage, helper: Helping
    ) -> None:
        """One file of the second directory was changed: the helper stops there, this process says so."""
        set_times(source, STAMP)
        tree = checked(scanned(source))
        (source / "a/two.py").write_bytes(b"changed")
        with pytest.raises(NotAsUnpackedError):
            unit_of(placer_of(tree)).place_by(as_helper(helper), stage.folder, Progress(None))
        assert not (target / "b").exists()


def refuse_links_to(
    monkeypatch: pytest.MonkeyPatch, refused: str, number: int = errno.EMLINK
) -> None:
    """Let no hard link be made of one file, as if it had too many of them."""
    make = os.link
    name = refused.rpartition("/")[2]

    def link(source: Any, target: Any, **more: Any) -> None:
        if os.path.basename(source) == name:
            raise OSError(number, os.strerror(number), source)
        make(source, target, **more)

    monkeypatch.setattr(os, "link", link)


class TestVisit:
    def test_reads_and_places_all(
        self, source: Path, target: Path, stage: Stage, told: Told
    ) -> None:
        placer = placer_of(scan_root(source))
        assert visit_of(placer).place(stage.folder, Progress(told)) == []
        assert contents(target) == contents(source)
        assert told.files == 9
        assert found(placer) == found_by_scan(source)

    def test_leaves_what_is_too_much(self, source: Path, target: Path, stage: Stage) -> None:
        """The rest is shared by two, the first of which begins with what is next."""
        placer = placer_of(scan_root(source))
        visit = visit_of(placer, 2)
        rest = visit.place(stage.folder, Progress(None))
        assert rest == [
            Visit(placer, "7", [("b",), ("a",)], 2),
            Visit(placer, "7", [(INFO,)], 2),
        ]
        assert visit.unread == [()]
        assert os.listdir(target) == ["top.py"]

    @pytest.mark.parametrize("count", range(5))
    def test_halves(self, source: Path, count: int) -> None:
        visit = visit_of(placer_of(scan_root(source)))
        unread: list[tuple[str, ...]] = [(str(number),) for number in range(count)]
        shared = visit._shared_out(unread)
        assert [each.unread for each in shared] == [
            part for part in (unread[count // 2 :], unread[: count // 2]) if part
        ]

    def test_what_vanished(self, source: Path, target: Path, stage: Stage) -> None:
        root = os.path.realpath(source)
        at = os.path.join(root, "gone")
        with pytest.raises(LinkError, match="vanished while it was being linked") as caught:
            visit_of(placer_of(scan_root(source)), 9, ("gone",)).place(stage.folder, Progress(None))
        assert str(caught.value).startswith(f"cannot read the unpacked wheel {root!r} at {at!r}: ")
        assert caught.value.source == root

    def test_an_error_without_a_path(self, source: Path, target: Path, stage: Stage) -> None:
        root = os.path.realpath(source)
        with pytest.raises(LinkError) as caught:
            visit_of(placer_of(scan_root(source))).place(stage.folder, Progress(refusing))
        assert str(caught.value) == f"cannot read the unpacked wheel {root!r} at {root!r}: no more"


def found(placer: Placer) -> list[tuple[Sequence[str], list[str]]]:
    return [(each.parts, sorted(each.files)) for each in placer._found]


def found_by_scan(source: Path) -> list[tuple[Sequence[str], list[str]]]:
    tree = scan(source)
    everything = {each.parts: sorted(each.files) for each in tree.directories}
    return sorted(everything.items())


class TestVisitByHelper:
    def test_what_it_is_told(
        self, source: Path, target: Path, stage: Stage, helper: Helping, told: Told
    ) -> None:
        placer = placer_of(scan_root(source), HARDLINK, COPY)
        visit = visit_of(placer, 77)
        assert visit.place_by(as_helper(helper), stage.folder, Progress(told)) == []
        (order,) = helper.told
        root = os.path.realpath(source)
        status = os.stat(root)
        assert order == Order(
            mode="hardlink",
            path=root,
            identity=(status.st_dev, status.st_ino),
            staged="7",
            directories=[],
            trusted=False,
            keeps_times=False,
            unread=[()],
            most=77,
            sizes=[],
        )
        assert contents(target) == contents(source)
        assert (used(placer), forced(placer)) == ({HARDLINK: 8}, {COPY: 1})
        assert found(placer) == found_by_scan(source)
        assert told == ["demo 1.0", 6, 3]

    def test_leaves_what_is_too_much(
        self, source: Path, target: Path, stage: Stage, helper: Helping
    ) -> None:
        placer = placer_of(scan_root(source))
        rest = visit_of(placer, 2).place_by(as_helper(helper), stage.folder, Progress(None))
        assert [each.unread for each in rest] == [[("b",), ("a",)], [(INFO,)]]

    @pytest.mark.parametrize("refused", ["top.py", "one.py", "two.py", "four.py", "five.py"])
    def test_goes_on_from_what_was_refused(
        self,
        source: Path,
        target: Path,
        stage: Stage,
        helper: Helping,
        told: Told,
        refused: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """This process goes on with what was refused, and with what has not been read."""
        refuse_links_to(monkeypatch, refused)
        placer = placer_of(scan_root(source), HARDLINK, COPY)
        left = visit_of(placer).place_by(as_helper(helper), stage.folder, Progress(told))
        assert left == []
        assert contents(target) == contents(source)
        assert used(placer) == {HARDLINK: 7, COPY: 1}
        assert told.files == 9
        assert sorted(found(placer)) == found_by_scan(source)

    def test_symlinks_are_for_this_process(
        self, source: Path, target: Path, stage: Stage, helper: Helping, told: Told
    ) -> None:
        link(source / "a/link", "one.py")
        placer = placer_of(scan_root(source))
        visit_of(placer).place_by(as_helper(helper), stage.folder, Progress(told))
        assert os.readlink(target / "a/link") == "one.py"
        assert told == ["demo 1.0", 3, 4, 3]

    def test_what_was_refused_comes_first(
        self,
        source: Path,
        target: Path,
        stage: Stage,
        helper: Helping,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """The mode does not work, as the first file says that was tried with it; others were left to this process."""
        link(source / "link", "top.py")
        refuse_links_to(monkeypatch, "a/one.py", errno.EXDEV)
        (source / "a/two.py").unlink()
        (source / "a/three.py").unlink()
        placer = placer_of(scan_root(source), HARDLINK, COPY)
        visit_of(placer).place_by(as_helper(helper), stage.folder, Progress(None))
        assert used(placer) == {COPY: 6}
