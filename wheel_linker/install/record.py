"""``RECORD`` of what is installed.

The rows of linked files are those of the wheel's own ``RECORD``, letter by letter: nothing is hashed twice.

Format: "Recording installed projects", https://packaging.python.org/specifications/recording-installed-packages/
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from wheel_linker._compat.named_tuple import NamedTuple
from wheel_linker._compat.sha256 import sha256
from wheel_linker._wheel.links import led_to
from wheel_linker._wheel.record import (
    NOTES,
    RECORD,
    SHA256,
    SIGNATURES,
    Row,
    carried_rows,
    encoded,
    parse_record,
    rows_of,
)
from wheel_linker._wheel.record_problems import RecordProblem
from wheel_linker.errors import InvalidWheelError, refused
from wheel_linker.install.metadata import read_bytes, read_text

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from typing import TypeAlias

    from wheel_linker._wheel.record_reading import RecordContent
    from wheel_linker._wheel.tree import Tree
    from wheel_linker._wheel.unpacked import UnpackedWheel
    from wheel_linker.install.metadata import Metadata
    from wheel_linker.install.piece import Piece

    _Entry: TypeAlias = tuple[str, Row | None]


_SHOWN: Final = 3
_CHUNK: Final = 1024 * 1024


class Recorded(NamedTuple):
    """The ``RECORD`` of what will be installed."""

    content: bytes
    problems: tuple[RecordProblem, ...]
    """What is not right about the wheel's own."""


def installed_record(
    given: UnpackedWheel,
    tree: Tree,
    metadata: Metadata,
    pieces: Sequence[Piece],
    starts: Sequence[str],
    *,
    strict: bool,
) -> Recorded:
    """Return the ``RECORD`` for a wheel's pieces, the last of which is that of its root.

    :param given: the wheel.
    :param tree: the same, whole.
    :param starts: for each piece what its paths start with.
    :param strict: whether one of the wheel's own that cannot be read, or names what is not there, is refused.
    :raises InvalidWheelError: if its own is refused, missing, or larger than its files can account for.
    :raises LinkError: if a file that has to be hashed cannot be read.
    """
    own = [f"{metadata.dist_info}/{name}" for name in (RECORD, *NOTES)]
    carried, problems = given.carried_rows(), given.record_problems()
    rows: Mapping[str, Row | None] | None = None
    if carried is None:
        rows = given.known_rows()
    elif problems and (
        moved := {tuple(piece.prefix.split("/")) for piece in pieces if piece.prefix}
    ):
        rows = given.known_rows(moved)
    if carried is None and rows is None:
        if strict:
            _refuse_wrong(tree, metadata, own)
        content = read_own_record(tree, metadata)
        rows = content.rows
        problems = (*content.problems, *_edited(tree, metadata, content.rows))
    entries: list[_Entry] = [(own[0], None)]
    if carried is None:
        as_it_is = not problems and not _has_links(tree)
        carried, others = _carried(tree, metadata) if as_it_is else (b"", None)
        entries += _at_home(tree, metadata, rows or {}, own, others)
    if not metadata.is_usual_data():
        carried = _without(carried, metadata.data)
    entries += _elsewhere(tree, metadata, pieces, starts, rows)
    entries += _of_written(pieces, starts)
    return Recorded(carried + rows_of(entries), problems)


def _without(rows: bytes, directory: str) -> bytes:
    """Return rows without those of what lies in a directory of the wheel's root."""
    path = f"{directory}/".encode()
    start = (path, b'"' + path)
    return b"".join([row for row in rows.splitlines(keepends=True) if not row.startswith(start)])


def read_own_record(tree: Tree, metadata: Metadata) -> RecordContent:
    """Return what ``RECORD`` says of each file of an unpacked wheel.

    The errors are those of :func:`installed_record`.
    """
    from wheel_linker._wheel.record_reading import read_record, refuse_huge

    content = read_bytes(tree, metadata.dist_info, RECORD)
    files = dict.fromkeys(_linked(tree))
    directories = {"/".join(directory.parts) for directory in tree.directories}
    try:
        refuse_huge(len(content), files)
    except InvalidWheelError as error:
        raise InvalidWheelError(f"cannot install {tree.called!r}: {error}") from error
    return read_record(content, files, directories, metadata.dist_info)


def _refuse_wrong(tree: Tree, metadata: Metadata, own: Collection[str]) -> None:
    try:
        record = parse_record(read_text(tree, metadata.dist_info, RECORD).encode("utf-8"))
    except InvalidWheelError as error:
        raise InvalidWheelError(f"cannot install {tree.called!r}: {error}") from error
    missing = sorted(record.keys() - {*_linked(tree), *own})
    if missing:
        raise InvalidWheelError(
            f"cannot install {tree.called!r}: its RECORD names what is not there: "
            f"{', '.join(map(repr, missing[:_SHOWN]))}; unpack the wheel again"
        )


