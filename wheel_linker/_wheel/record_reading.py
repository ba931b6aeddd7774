"""Reading a ``RECORD`` as it is: what it says of each file, and what is not right about it.

Nothing in it is an error here. Published wheels cannot be changed, and installers that look at nothing but the names
have installed them for years.
"""

from __future__ import annotations

import csv
from io import StringIO
from typing import TYPE_CHECKING, Final

from wheel_linker._compat.named_tuple import NamedTuple
from wheel_linker._wheel.filename import normalised
from wheel_linker._wheel.record import ALGORITHMS, RECORD, SIGNATURES, Row, encoded
from wheel_linker._wheel.record_problems import RecordProblem
from wheel_linker.errors import InvalidWheelError, shortened

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from wheel_linker._wheel.record_problems import RecordProblemKind

# Characters of a digest in base 64 without padding, and in hexadecimal digits.
_LENGTHS: Final = {name: -(-size * 4 // 3) for name, size in ALGORITHMS.items()}
_HEX_LENGTHS: Final = {name: size * 2 for name, size in ALGORITHMS.items()}
_COLUMNS: Final = 3
_BOM: Final = "\ufeff"
_INFO, _DATA = ".dist-info", ".data"
# Characters: a path of PATH_MAX bytes, all of them quoted, and a hash.
_LONGEST_ROW: Final = 16_384
_SPARE: Final = 1024 * 1024
_REST_OF_ROW: Final = 512


class RecordContent(NamedTuple):
    """What a ``RECORD`` says."""

    rows: dict[str, Row | None]
    """By the path of a file that is there; None if nothing is said of its content, or nothing that can be used."""
    problems: list[RecordProblem]


def most_bytes(paths: Iterable[str]) -> int:
    """Return how many bytes the ``RECORD`` of some files may have.

    A small archive could hold one that unpacks to gigabytes; with this it takes no more memory than the names do.
    """
    return _SPARE + sum([4 * len(path) + _REST_OF_ROW for path in paths])


def refuse_huge(size: int, paths: Iterable[str]) -> None:
    """Refuse a ``RECORD`` that has more bytes than its files can account for.

    :raises InvalidWheelError: if it has more.
    """
    if size > _SPARE and size > most_bytes(paths):
        raise InvalidWheelError(
            f"its RECORD has {size:,} bytes, which no wheel with these files needs: do not trust it"
        )


def read_record(
    content: bytes, files: Collection[str], directories: Collection[str], dist_info: str
) -> RecordContent:
    """Compare ``RECORD`` with the files that there are.

    :param files: their paths relative to the wheel.
    :param directories: the paths of the directories that they lie in.
    :param dist_info: the one that ``RECORD`` lies in.
    """
    reading = _Reading(files, directories, dist_info)
    reading.read(content)
    reading.find_extra()
    return RecordContent(reading.rows, reading.problems)


class _Reading:
    """One ``RECORD`` while it is read."""

    def __init__(
        self, files: Collection[str], directories: Collection[str], dist_info: str
    ) -> None:
        self.rows: dict[str, Row | None] = {}
        self.problems: list[RecordProblem] = []
        self._files = files
        self._directories = directories
        self._excepted = {f"{dist_info}/{name}" for name in (RECORD, *SIGNATURES)}
        self._stem = dist_info.removesuffix(_INFO)

    def read(self, content: bytes) -> None:
        rows = csv.reader(_lines(self._text(content)))
        files, known, lengths = self._files, self.rows, _LENGTHS
        while True:
            try:
                for row in rows:
                    if len(row) == _COLUMNS:
                        path, given, size = row
                        algorithm, _, digest = given.partition("=")
                        # In nearly every wheel all rows are like this.
                        if (
                            len(digest) == lengths.get(algorithm)
                            and path in files
                            and path not in known
                            and size.isascii()
                            and size.isdecimal()
                            and "+" not in digest
                            and "/" not in digest
                        ):
                            known[path] = Row(algorithm, digest, int(size))
                            continue
                    if row:
                        self._read_row(row)
                break
            except (csv.Error, ValueError) as error:
                self._note("unreadable", "", f"has a row in RECORD that cannot be read: {error}")
        for path in self._excepted & known.keys():
            known[path] = None

    def find_extra(self) -> None:
        for path in self._files:
            if path not in self.rows:
                self.rows[path] = None
                if path not in self._excepted:
                    self._note("extra", path, "is not in RECORD")

    def _text(self, content: bytes) -> str:
        try:
            text = content.decode("utf-8")
        except UnicodeDecodeError as error:
            self._note("unreadable", "", f"has a RECORD that is not UTF-8: {error}")
            text = content.decode("utf-8", "replace")
        if text.startswith(_BOM):
            self._note("bom", "", "has a RECORD with a byte order mark")
            text = text[1:]
        if "\r\n" in text:
            self._note("crlf", "", "has a RECORD with line ends of Windows")
        return text

    def _read_row(self, row: list[str]) -> None:
        given, digest, size = self._columns(row)
        path = self._find(given)
        if path is None:
            return
        said = self._row(path, digest, size)
        if path not in self.rows:
            self.rows[path] = said
        elif self.rows[path] == said:
            self._note("duplicate", path, "has two rows in RECORD, which agree")
        else:
            self._note("contradiction", path, "has two rows in RECORD, which do not agree")

    def _columns(self, row: list[str]) -> tuple[str, str, str]:
        if len(row) == _COLUMNS:
            return row[0], row[1], row[2]
        self._note("columns", row[0], f"has a row of {len(row):,} columns in RECORD")
        unquoted = ",".join(row[:-2])
        if unquoted in self._files:
            return unquoted, row[-2], row[-1]
        path, digest, size = (*row, "", "")[:_COLUMNS]
        return path, digest, size

    def _find(self, given: str) -> str | None:
        """Return the path of the file that a row means; None if there is none."""
        if given in self._files:
            return given
        path = given.replace("\\", "/")
        if path != given:
            self._note("backslashes", given, "is written with backslashes in RECORD")
        if path.startswith("/"):
            self._note("absolute", given, "is written as an absolute path in RECORD")
            path = path.lstrip("/")
        if path in self._files:
            return path
        own = self._in_own_directory(path)
        if own is not None:
            self._note("dist-info", given, f"is called {own!r} in the wheel")
            return own
        if path not in self._excepted:
            self._note(*self._absent(path, given))
        return None

    def _in_own_directory(self, path: str) -> str | None:
        """Return the path with the ``*.dist-info`` or ``*.data`` spelt as the wheel does, if that is a file."""
        first, slash, rest = path.partition("/")
        for suffix in (_INFO, _DATA):
            if slash and first.endswith(suffix):
                stem = first.removesuffix(suffix)
                own = f"{self._stem}{suffix}/{rest}"
                if normalised(stem) == normalised(self._stem) and own in self._files:
                    return own
        return None

    def _absent(self, path: str, given: str) -> tuple[RecordProblemKind, str, str]:
        if path.endswith("/") or path in self._directories:
            return "directory", given, "is a directory, and has a row in RECORD"
        if path.endswith(".pyc"):
            return "bytecode", given, "has a row in RECORD, and is not there"
        return "missing", given, "has a row in RECORD, and is not there"

    def _row(self, path: str, digest: str, size: str) -> Row | None:
        if path in self._excepted:
            return None
        if not digest:
            self._note("no-hash", path, "has no hash in RECORD")
            return None
        given, _, value = digest.partition("=")
        algorithm = given.lower()
        if algorithm not in ALGORITHMS:
            self._note("algorithm", path, f"has a hash by {given!r} in RECORD")
            return None
        if given != algorithm:
            self._note("algorithm", path, f"has a hash by {given!r} in RECORD")
        return Row(algorithm, self._digest(path, algorithm, value), self._size(path, size))

    def _digest(self, path: str, algorithm: str, digest: str) -> str:
        plain = digest.rstrip("=")
        if len(plain) == _HEX_LENGTHS[algorithm]:
            try:
                plain = encoded(bytes.fromhex(plain))
            except ValueError:
                return plain  # no file has this digest
            self._note("digest", path, "has a hash in hexadecimal digits in RECORD")
        elif "+" in plain or "/" in plain:
            plain = plain.replace("+", "-").replace("/", "_")
            self._note("digest", path, "has a hash in RECORD that is not in URL-safe base 64")
        elif plain != digest:
            self._note("spelling", path, "has a hash in RECORD with padding")
        return plain

    def _size(self, path: str, size: str) -> int | None:
        if not size:
            return None
        try:
            number = int(size)
        except ValueError:
            self._note("size", path, f"has the size {shortened(size)!r} in RECORD")
            return None
        if not (size.isascii() and size.isdecimal()):
            self._note("spelling", path, f"has the size {shortened(size)!r} in RECORD")
        return number

    def _note(self, kind: RecordProblemKind, path: str, detail: str) -> None:
        self.problems.append(RecordProblem(kind, path, detail))


def _lines(text: str) -> Iterator[str]:
    """Yield the lines. A line that is longer than any row is cut into several lines, which name no file."""
    source = StringIO(text, newline="")
    while line := source.readline(_LONGEST_ROW):
        yield line
