"""Wheels that are wrong in one way each, and that nothing is kept of them."""

from __future__ import annotations

import stat
import struct
import sys
import zipfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import pytest

from store.archives import (
    FILES,
    NAME,
    RECORD,
    claim,
    files_below,
    info,
    record_of,
    with_record,
    write_archive,
    write_wheel,
)
from store.conftest import entry_names, litter
from wheel_linker import InvalidWheelError, unpack_wheel
from wheel_linker._archive import inflate
from wheel_linker._archive.member_data import pieces
from wheel_linker._archive.zip_directory import DEFLATED, Member
from wheel_linker._wheel.names import fault
from wheel_linker._wheel.record_problems import RecordMode
from wheel_linker.store import Limits, WheelStore

if TYPE_CHECKING:
    from collections.abc import Callable

    Refused = Callable[..., str]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "dist" / NAME


@pytest.fixture
def refused(root: Path) -> Refused:
    """Return a function that adds a wheel, which must be refused, in both modes unless one is given.

    It gives the message: the same in both, since what is refused for safety is refused before RECORD is asked.
    """

    def add(path: Path, record: RecordMode, **options: object) -> str:
        store = WheelStore(root, **options)  # type: ignore[arg-type]
        with store, pytest.raises(InvalidWheelError) as caught:
            store.add(path, record=record)
        assert entry_names(root) == set()
        assert litter(root) == []
        assert str(path) in str(caught.value)
        # The path has the test's name in it, and with that the very words that tests look for.
        return str(caught.value).replace(str(path), "")

    def add_in_both(path: Path, *, record: RecordMode | None = None, **options: object) -> str:
        modes = get_args(RecordMode) if record is None else (record,)
        (message,) = {add(path, mode, **options) for mode in modes}
        return message

    return add_in_both


def patched(path: Path, old: bytes, new: bytes, *, last: bool = False) -> Path:
    """Replace bytes of a file by as many others, everywhere or where they are last."""
    data = path.read_bytes()
    assert old in data
    if last:
        place = data.rindex(old)
        path.write_bytes(data[:place] + new + data[place + len(old) :])
    else:
        path.write_bytes(data.replace(old, new))
    return path


def central(path: Path, offset: int, width: int, value: int, *, member: str = "single.py") -> Path:
    """Change a field of a member's entry in the central directory, APPNOTE.TXT 4.3.12."""
    data = bytearray(path.read_bytes())
    place = data.rindex(member.encode()) - 46
    assert data[place : place + 4] == b"PK\1\2"
    data[place + offset : place + offset + width] = value.to_bytes(width, "little")
    path.write_bytes(data)
    return path


