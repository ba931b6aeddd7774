"""New files, call by call, with system calls that do less than they were asked for."""

from __future__ import annotations

import errno
import os
import stat
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Final

import pytest

from small.descriptors import open_descriptors
from wheel_linker._fs import copying
from wheel_linker._fs.copying import LeftBehindError, create_from, create_with

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BLOCK: Final = 64 * 1024
POSIX = pytest.mark.skipif(os.name != "posix", reason="Windows has no permission bits")
BY_DIRECTORY = pytest.mark.skipif(
    os.open not in os.supports_dir_fd, reason="about directory descriptors"
)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Be in the directory with the files."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "source").write_bytes(b"content")
    return tmp_path


@pytest.fixture(params=[0, 0o022, 0o177], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    previous = os.umask(request.param)
    yield request.param
    os.umask(previous)


def fill(new: int, original: int, size: int) -> None:
    assert size == 7
    os.write(new, os.read(original, size))


def fail(new: int, _: int, __: int) -> None:
    os.write(new, b"part")
    raise OSError(errno.EIO, "broken")


def refuse(*_: object, **__: object) -> None:
    raise OSError(errno.EIO, "refused here")


class TestCreateFrom:
    def test_content(self, here: Path) -> None:
        before = open_descriptors()
        create_from(fill, "source", "new")
        assert (here / "new").read_bytes() == b"content"
        assert open_descriptors() == before

    @BY_DIRECTORY
    def test_from_one_directory_to_another(self, here: Path) -> None:
        for name in ("one", "other"):
            (here / name).mkdir()
        (here / "one/a").write_bytes(b"CONTENT")
        one, other = (os.open(name, os.O_RDONLY) for name in ("one", "other"))
        try:
            create_from(fill, "a", "b", one, other)
            with pytest.raises(OSError, match="broken"):
                create_from(fail, "a", "c", one, other)
        finally:
            os.close(one)
            os.close(other)
        assert (here / "other/b").read_bytes() == b"CONTENT"
        assert sorted(os.listdir()) == ["one", "other", "source"]
        assert os.listdir("other") == ["b"]

    @pytest.mark.skipif(sys.platform == "win32", reason="the user may make no symlinks")
    def test_through_no_symlink(self, here: Path) -> None:
        (here / "link").symlink_to("source")
        (here / "new").symlink_to("nowhere")
        with pytest.raises(OSError, match="link"):
            create_from(fill, "link", "other")
        with pytest.raises(FileExistsError):
            create_from(fill, "source", "new")
        assert sorted(os.listdir()) == ["link", "new", "source"]

    @POSIX
    @pytest.mark.parametrize("mode", [0o644, 0o755, 0o500, 0o4711], ids=oct)
    def test_bits(self, here: Path, umask: int, mode: int) -> None:
        (here / "source").chmod(mode)
        create_from(fill, "source", "new")
        owner = mode & 0o700 | 0o400
        wanted = (owner | owner >> 3 | owner >> 6) & ~umask | owner & 0o100
        assert stat.S_IMODE((here / "new").stat().st_mode) == wanted

    @pytest.mark.parametrize("by_descriptor", [True, False])
    @pytest.mark.parametrize("keep", [None, False, True])
    def test_times(
        self,
        here: Path,
        keep: bool | None,
        by_descriptor: bool,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        if by_descriptor and not copying.TIMES_BY_DESCRIPTOR:
            pytest.skip("times are set by path here")
        monkeypatch.setattr(copying, "TIMES_BY_DESCRIPTOR", by_descriptor)
        os.utime(here / "source", ns=(3_000_000_000, 5_000_000_000))
        create_from(fill, "source", "new", **({} if keep is None else {"keep_time": keep}))
        status = (here / "new").stat()
        assert (status.st_mtime_ns == 5_000_000_000) is (keep is True)
        if os.name == "posix":
            assert (status.st_atime_ns == 3_000_000_000) is (keep is True)

    @BY_DIRECTORY
    @pytest.mark.parametrize("by_descriptor", [True, False])
    def test_times_are_set_in_the_other_directory(
        self, here: Path, by_descriptor: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(copying, "TIMES_BY_DESCRIPTOR", by_descriptor)
        os.utime(here / "source", ns=(3_000_000_000, 5_000_000_000))
        (here / "other").mkdir()
        (here / "new").touch()
        other = os.open("other", os.O_RDONLY)
        try:
            create_from(fill, "source", "new", None, other, keep_time=True)
        finally:
            os.close(other)
        assert (here / "other/new").stat().st_mtime_ns == 5_000_000_000
        assert (here / "new").stat().st_mtime_ns != 5_000_000_000

    @pytest.mark.parametrize("by_descriptor", [True, False])
    def test_times_that_cannot_be_set(
        self, here: Path, by_descriptor: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As on some network file systems."""

        def not_allowed(*_: object, **__: object) -> None:
            raise PermissionError(errno.EPERM, "refused here")

        monkeypatch.setattr(copying, "TIMES_BY_DESCRIPTOR", by_descriptor)
        monkeypatch.setattr(os, "utime", not_allowed)
        create_from(fill, "source", "new", keep_time=True)
        assert (here / "new").read_bytes() == b"content"

    @pytest.mark.parametrize("error", [OSError(errno.EIO, "broken"), KeyboardInterrupt()])
    def test_an_error_leaves_nothing(self, error: BaseException) -> None:
        before = open_descriptors()

        def fail(*_: int) -> None:
            raise error

        with pytest.raises(type(error)):
            create_from(fail, "source", "new")
        assert os.listdir() == ["source"]
        assert open_descriptors() == before

    def test_what_cannot_be_made(self) -> None:
        before = open_descriptors()
        with pytest.raises(FileNotFoundError):
            create_from(fill, "source", "none/new")
        with pytest.raises(FileNotFoundError):
            create_from(fill, "none", "new")
        assert os.listdir() == ["source"]
        assert open_descriptors() == before

    @pytest.mark.parametrize("way", [fill, fail])
    def test_what_cannot_be_closed_leaves_nothing(
        self, way: Callable[[int, int, int], None], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Where writing is put off, and the disk is full."""
        close = os.close
        written: list[int] = []

        def noting(new: int, original: int, size: int) -> None:
            written.append(new)
            way(new, original, size)

        def full(fd: int) -> None:
            close(fd)
            if fd in written:
                raise OSError(errno.ENOSPC, "no room")

        before = open_descriptors()
        monkeypatch.setattr(os, "close", full)
        with pytest.raises(OSError, match="no room" if way is fill else "broken"):
            create_from(noting, "source", "new")
        assert os.listdir() == ["source"]
        assert open_descriptors() == before

    def test_what_is_left_behind_is_told(self, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(os, "unlink", refuse)
        before = open_descriptors()
        with pytest.raises(LeftBehindError, match="refused here") as caught:
            create_from(fail, "source", "new")
        assert caught.value.errno == errno.EIO
        assert isinstance(caught.value.__cause__, OSError)
        assert (here / "new").read_bytes() == b"part"
        assert open_descriptors() == before

    @BY_DIRECTORY
    def test_what_cannot_be_closed_is_taken_back_from_its_directory(
        self, here: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (here / "other").mkdir()
        other = os.open("other", os.O_RDONLY)
        close = os.close
        written: list[int] = []

        def noting(new: int, original: int, size: int) -> None:
            written.append(new)
            fill(new, original, size)

        def full(fd: int) -> None:
            close(fd)
            if fd in written:
                raise OSError(errno.ENOSPC, "no room")

        monkeypatch.setattr(os, "close", full)
        with pytest.raises(OSError, match="no room"):
            create_from(noting, "source", "new", None, other)
        monkeypatch.undo()
        os.close(other)
        assert os.listdir(here / "other") == []


class TestCreateWith:
    @pytest.mark.parametrize("executable", [None, False, True])
    def test_content_and_bits(self, here: Path, umask: int, executable: bool | None) -> None:
        before = open_descriptors()
        create_with(b"123", "new", **({} if executable is None else {"executable": executable}))
        assert (here / "new").read_bytes() == b"123"
        if os.name == "posix":
            wanted = (0o777 if executable else 0o666) & ~umask
            assert stat.S_IMODE((here / "new").stat().st_mode) == wanted
        assert open_descriptors() == before

    @BY_DIRECTORY
    def test_in_another_directory(self, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (here / "other").mkdir()
        other = os.open("other", os.O_RDONLY)
        try:
            create_with(b"123", "new", other)
            monkeypatch.setattr(copying, "write_all", refuse)
            with pytest.raises(OSError, match="refused here"):
                create_with(b"123", "another", other)
        finally:
            os.close(other)
        assert os.listdir("other") == ["new"]
        assert (here / "other/new").read_bytes() == b"123"

    def test_what_is_there_stays(self, here: Path) -> None:
        with pytest.raises(FileExistsError):
            create_with(b"123", "source")
        assert (here / "source").read_bytes() == b"content"

    def test_an_error_leaves_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        before = open_descriptors()
        monkeypatch.setattr(copying, "write_all", refuse)
        with pytest.raises(OSError, match="refused here"):
            create_with(b"123", "new")
        assert os.listdir() == ["source"]
        assert open_descriptors() == before

    def test_what_cannot_be_closed_leaves_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        close = os.close

        def full(fd: int) -> None:
            close(fd)
            raise OSError(errno.ENOSPC, "no room")

        monkeypatch.setattr(os, "close", full)
        with pytest.raises(OSError, match="no room"):
            create_with(b"123", "new")
        assert os.listdir() == ["source"]


@pytest.mark.parametrize("kind", [bytes, memoryview])
@pytest.mark.parametrize("size", [0, 1, 7, 100])
def test_every_byte_is_written(
    here: Path,
    size: int,
    kind: Callable[[bytes], bytes | memoryview],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """However few write(2) takes."""
    write = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: write(fd, data[:3]))
    data = bytes(range(size))
    with (here / "new").open("wb") as file:
        copying.write_all(file.fileno(), kind(data))
    assert (here / "new").read_bytes() == data


def test_close_quietly() -> None:
    """Whatever close(2) says."""
    before = open_descriptors()
    fd = os.open("source", os.O_RDONLY)
    for _ in range(2):
        copying.close_quietly(fd)
        assert open_descriptors() == before


class Pair:
    """Two open files, one to be copied to the other."""

    def __init__(self, data: bytes) -> None:
        Path("original").write_bytes(data)
        self.original = os.open("original", os.O_RDONLY | getattr(os, "O_BINARY", 0))
        self.new = os.open("copy", copying.CREATE)

    def close(self) -> None:
        os.close(self.original)
        os.close(self.new)

    @property
    def copied(self) -> bytes:
        return Path("copy").read_bytes()


@pytest.fixture
def pair_of() -> Iterator[Callable[[bytes], Pair]]:
    made: list[Pair] = []

    def make(data: bytes) -> Pair:
        made.append(Pair(data))
        return made[-1]

    yield make
    for pair in made:
        pair.close()


class TestWhichWay:
    @pytest.fixture
    def ways(self, monkeypatch: pytest.MonkeyPatch) -> list[tuple[object, ...]]:
        taken: list[tuple[object, ...]] = []
        for name in ("_copy_data_only", "_copy_range"):
            monkeypatch.setattr(copying, name, lambda *seen, name=name: taken.append((name, *seen)))
        return taken

    @pytest.mark.parametrize(
        ("size", "sparse", "way"),
        [
            (BLOCK - 1, True, "_copy_range"),
            (BLOCK, True, "_copy_data_only"),
            (BLOCK + 1, True, "_copy_data_only"),
            (BLOCK, False, "_copy_range"),
        ],
    )
    def test_holes_are_looked_for_in_large_files(
        self,
        size: int,
        sparse: bool,
        way: str,
        ways: list[tuple[object, ...]],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        asked: list[tuple[int, int]] = []

        def is_sparse(original: int, length: int) -> bool:
            asked.append((original, length))
            return sparse

        monkeypatch.setattr(copying, "_is_sparse", is_sparse)
        copying.copy_content(11, 12, size)
        assert ways == [(way, 11, 12, size)]
        assert asked == ([(12, size)] if size >= BLOCK else [])

    @pytest.mark.parametrize(
        ("known", "sparse"),
        [
            ({"st_blocks": 9}, True),
            ({"st_blocks": 10}, False),
            ({"st_blocks": 11}, False),
            ({"st_blocks": 0}, True),
            ({}, False),
        ],
    )
    def test_a_sparse_file_has_fewer_blocks(
        self, known: dict[str, int], sparse: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(copying, "_FINDS_HOLES", True)
        monkeypatch.setattr(
            copying, "os", SimpleNamespace(fstat=lambda _: SimpleNamespace(**known))
        )
        assert copying._is_sparse(12, 5120) is sparse
        monkeypatch.setattr(copying, "_FINDS_HOLES", False)
        assert copying._is_sparse(12, 5120) is False


class Holes:
    """What lseek(2) tells of a file that has data in some places only."""

    def __init__(self, *data: tuple[int, int]) -> None:
        self.data = data
        self.asked: list[tuple[str, int]] = []
        self._lseek = os.lseek

    def lseek(self, fd: int, position: int, how: int) -> int:
        if how == copying._SEEK_DATA:
            self.asked.append(("data", position))
            for start, end in self.data:
                if position < end:
                    return max(start, position)
            raise OSError(errno.ENXIO, "nothing behind that")
        if how == copying._SEEK_HOLE:
            self.asked.append(("hole", position))
            return next(end for start, end in self.data if start <= position < end)
        return self._lseek(fd, position, how)


@pytest.fixture(params=[True, False], ids=["in the kernel", "read and written"])
def in_kernel(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    if request.param and not copying._COPIES_IN_KERNEL:
        pytest.skip("this Python cannot")
    monkeypatch.setattr(copying, "_COPIES_IN_KERNEL", request.param)
    return bool(request.param)


@pytest.mark.usefixtures("in_kernel")
class TestDataOnly:
    DATA: Final = bytes(range(1, 101))

    @pytest.fixture
    def holes(self, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Holes]:
        monkeypatch.setattr(copying, "_SEEK_DATA", 98)
        monkeypatch.setattr(copying, "_SEEK_HOLE", 99)

        def make(*data: tuple[int, int]) -> Holes:
            made = Holes(*data)
            monkeypatch.setattr(os, "lseek", made.lseek)
            return made

        return make

    @pytest.mark.parametrize(
        "parts",
        [
            [],
            [(0, 100)],
            [(0, 10)],
            [(90, 100)],
            [(10, 20), (30, 31), (99, 100)],
            [(0, 10), (50, 60)],
        ],
    )
    def test_what_is_no_hole(
        self,
        parts: list[tuple[int, int]],
        pair_of: Callable[[bytes], Pair],
        holes: Callable[..., Holes],
    ) -> None:
        pair = pair_of(self.DATA)
        seen = holes(*parts)
        copying._copy_data_only(pair.new, pair.original, 100)
        wanted = bytearray(100)
        for start, end in parts:
            wanted[start:end] = self.DATA[start:end]
        assert pair.copied == wanted
        assert len(seen.asked) == 2 * len(parts) + (not parts or parts[-1][1] < 100)

    def test_what_was_added_meanwhile_is_not(
        self, pair_of: Callable[[bytes], Pair], holes: Callable[..., Holes]
    ) -> None:
        pair = pair_of(self.DATA)
        holes((10, 100))
        copying._copy_data_only(pair.new, pair.original, 50)
        assert pair.copied == bytes(10) + self.DATA[10:50]

    @pytest.mark.parametrize("number", [errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS])
    def test_where_nobody_knows_of_holes(
        self,
        number: int,
        pair_of: Callable[[bytes], Pair],
        holes: Callable[..., Holes],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        pair = pair_of(self.DATA)
        lseek = holes((0, 10), (20, 100)).lseek
        asked: list[int] = []

        def second_time(fd: int, position: int, how: int) -> int:
            if how == copying._SEEK_DATA:
                asked.append(position)
                if position:
                    raise OSError(number, "what is that")
            return lseek(fd, position, how)

        monkeypatch.setattr(os, "lseek", second_time)
        copying._copy_data_only(pair.new, pair.original, 100)
        assert pair.copied == self.DATA
        assert asked == [0, 10]

    @pytest.mark.parametrize(
        ("what", "number"),
        [("_SEEK_DATA", errno.EIO), ("_SEEK_HOLE", errno.EIO), ("_SEEK_HOLE", errno.ENXIO)],
    )
    def test_another_error(
        self,
        number: int,
        what: str,
        pair_of: Callable[[bytes], Pair],
        holes: Callable[..., Holes],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        pair = pair_of(self.DATA)
        lseek = holes((0, 100)).lseek

        def fail(fd: int, position: int, how: int) -> int:
            if how == getattr(copying, what):
                raise OSError(number, "broken")
            return lseek(fd, position, how)

        monkeypatch.setattr(os, "lseek", fail)
        with pytest.raises(
            OSError, match="shorter" if number == errno.ENXIO else "broken"
        ) as caught:
            copying._copy_data_only(pair.new, pair.original, 100)
        assert caught.value.errno == errno.EIO

    @pytest.mark.parametrize("parts", [[], [(0, 50)]])
    def test_a_file_that_is_cut_short_has_no_hole_at_its_end(
        self,
        parts: list[tuple[int, int]],
        pair_of: Callable[[bytes], Pair],
        holes: Callable[..., Holes],
    ) -> None:
        pair = pair_of(self.DATA[:99])
        holes(*parts)
        with pytest.raises(OSError, match="the file became shorter while it was copied") as caught:
            copying._copy_data_only(pair.new, pair.original, 100)
        assert caught.value.errno == errno.EIO

    def test_a_real_one(self, pair_of: Callable[[bytes], Pair]) -> None:
        data = b"a" * 4096 + bytes(1 << 20) + b"b" * 4096 + bytes(1 << 20)
        pair = pair_of(b"")
        with open("original", "r+b") as file:
            for position in (0, 4096 + (1 << 20)):
                file.seek(position)
                file.write(data[position : position + 4096])
            file.truncate(len(data))
        copying.copy_content(pair.new, pair.original, len(data))
        assert pair.copied == data


class TestInKernel:
    @pytest.fixture
    def copies(self, monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int, int]]:
        """What the kernel is asked for; it does three bytes at a time."""
        calls: list[tuple[int, int, int]] = []

        def copy(original: int, new: int, count: int) -> int:
            calls.append((original, new, count))
            return os.write(new, os.read(original, min(count, 3)))

        monkeypatch.setattr(os, "copy_file_range", copy, raising=False)
        monkeypatch.setattr(copying, "_COPIES_IN_KERNEL", True)
        monkeypatch.setattr(copying, "sys", SimpleNamespace(platform="linux"))
        return calls

    def test_bit_by_bit(
        self, copies: list[tuple[int, int, int]], pair_of: Callable[[bytes], Pair]
    ) -> None:
        pair = pair_of(b"0123456789")
        assert copying._copy_in_kernel(pair.new, pair.original, 8) == 8
        assert pair.copied == b"01234567"
        assert copies == [(pair.original, pair.new, count) for count in (8, 5, 2)]

    def test_to_the_end_of_a_file(
        self, copies: list[tuple[int, int, int]], pair_of: Callable[[bytes], Pair]
    ) -> None:
        pair = pair_of(b"0123")
        assert copying._copy_in_kernel(pair.new, pair.original, 8) == 4
        assert len(copies) == 3

    @pytest.mark.parametrize(
        ("system", "can"), [("darwin", True), ("linux", False), ("win32", False)]
    )
    def test_nowhere_else(
        self,
        system: str,
        can: bool,
        copies: list[tuple[int, int, int]],
        pair_of: Callable[[bytes], Pair],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(copying, "sys", SimpleNamespace(platform=system))
        monkeypatch.setattr(copying, "_COPIES_IN_KERNEL", can)
        pair = pair_of(b"0123")
        assert copying._copy_in_kernel(pair.new, pair.original, 4) == 0
        assert copies == []

    @pytest.mark.parametrize("number", sorted(copying._PLAIN_COPY_INSTEAD), ids=str)
    @pytest.mark.parametrize("before", [0, 1])
    def test_a_refusal_leaves_the_rest(
        self,
        number: int,
        before: int,
        copies: list[tuple[int, int, int]],
        pair_of: Callable[[bytes], Pair],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        copy: Callable[[int, int, int], int] = os.copy_file_range  # type: ignore[attr-defined,unused-ignore]

        def refuse(original: int, new: int, count: int) -> int:
            if len(copies) == before:
                raise OSError(number, "refused here")
            return copy(original, new, count)

        monkeypatch.setattr(os, "copy_file_range", refuse)
        pair = pair_of(b"0123456789")
        copying._copy_range(pair.new, pair.original, 8)
        assert pair.copied == b"01234567"

    def test_a_fault_is_raised(
        self, copies: list[tuple[int, int, int]], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(os, "copy_file_range", refuse)
        with pytest.raises(OSError, match="refused here"):
            copying._copy_range(11, 12, 8)
        assert copies == []

    def test_nothing_is_left_to_be_read(
        self,
        copies: list[tuple[int, int, int]],
        pair_of: Callable[[bytes], Pair],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(copying, "_read_and_write", refuse)
        pair = pair_of(b"0123456789")
        copying._copy_range(pair.new, pair.original, 8)
        assert len(copies) == 3
        assert pair.copied == b"01234567"


class TestReadAndWrite:
    def test_in_pieces(
        self, pair_of: Callable[[bytes], Pair], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        read, asked = os.read, []

        def some(fd: int, count: int) -> bytes:
            asked.append(count)
            return read(fd, min(count, 4))

        monkeypatch.setattr(copying, "_CHUNK", 6)
        monkeypatch.setattr(os, "read", some)
        pair = pair_of(b"0123456789abcdef")
        copying._read_and_write(pair.new, pair.original, 13)
        assert asked == [6, 6, 5, 1]
        assert pair.copied == b"0123456789abc"

    def test_a_file_that_became_shorter(self, pair_of: Callable[[bytes], Pair]) -> None:
        pair = pair_of(b"0123")
        with pytest.raises(OSError, match="the file became shorter while it was copied") as caught:
            copying._read_and_write(pair.new, pair.original, 5)
        assert caught.value.errno == errno.EIO
        assert caught.value.strerror == "the file became shorter while it was copied"
