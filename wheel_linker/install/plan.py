"""What installing a wheel will do, decided before anything is touched."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from wheel_linker._compat.named_tuple import NamedTuple
from wheel_linker._fs.paths import is_within
from wheel_linker._link.pipeline import scan_wheel
from wheel_linker._wheel.record import NOTES, RECORD
from wheel_linker.errors import InvalidWheelError
from wheel_linker.install.metadata import has_entry_points, read_metadata
from wheel_linker.install.piece import Piece, Written, split, without_overlap
from wheel_linker.install.record import installed_record

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from wheel_linker._fs.folder import Identity
    from wheel_linker._link.options import LinkOptions
    from wheel_linker._link.pipeline import Wheel
    from wheel_linker._wheel.record_problems import RecordProblem
    from wheel_linker._wheel.unpacked import UnpackedWheel
    from wheel_linker.install.layout import Layout
    from wheel_linker.install.metadata import Metadata


class Notes(NamedTuple):
    """What the caller wants noted in a wheel's ``*.dist-info``."""

    installer: str
    requested: bool
    direct_url: Mapping[str, object] | None

    def files(self) -> dict[str, bytes]:
        """Return the files, name to content."""
        installer, requested, direct_url = NOTES
        made = {installer: f"{self.installer}\n".encode()}
        if self.requested:
            made[requested] = b""
        if self.direct_url is not None:
            import json  # few wheels have a direct URL

            made[direct_url] = json.dumps(self.direct_url, sort_keys=True).encode()
        return made


class Plan(NamedTuple):
    """One wheel."""

    wheel: Wheel
    metadata: Metadata
    pieces: Sequence[Piece]
    """Its pieces in the order in which they come into place; that of the wheel's root is the last."""
    record_problems: tuple[RecordProblem, ...]
    """What is not right about its ``RECORD``."""
    starts: Sequence[str]
    """What the paths of each piece start with in the ``RECORD`` that is installed."""
    is_compiled: bool = False
    """Whether bytecode of its sources comes along."""

    @property
    def library(self) -> str:
        """The directory that its ``*.dist-info`` goes to."""
        return self.pieces[-1].destination

    @property
    def dist_info(self) -> str:
        """The absolute path of its ``*.dist-info``."""
        return os.path.join(self.library, self.metadata.dist_info)

    def linked_files(self) -> int:
        """Return how many of its files are linked; others are written."""
        trees = [tree for piece in self.pieces for tree in (piece.tree, piece.bytecode)]
        return sum(tree.files for tree in trees if tree is not None)

    def launchers(self) -> set[str]:
        """Return the paths of the launchers that are made for entry points, as ``RECORD`` has them."""
        return {
            start + file.name
            for piece, start in zip(self.pieces, self.starts)
            if piece.scheme == "scripts"
            for file in piece.written
            if not file.parts and file.is_launcher
        }

    def record(self) -> bytes:
        """Return the ``RECORD`` that is installed."""
        (record,) = (file.data for file in self.pieces[-1].written if file.name == RECORD)
        return record

    def recorded_sizes(self) -> tuple[int, int]:
        """Return how many files it installs, and how many bytes these have, as its new ``RECORD`` says."""
        record = self.record()
        rows = [line.rpartition(b",")[2] for line in record.splitlines()]
        return len(rows), len(record) + sum(int(size) for size in rows if size.isdigit())

    def scripts(self) -> tuple[str, ...]:
        """Return the absolute paths of its scripts and launchers."""
        pieces = (piece for piece in self.pieces if piece.scheme == "scripts")
        return tuple(sorted(path for piece in pieces for path in piece.paths()))


