"""Bytecode that a store keeps: made once, placed in every mode, and used by whoever imports it."""

from __future__ import annotations

import marshal
import os
import subprocess
import sys
from importlib.util import cache_from_source
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from store.archives import FILES, record_of, write_archive, write_wheel
from wheels import snapshot

from install.kit import check_recorded, files_in, layout_in, pure, root_of, rows
from wheel_linker._fs.folder import Folder
from wheel_linker._link.helper.program import Order, carry_out
from wheel_linker.backends import default_backend
from wheel_linker.install import install_wheel, install_wheels, sync_wheels, uninstall
from wheel_linker.store import WheelStore
from wheel_linker.store._bytecode import making
from wheel_linker.store._bytecode.program import compile_all

if TYPE_CHECKING:
    from wheel_linker import LinkMode
    from wheel_linker.install import Layout

SOURCES = {
    "pack/__init__.py": b"",
    "pack/mod.py": b"def fail():\n    raise ValueError('one')\n",
    "pack/template.py": b"{% x %}\n",
    "demo-1.0.data/purelib/moved.py": b"MOVED = 1\n",
    "demo-1.0.data/scripts/tool.py": b"#!python\nprint(1)\n",
}
WROTE = ("# wrote", "# created")
PROGRAM = """
import sys, traceback
sys.path.insert(0, sys.argv[1])
import moved, pack.mod
try:
    pack.mod.fail()
except ValueError as error:
    print(error, traceback.extract_tb(error.__traceback__)[-1].filename)
"""


def run(layout: Layout, *options: str) -> tuple[list[str], str]:
    """Import in the environment; return what was said, and what the interpreter tells of its imports."""
    command = [sys.executable, "-I", "-S", "-v", *options, "-c", PROGRAM, str(pure(layout))]
    done = subprocess.run(command, capture_output=True, check=True, encoding="utf-8")
    return done.stdout.split(), done.stderr


def compiled(layout: Layout, told: str) -> list[str]:
    """Return the lines about sources that were compiled, or bytecode that was written."""
    here = str(pure(layout))
    lines = [line for line in told.splitlines() if here in line]
    assert [line for line in lines if ".pyc" in line]
    return [
        line
        for line in lines
        if line.startswith(WROTE) or (line.startswith("# code object") and ".pyc" not in line)
    ]


def bytecode_in(layout: Layout) -> set[str]:
    return {path for path in files_in(root_of(layout)) if path.endswith(".pyc")}


def written(directory: Path, **changes: bytes) -> Path:
    changed = {"pack/mod.py": changes["mod"]} if changes else {}
    return write_wheel(directory / "demo-1.0-py3-none-any.whl", {**SOURCES, **changed})


def backdate(tree: Path) -> None:
    """Make files older than a clock's step: copies that do not get their times do not have them by chance."""
    for path in tree.rglob("*.py"):
        then = path.stat().st_mtime_ns - 10 * 10**9
        os.utime(path, ns=(then, then))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    return written(tmp_path / "dist")


