"""The pieces of a wheel: what of it goes to which directory of the environment, and what is written beside it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from wheel_linker._compat.named_tuple import NamedTuple
from wheel_linker._link.pipeline import refuse_stages
from wheel_linker.errors import InvalidWheelError
from wheel_linker.install.layout import SCHEMES

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from wheel_linker._fs.folder import Parts
    from wheel_linker._wheel.tree import Directory, Tree
    from wheel_linker.install.layout import Layout
    from wheel_linker.install.metadata import Metadata


class Written(NamedTuple):
    """A file that is not linked, because an installer makes it."""

    parts: Parts
    """The directory in the piece, which the piece's tree has."""
    name: str
    data: bytes
    executable: bool = False
    is_launcher: bool = False
    """Whether it is made for an entry point."""


class Piece(NamedTuple):
    """What of a wheel goes to one directory."""

    scheme: str
    destination: str
    """The directory that the piece goes to, symlinks resolved."""
    prefix: str
    """The piece's root relative to the wheel, with forward slashes; empty for the wheel's own root."""
    tree: Tree
    """What is linked."""
    written: Sequence[Written] = ()
    """What is written."""
    to_run: frozenset[Parts] = frozenset()
    """Linked files that must get a private copy, because they are not executable yet."""
    bytecode: Tree | None = None
    """Bytecode of its sources that a store keeps, to be linked with them."""
    whole: Tree | None = None
    """Both in one tree, if there is bytecode."""

    def complete(self) -> Tree:
        """Return the tree with everything that will be there."""
        added: dict[Parts, list[str]] = {}
        for file in self.written:
            added.setdefault(file.parts, []).append(file.name)
        tree = self.tree if self.whole is None else self.whole
        present = {
            directory.parts: directory.files
            for directory in tree.directories
            if directory.parts in added
        }
        return tree.with_files({parts: [*files, *added[parts]] for parts, files in present.items()})

    def paths(self) -> Iterator[str]:
        """Yield the absolute path of everything that will be there."""
        for where, directory in self.places():
            for name in directory.names():
                yield where + name

    def places(self) -> Iterator[tuple[str, Directory]]:
        """Yield every directory that will be there, after its absolute path, which ends with a separator."""
        start = os.path.join(self.destination, "")
        for directory in self.complete().directories:
            yield start + "".join([f"{part}{os.sep}" for part in directory.parts]), directory


def split(tree: Tree, metadata: Metadata, layout: Layout, distribution: str) -> list[Piece]:
    """Return the pieces of a wheel, that of its root last, without directories that have no files.

    No ``RECORD`` names an empty directory, so that nothing would remove it.

    :param distribution: the name that its headers are filed under.
    :raises InvalidWheelError: if its data directory has something that is in none of the known schemes.
    """
    pieces = []
    data = tree.find(metadata.data)
    root = tree
    if data is not None:
        from wheel_linker._wheel.scan import scan  # few wheels have a data directory

        root = tree.without(data)
        for scheme in _schemes(tree, data):
            path = os.path.join(tree.path, metadata.data, scheme)
            destination = layout.directory(scheme, distribution)
            file = None if tree.file is None else os.path.join(tree.file, metadata.data, scheme)
            part = scan(path)._replace(file=file, trusted=tree.trusted).without_empty()
            refuse_stages(part)
            if part.files:
                pieces.append(Piece(scheme, destination, f"{metadata.data}/{scheme}", part))
    destination = layout.directory(metadata.scheme, distribution)
    return [*pieces, Piece(metadata.scheme, destination, "", root.without_empty())]


def _schemes(tree: Tree, data: int) -> list[str]:
    top = tree.directories[data]
    below = [directory.parts[1] for directory in tree.subtree(data) if len(directory.parts) == 2]
    loose = set(top.names())
    if called := sorted(loose.intersection(SCHEMES)):
        raise InvalidWheelError(
            f"cannot install {tree.called!r}: {'/'.join((*top.parts, called[0]))} is a file and should be a directory; "
            "build the wheel again"
        )
    unknown = sorted({*below, *loose} - set(SCHEMES))
    if unknown:
        raise InvalidWheelError(
            f"cannot install {tree.called!r}: {'/'.join(top.parts)} has {unknown[0]!r}, which is none of "
            f"{', '.join(SCHEMES)}; build the wheel again"
        )
    return below


def without_overlap(pieces: Sequence[Piece], record: str) -> list[Piece]:
    """Return the pieces without those files that a later one has in the same place: one file, one row in RECORD.

    Only the few directories are compared that have files which are not of the wheel's root.

    :param record: the path of RECORD, which none of them may have.
    """
    shared = {
        os.path.normcase(where)
        for piece in pieces[:-1]
        for where, directory in piece.places()
        if directory.files or directory.links
    }
    taken = {os.path.normcase(record)}
    kept = []
    for piece in reversed(pieces):
        own = _paths_in(shared, piece)
        kept.append(_less(piece, taken) if own & taken else piece)
        taken |= own
    return kept[::-1]


def _paths_in(places: Collection[str], piece: Piece) -> set[str]:
    """Return the paths of a piece's files in some directories, all of them as :func:`os.path.normcase` has them."""
    start = os.path.normcase(os.path.join(piece.destination, ""))
    wanted = {place[len(start) : -1] for place in places if place.startswith(start)}
    if not wanted:
        return set()
    found = set()
    for directory in piece.complete().directories:
        relative = os.path.normcase(os.sep.join(directory.parts))
        if relative in wanted:
            where = os.path.join(start, relative, "")
            names = directory.names()
            found.update([where + os.path.normcase(name) for name in names])
    return found


def _less(piece: Piece, taken: Collection[str]) -> Piece:
    def is_free(parts: Parts, name: str) -> bool:
        return os.path.normcase(os.path.join(piece.destination, *parts, name)) not in taken

    files = {
        directory.parts: [name for name in directory.files if is_free(directory.parts, name)]
        for directory in piece.tree.directories
    }
    written = [file for file in piece.written if is_free(file.parts, file.name)]
    to_run = frozenset(parts for parts in piece.to_run if is_free(parts[:-1], parts[-1]))
    return piece._replace(tree=piece.tree.with_files(files), written=written, to_run=to_run)
