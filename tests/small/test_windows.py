"""What Windows does otherwise, asked with its answers, which any system can give."""

from __future__ import annotations

import errno
import ntpath
import os
import stat
import sys
import time
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

import pytest
from standins import windows_error

from wheel_linker._fs import windows

if TYPE_CHECKING:
    from pathlib import Path

DENIED: Final = 5
SHARING_VIOLATION: Final = 32
INVALID_NAME: Final = 123
BAD_PATHNAME: Final = 161
MAPPED: Final = 1224
MOUNT_POINT: Final = 0xA0000003
SYMLINK: Final = 0xA000000C

FILE, DIRECTORY, LINK = stat.S_IFREG | 0o644, stat.S_IFDIR | 0o755, stat.S_IFLNK | 0o777
READ_ONLY: Final = stat.S_IFREG | 0o444


def status(mode: int, tag: int | None = None) -> Any:
    """Return what the system knows of something; without a tag as other systems have it."""
    return SimpleNamespace(st_mode=mode, **({} if tag is None else {"st_reparse_tag": tag}))


@pytest.mark.parametrize(
    ("error", "answer"),
    [
        (windows_error(INVALID_NAME), True),
        (windows_error(BAD_PATHNAME), True),
        (windows_error(DENIED), False),
        (OSError(INVALID_NAME, "of another system"), False),
    ],
)
def test_no_name(error: OSError, answer: bool) -> None:
    assert windows.is_no_name(error) is answer


@pytest.mark.parametrize(
    ("winerror", "mode", "name", "answer"),
    [
        (DENIED, READ_ONLY, "file", True),
        (DENIED, FILE, "file", False),
        (DENIED, FILE, "file.EXE", True),
        (DENIED, FILE, "file.dll", True),
        (DENIED, FILE, "file.pyd", True),
        (DENIED, FILE, "file.exe.py", False),
        (MAPPED, FILE, "file", True),
        (MAPPED, READ_ONLY, "file", True),
        (SHARING_VIOLATION, FILE, "file.exe", False),
        (SHARING_VIOLATION, READ_ONLY, "file", False),
        (DENIED, None, "file", True),
        (MAPPED, None, "file", True),
        (SHARING_VIOLATION, None, "file", False),
        (DENIED, DIRECTORY, "file", True),
        (MAPPED, LINK, "file", True),
        (SHARING_VIOLATION, DIRECTORY, "file", False),
    ],
)
def test_what_patience_does_not_help(
    winerror: int, mode: int | None, name: str, answer: bool
) -> None:
    there = None if mode is None else status(mode)
    assert windows.is_kept_from_replacement(windows_error(winerror), name, there) is answer


@pytest.mark.parametrize("there", [None, status(READ_ONLY), status(FILE)])
def test_patience_helps_nobody_elsewhere(there: Any) -> None:
    assert windows.is_kept_from_replacement(OSError(DENIED, "?"), "file", there) is False


@pytest.mark.parametrize(
    ("mode", "tag", "junction", "directory", "link"),
    [
        (FILE, None, False, False, False),
        (FILE, 0, False, False, False),
        (DIRECTORY, None, False, True, False),
        (DIRECTORY, 0, False, True, False),
        (DIRECTORY, MOUNT_POINT, True, False, True),
        (LINK, None, False, False, True),
        (LINK, SYMLINK, False, False, True),
    ],
)
def test_kinds(mode: int, tag: int | None, junction: bool, directory: bool, link: bool) -> None:
    known = status(mode, tag)
    assert windows.is_junction(known) is junction
    assert windows.is_directory(known) is directory
    assert windows.is_link(known) is link


class TestPatience:
    @pytest.fixture
    def naps(self, monkeypatch: pytest.MonkeyPatch) -> list[float]:
        seen: list[float] = []
        monkeypatch.setattr(time, "sleep", seen.append)
        return seen

    @pytest.mark.parametrize("winerror", [DENIED, SHARING_VIOLATION, 33, MAPPED])
    def test_for_two_seconds(self, winerror: int, naps: list[float]) -> None:
        asked: list[tuple[object, ...]] = []

        def refuse(*arguments: object) -> None:
            asked.append(arguments)
            raise windows_error(winerror)

        with pytest.raises(OSError, match="Something the system says"):
            windows.patiently(refuse, "a", 2)
        assert naps == [0.01, 0.02, 0.04, 0.08, 0.15, 0.3, 0.6, 0.8]
        assert asked == [("a", 2)] * 9

    @pytest.mark.parametrize("refusals", [0, 1, 8])
    def test_until_it_is_done(self, refusals: int, naps: list[float]) -> None:
        asked: list[tuple[object, ...]] = []

        def refuse(*arguments: object) -> None:
            asked.append(arguments)
            if len(asked) <= refusals:
                raise windows_error(SHARING_VIOLATION)

        windows.patiently(refuse, "a", 2)
        assert len(naps) == refusals
        assert asked == [("a", 2)] * (refusals + 1)

    @pytest.mark.parametrize("error", [windows_error(2), FileNotFoundError(errno.ENOENT, "gone")])
    def test_not_with_another_refusal(self, error: OSError, naps: list[float]) -> None:
        def refuse() -> None:
            raise error

        with pytest.raises(type(error)):
            windows.patiently(refuse)
        assert naps == []


