"""What a helper process does with an order, in this process: how far it comes, and what it says of it."""

from __future__ import annotations

import io
import marshal
import os
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from wheels import contents, make_wheel, set_times

from small.link.test_placer import Unwilling
from small.link.test_placing import make_set_id
from wheel_linker._link import placing
from wheel_linker._link.helper import program
from wheel_linker._link.helper.program import ENOUGH, Answer, Order, carry_out
from wheel_linker.backends import default_backend

if TYPE_CHECKING:
    from pathlib import Path

    from wheel_linker._fs.folder import Folder
    from wheel_linker._fs.stage import Stage

INFO = "demo-1.0.dist-info"
FILES = {"a/one.py": b"1", "a/two.py": b"22", "b/three.py": b"333"}
BOTH: Any = [(("a",), ["one.py", "two.py"]), (("b",), ["three.py"])]
STAMP = 1_000_000_000


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return make_wheel(tmp_path / "wheel", FILES, mtime=STAMP)


@pytest.fixture
def target(stage: Stage, in_stage: Path) -> Path:
    """What stands for the wheel in the stage."""
    if stage.folder.fd is None:
        pytest.skip("there are no helper processes here")
    (in_stage / "7").mkdir()
    return in_stage / "7"


def order_for(source: Path, **more: Any) -> Order:
    """Return the order to copy two directories."""
    status = source.stat()
    told = Order(
        mode="copy",
        path=os.path.realpath(source),
        identity=(status.st_dev, status.st_ino),
        staged="7",
        directories=BOTH,
        trusted=False,
        keeps_times=False,
        unread=[],
        most=0,
    )
    return told._replace(**more)


def answer(directories: int, files: int, complete: bool, *looked_at: int) -> Answer:
    """Return what is said of directories whose names were known."""
    looks = looked_at or (directories, 0)
    return Answer(directories, files, complete, [], [], [], *looks)


def carried_out(stage: Stage, order: Order) -> Answer:
    return carry_out(order, stage.folder, default_backend())


class TestKnownDirectories:
    @pytest.mark.parametrize("mode", ["copy", "hardlink", "symlink"])
    def test_are_placed(self, source: Path, target: Path, stage: Stage, mode: str) -> None:
        assert carried_out(stage, order_for(source, mode=mode)) == answer(2, 0, True)
        assert sorted(contents(target)) == ["a", "a/one.py", "a/two.py", "b", "b/three.py"]
        assert (target / "a/one.py").is_symlink() == (mode == "symlink")
        assert (target / "a/one.py").samefile(source / "a/one.py") == (mode != "copy")

    def test_are_cloned_as_the_backend_does(self, source: Path, target: Path, stage: Stage) -> None:
        order = order_for(source, mode="clone")
        assert carry_out(order, stage.folder, Unwilling()) == answer(0, 0, False, 1, 0)

    def test_as_far_as_nothing_is_refused(self, source: Path, target: Path, stage: Stage) -> None:
        (target / "b").mkdir()
        (target / "b/three.py").touch()
        assert carried_out(stage, order_for(source)) == answer(1, 0, False, 2, 0)
        (target / "a/one.py").unlink()
        assert carried_out(stage, order_for(source)) == answer(0, 1, False, 1, 0)

    def test_in_a_stage_that_is_gone(self, source: Path, stage: Stage) -> None:
        assert carried_out(stage, order_for(source)) == answer(0, 0, False)

    def test_of_another_wheel(self, source: Path, target: Path, stage: Stage) -> None:
        order = order_for(source, identity=(1, 2))
        assert carried_out(stage, order) == answer(0, 0, False)
        assert contents(target) == {}

    @pytest.mark.parametrize("trusted", [True, False])
    def test_trusts_as_told(self, source: Path, target: Path, stage: Stage, trusted: bool) -> None:
        make_set_id(source / "a/two.py")
        found = carried_out(stage, order_for(source, mode="hardlink", trusted=trusted))
        assert found == (answer(2, 0, True) if trusted else answer(0, 1, False, 1, 0))

    @pytest.mark.parametrize("keeps_times", [True, False])
    @pytest.mark.parametrize("sizes", [(), [[1, 2], [3]]])
    def test_keeps_times_as_told(
        self, source: Path, target: Path, stage: Stage, keeps_times: bool, sizes: Any
    ) -> None:
        order = order_for(source, keeps_times=keeps_times, sizes=sizes, stamp=STAMP * 10**9)
        assert carried_out(stage, order).complete
        assert ((target / "a/one.py").stat().st_mtime == STAMP) == keeps_times


