"""The pieces of wheels, built up in stages beside where they go, and put into place."""

from __future__ import annotations

import os
import stat
from collections import deque
from typing import TYPE_CHECKING

from wheel_linker._compat.named_tuple import NamedTuple
from wheel_linker._fs.copying import create_with
from wheel_linker._fs.permissions import chmod_itself, if_allowed
from wheel_linker._link.merge import StagedFiles, commit
from wheel_linker._link.placer import Placer
from wheel_linker._link.report import combined
from wheel_linker._link.staging import stage_all, threads_for
from wheel_linker._threads import run
from wheel_linker.errors import refused

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import PurePosixPath

    from wheel_linker._fs.folder import Folder, Identity
    from wheel_linker._link.options import LinkOptions, MustCopy
    from wheel_linker._link.report import LinkReport
    from wheel_linker._link.sites import Site, Sites
    from wheel_linker.install.piece import Piece
    from wheel_linker.install.plan import Plan


class Staged(NamedTuple):
    """One piece of a wheel, built up in a stage."""

    piece: Piece
    site: Site
    name: str
    placer: Placer
    beside: Placer | None
    """What places its bytecode, if there is any."""


def stage(
    plans: Iterable[Plan], how: LinkOptions, sites: Sites, library: str | None
) -> list[list[Staged]]:
    """Build every piece up in a stage of the directory that it goes to; return them by wheel.

    :param library: pieces that go to this directory may be placed while later plans are still to come; None for none.
    """
    staged: list[list[Staged]] = []
    # Two paths of one directory have one stage, whose directories are counted by it.
    by_site: dict[Identity, list[Staged]] = {}
    compiled: dict[str, Placer] = {}
    first = None if library is None else sites.prepare(library)

    def coming() -> Iterator[Placer]:
        for one in plans:
            staged.append([])
            for piece in one.pieces:
                site = sites.prepare(piece.destination)
                there = by_site.setdefault(site.identity, [])
                made = _to_be_staged(piece, one, how, site, str(len(there)))
                there.append(made)
                staged[-1].append(made)
                if site is first:
                    compiled.update(_beside([made]))
                    yield made.placer

    if first is None:
        deque(coming(), 0)
    else:
        stage_all(coming(), first.stage, how, compiled)
    for together in by_site.values():
        site = together[0].site
        if site is not first:
            stage_all([one.placer for one in together], site.stage, how, _beside(together))
        written = sum(len(one.piece.written) for one in together)
        run(together, _write, threads_for(written, how.jobs))
    return staged


def _to_be_staged(piece: Piece, one: Plan, how: LinkOptions, site: Site, name: str) -> Staged:
    """Say what places the files of a piece.

    :param site: where it goes.
    :param name: that of the directory in the stage which is to stand for the piece.
    """
    placer = Placer(
        piece.tree,
        how.chain,
        how.backend,
        _must_copy(piece, how.must_copy),
        piece.destination,
        how.native,
        str(one.wheel.name),
        keeps_times=piece.bytecode is not None,
    )
    beside = None
    if piece.bytecode is not None:
        beside = Placer(
            piece.bytecode, how.chain, how.backend, None, piece.destination, name=placer.name
        )
    return Staged(piece, site, name, placer, beside)


def _beside(together: Iterable[Staged]) -> dict[str, Placer]:
    """Return what places the bytecode of pieces, by their directories in the stage."""
    return {one.name: one.beside for one in together if one.beside is not None}


def _must_copy(piece: Piece, asked: MustCopy | None) -> MustCopy | None:
    """Return what tells which files of a piece need a copy, by their paths in the piece."""
    if asked is None and not piece.to_run:
        return None

    def must_copy(path: PurePosixPath) -> bool:
        # chmod(2) on a hard link would make the cache's own file executable.
        if path.parts in piece.to_run:
            return True
        return asked is not None and asked(type(path)(piece.prefix) / path)

    return must_copy


def _write(staged: Staged) -> None:
    """Write the files of a piece that are not linked, and make executable what must be."""
    stage = staged.site.stage.folder
    for file in staged.piece.written:
        folder = _inside(stage, staged.name, file.parts)
        path = os.path.join(staged.piece.destination, *file.parts, file.name)
        with refused(f"write {path!r}", destination=path):
            create_with(file.data, folder.prefix + file.name, folder.fd, executable=file.executable)
    for parts in staged.piece.to_run:
        folder = _inside(stage, staged.name, parts[:-1])
        path = folder.prefix + parts[-1]
        mode = stat.S_IMODE(os.stat(path, dir_fd=folder.fd, follow_symlinks=False).st_mode)
        # Everybody who may read the file may execute it.
        if_allowed(chmod_itself, path, mode | (mode & 0o444) >> 2, folder.fd)


def _inside(stage: Folder, name: str, parts: Iterable[str]) -> Folder:
    return stage.below(os.sep.join((name, *parts)))


def into_place(one: Plan, pieces: Sequence[Staged]) -> LinkReport:
    """Put the pieces of a wheel into place, that of its root last."""
    links: list[LinkReport] = []
    replaced: list[str] = []
    for staged in pieces:
        transaction = staged.site.transaction
        replaced += commit(transaction, StagedFiles.of_wheel(staged.name, staged.piece.complete()))
        links.append(staged.placer.report(one.wheel.name, ()))
        if staged.beside is not None:
            links[-1] = combined(
                [links[-1], staged.beside.report(one.wheel.name, ())], links[-1].mode, ()
            )
    # The wheel's root is the last, and counts where others have as many files.
    most = max(links, key=lambda link: (link.files, link is links[-1]))
    return combined(links, most.mode, replaced)
