"""Building wheels up in the stage: what becomes of each, how the work is shared out, and on how many threads."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest
from wheels import contents, make_wheel, set_times

from small.descriptors import open_descriptors
from small.link.test_placer import Unwilling, Whole
from small.link.test_units import Told
from wheel_linker import LinkError, LinkMode, Locks
from wheel_linker._fs.folder import Folder, Identity
from wheel_linker._fs.stage import Stage, staged
from wheel_linker._link import staging as module
from wheel_linker._link.helper import process, starting
from wheel_linker._link.options import LinkOptions
from wheel_linker._link.placer import Placer
from wheel_linker._link.staging import _Workers, stage_all, threads_for
from wheel_linker._link.units import Unit, Visit
from wheel_linker._threads import run
from wheel_linker._wheel.progress import Progress
from wheel_linker._wheel.scan import scan, scan_root
from wheel_linker._wheel.tree import Directory, NotAsUnpackedError, Tree, Unpacked, number_ends
from wheel_linker.backends import default_backend

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from wheel_linker._link.helper.process import Helper
    from wheel_linker.backends import Backend

CLONE, COPY, HARDLINK = LinkMode.CLONE, LinkMode.COPY, LinkMode.HARDLINK
FILES = {"a/one.py": b"1", "a/two.py": b"22", "a/deep/er/three": b"333", "top.py": b"top"}
JOBS = [1, 2]


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = make_wheel(tmp_path / "wheel", FILES)
    return Path(os.path.realpath(path))


@pytest.fixture
def other(tmp_path: Path) -> Path:
    path = make_wheel(tmp_path / "other", {"other/x": b"x"}, name="other")
    return Path(os.path.realpath(path))


def options(jobs: int = 1, told: Told | None = None, backend: Backend | None = None) -> LinkOptions:
    backend = default_backend() if backend is None else backend
    return LinkOptions((COPY,), Locks(), None, jobs, Progress(told), backend)


def placer_of(source: Path | Tree, *chain: LinkMode, backend: Backend | None = None) -> Placer:
    tree = source if isinstance(source, Tree) else scan(source)
    backend = default_backend() if backend is None else backend
    return Placer(tree, chain or (COPY,), backend, None, "site", name="demo 1.0")


def entries(in_stage: Path) -> list[str]:
    return sorted({*os.listdir(in_stage)} - {"old", "owner"})


class TestStageAll:
    @pytest.mark.parametrize("jobs", JOBS)
    def test_builds_up_each_wheel(
        self, source: Path, other: Path, stage: Stage, in_stage: Path, told: Told, jobs: int
    ) -> None:
        before = open_descriptors()
        placers = (placer_of(each) for each in (source, other, source))
        stage_all(placers, stage, options(jobs, told))
        assert entries(in_stage) == ["0", "1", "2"]
        for name, wheel in zip("012", (source, other, source)):
            assert contents(in_stage / name) == contents(wheel)
        assert told.files == 7 + 4 + 7
        assert open_descriptors() == before

    @pytest.mark.parametrize("jobs", JOBS)
    def test_reads_what_nobody_has_read(
        self, source: Path, stage: Stage, in_stage: Path, jobs: int
    ) -> None:
        placer = placer_of(scan_root(source))
        stage_all([placer], stage, options(jobs))
        assert contents(in_stage / "0") == contents(source)
        assert placer.tree.is_read
        assert placer.tree.files == 7

    @pytest.mark.parametrize("jobs", JOBS)
    def test_more_files_beside(
        self, source: Path, other: Path, stage: Stage, in_stage: Path, jobs: int
    ) -> None:
        """Those are known when all wheels are."""
        beside: dict[str, Placer] = {}

        def coming() -> Iterator[Placer]:
            yield placer_of(source)
            (other / "other-1.0.dist-info").rename(other / "a")
            beside["0"] = more

        tree = scan(other, remedy="")
        more = placer_of(tree.without(1) if tree.directories[1].parts != ("other",) else tree)
        more = placer_of(only(other, "other"))
        stage_all(coming(), stage, options(jobs), beside)
        assert (in_stage / "0/other/x").read_bytes() == b"x"
        assert (in_stage / "0/top.py").exists()
        assert more.report(cast("Any", None), []).used == {COPY: 1}

    def test_files_beside_are_looked_at_too(self, source: Path, other: Path, stage: Stage) -> None:
        tree = only(other, "other")._replace(unpacked=Unpacked(1, 1))
        with pytest.raises(NotAsUnpackedError):
            stage_all([placer_of(source)], stage, options(), {"0": placer_of(tree)})

    def test_an_executable_is_missing(self, source: Path, stage: Stage) -> None:
        tree = scan(source)._replace(unpacked=Unpacked(1, 1))
        with pytest.raises(NotAsUnpackedError):
            stage_all([placer_of(source), placer_of(tree)], stage, options())

    @pytest.mark.parametrize("looked_at", [True, False])
    def test_what_vanished(self, source: Path, stage: Stage, looked_at: bool) -> None:
        tree = scan(source)
        if looked_at:
            tree = tree._replace(unpacked=Unpacked(1, 0))
        (source / "top.py").unlink()
        expected = NotAsUnpackedError if looked_at else LinkError
        with pytest.raises(expected):
            stage_all([placer_of(tree)], stage, options())

    def test_a_name_that_is_taken(self, source: Path, stage: Stage, in_stage: Path) -> None:
        (in_stage / "0").mkdir()
        with pytest.raises(LinkError) as caught:
            stage_all([placer_of(source)], stage, options())
        path, at = os.fspath(source), stage.folder.path
        assert str(caught.value).startswith(f"cannot make a directory in {at!r} for {path!r}: ")
        assert (caught.value.source, caught.value.destination) == (path, at)

    def test_by_path(self, source: Path, site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("wheel_linker._fs.folder.BY_DESCRIPTOR", False)
        with Folder.open(os.path.realpath(site)) as folder, staged(folder) as stage:
            stage_all([placer_of(source)], stage, options())
            assert contents(Path(stage.folder.path) / "0") == contents(source)


def only(source: Path, name: str) -> Tree:
    """Return a tree of one directory of a wheel, with its files."""
    status = source.stat()
    directories = [Directory((), [], []), Directory((name,), os.listdir(source / name), [])]
    number_ends(directories)
    return Tree.of(os.fspath(source), Identity(status.st_dev, status.st_ino), directories)


class TestWholeWheels:
    """They are cloned in one call where that can be."""

    @pytest.fixture(params=["descriptor", "portable"])
    def stage(
        self, request: pytest.FixtureRequest, site: Path, monkeypatch: pytest.MonkeyPatch
    ) -> Iterator[Stage]:
        if request.param == "portable":
            monkeypatch.setattr("wheel_linker._fs.folder.BY_DESCRIPTOR", False)
        with Folder.open(os.path.realpath(site)) as folder, staged(folder) as stage:
            yield stage

    def cloned(self, stage: Stage, *wheels: Path | Tree, backend: Backend, **how: Any) -> Path:
        """Have wheels staged; return the first one's clone."""
        placers = [placer_of(each, CLONE, COPY, backend=backend) for each in wheels]
        stage_all(placers, stage, options(backend=backend, **how))
        return Path(stage.folder.path) / "0"

    @pytest.mark.parametrize("jobs", JOBS)
    def test_are_cloned(
        self, source: Path, other: Path, stage: Stage, told: Told, jobs: int
    ) -> None:
        before = open_descriptors()
        clone = self.cloned(stage, source, other, backend=Whole(), told=told, jobs=jobs)
        assert contents(clone) == contents(source)
        assert contents(clone.with_name("1")) == contents(other)
        assert sorted(each for each in told if isinstance(each, int)) == [4, 7]
        assert told[0] == "demo 1.0"
        assert open_descriptors() == before

    @pytest.mark.parametrize("jobs", JOBS)
    def test_that_cannot_be_are_placed_file_by_file(
        self, source: Path, other: Path, stage: Stage, jobs: int
    ) -> None:
        clone = self.cloned(stage, source, other, backend=Whole(errno.EXDEV), jobs=jobs)
        assert contents(clone) == contents(source)
        assert contents(clone.with_name("1")) == contents(other)

    def test_are_placed_in_their_order(self, source: Path, other: Path, stage: Stage) -> None:
        """The errors of the first are raised."""
        trees = [scan(source), scan(other)]
        for wheel in (source, other):
            shutil.rmtree(wheel)
        with pytest.raises(LinkError) as caught:
            self.cloned(stage, *trees, backend=Whole(errno.EXDEV))
        assert caught.value.source == os.fspath(source)

    @pytest.mark.skipif(os.name == "nt", reason="there are no such bits here")
    @pytest.mark.parametrize("umask", [0o022, 0o077, 0o477])
    def test_have_the_bits_of_new_files(self, source: Path, stage: Stage, umask: int) -> None:
        (source / "a/one.py").chmod(0o600)
        (source / "a/two.py").chmod(0o755)
        (source / "top.py").chmod(0o600)
        (source / "a/deep").chmod(0o700)
        (source / "a").chmod(0o775)
        before = os.umask(umask)
        try:
            clone = self.cloned(stage, source, backend=Whole())
        finally:
            os.umask(before)
        found = {
            name: stat.S_IMODE((clone / name).stat().st_mode)
            for name in ("", "a", "a/deep", "a/one.py", "top.py", "a/two.py")
        }
        directory = 0o777 & ~umask | 0o700
        read, execute = 0o666 & ~umask, 0o777 & ~umask | 0o100
        assert found == {
            **dict.fromkeys(("", "a", "a/deep"), directory),
            **dict.fromkeys(("a/one.py", "top.py"), read),
            "a/two.py": execute,
        }

    def test_have_directories_of_the_present_time(self, source: Path, stage: Stage) -> None:
        """An importer may remember an older one, of what was there before."""
        set_times(source, 1_000_000_000)
        clone = self.cloned(stage, source, backend=Whole())
        for name in ("", "a", "a/deep/er"):
            assert abs((clone / name).stat().st_mtime - time.time()) < 3600
        assert (clone / "a/one.py").stat().st_mtime == 1_000_000_000

    def test_have_nothing_that_was_left_out(self, source: Path, stage: Stage) -> None:
        left_out = ("a/deep", "a/one.py", "top.py")
        tree = scan(source).excluding(lambda path: path in left_out)
        clone = self.cloned(stage, tree, backend=Whole())
        expected = contents(source)
        for name in (*left_out, "a/deep/er", "a/deep/er/three"):
            del expected[name]
        assert contents(clone) == expected
        assert (source / "a/deep/er/three").exists()

    def test_what_was_left_out_is_gone(self, source: Path, stage: Stage) -> None:
        tree = scan(source).excluding(lambda path: path == "a/one.py")
        (source / "a/one.py").unlink()
        with pytest.raises(LinkError) as caught:
            self.cloned(stage, tree, backend=Whole())
        path, at = os.fspath(source), os.fspath(source / "a/one.py")
        assert str(caught.value).startswith(
            f"cannot make the clone of {path!r} smaller at {at!r}: "
        )
        assert caught.value.source == path

    def test_errors_name_the_place_in_the_wheel(
        self, source: Path, stage: Stage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refused(*_: object) -> None:
            raise OSError(errno.EIO, "refused here", "one.py")

        path, at = os.fspath(source), os.fspath(source / "a/deep")
        with monkeypatch.context() as patched:
            patched.setattr(module, "remove_tree", refused)
            tree = scan(source).excluding(lambda path: path == "a/deep")
            with pytest.raises(LinkError) as caught:
                self.cloned(stage, tree, backend=Whole())
        assert str(caught.value).startswith(
            f"cannot make the clone of {path!r} smaller at {at!r}: refused here"
        )
        shutil.rmtree(Path(stage.folder.path) / "0")
        monkeypatch.setattr(module, "follow_umask", refused)
        with pytest.raises(LinkError) as caught:
            self.cloned(stage, source, backend=Whole())
        assert str(caught.value).startswith(
            f"cannot open up the clone of {path!r} at {path!r}: refused here"
        )
        assert caught.value.source == path

    def test_another_wheel_in_its_place(self, source: Path, stage: Stage) -> None:
        class Swapping(Whole):
            def clone_directory(self, here: str, there: str) -> None:
                os.rename(here, f"{here}-before")
                make_wheel(Path(here), FILES)
                super().clone_directory(here, there)

        with pytest.raises(LinkError, match="took the place"):
            self.cloned(stage, source, backend=Swapping())

    def test_a_clone_that_lacks_something(self, source: Path, stage: Stage) -> None:
        """A file that was removed meanwhile is not missed here; a directory is, since others are below it."""

        class Lacking(Whole):
            def __init__(self, name: str) -> None:
                super().__init__()
                self._name = name

            def clone_directory(self, here: str, there: str) -> None:
                super().clone_directory(here, there)
                if os.path.isdir(os.path.join(there, self._name)):
                    shutil.rmtree(os.path.join(there, self._name))
                else:
                    os.unlink(os.path.join(there, self._name))

        clone = self.cloned(stage, source, backend=Lacking("a/one.py"))
        assert os.access(clone / "a/two.py", os.R_OK)
        shutil.rmtree(clone)
        with pytest.raises(LinkError) as caught:
            self.cloned(stage, source, backend=Lacking("a"))
        at, path = os.fspath(source / "a"), os.fspath(source)
        assert str(caught.value).startswith(f"cannot open up the clone of {path!r} at {at!r}: ")


def tree_of(*sizes: int, depth: int = 1) -> Tree:
    """Return a wheel that is known by names alone: directories with so many files."""
    directories = [Directory((), [], [])]
    for index, size in enumerate(sizes):
        parts = (f"d{index}", *map(str, range(depth - 1)))
        directories.append(Directory(parts, [str(number) for number in range(size)], []))
    return Tree.of("wheel", Identity(1, 2), directories)


def unit(*sizes: int, mode: LinkMode = HARDLINK, depth: int = 1) -> Unit:
    tree = tree_of(*sizes, depth=depth)
    return Unit(placer_of(tree, mode), "0", tree.directories[1:])


def visit() -> Visit:
    tree = tree_of()._replace(is_read=False)
    return Visit(placer_of(tree, HARDLINK), "0", [()], 9)


class TestTasks:
    def tasks(self, tree: Tree) -> list[Any]:
        return list(module._tasks(placer_of(tree), "7"))

    def shared_out(self, *sizes: int) -> list[list[int]]:
        """Return for each unit how many files its directories have; the first is of the root, which has none."""
        units = list(module._units(placer_of(tree_of(*sizes)), "7"))
        assert {each.staged for each in units} <= {"7"}
        return [[len(one.files) for one in each.directories] for each in units]

    def test_of_what_nobody_has_read(self) -> None:
        tree = tree_of()._replace(is_read=False)
        (task,) = self.tasks(tree)
        assert isinstance(task, Visit)
        assert task[1:] == ("7", [()], 400)

    def test_of_nothing(self) -> None:
        assert self.tasks(tree_of()) == []

    def test_of_empty_directories(self) -> None:
        (task,) = self.tasks(tree_of(0))
        assert [one.parts for one in task.directories] == [(), ("d0",)]
        assert task.staged == "7"

    def test_of_files_in_the_root_alone(self) -> None:
        root = Directory((), ["a"], [])
        (task,) = self.tasks(Tree.of("wheel", Identity(1, 2), [root]))
        assert task.directories == [root]

    def test_are_large_enough(self) -> None:
        assert self.shared_out(397) == [[0, 397]]
        assert self.shared_out(397, 1) == [[0, 397, 1]]
        assert self.shared_out(398, 1) == [[0, 398], [1]]
        assert self.shared_out(100, 100, 100, 95) == [[0, 100, 100, 100, 95]]
        assert self.shared_out(399, 399, 398, 1, 5) == [[0, 399], [399], [398, 1], [5]]
        assert self.shared_out(900, 1) == [[0, 900], [1]]
        assert self.shared_out(900) == [[0, 900]]


class TestThreads:
    @pytest.mark.parametrize(
        ("entries", "has_lock", "threads"),
        [(4_999, True, 1), (5_000, True, 3), (0, False, 3), (5_000, False, 3)],
    )
    def test_for_so_many_files(
        self, entries: int, has_lock: bool, threads: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("sys._is_gil_enabled", lambda: has_lock, raising=False)
        assert threads_for(entries, 3) == threads

    def test_of_an_old_interpreter(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delattr("sys._is_gil_enabled", raising=False)
        assert threads_for(0, 3) == 1

    @pytest.mark.parametrize(("depth", "descriptors"), [(0, 4), (1, 6), (8, 20)])
    def test_have_the_way_down_open_here_and_there(self, depth: int, descriptors: int) -> None:
        assert module._descriptors(depth) == descriptors


@pytest.fixture
def helpers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have helper processes worth starting on any system, for few files."""
    monkeypatch.setattr(process, "_can_be_had", lambda: True)
    monkeypatch.setattr(starting, "ENTRIES_PER_HELPER", 10)


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have no helper processes."""
    monkeypatch.setattr(process, "_can_be_had", lambda: False)
    monkeypatch.setattr("sys._is_gil_enabled", lambda: True, raising=False)


def workers_for(stage: Stage, *tasks: Unit | Visit, jobs: int = 4) -> _Workers:
    """Return the workers that have taken note of tasks."""
    workers = _Workers(stage, Progress(None), jobs)
    assert list(workers.counted(tasks)) == [*tasks]
    return workers


class TestWorkers:
    @pytest.mark.usefixtures("alone")
    def test_nothing_to_do(self, stage: Stage) -> None:
        workers = workers_for(stage)
        assert workers.threads(True) == 1
        assert workers.threads(False) == 1

    @pytest.mark.usefixtures("alone")
    def test_threads_by_the_number_of_entries(self, stage: Stage) -> None:
        """Directories count as well as files."""
        assert workers_for(stage, unit(2_497), unit(2_498, 1)).threads(True) == 1
        assert workers_for(stage, unit(2_498), unit(2_498, 1)).threads(True) == 4

    @pytest.mark.usefixtures("alone")
    def test_threads_for_copies_and_for_what_is_not_known(self, stage: Stage) -> None:
        for task in (unit(1, mode=COPY), visit()):
            for tasks in ((task, unit(1)), (unit(1), task)):
                workers = workers_for(stage, *tasks)
                assert workers.threads(False) == 1
                assert workers.threads(True) == 4
                assert not workers._has_helpers

    @pytest.mark.usefixtures("helpers")
    def test_a_helper_for_each_so_many_entries(self, stage: Stage) -> None:
        for entries, threads in ((9, 1), (10, 2), (19, 2), (20, 3), (30, 4), (90, 4)):
            workers = workers_for(stage, unit(entries - 1))
            assert workers.threads(True) == threads
            assert workers._has_helpers is (threads > 1)

    @pytest.mark.usefixtures("helpers")
    def test_a_guess_for_what_nobody_has_read(self, stage: Stage) -> None:
        assert workers_for(stage, visit(), jobs=99).threads(True) == 1 + 200 // 10

    @pytest.mark.usefixtures("helpers")
    def test_helpers_before_all_is_known(self, stage: Stage) -> None:
        workers = workers_for(stage, unit(9))
        assert workers.threads(False) == 2
        workers._entries = 19
        workers._has_helpers = False
        # Nobody asks again before there may be one more.
        assert workers.threads(False) == 2
        assert not workers._has_helpers
        workers._entries = 20
        assert workers.threads(False) == 3
        assert workers._has_helpers
        workers._entries = 29
        workers._has_helpers = False
        assert workers.threads(False) == 3
        assert not workers._has_helpers
        assert workers.threads(True) == 3
        assert workers._has_helpers

    @pytest.mark.usefixtures("helpers")
    def test_not_more_than_there_are_descriptors_for(
        self, stage: Stage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What is not known yet is taken to be as deep as wheels mostly are."""
        asked: list[tuple[int, int]] = []

        def affordable(jobs: int, descriptors: int) -> int:
            asked.append((jobs, descriptors))
            return 2

        monkeypatch.setattr(module, "affordable", affordable)
        for depth, is_all in ((3, True), (3, False), (11, True), (11, False)):
            workers = workers_for(stage, unit(50, depth=depth), unit(50, depth=2))
            assert workers.threads(is_all) == 2
        workers = workers_for(stage, unit(50, depth=2), visit())
        assert workers.threads(True) == 2
        assert asked == [(4, 10), (4, 20), (4, 26), (4, 26), (4, 20)]

    @pytest.mark.usefixtures("alone")
    def test_not_more_threads_either(self, stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "affordable", lambda jobs, descriptors: 2)
        assert workers_for(stage, unit(6_000)).threads(True) == 2
        assert workers_for(stage, visit()).threads(True) == 2

    @pytest.mark.usefixtures("helpers")
    def test_none_for_a_callers_backend(self, stage: Stage) -> None:
        tree = tree_of(50)
        task = Unit(placer_of(tree, CLONE, backend=Unwilling()), "0", tree.directories)
        workers = workers_for(stage, task)
        assert workers.threads(True) == 1
        assert not workers._has_helpers

    def test_what_the_other_threads_do_tasks_by(
        self, stage: Stage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(_Workers, "with_helper", lambda _: "helper")
        monkeypatch.setattr(_Workers, "with_late_helper", lambda _: "late helper")
        workers = workers_for(stage, unit(1))
        with workers.along() as place:
            assert place == workers.place
        workers = workers_for(stage, unit(1), visit())
        assert cast("Any", workers.along()) == "late helper"
        workers._has_helpers = True
        assert cast("Any", workers.along()) == "helper"

    def test_do_a_task(self, source: Path, stage: Stage, in_stage: Path, told: Told) -> None:
        (in_stage / "0").mkdir()
        placer = placer_of(scan_root(source))
        workers = _Workers(stage, Progress(told), 1)
        left = workers.place(Visit(placer, "0", [()], 2))
        assert left is not None
        assert [one.unread for one in cast("Sequence[Visit]", left)] == [
            [("a",)],
            [("demo-1.0.dist-info",)],
        ]
        assert told == ["demo 1.0", 1]
        assert (in_stage / "0/top.py").exists()

    def test_end_their_helpers(self, stage: Stage) -> None:
        class Running:
            def __init__(self) -> None:
                self.is_killed = False

            def kill(self) -> None:
                self.is_killed = True

        workers = _Workers(stage, Progress(None), 2)
        both = [Running(), Running()]
        workers._helpers += cast("list[Helper]", both)
        workers.stop()
        assert [each.is_killed for each in both] == [True, True]

    @pytest.mark.parametrize("given", [True, False])
    def test_have_a_helper_if_there_can_be_one(
        self, source: Path, stage: Stage, given: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        helper = object() if given else None

        @contextmanager
        def helper_in(of: Stage) -> Iterator[Any]:
            assert of is stage
            yield helper

        monkeypatch.setattr(process, "helper_in", helper_in)
        workers = _Workers(stage, Progress(None), 2)
        with workers.with_helper() as place:
            assert (place == workers.place) is not given
        assert workers._helpers == ([helper] if given else [])


class TestHowTasksAreDone:
    @pytest.fixture
    def done(self, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
        """How threads were asked for."""
        asked: list[dict[str, Any]] = []

        def noting(tasks: Any, work: Any, jobs: int, **more: Any) -> None:
            asked.append({"work": work.__name__, "jobs": jobs, **more})
            run(tasks, work, jobs, **more)

        monkeypatch.setattr(module, "run", noting)
        return asked

    def test_on_one_thread(self, source: Path, stage: Stage, done: list[dict[str, Any]]) -> None:
        """Nothing is counted, and no helper process thought of."""
        stage_all([placer_of(source)], stage, options(1))
        assert done == [{"work": "place", "jobs": 1}]

    def test_on_more(self, source: Path, stage: Stage, done: list[dict[str, Any]]) -> None:
        stage_all([placer_of(source)], stage, options(3))
        (asked,) = done
        assert (asked["work"], asked["jobs"]) == ("place", 3)
        workers = asked["worth"].__self__
        assert asked["others"] == workers.along
        assert asked["stop"] == workers.stop
        assert asked["worth"] == workers.threads
        assert workers._entries > 0
        assert (workers._stage, workers._jobs) == (stage, 3)
