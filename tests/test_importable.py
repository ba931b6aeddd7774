"""Guarantee 4: what was linked can be imported at once, and runs its own code."""

from __future__ import annotations

import importlib
import importlib.util
import logging
import os
import py_compile
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from wheels import REPRODUCIBLE, contents, make_wheel, set_times, snapshot, write_tree

from wheel_linker import LinkError, LinkMode, link_wheel_files, link_wheels

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MODES = list(LinkMode)
SECOND = 1_000_000_000


@pytest.fixture
def on_path(site: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """``site`` on ``sys.path`` of this process; modules that a test imports are forgotten after it."""
    known = set(sys.modules)
    monkeypatch.syspath_prepend(site)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield site
    for name in set(sys.modules) - known:
        del sys.modules[name]


def is_there(name: str) -> bool:
    return importlib.util.find_spec(name) is not None


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.usefixtures("way")
def test_a_package_imports_although_the_listing_was_cached(
    on_path: Path, tmp_path: Path, mode: LinkMode
) -> None:
    for number in range(60):
        name = f"fresh_{mode.value}_{number}"
        source = make_wheel(
            tmp_path / name, {f"{name}/__init__.py": b"", f"{name}/m.py": b"N = 1\n"}
        )
        assert not is_there(name)
        link_wheel_files(on_path, source, mode=mode)
        assert importlib.import_module(f"{name}.m").N == 1


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.usefixtures("way")
def test_new_parts_of_a_known_package_import(on_path: Path, tmp_path: Path, mode: LinkMode) -> None:
    name = f"grown_{mode.value}"
    write_tree(on_path, {f"{name}/__init__.py": b"", f"{name}/sub/__init__.py": b""})
    assert is_there(f"{name}.sub")
    for number in range(40):
        part = f"{name}.sub.part{number}"
        source = make_wheel(
            tmp_path / part, {part.replace(".", "/") + ".py": b"N = 2\n"}, name=f"p{number}"
        )
        assert not is_there(part)
        link_wheels(on_path, [source], mode=mode)
        assert importlib.import_module(part).N == 2


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("before", [0, REPRODUCIBLE, 1e9 + 0.125, 4e9])
def test_directories_that_change_get_another_time(
    place: Path, wheel: Path, mode: LinkMode, before: float
) -> None:
    """Whatever it was before, the future included; directories that do not change keep theirs."""
    target = write_tree(
        place / "site", {"demo/sub/x.py": b"", "other/y.py": b"", "space/names/z": b""}
    )
    link_wheel_files(target, wheel, mode="copy")
    (target / "demo/sub/deep/er/still/leaf.py").unlink()
    try:
        set_times(target, before)
    except OverflowError:
        pytest.skip("is about times past 2038, which this system's time_t has not")
    stamps = {path: path.stat().st_mtime for path in target.rglob("*") if path.is_dir()}
    link_wheel_files(target, wheel, mode=mode)
    changed = {path.name for path, stamp in stamps.items() if path.stat().st_mtime != stamp}
    assert changed >= {"demo", "sub", "still", "names", "demo-1.0.dist-info"}
    assert "other" not in changed
    assert target.stat().st_mtime != before


@pytest.mark.parametrize("step", [10_000_000, SECOND, 2 * SECOND], ids=["10ms", "1s", "2s"])
@pytest.mark.parametrize("mode", MODES)
def test_coarse_clocks(
    on_path: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    mode: LinkMode,
    step: int,
) -> None:
    """A file system that keeps times in steps: set times are cut, and so is what was there before."""
    real = os.utime

    def cut(path: int | str | Path, *arguments: object, **options: object) -> None:
        times = options.get("ns")
        if isinstance(times, tuple):
            options["ns"] = tuple(time // step * step for time in times)
        real(path, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "utime", cut)
    seen = {on_path.stat().st_mtime}
    for number in range(5):
        name = f"coarse_{mode.value}_{step}_{number}"
        source = make_wheel(tmp_path / name, {f"{name}.py": b"N = 3\n"}, name=f"c{number}")
        assert not is_there(name)
        link_wheel_files(on_path, source, mode=mode)
        assert importlib.import_module(name).N == 3
        stamp = on_path.stat().st_mtime
        assert stamp not in seen
        seen.add(stamp)


def test_a_time_that_cannot_be_set_is_logged_not_raised(
    site: Path, wheel: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "utime", refuse)
    with caplog.at_level(logging.DEBUG):
        link_wheel_files(site, wheel)
    assert contents(site) == contents(wheel)
    assert {record.levelno for record in caplog.records} == {logging.DEBUG}
    assert {record.name.partition(".")[0] for record in caplog.records} == {"wheel_linker"}


class TestBytecode:
    """Two versions of a module with the same size and the same time stamp of 1980."""

    @pytest.fixture
    def versions(self, place: Path) -> list[Path]:
        return [
            make_wheel(
                place / f"v{number}",
                {"package/module.py": b"N = %d\n" % number, "single.py": b"N = %d\n" % number},
                version=str(number),
            )
            for number in (1, 2)
        ]

    @staticmethod
    def run(target: Path, *options: str) -> str:
        code = "import sys; sys.path.insert(0, sys.argv[1]); import package.module as p, single as s; print(p.N, s.N)"
        command = [sys.executable, *options, "-c", code, str(target)]
        environment = {
            name: text for name, text in os.environ.items() if not name.startswith("PYTHON")
        }
        done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
        return done.stdout.strip()

    @pytest.mark.parametrize("mode", MODES)
    def test_the_new_code_runs(self, place: Path, versions: list[Path], mode: LinkMode) -> None:
        target = place / "site"
        for number, version in enumerate(versions, 1):
            link_wheel_files(target, version, mode=mode)
            for path in ("package/module.py", "single.py"):
                if mode in (LinkMode.COPY, LinkMode.CLONE):
                    os.utime(target / path, (REPRODUCIBLE, REPRODUCIBLE))
            assert self.run(target) == self.run(target, "-O") == f"{number} {number}"
            assert (target / "__pycache__").is_dir()

    def test_only_matching_entries_go(self, site: Path, tmp_path: Path) -> None:
        stale = {
            "m.cpython-311.pyc",
            "m.cpython-311.opt-1.pyc",
            "m.cpython-313t.opt-2.pyc",
            "m.pypy310.pyc",
            "m.cpython-311-pytest-8.3.4.pyc",
        }
        kept = {"mm.cpython-311.pyc", "n.cpython-311.pyc", "m.txt", "m.cpython-311-x86.so"}
        for directory in ("", "p/"):
            write_tree(site, {f"{directory}__pycache__/{name}": b"" for name in stale | kept})
            write_tree(site, {f"{directory}m.py": b"old", f"{directory}n.py": b"other"})
        source = make_wheel(tmp_path / "w", {"m.py": b"new", "p/m.py": b"new"})
        link_wheel_files(site, source)
        assert set(os.listdir(site / "__pycache__")) == kept
        assert set(os.listdir(site / "p/__pycache__")) == kept

    def test_bytecode_without_a_source_goes_when_the_source_comes(
        self, site: Path, tmp_path: Path
    ) -> None:
        """Left behind by a version that was removed: it would run in place of the new file."""
        write_tree(site, {"m.py": b"N = 1\n"})
        set_times(site, REPRODUCIBLE)
        compiled = py_compile.compile(os.fspath(site / "m.py"), doraise=True)
        (site / "m.py").unlink()
        link_wheel_files(site, make_wheel(tmp_path / "w", {"m.py": b"N = 2\n"}), mode="hardlink")
        assert not os.path.exists(compiled or "")

    def test_bytecode_that_comes_with_the_wheel_stays(self, site: Path, tmp_path: Path) -> None:
        shipped = {"p/m.py": b"N = 1\n", "p/__pycache__/m.cpython-311.pyc": b"shipped"}
        source = make_wheel(tmp_path / "w", shipped)
        write_tree(site, {"p/m.py": b"old", "p/__pycache__/m.cpython-310.pyc": b"stale"})
        for _ in range(2):
            link_wheel_files(site, source)
        found = contents(site)
        assert found["p/__pycache__/m.cpython-311.pyc"] == b"shipped"
        assert "p/__pycache__/m.cpython-310.pyc" not in found

    def test_failing_puts_bytecode_back(self, site: Path, wheel: Path) -> None:
        write_tree(site, {"single.py": b"", "__pycache__/single.cpython-311.pyc": b"bytecode"})
        write_tree(site, {"demo-1.0.dist-info/RECORD/x": b"in the way"})
        before = snapshot(site)
        with pytest.raises(LinkError):
            link_wheel_files(site, wheel)
        assert snapshot(site) == before


def test_a_process_that_waits_sees_the_package(
    tmp_path: Path, site: Path, wheel: Path, request: pytest.FixtureRequest
) -> None:
    """Another process that had looked for it in vain."""
    code = (
        "import sys, importlib.util as u\n"
        "sys.path.insert(0, sys.argv[1])\n"
        "print(u.find_spec('demo'), flush=True)\n"
        "sys.stdin.readline()\n"
        "import demo.module; print(demo.module.VALUE, flush=True)\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code, site],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
    )
    request.addfinalizer(child.kill)
    assert child.stdout is not None
    assert child.stdout.readline() == "None\n"
    link_wheel_files(site, wheel)
    assert child.communicate("go\n", timeout=20)[0] == "1\n"


def test_pth_comes_after_its_package_and_dist_info_last(
    site: Path, wheel: Path, watch: Callable[[Path], list[set[str]]]
) -> None:
    """Whoever looks in between never sees metadata, or a ``.pth`` file, of what is not there yet."""
    seen = watch(site)
    link_wheel_files(site, wheel)
    everything = set(os.listdir(wheel))
    for names_then in seen:
        if "demo.pth" in names_then:
            assert names_then >= everything - {"demo.pth", "demo-1.0.dist-info"}
        if "demo-1.0.dist-info" in names_then:
            assert names_then >= everything


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], list[set[str]]]:
    """Return a function that starts to look at a directory after each file system call that moves a name."""

    def start(directory: Path) -> list[set[str]]:
        seen: list[set[str]] = []
        for call in ("rename", "replace", "link", "symlink"):
            monkeypatch.setattr(os, call, looking_after(getattr(os, call), directory, seen))
        return seen

    return start


def looking_after(
    call: Callable[..., None], directory: Path, seen: list[set[str]]
) -> Callable[..., None]:
    def called(*arguments: object, **options: object) -> None:
        call(*arguments, **options)
        seen.append(set(os.listdir(directory)))

    return called
