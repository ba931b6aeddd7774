"""Files of a store are looked at when they are linked: what is damaged is made anew, and nothing else is looked at."""

from __future__ import annotations

import logging
import os
import shutil
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from store.archives import record_of, with_record, write_archive
from store.conftest import settle

from install.kit import check_record, files_in, layout_in, make, pure, root_of
from wheel_linker import InvalidWheelError, PackageConflictWarning, ProgressBar
from wheel_linker._link import staging
from wheel_linker._link.helper import starting
from wheel_linker.install import install_wheels, plan_sync, sync_wheels
from wheel_linker.store import WheelStore

if TYPE_CHECKING:
    from collections.abc import Callable

    from wheel_linker.install import Layout

NAME = "demo-1.0-py3-none-any.whl"
TOOL = "demo/tool.sh"
FILES = {
    "single.py": b"SINGLE = 1\n",
    TOOL: b"#!/bin/sh\n",
    **{f"demo/part{n}/m{m}.py": b"VALUE = %d\n" % (n * m) for n in range(5) for m in range(4)},
    "demo/data/deep/er/x.bin": bytes(range(256)),
    "demo-1.0.data/scripts/plain": b"#!python\n",
    "demo-1.0.data/data/share/page.txt": b"page\n",
    "demo-1.0.dist-info/METADATA": b"Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n",
    "demo-1.0.dist-info/entry_points.txt": b"[console_scripts]\ndemo-run = demo.part1.m1:run\n",
    "demo-1.0.dist-info/WHEEL": b"Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
}
MODULE = "demo/part3/m2.py"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A wheel file with an executable."""
    return settle(write_archive(tmp_path / "dist" / NAME, with_record(FILES)))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture(params=["one thread", "helpers"])
def jobs(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """With how many jobs; helper processes are had for any number of files, where they can be had."""
    if request.param == "one thread":
        return 1
    monkeypatch.setattr(starting, "ENTRIES_PER_HELPER", 1)
    monkeypatch.setattr(staging, "_ENTRIES_PER_UNIT", 3)
    return 3


def shorter(path: Path) -> None:
    path.write_bytes(b"x")


def zeros(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def touched(path: Path) -> None:
    os.utime(path)


def missing(path: Path) -> None:
    path.unlink()


def without_directory(path: Path) -> None:
    shutil.rmtree(path.parent)


def file_for_directory(path: Path) -> None:
    shutil.rmtree(path.parent)
    path.parent.write_bytes(b"")


def elsewhere(path: Path) -> None:
    """Have a symlink of the same size there."""
    target = "x" * path.stat().st_size
    path.unlink()
    path.symlink_to(target)


def not_executable(path: Path) -> None:
    path.chmod(0o644)


posix_only = pytest.mark.skipif(
    sys.platform == "win32", reason="about POSIX kinds of files and bits"
)
DAMAGE = [
    *(
        pytest.param(MODULE, how)
        for how in (shorter, zeros, touched, missing, without_directory, file_for_directory)
    ),
    pytest.param(MODULE, elsewhere, marks=posix_only),
    pytest.param("single.py", shorter),
    pytest.param(TOOL, not_executable, marks=posix_only),
    pytest.param("demo-1.0.data/scripts/plain", zeros),
    pytest.param("demo-1.0.data/data/share/page.txt", shorter),
    pytest.param("demo-1.0.dist-info/METADATA", zeros),
    pytest.param("demo-1.0.dist-info/RECORD", missing),
]


def entry_in(root: Path, file: Path) -> Path:
    """Have a wheel in the store; return where."""
    with WheelStore(root, durable=False) as store:
        return Path(store.add(file).path)


class Sums(ProgressBar):
    """Sums up what it is told."""

    def __init__(self) -> None:
        self.done = 0
        self.expected = 0
        self.put_back = False

    def __call__(self, files: int, /) -> None:
        self.done += files

    def total(self, files: int, size: int, /) -> None:
        del size
        self.expected = files

    def putting_back(self) -> None:
        self.put_back = True


@pytest.mark.parametrize(
    ("mode", "path", "damage"),
    [
        *(pytest.param("hardlink", *each.values, marks=each.marks) for each in DAMAGE),
        *((mode, MODULE, damage) for mode in ("copy", "symlink") for damage in (zeros, missing)),
    ],
)
@pytest.mark.usefixtures("quiet_fallbacks")
def test_what_is_damaged_is_made_anew(
    root: Path,
    file: Path,
    layout: Layout,
    jobs: int,
    mode: str,
    path: str,
    damage: Callable[[Path], None],
) -> None:
    damage(entry_in(root, file) / path)
    progress = Sums()
    with WheelStore(root) as store:
        (report,) = install_wheels(
            [file], layout, store=store, mode=mode, jobs=jobs, progress=progress
        )
        assert store.verify(deep=True) == []
    for name, data in FILES.items():
        if ".data/" not in name:
            assert (pure(layout) / name).read_bytes() == data
    assert (root_of(layout) / "share/page.txt").read_bytes() == b"page\n"
    check_record(layout)
    tool = pure(layout) / TOOL
    assert os.name == "nt" or tool.stat().st_mode & 0o111
    assert report.link.files == len(FILES) - 1
    assert progress.done == progress.expected
    assert not progress.put_back
    assert not [name for name in files_in(root_of(layout)) if "wheel_linker-" in name]


def test_several_of_which_one_is_damaged(
    tmp_path: Path, root: Path, layout: Layout, jobs: int
) -> None:
    files = []
    for name in ("one", "two", "three"):
        own = {f"{name}/m{n}.py": b"N = %d\n" % n for n in range(9)}
        metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n".encode()
        own |= {f"{name}-1.0.dist-info/METADATA": metadata}
        own |= {f"{name}-1.0.dist-info/WHEEL": FILES["demo-1.0.dist-info/WHEEL"]}
        record = f"{name}-1.0.dist-info/RECORD"
        own[record] = record_of(own, record)
        path = tmp_path / "dist" / f"{name}-1.0-py3-none-any.whl"
        files.append(settle(write_archive(path, own)))
    entries = [entry_in(root, each) for each in files]
    zeros(entries[1] / "two" / "m7.py")
    with WheelStore(root) as store:
        install_wheels(files, layout, store=store, mode="copy", jobs=jobs)
        assert store.verify(deep=True) == []
    for name in ("one", "two", "three"):
        check_record(layout, f"{name}-1.0.dist-info")


@pytest.mark.parametrize("call", [install_wheels, sync_wheels])
def test_what_is_begun_anew_warns_once(
    tmp_path: Path, root: Path, file: Path, layout: Layout, call: Callable[..., object]
) -> None:
    info = "other-1.0.dist-info"
    own = {
        "single.py": b"SINGLE = 22\n",
        "single2.py": b"",
        f"{info}/METADATA": b"Metadata-Version: 2.1\nName: other\nVersion: 1.0\n",
        f"{info}/WHEEL": FILES["demo-1.0.dist-info/WHEEL"],
    }
    own[f"{info}/RECORD"] = record_of(own, f"{info}/RECORD")
    other = settle(write_archive(tmp_path / "dist" / "other-1.0-py3-none-any.whl", own))
    zeros(entry_in(root, file) / MODULE)
    with WheelStore(root) as store, warnings.catch_warnings(record=True) as given:
        warnings.simplefilter("always")
        call([file, other], layout, store=store, mode="copy", on_conflict="warn")
        assert store.verify(deep=True) == []
    said = [str(each.message) for each in given if each.category is PackageConflictWarning]
    assert len(said) == 1
    assert "single.py" in said[0]


def test_warnings_of_another_call_are_given_again(
    tmp_path: Path, layout: Layout, recwarn: pytest.WarningsRecorder
) -> None:
    del recwarn
    wheels = [make(tmp_path / name, {"one.py": name.encode()}, name=name) for name in ("a", "bb")]
    for _ in range(2):
        with pytest.warns(PackageConflictWarning, match="one.py"):
            install_wheels(wheels, layout, mode="copy", on_conflict="warn")


def test_an_upgrade_begun_anew_leaves_one_version(
    root: Path, file: Path, layout: Layout, older: Path, jobs: int
) -> None:
    install_wheels([older], layout, mode="copy")
    zeros(entry_in(root, file) / "single.py")
    with WheelStore(root) as store:
        sync_wheels([file], layout, store=store, mode="copy", jobs=jobs)
    check_record(layout)
    assert (pure(layout) / "single.py").read_bytes() == FILES["single.py"]


def test_what_stays_is_not_looked_at(root: Path, file: Path, layout: Layout) -> None:
    with WheelStore(root) as store:
        install_wheels([file], layout, store=store, mode="copy")
    path = entry_in(root, file) / "demo/part1/m1.py"
    zeros(path)
    with WheelStore(root) as store:
        report = sync_wheels([file], layout, store=store, mode="copy")
        assert [one.name for one in report.kept] == ["demo"]
        assert plan_sync([file], layout, store=store).added == ()
        assert [each.path for each in store.verify()] == ["demo/part1/m1.py"]


def test_what_is_sound_is_looked_at_once(
    root: Path,
    file: Path,
    layout: Layout,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    entry_in(root, file)
    seen: list[str] = []
    caplog.set_level(logging.DEBUG, logger="wheel_linker")
    lstat = os.lstat

    def noting(path: Any, **where: Any) -> os.stat_result:
        seen.append(os.path.basename(os.fsdecode(path)))
        return lstat(path, **where)

    with WheelStore(root) as store:
        monkeypatch.setattr(os, "lstat", noting)
        install_wheels([file], layout, store=store, mode="hardlink", jobs=1)
        monkeypatch.undo()
    modules = [path.rpartition("/")[2] for path in FILES if path.startswith("demo/part")]
    assert sorted(name for name in seen if name in modules) == sorted(modules)
    assert "anew" not in caplog.text


def test_a_store_that_was_copied_is_read_once(
    tmp_path: Path, root: Path, file: Path, layout: Layout
) -> None:
    """Its files have other times; what they hold is compared, and that is noted."""
    entry_in(root, file)
    shutil.copytree(root, tmp_path / "copy", copy_function=shutil.copyfile)
    for path in (tmp_path / "copy").rglob("*"):
        if path.is_file():
            os.utime(path, (10**9, 10**9 + len(path.name)))
    with WheelStore(tmp_path / "copy") as store:
        install_wheels([file], layout, store=store, mode="copy")
    check_record(layout)
    assert list((tmp_path / "copy").glob("*/times"))
    zeros(entry_in(tmp_path / "copy", file) / "single.py")
    with WheelStore(tmp_path / "copy") as store:
        sync_wheels([], layout, store=store)
        install_wheels([file], layout, store=store, mode="copy")
    assert (pure(layout) / "single.py").read_bytes() == FILES["single.py"]


def test_without_the_wheel_file_it_is_refused(root: Path, file: Path, layout: Layout) -> None:
    """What a caller has added, that was looked at; what is damaged since is not found any more."""
    with WheelStore(root) as store:
        digest = store.add(file).digest
    zeros(next(root.glob("*/w/single.py")))
    with WheelStore(root) as store:
        assert store.find(digest) is None
    with pytest.raises(InvalidWheelError, match="no wheel at"):
        install_wheels([file.with_name("gone.whl")], layout)


@pytest.mark.parametrize("damage", [zeros, shorter, missing])
def test_bytecode_is_looked_at_as_well(
    tmp_path: Path, root: Path, file: Path, jobs: int, damage: Callable[[Path], None]
) -> None:
    def fill(layout: Layout) -> Path:
        with WheelStore(root) as store:
            install_wheels(
                [file], layout, store=store, mode="copy", jobs=jobs, compile_bytecode=True
            )
        (made,) = (pure(layout) / MODULE).parent.glob("__pycache__/m2.*.pyc")
        return made

    sound = fill(layout_in(tmp_path / "first")).read_bytes()
    (kept,) = root.glob(f"*/**/{MODULE.rpartition('/')[0]}/__pycache__/m2.*.pyc")
    damage(kept)
    assert fill(layout_in(tmp_path / "second")).read_bytes() == sound
