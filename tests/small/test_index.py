"""The index of a store, line by line; tests/store/test_index.py has how it is used."""

from __future__ import annotations

import errno
import logging
import os
import stat
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from wheel_linker._fs.folder import Folder
from wheel_linker._fs.timestamps import identity
from wheel_linker.store import control
from wheel_linker.store import index as module
from wheel_linker.store.index import Index, Known, compact
from wheel_linker.store.trust import Standing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ONE, TWO = Known("0" * 64, "abcdefghij"), Known("1" * 64, "klmnopqrst")
MINE = Standing()


def status(size: int = 7, inode: int = 4) -> Any:
    return SimpleNamespace(st_size=size, st_mtime_ns=2, st_ctime_ns=3, st_ino=inode)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    with Folder.open(os.fspath(tmp_path)) as opened:
        yield opened


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "index"


def line(path: str, known: Known, inode: int = 4) -> bytes:
    key = f"{identity(status(inode=inode))} {path}".encode("utf-8", "surrogateescape")
    return b"\n%b\t%s %s\n" % (key, known.digest.encode(), known.entry.encode())


class TestFormat:
    def test_of_a_line(self, folder: Folder, file: Path) -> None:
        Index(folder).add(folder, "/w.whl", status(), ONE, MINE)
        Index(folder).add(folder, "/v.whl", status(), TWO, MINE)
        assert file.read_bytes() == line("/w.whl", ONE) + line("/v.whl", TWO)
        assert line("/w.whl", ONE).startswith(b"\n7 2 3 4 /w.whl\t0000")

    def test_paths_in_no_encoding(self, folder: Folder) -> None:
        """As POSIX has them."""
        path = os.fsdecode(b"/\xff.whl") if sys.platform != "win32" else "/\udcff.whl"
        index = Index(folder)
        index.add(folder, path, status(), ONE, MINE)
        assert Index(folder).find(path, status()) == ONE
        assert index.find(path, status()) == ONE

    def test_paths_that_cannot_be_written(self, folder: Folder, file: Path) -> None:
        """As Windows has them: half of a pair of surrogates."""
        index = Index(folder)
        index.add(folder, "/\ud800.whl", status(), ONE, MINE)
        assert not file.exists()
        assert index.find("/\ud800.whl", status()) is None

    def test_paths_with_a_line_break_are_noted_here_only(self, folder: Folder, file: Path) -> None:
        index = Index(folder)
        index.add(folder, "/a\nb.whl", status(), ONE, MINE)
        assert not file.exists()
        assert index.find("/a\nb.whl", status()) == ONE

    def test_paths_with_a_tab(self, folder: Folder) -> None:
        index = Index(folder)
        index.add(folder, "/a\tb.whl", status(), ONE, MINE)
        again = Index(folder)
        for _ in range(20):
            assert again.find("/a\tb.whl", status()) == ONE


