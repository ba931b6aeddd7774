"""The demonstration: that it is honest, and leaves no trace in the process or on the disk."""

from __future__ import annotations

import importlib
import os
import re
import stat
import sys
import types
import warnings
from importlib.machinery import EXTENSION_SUFFIXES
from typing import TYPE_CHECKING, Final

import pytest
from filesystems import can_clone
from wheels import make_wheel, names, snapshot, zip_wheel

from wheel_linker import LinkMode, WheelLinkerError
from wheel_linker._api import link_wheels
from wheel_linker._cli import output
from wheel_linker._cli.demo import installing
from wheel_linker._cli.demo import linking as demo
from wheel_linker._cli.demo.fresh_import import Environment, has_native_code, importable_names
from wheel_linker._wheel.scan import scan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from wheel_linker import LinkReport

NAME = "wheel_linker_test_module"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """An unpacked wheel whose package no process has loaded."""
    files = {
        f"{NAME}/__init__.py": b"from .sub import answer\n__version__ = '1.5'\n",
        f"{NAME}/sub.py": b"answer = 42\n",
    }
    return make_wheel(tmp_path / "cache" / "w", files, name="demo_thing", version="1.5")


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have no rich."""
    monkeypatch.setattr(output, "has_rich", lambda: False)


@pytest.fixture
def temporary(place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary directories are made, on each file system in turn."""
    directory = place / "temporary"
    directory.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(directory))
    return directory


@pytest.fixture
def no_trace() -> Iterator[None]:
    """Check that a test changes nothing in the process that imports look at."""

    def state() -> tuple[object, ...]:
        loaded = {name: id(module) for name, module in sys.modules.items() if NAME in name}
        return list(sys.path), sys.dont_write_bytecode, loaded, list(warnings.filters)

    before = state()
    yield
    assert state() == before


