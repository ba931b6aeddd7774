"""What has been installed is there at once, for the running process too; bytecode; threads."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
import threading
import venv
from importlib.metadata import distributions
from importlib.util import cache_from_source
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from wheels import snapshot

from install.kit import (
    FILES,
    check_record,
    check_recorded,
    files_in,
    make,
    no_litter,
    pure,
    root_of,
)
from wheel_linker import LinkError, LinkMode, Locks
from wheel_linker.install import Layout, install_wheel, install_wheels, uninstall

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

INFO, NEW_INFO = "demo-1.0.dist-info", "demo-2.0.dist-info"


@pytest.fixture
def path(layout: Layout) -> Iterator[None]:
    """Have the environment on the running interpreter's path."""
    pure(layout).mkdir(parents=True)
    sys.path.insert(0, str(pure(layout)))
    yield
    sys.path.remove(str(pure(layout)))
    forget()


def forget() -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] in {"demo", "single"}]:
        del sys.modules[name]


def test_at_once(layout: Layout, older: Path, newer: Path, path: None, mode: LinkMode) -> None:
    """After each call, without importlib.invalidate_caches()."""
    for _ in range(3):
        with pytest.raises(ImportError):
            importlib.import_module("demo.main")
        install_wheel(older, layout, mode=mode)
        assert importlib.import_module("demo").VERSION == 1
        assert importlib.import_module("demo.old.only").ONLY == 1
        assert importlib.import_module("single").SINGLE == 1
        forget()
        install_wheel(newer, layout, mode=mode)
        assert importlib.import_module("demo").VERSION == 2
        assert importlib.import_module("demo.new.only").ONLY == 2
        for name in ("single", "demo.old.only"):
            with pytest.raises(ImportError):
                importlib.import_module(name)
        forget()
        uninstall("demo", layout)


def test_known_to_the_standard_library(layout: Layout, older: Path) -> None:
    install_wheel(older, layout)
    (found,) = distributions(path=[str(pure(layout))])
    assert (found.name, found.version) == ("demo", "1.0")
    assert {entry.name for entry in found.entry_points} >= {"demo", "demo-gui"}
    assert all(Path(file.locate()).exists() for file in found.files or [])


class TestBytecode:
    def test_compiled(self, layout: Layout, older: Path, mode: LinkMode) -> None:
        before = snapshot(older, directory_times=True)
        install_wheel(older, layout, mode=mode, compile_bytecode=True)
        sources = [*pure(layout).rglob("*.py"), *Path(layout.schemes["platlib"]).rglob("*.py")]
        assert len(sources) == 6
        assert all(Path(cache_from_source(str(source))).is_file() for source in sources)
        assert snapshot(older, directory_times=True) == before
        uninstall("demo", layout)
        assert files_in(root_of(layout)) == set()

    def test_compiled_anew(self, layout: Layout, tmp_path: Path, mode: LinkMode) -> None:
        """Same size, same time: still not the bytecode of the old one."""
        for value in (b"1", b"2"):
            wheel = make(tmp_path / value.decode(), {"demo.py": b"print(%s)\n" % value})
            install_wheel(wheel, layout, mode=mode, compile_bytecode=True)
            done = subprocess.check_output([sys.executable, "-c", "import demo"], cwd=pure(layout))
            assert done.strip() == value

    def test_what_cannot_be_compiled(self, layout: Layout, tmp_path: Path) -> None:
        wheel = make(tmp_path / "w", {"template.py": b"{% x %}\n", "good.py": b""})
        install_wheel(wheel, layout, compile_bytecode=True)
        cached = {name.partition(".")[0] for name in files_in(pure(layout) / "__pycache__")}
        assert cached == {"good"}

    def test_interpreter_that_is_gone(self, layout: Layout, older: Path) -> None:
        """Everything is installed then, and the error says what failed."""
        gone = layout._replace(python="/nowhere/python")
        with pytest.raises(LinkError, match="compile"):
            install_wheel(older, gone, compile_bytecode=True)
        check_recorded(layout, INFO)


class TestThreads:
    def together(self, *actions: Callable[[], object]) -> list[BaseException]:
        failures: list[BaseException] = []
        barrier = threading.Barrier(len(actions))

        def work(action: Callable[[], object]) -> None:
            try:
                barrier.wait(20)
                action()
            except BaseException as error:  # noqa: BLE001 - looked at by the test
                failures.append(error)

        threads = [threading.Thread(target=work, args=(action,)) for action in actions]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
            assert not thread.is_alive()
        return failures

    @pytest.mark.parametrize("shared", [True, False])
    def test_versions_of_one(
        self, layout: Layout, older: Path, newer: Path, mode: LinkMode, shared: bool
    ) -> None:
        """One wins, as a whole."""
        locks = Locks() if shared else None
        for _ in range(6):
            failures = self.together(
                *(
                    lambda wheel=wheel: install_wheel(wheel, layout, mode=mode, locks=locks)
                    for wheel in (older, newer, older, newer)
                )
            )
            assert failures == []
            (info,) = pure(layout).glob("*.dist-info")
            check_recorded(layout, info.name)
        assert no_litter(root_of(layout))

    def test_many_that_share_directories(self, layout: Layout, tmp_path: Path) -> None:
        wheels = [
            make(
                tmp_path / f"w{number}",
                {
                    f"space/m{number}.py": b"",
                    f"w{number}-1.0.data/scripts/s{number}": b"#!python\n",
                    f"w{number}-1.0.data/data/share/d{number}": b"",
                },
                name=f"w{number}",
            )
            for number in range(24)
        ]
        locks = Locks()
        failures = self.together(
            *(
                lambda part=wheels[n::4]: [install_wheel(w, layout, locks=locks) for w in part]
                for n in range(4)
            )
        )
        assert failures == []
        check_recorded(layout, *(f"w{number}-1.0.dist-info" for number in range(24)))
        failures = self.together(
            *(
                lambda start=n: [
                    uninstall(f"w{k}", layout, locks=locks) for k in range(start, 24, 4)
                ]
                for n in range(4)
            )
        )
        assert failures == []
        assert files_in(root_of(layout)) == set()

    def test_install_and_uninstall(self, layout: Layout, older: Path) -> None:
        locks = Locks()
        for _ in range(10):
            install_wheel(older, layout, locks=locks)
            failures = self.together(
                lambda: uninstall("demo", layout, locks=locks),
                lambda: install_wheel(older, layout, locks=locks),
            )
            assert failures == []
            if files_in(root_of(layout)):
                check_recorded(layout, INFO)


def test_real_environment_and_its_pip(tmp_path: Path, older: Path, newer: Path) -> None:
    """What another tool says of it."""
    if sys.platform == "win32":
        pytest.skip("symlinks an interpreter")
    venv.create(tmp_path / "env", symlinks=True, with_pip=False)
    layout = Layout.for_python(tmp_path / "env/bin/python")
    install_wheels([older], layout)
    install_wheels([newer], layout, requested=True)
    pip = [sys.executable, "-m", "pip", "--python", layout.python, "--disable-pip-version-check"]
    done = subprocess.run([*pip, "list", "--format=json"], check=False, capture_output=True)
    if done.returncode:
        pytest.skip("needs a pip that knows --python")
    shipped = {"cffi", "greenlet", "hpy", "readline"}  # PyPy's own
    found = [each for each in json.loads(done.stdout) if each["name"] not in shipped]
    assert found == [{"name": "demo", "version": "2.0"}]
    check_record(layout, NEW_INFO)
    subprocess.run([*pip, "uninstall", "-y", "demo"], check=True, capture_output=True)
    assert files_in(pure(layout)) == set()
    assert FILES
