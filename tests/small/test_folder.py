"""One directory, held by descriptor or by path, call by call."""

from __future__ import annotations

import errno
import os
import stat
import sys
import time
from typing import TYPE_CHECKING, Any, Final

import pytest
from standins import windows_error

from wheel_linker._fs import folder as folders
from wheel_linker._fs import windows
from wheel_linker._fs.folder import Folder, Identity
from wheel_linker._fs.permissions import chmod_itself

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SHARING_VIOLATION: Final = 32
DENIED: Final = 5


@pytest.fixture
def here(tmp_path: Path, way: str) -> Iterator[Folder]:
    assert way
    (tmp_path / "here").mkdir()
    with Folder.open(os.fspath(tmp_path / "here")) as opened:
        yield opened


@pytest.fixture
def there(tmp_path: Path, way: str) -> Iterator[Folder]:
    assert way
    (tmp_path / "there").mkdir()
    with Folder.open(os.fspath(tmp_path / "there")) as opened:
        yield opened


@pytest.fixture
def flags(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How something was opened."""
    seen: list[int] = []
    opened = os.open

    def noting(path: str, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        seen.append(flags)
        return opened(path, flags, mode, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", noting)
    return seen


@pytest.fixture
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long was waited."""
    seen: list[float] = []
    monkeypatch.setattr(time, "sleep", seen.append)
    return seen


def free_descriptor() -> int:
    free = os.dup(0)
    os.close(free)
    return free


class TestOpen:
    def test_a_directory(self, tmp_path: Path, way: str) -> None:
        for listing in (False, True):
            with Folder.open(os.fspath(tmp_path), listing=listing) as folder:
                assert folder.path == os.fspath(tmp_path)
                assert (folder.fd is None) is (way == "portable")
                assert os.path.samestat(folder.stat(), tmp_path.stat())

    @pytest.mark.skipif(not folders.BY_DESCRIPTOR, reason="about descriptors")
    def test_as_cheaply_as_its_use_allows(self, tmp_path: Path, way: str, flags: list[int]) -> None:
        for keywords in ({}, {"listing": False}, {"listing": True}):
            Folder.open(os.fspath(tmp_path), **keywords).close()
        wanted = [folders._NAME, folders._NAME, folders.LIST]
        assert flags == (wanted if way == "descriptor" else [])

    def test_a_file(self, tmp_path: Path, way: str) -> None:
        assert way
        path = tmp_path / "file"
        path.touch()
        with pytest.raises(NotADirectoryError) as caught:
            Folder.open(os.fspath(path))
        assert caught.value.strerror == os.strerror(errno.ENOTDIR)
        assert caught.value.filename == os.fspath(path)


class TestEnter:
    def test_a_directory(self, tmp_path: Path, here: Folder) -> None:
        (tmp_path / "here/a").mkdir()
        for enter in (here.enter, here.enter_to_list):
            with enter("a") as inner:
                assert inner.path == os.fspath(tmp_path / "here/a")
                assert os.path.samestat(inner.stat(), (tmp_path / "here/a").stat())
                with inner.make("b"):
                    pass
        assert os.listdir(tmp_path / "here/a") == ["b"]

    @pytest.mark.skipif(not folders.BY_DESCRIPTOR, reason="about descriptors")
    def test_as_cheaply_as_its_use_allows(
        self, tmp_path: Path, here: Folder, way: str, flags: list[int]
    ) -> None:
        (tmp_path / "here/a").mkdir()
        for inner in (here.enter("a"), here.enter("a", listing=True), here.enter_to_list("a")):
            inner.close()
        wanted = [folders._ENTER, folders._ENTER_LIST, folders._ENTER_LIST]
        assert flags == (wanted if way == "descriptor" else [])

    def test_what_is_missing(self, here: Folder) -> None:
        with pytest.raises(FileNotFoundError) as caught:
            here.enter("none")
        if here.fd is not None:
            assert caught.value.filename == os.path.join(here.path, "none")

    def test_a_file(self, tmp_path: Path, here: Folder) -> None:
        (tmp_path / "here/file").touch()
        with pytest.raises(NotADirectoryError) as caught:
            here.enter("file")
        assert caught.value.strerror == os.strerror(errno.ENOTDIR)
        assert caught.value.filename == os.path.join(here.path, "file")

    @pytest.mark.skipif(sys.platform == "win32", reason="the user may make no symlinks")
    def test_a_symlink(self, tmp_path: Path, here: Folder) -> None:
        (tmp_path / "here/link").symlink_to(tmp_path)
        with pytest.raises(OSError, match="link") as caught:
            here.enter("link")
        assert caught.value.errno in {errno.ENOTDIR, errno.ELOOP, errno.EMLINK}


def test_make(tmp_path: Path, here: Folder) -> None:
    for _ in range(2):
        with here.make("a") as made:
            assert os.path.samestat(made.stat(), (tmp_path / "here/a").stat())
    (tmp_path / "here/file").touch()
    with pytest.raises(NotADirectoryError):
        here.make("file")


def test_below(tmp_path: Path, here: Folder) -> None:
    (tmp_path / "here/a/b").mkdir(parents=True)
    (tmp_path / "here/a/b/file").touch()
    below = here.below(os.path.join("a", "b"))
    assert below.path == os.fspath(tmp_path / "here/a/b")
    assert below.fd == here.fd
    assert below.lstat("file") is not None
    below.move("file", here, "file")
    assert (tmp_path / "here/file").exists()


def test_at(here: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    assert here.at("a/b") == here.prefix + os.path.join("a", "b")
    monkeypatch.setattr(folders, "_SEPARATOR", "/")
    assert here.at("a/b\\c") == here.prefix + "a/b\\c"
    monkeypatch.setattr(folders, "_SEPARATOR", "\\")
    assert here.at("a/b/c") == here.prefix + "a\\b\\c"


class TestLooks:
    def test_names(self, tmp_path: Path, here: Folder, flags: list[int]) -> None:
        for name in ("a", "b"):
            (tmp_path / "here" / name).touch()
        before = free_descriptor()
        flags.clear()
        assert sorted(here.listdir()) == ["a", "b"]
        assert free_descriptor() == before
        assert set(flags) <= {folders.LIST}
        (tmp_path / "here/c").touch()
        assert sorted(here.listdir()) == ["a", "b", "c"]

    def test_itself(self, tmp_path: Path, here: Folder) -> None:
        status = (tmp_path / "here").stat()
        assert os.path.samestat(here.stat(), status)
        assert here.identity() == Identity(status.st_dev, status.st_ino)

    def test_an_entry(self, tmp_path: Path, here: Folder) -> None:
        (tmp_path / "here/file").write_bytes(b"123")
        status = here.lstat("file")
        assert status is not None
        assert status.st_size == 3
        assert here.lstat("none") is None

    @pytest.mark.skipif(sys.platform == "win32", reason="the user may make no symlinks")
    def test_a_symlink(self, tmp_path: Path, here: Folder) -> None:
        (tmp_path / "here/link").symlink_to("nowhere")
        status = here.lstat("link")
        assert status is not None
        assert stat.S_ISLNK(status.st_mode)


@pytest.mark.skipif(sys.platform == "win32", reason="there the bits of a directory mean nothing")
class TestOpenUp:
    @pytest.fixture
    def changed(self, monkeypatch: pytest.MonkeyPatch) -> list[int]:
        modes: list[int] = []

        def noting(name: str, mode: int, fd: int | None) -> None:
            modes.append(mode)
            chmod_itself(name, mode, fd)

        monkeypatch.setattr("wheel_linker._fs.folder.chmod_itself", noting)
        return modes

    @pytest.mark.parametrize("mode", [0o500, 0o300, 0o600, 0o055, 0o100, 0o1555])
    def test_a_directory(self, tmp_path: Path, here: Folder, mode: int, changed: list[int]) -> None:
        (tmp_path / "here/a").mkdir()
        (tmp_path / "here/a").chmod(mode)
        here.open_up("a")
        assert stat.S_IMODE((tmp_path / "here/a").stat().st_mode) == mode | 0o700
        assert changed == [mode | 0o700]

    @pytest.mark.parametrize("mode", [0o700, 0o755, 0o1777])
    def test_one_that_is_open(
        self, tmp_path: Path, here: Folder, mode: int, changed: list[int]
    ) -> None:
        (tmp_path / "here/a").mkdir()
        (tmp_path / "here/a").chmod(mode)
        here.open_up("a")
        assert stat.S_IMODE((tmp_path / "here/a").stat().st_mode) == mode
        assert changed == []

    def test_something_else(self, tmp_path: Path, here: Folder, changed: list[int]) -> None:
        (tmp_path / "here/file").touch(mode=0o400)
        (tmp_path / "here/a").mkdir(mode=0o500)
        (tmp_path / "here/link").symlink_to("a")
        for name in ("file", "link"):
            here.open_up(name)
        assert changed == []

    def test_a_refusal_is_none_of_its_use(
        self, tmp_path: Path, here: Folder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "here/a").mkdir(mode=0o500)

        def refuse(*_: object) -> None:
            raise PermissionError(errno.EPERM, "refused here")

        monkeypatch.setattr("wheel_linker._fs.folder.chmod_itself", refuse)
        here.open_up("a")


class TestMove:
    def test_between_directories(self, tmp_path: Path, here: Folder, there: Folder) -> None:
        (tmp_path / "here/a").write_text("new")
        (tmp_path / "there/b").write_text("old")
        here.move("a", there, "b")
        assert (tmp_path / "there/b").read_text() == "new"
        assert (os.listdir(tmp_path / "here"), os.listdir(tmp_path / "there")) == ([], ["b"])

    @pytest.mark.parametrize("patient", [None, True, False])
    def test_what_is_in_use(
        self,
        tmp_path: Path,
        here: Folder,
        there: Folder,
        patient: bool | None,
        naps: list[float],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        (tmp_path / "here/a").touch()
        replace, left = os.replace, [windows_error(SHARING_VIOLATION)]

        def busy(*arguments: Any, **keywords: Any) -> None:
            if left:
                raise left.pop()
            replace(*arguments, **keywords)

        monkeypatch.setattr(os, "replace", busy)
        keywords = {} if patient is None else {"patient": patient}
        if patient is False:
            with pytest.raises(OSError, match="Something the system says"):
                here.move("a", there, "b", **keywords)
            assert (naps, os.listdir(tmp_path / "there")) == ([], [])
        else:
            here.move("a", there, "b", **keywords)
            assert (len(naps), os.listdir(tmp_path / "there")) == (1, ["b"])


class TestRemoveDirectory:
    def test_an_empty_one(self, tmp_path: Path, here: Folder) -> None:
        (tmp_path / "here/a").mkdir()
        here.remove_directory("a")
        assert os.listdir(tmp_path / "here") == []

    def test_one_that_is_not(self, tmp_path: Path, here: Folder) -> None:
        (tmp_path / "here/a/b").mkdir(parents=True)
        with pytest.raises(OSError, match="a") as caught:
            here.remove_directory("a")
        assert caught.value.errno in {errno.ENOTEMPTY, errno.EEXIST}

    def test_one_that_is_in_use(
        self,
        tmp_path: Path,
        here: Folder,
        naps: list[float],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        (tmp_path / "here/a").mkdir()
        rmdir, left = os.rmdir, [windows_error(SHARING_VIOLATION)]

        def busy(*arguments: Any, **keywords: Any) -> None:
            if left:
                raise left.pop()
            rmdir(*arguments, **keywords)

        monkeypatch.setattr(os, "rmdir", busy)
        here.remove_directory("a")
        assert (len(naps), os.listdir(tmp_path / "here")) == (1, [])


class TestAside:
    """What Windows does not let be replaced, but renamed: by a system call that refuses as Windows does."""

    @pytest.fixture(autouse=True)
    def as_on_windows(self, naps: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
        assert naps == []
        monkeypatch.setattr(windows, "WINDOWS", True)

    @pytest.fixture
    def refuse(self, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[tuple[str, str]]]:
        """Have calls of a number refused; or those that are onto ``b``, as long as there is something."""
        replace = os.replace

        def begin(*numbers: int, winerror: int = DENIED) -> list[tuple[str, str]]:
            calls: list[tuple[str, str]] = []

            def refuse(source: str, target: str, **folders: Any) -> None:
                calls.append((os.path.basename(source), os.path.basename(target)))
                if len(calls) in numbers:
                    raise windows_error(winerror, errno.EACCES)
                replace(source, target, **folders)

            monkeypatch.setattr(os, "replace", refuse)
            return calls

        return begin

    @pytest.fixture
    def read_only(self, tmp_path: Path, here: Folder, there: Folder) -> Iterator[Path]:
        assert os.path.dirname(here.path) == os.path.dirname(there.path)
        (tmp_path / "here/a").write_text("new")
        path = tmp_path / "there/b"
        path.write_text("old")
        path.chmod(0o400)
        yield path
        if path.exists():
            path.chmod(0o600)

    def test_is_moved_aside(
        self,
        tmp_path: Path,
        here: Folder,
        there: Folder,
        read_only: Path,
        refuse: Callable[..., list[tuple[str, str]]],
    ) -> None:
        calls = refuse(1)
        here.move("a", there, "b")
        assert read_only.read_text() == "new"
        (aside,) = os.listdir(tmp_path / "here")
        assert (tmp_path / "here" / aside).read_text() == "old"
        assert calls == [("a", "b"), ("b", aside), ("a", "b")]
        assert len(aside) == len("aside-") + 16
        assert aside.startswith("aside-")
        assert os.listdir(tmp_path / "there") == ["b"]

    def test_by_a_name_of_its_own(
        self,
        tmp_path: Path,
        here: Folder,
        there: Folder,
        read_only: Path,
        refuse: Callable[..., list[tuple[str, str]]],
    ) -> None:
        refuse(1, 4)
        here.move("a", there, "b")
        (tmp_path / "here/a").write_text("newer")
        read_only.chmod(0o400)
        here.move("a", there, "b")
        assert read_only.read_text() == "newer"
        assert len(os.listdir(tmp_path / "here")) == 2

    def test_is_put_back(
        self,
        tmp_path: Path,
        here: Folder,
        there: Folder,
        read_only: Path,
        refuse: Callable[..., list[tuple[str, str]]],
    ) -> None:
        refuse(1, 3)
        with pytest.raises(PermissionError):
            here.move("a", there, "b", patient=False)
        assert read_only.read_text() == "old"
        assert os.listdir(tmp_path / "here") == ["a"]

    @pytest.mark.usefixtures("read_only")
    def test_elsewhere_it_is_not(
        self,
        here: Folder,
        there: Folder,
        refuse: Callable[..., list[tuple[str, str]]],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(windows, "WINDOWS", False)
        calls = refuse(1)
        with pytest.raises(PermissionError):
            here.move("a", there, "b", patient=False)
        assert calls == [("a", "b")]

    @pytest.mark.parametrize("name", ["b", "b.py"])
    def test_what_somebody_reads_is_not(
        self,
        tmp_path: Path,
        here: Folder,
        there: Folder,
        name: str,
        refuse: Callable[..., list[tuple[str, str]]],
    ) -> None:
        """In a moment it may be replaced."""
        (tmp_path / "here/a").touch()
        (tmp_path / "there" / name).touch()
        calls = refuse(1)
        with pytest.raises(PermissionError):
            here.move("a", there, name, patient=False)
        assert calls == [("a", name)]

    def test_a_program_that_runs(
        self,
        tmp_path: Path,
        here: Folder,
        there: Folder,
        refuse: Callable[..., list[tuple[str, str]]],
    ) -> None:
        """The name that it has tells it."""
        (tmp_path / "here/a").touch()
        (tmp_path / "there/b.exe").touch()
        refuse(1)
        here.move("a", there, "b.exe")
        assert len(os.listdir(tmp_path / "here")) == 1

    @pytest.mark.parametrize("kind", ["nothing", "directory"])
    def test_what_is_no_file_is_tried_once_more(
        self,
        tmp_path: Path,
        here: Folder,
        there: Folder,
        kind: str,
        refuse: Callable[..., list[tuple[str, str]]],
    ) -> None:
        (tmp_path / "here/a").mkdir()
        if kind == "directory":
            (tmp_path / "there/b").mkdir()
        calls = refuse(1, 2)
        with pytest.raises(PermissionError):
            here.move("a", there, "b", patient=False)
        assert calls == [("a", "b")] * 2
        assert os.listdir(tmp_path / "here") == ["a"]

    def test_what_has_vanished_takes_nothing_aside(
        self,
        tmp_path: Path,
        here: Folder,
        there: Folder,
        read_only: Path,
        refuse: Callable[..., list[tuple[str, str]]],
    ) -> None:
        (tmp_path / "here/a").unlink()
        calls = refuse(1)
        with pytest.raises(FileNotFoundError):
            here.move("a", there, "b")
        assert calls == [("a", "b")] * 2
        assert read_only.read_text() == "old"


class TestClose:
    def test_it_is_closed_once(self, tmp_path: Path, way: str) -> None:
        before = free_descriptor()
        with Folder.open(os.fspath(tmp_path)) as folder:
            assert (free_descriptor() == before) is (way == "portable")
        assert free_descriptor() == before
        other = os.dup(0)
        folder.close()
        os.close(other)  # EBADF, had it been closed again

    def test_it_is_used_by_path_no_more(self, tmp_path: Path, way: str) -> None:
        with Folder.open(os.fspath(tmp_path)) as folder:
            pass
        if way == "descriptor":
            assert folder.fd == -1
            with pytest.raises(OSError):  # noqa: PT011 - each Python has other words for it
                folder.stat()
        else:
            assert folder.fd is None
