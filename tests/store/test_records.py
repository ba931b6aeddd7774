"""Wheels whose ``RECORD`` is not right are added as they are, with a note of what is wrong."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from odd_records import CONTENT, RECORDS, as_csv, right_rows, write_odd

from store.archives import NAME, RECORD, claim, files_below, write_archive
from store.conftest import entry_names, settle
from wheel_linker import InvalidWheelError, RecordProblem, RecordWarning
from wheel_linker._wheel.record_reading import read_record
from wheel_linker.store import WheelStore

if TYPE_CHECKING:
    from wheel_linker.store import StoredWheel

HARMLESS = ("line ends", "duplicate")


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
    import tracemalloc

    path = write_archive(tmp_path / NAME, {**CONTENT, RECORD: content})
    tracemalloc.start()
    try:
        with pytest.raises(InvalidWheelError, match="its RECORD has"):
            store.add(path)
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


def test_a_record_of_commas_takes_no_memory() -> None:
    import tracemalloc

    content = b"," * 1_000_000 + b"\n" + b"," * 1_000_000
    tracemalloc.start()
    try:
        claims = read_record(content, {"a.py": None}, set(), "demo-1.0.dist-info")
        assert tracemalloc.get_traced_memory()[1] < 10 * len(content)
    finally:
        tracemalloc.stop()
    assert {problem.kind for problem in claims.problems} == {"columns", "missing", "extra"}
