"""Changing an environment: plan, stage, remove what is outdated, commit, report; all of it or nothing."""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import TYPE_CHECKING

from wheel_linker._compat.named_tuple import NamedTuple
from wheel_linker._fs.paths import is_directory
from wheel_linker._link.fallback import warn_of_fallbacks
from wheel_linker._link.pipeline import refuse_or_warn, supplier_of
from wheel_linker._link.report import LinkReport, note_symlinks
from wheel_linker._link.sites import opened_sites
from wheel_linker._threads import telling_of_completion
from wheel_linker._wheel.bytecode import is_bytecode
from wheel_linker.errors import refused
from wheel_linker.install._changes.dating import set_times
from wheel_linker.install._changes.litter import littered
from wheel_linker.install._changes.planning import (
    Environment,
    can_be_staged_meanwhile,
    check_plans,
    planned,
)
from wheel_linker.install._changes.staged import into_place, stage
from wheel_linker.install._present.distributions import find_distributions, named
from wheel_linker.install._present.going import NOTHING
from wheel_linker.install.report import InstallReport, UninstallReport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from wheel_linker._link.locks import Locks
    from wheel_linker._link.options import LinkOptions
    from wheel_linker._link.sites import Sites
    from wheel_linker._wheel.conflicts import OnConflict, PackageConflict
    from wheel_linker._wheel.record_problems import RecordMode
    from wheel_linker._wheel.unpacked import UnpackedWheel
    from wheel_linker.install._changes.staged import Staged
    from wheel_linker.install._present.distributions import Distribution
    from wheel_linker.install._present.going import Outdated
    from wheel_linker.install.layout import Layout
    from wheel_linker.install.plan import Notes, Plan


def _nothing(_: Sequence[Distribution]) -> Sequence[Distribution]:
    return ()


class InstallOptions(NamedTuple):
    """What a call was asked for, besides how to link."""

    notes: Callable[[str], Notes]
    """What to note of a distribution, by its normalised name."""
    on_conflict: OnConflict
    compile_bytecode: bool
    record: RecordMode = "lenient"
    look: Callable[[Layout], Sequence[Distribution]] = find_distributions
    """Called in the turn: what is installed."""
    removes: Callable[[Sequence[Distribution]], Sequence[Distribution]] = _nothing
    """Called with that: what of it goes, besides what the wheels take the place of."""
    dry_run: bool = False
    durable: bool = False
    check_tags: bool = False
    timestamp: int | None = None
    optimize: int = 0


class Change(NamedTuple):
    """What is to become of an environment, as it is now."""

    plans: Sequence[Plan]
    outdated: Outdated
    conflicts: tuple[PackageConflict, ...]
    others: Sequence[Distribution]
    """What stays as it is."""


class Outcome(NamedTuple):
    """What became of it."""

    installed: Sequence[InstallReport]
    removed: Sequence[UninstallReport]


def change(
    given: Sequence[UnpackedWheel], layout: Layout, how: LinkOptions, options: InstallOptions
) -> Outcome:
    """Install and remove, all or nothing; what the public calls say of their parameters and errors holds here."""
    where = Environment.of(layout)
    with ExitStack() as kept:
        for wheel in given:
            kept.enter_context(wheel.hold())
        if options.dry_run:
            from wheel_linker.install._changes.looking import undisturbed

            foretold = _checked(given, where, how, options)
            with undisturbed(layout, how.locks):
                return _foretold(decided(foretold, where, options), how)
        place = where.layout.schemes["purelib"]
        coming = _coming(given, where, how, options)
        with (
            refused(f"install into {place!r}", destination=place),
            opened_sites(litter=littered(where.layout, is_resolved=True)) as sites,
            how.progress.telling_of_failure(sites.is_complete),
        ):
            plans, outcome = _install(given, coming, where, how, options, sites)
        note_symlinks(given, [report.link for report in outcome.installed], how.modes())
    if options.compile_bytecode:
        with telling_of_completion(lambda: True):
            _compile([one for one in plans if not one.is_compiled], layout, how, options)
    return outcome


def _planned(
    given: Sequence[UnpackedWheel], where: Environment, how: LinkOptions, options: InstallOptions
) -> Iterator[Plan]:
    return planned(given, where, how, options.notes, strict=options.record == "strict")


def _checked(
    given: Sequence[UnpackedWheel], where: Environment, how: LinkOptions, options: InstallOptions
) -> list[Plan]:
    plans = [*_planned(given, where, how, options)]
    check_plans(plans, given, where, check_tags=options.check_tags)
    return plans


class _Coming(NamedTuple):
    """Plans, some of which may still be to be made."""

    plans: Iterable[Plan]
    library: str | None
    """If so, the directory that most of their files go to; None if they are a sequence, and were checked."""


