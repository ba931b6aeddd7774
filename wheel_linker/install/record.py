"""``RECORD`` of what is installed.

The rows of linked files are those of the wheel's own ``RECORD``, letter by letter: nothing is hashed twice. Rows for
what was written, or goes elsewhere, are made by the library ``installer``.

Format: "Recording installed projects", https://packaging.python.org/specifications/recording-installed-packages/
"""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, Final

from installer.records import Hash, RecordEntry
from installer.utils import Scheme, construct_record_file

from wheel_linker._wheel.record import (
    NOTES,
    RECORD,
    SHA256,
    SIGNATURES,
    carried_rows,
    encoded,
    parse_record,
)
from wheel_linker.errors import InvalidWheelError, LinkError
from wheel_linker.install.metadata import read_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from wheel_linker._wheel.record import Row
    from wheel_linker._wheel.tree import Tree
    from wheel_linker.install.metadata import Metadata
    from wheel_linker.install.piece import Piece

_SHOWN: Final = 3


def installed_record(
    tree: Tree,
    metadata: Metadata,
    pieces: Sequence[Piece],
    *,
    verified: bool,
    carried: bytes | None = None,
) -> bytes:
    """Return the ``RECORD`` for a wheel's pieces, the last of which is that of its root.

    :param tree: the whole wheel.
    :param verified: whether it is known that the wheel has the files of its ``RECORD``, and no others.
    :param carried: the rows that stay as they are, if these are known and all others are of what goes elsewhere.
    :raises InvalidWheelError: if it cannot be read, or names what is not there.
    :raises LinkError: if a file that it has no hash of cannot be read.
    """
    own = [f"{metadata.dist_info}/{name}" for name in (RECORD, *NOTES)]
    entries = [RecordEntry(own[0], None, None)]
    if carried is None:
        text = read_text(tree, metadata.dist_info, RECORD)
        if not verified:
            entries += _unrecorded(tree, metadata, text, own)
        rows, others = carried_rows(text, metadata.dist_info)
        carried = rows.encode("utf-8")
        data = f"{metadata.data}/"
        if others := [path for path in others if not path.startswith(data)]:
            entries += _completed(tree, text, others)
    if not metadata.is_usual_data():
        carried = _without(carried, metadata.data)
    entries += _signatures(tree, metadata, carried, entries)
    entries += _elsewhere(tree, metadata, pieces)
    entries += _of_written(pieces)
    made = construct_record_file((Scheme("purelib"), entry) for entry in entries)
    with made:
        return carried + made.read()


def _without(rows: bytes, directory: str) -> bytes:
    """Return rows without those of what lies in a directory of the wheel's root."""
    path = f"{directory}/".encode()
    start = (path, b'"' + path)
    return b"".join([row for row in rows.splitlines(keepends=True) if not row.startswith(start)])


def _signatures(
    tree: Tree, metadata: Metadata, carried: bytes, others: Iterable[RecordEntry]
) -> list[RecordEntry]:
    """Return entries for signatures of ``RECORD``, which the wheel's own must not have."""
    index = tree.find(metadata.dist_info)
    files = tree.directories[index].files if index is not None else ()
    known = {entry.path for entry in others}
    return [
        _hashed(tree, path, path)
        for path in (f"{metadata.dist_info}/{name}" for name in SIGNATURES if name in files)
        if path not in known and f"{path},".encode() not in carried
    ]


def rows_of(tree: Tree, text: str) -> dict[str, Row | None]:
    """Return what ``RECORD`` says of each path.

    :raises InvalidWheelError: if it cannot be read.
    """
    try:
        rows = parse_record(text.encode("utf-8"))
    except InvalidWheelError as error:
        raise InvalidWheelError(f"cannot install {tree.path!r}: {error}") from error
    return rows


def _completed(tree: Tree, text: str, paths: Iterable[str]) -> list[RecordEntry]:
    """Return entries for files that ``RECORD`` has no size of, or no hash either, as far as they are there."""
    rows = rows_of(tree, text)
    there = [path for path in paths if os.path.lexists(os.path.join(tree.path, path))]
    return [_entry(tree, path, path, rows.get(path)) for path in there]


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


def _elsewhere(tree: Tree, metadata: Metadata, pieces: Sequence[Piece]) -> list[RecordEntry]:
    """Return entries for linked files that do not lie in the wheel's root."""
    moved = [(piece, path) for piece in pieces if piece.prefix for path in _linked(piece)]
    if not moved:
        return []
    text = read_text(tree, metadata.dist_info, RECORD)
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
