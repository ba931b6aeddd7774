"""Permission bits, call by call; tests/test_permissions.py has what becomes of wheels."""

from __future__ import annotations

import errno
import logging
import os
import stat
import sys
from typing import TYPE_CHECKING

import pytest

from wheel_linker._fs import permissions
from wheel_linker._fs.folder import Folder
from wheel_linker._fs.permissions import (
    chmod_itself,
    follow_umask,
    granted,
    if_allowed,
    permissions_like,
    stay_executable,
)
from wheel_linker._fs.remove_tree import remove_tree
from wheel_linker.store._entry.execute_bits import keeps_execute_bits

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(os.name != "posix", reason="Windows has no permission bits")


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    with Folder.open(os.fspath(tmp_path)) as opened:
        yield opened


@pytest.fixture(params=[0o022, 0o077, 0o111], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    previous = os.umask(request.param)
    yield request.param
    os.umask(previous)


@pytest.mark.parametrize(
    ("mode", "wanted"),
    [
        (0o644, 0o666),
        (0o600, 0o666),
        (0o400, 0o444),
        (0o200, 0o666),
        (0o000, 0o444),
        (0o755, 0o777),
        (0o700, 0o777),
        (0o500, 0o555),
        (0o010, 0o555),
        (0o001, 0o555),
        (0o4755, 0o777),
        (stat.S_IFREG | 0o2644, 0o666),
    ],
    ids=lambda value: oct(value),
)
def test_like_another(mode: int, wanted: int) -> None:
    assert permissions_like(mode) == wanted


def test_what_the_umask_leaves(tmp_path: Path, folder: Folder, umask: int) -> None:
    assert granted("", folder.fd) == 0o777 & ~umask
    assert granted(f"{tmp_path}{os.sep}", None) == 0o777 & ~umask
    assert os.listdir(tmp_path) == []


def test_what_the_umask_leaves_is_tried_by_a_private_name(
    tmp_path: Path, folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No two calls try the same one, and none that is there is taken."""
    made: list[tuple[str, int]] = []
    opened = os.open

    def noting(path: str, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        made.append((path, flags))
        return opened(path, flags, mode, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", noting)
    granted("", folder.fd)
    granted("", folder.fd)
    names = [name for name, _ in made]
    assert len(set(names)) == 2
    assert all(name.startswith(".wheel_linker-") and len(name) == 14 + 16 for name in names)
    assert {flags for _, flags in made} == {os.O_WRONLY | os.O_CREAT | os.O_EXCL}


def test_nothing_is_left_open(folder: Folder) -> None:
    before = os.dup(0)
    os.close(before)
    granted("", folder.fd)
    keeps_execute_bits(folder)
    after = os.dup(0)
    os.close(after)
    assert after == before


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o4640, 0o700, 0o711], ids=oct)
def test_stays_executable(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "tool"
    path.touch()
    path.chmod(mode)
    with path.open("rb") as file:
        stay_executable(file.fileno())
    assert stat.S_IMODE(path.stat().st_mode) == mode | 0o100


def test_an_executable_is_not_touched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "tool"
    path.touch()
    path.chmod(0o711)
    monkeypatch.setattr(os, "fchmod", None)
    with path.open("rb") as file:
        stay_executable(file.fileno())
    assert stat.S_IMODE(path.stat().st_mode) == 0o711


def test_where_there_is_no_fchmod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in Python for WebAssembly."""
    (tmp_path / "tool").touch(mode=0o600)
    monkeypatch.delattr(os, "fchmod")
    with (tmp_path / "tool").open("rb") as file:
        stay_executable(file.fileno())
    assert stat.S_IMODE((tmp_path / "tool").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("mode", "left", "wanted"),
    [
        (0o644, 0o755, 0o644),
        (0o600, 0o755, 0o644),
        (0o644, 0o700, 0o600),
        (0o755, 0o666, 0o766),
        (0o555, 0o700, 0o500),
        (0o4755, 0o777, 0o777),
    ],
    ids=lambda value: oct(value),
)
def test_follows_the_umask(
    tmp_path: Path, folder: Folder, mode: int, left: int, wanted: int
) -> None:
    path = tmp_path / "file"
    path.touch()
    path.chmod(mode)
    follow_umask("file", folder.fd, path.stat().st_mode, left)
    assert stat.S_IMODE(path.stat().st_mode) == wanted


def test_bits_that_are_right_are_not_set(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "chmod", None)
    follow_umask("no such file", folder.fd, stat.S_IFREG | 0o644, 0o755)


class TestIfAllowed:
    def test_what_is_done(self) -> None:
        seen: list[object] = []

        def action(*arguments: object, **keywords: object) -> None:
            seen.extend((arguments, keywords))

        assert if_allowed(action, 1, "two", three=3) is True
        assert seen == [(1, "two"), {"three": 3}]

    @pytest.mark.parametrize("number", sorted(permissions.REFUSED), ids=str)
    def test_a_refusal_is_logged(self, number: int, caplog: pytest.LogCaptureFixture) -> None:
        def refuse() -> None:
            raise OSError(number, "refused here")

        with caplog.at_level(logging.DEBUG, "wheel_linker"):
            assert if_allowed(refuse) is False
        (message,) = caplog.messages
        assert message.startswith("permission bits or times stay as they are: ")
        assert "refused here" in message

    @pytest.mark.parametrize("number", [errno.ENOENT, errno.EIO, errno.EROFS, errno.ENOSPC])
    def test_a_fault_is_raised(self, number: int) -> None:
        def fail() -> None:
            raise OSError(number, "broken")

        with pytest.raises(OSError, match="broken"):
            if_allowed(fail)


class TestExecuteBits:
    def test_are_kept(self, tmp_path: Path, folder: Folder) -> None:
        assert keeps_execute_bits(folder)
        assert os.listdir(tmp_path) == []

    @pytest.mark.parametrize("everything_has", [0o700, 0o600], ids=oct)
    def test_are_the_same_for_all(
        self,
        tmp_path: Path,
        folder: Folder,
        everything_has: int,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """As on FAT: the mount's options say which."""
        opened = os.open

        def like_fat(path: str, flags: int, _mode: int, *, dir_fd: int | None = None) -> int:
            return opened(path, flags, everything_has, dir_fd=dir_fd)

        monkeypatch.setattr(os, "open", like_fat)
        assert not keeps_execute_bits(folder)
        assert os.listdir(tmp_path) == []

    def test_nobody_else_may_open_what_is_tried(
        self, folder: Folder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        modes: list[int] = []
        opened = os.open

        def noting(path: str, flags: int, mode: int, *, dir_fd: int | None = None) -> int:
            modes.append(mode)
            return opened(path, flags, mode, dir_fd=dir_fd)

        monkeypatch.setattr(os, "open", noting)
        keeps_execute_bits(folder)
        assert modes == [0o600, 0o700]

    @pytest.mark.parametrize("name", ["plain", "executable"])
    def test_nobody_elses_file_is_tried(self, tmp_path: Path, folder: Folder, name: str) -> None:
        (tmp_path / name).write_bytes(b"another's")
        with pytest.raises(FileExistsError):
            keeps_execute_bits(folder)
        assert (tmp_path / name).read_bytes() == b"another's"

    @pytest.mark.skipif(sys.platform == "win32", reason="about directory descriptors")
    def test_is_tried_in_that_directory(
        self, tmp_path: Path, folder: Folder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "elsewhere").mkdir()
        monkeypatch.chdir(tmp_path / "elsewhere")
        (tmp_path / "elsewhere" / "plain").touch()
        assert keeps_execute_bits(folder)
        assert os.listdir() == ["plain"]


class TestThroughNoSymlink:
    """What is opened up may be exchanged for a symlink at any moment; chmod(2) would change what that leads to."""

    @pytest.fixture
    def outside(self, tmp_path: Path) -> Iterator[Path]:
        directory = tmp_path / "outside"
        directory.mkdir(mode=0o500)
        yield directory
        directory.chmod(0o700)

    def test_a_directory_is_opened_up(self, folder: Folder, outside: Path) -> None:
        for mode in (0o500, 0o300, 0o000):
            outside.chmod(mode)
            folder.open_up("outside")
            assert stat.S_IMODE(outside.stat().st_mode) == 0o700

    @pytest.mark.parametrize("mode", [0o500, 0o000])
    def test_a_symlink_in_its_place(
        self, tmp_path: Path, folder: Folder, outside: Path, mode: int
    ) -> None:
        outside.chmod(mode)
        (tmp_path / "inside").symlink_to(outside)
        folder.open_up("inside")
        assert stat.S_IMODE(outside.stat().st_mode) == mode
        with pytest.raises(OSError, match="inside"):
            remove_tree(folder, "inside")
        assert stat.S_IMODE(outside.stat().st_mode) == mode

    def test_a_symlink_that_comes_after_the_look(
        self, tmp_path: Path, folder: Folder, outside: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "inside").mkdir(mode=0o500)

        def exchange(
            path: str, *, dir_fd: int | None, follow_symlinks: bool = True
        ) -> os.stat_result:
            monkeypatch.undo()
            status = os.stat(path, dir_fd=dir_fd, follow_symlinks=follow_symlinks)
            (tmp_path / "inside").rmdir()
            (tmp_path / "inside").symlink_to(outside)
            return status

        monkeypatch.setattr(os, "stat", exchange)
        with pytest.raises(OSError) as raised:  # noqa: PT011 - the number is what is asked
            folder.open_up("inside")
        assert raised.value.errno in {errno.ELOOP, errno.EMLINK}
        assert stat.S_IMODE(outside.stat().st_mode) == 0o500

    @pytest.mark.parametrize("mode", [0o500, 0o000])
    def test_call_by_call(
        self,
        tmp_path: Path,
        folder: Folder,
        outside: Path,
        mode: int,
    ) -> None:
        outside.chmod(mode)
        (tmp_path / "inside").symlink_to(outside)
        with pytest.raises(OSError, match="inside") as raised:
            chmod_itself("inside", 0o777, folder.fd)
        assert raised.value.errno in {errno.ELOOP, errno.EMLINK}
        assert stat.S_IMODE(outside.stat().st_mode) == mode

    @pytest.mark.skipif(sys.platform != "linux", reason="elsewhere chmod can be told not to follow")
    def test_what_only_names_a_file(self, tmp_path: Path, folder: Folder, outside: Path) -> None:
        """As for a user who may not read it; root may."""
        outside.chmod(0o300)
        permissions._chmod_unreadable("outside", 0o755, folder.fd)
        assert stat.S_IMODE(outside.stat().st_mode) == 0o755
        (tmp_path / "inside").symlink_to(outside)
        with pytest.raises(OSError, match="inside") as raised:
            permissions._chmod_unreadable("inside", 0o777, folder.fd)
        assert raised.value.errno == errno.ELOOP
        assert stat.S_IMODE(outside.stat().st_mode) == 0o755
