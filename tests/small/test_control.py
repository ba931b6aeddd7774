"""How a store's own files and directories are opened and made, one call at a time."""

from __future__ import annotations

import errno
import os
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from small.descriptors import open_descriptors
from wheel_linker._fs.folder import Folder
from wheel_linker.store import control
from wheel_linker.store.control import (
    control_folder,
    directory_of,
    make_directory,
    make_file,
    make_root,
    open_file,
    open_to_lock,
    remove_file,
)
from wheel_linker.store.layout import Layout

if TYPE_CHECKING:
    from collections.abc import Iterator

on_posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such files or bits")
NEW = os.O_WRONLY | os.O_CREAT


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    with Folder.open(os.fspath(tmp_path)) as opened:
        yield opened


@pytest.fixture
def no_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def bits(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


class TestOpenFile:
    def test_that_is_there(self, tmp_path: Path, folder: Folder) -> None:
        (tmp_path / "file").write_bytes(b"a\r\nb")
        fd = open_file(folder, "file", os.O_RDONLY)
        assert os.read(fd, 10) == b"a\r\nb"
        os.close(fd)

    @on_posix
    @pytest.mark.usefixtures("no_umask")
    def test_that_is_made(self, tmp_path: Path, folder: Folder) -> None:
        os.close(open_file(folder, "one", NEW))
        os.close(open_file(folder, "two", NEW, 0o640))
        assert (bits(tmp_path / "one"), bits(tmp_path / "two")) == (0o664, 0o640)

    def test_that_is_missing(self, tmp_path: Path, folder: Folder) -> None:
        with pytest.raises(FileNotFoundError) as caught:
            open_file(folder, "none", os.O_RDONLY)
        assert caught.value.filename == os.fspath(tmp_path / "none")

    @on_posix
    def test_symlinks_are_refused(self, tmp_path: Path, folder: Folder) -> None:
        (tmp_path / "file").touch()
        (tmp_path / "link").symlink_to("file")
        with pytest.raises(OSError, match="link") as caught:
            open_file(folder, "link", os.O_RDONLY)
        assert caught.value.errno == errno.ELOOP
        assert caught.value.filename == os.fspath(tmp_path / "link")

    @on_posix
    def test_symlinks_are_refused_where_the_system_cannot(
        self, tmp_path: Path, folder: Folder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As on Windows."""
        monkeypatch.delattr(os, "O_NOFOLLOW")
        monkeypatch.setattr(control, "_SAFE", 0)
        (tmp_path / "file").touch()
        (tmp_path / "link").symlink_to("file")
        with pytest.raises(OSError, match="link") as caught:
            open_file(folder, "link", os.O_RDONLY)
        assert caught.value.errno == errno.ELOOP
        assert caught.value.strerror == os.strerror(errno.ELOOP)
        assert caught.value.filename == os.fspath(tmp_path / "link")
        os.close(open_file(folder, "file", os.O_RDONLY))
        with pytest.raises(FileNotFoundError):
            open_file(folder, "none", os.O_RDONLY)

    @on_posix
    def test_where_it_can_they_are_not_looked_for(
        self, tmp_path: Path, folder: Folder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(control, "_refuse_symlink", None)
        (tmp_path / "file").touch()
        os.close(open_file(folder, "file", os.O_RDONLY))

    @on_posix
    def test_what_is_no_file_is_closed_again(self, tmp_path: Path, folder: Folder) -> None:
        os.mkfifo(tmp_path / "fifo")  # type: ignore[attr-defined,unused-ignore]
        before = open_descriptors()
        for _ in range(2):
            with pytest.raises(OSError, match="regular") as caught:
                open_file(folder, "fifo", os.O_RDONLY)
            assert caught.value.errno == errno.EINVAL
            assert caught.value.filename == os.fspath(tmp_path / "fifo")
        assert open_descriptors() == before


class TestMakeFile:
    @on_posix
    @pytest.mark.usefixtures("no_umask")
    def test_modes(self, tmp_path: Path, folder: Folder) -> None:
        make_file(folder, "one", b"")
        make_file(folder, "two", b"", 0o600)
        assert (bits(tmp_path / "one"), bits(tmp_path / "two")) == (0o664, 0o600)

    def test_with_all_of_its_bytes(self, tmp_path: Path, folder: Folder) -> None:
        before = open_descriptors()
        make_file(folder, "file", b"some\nbytes")
        assert (tmp_path / "file").read_bytes() == b"some\nbytes"
        assert open_descriptors() == before

    def test_never_over_another(self, tmp_path: Path, folder: Folder) -> None:
        make_file(folder, "file", b"one")
        with pytest.raises(FileExistsError):
            make_file(folder, "file", b"two")
        assert (tmp_path / "file").read_bytes() == b"one"


class TestRemoveFile:
    def test_that_is_there(self, tmp_path: Path, folder: Folder) -> None:
        (tmp_path / "file").touch()
        remove_file(folder, "file")
        assert not (tmp_path / "file").exists()
        remove_file(folder, "file")

    def test_that_cannot_be_removed(self, tmp_path: Path, folder: Folder) -> None:
        (tmp_path / "directory").mkdir()
        remove_file(folder, "directory")
        assert (tmp_path / "directory").is_dir()


class TestOpenToLock:
    def test_makes_it(self, tmp_path: Path, folder: Folder) -> None:
        fd = open_to_lock(folder, "lock")
        assert os.write(fd, b"abc") == 3
        os.close(fd)
        fd = open_to_lock(folder, "lock")
        assert os.read(fd, 10) == b"abc"
        os.close(fd)

    @on_posix
    def test_of_another_user(self, nobody: Path) -> None:
        (nobody / "lock").write_bytes(b"abc")
        (nobody / "lock").chmod(0o444)
        with Folder.open(os.fspath(nobody)) as folder:
            fd = open_to_lock(folder, "lock")
        assert os.read(fd, 10) == b"abc"
        with pytest.raises(OSError, match=os.strerror(errno.EBADF)):
            os.write(fd, b"x")
        os.close(fd)


class TestDirectories:
    @pytest.fixture
    def layout(self, tmp_path: Path) -> Layout:
        (tmp_path / ".store" / "staging").mkdir(parents=True)
        return Layout(os.fspath(tmp_path))

    def test_are_opened(self, tmp_path: Path, layout: Layout) -> None:
        before = open_descriptors()
        with control_folder(layout) as found:
            assert os.path.samefile(found.path, tmp_path / ".store")
            assert found.listdir() == ["staging"]
        with directory_of(layout, "staging") as found:
            assert os.path.samefile(found.path, tmp_path / ".store" / "staging")
            assert found.listdir() == []
        assert open_descriptors() == before

    @pytest.mark.skipif(not hasattr(os, "O_PATH"), reason="there each can be listed")
    def test_are_opened_to_be_listed(self, layout: Layout) -> None:
        with directory_of(layout, "staging", listing=True) as found:
            assert found.fd is not None
            assert os.listdir(found.fd) == []
        with directory_of(layout, "staging") as found:
            assert found.fd is not None
            with pytest.raises(OSError, match=os.strerror(errno.EBADF)):
                os.listdir(found.fd)

    def test_that_are_missing(self, tmp_path: Path, layout: Layout) -> None:
        with pytest.raises(FileNotFoundError):
            directory_of(layout, "none")
        with pytest.raises(FileNotFoundError):
            control_folder(Layout(os.fspath(tmp_path / "none")))

    @on_posix
    def test_behind_symlinks(self, tmp_path: Path, layout: Layout) -> None:
        (tmp_path / ".store").rename(tmp_path / "real")
        (tmp_path / ".store").symlink_to("real")
        with pytest.raises(OSError, match="store"):
            control_folder(layout)


class TestMakeDirectory:
    def test_once(self, tmp_path: Path, folder: Folder) -> None:
        assert make_directory(folder, "new") is True
        assert (tmp_path / "new").is_dir()
        assert make_directory(folder, "new") is False

    @on_posix
    @pytest.mark.usefixtures("no_umask")
    def test_mode(self, tmp_path: Path, folder: Folder) -> None:
        make_directory(folder, "new")
        assert bits(tmp_path / "new") == 0o775

    @on_posix
    def test_where_it_cannot_be_made(self, folder: Folder) -> None:
        with pytest.raises(FileNotFoundError):
            make_directory(folder, os.path.join("none", "new"))


class TestMakeRoot:
    def test_with_its_parents(self, tmp_path: Path) -> None:
        path = tmp_path / "some" / "where" / "store"
        assert make_root(os.fspath(path)) is True
        assert path.is_dir()
        assert make_root(os.fspath(path)) is False

    @on_posix
    @pytest.mark.usefixtures("no_umask")
    def test_modes(self, tmp_path: Path) -> None:
        make_root(os.fspath(tmp_path / "where" / "store"))
        assert bits(tmp_path / "where") == bits(tmp_path / "where" / "store") == 0o775

    @pytest.mark.parametrize(("faster", "made"), [("where", True), ("store", False)])
    def test_while_another_process_does(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, faster: str, made: bool
    ) -> None:
        real = os.mkdir

        def mkdir(path: Any, mode: int = 0o777) -> None:
            if os.path.basename(path) == faster:
                real(path)
            real(path, mode)

        path = tmp_path / "where" / "store"
        monkeypatch.setattr(os, "mkdir", mkdir)
        assert make_root(os.fspath(path)) is made
        assert path.is_dir()

    def test_where_it_cannot_be_made(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(OSError, match="file"):
            make_root(os.fspath(tmp_path / "file" / "store"))

    @on_posix
    def test_behind_a_symlink_to_nothing(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*_: object) -> NoReturn:
            raise AssertionError("nothing is to be made")

        (tmp_path / "link").symlink_to("none")
        monkeypatch.setattr(os, "mkdir", refuse)
        assert make_root(os.fspath(tmp_path / "link")) is False
