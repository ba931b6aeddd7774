"""Where a path lies, which one an error names, and what is read of a file and by how many calls."""

from __future__ import annotations

import errno
import ntpath
import os
import stat
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from wheel_linker import LinkError
from wheel_linker._fs import locking, paths, windows
from wheel_linker._fs.destination import opened
from wheel_linker._fs.paths import is_directory, is_within, named_by, real_path, upwards
from wheel_linker._fs.patience import Patience
from wheel_linker._fs.reading import (
    read_followed,
    read_regular,
    read_with_status,
    regular_size,
    regular_status,
)
from wheel_linker._wheel.conflict_search import are_one_name
from wheel_linker.integrations._filling.user_store import existing_part
from wheel_linker.store._entry.seal import is_sealed, sealed, unsealed
from wheel_linker.store.control import make_root

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

posix_only = pytest.mark.skipif(os.name != "posix", reason="about POSIX names")


class TestWithin:
    @posix_only
    @pytest.mark.parametrize(
        ("path", "directory", "inside"),
        [
            ("/a/b", "/a/b", True),
            ("/a/b/c", "/a/b", True),
            ("/a/bc", "/a/b", False),
            ("/a", "/a/b", False),
            ("/a//bc", "/a/b", False),
            ("/a/./bc", "/a/b", False),
            ("/a/./b", "/a", True),
            ("/a", "/", True),
            ("a/b", "/a", False),
        ],
    )
    def test_plain_or_not(self, path: str, directory: str, inside: bool) -> None:
        assert is_within(path, directory) is inside

    @posix_only
    @pytest.mark.parametrize("path", ["/a//b", "/a/./b", "/a/b/", "/.a", "/"])
    def test_only_what_is_plain_is_compared_letter_by_letter(self, path: str) -> None:
        assert paths._is_plain(path) is False
        assert paths._is_plain("/a/b.c") is True

    @posix_only
    def test_what_is_plain_is_not_taken_apart(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """It is asked for each file."""
        monkeypatch.setattr(os.path, "commonpath", None)
        assert is_within("/a/b", "/a")

    def test_windows(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(paths, "os", SimpleNamespace(path=ntpath, sep="\\"))
        assert is_within("C:\\A\\b", "c:\\a")
        assert is_within("c:/a/b", "C:\\A")
        assert not is_within("D:\\a\\b", "C:\\a")
        assert not is_within("C:\\ab", "C:\\a")
        for path, directory in (("C:\\a\\b", "\\\\?\\C:\\a"), ("\\\\?\\C:\\A\\b", "c:\\a")):
            assert is_within(path, directory)
        assert is_within("\\\\one\\Share\\a", "\\\\?\\UNC\\one\\share")
        assert is_within("\\\\?\\unc\\one\\share\\a", "\\\\ONE\\share")
        assert not is_within("\\\\?\\D:\\a\\b", "C:\\a")
        assert is_within("\\a", "\\")
        assert not is_within("\\\\one\\share2", "\\\\one\\share")


class TestUpwards:
    def test_names_end_at_the_root(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(paths, "os", SimpleNamespace(path=ntpath))
        assert list(upwards("Z:\\a\\b")) == ["Z:\\a\\b", "Z:\\a", "Z:\\"]
        assert list(upwards("\\\\one\\share\\a"))[-1] == "\\\\one\\share\\"
        assert list(upwards("a\\b")) == ["a\\b", "a", ""]

    @pytest.fixture
    def missing_drive(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Not even the root is there, as on Windows that of a drive that is missing."""
        dirname, asked = os.path.dirname, []

        def count(path: str) -> str:
            asked.append(path)
            assert len(asked) < 100, "the way up has no end"
            return dirname(path)

        def refuse(path: object, *_: object, **__: object) -> None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)

        monkeypatch.setattr(os.path, "dirname", count)
        for call in ("stat", "lstat", "mkdir", "open"):
            monkeypatch.setattr(os, call, refuse)

    @posix_only
    @pytest.mark.usefixtures("missing_drive")
    def test_a_drive_that_is_missing(self) -> None:
        with pytest.raises(LinkError, match="make the directory '/z/a'") as raised, opened("/z/a"):
            pass
        assert raised.value.errno == errno.ENOENT
        with pytest.raises(FileNotFoundError):
            make_root("/z/a")
        assert existing_part("/z/a") == "/"
        assert are_one_name("/z/a", "b", "B") is False

    def test_a_relative_path(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        here = os.getcwd()
        assert existing_part("none/below") == here


def test_the_path_of_a_lock_file_may_be_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def note(path: str) -> str:
        asked.append(path)
        return path

    monkeypatch.setattr(windows, "WINDOWS", True)
    monkeypatch.setattr(locking, "extended", note, raising=False)
    file = tmp_path / locking.LOCK_FILE
    with locking.exclusive(os.fspath(tmp_path), Patience("here", 1)):
        assert asked == [os.fspath(file)]
        assert file.exists()
    assert not file.exists()


class TestIsDirectory:
    def test_what_it_is(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        assert is_directory(os.fspath(tmp_path)) is True
        assert is_directory(os.fspath(tmp_path / "file")) is False
        assert is_directory(os.fspath(tmp_path / "none")) is False
        assert is_directory(os.fspath(tmp_path / "file" / "below")) is False

    @posix_only
    def test_what_cannot_be_told(self, tmp_path: Path) -> None:
        (tmp_path / "round").symlink_to("round")
        with pytest.raises(OSError) as raised:  # noqa: PT011 - the number is what is asked
            is_directory(os.fspath(tmp_path / "round"))
        assert raised.value.errno == errno.ELOOP


@pytest.mark.parametrize(
    ("filename", "named"),
    [("a", "a"), (b"b", "b"), (7, "other"), (None, "other"), ("", "")],
)
def test_the_path_that_an_error_names(filename: object, named: str) -> None:
    error = OSError(errno.EIO, "broken")
    error.filename = filename
    assert named_by(error, "other") == named


def noting(asked: list[int]) -> Callable[[int, int], bytes]:
    """Return read(2) that notes how many bytes each call asks for."""
    read = os.read

    def noted(fd: int, count: int) -> bytes:
        asked.append(count)
        return read(fd, count)

    return noted


class TestReading:
    @pytest.fixture
    def calls(self, monkeypatch: pytest.MonkeyPatch) -> list[int]:
        """How many bytes each call asks for; it gets three at most."""
        asked: list[int] = []
        read = os.read

        def few(fd: int, count: int) -> bytes:
            asked.append(count)
            return read(fd, min(count, 3))

        monkeypatch.setattr(os, "read", few)
        return asked

    def test_piece_by_piece(self, tmp_path: Path, calls: list[int]) -> None:
        """As file systems over a network may answer."""
        (tmp_path / "file").write_bytes(b"12345678")
        assert read_regular(os.fspath(tmp_path / "file"), 10) == b"12345678"
        assert calls == [9, 8, 5]

    def test_one_call_where_that_is_all(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "file").write_bytes(b"12345678")
        asked: list[int] = []
        monkeypatch.setattr(os, "read", noting(asked))
        assert read_regular(os.fspath(tmp_path / "file"), 8) == b"12345678"
        assert asked == [9]

    def test_an_empty_file(self, tmp_path: Path, calls: list[int]) -> None:
        (tmp_path / "file").touch()
        assert read_regular(os.fspath(tmp_path / "file"), 0) == b""
        assert calls == [1]

    def test_what_is_too_long_is_not_read(self, tmp_path: Path, calls: list[int]) -> None:
        path = os.fspath(tmp_path / "file")
        (tmp_path / "file").write_bytes(b"x" * 2001)
        with pytest.raises(OSError, match="it has more than 2,000 bytes") as raised:
            read_regular(path, 2000)
        assert (raised.value.errno, raised.value.filename) == (errno.EFBIG, path)
        assert calls == []

    @posix_only
    def test_what_a_symlink_leads_to(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_bytes(b"123")
        (tmp_path / "link").symlink_to("file")
        path = os.fspath(tmp_path / "link")
        assert read_followed(path, 3) == b"123"
        with pytest.raises(OSError, match="it has more than 2 bytes") as raised:
            read_followed(path, 2)
        assert raised.value.filename == path
        with pytest.raises(OSError) as raised:  # noqa: PT011 - the number is what is asked
            read_regular(path, 3)
        assert raised.value.errno in {errno.ELOOP, errno.EMLINK}

    @pytest.mark.parametrize("real", [11, 30])
    def test_that_grows_meanwhile(
        self, tmp_path: Path, real: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """No more is read than it takes to see that it is too long."""
        (tmp_path / "file").write_bytes(b"x" * real)
        asked: list[int] = []
        known = os.fstat

        def said_to_be_short(fd: int) -> os.stat_result:
            values = list(known(fd))
            values[stat.ST_SIZE] = 4
            return os.stat_result(values)

        monkeypatch.setattr(os, "fstat", said_to_be_short)
        monkeypatch.setattr(os, "read", noting(asked))
        with pytest.raises(OSError, match="more than 10 bytes"):
            read_regular(os.fspath(tmp_path / "file"), 10)
        assert asked == [5, 6]

    def test_that_grows_to_the_limit(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "file").write_bytes(b"0123456789")
        known = os.fstat

        def said_to_be_short(fd: int) -> os.stat_result:
            values = list(known(fd))
            values[stat.ST_SIZE] = 4
            return os.stat_result(values)

        monkeypatch.setattr(os, "fstat", said_to_be_short)
        assert read_regular(os.fspath(tmp_path / "file"), 10) == b"0123456789"

    def test_that_grows_piece_by_piece(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What is as long as is allowed may not be all."""
        (tmp_path / "file").write_bytes(b"x" * 11)
        read, known = os.read, os.fstat

        def said_to_be_short(fd: int) -> os.stat_result:
            values = list(known(fd))
            values[stat.ST_SIZE] = 4
            return os.stat_result(values)

        monkeypatch.setattr(os, "fstat", said_to_be_short)
        monkeypatch.setattr(os, "read", lambda fd, n: read(fd, min(n, 5)))
        with pytest.raises(OSError, match="more than 10 bytes"):
            read_regular(os.fspath(tmp_path / "file"), 10)

    def test_with_what_was_known(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_bytes(b"123")
        data, status = read_with_status(os.fspath(tmp_path / "file"), 3)
        assert (data, status.st_size) == (b"123", 3)
        assert status.st_mtime_ns == (tmp_path / "file").stat().st_mtime_ns

    def test_closed_whatever_happens(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_bytes(b"123")
        before = os.dup(0)
        os.close(before)
        read_regular(os.fspath(tmp_path / "file"), 3)
        with pytest.raises(OSError, match="more than 2"):
            read_regular(os.fspath(tmp_path / "file"), 2)
        after = os.dup(0)
        os.close(after)
        assert after == before

    @pytest.mark.skipif(sys.platform == "win32", reason="directories are not opened there")
    def test_what_is_no_file(self, tmp_path: Path) -> None:
        path = os.fspath(tmp_path)
        fd = os.open(path, os.O_RDONLY)
        try:
            for function in (regular_size, regular_status):
                with pytest.raises(OSError, match="it is no regular file") as raised:
                    function(fd, path)
                assert raised.value.args[:2] == (errno.EINVAL, "it is no regular file")
                assert raised.value.filename == path
        finally:
            os.close(fd)
        with pytest.raises(OSError) as raised:  # noqa: PT011 - the number is what is asked
            read_regular(path, 10)
        assert (raised.value.errno, raised.value.filename) == (errno.EINVAL, path)

    def test_size(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_bytes(b"1234567")
        with (tmp_path / "file").open("rb") as file:
            assert regular_size(file.fileno(), "file") == 7


class TestSeal:
    def test_what_it_looks_like(self) -> None:
        """CRC-32 of "123456789" is 0xcbf43926, as in every description of it."""
        assert sealed(b"123456789") == b"123456789crc32 cbf43926\n"
        assert sealed(b"") == b"crc32 00000000\n"

    @pytest.mark.parametrize("body", [b"", b"x", b"line\n" * 1000])
    def test_there_and_back(self, body: bytes) -> None:
        assert unsealed(sealed(body)) == body

    @pytest.mark.parametrize(
        "broken",
        [b"", b"\0" * 40, b"12345678crc32 cbf43926\n", b"123456789crc32 cbf43926", b"crc32 \n"],
    )
    def test_what_is_broken(self, broken: bytes) -> None:
        with pytest.raises(ValueError, match=r"^it is not what was written$"):
            unsealed(broken)

    def test_of_a_file(self, tmp_path: Path) -> None:
        path = tmp_path / "file"
        path.write_bytes(sealed(b"body"))
        assert is_sealed(os.fspath(path), 100) is True
        path.write_bytes(sealed(b"body")[1:])
        assert is_sealed(os.fspath(path), 100) is False
        path.write_bytes(sealed(b"body"))
        assert is_sealed(os.fspath(path), 5) is False  # longer than any that was sealed
        with pytest.raises(FileNotFoundError):
            is_sealed(f"{path}-that-is-not-there", 100)


class TestRealPath:
    @posix_only
    def test_links_are_followed(self, tmp_path: Path) -> None:
        (tmp_path / "real").mkdir()
        (tmp_path / "link").symlink_to("real")
        top = os.path.realpath(tmp_path)
        assert real_path(f"{tmp_path}/link/../real/x") == f"{top}/real/x"
        assert real_path(f"{tmp_path}/link", strict=True) == f"{top}/real"

    def test_what_is_not_there(self, tmp_path: Path) -> None:
        assert real_path(os.path.join(tmp_path, "none")).endswith("none")
        with pytest.raises(FileNotFoundError):
            real_path(os.path.join(tmp_path, "none"), strict=True)

    @pytest.mark.parametrize("strict", [False, True])
    def test_a_byte_that_is_in_no_path(self, strict: bool, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(os.path, "realpath", None)
        with pytest.raises(ValueError, match=r"^embedded null byte$"):
            real_path("a\0b", strict=strict)