class TestNames:
    @pytest.mark.parametrize(
        "name",
        [
            "/etc/passwd",
            "//server/x",
            "../evil.py",
            "a/../../evil.py",
            "demo/..",
            "./a.py",
            "a//b.py",
            "",
            "/",
        ],
    )
    def test_that_lead_out(self, path: Path, refused: Refused, name: str) -> None:
        refused(write_archive(path, with_record({**FILES, name: b"evil"})))

    @pytest.mark.parametrize("name", ["C:/evil.py", "c:evil.py", "a\\..\\evil.py", "\\evil.py"])
    def test_that_lead_out_on_windows(self, path: Path, refused: Refused, name: str) -> None:
        assert "do not trust" in refused(write_archive(path, with_record({**FILES, name: b""})))

    @pytest.mark.parametrize("name", ["a\nb.py", "a\x00b.py", "a\x7f.py", "a\x9bb.py"])
    def test_with_control_characters(self, path: Path, refused: Refused, name: str) -> None:
        assert "control" in refused(write_archive(path, with_record({**FILES, name: b""})))

    @pytest.mark.parametrize("name", ["d/" * 30_000 + "leaf.py", "n" * 60_000])
    def test_that_no_system_takes(self, path: Path, refused: Refused, name: str) -> None:
        assert "more than a path" in refused(write_wheel(path, {name: b""}))

    def test_that_are_not_utf8(self, path: Path, refused: Refused) -> None:
        write_wheel(path, {"demo/xyz.py": b""})
        assert "UTF-8" in refused(patched(path, b"xyz.py", b"x\xff\xfe.py"))

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ("demo/a.py", "demo/A.py"),
            ("demo/a.py", "Demo/b.py"),
            ("caf\u00e9.py", "cafe\u0301.py"),
            ("stra\u00dfe.py", "STRASSE.py"),
            ("data", "data/a.py"),
            ("data/a.py", "data"),
            ("Data", "data/a.py"),
        ],
    )
    def test_that_are_one_path(self, path: Path, refused: Refused, one: str, other: str) -> None:
        assert "one path" in refused(write_wheel(path, {one: b"1", other: b"2"}))

    @pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
    @pytest.mark.parametrize("name", ["demo/__init__.py", "x"])
    def test_given_twice(self, path: Path, refused: Refused, name: str) -> None:
        write_wheel(path, {"x": b"1"})
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr(info(name), b"evil")
        assert "one path" in refused(path, record="strict")

    @pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
    @pytest.mark.parametrize(
        ("one", "other"),
        [("x/", "x/"), ("x/", "X/"), ("x/", "x"), ("x", "x/"), ("X/", "x/a.py"), ("x/a.py", "X/")],
    )
    def test_of_directories_that_are_one_path(
        self, path: Path, refused: Refused, one: str, other: str
    ) -> None:
        with zipfile.ZipFile(write_wheel(path), "a") as archive:
            for name in (one, other):
                archive.writestr(info(name, 0), b"")
        assert "one path" in refused(path, record="strict")
        if one != other:
            assert "one path" in refused(path)

    def test_that_differ_in_the_local_header(self, path: Path, refused: Refused) -> None:
        write_wheel(path)
        data = path.read_bytes()
        path.write_bytes(data.replace(b"single.py", b"simple.py", 1))
        assert "another name" in refused(path)

    def test_given_by_an_extra_field(self, path: Path, refused: Refused) -> None:
        def change(entry: zipfile.ZipInfo) -> None:
            if entry.filename == "single.py":
                # Info-ZIP's Unicode path, APPNOTE.TXT 4.6.9
                entry.extra = struct.pack("<HHBL", 0x7075, 5 + 7, 1, 0) + b"evil.py"

        assert "second name" in refused(write_archive(path, with_record(FILES), change=change))


class TestKinds:
    @pytest.mark.parametrize(
        ("kind", "word"),
        [
            (stat.S_IFLNK, "symlink"),
            (stat.S_IFIFO, "FIFO"),
            (stat.S_IFSOCK, "socket"),
            (stat.S_IFCHR, "device"),
            (stat.S_IFBLK, "device"),
            (stat.S_IFDIR, "directory"),
            (0o050000, "unknown"),
        ],
    )
    def test_other_than_files(self, path: Path, refused: Refused, kind: int, word: str) -> None:
        def change(entry: zipfile.ZipInfo) -> None:
            if entry.filename == "single.py":
                entry.external_attr = (kind | 0o777) << 16

        assert word in refused(write_archive(path, with_record(FILES), change=change))

    def test_other_than_files_from_other_systems(self, path: Path, refused: Refused) -> None:
        def change(entry: zipfile.ZipInfo) -> None:
            if entry.filename == "single.py":
                # MS-DOS, which has no such attributes; other readers look at them all the same.
                entry.create_system = 0
                entry.external_attr = (stat.S_IFLNK | 0o777) << 16

        assert "symlink" in refused(write_archive(path, with_record(FILES), change=change))

    @pytest.mark.parametrize("flag", [0x1, 0x41, 0x2000])
    def test_encrypted(self, path: Path, refused: Refused, flag: int) -> None:
        assert "encrypted" in refused(central(write_wheel(path), 8, 2, flag))

    def test_encrypted_by_the_local_header_alone(self, path: Path, refused: Refused) -> None:
        write_wheel(path)
        data = bytearray(path.read_bytes())
        data[data.index(b"single.py") - 30 + 6] |= 1
        path.write_bytes(data)
        assert "disagree" in refused(path)

    @pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
    def test_compressed_otherwise(self, path: Path, refused: Refused, compression: int) -> None:
        assert "method" in refused(write_archive(path, with_record(FILES), compression=compression))

    def test_directory_with_content(self, path: Path, refused: Refused) -> None:
        def change(entry: zipfile.ZipInfo) -> None:
            entry.external_attr = 0

        files = with_record({**FILES, "dir/": b"data"})
        assert "with content" in refused(write_archive(path, files, change=change))