def plan(
    given: UnpackedWheel,
    layout: Layout,
    named_layout: Layout,
    above: Mapping[Identity, str],
    how: LinkOptions,
    notes: Callable[[str], Notes],
    *,
    strict: bool = False,
) -> Plan:
    """Decide what goes where.

    :param layout: with its symlinks resolved.
    :param named_layout: as the caller gave it: what ``RECORD`` says is relative to that.
    :param above: what :func:`leading_to` returns of the library of ``layout``.
    :param notes: called with the distribution's normalised name.
    :param strict: whether a ``RECORD`` that is not right is refused.
    :raises InvalidWheelError: if it is no wheel that can be installed.
    :raises LinkError: if it cannot be read.
    """
    remedy = "give a .whl file, or the directory that one was unpacked into"
    wheel = scan_wheel(given, layout.schemes["purelib"], above, how, remedy=remedy)
    metadata = read_metadata(wheel.tree, wheel.name)
    # The directory for headers has the normalised name, as it has with pip and uv.
    pieces = split(wheel.tree, metadata, layout, wheel.name.name)
    if has_entry_points(wheel.tree, metadata.dist_info) or any(
        piece.scheme == "scripts" for piece in pieces
    ):
        from wheel_linker.install._scripts.pieces import with_scripts

        pieces = with_scripts(pieces, wheel, metadata, layout)
    pieces[-1] = _with_notes(pieces[-1], metadata, notes(wheel.name.name))
    pieces = without_overlap(
        pieces, os.path.join(pieces[-1].destination, metadata.dist_info, RECORD)
    )
    starts = _starts(pieces, named_layout, wheel.name.name)
    record = installed_record(given, wheel.tree, metadata, pieces, starts, strict=strict)
    pieces[-1] = _with_written(pieces[-1], Written((metadata.dist_info,), RECORD, record.content))
    return Plan(wheel, metadata, pieces, record.problems, starts)


def _starts(pieces: Sequence[Piece], layout: Layout, distribution: str) -> list[str]:
    """Return what the paths of each piece start with in ``RECORD``, with forward slashes.

    That is relative to the library as the environment names it, as with pip. Where a symlink makes ``..`` lead
    elsewhere than its name says, it is relative to where the library really is, as the system resolves it.
    """
    named = [layout.named_directory(piece.scheme, distribution) for piece in pieces]
    home, real_home = named[-1], pieces[-1].destination
    starts = []
    for path, piece in zip(named, pieces):
        start = _start(path, home, piece.destination, real_home)
        if start.startswith("../") and not _leads_inside(start, home, layout):
            start = _through_root(path, home, real_home)
        starts.append(start)
    return starts


def _start(path: str, home: str, real: str, real_home: str) -> str:
    if real == real_home:
        return ""
    try:
        start = os.path.relpath(path, home)
        is_odd = (path, home) != (real, real_home)
        if is_odd and os.path.realpath(os.path.join(home, start)) != real:
            start = os.path.relpath(real, real_home)
    except ValueError:  # the two are on different drives
        start = path
    return f"{start.replace(os.sep, '/')}/"


def _leads_inside(start: str, home: str, layout: Layout) -> bool:
    """Tell whether the names alone of a path lead into the environment: otherwise uv keeps the file on uninstall."""
    path = os.path.normpath(os.path.join(home, start))
    return any(is_within(path, directory) for directory in layout.schemes.values())


def _through_root(path: str, home: str, real_home: str) -> str:
    """Return a path that goes up to the root, which is the same for names alone and for the system, and down again."""
    up = "../" * max(home.count(os.sep), real_home.count(os.sep))
    below = os.path.splitdrive(path)[1].replace(os.sep, "/").strip("/")
    return f"{up}{below}/"


def _with_notes(piece: Piece, metadata: Metadata, notes: Notes) -> Piece:
    parts = (metadata.dist_info,)
    index = piece.tree.find(metadata.dist_info)
    if index is None:
        raise InvalidWheelError(f"cannot install {piece.tree.called!r}: it has no *.dist-info")
    own = {RECORD, *NOTES}
    files = [name for name in piece.tree.directories[index].files if name not in own]
    added = [Written(parts, name, data) for name, data in notes.files().items()]
    return _with_written(piece._replace(tree=piece.tree.with_files({parts: files})), *added)


def _with_written(piece: Piece, *files: Written) -> Piece:
    return piece._replace(written=(*piece.written, *files))