@pytest.fixture
def only_linking(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the second half, which has tests of its own."""
    monkeypatch.setattr(demo, "demonstrate_install", lambda *_: None)


def rows(output: str) -> dict[str, list[str]]:
    """Return the cells of a plain table, by their first."""
    lines = [re.split(r"  +", line) for line in output.splitlines()]
    return {cells[0]: cells for cells in lines if cells[0] in demo.MODES}


@pytest.mark.usefixtures("plain", "no_trace", "only_linking")
class TestDemonstrate:
    @pytest.mark.parametrize("archived", [True, False])
    def test_every_mode(
        self,
        source: Path,
        temporary: Path,
        capsys: pytest.CaptureFixture[str],
        archived: bool,
    ) -> None:
        before = snapshot(source, directory_times=True)
        demo.demonstrate([str(zip_wheel(source, temporary.parent) if archived else source)])
        assert snapshot(source, directory_times=True) == before
        assert names(temporary) == set()
        found = rows(capsys.readouterr().out)
        assert list(found) == list(demo.MODES)
        for asked, _, files, milliseconds, _, imported, *_ in found.values():
            assert int(files) == 5, asked
            assert float(milliseconds) > 0
            assert imported == f"{NAME} 1.5"

    @pytest.mark.skipif(os.name != "posix", reason="modes and blocks as on POSIX")
    def test_tells_what_it_took(
        self, source: Path, temporary: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        demo.demonstrate([str(zip_wheel(source, temporary.parent))])
        found = rows(capsys.readouterr().out)
        used = {asked: cells[1] for asked, cells in found.items()}
        disk = {asked: cells[4] for asked, cells in found.items()}
        reasons = {asked: cells[6:] for asked, cells in found.items()}
        cloning = can_clone(temporary)
        assert used == {
            "clone": "clone" if cloning else "copy",
            "hardlink": "hardlink",
            "symlink": "symlink",
            "copy": "copy",
            "auto": "clone" if cloning else "hardlink",
        }
        assert ("shared" in disk["clone"]) == cloning
        assert bool(reasons["clone"]) == (not cloning)
        assert all(reason[0].startswith("clone: ") for reason in reasons.values() if reason)
        if not cloning:
            assert int(disk["hardlink"]) < int(disk["copy"]) == int(disk["clone"])

    def test_files_of_the_source_keep_their_permissions(
        self, source: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
        (source / NAME / "sub.py").chmod(0o444)
        demo.demonstrate([str(source)])
        assert stat.S_IMODE((source / NAME / "sub.py").stat().st_mode) == 0o444

    def test_what_lacks_a_dependency_is_told(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        code = {f"{NAME}.py": b"import wheel_linker_no_such_module\n"}
        demo.demonstrate([str(make_wheel(tmp_path / "w", code))])
        assert "running it failed: ModuleNotFoundError: No module" in capsys.readouterr().out

    def test_native_code_is_not_run(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        files = {
            f"{NAME}/__init__.py": b"raise SystemExit\n",
            f"{NAME}/x{EXTENSION_SUFFIXES[0]}": b"",
        }
        demo.demonstrate([str(make_wheel(tmp_path / "w", files))])
        assert "not run" in capsys.readouterr().out

    def test_wheels_without_modules_are_found(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        demo.demonstrate([str(make_wheel(tmp_path / "w", {"data/x.txt": b""}))])
        assert "demo 1.0 (found; it has no modules)" in capsys.readouterr().out

    def test_several_wheels(
        self, source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        other = make_wheel(tmp_path / "w", {f"{NAME}_2.py": b""}, name="other", version="2")
        demo.demonstrate([str(source), str(zip_wheel(other, tmp_path))])
        output = capsys.readouterr().out
        assert all(cells[5] == "2 modules" for cells in rows(output).values())
        assert f"\n  {NAME} 1.5\n  {NAME}_2 2\n" in output

    @pytest.mark.parametrize("error", [KeyboardInterrupt, WheelLinkerError])
    def test_nothing_is_left_when_it_is_broken_off(
        self,
        source: Path,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        error: type[BaseException],
    ) -> None:
        (tmp_path / "temporary").mkdir()
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))

        def broken_off(*_: object) -> Mapping[str, str]:
            raise error

        monkeypatch.setattr(Environment, "distributions", broken_off)
        with pytest.raises(error):
            demo.demonstrate([str(source)])
        assert names(tmp_path / "temporary") == set()


@pytest.mark.usefixtures("plain", "no_trace", "only_linking")
class TestHonesty:
    @pytest.fixture
    def linking(self, monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[str], None]], None]:
        """Return a function that has something done to each environment after it was linked into."""

        def after(spoil: Callable[[str], None]) -> None:
            def link(site: str, wheels: list[str], **options: str) -> list[LinkReport]:
                reports = link_wheels(site, wheels, **options)  # type: ignore[arg-type]
                spoil(site)
                return reports

            monkeypatch.setattr(demo, "link_wheels", link)

        return after

    def test_a_directory_time_that_stayed_the_same_is_found_out(
        self,
        source: Path,
        linking: Callable[[Callable[[str], None]], None],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        times: dict[str, int] = {}
        real = demo._read_the_listing

        def read(environment: Environment, trees: list[object]) -> None:
            times[environment._site] = os.stat(environment._site).st_mtime_ns
            real(environment, trees)  # type: ignore[arg-type]

        monkeypatch.setattr(demo, "_read_the_listing", read)
        linking(lambda site: os.utime(site, ns=(times[site], times[site])))
        with pytest.raises(WheelLinkerError, match=r"Python (sees version None|does not see)"):
            demo.demonstrate([str(source)])

    def test_another_version_is_found_out(
        self, source: Path, linking: Callable[[Callable[[str], None]], None]
    ) -> None:
        def other_version(site: str) -> None:
            metadata = os.path.join(site, "demo_thing-1.5.dist-info", "METADATA")
            os.unlink(metadata)
            with open(metadata, "w", encoding="utf-8") as file:
                file.write("Metadata-Version: 2.1\nName: demo_thing\nVersion: 1.6\n")

        linking(other_version)
        with pytest.raises(WheelLinkerError, match=r"sees version 1\.6 .* 1\.5 was just linked"):
            demo.demonstrate([str(source)])

    def test_an_import_from_elsewhere_is_found_out(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        elsewhere, site = tmp_path / "elsewhere", tmp_path / "site"
        for directory in (elsewhere, site):
            directory.mkdir()
        (elsewhere / f"{NAME}.py").write_text("")
        with Environment(str(site)) as environment, monkeypatch.context() as patch:
            patch.syspath_prepend(elsewhere)
            with pytest.raises(WheelLinkerError, match="not from"):
                environment.version_of(NAME)

    def test_a_failing_import_is_found_out(self, tmp_path: Path) -> None:
        with (
            Environment(str(tmp_path)) as environment,
            pytest.raises(WheelLinkerError, match="cannot import"),
        ):
            environment.version_of(NAME)


TOOL: Final = f"{NAME}_tool"


def tool(root: Path, code: str, *, script: bool = True, **files: bytes) -> Path:
    """Write an unpacked wheel of one module, with a console script that runs it."""
    points = {"tool-1.0.dist-info/entry_points.txt": f"[console_scripts]\ntool = {TOOL}:main\n"}
    every = {f"{TOOL}.py": code, **(points if script else {})}
    encoded = {name: text.encode() for name, text in every.items()}
    return make_wheel(root, {**encoded, **files}, name="tool")


@pytest.mark.usefixtures("plain", "no_trace")
class TestInstalling:
    @pytest.fixture(autouse=True)
    def quick(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
        """Have the modes left out, and a temporary place that must be empty afterwards."""
        pytest.importorskip("installer")
        monkeypatch.setattr(demo, "MODES", ("copy",))
        directory = tmp_path / "temporary"
        directory.mkdir()
        monkeypatch.setattr("tempfile.tempdir", str(directory))
        yield
        assert names(directory) == set()

    @pytest.fixture
    def shown(self, capsys: pytest.CaptureFixture[str]) -> Callable[[Path], dict[str, list[str]]]:
        """Return a function that demonstrates with a wheel, and returns all lines' cells by their first."""

        def show(wheel: Path) -> dict[str, list[str]]:
            demo.demonstrate([str(wheel)])
            lines = capsys.readouterr().out.splitlines()
            return {cells[0]: cells[1:] for cells in (re.split(r"  +", line) for line in lines)}

        return show

    def test_a_console_script_and_pip(
        self, tmp_path: Path, shown: Callable[[Path], dict[str, list[str]]]
    ) -> None:
        source = tool(tmp_path / "w", "def main():\n    print('this is the tool')\n")
        found = shown(zip_wheel(source, tmp_path))
        assert found["unpack into the store, once"][1] == "verified"
        assert found["install"][1].endswith("; 1 script")
        assert found["run tool --version"][1] == "this is the tool"
        assert found["uninstall"][1] == "nothing is left"
        assert found["sync, with nothing to do"][1] == "1 kept, 0 changed"
        pip, own, call = (
            found[how]
            for how in (
                installing._PIP,
                "wheel-linker install",
                "install_wheels(), in this process",
            )
        )
        # What is quicker is the benchmark's business; here the ratio must be that of the seconds beside it.
        assert pip[1] == "1.0"
        for seconds, ratio in (own, call):
            assert float(ratio) == pytest.approx(float(pip[0]) / float(seconds), abs=0.06, rel=0.1)

    @pytest.mark.parametrize("archived", [True, False])
    def test_without_a_script_a_module_is_imported(
        self,
        source: Path,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        shown: Callable[[Path], dict[str, list[str]]],
        archived: bool,
    ) -> None:
        monkeypatch.setattr(installing, "_compare", lambda *_: None)
        found = shown(zip_wheel(source, tmp_path) if archived else source)
        assert found[f"import {NAME}"][1].startswith(f"{NAME} 1.5 from ...")
        assert ("unpack into the store, once" in found) == archived
        assert ("with bytecode of the store" in found) == archived
        if archived:
            assert all(float(cell) > 0 for cell in found["with bytecode of the store"])

    def test_without_either_it_says_so(
        self, tmp_path: Path, shown: Callable[[Path], dict[str, list[str]]]
    ) -> None:
        found = shown(make_wheel(tmp_path / "w", {"data/x.txt": b""}))
        assert found["run"][1] == "demo has neither a console script nor a module"
        assert "pip is not compared: it does not install unpacked wheels." in found

    def test_a_script_that_fails_is_told(
        self, tmp_path: Path, shown: Callable[[Path], dict[str, list[str]]]
    ) -> None:
        source = tool(tmp_path / "w", "import wheel_linker_no_such_module\n")
        (said,) = shown(source)["run tool --version"][1:]
        assert said.startswith("it ended with 1: ModuleNotFoundError: No module named")

    def test_what_is_left_is_found_out(self, tmp_path: Path) -> None:
        code = "def main():\n    open(__file__ + '.log', 'w').close()\n"
        with pytest.raises(WheelLinkerError, match=rf"1 difference, such as .*{TOOL}\.py\.log"):
            demo.demonstrate([str(tool(tmp_path / "w", code))])

    def test_a_module_from_elsewhere_is_found_out(self, tmp_path: Path) -> None:
        source = tool(tmp_path / "w", "__file__ = '/elsewhere/x.py'", script=False)
        with pytest.raises(WheelLinkerError, match="not from"):
            demo.demonstrate([str(source)])

    def test_a_script_that_does_not_end_is_found_out(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(installing, "_TIMEOUT", 1)
        source = tool(tmp_path / "w", "import time\ndef main():\n    time.sleep(60)\n")
        with pytest.raises(WheelLinkerError, match="did not end in 1 seconds"):
            demo.demonstrate([str(source)])

    def test_no_pip(
        self,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        shown: Callable[[Path], dict[str, list[str]]],
    ) -> None:
        monkeypatch.setattr(demo, "_wheel_directories", lambda: iter([str(tmp_path / "missing")]))
        monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
        archive = zip_wheel(tool(tmp_path / "w", "main = print"), tmp_path)
        assert "pip is not compared: there is none." in shown(archive)

    def test_a_pip_that_refuses(
        self,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        shown: Callable[[Path], dict[str, list[str]]],
    ) -> None:
        monkeypatch.setattr(installing, "_PIP", "pip install --no-such-option")
        archive = zip_wheel(tool(tmp_path / "w", "main = print"), tmp_path)
        found = shown(archive)
        assert any(line.startswith("pip is not compared: cannot pip install it") for line in found)

    def test_without_the_library_one_line_says_what_brings_it(
        self,
        source: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        monkeypatch.setitem(sys.modules, "installer", None)
        for name in [name for name in sys.modules if name.startswith("wheel_linker.install")]:
            monkeypatch.delitem(sys.modules, name)
        demo.demonstrate([str(source)])
        *_, before, line = capsys.readouterr().out.splitlines()
        assert before == ""
        assert line.startswith("Installing is not shown: ")
        assert "wheel-linker[install]" in line


@pytest.mark.usefixtures("no_trace")
class TestEnvironment:
    def test_keeps_an_old_listing(self, tmp_path: Path) -> None:
        # Else the demonstration would show nothing.
        before = tmp_path.stat()
        with Environment(str(tmp_path)) as environment:
            assert not environment.has(NAME)
            (tmp_path / f"{NAME}.py").write_text("")
            os.utime(tmp_path, ns=(before.st_atime_ns, before.st_mtime_ns))
            assert not environment.has(NAME)
            importlib.invalidate_caches()
            assert environment.has(NAME)

    def test_puts_back_what_was_loaded(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / f"{NAME}.py").write_text("__version__ = '7'")
        loaded, below = types.ModuleType(NAME), types.ModuleType(f"{NAME}.below")
        monkeypatch.setitem(sys.modules, NAME, loaded)
        monkeypatch.setitem(sys.modules, f"{NAME}.below", below)
        with Environment(str(tmp_path)) as environment:
            assert environment.version_of(NAME) == "7"
        assert sys.modules[NAME] is loaded
        assert sys.modules[f"{NAME}.below"] is below
        monkeypatch.undo()

    def test_does_not_ask_a_module_that_computes_its_version(self, tmp_path: Path) -> None:
        (tmp_path / f"{NAME}.py").write_text("def __getattr__(name): raise SystemExit")
        with Environment(str(tmp_path)) as environment:
            assert environment.version_of(NAME) is None

    def test_writes_no_bytecode(self, tmp_path: Path) -> None:
        (tmp_path / f"{NAME}.py").write_text("")
        with Environment(str(tmp_path)) as environment:
            environment.version_of(NAME)
        assert names(tmp_path) == {f"{NAME}.py"}


class TestNames:
    @pytest.mark.parametrize(
        ("files", "expected"),
        [
            (["a/__init__.py", "b.py", "a/c.py"], ["a", "b"]),
            (["_a/__init__.py", "b.py"], ["b"]),
            (["_a/__init__.py"], ["_a"]),
            (["data/x.txt", "not-a-name.py", "x.pth"], []),
            (["space/inner/__init__.py"], []),
            ([f"native{EXTENSION_SUFFIXES[0]}"], ["native"]),
        ],
    )
    def test_importable(self, tmp_path: Path, files: list[str], expected: list[str]) -> None:
        tree = scan(make_wheel(tmp_path / "w", dict.fromkeys(files, b"")))
        assert importable_names(tree) == expected
        assert has_native_code(tree) == any("native" in name for name in files)


class TestBundledPip:
    @pytest.fixture
    def directories(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
        """Two directories to look in, in this order."""
        made = [tmp_path / "own", tmp_path / "system"]
        for directory in made:
            directory.mkdir()
        monkeypatch.setattr(demo, "_wheel_directories", lambda: map(str, made))
        return made

    def test_is_the_newest(self, directories: list[Path]) -> None:
        for name in (
            "pip-9.0-py3-none-any.whl",
            "pip-23.0.1-py3-none-any.whl",
            "setuptools-99.whl",
        ):
            (directories[0] / name).touch()
        assert demo.bundled_pip() == str(directories[0] / "pip-23.0.1-py3-none-any.whl")

    def test_is_the_interpreters_own(self, directories: list[Path]) -> None:
        (directories[0] / "pip-23.0-py3-none-any.whl").touch()
        (directories[1] / "pip-24.0-py3-none-any.whl").touch()
        assert demo.bundled_pip() == str(directories[0] / "pip-23.0-py3-none-any.whl")

    def test_is_the_systems_otherwise(self, directories: list[Path]) -> None:
        directories[0].rmdir()
        (directories[1] / "pip-24.0-py3-none-any.whl").touch()
        assert demo.bundled_pip() == str(directories[1] / "pip-24.0-py3-none-any.whl")

    def test_is_missed(self, directories: list[Path]) -> None:
        with pytest.raises(WheelLinkerError, match="without a wheel of pip") as caught:
            demo.bundled_pip()
        assert str(directories[0]) in str(caught.value)

    def test_is_looked_for_where_this_python_keeps_it(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("sysconfig.get_config_var", lambda _: "/configured/")
        found = list(demo._wheel_directories())
        assert found[0] == os.path.normpath("/configured/")
        assert any(path.endswith(os.path.join("ensurepip", "_bundled")) for path in found)

    def test_is_looked_for_without_ensurepip(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "ensurepip", None)
        assert not [path for path in demo._wheel_directories() if "ensurepip" in path]


def test_every_mode_is_demonstrated() -> None:
    assert set(LinkMode) | {"auto"} == set(demo.MODES)


def test_its_processes_import_the_package_and_nothing_of_its_modules() -> None:
    """One that came from the package's own folders would shadow a module of Python, such as ``inspect``."""
    assert "wheel_linker" in os.listdir(installing._home())
    assert "inspect.py" not in os.listdir(installing._home())
