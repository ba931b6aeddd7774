"""Each part of a wheel goes where its scheme says, in every mode, and its own files are never written."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from wheels import snapshot

from install.kit import (
    EXE,
    FILES,
    check_record,
    check_recorded,
    contents_of,
    files_in,
    layout_in,
    make,
    no_litter,
    pure,
    root_of,
)
from wheel_linker import InvalidWheelError, LinkMode
from wheel_linker.install import Layout, install_wheel, install_wheels, uninstall

if TYPE_CHECKING:
    from wheel_linker.install import InstallReport

pytestmark = pytest.mark.usefixtures("way")
LAUNCHERS = ("demo", "demo-extra", "demo-gui")


def relative(layout: Layout, scheme: str) -> str:
    return Path(layout.schemes[scheme]).relative_to(root_of(layout)).as_posix()


def test_every_scheme(layout: Layout, older: Path, mode: LinkMode) -> None:
    before = snapshot(older, directory_times=True)
    report = install_wheel(older, layout, mode=mode)
    found = files_in(root_of(layout))
    purelib, platlib = relative(layout, "purelib"), relative(layout, "platlib")
    info = f"{purelib}/demo-1.0.dist-info"
    assert found == {
        f"{purelib}/demo/__init__.py",
        f"{purelib}/demo/main.py",
        f"{purelib}/demo/old/only.py",
        f"{purelib}/demo/data.bin",
        f"{purelib}/single.py",
        f"{purelib}/demo.pth",
        f"{purelib}/demo_pure.py",
        f"{platlib}/demo_plat.py",
        "include/site/demo/demo.h",
        "share/demo/page.txt",
        *(f"bin/{name}" for name in ("plain.sh", "python.py")),
        *(f"bin/{name}{EXE}" for name in LAUNCHERS),
        *(f"{info}/{name}" for name in ("METADATA", "WHEEL", "RECORD", "INSTALLER")),
        f"{info}/entry_points.txt",
    }
    check_recorded(layout, "demo-1.0.dist-info")
    assert snapshot(older, directory_times=True) == before
    assert no_litter(root_of(layout))
    check_report(report, layout, mode)


def check_report(report: InstallReport, layout: Layout, mode: LinkMode) -> None:
    assert report.dist_info == os.fspath(pure(layout) / "demo-1.0.dist-info")
    assert [os.path.basename(path) for path in report.scripts] == sorted(
        ("plain.sh", "python.py", *(f"{name}{EXE}" for name in LAUNCHERS))
    )
    assert all(os.path.isabs(path) and os.path.isfile(path) for path in report.scripts)
    assert (report.wheel.name, report.upgraded, report.removed) == ("demo", (), ())
    if mode is not LinkMode.CLONE:
        assert report.link.mode is mode


def test_links_are_links(layout: Layout, older: Path) -> None:
    install_wheel(older, layout, mode=LinkMode.HARDLINK)
    linked = Path(layout.schemes["platlib"]) / "demo_plat.py"
    assert linked.samefile(older / "demo-1.0.data/platlib/demo_plat.py")
    install_wheel(older, layout, mode=LinkMode.SYMLINK)
    assert linked.is_symlink()
    assert (Path(layout.schemes["headers"]) / "demo/demo.h").is_symlink()


@pytest.mark.parametrize(
    ("pure_root", "scheme"), [(b"true", "purelib"), (b"false", "platlib"), (b"TRUE", "purelib")]
)
def test_root(layout: Layout, tmp_path: Path, pure_root: bytes, scheme: str) -> None:
    said = b"Wheel-Version: 1.0\nRoot-Is-Purelib: %s\nTag: py3-none-any\n" % pure_root
    wheel = make(tmp_path / "w", {"demo.py": b"", "demo-1.0.dist-info/WHEEL": said})
    report = install_wheel(wheel, layout)
    assert Path(report.dist_info).parent == Path(layout.schemes[scheme])


def test_flat(tmp_path: Path, older: Path, mode: LinkMode) -> None:
    layout = Layout.for_target(tmp_path / "env")
    install_wheel(older, layout, mode=mode)
    found = files_in(tmp_path / "env")
    assert {"demo/main.py", "demo_plat.py", f"bin/demo{EXE}", "include/demo/demo.h"} <= found
    assert "share/demo/page.txt" in found
    assert check_record(layout) == found
    uninstall("demo", layout)
    assert files_in(tmp_path / "env") == set()


def test_two_parts_in_one_place(layout: Layout, tmp_path: Path, mode: LinkMode) -> None:
    """The root wins, and RECORD has the file once, with what is there."""
    files = {
        "demo/x.py": b"ROOT = 1\n",
        "demo-1.0.data/purelib/demo/x.py": b"DATA = 10\n",
        "demo-1.0.data/purelib/demo/y.py": b"Y = 1\n",
        "demo-1.0.data/purelib/demo-1.0.dist-info/RECORD": b"mine",
        "demo-1.0.data/purelib/demo-1.0.dist-info/INSTALLER": b"mine",
        "demo-1.0.data/data/bin/tool": b"data",
        "demo-1.0.data/scripts/tool": b"#!python\nscript",
        "demo-1.0.dist-info/entry_points.txt": b"[console_scripts]\ntool = demo.x:run\n",
    }
    install_wheel(make(tmp_path / "w", files), layout, mode=mode)
    assert (pure(layout) / "demo/x.py").read_bytes() == b"ROOT = 1\n"
    assert (pure(layout) / "demo-1.0.dist-info/INSTALLER").read_bytes() == b"wheel-linker\n"
    check_recorded(layout, "demo-1.0.dist-info")


@pytest.mark.skipif(os.name != "posix", reason="is about permission bits")
def test_scripts_become_executable_without_touching_the_wheel(
    layout: Layout, older: Path, mode: LinkMode
) -> None:
    before = snapshot(older)
    install_wheel(older, layout, mode=mode)
    for name in ("plain.sh", "python.py", "demo"):
        path = Path(layout.schemes["scripts"]) / name
        assert path.stat().st_mode & stat.S_IXUSR
        assert not path.is_symlink()
    assert snapshot(older) == before


@pytest.mark.skipif(os.name != "posix", reason="Windows has no symlinks for everybody")
def test_symlinked_library(tmp_path: Path, older: Path) -> None:
    """A lib64 that is lib, as virtual environments have it."""
    layout = layout_in(tmp_path / "env")
    (tmp_path / "env/lib").mkdir(parents=True)
    (tmp_path / "env/lib64").symlink_to("lib")
    install_wheel(older, layout)
    assert (pure(layout) / "demo_plat.py").is_file()
    check_record(layout)
    uninstall("demo", layout)
    assert files_in(tmp_path / "env") == {"lib64"}


@pytest.mark.parametrize("what", ["demo-1.0.data/nowhere/x", "demo-1.0.data/x"])
def test_unknown_scheme(layout: Layout, tmp_path: Path, what: str) -> None:
    wheel = make(tmp_path / "w", {what: b""})
    with pytest.raises(InvalidWheelError, match="none of purelib"):
        install_wheel(wheel, layout)
    assert not root_of(layout).exists()


def test_stage_names_in_a_scheme(layout: Layout, tmp_path: Path) -> None:
    """Another call would sweep them away."""
    wheel = make(tmp_path / "w", {"demo-1.0.data/data/.wheel_linker-abc/x": b""})
    with pytest.raises(InvalidWheelError, match="staging"):
        install_wheel(wheel, layout)
    assert not root_of(layout).exists()


def test_any_number_of_jobs_gives_the_same(tmp_path: Path) -> None:
    wheels = [
        make(
            tmp_path / "cache" / f"w{number}",
            {
                "shared/__init__.py": b"WHO = %d\n" % number,
                f"shared/m{number}.py": b"",
                "w.data/x": b"",
                f"w{number}-1.0.data/scripts/tool": b"#!python\n# %d\n" % number,
                f"w{number}-1.0.dist-info/entry_points.txt": (
                    b"[console_scripts]\nrun = shared.m%d:x\n" % number
                ),
            },
            name=f"w{number}",
        )
        for number in range(8)
    ]
    found = []
    for jobs in range(1, 5):
        counted: list[int] = []
        layout = layout_in(tmp_path / f"env{jobs}")
        reports = install_wheels(wheels, layout, jobs=jobs, progress=counted.append)
        found.append((contents_without_records(layout), [report.wheel for report in reports]))
        assert sum(counted) == sum(report.link.files for report in reports)
        assert (pure(layout) / "shared/__init__.py").read_bytes() == b"WHO = 7\n"
    assert found[1:] == found[:1] * 3


def contents_without_records(layout: Layout) -> dict[str, tuple[str, str]]:
    """The same but for RECORD, which has the hashes of launchers with other paths in them."""
    return {path: what for path, what in contents_of(layout).items() if "RECORD" not in path}


def test_must_copy(layout: Layout, older: Path) -> None:
    def edited(path: object) -> bool:
        asked.add(str(path))
        return str(path) == "demo-1.0.data/data/share/demo/page.txt"

    asked: set[str] = set()
    install_wheel(older, layout, mode=LinkMode.HARDLINK, must_copy=edited)
    page = root_of(layout) / "share/demo/page.txt"
    assert not page.samefile(older / "demo-1.0.data/data/share/demo/page.txt")
    assert "demo/main.py" in asked
    assert asked <= FILES.keys() | {"demo-1.0.dist-info/METADATA", "demo-1.0.dist-info/WHEEL"}


def test_empty_directories_are_not_installed(
    layout: Layout, tmp_path: Path, mode: LinkMode
) -> None:
    """No RECORD names them, so that nothing would remove them."""
    wheel = make(
        tmp_path / "w",
        {"demo/sub/x.py": b"", "demo/__init__.py": b"", "demo-1.0.data/data/share/x": b""},
    )
    info = "demo-1.0.dist-info"
    for path in ("demo/void/deep", "void", "demo/sub/void", f"{info}/e/e"):
        (wheel / path).mkdir(parents=True)
    for path in ("data/void", "headers/void", "purelib"):
        (wheel / "demo-1.0.data" / path).mkdir(parents=True)
    install_wheel(wheel, layout, mode=mode)
    made = {path for path in root_of(layout).rglob("*") if path.is_dir()}
    assert not [path for path in made if "void" in path.name or path.name == "e"]
    assert not Path(layout.schemes["headers"]).exists()
    check_recorded(layout, info)
    uninstall("demo", layout)
    assert files_in(root_of(layout)) == set()
    assert not list(pure(layout).iterdir())
