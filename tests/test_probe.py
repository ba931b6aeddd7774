"""``supported_modes``: what works between exactly two directories, leaving nothing behind."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from filesystems import CLONING, can_clone
from wheels import sample_wheel, snapshot

from wheel_linker import LinkError, LinkMode, link_wheel_files, supported_modes

if TYPE_CHECKING:
    from collections.abc import Callable

    from filesystems import FileSystems

pytestmark = pytest.mark.usefixtures("way")


@pytest.fixture
def pair(place: Path) -> tuple[Path, Path]:
    source, destination = place / "source", place / "destination"
    source.mkdir()
    destination.mkdir()
    return source, destination


def test_every_mode_is_there_with_none_where_it_works(place: Path, pair: tuple[Path, Path]) -> None:
    modes = supported_modes(*pair)
    assert list(modes) == list(LinkMode)
    working = {mode for mode, error in modes.items() if error is None}
    assert LinkMode.COPY in working
    assert (LinkMode.CLONE in working) == can_clone(place)
    if sys.platform == "linux":
        assert {LinkMode.HARDLINK, LinkMode.SYMLINK} <= working
    assert all(error is None or isinstance(error, OSError) for error in modes.values())


def test_nothing_is_left_behind(place: Path, pair: tuple[Path, Path]) -> None:
    before = snapshot(place)
    for _ in range(3):
        supported_modes(*map(str, pair))
    assert snapshot(place) == before


def test_it_answers_as_linking_does(place: Path, pair: tuple[Path, Path]) -> None:
    source = sample_wheel(pair[0] / "wheel")
    for mode, error in supported_modes(source, pair[1]).items():
        if error is None:
            assert link_wheel_files(pair[1], source, mode=(mode,)).mode is mode
        else:
            with pytest.raises(LinkError):
                link_wheel_files(pair[1], source, mode=(mode,))


@pytest.mark.parametrize("order", [1, -1])
def test_two_devices(on_filesystem: Callable[[str], Path], order: int) -> None:
    pair = [on_filesystem(name) for name in CLONING][::order]
    modes = supported_modes(*pair)
    failed = {mode: error.errno for mode, error in modes.items() if error is not None}
    assert failed == {LinkMode.CLONE: errno.EXDEV, LinkMode.HARDLINK: errno.EXDEV}


def test_a_read_only_source_is_probed_with_a_file_that_is_there(
    filesystems: FileSystems, on_filesystem: Callable[[str], Path], tmp_path: Path
) -> None:
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("needs a read-only mount")
    real = on_filesystem("xfs")
    sample_wheel(real / "wheel")
    view = filesystems.read_only(real, f"ro-{os.urandom(4).hex()}")
    before = snapshot(view, directory_times=True)
    modes = supported_modes(view / "wheel", tmp_path)
    assert modes[LinkMode.COPY] is None
    assert modes[LinkMode.SYMLINK] is None
    assert snapshot(view, directory_times=True) == before
    assert os.listdir(tmp_path) == []


def test_a_source_that_is_not_ours_to_write(nobody: Path) -> None:
    source, destination = sample_wheel(nobody / "source"), nobody / "destination"
    destination.mkdir()
    for path in [source, *source.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    before = snapshot(source, directory_times=True)
    assert supported_modes(source, destination)[LinkMode.COPY] is None
    assert snapshot(source, directory_times=True) == before
    assert os.listdir(destination) == []


@pytest.mark.parametrize("missing", [0, 1])
@pytest.mark.parametrize("is_file", [True, False])
def test_both_have_to_be_directories(tmp_path: Path, missing: int, is_file: bool) -> None:
    pair = [tmp_path / "one", tmp_path / "two"]
    pair[1 - missing].mkdir()
    if is_file:
        pair[missing].touch()
    before = snapshot(tmp_path)
    with pytest.raises(LinkError, match=pair[missing].name) as caught:
        supported_modes(*pair)
    assert caught.value.errno == (errno.ENOTDIR if is_file else errno.ENOENT)
    assert snapshot(tmp_path) == before
