"""Asking interpreters for their directories."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import threading
import time
import venv
from pathlib import Path

import pytest
from examples.kit import write_wheel
from wheels import names

from wheel_linker import LinkError
from wheel_linker.install import Layout
from wheel_linker.install import layout as layout_module
from wheel_linker.install.asking import base_of, kept_in
from wheel_linker.install.interpreter import describe
from wheel_linker.store import WheelStore


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Every process that is started."""
    seen: list[object] = []
    real = subprocess.run

    def run(*arguments: object, **keywords: object) -> object:
        seen.append(arguments)
        return real(*arguments, **keywords)  # type: ignore[call-overload]

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(layout_module, "_answers", {})
    return seen


def test_running_interpreter(asked: list[object]) -> None:
    layout = Layout.for_python(sys.executable)
    assert layout.version == sys.version_info[:2]
    assert layout.os_name == os.name
    paths = sysconfig.get_paths()
    for scheme in ("purelib", "platlib", "scripts", "data"):
        assert layout.schemes[scheme] == paths[scheme]
    assert Layout.for_python(sys.executable) is layout
    assert len(asked) == 1


@pytest.mark.skipif(os.name != "posix", reason="symlinks an interpreter")
def test_environment(tmp_path: Path, asked: list[object]) -> None:
    where = tmp_path / "an env"
    venv.create(where, symlinks=True, with_pip=False)
    layout = Layout.for_python(where / "bin" / "python")
    assert layout.python == os.fspath(where / "bin" / "python")
    assert layout.schemes["data"] == os.fspath(where)
    assert layout.schemes["scripts"] == os.fspath(where / "bin")
    version = "python{}.{}".format(*layout.version)
    assert layout.schemes["headers"] == os.fspath(where / "include" / "site" / version)
    [packages] = (where / "lib").glob("*/site-packages")  # PyPy calls the directory otherwise
    assert layout.schemes["purelib"] == os.fspath(packages)


@pytest.mark.skipif(os.name != "posix", reason="symlinks an interpreter")
def test_environment_that_is_made_anew_is_asked_again(tmp_path: Path, asked: list[object]) -> None:
    where = tmp_path / "env"
    venv.create(where, symlinks=True, with_pip=False)
    Layout.for_python(where / "bin" / "python")
    Layout.for_python(os.fspath(where / "bin" / "python"))
    assert len(asked) == 1
    (where / "pyvenv.cfg").write_bytes((where / "pyvenv.cfg").read_bytes() + b"\n")
    Layout.for_python(where / "bin" / "python")
    assert len(asked) == 2


def test_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", os.path.dirname(sys.executable))
    name = os.path.basename(sys.executable)
    assert Layout.for_python(name).version == sys.version_info[:2]


def test_flat(tmp_path: Path) -> None:
    layout = Layout.for_target(tmp_path / "new")
    root = os.fspath(tmp_path / "new")
    assert {layout.schemes[name] for name in ("purelib", "platlib", "data")} == {root}
    assert layout.schemes["scripts"] == os.path.join(root, "bin")
    assert layout.schemes["headers"] == os.path.join(root, "include")
    assert layout.python == Layout.for_python(sys.executable).python
    assert names(tmp_path) == set()


def test_missing(tmp_path: Path) -> None:
    with pytest.raises(LinkError, match="no interpreter"):
        Layout.for_python("no-such-python")
    with pytest.raises(LinkError, match="ask the interpreter"):
        Layout.for_python(tmp_path / "python")


@pytest.mark.skipif(os.name != "posix", reason="writes a shell script")
@pytest.mark.parametrize("says", ["exit 3", "echo hello", "echo []", "echo oops >&2; exit 1"])
def test_what_is_no_python(tmp_path: Path, says: str) -> None:
    fake = tmp_path / "python"
    fake.write_text(f"#!/bin/sh\n{says}\n")
    fake.chmod(0o755)
    with pytest.raises(LinkError, match=r"ask the interpreter.*give the path of a Python"):
        Layout.for_python(fake)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork(2)")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_child_can_ask_while_a_thread_of_its_parent_does(tmp_path: Path) -> None:
    """What the other thread holds at the moment of the fork nobody lets go of in the child."""
    slow = tmp_path / "python"
    (tmp_path / "asked").mkdir()
    slow.write_text(
        f"#!/bin/sh\ntouch {tmp_path}/asked/now\n"
        f'while [ -e {tmp_path}/asked ]; do sleep 0.05; done\nexec {sys.executable} "$@"\n'
    )
    slow.chmod(0o755)
    asking = threading.Thread(target=Layout.for_python, args=(slow,))
    asking.start()
    try:
        while not (tmp_path / "asked" / "now").exists():
            time.sleep(0.01)
        child = os.fork()  # type: ignore[attr-defined,unused-ignore]
        if not child:
            signal.alarm(30)  # type: ignore[attr-defined,unused-ignore]
            Layout.for_python(sys.executable)
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    finally:
        shutil.rmtree(tmp_path / "asked")
        asking.join()


@pytest.mark.skipif(os.name != "posix", reason="symlinks an interpreter")
class TestBase:
    """What a base interpreter says once for all environments that are made by it."""

    @pytest.fixture
    def kept(self, tmp_path: Path) -> Path:
        with WheelStore(tmp_path / "store") as store:
            store.add(write_wheel(tmp_path / "one-1.0-py3-none-any.whl", {"one.py": ""}))
            directory = kept_in(store)
        assert directory is not None
        return Path(directory)

    @pytest.fixture
    def environments(self, tmp_path: Path) -> list[Path]:
        found = [tmp_path / name / "bin" / "python" for name in ("one", "an other")]
        for path in found:
            venv.create(path.parents[1], symlinks=True, with_pip=False)
        return found

    def test_is_what_each_says(
        self, kept: Path, environments: list[Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for path in environments:
            monkeypatch.setattr(layout_module, "_answers", {})
            known = Layout.for_python(path, kept_in=kept)
            monkeypatch.setattr(layout_module, "_answers", {})
            assert known == Layout.for_python(path)

    @pytest.mark.skipif(sys.version_info < (3, 11), reason="has no scheme of environments")
    def test_is_asked_once(self, kept: Path, environments: list[Path], asked: list[object]) -> None:
        first, second = (Layout.for_python(path, kept_in=kept) for path in environments)
        assert first.schemes != second.schemes
        described = [describe(path, kept_in=kept) for path in environments]
        assert described[0] == described[1]
        # For directories, and for markers and tags. Debian's PyPy names another directory than the one that it lies in.
        is_sure = sys.implementation.name == "cpython" or base_of(os.fspath(environments[0]))
        assert len(asked) == (2 if is_sure else 4)

    def test_of_what_is_not_sure_nothing_is_taken(
        self, kept: Path, environments: list[Path]
    ) -> None:
        path, other = environments
        base = path.resolve()
        path.unlink()
        shutil.copy2(base, path)
        text = (other.parents[1] / "pyvenv.cfg").read_text()
        home = next(line for line in text.splitlines() if line.startswith("home"))
        # Where the interpreter that is started does not lie.
        (other.parents[1] / "pyvenv.cfg").write_text(text.replace(home, f"home = {kept}"))
        assert [base_of(os.fspath(each)) for each in environments] == [None, None]
