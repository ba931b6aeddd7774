"""Installing wheels: plan, stage, take away what is outdated, commit, report; all of them or none."""

from __future__ import annotations

import os
import stat
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final, NamedTuple

from wheel_linker._fs.copying import create_with
from wheel_linker._fs.permissions import if_allowed
from wheel_linker._link.merge import commit
from wheel_linker._link.pipeline import (
    check_conflicts,
    refuse_or_warn,
    supplier_of,
    warn_of_fallbacks,
)
from wheel_linker._link.placer import Placer
from wheel_linker._link.report import combined, note_symlinks
from wheel_linker._link.sites import opened_sites
from wheel_linker._link.staging import stage_all
from wheel_linker._threads import run
from wheel_linker._wheel.record_problems import warn_of_problems
from wheel_linker.errors import InvalidWheelError, LinkError
from wheel_linker.install._present.clashes import clashes_with_installed
from wheel_linker.install._present.distributions import Distribution, find_distributions, named
from wheel_linker.install._present.outdated import Outdated, find_outdated
from wheel_linker.install._present.removing import prepare, take_away
from wheel_linker.install._scripts.protected import refuse_protected
from wheel_linker.install.compiling import compile_all
from wheel_linker.install.plan import plan
from wheel_linker.install.report import InstallReport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import PurePosixPath

    from wheel_linker._fs.folder import Folder
    from wheel_linker._link.locks import Locks
    from wheel_linker._link.options import LinkOptions, MustCopy
    from wheel_linker._link.report import LinkReport
    from wheel_linker._link.sites import Site, Sites
    from wheel_linker._wheel.conflict_search import Supplier
    from wheel_linker._wheel.conflicts import OnConflict
    from wheel_linker._wheel.record_problems import RecordMode
    from wheel_linker._wheel.unpacked import UnpackedWheel
    from wheel_linker.install.layout import Layout
    from wheel_linker.install.piece import Piece
    from wheel_linker.install.plan import Notes, Plan

# Whoever unpacked a wheel may have added files, and told nobody what they are.
_ADDED_SINCE: Final = frozenset({"extra", "no-hash"})
_LIBRARIES: Final = ("purelib", "platlib")


class InstallOptions(NamedTuple):
    """What a call was asked for, besides how to link."""

    notes: Callable[[str], Notes]
    """What to note of a distribution, by its normalised name."""
    on_conflict: OnConflict
    compile_bytecode: bool
    record: RecordMode = "lenient"
    durable: bool = False


class _Staged(NamedTuple):
    """One piece of a wheel, built up in a stage."""

    piece: Piece
    site: Site
    name: str
    placer: Placer


def install(
    given: Sequence[UnpackedWheel], layout: Layout, how: LinkOptions, options: InstallOptions
) -> list[InstallReport]:
    """Install wheels, all or none; what the public calls say of their parameters and errors holds here."""
    named_layout, layout = layout, layout.resolved()
    with ExitStack() as kept:
        for wheel in given:
            kept.enter_context(wheel.hold())
        strict = options.record == "strict"
        plans = [
            plan(wheel, layout, named_layout, how, options.notes, strict=strict) for wheel in given
        ]
        _refuse_twice(plans)
        refuse_protected(plans, layout)
        _warn_of_records(given, plans)
        _check_conflicts(plans, options.on_conflict)
        try:
            sources = [one.wheel.tree.path for one in plans]
            with opened_sites(sources, litter=layout.roots()) as sites:
                reports = _install(plans, layout, named_layout, how, options, sites)
            note_symlinks(given, [report.link for report in reports])
        except LinkError:
            raise
        except OSError as error:
            where = layout.schemes["purelib"]
            doing = f"install into {where!r}"
            raise LinkError.from_os_error(error, doing, destination=where) from error
    if options.compile_bytecode:
        pieces = (piece for one in plans for piece in one.pieces if piece.scheme in _LIBRARIES)
        compile_all((path for piece in pieces for path in piece.paths()), layout, how.jobs)
    return reports


def _install(
    plans: Sequence[Plan],
    layout: Layout,
    named_layout: Layout,
    how: LinkOptions,
    options: InstallOptions,
    sites: Sites,
) -> list[InstallReport]:
    staged = _stage(plans, how, sites)
    # While nothing has been changed: a filter may turn the warning into an error.
    warn_of_fallbacks([piece.placer for pieces in staged for piece in pieces])
    libraries = {one.library for one in plans} | {
        path for path in layout.libraries() if os.path.isdir(path)
    }
    for path in sorted(libraries):
        sites.prepare(path)
    if options.durable:
        sites.settle()
    with sites.committing(libraries, how.locks):
        reports = _commit(
            plans, staged, layout, find_distributions(named_layout), options.on_conflict, sites
        )
    _remember(plans, sites, libraries, how.locks)
    return reports


def _remember(plans: Sequence[Plan], sites: Sites, libraries: Iterable[str], locks: Locks) -> None:
    """Tell the locks which wheels there are now, in the place of other versions."""
    names = {one.wheel.name.name for one in plans}
    for library in libraries:
        site = sites.at(library)
        now = [supplier_of(one.wheel) for one in plans if one.library == library]
        locks.forget(site.folder, site.identity, names)
        locks.record(site.folder, site.identity, now)


