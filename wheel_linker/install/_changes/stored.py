"""Bytecode that a store keeps of its wheels, placed with their files instead of being made in the environment."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from wheel_linker._fs.folder import Folder
from wheel_linker._log import log
from wheel_linker._wheel.bytecode import CACHE, bytecode_of
from wheel_linker._wheel.record import RECORD
from wheel_linker._wheel.tree import Directory, Tree, in_order
from wheel_linker.errors import refused
from wheel_linker.install._changes.compiled import LIBRARIES, with_rows
from wheel_linker.store import StoredWheel
from wheel_linker.store._bytecode.making import bytecode_trees
from wheel_linker.store._bytecode.sets import set_name, sets_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from wheel_linker._fs.folder import Parts
    from wheel_linker._wheel.unpacked import UnpackedWheel
    from wheel_linker.install.layout import Layout
    from wheel_linker.install.piece import Piece
    from wheel_linker.install.plan import Plan
    from wheel_linker.store.session import Session


def with_stored_bytecode(
    plans: Sequence[Plan], given: Sequence[UnpackedWheel], layout: Layout, optimize: int
) -> list[Plan]:
    """Return the plans with the bytecode that stores have or can make; some are left as they are.

    :param given: the wheels, which are held.
    """
    by_session: dict[Session, list[StoredWheel]] = {}
    for wheel in given:
        if isinstance(wheel, StoredWheel) and wheel.session is not None:
            by_session.setdefault(wheel.session, []).append(wheel)
    trees = {
        (session, entry): tree
        for session, wheels in by_session.items()
        for entry, tree in _trees(session, wheels, layout, optimize).items()
    }
    return [
        _with_bytecode(one, trees.get((wheel.session, wheel.entry)))
        if isinstance(wheel, StoredWheel) and wheel.session is not None
        else one
        for one, wheel in zip(plans, given)
    ]


def is_stored(given: Sequence[UnpackedWheel], layout: Layout, optimize: int) -> bool:
    """Tell whether stores have bytecode of all wheels, as far as names tell: then none has to be made, most likely.

    :raises LinkError: if the interpreter does not answer as a Python should.
    """
    name = set_name(layout, optimize)
    return name is not None and all(
        isinstance(wheel, StoredWheel)
        and wheel.session is not None
        and os.path.exists(sets_of(wheel.session.layout, wheel.entry).manifest(name))
        for wheel in given
    )


def _trees(
    session: Session, wheels: Sequence[StoredWheel], layout: Layout, optimize: int
) -> Mapping[str, Tree]:
    """Return the bytecode that a store has; nothing if it cannot be made there, since the environment still can."""
    assert session.compiling is not None
    entries = [wheel.entry for wheel in wheels]
    late = {wheel.entry for wheel in wheels if wheel.looks_late}
    try:
        return bytecode_trees(session, session.compiling, entries, layout, optimize, late)
    except OSError as error:
        log("the store %s cannot keep bytecode: %s", session.layout.root, error)
        return {}


def _with_bytecode(one: Plan, tree: Tree | None) -> Plan:
    """Add bytecode to a plan, to its pieces and to the ``RECORD`` that it installs."""
    if tree is None:
        return one
    pieces, paths = [], []
    for piece, start in zip(one.pieces, one.starts):
        below = _below(tree, piece) if piece.scheme in LIBRARIES else None
        if below is not None:
            pieces.append(_compiled(piece, below))
            paths += [
                start + each.path_of(name) for each in below.directories for name in each.files
            ]
        else:
            pieces.append(piece)
    record = with_rows(one.record(), paths)
    written = [
        file._replace(data=record) if file.name == RECORD else file for file in pieces[-1].written
    ]
    pieces[-1] = pieces[-1]._replace(written=written)
    return one._replace(pieces=pieces, is_compiled=True)


def _below(tree: Tree, piece: Piece) -> Tree | None:
    """Return that part of the bytecode which is of a piece's sources; None if there is none.

    :raises LinkError: if the directory that it is in cannot be opened.
    """
    prefix = tuple(piece.prefix.split("/")) if piece.prefix else ()
    sources = {directory.parts: directory.files for directory in piece.tree.directories}
    kept = list(_kept(tree, prefix, sources))
    if not kept:
        return None
    path = os.path.join(tree.path, *prefix)
    with refused(f"read the stored bytecode at {path!r}", source=path), Folder.open(path) as root:
        made = Tree.of(root.path, root.identity(), in_order([Directory((), [], []), *kept]))
    return made._replace(trusted=tree.trusted, unpacked=tree.unpacked)


def _kept(tree: Tree, prefix: Parts, sources: Mapping[Parts, Sequence[str]]) -> Iterator[Directory]:
    """Yield the directories of bytecode below a prefix; what no source of the piece has is left out."""
    length = len(prefix)
    for directory in tree.directories:
        parts = directory.parts[length:]
        if directory.parts[:length] != prefix or parts[-1:] != (CACHE,) or not directory.files:
            continue
        names = bytecode_of(sources.get(parts[:-1], ()), directory.files)
        if names:
            kept = directory.with_files(names)
            kept.parts = parts
            yield kept


def _compiled(piece: Piece, bytecode: Tree) -> Piece:
    """Return a piece with bytecode, which takes the place of what the wheel has of it itself."""
    made = {directory.parts: directory.files for directory in bytecode.directories}
    own = {
        each.parts: [name for name in each.files if name not in made[each.parts]]
        for each in piece.tree.directories
        if made.get(each.parts)
    }
    tree = piece.tree.with_files(own) if own else piece.tree
    whole = {each.parts: each.with_files(each.files) for each in tree.directories}
    for parts, names in made.items():
        if parts in whole:
            whole[parts].files.extend(names)
        else:
            whole[parts] = Directory(parts, names, [])
    both = Tree.of(tree.path, tree.identity, in_order(whole.values()))
    both = both._replace(file=tree.file, trusted=tree.trusted)
    return piece._replace(tree=tree, bytecode=bytecode, whole=both)
