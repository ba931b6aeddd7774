"""Guarantee 5: permission bits arrive, set-id bits do not, and directories are their owner's to write."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from wheels import contents, make_wheel, sample_wheel, snapshot

from wheel_linker import LinkMode, link_wheel_files

if TYPE_CHECKING:
    from collections.abc import Iterator

MODES = list(LinkMode)
PRIVATE = [LinkMode.COPY, LinkMode.CLONE]
pytestmark = [
    pytest.mark.skipif(os.name != "posix", reason="Windows has no permission bits"),
    pytest.mark.usefixtures("way"),
]


def bits(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(params=[0o000, 0o022, 0o077], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    previous = os.umask(request.param)
    yield request.param
    os.umask(previous)


@pytest.mark.parametrize("mode", PRIVATE)
@pytest.mark.parametrize("wanted", [0o400, 0o444, 0o600, 0o644, 0o755, 0o777, 0o511])
def test_each_bit_arrives(place: Path, mode: LinkMode, wanted: int) -> None:
    source = make_wheel(place / "w", {"tool": b"#!/bin/sh\n"})
    (source / "tool").chmod(wanted)
    link_wheel_files(place / "site", source, mode=mode)
    assert bits(place / "site/tool") == wanted


@pytest.mark.usefixtures("umask")
@pytest.mark.parametrize("mode", PRIVATE)
def test_the_umask_takes_nothing_from_files(tmp_path: Path, wheel: Path, mode: LinkMode) -> None:
    link_wheel_files(tmp_path / "new", wheel, mode=mode)
    files = [path for path in wheel.rglob("*") if path.is_file()]
    assert [
        path for path in files if bits(path) != bits(tmp_path / "new" / path.relative_to(wheel))
    ] == []


@pytest.mark.parametrize("mode", MODES)
def test_new_directories_follow_the_umask(
    tmp_path: Path, wheel: Path, umask: int, mode: LinkMode
) -> None:
    """As those of any installer do."""
    link_wheel_files(tmp_path / "new", wheel, mode=mode)
    for path in (tmp_path / "new").rglob("*"):
        if path.is_dir():
            assert bits(path) == 0o777 & ~umask


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("wanted", [0o4755, 0o2755, 0o6711, 0o1755])
def test_set_id_bits_do_not_arrive_in_copies(place: Path, mode: LinkMode, wanted: int) -> None:
    source = make_wheel(place / "w", {"tool": b"#!/bin/sh\n"})
    (source / "tool").chmod(wanted)
    report = link_wheel_files(
        place / "site", source, mode=mode, must_copy=lambda path: path.name == "tool"
    )
    assert report.used.get(LinkMode.COPY, 0) + report.used.get(LinkMode.CLONE, 0) >= 1
    assert bits(place / "site/tool") == wanted & 0o777
    assert bits(source / "tool") == wanted


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("directory_bits", [0o555, 0o500, 0o511, 0o2555])
def test_an_ordinary_user_links_a_read_only_wheel(
    nobody: Path, mode: LinkMode, directory_bits: int
) -> None:
    source = sample_wheel(nobody / "cache")
    for path in [source, *source.rglob("*")]:
        path.chmod(directory_bits if path.is_dir() else 0o444)
    before = snapshot(source, directory_times=True)
    target = nobody / "site"
    for _ in range(2):
        link_wheel_files(target, source, mode=mode)
    assert contents(target) == contents(source)
    for path in [target, *target.rglob("*")]:
        if path.is_dir():
            (path / "written").touch()
    assert snapshot(source, directory_times=True) == before


@pytest.mark.parametrize("mode", MODES)
def test_directories_that_are_unreadable_by_mode(place: Path, mode: LinkMode) -> None:
    """As root, who reads them all the same."""
    if sys.platform == "win32" or os.geteuid() != 0:
        pytest.skip("only root reads what is unreadable")
    source = sample_wheel(place / "cache")
    for path in source.rglob("*"):
        if path.is_dir():
            path.chmod(0o000)
    before = snapshot(source, directory_times=True)
    link_wheel_files(place / "site", source, mode=mode)
    for path in (place / "site").rglob("*"):
        if path.is_dir():
            assert bits(path) & 0o700 == 0o700
    assert contents(place / "site") == contents(source)
    assert snapshot(source, directory_times=True) == before


@pytest.mark.parametrize("mode", MODES)
def test_existing_directories_keep_their_bits(tmp_path: Path, wheel: Path, mode: LinkMode) -> None:
    target = tmp_path / "new"
    (target / "demo").mkdir(parents=True)
    target.chmod(0o2775)
    (target / "demo").chmod(0o750)
    link_wheel_files(target, wheel, mode=mode)
    assert (bits(target), bits(target / "demo")) == (0o2775, 0o750)


def test_a_read_only_file_in_the_way_is_replaced(nobody: Path) -> None:
    source = sample_wheel(nobody / "cache")
    target = nobody / "site"
    target.mkdir()
    (target / "single.py").write_bytes(b"old")
    (target / "single.py").chmod(0o400)
    report = link_wheel_files(target, source, mode="copy")
    assert report.replaced == ("single.py",)
    assert contents(target) == contents(source)
