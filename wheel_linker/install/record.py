"""``RECORD`` of what is installed.

The rows of linked files are those of the wheel's own ``RECORD``, letter by letter: nothing is hashed twice. Rows for
what was written, or goes elsewhere, are made by the library ``installer``.

Format: "Recording installed projects", https://packaging.python.org/specifications/recording-installed-packages/
"""

from __future__ import annotations

import csv
import hashlib
import os
from io import StringIO
from typing import TYPE_CHECKING, Final

from installer.records import Hash, RecordEntry
from installer.utils import Scheme, construct_record_file

from wheel_linker.errors import InvalidWheelError, LinkError
from wheel_linker.install.metadata import read_text
from wheel_linker.store.record import RECORD, SHA256, encoded, parse_record

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from wheel_linker.install.metadata import Metadata
    from wheel_linker.install.piece import Piece
    from wheel_linker.scan import Tree
    from wheel_linker.store.record import Row

NOTES: Final = ("INSTALLER", "REQUESTED", "direct_url.json")
"""What an installer writes into the ``*.dist-info``, besides ``RECORD``."""

_SHOWN: Final = 3


def installed_record(
    tree: Tree, metadata: Metadata, pieces: Sequence[Piece], *, verified: bool
) -> bytes:
    """Return the ``RECORD`` for a wheel's pieces, the last of which is that of its root.

    :param tree: the whole wheel.
    :param verified: whether it is known that the wheel has the files of its ``RECORD``, and no others.
    :raises InvalidWheelError: if it cannot be read, or names what is not there.
    :raises LinkError: if a file that it has no hash of cannot be read.
    """
    text = read_text(tree, metadata.dist_info, RECORD)
    own = [f"{metadata.dist_info}/{name}" for name in (RECORD, *NOTES)]
    entries = [RecordEntry(own[0], None, None)]
    if not verified:
        entries += _unrecorded(tree, metadata, text, own)
    carried, others = _carried(text, metadata, own)
    if others:
        rows = rows_of(tree, text)
        there = [path for path in others if os.path.lexists(os.path.join(tree.path, path))]
        entries += [_entry(tree, path, path, rows.get(path)) for path in there]
    entries += _elsewhere(tree, text, pieces)
    entries += _of_written(pieces)
    made = construct_record_file((Scheme("purelib"), entry) for entry in entries)
    with made:
        return carried.encode("utf-8") + made.read()


def rows_of(tree: Tree, text: str) -> dict[str, Row | None]:
    """Return what ``RECORD`` says of each path.

    :raises InvalidWheelError: if it cannot be read.
    """
    try:
        rows = parse_record(text.encode("utf-8"))
    except InvalidWheelError as error:
        raise InvalidWheelError(f"cannot install {tree.path!r}: {error}") from error
    return rows


def _carried(text: str, metadata: Metadata, own: Sequence[str]) -> tuple[str, list[str]]:
    """Return the rows that stay as they are, and the paths of those without a size, or without a hash too.

    Signatures of ``RECORD`` have no hash there.
    """
    replaced = (*(f"{path}," for path in own), f"{metadata.data}/")
    gone = (*replaced, *(f'"{path}' for path in (*own, f"{metadata.data}/")))
    lines = [line for line in _lines(text) if line and not line.startswith(gone)]
    kept = "".join([f"{line}\n" for line in lines])
    if ",\n" not in kept:  # as in nearly every wheel, and told faster than row by row
        return kept, []
    without = [line for line in lines if line.endswith(",")]
    kept = "".join(f"{line}\n" for line in lines if not line.endswith(","))
    return kept, [next(csv.reader([line]))[0] for line in without]


def _lines(text: str) -> list[str]:
    """Return each row as it is written, one that is quoted or has a CR anew: its path may have a line end."""
    if '"' not in text:
        text = text.replace("\r\n", "\n")
        if "\r" not in text:
            return text.split("\n")
    lines = []
    for row in csv.reader(StringIO(text, newline="")):
        line = StringIO()
        csv.writer(line, lineterminator="").writerow(row)
        lines.append(line.getvalue())
    return lines


