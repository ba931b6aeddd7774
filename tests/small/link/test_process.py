"""A helper process as its parent sees it: whether there can be one, its start, its answers and its end.

In its place runs a program of the test's own, which tells what it was given.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from small.descriptors import open_descriptors
from small.link.test_placing import Copying, CopyingOnLinux
from wheel_linker import LinkError
from wheel_linker._fs.folder import Folder
from wheel_linker._fs.stage import staged
from wheel_linker._link.helper import process as module
from wheel_linker._link.helper.process import Helper, helper_in, may_clone, started
from wheel_linker._link.helper.program import Answer, Order, interpreter
from wheel_linker.backends import default_backend

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

if sys.platform == "win32":
    pytest.skip("helper processes are for Linux", allow_module_level=True)

ORDER = Order("copy", "/cache/demo", (1, 2), "7", [((), ["a"])], False, False, [], 0)
ANSWER = Answer(1, 0, True, [], [], [], 1, 0)
# It says what it is, then answers each order, and writes down what it was given.
LIKE_THE_REAL_ONE = """
import json, marshal, os, sys
def is_open(fd):
    try:
        return bool(os.fstat(fd))
    except OSError:
        return False
noted = {
    "arguments": sys.argv[2:],
    "session": os.getsid(0) == os.getpid(),
    "open": [fd for fd in range(3, 4_096) if is_open(fd)],
    "errors": os.path.samestat(os.fstat(2), os.stat(os.devnull)),
    "orders": [],
}
out = os.fdopen(1, "wb")
out.write(marshal.dumps(HELLO))
out.flush()
with os.fdopen(0, "rb") as orders:
    while (order := marshal.load(orders)) is not None:
        noted["orders"].append(order)
        out.write(marshal.dumps(SAID))
        out.flush()
with open(sys.argv[1], "w") as file:
    json.dump(noted, file)
"""


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Return a function that has a program run in the interpreter's place; it gives where that writes to."""
    notes = tmp_path / "notes.json"
    real = sys.executable

    def make(program: str) -> Path:
        script, path = tmp_path / "program.py", tmp_path / "python-of-the-test"
        script.write_text(program)
        path.write_text(f'#!/bin/sh\nexec "{real}" -I -S "{script}" "{notes}" "$@"\n')
        path.chmod(0o755)
        monkeypatch.setattr(sys, "executable", os.fspath(path))
        return notes

    return make


def like_the_real_one(hello: object = None) -> str:
    said = interpreter() if hello is None else hello
    return f"HELLO, SAID = {said!r}, {tuple(ANSWER)!r}\n{LIKE_THE_REAL_ONE}"


def start(path: str = "stage", fd: int = 0, kept: Sequence[int] = ()) -> subprocess.Popen[bytes]:
    process = module._start(path, fd, kept)
    assert process is not None
    return process


def end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.communicate()


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    """Fail a test that leaves a descriptor or a process."""
    before = open_descriptors()
    yield
    assert open_descriptors() == before
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