class TestRemoveFile:
    @pytest.fixture
    def removed(self, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        """What is removed as a read-only file."""
        seen: list[str] = []
        monkeypatch.setattr(windows, "_remove_read_only", seen.append)
        return seen

    @pytest.fixture
    def refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*_: object, **__: object) -> None:
            raise PermissionError(errno.EACCES, "refused here")

        monkeypatch.setattr(os, "unlink", refuse)

    def test_a_file(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        windows.remove_file(os.fspath(tmp_path / "file"))
        assert os.listdir(tmp_path) == []
        with pytest.raises(FileNotFoundError):
            windows.remove_file(os.fspath(tmp_path / "file"))

    @pytest.mark.skipif(os.unlink not in os.supports_dir_fd, reason="about descriptors")
    def test_in_a_directory(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        fd = os.open(tmp_path, os.O_RDONLY)
        try:
            windows.remove_file("file", fd)
        finally:
            os.close(fd)
        assert os.listdir(tmp_path) == []

    @pytest.mark.parametrize(
        ("system", "mode", "is_removed"),
        [(True, 0o444, True), (True, 0o644, False), (False, 0o444, False)],
    )
    @pytest.mark.usefixtures("refused")
    def test_a_read_only_one(
        self,
        tmp_path: Path,
        system: bool,
        mode: int,
        is_removed: bool,
        removed: list[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(windows, "WINDOWS", system)
        path = tmp_path / "file"
        path.touch()
        path.chmod(mode)
        if is_removed:
            windows.remove_file(os.fspath(path))
        else:
            with pytest.raises(PermissionError, match="refused here"):
                windows.remove_file(os.fspath(path))
        path.chmod(0o644)
        assert removed == ([os.fspath(path)] if is_removed else [])

    @pytest.mark.usefixtures("refused")
    def test_it_is_looked_at_where_it_is(
        self, removed: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked: list[tuple[object, ...]] = []

        def is_read_only(*given: object) -> bool:
            asked.append(given)
            return True

        monkeypatch.setattr(windows, "WINDOWS", True)
        monkeypatch.setattr(windows, "_is_read_only", is_read_only)
        windows.remove_file("file", 42)
        assert (asked, removed) == ([("file", 42)], ["file"])

    @pytest.mark.skipif(sys.platform == "win32", reason="the user may make no symlinks")
    def test_what_is_no_file_is_not(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch(mode=0o444)
        (tmp_path / "link").symlink_to("file")
        (tmp_path / "directory").mkdir(mode=0o555)
        fd = os.open(tmp_path, os.O_RDONLY)
        try:
            assert windows._is_read_only("file", fd) is True
            assert windows._is_read_only("link", fd) is False
            assert windows._is_read_only("directory", fd) is False
        finally:
            os.close(fd)
        assert windows._is_read_only(os.fspath(tmp_path / "file"), None) is True

    @pytest.mark.parametrize("system", ["win32", "linux"])
    def test_by_a_call_of_windows(self, system: str, monkeypatch: pytest.MonkeyPatch) -> None:
        seen: list[str] = []
        stand_in: Any = ModuleType("wheel_linker._fs._windows.kernel32")
        stand_in.remove_read_only = seen.append
        monkeypatch.setitem(sys.modules, stand_in.__name__, stand_in)
        monkeypatch.setattr(windows, "sys", SimpleNamespace(platform=system))
        windows._remove_read_only("file")
        assert seen == (["file"] if system == "win32" else [])


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("C:\\a\\b", "\\\\?\\C:\\a\\b"),
        ("C:/a/../b", "\\\\?\\C:\\b"),
        ("\\\\machine\\share\\a", "\\\\?\\UNC\\machine\\share\\a"),
        ("\\\\?\\C:\\a", "\\\\?\\C:\\a"),
        ("\\\\.\\NUL", "\\\\.\\NUL"),
    ],
)
def test_paths_of_any_length(path: str, wanted: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windows, "os", SimpleNamespace(name="nt", path=ntpath))
    assert windows.extended(path) == wanted
    monkeypatch.setattr(windows, "os", SimpleNamespace(name="posix", path=ntpath))
    assert windows.extended(path) == path
