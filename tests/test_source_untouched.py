"""Guarantee 2: nothing is ever written through a link into the source."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from filesystems import LOCAL
from standins import ScriptedBackend
from wheels import contents, make_wheel, sample_wheel, snapshot, write_tree

from wheel_linker import LinkError, LinkMode, link_wheel_files, link_wheels
from wheel_linker._fs.destination import leading_to
from wheel_linker._link.pipeline import refuse_own_inside
from wheel_linker._wheel.scan import scan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from filesystems import FileSystems

MODES = list(LinkMode)
pytestmark = pytest.mark.usefixtures("way")


@pytest.fixture
def here(on_filesystem: Callable[[str], Path]) -> Path:
    """A place where three of the modes work; the contract suite has all four, everywhere."""
    return on_filesystem(LOCAL)


@pytest.fixture
def cached(here: Path) -> Iterator[Path]:
    """A wheel that must be the same to the nanosecond after the test."""
    source = sample_wheel(here / "cache" / "demo")
    before = snapshot(source.parent, directory_times=True)
    yield source
    assert snapshot(source.parent, directory_times=True) == before


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("link", [os.link, os.symlink])
def test_links_into_the_source_are_replaced_not_written(
    here: Path, cached: Path, link: Callable[[Path, Path], None], mode: LinkMode
) -> None:
    """The destination was filled from the same cache by some other program."""
    target = here / "site"
    for path in [path for path in cached.rglob("*") if path.is_file()]:
        placed = target / path.relative_to(cached)
        placed.parent.mkdir(parents=True, exist_ok=True)
        link(path, placed)
    newer = make_wheel(here / "newer", dict.fromkeys(("single.py", "demo/module.py"), b"new"))

    link_wheel_files(target, newer, mode=mode)

    assert (target / "single.py").read_bytes() == b"new"


def test_files_behind_a_symlink_anywhere_are_not_written(here: Path, cached: Path) -> None:
    elsewhere = write_tree(here / "elsewhere", {"precious": b"precious"})
    target = write_tree(here / "site", {"demo/x": b""})
    for path in ("single.py", "demo/module.py", "demo.pth"):
        (target / path).symlink_to(elsewhere / "precious")
    (target / "demo/tool.sh").symlink_to(here / "missing")
    link_wheel_files(target, cached, mode="copy")
    assert contents(elsewhere) == {"precious": b"precious"}
    assert not (here / "missing").exists()
    assert not (target / "demo/tool.sh").is_symlink()


@pytest.mark.parametrize("mode", MODES)
def test_failing_leaves_the_source_alone(here: Path, cached: Path, mode: LinkMode) -> None:
    target = here / "site"
    link_wheel_files(target, cached, mode=mode)
    (target / "single.py").unlink()
    write_tree(target, {"single.py/x": b""})
    with pytest.raises(LinkError):
        link_wheel_files(target, cached, mode=mode)


@pytest.mark.parametrize("mode", MODES)
def test_a_fallback_in_the_middle_leaves_the_source_alone(
    here: Path, cached: Path, mode: LinkMode
) -> None:
    backend = ScriptedBackend(
        by_call=lambda call: OSError(errno.EXDEV, "other device") if call % 2 else None
    )
    report = link_wheel_files(
        here / "site", cached, mode=(LinkMode.CLONE, mode, LinkMode.COPY), backend=backend
    )
    assert contents(here / "site") == contents(cached)
    assert sum(report.used.values()) == report.files


@pytest.mark.parametrize("mode", MODES)
def test_removing_an_environment_leaves_the_source_alone(
    here: Path, cached: Path, mode: LinkMode
) -> None:
    link_wheel_files(here / "site", cached, mode=mode)
    shutil.rmtree(here / "site")


@pytest.mark.parametrize("mode", MODES)
def test_one_wheel_twice_in_one_call(here: Path, cached: Path, mode: LinkMode) -> None:
    link_wheels(here / "site", [cached, cached], mode=mode, jobs=2)
    assert contents(here / "site") == contents(cached)


def test_a_source_that_is_itself_a_hard_link_farm(here: Path, cached: Path) -> None:
    """The same inode under several names, as caches that share equal files have it."""
    farm = here / "farm"
    shutil.copytree(cached, farm)
    (farm / "twin.py").hardlink_to(farm / "single.py")
    before = snapshot(farm, directory_times=True)
    for _ in range(2):
        link_wheel_files(here / "site", farm, mode="hardlink")
    assert contents(here / "site") == contents(farm)
    assert snapshot(farm, directory_times=True) == before


def test_a_cache_that_is_reached_through_a_symlink(here: Path, cached: Path) -> None:
    (here / "alias").symlink_to(cached, target_is_directory=True)
    link_wheel_files(here / "site", here / "alias", mode="symlink")
    assert contents(here / "site") == contents(cached)
    assert (here / "site/single.py").resolve() == (cached / "single.py").resolve()


def test_a_relative_source_gives_links_that_work(
    here: Path, cached: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(here)
    link_wheel_files("site", os.path.relpath(cached), mode="symlink")
    monkeypatch.chdir("/")
    assert contents(here / "site") == contents(cached)


@pytest.mark.parametrize("inside", [".", "demo", "new/site"])
def test_a_wheel_is_not_linked_into_itself(cached: Path, inside: str) -> None:
    with pytest.raises(LinkError):
        link_wheel_files(cached / inside, cached)


@pytest.fixture
def two_paths(filesystems: FileSystems, tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    """A wheel, and another path of it, which is not a symlink."""
    base = filesystems.directory("tmpfs") / f"paths-{tmp_path.name}"
    wheel = sample_wheel(base / "wheel")
    point = base / "alias"
    point.mkdir()
    with filesystems.mounted(point, "--bind", str(wheel)):
        yield wheel, point


@pytest.mark.parametrize("inside", ["", "demo", "env", "new/site"])
@pytest.mark.parametrize("mode", ["copy", "hardlink"])
def test_a_wheel_is_not_linked_into_itself_by_another_path(
    two_paths: tuple[Path, Path], inside: str, mode: str
) -> None:
    """The stage, which lies in the wheel then, would be read as a part of it, and be copied into itself for ever."""
    wheel, alias = two_paths
    if inside == "env":
        (wheel / inside).mkdir()
    before = snapshot(wheel)
    with pytest.raises(LinkError, match="itself"):
        link_wheel_files(alias / inside, wheel, mode=mode)
    assert snapshot(wheel) == before


@pytest.mark.parametrize("mode", ["copy", "hardlink"])
@pytest.mark.parametrize("below", ["", "site"])
def test_a_wheel_is_not_linked_into_itself_where_a_part_of_it_is_mounted(
    filesystems: FileSystems, tmp_path: Path, mode: str, below: str
) -> None:
    """No path leads from there to the wheel; its stage was copied into itself until the disk was full."""
    base = filesystems.directory("tmpfs") / f"part-{tmp_path.name}"
    wheel = sample_wheel(base / "wheel")
    (wheel / "demo" / below).mkdir(exist_ok=True)
    point = base / "point"
    point.mkdir()
    before = snapshot(wheel)
    with filesystems.mounted(point, "--bind", str(wheel / "demo")):
        with pytest.raises(LinkError, match=r"into itself: the destination is its .*demo"):
            link_wheel_files(point / below, wheel, mode=mode)
        assert snapshot(wheel) == before


def test_a_part_that_is_left_out_is_known_by_another_path(two_paths: tuple[Path, Path]) -> None:
    wheel, alias = two_paths
    files = {path for path, data in contents(wheel).items() if data is not None}
    link_wheel_files(alias / "build/lib", wheel, exclude=["build"], mode="copy")
    found = {path for path, data in contents(wheel / "build/lib").items() if data is not None}
    assert found == files


@pytest.mark.parametrize("inside", [".", "demo", "new/site"])
def test_a_wheel_is_known_by_more_than_its_path(here: Path, inside: str) -> None:
    wheel = sample_wheel(here / "wheel")
    site = os.path.normpath(wheel / inside)
    tree = scan(wheel)._replace(path=os.fspath(here / "other"))
    with pytest.raises(LinkError, match="itself"):
        refuse_own_inside(site, leading_to(site), tree)
    refuse_own_inside(os.fspath(here), leading_to(os.fspath(here)), tree)
