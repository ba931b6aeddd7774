"""Wheel files whose ``RECORD`` is not right, each in one way that was seen in a published wheel."""

from __future__ import annotations

import csv
import hashlib
import io
from typing import TYPE_CHECKING, Final

from store.archives import DIST_INFO, FILES, NAME, RECORD, claim, write_archive

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    Rows = list[list[str]]

_ONE: Final = "single.py"
_DATA: Final = "demo-1.0.data/data/share/demo/page.txt"
_SCRIPT: Final = "demo-1.0.data/scripts/plain.sh"
CONTENT: Final[Mapping[str, bytes]] = {
    **FILES,
    _DATA: b"page\n",
    _SCRIPT: b"#!/bin/sh\necho plain\n",
    f"{DIST_INFO}/entry_points.txt": b"[console_scripts]\ndemo = demo:run\n",
}
"""The files of every wheel here, with something that goes elsewhere."""


def right_rows() -> Rows:
    """Return the rows as they should be."""
    rows = [[path, claim(data), str(len(data))] for path, data in CONTENT.items()]
    return [*rows, [RECORD, "", ""]]


def as_csv(rows: Rows, end: str = "\n") -> bytes:
    """Return rows as a ``RECORD`` has them."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator=end).writerows(rows)
    return text.getvalue().encode()


def _each(change: Callable[[list[str]], list[str]]) -> bytes:
    return as_csv([change(row) for row in right_rows()])


def _some(change: Callable[[list[str]], list[str]]) -> bytes:
    """Change the rows of three files, of which two go elsewhere."""
    return _each(lambda row: change(row) if row[0] in (_ONE, _DATA, _SCRIPT) else row)


def _hex(row: list[str]) -> list[str]:
    return [row[0], f"sha256={hashlib.sha256(CONTENT[row[0]]).hexdigest()}", row[2]]


def _arabic(row: list[str]) -> list[str]:
    """Write a size in digits that Python reads, and other tools do not."""
    return [*row[:2], row[2].translate({ord("0") + n: 0x660 + n for n in range(10)})]


HARMLESS: Final = (
    "line ends",
    "duplicate",
    "padded hash",
    "size after a blank",
    "size in Arabic digits",
)
"""Those that strictness does not refuse."""
RECORDS: Final[Mapping[str, tuple[frozenset[str], bytes]]] = {
    name: (frozenset(kinds.split()), record)
    for name, kinds, record in (
        ("another hash", "hash", _some(lambda row: [row[0], claim(b"other"), row[2]])),
        ("another size", "size", _some(lambda row: [*row[:2], "12345"])),
        ("edited", "hash size", _some(lambda row: [row[0], claim(b"other"), "7"])),
        ("no hash", "no-hash", _some(lambda row: [row[0], "", ""])),
        (
            "files that lack",
            "extra",
            as_csv([r for r in right_rows() if r[0] not in (_ONE, _DATA)]),
        ),
        ("missing file", "missing", as_csv([*right_rows(), ["gone.py", claim(b""), "0"]])),
        ("file outside", "missing", as_csv([*right_rows(), ["../../gone.py", claim(b""), "0"]])),
        (
            "missing bytecode",
            "bytecode",
            as_csv([*right_rows(), ["demo/__pycache__/x.cpython-36.pyc", claim(b""), "0"]]),
        ),
        ("absolute", "absolute", _each(lambda row: [f"/{row[0]}", *row[1:]])),
        ("backslashes", "backslashes", _each(lambda row: [row[0].replace("/", "\\"), *row[1:]])),
        ("directory", "directory", as_csv([["demo/", claim(b""), "0"], *right_rows()])),
        ("directory by name", "directory", as_csv([["demo/sub", "", ""], *right_rows()])),
        (
            "other spelling",
            "dist-info",
            _each(lambda row: [row[0].replace("demo-1.0.d", "Demo-1.0.d"), *row[1:]]),
        ),
        (
            "weak hash",
            "algorithm",
            _some(lambda row: [row[0], claim(CONTENT[row[0]], "md5"), row[2]]),
        ),
        ("unknown hash", "algorithm", _some(lambda row: [row[0], "crc32=abc", row[2]])),
        (
            "upper case",
            "algorithm",
            _some(lambda row: [row[0], row[1].replace("sha", "SHA"), row[2]]),
        ),
        ("hexadecimal", "digest", _some(_hex)),
        ("one column", "columns no-hash", _some(lambda row: row[:1])),
        ("four columns", "columns", _some(lambda row: [*row, ""])),
        ("padded hash", "spelling", _each(lambda row: [row[0], row[1] and f"{row[1]}=", row[2]])),
        ("size after a blank", "spelling", _some(lambda row: [*row[:2], f" {row[2]}"])),
        ("size in Arabic digits", "spelling", _some(_arabic)),
        ("size is no number", "size", _some(lambda row: [*row[:2], "many"])),
        ("open quote", "columns missing extra", as_csv(right_rows()[:3]) + b'"' + b"x\n" * 9),
        (
            "long open quote",
            "unreadable columns missing extra",
            as_csv(right_rows()[:3]) + b'"' + b"x" * 200_000,
        ),
        ("no UTF-8", "unreadable missing", as_csv(right_rows()) + b"caf\xe9.py,,\n"),
        ("byte order mark", "bom", b"\xef\xbb\xbf" + as_csv(right_rows())),
        ("line ends", "crlf", as_csv(right_rows(), "\r\n")),
        ("duplicate", "duplicate", as_csv([*right_rows(), right_rows()[0]])),
        (
            "contradiction",
            "contradiction",
            as_csv([*right_rows(), [_ONE, claim(b"other"), "5"]]),
        ),
        ("empty", "extra", b""),
    )
}
"""What is not right: the kinds of problems there are, and the ``RECORD``."""


def write_odd(directory: Path, name: str) -> Path:
    """Write the wheel of that name."""
    return write_archive(directory / NAME, {**CONTENT, RECORD: RECORDS[name][1]})