def _linked(piece: Piece) -> Iterable[str]:
    for directory in piece.tree.directories:
        for name in (*directory.files, *(name for name, _ in directory.links)):
            yield directory.path_of(name)


def _unrecorded(tree: Tree, metadata: Metadata, text: str, own: Sequence[str]) -> list[RecordEntry]:
    """Return entries for what the wheel has and its ``RECORD`` lacks, once it is sure to lack nothing else."""
    record = rows_of(tree, text)
    there = {
        directory.path_of(name)
        for directory in tree.directories
        for name in (*directory.files, *(name for name, _ in directory.links))
    }
    missing = sorted(path for path in record if path not in there and path not in own)
    if missing:
        raise InvalidWheelError(
            f"cannot install {tree.path!r}: its RECORD names what is not there: "
            f"{', '.join(map(repr, missing[:_SHOWN]))}; unpack the wheel again"
        )
    # What goes elsewhere gets its entry with all that does.
    extra = {path for path in there if not path.startswith(f"{metadata.data}/")}
    return [_hashed(tree, path, path) for path in sorted(extra.difference(record, own))]


def _elsewhere(tree: Tree, text: str, pieces: Sequence[Piece]) -> list[RecordEntry]:
    """Return entries for linked files that do not lie in the wheel's root."""
    moved = [(piece, path) for piece in pieces if piece.prefix for path in _linked(piece)]
    if not moved:
        return []
    rows = rows_of(tree, _about(text, {piece.prefix for piece, _ in moved}))
    home = pieces[-1].destination
    return [
        _entry(tree, original, _relative(piece, path, home), rows.get(original))
        for piece, path in moved
        for original in (f"{piece.prefix}/{path}",)
    ]


def _about(text: str, prefixes: Iterable[str]) -> str:
    """Return the rows of what lies below some directories, and maybe others: few of very many."""
    if '"' in text:
        return text
    starts = tuple(f"{prefix}/" for prefix in prefixes)
    return "\n".join([line for line in text.split("\n") if line.startswith(starts)])


def _entry(tree: Tree, path: str, recorded: str, row: Row | None) -> RecordEntry:
    """Return the entry for a linked file by the wheel's own row, if it has one; with the size, if that lacks it."""
    if row is None:
        return _hashed(tree, path, recorded)
    size = _size(os.path.join(tree.path, path)) if row.size is None else row.size
    return RecordEntry(recorded, Hash(row.algorithm, row.digest), size)


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError as error:
        raise LinkError.from_os_error(error, f"read {path!r}", source=path) from error


def _of_written(pieces: Sequence[Piece]) -> list[RecordEntry]:
    home = pieces[-1].destination
    return [
        RecordEntry(
            _relative(piece, "/".join((*file.parts, file.name)), home),
            Hash(SHA256, encoded(hashlib.sha256(file.data).digest())),
            len(file.data),
        )
        for piece in pieces
        for file in piece.written
    ]


def _relative(piece: Piece, path: str, home: str) -> str:
    """Return the path that ``RECORD`` has: relative to where it lies itself, absolute on another drive."""
    if piece.destination == home:
        return path
    try:
        start = os.path.relpath(piece.destination, home)
    except ValueError:
        start = piece.destination
    return f"{start.replace(os.sep, '/')}/{path}"


def _hashed(tree: Tree, path: str, recorded: str) -> RecordEntry:
    full = os.path.join(tree.path, path)
    if os.path.isdir(full):  # a symlink of the wheel's own
        return RecordEntry(recorded, None, None)
    digest, size = hashlib.sha256(), 0
    try:
        with open(full, "rb", buffering=0) as file:
            while data := file.read(1 << 20):
                digest.update(data)
                size += len(data)
    except OSError as error:
        raise LinkError.from_os_error(error, f"read {full!r}", source=full) from error
    return RecordEntry(recorded, Hash(SHA256, encoded(digest.digest())), size)