class TestWhereThereCanBeOne:
    @pytest.fixture
    def system(self, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
        """One where there can be."""
        system = SimpleNamespace(
            platform="linux",
            implementation=SimpleNamespace(name="cpython"),
            executable="/usr/bin/python3.11",
        )
        monkeypatch.setattr(module, "sys", system)
        return system

    def test_there(self, system: SimpleNamespace) -> None:
        assert module._can_be_had() is True
        system._is_gil_enabled = lambda: True
        system.frozen = False
        assert module._can_be_had() is True

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("platform", "darwin"),
            ("implementation", SimpleNamespace(name="pypy")),
            ("_is_gil_enabled", lambda: False),
            ("frozen", True),
            ("executable", None),
            ("executable", ""),
            ("executable", "/usr/sbin/uwsgi"),
            ("executable", "/opt/python/app"),
        ],
    )
    def test_nowhere_else(self, system: SimpleNamespace, name: str, value: object) -> None:
        setattr(system, name, value)
        assert module._can_be_had() is False

    def test_not_in_an_archive(
        self, system: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "__file__", os.fspath(tmp_path / "app.pyz/process.py"))
        assert module._can_be_had() is False

    @pytest.mark.parametrize(
        ("library", "possible"),
        [
            ("wheel_linker", True),
            ("tool._vendor.wheel_linker", True),
            ("tool._vendor.linker", False),
            ("wheel_linker.linker", False),
        ],
    )
    def test_only_under_the_name_of_its_directory(
        self,
        system: SimpleNamespace,
        library: str,
        possible: bool,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(module, "_LIBRARY", library)
        assert module._can_be_had() is possible

    @pytest.mark.parametrize("possible", [True, False])
    def test_it_clones_as_the_library_does(
        self, possible: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "_can_be_had", lambda: possible)
        assert may_clone(default_backend()) is possible
        assert may_clone(Copying()) is False
        assert may_clone(CopyingOnLinux()) is False


class TestStart:
    @pytest.mark.parametrize("writes", [True, False])
    def test_what_it_is_given(
        self, stand_in: Callable[[str], Path], writes: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sys, "dont_write_bytecode", not writes)
        notes = stand_in(like_the_real_one())
        kept = [os.open(os.devnull, os.O_RDONLY) for _ in range(3)]
        process = start("/site/stage", kept[0], kept[1:2])
        module._end(process)
        for fd in kept:
            os.close(fd)
        noted = json.loads(notes.read_text())
        utf8 = f"utf8={sys.flags.utf8_mode}"
        options = ["-I", "-S", "-X", utf8, *([] if writes else ["-B"])]
        code = ["-c", module._START, module._ROOT, module._LIBRARY]
        assert noted["arguments"] == [*options, *code, str(kept[0]), "/site/stage"]
        assert {*noted["open"]} & {*kept} == {*kept[:2]}
        assert noted["session"]
        assert noted["errors"]

    def test_an_interpreter_that_is_missing(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sys, "executable", os.fspath(tmp_path / "python"))
        assert module._start("stage", 0, ()) is None
        with started("stage", 0, ()) as helper:
            assert helper is None


class TestReady:
    def is_ready(self) -> tuple[bool, int | None]:
        """Return whether a process is of use, and how it has ended before it was told to."""
        process = start()
        found = module._is_ready(process)
        code = None if found else process.wait()
        end(process)
        return found, code

    def test_one_like_this(self, stand_in: Callable[[str], Path]) -> None:
        stand_in(like_the_real_one())
        assert self.is_ready() == (True, None)

    @pytest.mark.parametrize(
        "program",
        [
            pytest.param(like_the_real_one(("2.7", "ascii", "strict")), id="another Python"),
            pytest.param("import time; print('?', flush=True); time.sleep(60)", id="no Python"),
            pytest.param("import os, time; os.close(1); time.sleep(60)", id="says nothing"),
        ],
    )
    def test_another_one_is_killed(self, stand_in: Callable[[str], Path], program: str) -> None:
        stand_in(program)
        assert self.is_ready() == (False, -signal.SIGKILL)

    def test_one_that_stands_still_is_killed(
        self, stand_in: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "_MILLISECONDS_TO_START", 50)
        stand_in("import time; time.sleep(60)")
        assert self.is_ready() == (False, -signal.SIGKILL)

    def test_one_that_has_ended(self, stand_in: Callable[[str], Path]) -> None:
        stand_in("raise SystemExit(3)")
        found, _ = self.is_ready()
        assert not found


class TestOrders:
    def test_are_answered(self, stand_in: Callable[[str], Path]) -> None:
        notes = stand_in(like_the_real_one())
        with started("stage", 0, ()) as helper:
            assert helper is not None
            assert helper.place(ORDER) == ANSWER
            assert helper.place(ORDER._replace(mode="clone")) == ANSWER
        orders = json.loads(notes.read_text())["orders"]
        assert [order[0] for order in orders] == ["copy", "clone"]
        assert len(orders[0]) == len(ORDER)

    @pytest.mark.parametrize("when", ["before", "after"])
    def test_one_that_was_killed(self, stand_in: Callable[[str], Path], when: str) -> None:
        hello = f"import marshal, os\nos.write(1, marshal.dumps({interpreter()!r}))\n"
        stand_in(hello + ("marshal.load(os.fdopen(0, 'rb'))" if when == "after" else ""))
        with started("stage", 0, ()) as helper:
            assert helper is not None
            if when == "before":
                helper._process.wait()
            with pytest.raises(LinkError) as caught:
                helper.place(ORDER)
        assert str(caught.value) == (
            "a helper process that was linking '/cache/demo' has ended before it was through, as if killed: "
            "try again, with jobs=1 to do without such processes"
        )
        assert caught.value.source == "/cache/demo"
        assert isinstance(caught.value.__cause__, (OSError, EOFError))

    def test_can_be_cut_short(self, stand_in: Callable[[str], Path]) -> None:
        stand_in(
            f"import marshal, os, time\nos.write(1, marshal.dumps({interpreter()!r}))\ntime.sleep(60)"
        )
        with started("stage", 0, ()) as helper:
            assert helper is not None
            helper.kill()
            assert helper._process.wait() == -signal.SIGKILL

    def test_there_is_nobody_to_give_them_to(self, stand_in: Callable[[str], Path]) -> None:
        stand_in(like_the_real_one("another"))
        with started("stage", 0, ()) as helper:
            assert helper is None


class TestEnd:
    def test_it_is_told(self, stand_in: Callable[[str], Path]) -> None:
        notes = stand_in(like_the_real_one())
        process = start()
        assert module._is_ready(process)
        module._end(process)
        assert process.returncode == 0
        assert json.loads(notes.read_text())["orders"] == []

    def test_it_is_gone_already(self, stand_in: Callable[[str], Path]) -> None:
        stand_in("raise SystemExit(3)")
        process = start()
        process.wait()
        module._end(process)
        assert process.returncode == 3

    def test_it_stands_still(
        self, stand_in: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "_MILLISECONDS_TO_END", 50)
        stand_in("import time; time.sleep(60)")
        process = start()
        module._end(process)
        assert process.returncode == -signal.SIGKILL

    def test_it_needs_a_moment(self, stand_in: Callable[[str], Path]) -> None:
        stand_in("import time; time.sleep(0.2)")
        process = start()
        module._end(process)
        assert process.returncode == 0


class TestHelperIn:
    def test_a_stage_that_has_no_descriptor(
        self, site: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A process would have to find it by its path."""
        monkeypatch.setattr(module, "started", None)
        monkeypatch.setattr("wheel_linker._fs.folder.BY_DESCRIPTOR", False)
        with (
            Folder.open(os.path.realpath(site)) as folder,
            staged(folder) as stage,
            helper_in(stage) as helper,
        ):
            assert helper is None

    def test_a_stage(self, site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Its lock is inherited: it is in use as long as a process works in it."""
        told: list[Any] = []

        @contextmanager
        def noting(path: str, descriptor: int, kept: Sequence[int]) -> Iterator[Helper | None]:
            told.extend([path, descriptor, [*kept]])
            yield None

        monkeypatch.setattr(module, "started", noting)
        with Folder.open(os.path.realpath(site)) as folder, staged(folder) as stage:
            if stage.folder.fd is None:
                pytest.skip("directories are held by path here")
            with helper_in(stage) as helper:
                assert helper is None
            assert told == [stage.folder.path, stage.folder.fd, stage.locks()]
            assert len(stage.locks()) == 1
