"""Moving by renaming, and by copying where a sandbox lets nothing be renamed between directories."""

from __future__ import annotations

import errno
import inspect
import io
import os
import re
import stat
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import pytest

from wheel_linker._fs import moving
from wheel_linker._fs.folder import Folder
from wheel_linker._fs.moving import copy_entry, move
from wheel_linker._fs.remove_tree import remove_tree
from wheel_linker._link.removal.emptied import _has_files

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="sandboxes of Linux refuse so")


# More levels than functions may call each other in :func:`few_frames`.
DEEP: Final = 300


@contextmanager
def few_frames() -> Iterator[None]:
    """Let functions call each other less often than there are levels, as 1,500 levels would in earnest."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack()) + 200)
    try:
        yield
    finally:
        sys.setrecursionlimit(limit)


def make_deep(folder: Folder, name: str, levels: int) -> None:
    """Make directories in each other."""
    inner = folder.make(name)
    for _ in range(levels - 1):
        with inner:
            inner = inner.make("d")
    inner.close()


def remove_deep(folder: Folder) -> None:
    """Remove the directories in one: pytest's own removal calls itself for each level."""
    for name in folder.listdir():
        status = folder.lstat(name)
        if status is not None and stat.S_ISDIR(status.st_mode):
            remove_tree(folder, name)


def depth_of(folder: Folder, name: str) -> int:
    """Tell how many directories there are in each other."""
    inner, depth = folder.enter(name), 1
    while inner.listdir():
        with inner:
            inner, depth = inner.enter("d"), depth + 1
    inner.close()
    return depth


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Folder]:
    (tmp_path / "here").mkdir()
    with Folder.open(os.fspath(tmp_path / "here")) as folder:
        yield folder
        remove_deep(folder)