def _coming(
    given: Sequence[UnpackedWheel], where: Environment, how: LinkOptions, options: InstallOptions
) -> _Coming:
    """Plan all wheels if something has to be known of all before a file is placed; else have them planned meanwhile."""
    if options.on_conflict == "ignore" and can_be_staged_meanwhile(given, where, how):
        where = _with_known_tag(where, options)
        if _lacks_no_bytecode(given, where, options):
            planned_alone = zip(_planned(given, where, how, options), given)
            plans = (_compiled([one], [wheel], where, options)[0] for one, wheel in planned_alone)
            return _Coming(plans, where.layout.schemes["purelib"])
    checked = _checked(given, where, how, options)
    if options.on_conflict != "ignore":
        from wheel_linker.install._changes.conflicts import conflicts_among

        refuse_or_warn(conflicts_among(checked), options.on_conflict)
    return _Coming(_compiled(checked, given, where, options), None)


def _takes_stored_bytecode(options: InstallOptions) -> bool:
    """Tell whether bytecode comes from stores as far as they have or can make it: theirs is of another time."""
    return options.compile_bytecode and options.timestamp is None


def _with_known_tag(where: Environment, options: InstallOptions) -> Environment:
    """Ask for the tag of the interpreter's bytecode now, if it matters, so that it is not asked for each wheel.

    :raises LinkError: if it is not known, and the interpreter cannot be asked.
    """
    if not _takes_stored_bytecode(options):
        return where
    named = where.named_layout
    return where._replace(named_layout=named._replace(bytecode=named.bytecode_tag()))


def _compiled(
    plans: Sequence[Plan],
    given: Sequence[UnpackedWheel],
    where: Environment,
    options: InstallOptions,
) -> Sequence[Plan]:
    """Add the bytecode that stores have or can make to plans, if it was asked for."""
    if not options.compile_bytecode:
        return plans
    # This is imported now, together with what compiles when everything is in place: the import must not fail then.
    from wheel_linker.install._changes.stored import with_stored_bytecode

    if options.timestamp is not None:
        return plans
    return with_stored_bytecode(plans, given, where.named_layout, options.optimize)


def _lacks_no_bytecode(
    given: Sequence[UnpackedWheel], where: Environment, options: InstallOptions
) -> bool:
    """Tell whether no bytecode has to be made before files are placed, which is best made for all wheels at once."""
    if not _takes_stored_bytecode(options):
        return True
    from wheel_linker.install._changes.stored import is_stored

    return is_stored(given, where.named_layout, options.optimize)


def _compile(
    plans: Sequence[Plan], layout: Layout, how: LinkOptions, options: InstallOptions
) -> None:
    """Compile what is in place, as far as its bytecode has not come along."""
    from wheel_linker.install._changes.compiled import compile_installed

    made = compile_installed(
        plans, layout, how.locks, optimize=options.optimize, durable=options.durable
    )
    if options.timestamp is not None:
        set_times(plans, options.timestamp, made)


def foreseen(
    given: Sequence[UnpackedWheel], layout: Layout, how: LinkOptions, options: InstallOptions
) -> Change:
    """Decide what a change would be, and touch nothing. The errors are those of :func:`change`, but for conflicts."""
    from wheel_linker.install._changes.conflicts import conflicts_among
    from wheel_linker.install._present.conflicts import conflicts_with_installed

    where = Environment.of(layout)
    with ExitStack() as kept:
        for wheel in given:
            kept.enter_context(wheel.hold())
        plans = _checked(given, where, how, options)
        made = decided(plans, where, options)
        return made._replace(
            conflicts=(*conflicts_among(plans), *conflicts_with_installed(plans, made.others))
        )


def decided(plans: Sequence[Plan], where: Environment, options: InstallOptions) -> Change:
    """Decide what goes and what stays of what is installed now; conflicts with that are refused or warned of.

    :raises PackageConflictError: if there are any, and these are refused.
    :raises NoRecordError: as the public calls say.
    """
    installed = options.look(where.named_layout)
    names = {one.wheel.name.name for one in plans}
    removed = [one for one in options.removes(installed) if one.name not in names]
    going = names | {one.name for one in removed}
    others = [one for one in installed if one.name not in going]
    conflicts: tuple[PackageConflict, ...] = ()
    if options.on_conflict != "ignore":
        from wheel_linker.install._present.conflicts import conflicts_with_installed

        conflicts = conflicts_with_installed(plans, others)
        refuse_or_warn(conflicts, options.on_conflict)
    older = [*named(installed, names), *removed]
    outdated = NOTHING
    if older:
        from wheel_linker.install._present.outdated import find_outdated

        outdated = find_outdated(plans, older, others, where.layout)
    return Change(plans, outdated, conflicts, others)


