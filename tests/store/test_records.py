"""Wheels whose ``RECORD`` is not right are added as they are, with a note of what is wrong."""

from __future__ import annotations

import os
import re
import warnings
import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from odd_records import CONTENT, HARMLESS, RECORDS, as_csv, right_rows, write_odd

from store.archives import (
    FILES,
    NAME,
    RECORD,
    claim,
    files_below,
    info,
    record_of,
    write_archive,
    write_wheel,
)
from store.conftest import entry_names, settle
from wheel_linker import InvalidWheelError, RecordProblem, RecordWarning
from wheel_linker._wheel.record_reading import read_record
from wheel_linker.store import WheelStore

if TYPE_CHECKING:
    from wheel_linker.store import StoredWheel


def added(store: WheelStore, path: Path) -> StoredWheel:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RecordWarning)
        return store.add(path)


@pytest.mark.parametrize("name", RECORDS)
def test_what_the_archive_holds_is_what_is_unpacked(
    store: WheelStore, tmp_path: Path, name: str
) -> None:
    kinds, record = RECORDS[name]
    stored = added(store, write_odd(tmp_path, name))
    assert files_below(stored.path) == {**CONTENT, RECORD: record}
    assert {problem.kind for problem in stored.record_problems()} == kinds
    rows = stored.known_rows()
    assert rows.keys() == files_below(stored.path).keys()
    for path, data in CONTENT.items():
        assert f"{rows[path].algorithm}={rows[path].digest}" == claim(data)
        assert rows[path].size == len(data)
    assert store.verify(stored, deep=True) == []


@pytest.mark.parametrize("name", RECORDS)
def test_strictly_it_is_refused(root: Path, tmp_path: Path, name: str) -> None:
    path = write_odd(tmp_path, name)
    with WheelStore(root) as store:
        if name in HARMLESS:
            assert store.add(path, record="strict").record_problems()
            return
        with pytest.raises(InvalidWheelError) as caught:
            store.add(path, record="strict")
        assert str(path) in str(caught.value)
        assert entry_names(root) == set()
        # Nor is it let through because somebody else was lenient.
        added(store, path)
        renamed = path.with_name("demo-1.0-1-py3-none-any.whl")
        renamed.write_bytes(path.read_bytes())
        for again in (path, renamed):
            with pytest.raises(InvalidWheelError, match="RECORD"):
                store.add(again, record="strict")
        assert added(store, renamed).record_problems()


def test_strictly_it_is_refused_where_the_file_is_known(store: WheelStore, tmp_path: Path) -> None:
    path = settle(write_odd(tmp_path, "edited"))
    added(store, path)
    with pytest.raises(InvalidWheelError, match=r"its RECORD is not right: .*'single.py'"):
        store.add(path, record="strict")


def test_one_warning_for_each_wheel(store: WheelStore, tmp_path: Path) -> None:
    paths = [write_odd(tmp_path / str(number), "edited") for number in range(2)]
    paths[1].write_bytes(paths[1].read_bytes()[:-2] + b"\1\0x")
    for path in paths:
        settle(path)
    with pytest.warns(RecordWarning) as caught:
        store.add_all(paths)
    assert len(caught) == 2
    assert {warning.filename for warning in caught} == {__file__}
    assert re.search(r"'demo-1.0.data/.* and [23] more\. ", str(caught[0].message))
    store.add_all(paths)  # known: a warning would be an error here


@pytest.mark.parametrize("name", HARMLESS)
def test_no_warning_of_what_is_harmless(store: WheelStore, tmp_path: Path, name: str) -> None:
    assert store.add(write_odd(tmp_path, name)).record_problems()


def test_unknown_word(store: WheelStore, wheel_file: Path) -> None:
    with pytest.raises(ValueError, match="lenient, strict"):
        store.add(wheel_file, record="loose")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="lenient, strict"):
        store.add_all([wheel_file], record="loose")  # type: ignore[arg-type]


def test_another_sha256_is_refused_all_the_same(store: WheelStore, tmp_path: Path) -> None:
    with pytest.raises(InvalidWheelError, match="SHA-256"):
        store.add(write_odd(tmp_path, "edited"), sha256="0" * 64)


def test_problems_that_cannot_be_read_are_none(
    store: WheelStore, root: Path, tmp_path: Path
) -> None:
    stored = added(store, write_odd(tmp_path, "edited"))
    note = root / stored.entry / "problems"
    for content in (b"", b"{", b"[1]", b"[[]]", b'[["other", "a", "b"]]', b"7", b"\xff"):
        note.write_bytes(content)
        assert stored.record_problems() == ()


def test_a_comma_in_a_name_that_nobody_quoted(store: WheelStore, tmp_path: Path) -> None:
    data = b"comma\n"
    record = as_csv(right_rows()) + f"a,b.txt,{claim(data)},{len(data)}\n".encode()
    stored = added(
        store, write_archive(tmp_path / NAME, {**CONTENT, "a,b.txt": data, RECORD: record})
    )
    (problem,) = stored.record_problems()
    assert problem == RecordProblem("columns", "a", "has a row of 4 columns in RECORD")


def test_plain_base64(store: WheelStore, tmp_path: Path) -> None:
    data = next(text for n in range(999) if {"-", "_"} & set(claim(text := b"%d" % n)))
    said = claim(data).replace("-", "+").replace("_", "/")
    record = as_csv(right_rows()) + f"a.txt,{said}=,{len(data)}\n".encode()
    stored = added(
        store, write_archive(tmp_path / NAME, {**CONTENT, "a.txt": data, RECORD: record})
    )
    assert [problem.kind for problem in stored.record_problems()] == ["digest"]