def _edited(tree: Tree, metadata: Metadata, rows: dict[str, Row | None]) -> Iterator[RecordProblem]:
    """Yield files of another size than ``RECORD`` says, and those modified after it was that have another hash.

    Their rows are removed, and those of symlinks, which may be of the text that an archive has for them.
    """
    written = _status(os.path.join(tree.path, metadata.dist_info, RECORD)).st_mtime_ns
    for directory in tree.directories:
        where = os.path.join(tree.path, *directory.parts, "")
        for name in directory.files:
            path = directory.path_of(name)
            row = rows[path]
            if row is None:
                continue
            status = _status(where + name)
            if row.size not in (None, status.st_size):
                rows[path] = None
                detail = f"has {status.st_size:,} bytes, and {row.size:,} in RECORD"
                yield RecordProblem("size", path, detail)
            elif (
                status.st_mtime_ns > written and _digest(where + name, row.algorithm) != row.digest
            ):
                rows[path] = None
                yield RecordProblem("hash", path, "has another hash in RECORD, and is newer")
            elif row.size is None:
                rows[path] = row._replace(size=status.st_size)
        for name, _ in directory.links:
            rows[directory.path_of(name)] = None


def _has_links(tree: Tree) -> bool:
    return any(directory.links for directory in tree.directories)


def _carried(tree: Tree, metadata: Metadata) -> tuple[bytes, Collection[str]]:
    """Return the rows of a ``RECORD`` that is right, and the paths that it lacks something of, if they are there."""
    text = read_text(tree, metadata.dist_info, RECORD)
    rows, others = carried_rows(text, metadata.dist_info)
    signatures = (f"{metadata.dist_info}/{name}" for name in SIGNATURES)
    return rows.encode("utf-8"), {*others, *(path for path in signatures if path not in text)}


def _at_home(
    tree: Tree,
    metadata: Metadata,
    rows: Mapping[str, Row | None],
    own: Sequence[str],
    wanted: Collection[str] | None,
) -> list[_Entry]:
    """Return entries for files that stay where they lie in the wheel, all of them or those that are wanted."""
    data = f"{metadata.data}/"
    paths = (
        path
        for path in _linked(tree)
        if path not in own and not path.startswith(data) and (wanted is None or path in wanted)
    )
    return [_entry(tree, path, path, rows.get(path)) for path in paths]


def _linked(tree: Tree) -> Iterator[str]:
    for directory in tree.directories:
        for name in directory.names():
            yield directory.path_of(name)


def _elsewhere(
    tree: Tree,
    metadata: Metadata,
    pieces: Sequence[Piece],
    starts: Sequence[str],
    rows: Mapping[str, Row | None] | None,
) -> list[_Entry]:
    """Return entries for linked files that do not lie in the wheel's root.

    :param rows: what is known of them; None if ``RECORD`` is right, and has it.
    """
    moved = [
        (piece, start, path)
        for piece, start in zip(pieces, starts)
        if piece.prefix
        for path in _linked(piece.tree)
    ]
    if not moved:
        return []
    if rows is None:
        text = read_text(tree, metadata.dist_info, RECORD)
        rows = parse_record(_about(text, {piece.prefix for piece, _, _ in moved}).encode("utf-8"))
    written = {piece.prefix: _led_to_written(piece) for piece in pieces}
    return [
        _entry(tree, original, start + path, written[piece.prefix].get(path, rows.get(original)))
        for piece, start, path in moved
        for original in (f"{piece.prefix}/{path}",)
    ]


def _led_to_written(piece: Piece) -> dict[str, Row]:
    """Return what is true of symlinks that lead to a file of their piece which is written, such as a script."""
    links = {
        (*directory.parts, name): target
        for directory in piece.tree.directories
        for name, target in directory.links
    }
    if not links:
        return {}
    written = {(*file.parts, file.name): file.data for file in piece.written}
    found = {"/".join(parts): written.get(led_to(parts, links) or ()) for parts in links}
    return {path: _row_of(data) for path, data in found.items() if data is not None}


def _about(text: str, prefixes: Iterable[str]) -> str:
    """Return the rows of what lies below some directories, and maybe others: few of very many."""
    if '"' in text:
        return text
    starts = tuple(f"{prefix}/" for prefix in prefixes)
    return "\n".join([line for line in text.split("\n") if line.startswith(starts)])


def _entry(tree: Tree, path: str, recorded: str, row: Row | None) -> _Entry:
    """Return the entry for a linked file by the wheel's own row, if it has one; with the size, if that lacks it."""
    if row is None:
        return _digested(tree, path, recorded)
    size = row.size
    if size is None:
        size = _status(os.path.join(tree.path, path)).st_size
    return recorded, row._replace(size=size)


def _status(path: str) -> os.stat_result:
    with refused(f"read {path!r}", source=path):
        return os.stat(path)


def _of_written(pieces: Sequence[Piece], starts: Sequence[str]) -> list[_Entry]:
    return [
        (
            start + "/".join((*file.parts, file.name)),
            _row_of(file.data),
        )
        for piece, start in zip(pieces, starts)
        for file in piece.written
    ]


def _row_of(data: bytes) -> Row:
    return Row(SHA256, encoded(sha256(data).digest()), len(data))


def _digested(tree: Tree, path: str, recorded: str) -> _Entry:
    full = os.path.join(tree.path, path)
    if os.path.islink(full) and not os.path.isfile(full):
        return recorded, None
    return recorded, Row(SHA256, _digest(full, SHA256), _status(full).st_size)


def _digest(path: str, algorithm: str) -> str:
    import hashlib  # few wheels have what must be hashed

    digest = hashlib.new(algorithm)
    with refused(f"read {path!r}", source=path), open(path, "rb", buffering=0) as file:
        while data := file.read(_CHUNK):
            digest.update(data)
    return encoded(digest.digest())
