"""What an entry keeps of a ``RECORD``, and of what is wrong about it; tests/store/test_records.py has whole wheels."""

from __future__ import annotations

import csv
import os
import sys
from io import StringIO
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

import pytest
from store.archives import claim

from wheel_linker import RecordProblem
from wheel_linker._archive.stored_file import StoredFile
from wheel_linker._fs.folder import Folder
from wheel_linker._wheel.filename import WheelFilename
from wheel_linker.store import Damage, Entry
from wheel_linker.store._entry.errors import BrokenManifestError
from wheel_linker.store._entry.problems import read_problems, write_problems
from wheel_linker.store._entry.records import is_record, made_rows, write
from wheel_linker.store._entry.seal import sealed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

INFO: Final = "demo-1.0.dist-info"
RECORD: Final = f"{INFO}/RECORD"
EXTRA: Final = RecordProblem("extra", "caf\u00e9.py", "is not in it")


def file(path: str, data: bytes = b"") -> StoredFile:
    return StoredFile(path, len(data), False, claim(data))


def link(path: str, target: str) -> StoredFile:
    return StoredFile(path, 0, False, "", target)


def row(path: str, data: bytes = b"") -> str:
    return f"{path},{claim(data)},{len(data)}\n"


@pytest.fixture
def entry(tmp_path: Path) -> Iterator[Folder]:
    (tmp_path / "entry").mkdir()
    with Folder.open(os.fspath(tmp_path / "entry")) as opened:
        yield opened


def keep(
    entry: Folder,
    record: str,
    files: list[StoredFile],
    *,
    problems: tuple[RecordProblem, ...] = (),
    links: dict[str, str] | None = None,
) -> tuple[int, dict[str, bytes]]:
    """Write what is kept of a wheel; return what is said of it, and the files that were made."""
    contents: Any = SimpleNamespace(
        record_path=RECORD, record=record.encode("utf-8"), links=links or {}
    )
    result: Any = SimpleNamespace(files=files, problems=problems)
    said = write(entry, contents, result)
    made = {}
    for name in os.listdir(entry.path):
        with open(os.path.join(entry.path, name), "rb") as opened:
            made[name] = opened.read()
    return said, made


class TestWrite:
    # Unlike what would be made of the files.
    OWN: Final = "caf\u00e9.py,sha256=as-it-is,7\n"

    def test_rows_stay_as_they_are(self, entry: Folder) -> None:
        text = f"{self.OWN}{RECORD},,\n{INFO}/INSTALLER,sha256=x,1\ndemo-1.0.data/x,sha256=x,1\n"
        said, made = keep(entry, text, [file("caf\u00e9.py")])
        rows = sealed(self.OWN.encode("utf-8"))
        assert made == {"rows": rows}
        assert said == len(rows)

    def test_nothing_is_kept_if_a_row_lacks_its_hash(self, entry: Folder) -> None:
        assert keep(entry, f"{self.OWN}b.py,,\n", [file("b.py")]) == (-1, {})

    def test_rows_are_made_where_something_is_not_right(self, entry: Folder) -> None:
        said, made = keep(entry, self.OWN, [file("a.py", b"A")], problems=(EXTRA,))
        rows = sealed(row("a.py", b"A").encode())
        assert made.keys() == {"rows", "problems"}
        assert (said, made["rows"]) == (len(rows), rows)
        assert read_problems(os.path.join(entry.path, "problems")) == (EXTRA,)

    def test_rows_are_made_where_there_are_symlinks(self, entry: Folder) -> None:
        files = [file("\u00e9.py", b"A"), link("b.py", "\u00e9.py")]
        _, made = keep(entry, self.OWN, files, links={"b.py": "\u00e9.py"})
        wanted = row("\u00e9.py", b"A") + row("b.py", b"A")
        assert made == {"rows": sealed(wanted.encode("utf-8"))}

    @pytest.mark.parametrize("name", ["RECORD.jws", "RECORD.p7s"])
    def test_rows_are_made_where_it_is_signed(self, entry: Folder, name: str) -> None:
        _, made = keep(entry, self.OWN, [file("a.py"), file(f"{INFO}/{name}")])
        assert made == {"rows": sealed((row("a.py") + row(f"{INFO}/{name}")).encode())}

    def test_a_signature_elsewhere_is_a_file_like_others(self, entry: Folder) -> None:
        _, made = keep(entry, self.OWN, [file("RECORD.jws"), file("demo/RECORD.p7s")])
        assert made == {"rows": sealed(self.OWN.encode("utf-8"))}


