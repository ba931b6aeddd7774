"""A mode for native libraries and executables of their own, told by inode numbers."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Final

import pytest
from standins import ScriptedBackend
from wheels import contents, make_wheel

from wheel_linker import AUTO, LinkError, LinkMode, link_wheel_files, link_wheels
from wheel_linker.backends.macos import MacOSBackend
from wheel_linker.install import Layout, install_wheel, install_wheels, sync_wheels

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from standins import FakeClonefile

if sys.platform == "win32":
    pytest.skip("permission bits tell what is executable", allow_module_level=True)

LIBRARIES: Final = {
    "demo/_core.so",
    "demo/_core.cpython-313-x86_64-linux-gnu.so",
    "demo/_core.abi3.so",
    "demo/_core.pyd",
    "demo/.dylibs/libz.1.dylib",
    "demo.libs/libz-1.so.1.2.3",
    "demo/tool.exe",
    "demo/one.dll",
}
PROGRAMS: Final = {"demo/bin/tool", "demo-1.0.data/scripts/run"}
# Neither is native, not even if an archive says that everything is executable.
OTHERS: Final = {
    "demo/__init__.py",
    "demo/notes.txt",
    "demo/plain",
    "demo/so",
    "demo/a.sophisticated",
}
NATIVE: Final = LIBRARIES | PROGRAMS
RECORD: Final = "demo-1.0.dist-info/RECORD"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    files = {name: name.encode() for name in NATIVE | OTHERS}
    executables = [*PROGRAMS, "demo/notes.txt", "demo/__init__.py", "demo/_core.so"]
    return make_wheel(tmp_path / "w", files, executables=executables)


def linked(site: Path, source: Path) -> set[str]:
    """Return the files that are the wheel's own."""
    return {
        name
        for name, data in contents(source).items()
        if data is not None and os.path.samefile(site / name, source / name)
    }


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("jobs", [1, 3])
def test_native_files_are_hard_linked_and_others_are_not(
    tmp_path: Path, source: Path, jobs: int
) -> None:
    report = link_wheel_files(
        tmp_path / "site", source, mode="copy", native_mode="hardlink", jobs=jobs
    )
    assert contents(tmp_path / "site") == contents(source)
    assert linked(tmp_path / "site", source) == NATIVE
    assert (report.mode, report.requested) == (LinkMode.COPY, (LinkMode.COPY,))
    assert report.used[LinkMode.HARDLINK] == len(NATIVE)
    assert sum(report.used.values()) == report.files
    assert (report.fallbacks, report.fallback_count) == ((), 0)


def test_the_other_way_round(tmp_path: Path, source: Path) -> None:
    link_wheels(tmp_path / "site", [source], mode="hardlink", native_mode="copy")
    everything = {name for name, data in contents(source).items() if data is not None}
    assert linked(tmp_path / "site", source) == everything - NATIVE - {RECORD}


@pytest.mark.parametrize("native_mode", [None, "hardlink", ["hardlink", "copy"]])
def test_there_is_no_difference_unless_it_is_asked_for(
    tmp_path: Path, source: Path, native_mode: str | list[LinkMode | str] | None
) -> None:
    report = link_wheel_files(tmp_path / "site", source, mode="hardlink", native_mode=native_mode)
    assert report.used == {LinkMode.HARDLINK: report.files - 1, LinkMode.COPY: 1}


def test_whole_clones_are_not_made_of_wheels_with_native_files(
    tmp_path: Path, source: Path, fake_clonefile: FakeClonefile, cloning: Callable[[], MacOSBackend]
) -> None:
    link_wheel_files(
        tmp_path / "site", source, mode="clone", native_mode="hardlink", backend=cloning()
    )
    assert linked(tmp_path / "site", source) == NATIVE
    plain = make_wheel(tmp_path / "plain", {"other/__init__.py": b""}, name="other")
    fake_clonefile.calls()
    link_wheel_files(
        tmp_path / "site", plain, mode="clone", native_mode="hardlink", backend=cloning()
    )
    assert fake_clonefile.calls() == 1


@pytest.fixture
def cloning(fake_clonefile: FakeClonefile) -> Callable[[], MacOSBackend]:
    return lambda: MacOSBackend(fake_clonefile.library)


def test_what_needs_a_copy_gets_one(tmp_path: Path, source: Path) -> None:
    link_wheel_files(
        tmp_path / "site",
        source,
        mode="copy",
        native_mode="hardlink",
        must_copy=lambda path: path.name == "tool",
    )
    assert linked(tmp_path / "site", source) == NATIVE - {"demo/bin/tool"}


def test_a_refusal_is_reported(tmp_path: Path, source: Path) -> None:
    backend = ScriptedBackend(always=OSError(95, os.strerror(95)))
    report = link_wheel_files(
        tmp_path / "site", source, mode="copy", native_mode="clone", backend=backend
    )
    assert report.fallback_count == len(NATIVE)
    assert {fallback.tried for fallback in report.fallbacks} == {LinkMode.CLONE}
    assert {fallback.path for fallback in report.fallbacks} <= NATIVE


def test_alone_it_is_strict(tmp_path: Path, source: Path) -> None:
    backend = ScriptedBackend(always=OSError(95, os.strerror(95)))
    with pytest.raises(LinkError, match=r"clone .*w/demo"):
        link_wheel_files(
            tmp_path / "site", source, mode="copy", native_mode=["clone"], backend=backend
        )
    assert not (tmp_path / "site").exists()


def test_unknown_modes_are_refused(tmp_path: Path, source: Path) -> None:
    with pytest.raises(ValueError, match="unknown link mode"):
        link_wheel_files(tmp_path / "site", source, native_mode="fast")
    with pytest.raises(ValueError, match="empty"):
        link_wheel_files(tmp_path / "site", source, native_mode=[])


@pytest.mark.parametrize("call", [install_wheel, install_wheels, sync_wheels])
def test_installing(tmp_path: Path, source: Path, call: Callable[..., object]) -> None:
    layout = Layout.for_target(tmp_path / "env")
    given = source if call is install_wheel else [source]
    call(given, layout, mode="copy", native_mode=AUTO[1:])
    library = tmp_path / "env"
    own = {name for name in NATIVE if (library / name).exists()}
    assert own == NATIVE - {"demo-1.0.data/scripts/run"}
    for name in own | {"demo/plain"}:
        assert os.path.samefile(library / name, source / name) is (name in own)


def test_symlinks_of_native_files_need_a_store(tmp_path: Path, source: Path) -> None:
    from wheel_linker import pack_wheel

    made = pack_wheel(source, tmp_path / "demo-1.0-py3-none-any.whl")
    with pytest.raises(LinkError, match="give a store"):
        install_wheel(made, Layout.for_target(tmp_path / "env"), mode="copy", native_mode="symlink")