def test_nothing_is_compiled(place: Path, mode: LinkMode, wheel: Path, tmp_path: Path) -> None:
    layout = layout_in(place / "env")
    with WheelStore(place / "store") as store:
        backdate(Path(store.add(wheel).path))
        install_wheel(wheel, layout, store=store, mode=mode, compile_bytecode=True)
        (entry,) = (place / "store").glob("*/bytecode")
        before = [snapshot(kept, directory_times=True) for kept in (entry, entry.parent / "w")]
        assert len(bytecode_in(layout)) == 6
        said, told = run(layout)
        assert compiled(layout, told) == []
        source = pure(layout) / "pack" / "mod.py"
        assert said == ["one", str(source)]
        # An edit runs, as editors make it, and nothing is written through a link.
        edited = source.with_suffix(".new")
        edited.write_bytes(b"def fail():\n    raise ValueError('two')\n")
        os.utime(edited, ns=(0, source.stat().st_mtime_ns + 3 * 10**9))
        edited.replace(source)
        said, told = run(layout)
        assert said == ["two", str(source)]
        assert [line for line in compiled(layout, told) if line.startswith(WROTE)]
        assert compiled(layout, run(layout)[1]) == []
        assert store.verify(deep=True) == []
        after = [snapshot(kept, directory_times=True) for kept in (entry, entry.parent / "w")]
        assert after == before
        # So does an upgrade of the same size, whose source has the same time.
        other = written(tmp_path / "other", mod=b"def fail():\n    raise ValueError('six')\n")
        newer = store.add(other)
        stamp = Path(store.add(wheel).path, "pack", "mod.py").stat().st_mtime_ns
        os.utime(Path(newer.path, "pack", "mod.py"), ns=(stamp, stamp))
        install_wheel(other, layout, store=store, mode=mode, compile_bytecode=True)
        said, told = run(layout)
        assert said == ["six", str(source)]
        assert compiled(layout, told) == []
        install_wheel(wheel, layout, store=store, mode=mode)
        assert bytecode_in(layout) == set()
        assert run(layout)[0][0] == "one"


def test_it_is_recorded_and_goes(layout: Layout, wheel: Path, root: Path, mode: LinkMode) -> None:
    with WheelStore(root) as store:
        report = install_wheel(wheel, layout, store=store, mode=mode, compile_bytecode=True)
        found = {path: row for path, row in rows(layout).items() if path.endswith(".pyc")}
        assert len(found) == len(bytecode_in(layout)) == 6
        assert set(found.values()) == {("", "")}
        assert report.link.files == sum(report.link.used.values())
        install_wheel(wheel, layout, store=store, mode=mode)
        check_recorded(layout, "demo-1.0.dist-info")
        install_wheel(wheel, layout, store=store, mode=mode, compile_bytecode=True)
        assert sync_wheels([wheel], layout, store=store, compile_bytecode=True).installed == ()
        uninstall("demo", layout)
        assert files_in(root_of(layout)) == set()
        assert store.verify(deep=True) == []


def test_it_is_made_once(layout: Layout, wheel: Path, root: Path, tmp_path: Path) -> None:
    with WheelStore(root) as store:
        for number in range(2):
            layout = layout_in(tmp_path / str(number))
            install_wheel(wheel, layout, store=store, mode="hardlink", compile_bytecode=True)
            # Another time there is no interpreter to ask.
            layout = layout._replace(bytecode=layout.bytecode_tag())
            if number:
                layout = layout._replace(python=os.fspath(tmp_path / "missing"))
        made = list(root.glob("*/bytecode/*/w/pack/__pycache__/mod.*"))
        assert len(made) == 1
        assert made[0].stat().st_nlink == 3