class TestFind:
    def test_without_a_directory_nothing_is_known(self) -> None:
        index = Index(None)
        assert index.find("/w.whl", status()) is None
        assert not index.may_know(7)
        assert index._data == b""

    def test_without_a_file_nothing_is_known(self, folder: Folder) -> None:
        assert Index(folder)._data == b""

    @pytest.mark.parametrize("searches", [0, 1, 7, 8, 9, 30])
    def test_however_often(self, folder: Folder, file: Path, searches: int) -> None:
        file.write_bytes(line("/w.whl", ONE) + line("/w.whl", TWO) + line("/v.whl", ONE))
        index = Index(folder)
        for _ in range(searches):
            assert index.find("/none", status()) is None
        assert index.find("/w.whl", status()) == TWO
        assert index.find("/v.whl", status()) == ONE
        assert index.find("/v.whl", status(inode=5)) is None
        assert (index.may_know(7), index.may_know(8), index.may_know(1)) == (True, False, False)

    def test_is_taken_apart_at_the_ninth_search(self, folder: Folder, file: Path) -> None:
        file.write_bytes(line("/w.whl", ONE))
        index = Index(folder)
        for _ in range(8):
            index.may_know(1)
        assert index._data
        index.may_know(1)
        assert index._data == b""

    def test_what_was_noted_meanwhile_stays(self, folder: Folder, file: Path) -> None:
        file.write_bytes(line("/w.whl", ONE))
        index = Index(None)
        index._data = file.read_bytes()
        index.add(folder, "/w.whl", status(), TWO, MINE)
        index.add(folder, "/big.whl", status(size=99), TWO, MINE)
        for _ in range(20):
            assert index.find("/w.whl", status()) == TWO
            assert index.may_know(99)
            assert index.may_know(7)
            assert not index.may_know(9)

    @pytest.mark.parametrize("end", [b"", b"\n"])
    def test_the_last_line_may_have_no_end(self, folder: Folder, file: Path, end: bytes) -> None:
        file.write_bytes(line("/w.whl", ONE).rstrip(b"\n") + end)
        assert Index(folder).find("/w.whl", status()) == ONE

    @pytest.mark.parametrize(
        "value",
        [b"", b" ", b"0" * 64, b"0" * 63 + b" abcdefghij", b"0" * 64 + b" a/b", b"\xff \xff"],
    )
    def test_what_is_no_answer(self, folder: Folder, file: Path, value: bytes) -> None:
        file.write_bytes(line("/w.whl", ONE).partition(b"\t")[0] + b"\t" + value + b"\n")
        assert Index(folder).find("/w.whl", status()) is None

    def test_what_cannot_be_read(self, folder: Folder, file: Path) -> None:
        file.mkdir()
        with pytest.raises(OSError):  # noqa: PT011 - which one depends on the system
            Index(folder)


