"""The scripts of a wheel among what is installed of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wheel_linker.install._scripts.scripts import is_wrapper_of, launchers, prepared
from wheel_linker.install.piece import Piece, Written

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from wheel_linker._link.pipeline import Wheel
    from wheel_linker.install.layout import Layout
    from wheel_linker.install.metadata import Metadata


def with_scripts(
    pieces: Sequence[Piece], wheel: Wheel, metadata: Metadata, layout: Layout
) -> list[Piece]:
    """Return the pieces of a wheel with its scripts as they are installed, and the launchers of its entry points.

    What it has for an entry point itself gives place to the launcher.

    :raises InvalidWheelError: as for :func:`launchers`.
    :raises LinkError: if a script cannot be read.
    """
    found = [
        prepared(piece, layout) if piece.scheme == "scripts" else piece for piece in pieces[:-1]
    ]
    found.append(pieces[-1])
    _add_launchers(found, wheel, metadata, layout)
    return found


def _add_launchers(pieces: list[Piece], wheel: Wheel, metadata: Metadata, layout: Layout) -> None:
    made, points = launchers(wheel.tree, metadata.dist_info, layout, wheel.name.name)
    if not made:
        return
    for index, piece in enumerate(pieces[:-1]):
        if piece.scheme == "scripts":
            pieces[index] = _with_launchers(piece, made, points)
            return
    destination = layout.directory("scripts", metadata.dist_info)
    prefix = f"{metadata.data}/scripts"
    pieces.insert(0, Piece("scripts", destination, prefix, wheel.tree.emptied(), made))


def _with_launchers(piece: Piece, made: Sequence[Written], given: Collection[str]) -> Piece:
    names = {file.name for file in made}
    # On Windows a launcher is called like its entry point, with .exe. Old wrappers are called as the wheel has it.
    points = {name.removesuffix(".exe") for name in names}.union(given)
    root = [
        name
        for name in piece.tree.directories[0].files
        if name not in names and not is_wrapper_of(name, points)
    ]
    remaining = set(root)
    kept = [
        file
        for file in piece.written
        if file.parts or not (file.name in names or is_wrapper_of(file.name, points))
    ]
    return piece._replace(
        tree=piece.tree.with_files({(): root}),
        written=(*kept, *made),
        to_run=frozenset(
            parts for parts in piece.to_run if len(parts) > 1 or parts[0] in remaining
        ),
    )