class TestMadeRows:
    def test_of_what_stays_where_it_lies(self) -> None:
        files = [
            file("z.py", b"Z"),
            file("demo/a.py", b"AA"),
            file("demo-1.0.data/scripts/run"),
            file("demo-1.0.database.py"),
            file(RECORD),
            *(file(f"{INFO}/{name}") for name in ("INSTALLER", "REQUESTED", "direct_url.json")),
            file(f"{INFO}/METADATA", b"M"),
            file("demo/RECORD"),
        ]
        assert made_rows(files, INFO) == "".join(
            [
                row("z.py", b"Z"),
                row("demo/a.py", b"AA"),
                row("demo-1.0.database.py"),
                row(f"{INFO}/METADATA", b"M"),
                row("demo/RECORD"),
            ]
        )

    def test_symlinks_are_what_they_lead_to(self) -> None:
        files = [
            link("first", "demo/second"),
            link("demo/second", "../third.py"),
            file("third.py", b"3"),
            link("nowhere", "gone.py"),
            link("directory", "demo"),
        ]
        assert made_rows(files, INFO) == "".join(
            [
                row("first", b"3"),
                row("demo/second", b"3"),
                row("third.py", b"3"),
                "nowhere,,\n",
                "directory,,\n",
            ]
        )

    def test_a_symlink_to_what_goes_elsewhere(self) -> None:
        files = [link("run", "demo-1.0.data/scripts/run"), file("demo-1.0.data/scripts/run", b"R")]
        assert made_rows(files, INFO) == "run,,\n"

    def test_paths_are_quoted_where_they_have_to_be(self) -> None:
        hashed = f"{claim(b'')},0\n"
        assert (
            made_rows([file("a,b.py"), file('"a"')], INFO) == f'"a,b.py",{hashed}"""a""",{hashed}'
        )

    @pytest.mark.parametrize("end", ["\r", "\n", "\r\n"])
    def test_a_path_with_the_end_of_a_line_in_it(self, end: str) -> None:
        made = made_rows([file(f"a{end}b.py"), file("c.py")], INFO)
        hashed = f"{claim(b'')},0\n"
        assert made == f'"a{end}b.py",{hashed}c.py,{hashed}'
        assert len(list(csv.reader(StringIO(made, newline=""), strict=True))) == 2

    def test_of_nothing(self) -> None:
        assert made_rows([], INFO) == ""


@pytest.mark.parametrize(
    ("path", "is_one"),
    [
        (RECORD, True),
        (f"{INFO}/METADATA", False),
        (f"{INFO}/licenses/RECORD", False),
        (f"demo/{RECORD}", False),
        ("demo/RECORD", False),
        ("RECORD", False),
    ],
)
def test_is_record(path: str, is_one: bool) -> None:
    assert is_record(path) is is_one


class TestProblems:
    @pytest.fixture
    def path(self, entry: Folder) -> str:
        return os.path.join(entry.path, "problems")

    def test_as_they_are_written(self, entry: Folder, path: str) -> None:
        write_problems(entry, [EXTRA])
        with open(path, "rb") as written:
            data = written.read()
        text = '[\n[\n"extra",\n"caf\u00e9.py",\n"is not in it"\n]\n]\n'
        assert data == sealed(text.encode("utf-8"))

    def test_are_read_as_they_were(self, entry: Folder, path: str) -> None:
        problems = (EXTRA, RecordProblem("crlf", "", "has line ends of Windows"))
        write_problems(entry, problems)
        assert read_problems(path) == problems
        assert all(isinstance(each, RecordProblem) for each in read_problems(path))

    def test_there_are_none(self, path: str) -> None:
        assert read_problems(path) == ()

    def test_those_that_a_newer_version_knows_are_left_out(self, path: str) -> None:
        with open(path, "wb") as made:
            made.write(sealed(b'[["newer", "a", "b", "c"], ["extra", "a", "b"]]'))
        assert read_problems(path) == (RecordProblem("extra", "a", "b"),)

    @pytest.mark.parametrize(
        "data",
        [
            b"",
            bytes(60),
            b'[["extra", "a", "b"]]',
            sealed(b"no json"),
            sealed(b"\xff"),
            sealed(b"5"),
            sealed(b"[[]]"),
            sealed(b'[["extra"]]'),
        ],
    )
    def test_what_was_not_written(self, path: str, data: bytes) -> None:
        with open(path, "wb") as made:
            made.write(data)
        with pytest.raises(BrokenManifestError) as caught:
            read_problems(path)
        assert caught.value.args == (path,)

    def test_what_is_too_long(
        self, entry: Folder, path: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write_problems(entry, [EXTRA])
        monkeypatch.setattr("wheel_linker.store._entry.problems.LONGEST", 10)
        with pytest.raises(BrokenManifestError):
            read_problems(path)

    @pytest.mark.skipif(sys.platform == "win32", reason="Windows refuses to open a directory")
    def test_what_is_no_file(self, path: str) -> None:
        os.mkdir(path)
        with pytest.raises(BrokenManifestError):
            read_problems(path)


def test_damage_in_words() -> None:
    """On one line, whatever a wheel may call its files."""
    filename = WheelFilename.known("demo-1.0-py3-none-any.whl")
    entry = Entry("abcdefghij", "0" * 64, filename, "/store/abcdefghij/w", 1, 2, 3.0)
    said = "demo-1.0-py3-none-any.whl: a.py is changed"
    assert str(Damage(entry, "a.py", "changed")) == said
    assert "\n" not in str(Damage(entry, "a\nb.py", "missing"))