class TestAdd:
    @pytest.mark.parametrize(
        "number", [errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS]
    )
    def test_without_room_it_is_noted_here_only(
        self,
        folder: Folder,
        number: int,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        def refuse(*_: object) -> int:
            raise OSError(number, "refused here")

        monkeypatch.setattr(os, "write", refuse)
        index = Index(folder)
        with caplog.at_level(logging.DEBUG, "wheel_linker"):
            index.add(folder, "/w.whl", status(), ONE, MINE)
        assert index.find("/w.whl", status()) == ONE
        (message,) = caplog.messages
        assert message.startswith(f"cannot write to the index in {folder.path}: ")
        assert "refused here" in message

    def test_a_broken_disk_is_an_error(
        self, folder: Folder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*_: object) -> int:
            raise OSError(errno.EIO, "broken")

        monkeypatch.setattr(os, "write", fail)
        with pytest.raises(OSError, match="broken"):
            Index(folder).add(folder, "/w.whl", status(), ONE, MINE)

    @pytest.mark.skipif(os.name != "posix", reason="Windows has no permission bits")
    @pytest.mark.parametrize("rewritten", [False, True])
    def test_who_shares_a_store_may_write(
        self, folder: Folder, file: Path, rewritten: bool
    ) -> None:
        previous = os.umask(0o077)
        try:
            Index(folder).add(folder, "/w.whl", status(), ONE, Standing(shared=True))
            if rewritten:
                file.chmod(0o600)
                compact(folder, lambda _: True, Standing(shared=True))
        finally:
            os.umask(previous)
        assert stat.S_IMODE(file.stat().st_mode) == 0o660

    @pytest.mark.skipif(os.name != "posix", reason="Windows has no permission bits")
    def test_what_was_there_keeps_its_bits(self, folder: Folder, file: Path) -> None:
        file.touch(mode=0o600)
        Index(folder).add(folder, "/w.whl", status(), ONE, Standing(shared=True))
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


class TestCompact:
    def test_the_newest_line_of_each_path_stays(self, folder: Folder, file: Path) -> None:
        file.write_bytes(
            line("/a b/w.whl", ONE)
            + line("/a b/w.whl", TWO, inode=9)
            + line("/c b/w.whl", ONE)
            + line("/gone.whl", Known("2" * 64, "uvwxyzabcd"))
        )
        asked: list[str] = []

        def exists(entry: str) -> bool:
            asked.append(entry)
            return entry in {ONE.entry, TWO.entry}

        compact(folder, exists, MINE)
        assert file.read_bytes() == line("/a b/w.whl", TWO, inode=9) + line("/c b/w.whl", ONE)
        assert asked == [ONE.entry, TWO.entry, ONE.entry, "uvwxyzabcd"]
        assert os.listdir(folder.path) == ["index"]

    def test_paths_that_begin_with_a_blank(self, folder: Folder, file: Path) -> None:
        both = line(" w.whl", ONE) + line("w.whl", TWO)
        file.write_bytes(both)
        compact(folder, lambda _: True, MINE)
        assert file.read_bytes() == both

    def test_a_path_whose_newest_entry_is_gone_is_gone(self, folder: Folder, file: Path) -> None:
        file.write_bytes(line("/w.whl", ONE) + line("/w.whl", TWO))
        compact(folder, lambda entry: entry == ONE.entry, MINE)
        assert file.read_bytes() == b""

    @pytest.mark.parametrize("value", [b"\xff \xff", b"no-space", b"", b"0 1 abcdefghij"])
    def test_what_is_broken_goes(self, folder: Folder, file: Path, value: bytes) -> None:
        file.write_bytes(b"\n7 2 3 4 /w.whl\t%b\n" % value + line("/v.whl", ONE) + b"\ntorn")
        compact(folder, lambda entry: entry == ONE.entry, MINE)
        assert file.read_bytes() == line("/v.whl", ONE)

    @pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
    def test_without_room_the_old_one_stays(
        self,
        folder: Folder,
        file: Path,
        number: int,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        def refuse(*_: object) -> None:
            raise OSError(number, "refused here")

        before = line("/w.whl", ONE) + line("/w.whl", TWO)
        file.write_bytes(before)
        monkeypatch.setattr(control, "write_all", refuse)
        with caplog.at_level(logging.DEBUG, "wheel_linker"):
            if number == errno.EIO:
                with pytest.raises(OSError, match="refused here"):
                    compact(folder, lambda _: True, MINE)
            else:
                compact(folder, lambda _: True, MINE)
                (message,) = caplog.messages
                assert message.startswith(f"cannot write the index in {folder.path} anew: ")
                assert "refused here" in message
        assert file.read_bytes() == before
        assert os.listdir(folder.path) == ["index"]

    def test_one_that_is_in_use_stays(
        self, folder: Folder, file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """On Windows, while somebody reads it."""
        error = OSError(errno.EACCES, "in use")

        def refuse(*_: object, **__: object) -> None:
            raise error

        file.write_bytes(line("/w.whl", ONE))
        monkeypatch.setattr(module, "settle_one", refuse)
        monkeypatch.setattr(module, "is_in_use", lambda each: each is error)
        compact(folder, lambda _: True, MINE)
        assert os.listdir(folder.path) == ["index"]

    def test_what_cannot_be_removed_is_logged(
        self,
        folder: Folder,
        file: Path,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        def refuse(*_: object) -> None:
            raise OSError(errno.EDQUOT, "no room")

        def keep(*_: object, **__: object) -> None:
            raise OSError(errno.EIO, "stays")

        file.write_bytes(line("/w.whl", ONE))
        monkeypatch.setattr(control, "write_all", refuse)
        monkeypatch.setattr(os, "unlink", keep)
        with caplog.at_level(logging.DEBUG, "wheel_linker"):
            compact(folder, lambda _: True, MINE)
        assert [message.partition(" in ")[0][:20] for message in caplog.messages] == [
            "cannot remove index.",
            "cannot write the ind",
        ]