@pytest.fixture
def there(tmp_path: Path) -> Iterator[Folder]:
    (tmp_path / "there").mkdir()
    with Folder.open(os.fspath(tmp_path / "there")) as folder:
        yield folder
        remove_deep(folder)


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is renamed from one directory to another; within one it is."""
    replace = os.replace

    def refuse(
        source: str, target: str, *, src_dir_fd: int | None = None, dst_dir_fd: int | None = None
    ) -> None:
        if src_dir_fd != dst_dir_fd:
            raise OSError(errno.EXDEV, "refused here")
        replace(source, target, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)

    monkeypatch.setattr(os, "replace", refuse)


def test_renamed(tmp_path: Path, here: Folder, there: Folder) -> None:
    (tmp_path / "here/a").write_text("1")
    inode = (tmp_path / "here/a").stat().st_ino
    move(here, "a", there, "b")
    assert (tmp_path / "there/b").stat().st_ino == inode
    assert os.listdir(tmp_path / "here") == []


def test_whether_there_are_files_is_told_of_any_depth(here: Folder) -> None:
    make_deep(here, "a", DEEP)
    with few_frames():
        assert _has_files(here, "a") is False


def test_an_error_is_the_systems(here: Folder, there: Folder) -> None:
    with pytest.raises(FileNotFoundError):
        move(here, "none", there, "b")


@pytest.mark.usefixtures("sandbox")
class TestSandbox:
    def test_a_file_with_its_bits_and_times(
        self, tmp_path: Path, here: Folder, there: Folder
    ) -> None:
        path = tmp_path / "here/a"
        path.write_text("1")
        path.chmod(0o751)
        os.utime(path, ns=(3_000_000_000, 5_000_000_000))
        move(here, "a", there, "b")
        status = (tmp_path / "there/b").stat()
        assert (tmp_path / "there/b").read_text() == "1"
        assert stat.S_IMODE(status.st_mode) == 0o751
        assert (status.st_atime_ns, status.st_mtime_ns) == (3_000_000_000, 5_000_000_000)
        assert (os.listdir(tmp_path / "here"), os.listdir(tmp_path / "there")) == ([], ["b"])

    def test_a_symlink_stays_one(self, tmp_path: Path, here: Folder, there: Folder) -> None:
        (tmp_path / "here/a").symlink_to("nowhere")
        move(here, "a", there, "b")
        assert os.readlink(tmp_path / "there/b") == "nowhere"
        assert os.listdir(tmp_path / "here") == []

    def test_a_directory_with_what_is_in_it(
        self, tmp_path: Path, here: Folder, there: Folder
    ) -> None:
        deep = tmp_path / "here/a/deep"
        deep.mkdir(parents=True)
        (deep / "file").write_text("1")
        (deep / "link").symlink_to("file")
        deep.chmod(0o711)
        (tmp_path / "here/a").chmod(0o750)
        os.utime(deep, ns=(3_000_000_000, 5_000_000_000))
        move(here, "a", there, "b")
        assert (tmp_path / "there/b/deep/file").read_text() == "1"
        assert os.readlink(tmp_path / "there/b/deep/link") == "file"
        assert stat.S_IMODE((tmp_path / "there/b").stat().st_mode) == 0o750
        assert stat.S_IMODE((tmp_path / "there/b/deep").stat().st_mode) == 0o711
        assert (tmp_path / "there/b/deep").stat().st_mtime_ns == 5_000_000_000
        assert (os.listdir(tmp_path / "here"), os.listdir(tmp_path / "there")) == ([], ["b"])

    def test_as_deep_as_can_be(self, here: Folder, there: Folder) -> None:
        make_deep(here, "a", DEEP)
        with few_frames():
            move(here, "a", there, "b")
        assert depth_of(there, "b") == DEEP
        assert here.listdir() == []

    def test_what_is_there_is_replaced(self, tmp_path: Path, here: Folder, there: Folder) -> None:
        (tmp_path / "here/a").write_text("new")
        (tmp_path / "there/b").write_text("old")
        move(here, "a", there, "b")
        assert (tmp_path / "there/b").read_text() == "new"
        assert os.listdir(tmp_path / "there") == ["b"]

    def test_what_cannot_be_copied_leaves_nothing(
        self, tmp_path: Path, here: Folder, there: Folder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "here/a").mkdir()
        (tmp_path / "here/a/file").write_text("1")

        def refuse(*_: object, **__: object) -> None:
            raise OSError(errno.ENOSPC, "no room")

        monkeypatch.setattr(moving, "create_from", refuse)
        with pytest.raises(OSError, match="no room"):
            move(here, "a", there, "b")
        assert (tmp_path / "here/a/file").read_text() == "1"
        assert os.listdir(tmp_path / "there") == []

    def test_what_cannot_appear_is_put_back(
        self, tmp_path: Path, here: Folder, there: Folder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "here/a").write_text("1")
        replace = os.replace

        def refuse(source: str, target: str, **folders: int) -> None:
            if target == "b":
                error = errno.EXDEV if source == "a" else errno.EIO
                raise OSError(error, "refused here")
            replace(source, target, **folders)

        monkeypatch.setattr(os, "replace", refuse)
        with pytest.raises(OSError, match="refused here") as caught:
            move(here, "a", there, "b")
        assert caught.value.errno == errno.EIO
        assert (tmp_path / "here/a").read_text() == "1"
        assert (os.listdir(tmp_path / "here"), os.listdir(tmp_path / "there")) == (["a"], [])

    def test_names_meanwhile_are_private(
        self, tmp_path: Path, here: Folder, there: Folder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Two calls at once do not take each other's, and nobody else reads what is not complete."""
        made: list[tuple[str, int]] = []
        mkdir = os.mkdir

        def noting(path: str, mode: int = 0o777, *, dir_fd: int | None = None) -> None:
            made.append((path, mode))
            mkdir(path, mode, dir_fd=dir_fd)

        monkeypatch.setattr(os, "mkdir", noting)
        for name in ("a", "b"):
            (tmp_path / "here" / name).mkdir(mode=0o755)
        made.clear()
        for name in ("a", "b"):
            move(here, name, there, name)
        names = {name for name, _ in made}
        assert len(names) == 2
        assert all(re.fullmatch(r"\.wheel_linker_moving-[0-9a-f]{16}-new", name) for name in names)
        assert {mode for _, mode in made} == {0o700}

    def test_below_a_directory_that_is_open(
        self, tmp_path: Path, here: Folder, there: Folder
    ) -> None:
        """By paths, for which no descriptor is needed."""
        (tmp_path / "here/x/a/deep").mkdir(parents=True)
        (tmp_path / "there/y").mkdir()
        (tmp_path / "here/x/a/deep/file").write_text("1")
        for source, target in (
            (here.below("x"), there.below("y")),
            (there.below("y"), here.below("x")),
        ):
            moving._carry(source, "a", target, "a")
        assert (tmp_path / "here/x/a/deep/file").read_text() == "1"
        assert os.listdir(tmp_path / "there/y") == []

    @pytest.mark.parametrize(
        ("mounts", "copied"),
        [((b"1", b"2"), False), ((b"1", b"1"), True), ((None, b"1"), True), ((b"1", None), True)],
    )
    def test_between_mounts_it_is_an_error(
        self,
        tmp_path: Path,
        here: Folder,
        there: Folder,
        mounts: tuple[bytes | None, bytes | None],
        copied: bool,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """A bind mount has the device number of its file system."""
        (tmp_path / "here/a").write_text("1")
        known = dict(zip((here, there), mounts))
        monkeypatch.setattr(moving, "_mount_of", lambda folder: known[folder])
        if copied:
            move(here, "a", there, "b")
        else:
            with pytest.raises(OSError, match="refused here"):
                move(here, "a", there, "b")
        assert (tmp_path / "there/b").exists() is copied


def test_what_is_missing_is_in_no_mount(here: Folder, there: Folder) -> None:
    assert moving._on_one_mount(here, "none", there) is False


def test_devices_are_compared(tmp_path: Path, here: Folder) -> None:
    (tmp_path / "here/a").touch()
    with Folder.open("/proc") as other:
        assert moving._on_one_mount(here, "a", other) is False
    with Folder.open(os.fspath(tmp_path)) as same:
        assert moving._on_one_mount(here, "a", same) is True


def test_the_mount_is_told_by_the_system(
    here: Folder, there: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = moving._mount_of(here)
    assert line is not None
    assert line.startswith(b"mnt_id:")
    assert line == moving._mount_of(there)
    with Folder.open("/proc") as other:
        assert moving._mount_of(other) != line


def test_where_no_mount_is_told(tmp_path: Path) -> None:
    with Folder.open(os.fspath(tmp_path)) as folder:
        pass
    assert moving._mount_of(folder) is None


def test_where_the_system_names_no_mount(here: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """As Linux did before 3.15."""
    monkeypatch.setattr(moving, "open", lambda *_: io.BytesIO(b"pos:\t0\n"), raising=False)
    assert moving._mount_of(here) is None


class TestCopyEntry:
    def test_nothing_is_replaced(self, tmp_path: Path, here: Folder, there: Folder) -> None:
        for name in ("here/a", "there/b"):
            (tmp_path / name).write_text(name)
        with pytest.raises(FileExistsError):
            copy_entry(here, "a", there, "b")
        assert (tmp_path / "there/b").read_text() == "there/b"

    def test_the_other_one_stays(self, tmp_path: Path, here: Folder, there: Folder) -> None:
        (tmp_path / "here/a").write_text("1")
        (tmp_path / "here/link").symlink_to("a")
        copy_entry(here, "a", there, "b")
        copy_entry(here, "link", there, "c")
        assert (tmp_path / "here/a").read_text() == (tmp_path / "there/b").read_text() == "1"
        assert os.readlink(tmp_path / "there/c") == "a"