def _stage(plans: Sequence[Plan], how: LinkOptions, sites: Sites) -> list[list[_Staged]]:
    """Build every piece up in a stage of the directory that it goes to; return them by wheel."""
    staged: list[list[_Staged]] = []
    by_site: dict[str, list[_Staged]] = {}
    for one in plans:
        staged.append([])
        for piece in one.pieces:
            there = by_site.setdefault(piece.destination, [])
            placer = Placer(
                piece.tree,
                how.chain,
                how.backend,
                _must_copy(piece, how.must_copy),
                piece.destination,
            )
            site = sites.prepare(piece.destination)
            there.append(_Staged(piece, site, str(len(there)), placer))
            staged[-1].append(there[-1])
    for together in by_site.values():
        stage = together[0].site.stage
        stage_all([one.placer for one in together], stage, how.jobs, how.progress)
        run(together, _write, how.jobs)
    return staged


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


def _write(staged: _Staged) -> None:
    """Write the files of a piece that are not linked, and make executable what must be."""
    stage = staged.site.stage.folder
    for file in staged.piece.written:
        folder = _inside(stage, staged.name, file.parts)
        try:
            create_with(file.data, folder.prefix + file.name, folder.fd, executable=file.executable)
        except OSError as error:
            path = os.path.join(staged.piece.destination, *file.parts, file.name)
            raise LinkError.from_os_error(error, f"write {path!r}", destination=path) from error
    for parts in staged.piece.to_run:
        folder = _inside(stage, staged.name, parts[:-1])
        path = folder.prefix + parts[-1]
        mode = stat.S_IMODE(os.stat(path, dir_fd=folder.fd).st_mode)
        # For everybody who may read it.
        if_allowed(os.chmod, path, mode | (mode & 0o444) >> 2, dir_fd=folder.fd)


def _inside(stage: Folder, name: str, parts: Iterable[str]) -> Folder:
    return stage.below(os.sep.join((name, *parts)))


def _commit(
    plans: Sequence[Plan],
    staged: Sequence[Sequence[_Staged]],
    layout: Layout,
    installed: Sequence[Distribution],
    on_conflict: OnConflict,
    sites: Sites,
) -> list[InstallReport]:
    """Put everything into place; whoever calls takes it all back if it fails."""
    names = {one.wheel.name.name for one in plans}
    older = named(installed, names)
    others = [one for one in installed if one.name not in names]
    _report_clashes(plans, others, on_conflict)
    outdated = find_outdated(plans, older, others, layout)
    prepare((*outdated.files, *outdated.notes, *outdated.records), layout, sites)
    # First what may be in the way, and last what tells which files belong to the old version.
    gone = take_away(outdated.files, layout, sites)
    links = [_into_place(one, pieces) for one, pieces in zip(plans, staged)]
    gone += take_away(outdated.notes, layout, sites)
    gone += take_away(outdated.records, layout, sites)
    return [_report(one, link, outdated, gone) for one, link in zip(plans, links)]


def _into_place(one: Plan, pieces: Sequence[_Staged]) -> LinkReport:
    links: list[LinkReport] = []
    replaced: list[str] = []
    for staged in pieces:
        transaction = staged.site.transaction
        replaced += commit(transaction, staged.piece.complete(), staged.name)
        links.append(staged.placer.report(one.wheel.name, ()))
    # The wheel's root is the last, and counts where others have as many files.
    most = max(links, key=lambda link: (link.files, link is links[-1]))
    return combined(links, most.mode, replaced)


def _report(one: Plan, link: LinkReport, outdated: Outdated, gone: Iterable[str]) -> InstallReport:
    name = one.wheel.name.name
    return InstallReport(
        wheel=one.wheel.name,
        dist_info=one.dist_info,
        link=link,
        scripts=one.scripts(),
        upgraded=tuple(older.version for older in outdated.distributions if older.name == name),
        removed=tuple(sorted(path for path in gone if outdated.names.get(path) == name)),
        record_problems=one.record_problems,
    )


def _warn_of_records(given: Sequence[UnpackedWheel], plans: Sequence[Plan]) -> None:
    """Warn of unpacked wheels whose ``RECORD`` is not right; a store does so itself, when it unpacks one."""
    for wheel, one in zip(given, plans):
        if not wheel.record_problems():
            warn_of_problems(str(one.wheel.name), one.record_problems, but_for=_ADDED_SINCE)


def _refuse_twice(plans: Sequence[Plan]) -> None:
    known: dict[str, Plan] = {}
    for one in plans:
        other = known.setdefault(one.wheel.name.name, one)
        if other is not one:
            raise InvalidWheelError(
                f"cannot install {other.wheel.name} and {one.wheel.name} at once: both are "
                f"{one.wheel.name.name}; give one of them"
            )


def _check_conflicts(plans: Sequence[Plan], on_conflict: OnConflict) -> None:
    """Check the wheels against each other, those that go to the same directory."""
    by_library: dict[str, list[Supplier]] = {}
    for one in plans:
        by_library.setdefault(one.library, []).append(supplier_of(one.wheel))
    for library, suppliers in by_library.items():
        check_conflicts(library, suppliers, on_conflict)


def _report_clashes(
    plans: Sequence[Plan], others: Sequence[Distribution], on_conflict: OnConflict
) -> None:
    if on_conflict != "ignore":
        refuse_or_warn(clashes_with_installed(plans, others), on_conflict)
