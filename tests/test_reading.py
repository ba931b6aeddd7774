"""Files that may have become something else are read without waiting, and without an end to memory."""

from __future__ import annotations

import errno
import os
import sys
from typing import TYPE_CHECKING

import pytest

from wheel_linker._fs.folder import Folder
from wheel_linker._fs.reading import NOT_READABLE, read_regular
from wheel_linker.install._present.said import read_said

if TYPE_CHECKING:
    from pathlib import Path

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="about POSIX kinds of files")


@pytest.mark.parametrize("content", [b"", b"x", b"\r\n\x1a" * 100_000])
def test_content(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "file").write_bytes(content)
    assert read_regular(str(tmp_path / "file"), 300_000) == content
    with Folder.open(str(tmp_path)) as folder:
        assert read_regular(folder.prefix + "file", 300_000, dir_fd=folder.fd) == content


def test_longer_than_wanted(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x" * 11)
    with pytest.raises(OSError, match="more than 10 bytes") as raised:
        read_regular(str(tmp_path / "file"), 10)
    assert raised.value.errno == errno.EFBIG


def test_missing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_regular(str(tmp_path / "file"), 10)


def test_closing_that_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was read is read, whatever close(2) says."""
    (tmp_path / "METADATA").write_bytes(b"Name: demo")
    close = os.close

    def refuse(fd: int) -> None:
        close(fd)
        raise OSError(errno.EIO, "as a disk that is broken")

    with monkeypatch.context() as patched:
        patched.setattr(os, "close", refuse)
        content = read_regular(str(tmp_path / "METADATA"), 10)
        said = read_said(str(tmp_path), ".dist-info")
    assert content == b"Name: demo"
    assert said.name == "demo"


@posix_only
@pytest.mark.parametrize("kind", ["fifo", "directory", "link", "device", "socket"])
def test_something_else(tmp_path: Path, kind: str) -> None:
    if sys.platform == "win32":
        pytest.skip("POSIX only")
    path = tmp_path / "file"
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "directory":
        path.mkdir()
    elif kind == "socket":
        import socket

        before = os.getcwd()
        os.chdir(tmp_path)  # the address of a socket has to be short
        try:
            with socket.socket(socket.AF_UNIX) as made:
                made.bind("file")
        finally:
            os.chdir(before)
    else:
        path.symlink_to("/dev/zero" if kind == "device" else "other")
        (tmp_path / "other").write_bytes(b"x")
    given = "/dev/zero" if kind == "device" else str(path)
    with pytest.raises(OSError) as raised:  # noqa: PT011 - which one is what is asked
        read_regular(given, 10)
    assert raised.value.errno in NOT_READABLE