def _install(
    given: Sequence[UnpackedWheel],
    coming: _Coming,
    where: Environment,
    how: LinkOptions,
    options: InstallOptions,
    sites: Sites,
) -> tuple[Sequence[Plan], Outcome]:
    if coming.library is None:
        how.progress.expect(sum(one.linked_files() for one in coming.plans))
    plans: list[Plan] = []
    staged = stage(_noting(coming.plans, plans), how, sites, coming.library)
    if coming.library is not None:
        check_plans(plans, given, where, check_tags=options.check_tags)
    sites.protect([one.wheel.tree.path for one in plans])
    # The warnings come while nothing has been changed, because a filter may turn one into an error.
    for pieces in staged:
        for piece in pieces:
            placer = piece.placer
            warn_of_fallbacks(placer.tree.called, placer.chain, placer.fallbacks())
    own = (where.layout.schemes["purelib"], where.layout.schemes["platlib"])
    libraries = {one.library for one in plans} | set(filter(is_directory, own))
    for path in sorted(libraries):
        sites.prepare(path)
    if options.durable:
        sites.settle()
    with sites.committing(libraries, how.locks), how.progress.telling_of_failure():
        made = decided(plans, where, options)
        outcome = _commit(made, staged, where.layout, sites, durable=options.durable)
    if options.timestamp is not None:
        set_times(plans, options.timestamp)
    names = {one.wheel.name.name for one in plans} | {
        one.name for one in made.outdated.distributions
    }
    _remember(plans, names, sites, libraries, how.locks)
    return plans, outcome


def _noting(plans: Iterable[Plan], noted: list[Plan]) -> Iterator[Plan]:
    for one in plans:
        noted.append(one)
        yield one


def _remember(
    plans: Sequence[Plan], names: set[str], sites: Sites, libraries: Iterable[str], locks: Locks
) -> None:
    """Tell the locks which wheels there are now, in the place of others."""
    for library in libraries:
        site = sites.at(library)
        now = [supplier_of(one.wheel) for one in plans if one.library == library]
        locks.forget(site.folder, site.identity, names)
        locks.record(site.folder, site.identity, now)


def _commit(
    made: Change,
    staged: Sequence[Sequence[Staged]],
    layout: Layout,
    sites: Sites,
    *,
    durable: bool,
) -> Outcome:
    """Put everything into place; whoever calls takes it all back if it fails."""
    outdated = made.outdated
    if not outdated.distributions:
        return _outcome(made, [into_place(*each) for each in zip(made.plans, staged)], ())
    from wheel_linker.install._changes.announcing import announce
    from wheel_linker.install._present.removing import prepare, remove_paths

    prepare((*outdated.files, *outdated.notes, *outdated.records), layout, sites)
    coming = {(one.library, one.wheel.name.name): one.record() for one in made.plans}
    announce(outdated.distributions, coming, sites, durable=durable)
    # What may be in the way is removed first, and last what tells which files belong to the old version.
    gone = remove_paths(outdated.files, layout, sites)
    links = [into_place(one, pieces) for one, pieces in zip(made.plans, staged)]
    gone += remove_paths(outdated.notes, layout, sites)
    gone += remove_paths(outdated.records, layout, sites)
    return _outcome(made, links, gone)


def _foretold(made: Change, how: LinkOptions) -> Outcome:
    """Return what the outcome would be, as far as it can be known: nobody knows which modes would be refused."""
    links = [
        LinkReport(one.wheel.name, how.chain, how.chain[0], one.linked_files(), {})
        for one in made.plans
    ]
    outdated = made.outdated
    there = (*outdated.files, *outdated.notes, *outdated.records)
    return _outcome(made, links, [path for path in there if os.path.lexists(path)])


def _outcome(made: Change, links: Sequence[LinkReport], gone: Iterable[str]) -> Outcome:
    by_name: dict[str, list[str]] = {}
    for path in gone:
        by_name.setdefault(made.outdated.names.get(path, ""), []).append(path)
    versions: dict[str, list[str]] = {}
    for older in made.outdated.distributions:
        versions.setdefault(older.name, []).append(older.version)
    installed = [
        InstallReport(
            wheel=one.wheel.name,
            dist_info=one.dist_info,
            link=link,
            scripts=one.scripts(),
            upgraded=tuple(versions.pop(one.wheel.name.name, ())),
            removed=_listed(by_name.get(one.wheel.name.name, ())),
            record_problems=one.record_problems,
        )
        for one, link in zip(made.plans, links)
    ]
    removed = [
        UninstallReport(
            name,
            tuple(known),
            _listed(by_name.get(name, ())),
            tuple(
                sorted(path for path in made.outdated.kept.get(name, ()) if os.path.lexists(path))
            ),
        )
        for name, known in versions.items()
    ]
    return Outcome(installed, removed)


def _listed(paths: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(path for path in paths if not is_bytecode(path)))