@pytest.mark.usefixtures("inflating")
class TestDamage:
    @pytest.mark.parametrize(
        "data", [b"", b"PK", b"no zip at all" * 100, b"PK\3\4" + bytes(50), b"PK\5\6" + bytes(18)]
    )
    def test_no_archive(self, path: Path, refused: Refused, data: bytes) -> None:
        path.parent.mkdir()
        path.write_bytes(data)
        refused(path)

    @pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
    def test_cut_short(self, path: Path, refused: Refused, share: float) -> None:
        data = write_wheel(path).read_bytes()
        path.write_bytes(data[: int(len(data) * share)])
        refused(path)

    def test_something_behind(self, path: Path, refused: Refused) -> None:
        path.write_bytes(write_wheel(path).read_bytes() + b"x")
        assert "follows" in refused(path)

    def test_something_before(self, path: Path, refused: Refused) -> None:
        path.write_bytes(b"#!/bin/sh\n" + write_wheel(path).read_bytes())
        assert "end record" in refused(path)

    def test_wrong_crc(self, path: Path, refused: Refused) -> None:
        assert "CRC" in refused(central(write_wheel(path), 16, 4, 0x12345678))

    def test_wrong_crc_of_a_large_member(
        self, path: Path, refused: Refused, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("wheel_linker._archive.unpacking._LARGE", 100)
        write_wheel(path)
        assert "CRC" in refused(central(path, 16, 4, 1, member="demo/data/large.bin"))

    def test_wrong_content(self, path: Path, refused: Refused) -> None:
        write_wheel(path, compression=zipfile.ZIP_STORED)
        assert "damaged" in refused(patched(path, b"LEAF = True", b"LEAF = Fals"))

    @pytest.mark.parametrize("size", [3, 100])
    def test_wrong_size(self, path: Path, refused: Refused, size: int) -> None:
        assert "damaged" in refused(central(write_wheel(path), 24, 4, size))

    @pytest.mark.parametrize("size", [5, 4000])
    def test_wrong_size_of_the_data(self, path: Path, refused: Refused, size: int) -> None:
        assert "damaged" in refused(central(write_wheel(path), 20, 4, size))

    def test_members_that_share_bytes(self, path: Path, refused: Refused) -> None:
        # As in the bombs that unpack the same data many times.
        assert "inside of another" in refused(central(write_wheel(path), 42, 4, 3))

    def test_member_that_has_no_header(self, path: Path, refused: Refused) -> None:
        write_wheel(path)
        data = bytearray(path.read_bytes())
        data[data.index(b"single.py") - 30] = 0
        path.write_bytes(data)
        assert "does not begin" in refused(path)

    @pytest.mark.parametrize("count", [0, 5, 200])
    def test_wrong_count(self, path: Path, refused: Refused, count: int) -> None:
        write_wheel(path)
        data = path.read_bytes()
        path.write_bytes(data[:-14] + struct.pack("<HH", count, count) + data[-10:])
        assert "entries" in refused(path)

    def test_several_disks(self, path: Path, refused: Refused) -> None:
        assert "several parts" in refused(central(write_wheel(path), 34, 2, 1))

    @pytest.mark.parametrize("where", [0, 1 << 40])
    def test_zip64_locator_that_leads_nowhere(
        self, path: Path, refused: Refused, where: int
    ) -> None:
        data = write_wheel(path).read_bytes()
        locator = struct.pack("<4sLQL", b"PK\6\7", 0, where, 1)
        path.write_bytes(data[:-22] + locator + data[-22:])
        assert "locator" in refused(path)


@pytest.mark.usefixtures("inflating")
class TestBombs:
    def test_member_that_unpacks_to_more_than_it_says(self, path: Path, refused: Refused) -> None:
        write_wheel(path, {"bomb": bytes(50_000_000)})
        message = refused(central(path, 24, 4, 1000, member="bomb"))
        assert "'bomb'" in message

    def test_large_member_that_unpacks_to_more_than_it_says(
        self, path: Path, refused: Refused
    ) -> None:
        write_wheel(path, {"bomb": bytes(50_000_000)})
        assert "'bomb'" in refused(central(path, 24, 4, 20_000_000, member="bomb"))

    def test_ratio(self, path: Path, refused: Refused) -> None:
        write_wheel(path, {"bomb": bytes(50_000_000)})
        assert "times its size" in refused(path, limits=Limits(ratio_from=10_000_000))

    def test_ratio_of_small_wheels_does_not_matter(self, path: Path, root: Path) -> None:
        write_wheel(path, {"zeros": bytes(50_000_000)})
        WheelStore(root).add(path)

    @pytest.mark.parametrize(
        "limits", [Limits(entries=5), Limits(file_size=10_000), Limits(total_size=10_000)]
    )
    def test_limits(self, path: Path, refused: Refused, limits: Limits) -> None:
        assert "allowed" in refused(write_wheel(path), limits=limits)


class TestRecord:
    def test_missing(self, path: Path, refused: Refused) -> None:
        assert "has no" in refused(write_archive(path, FILES))

    def test_without_a_file(self, path: Path, refused: Refused) -> None:
        files = {**with_record(FILES), "extra.py": b"evil"}
        assert "'extra.py'" in refused(write_archive(path, files), record="strict")

    def test_without_a_hash(self, path: Path, refused: Refused) -> None:
        record = record_of(FILES) + b"extra.py,,\n"
        files = {**FILES, "extra.py": b"evil", RECORD: record}
        assert "no hash of: 'extra.py'" in refused(write_archive(path, files), record="strict")

    def test_with_a_file_that_is_missing(self, path: Path, refused: Refused) -> None:
        record = record_of({**FILES, "gone.py": b""})
        assert "'gone.py'" in refused(
            write_archive(path, {**FILES, RECORD: record}), record="strict"
        )

    @pytest.mark.parametrize("large", [False, True])
    def test_with_another_hash(
        self, path: Path, refused: Refused, monkeypatch: pytest.MonkeyPatch, large: bool
    ) -> None:
        if large:
            monkeypatch.setattr("wheel_linker._archive.unpacking._LARGE", 1)
        files = {**with_record(FILES), "single.py": b"SINGLE = 2\n"}
        assert "'single.py' is not what its RECORD says" in refused(
            write_archive(path, files), record="strict"
        )

    def test_with_another_size(self, path: Path, refused: Refused) -> None:
        record = record_of(FILES).replace(b",11\n", b",12\n")
        assert "RECORD says" in refused(
            write_archive(path, {**FILES, RECORD: record}), record="strict"
        )

    @pytest.mark.parametrize("algorithm", ["md5", "sha1", "sha224", "crc32"])
    def test_with_a_weak_hash(self, path: Path, refused: Refused, algorithm: str) -> None:
        record = record_of(FILES).replace(
            claim(FILES["single.py"]).encode(), f"{algorithm}=abc".encode()
        )
        assert algorithm in refused(write_archive(path, {**FILES, RECORD: record}), record="strict")

    def test_with_two_claims(self, path: Path, refused: Refused) -> None:
        record = record_of(FILES) + f"single.py,{claim(b'other')},5\n".encode()
        assert "two claims" in refused(
            write_archive(path, {**FILES, RECORD: record}), record="strict"
        )

    @pytest.mark.parametrize(
        "record",
        [b"\xff\xfe", b"only one column\n", b'"open quote,,\n', b"a,sha256=x,many\n", b"a,b,c,d\n"],
    )
    def test_that_cannot_be_read(self, path: Path, refused: Refused, record: bytes) -> None:
        refused(write_archive(path, {**FILES, RECORD: record}), record="strict")


@pytest.mark.parametrize("record", get_args(RecordMode))
def test_a_sha256_that_does_not_fit(path: Path, root: Path, record: RecordMode) -> None:
    write_wheel(path)
    with WheelStore(root) as store:
        with pytest.raises(InvalidWheelError, match="SHA-256"):
            store.add(path, sha256="0" * 64, record=record)
        assert store.entries() == []
    with pytest.raises(InvalidWheelError, match="SHA-256"):
        unpack_wheel(path, root / "out", sha256="0" * 64, record=record)
    assert not (root / "out").exists()


class TestDistInfo:
    @pytest.mark.parametrize("name", ["other-1.0-py3-none-any.whl", "demo-1.1-py3-none-any.whl"])
    def test_of_another_wheel(self, path: Path, refused: Refused, name: str) -> None:
        assert "rename it" in refused(write_wheel(path.with_name(name)))

    def test_missing(self, path: Path, refused: Refused) -> None:
        assert "has none" in refused(write_archive(path, {"demo.py": b""}))

    def test_twice(self, path: Path, refused: Refused) -> None:
        assert "one *.dist-info" in refused(
            write_wheel(path, {"other-1.0.dist-info/METADATA": b""})
        )

    def test_may_be_spelt_otherwise(self, path: Path, root: Path) -> None:
        dist_info = "Demo_Thing-1.0.0.dist-info"
        files = {f"{dist_info}/METADATA": b"", "demo.py": b""}
        record = f"{dist_info}/RECORD"
        wheel = path.with_name("demo_thing-1.0-py3-none-any.whl")
        write_archive(wheel, {**files, record: record_of(files, record)})
        assert WheelStore(root).add(wheel).filename

    def test_is_needed_at_the_top(self, path: Path, refused: Refused) -> None:
        files = {f"below/{name}": data for name, data in FILES.items()}
        archive = write_archive(path, with_record(files) | {f"below/{RECORD}": b""})
        refused(archive, record="strict")


@pytest.mark.parametrize("name", ["aux.py", "demo/a:b", "what?.txt", "dot./x"])
def test_names_that_windows_cannot_write(
    path: Path, refused: Refused, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr("wheel_linker._archive.checks.fault", partial(fault, windows=True))
    assert "Windows" in refused(write_wheel(path, {name: b""}))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot write them")
@pytest.mark.parametrize("name", ["aux.py", "demo/a:b", "what?.txt", "dot./x"])
def test_names_that_only_windows_cannot_write(path: Path, root: Path, name: str) -> None:
    with WheelStore(root) as store:
        assert files_below(store.add(write_wheel(path, {name: b"x"})).path)[name] == b"x"


@pytest.mark.usefixtures("inflating")
def test_too_little_memory_is_no_damage(
    path: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory cannot be made scarce for the inflating library alone."""
    library = inflate.LIBRARY

    class Short:
        """What is out of memory, which the libraries say as zlib's module does: Z_MEM_ERROR."""

        unconsumed_tail = unused_data = b""
        eof = False

        def decompress(self, _data: bytes | memoryview, _most: int = 0, /) -> bytes:
            raise library.error("Error -4 while decompressing data")

        def flush(self) -> bytes:
            return b""

    monkeypatch.setattr(inflate, "LIBRARY", library._replace(make=lambda _: Short()))
    with WheelStore(root) as store, pytest.raises(MemoryError):
        store.add(write_wheel(path))
    assert entry_names(root) == set()
    assert litter(root) == []
    large = Member("large", 0, 1, 10**8, 0, DEFLATED, executable=False)
    with pytest.raises(MemoryError):
        list(pieces(large, [b"x"]))