def test_what_others_have_made_meanwhile_stays(
    layout: Layout, wheel: Path, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"{making.__name__}.compile_all"
    quicker: list[Path] = []

    def slow(*given: Any, **others: Any) -> Any:
        monkeypatch.setattr(name, compile_all)
        with WheelStore(root) as other:
            into = layout_in(tmp_path / "other")
            install_wheel(wheel, into, store=other, mode="hardlink", compile_bytecode=True)
        quicker.extend(root.glob("*/bytecode/*/w/pack/__pycache__/mod.*"))
        return compile_all(*given, **others)

    monkeypatch.setattr(name, slow)
    with WheelStore(root) as store:
        store.add(wheel)
        install_wheel(wheel, layout, store=store, mode="hardlink", compile_bytecode=True)
    (made,) = quicker
    # The store's, and one in each environment.
    assert made.stat().st_nlink == 3


def test_levels(layout: Layout, wheel: Path, root: Path) -> None:
    with WheelStore(root) as store:
        install_wheel(wheel, layout, store=store, compile_bytecode=True, optimize=2)
        assert {path.rpartition(".opt-")[2] for path in bytecode_in(layout)} == {"2.pyc"}
        assert compiled(layout, run(layout, "-OO")[1]) == []
        told = run(layout, "-B")[1].splitlines()
        lines = [line for line in told if str(pure(layout)) in line and "code object" in line]
        assert lines
        assert not [line for line in lines if ".pyc" in line]
        (summary,) = store.compile([store.add(wheel)], layout, optimize=0)
        assert summary.not_compiled == ("pack/template.py",)
        with pytest.raises(ValueError, match="optimize"):
            install_wheel(wheel, layout, store=store, compile_bytecode=True, optimize=3)


def test_that_of_the_wheel_gives_way(layout: Layout, tmp_path: Path, mode: LinkMode) -> None:
    own = cache_from_source("pack/mod.py").replace(os.sep, "/")
    wheel = write_wheel(tmp_path / "demo-1.0-py3-none-any.whl", {**SOURCES, own: b"of old"})
    with WheelStore(tmp_path / "store") as store:
        install_wheel(wheel, layout, store=store, mode=mode, compile_bytecode=True)
        assert rows(layout)[own] == ("", "")
        assert compiled(layout, run(layout)[1]) == []


def wheel_called(name: str, directory: Path) -> Path:
    info = f"{name}-1.0.dist-info"
    files = {
        "x/m.py": b"X = 1\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n".encode(),
        f"{info}/WHEEL": FILES["demo-1.0.dist-info/WHEEL"],
    }
    record = {f"{info}/RECORD": record_of(files, f"{info}/RECORD")}
    return write_archive(directory / f"{name}-1.0-py3-none-any.whl", {**files, **record})


def test_where_several_have_a_file(layout: Layout, tmp_path: Path) -> None:
    wheels = [wheel_called(name, tmp_path) for name in ("one", "two")]
    with WheelStore(tmp_path / "store") as store:
        for _ in range(2):
            install_wheels(wheels, layout, store=store, compile_bytecode=True, on_conflict="error")
        install_wheel(wheels[0], layout, store=store, compile_bytecode=True)
        uninstall("one", layout)
        assert [path for path in bytecode_in(layout) if "x/__pycache__" in path]
        uninstall("two", layout)
        assert files_in(root_of(layout)) == set()


@pytest.mark.parametrize("keeps_times", [True, False])
def test_copies_by_a_helper(place: Path, tmp_path: Path, *, keeps_times: bool) -> None:
    """The program of a helper process gives sources their times as threads do, if it is told to."""
    (tmp_path / "w").mkdir()
    for name in ("m.py", "m.txt"):
        (tmp_path / "w" / name).write_bytes(b"")
        os.utime(tmp_path / "w" / name, (10**9, 10**9))
    (place / "0").mkdir()
    with Folder.open(os.fspath(place)) as stage, Folder.open(os.fspath(tmp_path / "w")) as wheel:
        identity = wheel.identity()
        root = (identity.device, identity.inode)
        order = Order(
            "copy",
            wheel.path,
            root,
            "0",
            [((), ["m.py", "m.txt"])],
            True,
            keeps_times,
            [],
            0,
        )
        assert carry_out(Order(*marshal.loads(order.to_bytes())), stage, default_backend()).complete
    assert ((place / "0" / "m.py").stat().st_mtime == 10**9) is keeps_times
    assert (place / "0" / "m.txt").stat().st_mtime != 10**9


def test_a_timestamp_is_that_of_all(layout: Layout, wheel: Path, root: Path) -> None:
    with WheelStore(root) as store:
        options = {"compile_bytecode": True, "timestamp": 10**9, "mode": "copy"}
        install_wheels([wheel], layout, store=store, **options)  # type: ignore[arg-type]
    assert compiled(layout, run(layout)[1]) == []
    assert (pure(layout) / "pack" / "mod.py").stat().st_mtime == 10**9


def test_a_store_that_cannot_keep_it(layout: Layout, wheel: Path, root: Path) -> None:
    """The environment's interpreter compiles there instead."""
    with WheelStore(root) as store:
        stored = store.add(wheel)
        Path(stored.path).with_name("bytecode").write_bytes(b"in the way")
        install_wheel(stored, layout, compile_bytecode=True)
        assert compiled(layout, run(layout)[1]) == []
