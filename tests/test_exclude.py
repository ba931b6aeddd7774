"""Leaving out what is not wanted of a tree."""

from __future__ import annotations

import sys
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import pytest
from wheels import DIST_INFO_FILES, SAMPLE, contents, make_wheel, names, sample_wheel, snapshot

from wheel_linker import (
    LinkError,
    Locks,
    PackageConflictError,
    UnpackedWheel,
    link_wheel_files,
    link_wheels,
)
from wheel_linker.backends.macos import MacOSBackend

if TYPE_CHECKING:
    from standins import FakeClonefile

    from wheel_linker import LinkMode


def files_in(site: Path) -> set[str]:
    """Return the files of the sample that are there, but for the *.dist-info's."""
    found = {path for path, data in contents(site).items() if data is not None}
    return {path for path in found if ".dist-info/" not in path}


def without(*prefixes: str) -> set[str]:
    """Return the files of the sample whose paths begin otherwise."""
    return {path for path in SAMPLE if not path.startswith(prefixes)}


@pytest.mark.parametrize(
    ("patterns", "left"),
    [
        (["*.sh"], without("demo/tool.sh")),
        ("*.sh", without("demo/tool.sh")),
        (["sub"], without("demo/sub/")),
        (["demo/sub"], without("demo/sub/")),
        (["sub/deep"], without()),
        (["demo/*"], without("demo/")),
        (["demo"], without("demo/", "demo-1.0.data/scripts/demo")),
        (["demo/data/*", "single.[px]y"], without("demo/data/", "single.py")),
        (["Demo", "nothing"], without()),
        ([], without()),
    ],
)
def test_by_patterns(wheel: Path, site: Path, patterns: list[str], left: set[str]) -> None:
    before = snapshot(wheel)
    report = link_wheel_files(site, wheel, exclude=patterns)
    assert files_in(site) == left
    assert report.files == len(left) + DIST_INFO_FILES
    assert snapshot(wheel) == before


def test_by_a_callable(wheel: Path, site: Path) -> None:
    asked = []

    def exclude(path: PurePosixPath) -> bool:
        asked.append(path)
        return path.name == "deep" or path.suffix == ".pth"

    link_wheels(site, [wheel], exclude=exclude, jobs=3)
    assert files_in(site) == without("demo/sub/deep", "demo.pth")
    assert not (site / "demo/sub/deep").exists()
    assert PurePosixPath("demo/sub/deep") in asked
    assert PurePosixPath("demo/sub/deep/er") not in asked
    assert len(set(asked)) == len(asked)


def test_what_is_there_stays(wheel: Path, site: Path) -> None:
    (site / "single.py").write_bytes(b"another\n")
    report = link_wheel_files(site, wheel, exclude=["single.py"])
    assert (site / "single.py").read_bytes() == b"another\n"
    assert report.replaced == ()


@pytest.mark.skipif(sys.platform == "win32", reason="symlinks need a right there")
def test_symlinks(tmp_path: Path, site: Path) -> None:
    wheel = sample_wheel(tmp_path / "linked")
    (wheel / "demo/link.py").symlink_to("module.py")
    link_wheel_files(site, wheel, exclude=["link.*"])
    assert files_in(site) == without()


@pytest.mark.skipif(sys.platform == "win32", reason="clonefile is a POSIX call")
def test_of_whole_clones(wheel: Path, site: Path, fake_clonefile: FakeClonefile) -> None:
    backend = MacOSBackend(library=fake_clonefile.library)
    report = link_wheel_files(
        site, wheel, mode=("clone",), backend=backend, exclude=["sub", "*.sh"]
    )
    assert files_in(site) == without("demo/sub/", "demo/tool.sh")
    assert fake_clonefile.calls() < len(SAMPLE)
    assert report.files == len(without("demo/sub/", "demo/tool.sh")) + DIST_INFO_FILES


@pytest.mark.parametrize("mode", ["copy", "hardlink"])
def test_an_error_leaves_nothing(wheel: Path, site: Path, mode: LinkMode) -> None:
    def exclude(path: PurePosixPath) -> bool:
        raise ZeroDivisionError(path)

    with pytest.raises(ZeroDivisionError):
        link_wheel_files(site, wheel, mode=mode, exclude=exclude)
    assert list(site.iterdir()) == []


@pytest.mark.parametrize("mode", ["hardlink", "symlink", "copy"])
@pytest.mark.parametrize("patterns", [["build"], ["build/lib"]])
def test_into_a_part_of_the_tree_itself_that_is_left_out(
    tmp_path: Path, mode: str, patterns: list[str]
) -> None:
    """As build back ends do, time and again, and never what they made the last time."""
    project = tmp_path / "project"
    (project / "pkg").mkdir(parents=True)
    (project / "pkg" / "a.py").write_bytes(b"a")
    (project / "build").mkdir()
    lib = project / "build" / "lib"
    for _ in range(2):
        link_wheels(
            lib, [UnpackedWheel(project, "pkg-1.0-py3-none-any.whl")], mode=mode, exclude=patterns
        )
        found = {path for path, data in contents(lib).items() if data is not None}
        assert found == {"pkg/a.py"}
    with pytest.raises(LinkError, match="exclude"):
        link_wheel_files(lib, project, filename="pkg-1.0-py3-none-any.whl", exclude=["pkg"])
    assert (project / "pkg" / "a.py").read_bytes() == b"a"


@pytest.mark.parametrize("exclude", [["*.dist-info"], lambda path: path.name.endswith("info")])
def test_what_names_the_wheel_may_be_left_out(wheel: Path, site: Path, exclude: Any) -> None:
    report = link_wheel_files(site, wheel, exclude=exclude)
    assert str(report.wheel).startswith("demo-1.0")
    assert names(site) == {path.partition("/")[0] for path in SAMPLE}


@pytest.mark.parametrize("exclude", [["config.py"], ["demo/sub/config.py"], ["sub"], ["demo"]])
def test_what_is_left_out_is_in_conflict_with_nothing(
    wheel: Path, site: Path, tmp_path: Path, exclude: list[str]
) -> None:
    wheels = [
        make_wheel(tmp_path / name, {"demo/sub/config.py": name.encode()}, name=name)
        for name in ("one", "another")
    ]
    with pytest.raises(PackageConflictError):
        link_wheels(site, wheels, on_conflict="error")
    with pytest.raises(PackageConflictError):
        link_wheels(site, wheels, on_conflict="error", exclude=["config"])
    locks = Locks()
    link_wheels(site, wheels, on_conflict="error", exclude=exclude, locks=locks)
    assert locks.find_package_conflicts() == ()


@pytest.mark.parametrize("jobs", [1, 3])
@pytest.mark.parametrize("asked", ["exclude", "must_copy"])
def test_what_a_function_raises_comes_out_as_it_is(
    wheel: Path, site: Path, asked: str, jobs: int
) -> None:
    """It is no error of the files that are linked, whatever it says."""
    cause = KeyError("why")
    error = FileNotFoundError(2, "not in the list of the caller")

    def question(path: PurePosixPath) -> bool:
        raise error from cause

    with pytest.raises(FileNotFoundError, match="list of the caller") as caught:
        link_wheels(site, [wheel], jobs=jobs, **{asked: question})  # type: ignore[arg-type]
    assert caught.value is error
    assert error.__cause__ is cause
    assert list(site.iterdir()) == []