class TestLookingAtFiles:
    def looking(self, source: Path, **more: Any) -> Order:
        sizes = more.pop("sizes", [[1, 2], [3]])
        return order_for(source, sizes=sizes, stamp=STAMP * 10**9, **more)

    def test_as_they_must_be(self, source: Path, target: Path, stage: Stage) -> None:
        assert carried_out(stage, self.looking(source)) == answer(2, 0, True)

    def test_counts_executables(self, source: Path, target: Path, stage: Stage) -> None:
        for path in FILES:
            (source / path).chmod(0o755)
        set_times(source, STAMP)
        assert carried_out(stage, self.looking(source)) == answer(2, 0, True, 2, 3)

    @pytest.mark.parametrize("changed", [b"333", b"4444"])
    def test_a_changed_one(self, source: Path, target: Path, stage: Stage, changed: bytes) -> None:
        (source / "b/three.py").write_bytes(changed)
        assert carried_out(stage, self.looking(source)) == answer(1, 0, False)
        assert not (target / "b/three.py").exists()

    def test_not_where_they_need_not_be(self, source: Path, target: Path, stage: Stage) -> None:
        (source / "b/three.py").write_bytes(b"changed")
        order = self.looking(source, sizes=[[1, 2], None])
        assert carried_out(stage, order) == answer(2, 0, True)

    @pytest.mark.parametrize("exclusive", [True, False])
    def test_once_is_enough(
        self,
        source: Path,
        target: Path,
        stage: Stage,
        exclusive: bool,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """Where nobody else writes, files have the owners and bits that were seen."""
        asked: list[str] = []

        def is_wary(folder: Folder) -> bool:
            asked.append(os.path.basename(folder.path))
            return False

        monkeypatch.setattr(placing, "is_wary", is_wary)
        order = self.looking(source, mode="hardlink", exclusive=exclusive, sizes=[[1, 2], None])
        assert carried_out(stage, order) == answer(2, 0, True)
        assert asked == (["b"] if exclusive else ["a", "b"])

    def test_of_trusted_ones(
        self, source: Path, target: Path, stage: Stage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(placing, "is_wary", None)
        order = self.looking(source, mode="hardlink", trusted=True)
        assert carried_out(stage, order) == answer(2, 0, True)

    def test_what_must_not_be_shared(self, source: Path, target: Path, stage: Stage) -> None:
        make_set_id(source / "a/two.py")
        set_times(source, STAMP)
        order = self.looking(source, mode="hardlink", exclusive=True)
        assert carried_out(stage, order) == answer(0, 1, False, 1, 1)


def found(*names: str) -> Any:
    """Return what is said of directories that were read, one file in each, as far as that is known here."""
    files = {"": [], "a": ["one.py"], "b": ["three.py"], INFO: ["METADATA", "RECORD", "WHEEL"]}
    return [(tuple(filter(None, [name])), files[name], []) for name in names]


class TestUnreadDirectories:
    @pytest.fixture
    def source(self, tmp_path: Path) -> Path:
        return make_wheel(tmp_path / "wheel", {"a/one.py": b"1", "b/three.py": b"333"})

    def visited(self, stage: Stage, source: Path, most: int = 99, **more: Any) -> Answer:
        order = order_for(source, directories=[], unread=[()], most=most)._replace(**more)
        made = carried_out(stage, order)
        for _, files, _ in made.found:
            files.sort()
        return made

    def test_are_read_and_placed(self, source: Path, target: Path, stage: Stage) -> None:
        """All but one, whose RECORD is for this process."""
        made = self.visited(stage, source)
        names = [parts[-1] if parts else "" for parts, _, _ in made.found]
        assert sorted(names) == ["", "a", "b", INFO]
        assert made == Answer(4, 0, True, found(*names), [names.index(INFO)], [], 3, 0)
        assert {"a/one.py", "b/three.py"} <= {*contents(target)}
        assert os.listdir(target / INFO) == []

    def test_symlinks_are_for_the_parent(self, source: Path, target: Path, stage: Stage) -> None:
        (source / "a/link").symlink_to("one.py")
        made = self.visited(stage, source, unread=[("b",), ("a",)])
        assert made.found[0] == (("a",), ["one.py"], [("link", "one.py")])
        assert (made.directories, made.left, made.looked_at) == (2, [0], 1)
        assert os.listdir(target / "a") == []

    def test_as_many_as_are_enough(self, source: Path, target: Path, stage: Stage) -> None:
        made = self.visited(stage, source, 2, unread=[("b",), ("a",)])
        assert made == Answer(1, 0, True, found("a"), [], [("b",)], 1, 0)
        assert not (target / "b").exists()

    def test_as_far_as_nothing_is_refused(self, source: Path, target: Path, stage: Stage) -> None:
        (target / "a").mkdir()
        (target / "a/one.py").touch()
        made = self.visited(stage, source, unread=[("b",), ("a",)])
        assert (made.directories, made.files, made.complete) == (0, 0, False)
        assert (made.found, made.unread) == (found("a"), [("b",)])
        assert made.looked_at == 1

    def test_as_far_as_it_is_a_wheel(self, source: Path, target: Path, stage: Stage) -> None:
        if sys.platform == "win32":
            pytest.skip("there are no helper processes here")
        os.mkfifo(source / "b/fifo")
        made = self.visited(stage, source, unread=[("b",), ("a",)])
        assert (made.directories, made.complete) == (1, False)
        assert ("b",) in made.unread

    def test_of_another_wheel(self, source: Path, target: Path, stage: Stage) -> None:
        assert not self.visited(stage, source, identity=(1, 2)).complete

    def test_the_order_stays_as_it_is(self, source: Path, target: Path, stage: Stage) -> None:
        unread: list[Any] = [()]
        self.visited(stage, source, unread=unread)
        assert unread == [()]


class _Ended(BaseException):
    """Comes instead of the end of this process."""


class TestProgram:
    """What a process does from its start to its end."""

    def run(
        self, stage: Stage, orders: bytes, monkeypatch: pytest.MonkeyPatch
    ) -> tuple[list[Any], int]:
        """Return what it answers, and how it ends."""
        out, ends = io.BytesIO(), list[int]()

        def end(code: int) -> None:
            ends.append(code)
            raise _Ended

        monkeypatch.setattr(os, "_exit", end)
        monkeypatch.setattr(sys, "argv", ["-c", str(stage.folder.fd), stage.folder.path])
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(orders)))
        flushed = SimpleNamespace(write=out.write, flush=lambda: flushes.append(out.tell()))
        flushes: list[int] = []
        monkeypatch.setattr(sys, "stdout", SimpleNamespace(buffer=flushed))
        with pytest.raises(_Ended):
            program.main()
        monkeypatch.undo()
        out.seek(0)
        answers, positions = [], []
        while out.tell() < len(out.getvalue()):
            answers.append(marshal.load(out))
            positions.append(out.tell())
        # The parent waits for each.
        assert flushes == positions
        (code,) = ends
        return answers, code

    @pytest.mark.parametrize("end", [ENOUGH, b"", ENOUGH + b"more"])
    def test_carries_out_orders_until_there_are_no_more(
        self,
        source: Path,
        target: Path,
        stage: Stage,
        end: bytes,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        first = order_for(source, directories=BOTH[:1])
        second = order_for(source, directories=BOTH[1:], mode="symlink")
        orders = first.to_bytes() + second.to_bytes() + end
        answers, code = self.run(stage, orders, monkeypatch)
        assert answers == [
            program.interpreter(),
            tuple(answer(1, 0, True)),
            tuple(answer(1, 0, True)),
        ]
        assert code == 0
        assert (target / "a/two.py").read_bytes() == b"22"
        assert os.readlink(target / "b/three.py") == os.path.join(
            os.path.realpath(source), "b", "three.py"
        )

    def test_clones_by_the_backend_of_the_system(
        self, source: Path, target: Path, stage: Stage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(program, "default_backend", Unwilling)
        orders = order_for(source, mode="clone").to_bytes()
        answers, _ = self.run(stage, orders, monkeypatch)
        assert answers[1] == tuple(answer(0, 0, False, 1, 0))

    def test_names_files_as_its_parent_does(self) -> None:
        assert program.interpreter() == (
            sys.version,
            sys.getfilesystemencoding(),
            sys.getfilesystemencodeerrors(),
        )