@pytest.mark.parametrize(
    "content", [b"," * 100_000_000, b"x,,\n" * 20_000_000], ids=["one row", "many rows"]
)
def test_a_record_that_is_too_large_is_refused(
    store: WheelStore, tmp_path: Path, content: bytes
) -> None:
    tracemalloc = pytest.importorskip("tracemalloc")

    path = write_archive(tmp_path / NAME, {**CONTENT, RECORD: content})
    tracemalloc.start()
    try:
        with pytest.raises(InvalidWheelError, match="its RECORD has"):
            store.add(path)
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


def test_a_record_of_commas_takes_no_memory() -> None:
    tracemalloc = pytest.importorskip("tracemalloc")

    content = b"," * 1_000_000 + b"\n" + b"," * 1_000_000
    tracemalloc.start()
    try:
        claims = read_record(content, {"a.py": None}, set(), "demo-1.0.dist-info")
        assert tracemalloc.get_traced_memory()[1] < 10 * len(content)
    finally:
        tracemalloc.stop()
    assert {problem.kind for problem in claims.problems} == {"columns", "missing", "extra"}


@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
class TestEntryTwice:
    """One name twice in an archive."""

    @pytest.fixture(params=[1, 500_000], ids=["small", "large"])
    def times(self, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
        monkeypatch.setattr("wheel_linker._archive.unpacking._LARGE", 1000)
        monkeypatch.setattr("wheel_linker._archive.unpacking._HUGE", 1000)
        return int(request.param)

    @staticmethod
    def twice(path: Path, first: bytes, second: bytes, *, said: bytes | None = None) -> Path:
        record = record_of({**FILES, "twice": second if said is None else said})
        write_archive(path, {"twice": first, **FILES, RECORD: record})
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr(info("twice"), second)
        return path

    def test_the_same_content_is_one_file(
        self, store: WheelStore, tmp_path: Path, times: int
    ) -> None:
        content = os.urandom(16) * times
        path = self.twice(tmp_path / NAME, content, content)
        if times == 1:
            assert store.add(path, record="strict").record_problems() == ()
        stored = store.add(path)
        assert files_below(stored.path)["twice"] == content
        assert store.verify(stored, deep=True) == []
        assert stored.record_problems() == ()

    def test_of_different_contents_the_last_counts(
        self, store: WheelStore, tmp_path: Path, times: int
    ) -> None:
        path = self.twice(tmp_path / NAME, os.urandom(16) * times, b"last" * times)
        with pytest.raises(InvalidWheelError, match="one path"):
            store.add(path, record="strict")
        stored = added(store, path)
        assert files_below(stored.path)["twice"] == b"last" * times
        assert [problem.kind for problem in stored.record_problems()] == ["entry-twice"]
        # As the module of the standard library has it.
        with zipfile.ZipFile(path) as archive:
            assert archive.read("twice") == b"last" * times

    def test_the_last_is_that_of_the_central_directory(
        self, store: WheelStore, tmp_path: Path
    ) -> None:
        path = self.twice(tmp_path / NAME, b"first", b"second", said=b"first")
        data = path.read_bytes()
        start = data.index(b"PK\1\2")
        end = data.index(b"PK\5\6")
        entries = [b"PK\1\2" + entry for entry in data[start:end].split(b"PK\1\2")[1:]]
        path.write_bytes(data[:start] + b"".join([*entries[1:], entries[0]]) + data[end:])
        with zipfile.ZipFile(path) as archive:
            assert archive.read("twice") == b"first"
        assert files_below(added(store, path).path)["twice"] == b"first"

    def test_of_equal_crcs_and_sizes(self, store: WheelStore, tmp_path: Path) -> None:
        one, other = (
            b"\x03\x00\x00\x00\x00\x00\x00",
            _with_crc(b"abc", zlib.crc32(b"\x03" + bytes(6))),
        )
        path = self.twice(tmp_path / NAME, one, other)
        with pytest.raises(InvalidWheelError, match="one path"):
            store.add(path, record="strict")
        assert files_below(store.add(path).path)["twice"] == other

    def test_directories(self, store: WheelStore, tmp_path: Path) -> None:
        path = write_wheel(tmp_path / NAME)
        with zipfile.ZipFile(path, "a") as archive:
            for _ in range(2):
                archive.writestr(info("empty/", 0), b"")
        with pytest.raises(InvalidWheelError, match="one path"):
            store.add(path, record="strict")
        assert store.add(path).record_problems() == ()


def _with_crc(head: bytes, wanted: int) -> bytes:
    """Return the bytes with four more, which give them that CRC-32."""
    register = zlib.crc32(head) ^ 0xFFFFFFFF
    target = wanted ^ 0xFFFFFFFF
    table = [_entry(n) for n in range(256)]
    indices = []
    for _ in range(4):
        index = next(n for n in range(256) if table[n] >> 24 == target >> 24)
        indices.append(index)
        target = ((target ^ table[index]) << 8) & 0xFFFFFFFF
    tail = bytearray()
    for index in reversed(indices):
        tail.append((register ^ index) & 0xFF)
        register = table[index] ^ (register >> 8)
    made = head + bytes(tail)
    assert zlib.crc32(made) == wanted
    return made


def _entry(number: int) -> int:
    for _ in range(8):
        number = number >> 1 ^ (0xEDB88320 if number & 1 else 0)
    return number
