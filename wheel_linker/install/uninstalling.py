"""Uninstalling distributions by their ``RECORD``, all of them completely or none."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from wheel_linker._compat.named_tuple import NamedTuple
from wheel_linker._fs.paths import is_directory
from wheel_linker._link.sites import opened_sites
from wheel_linker._log import log_warning
from wheel_linker._wheel.bytecode import is_bytecode
from wheel_linker._wheel.record import RECORD
from wheel_linker.errors import refused
from wheel_linker.install._changes.announcing import announce
from wheel_linker.install._changes.litter import littered
from wheel_linker.install._changes.looking import undisturbed
from wheel_linker.install._present.distributions import (
    NotInstalledError,
    find_distributions,
    named,
    names_in,
)
from wheel_linker.install._present.incomplete import guess, names_own_notes
from wheel_linker.install._present.recorded import (
    IncompleteInstallationError,
    is_empty,
    read_record,
)
from wheel_linker.install._present.removing import (
    is_note,
    may_go,
    prepare,
    remove_paths,
    shared_with,
)
from wheel_linker.install.report import UninstallReport

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from wheel_linker._link.locks import Locks
    from wheel_linker._link.sites import Sites
    from wheel_linker.install._present.distributions import Distribution
    from wheel_linker.install._present.recorded import Recorded
    from wheel_linker.install.layout import Layout


class _Removal(NamedTuple):
    """What becomes of one distribution."""

    name: str
    found: Sequence[Distribution]
    files: Sequence[str]
    """The absolute paths of files to be removed, those in :attr:`notes` and :attr:`records` left out."""
    notes: Sequence[str]
    records: Sequence[str]
    kept: Sequence[str]
    incomplete: bool

    def report(self, gone: Collection[str]) -> UninstallReport:
        """Tell the caller.

        :param gone: the files that were there, of all that were to be removed.
        """
        mine = (*self.files, *self.notes, *self.records)
        return UninstallReport(
            self.name,
            tuple(one.version for one in self.found),
            tuple(sorted(path for path in mine if path in gone and not is_bytecode(path))),
            tuple(sorted(path for path in self.kept if os.path.lexists(path))),
            self.incomplete,
        )


def remove(
    names: Sequence[str], layout: Layout, locks: Locks, *, dry_run: bool = False
) -> list[UninstallReport]:
    """Uninstall, all or none; what the public call says of its parameters and errors holds here."""
    wanted = _by_normalised(names)
    # The names are looked up before anything is made.
    with undisturbed(layout, locks):
        removals = _removals(wanted, layout)
        _tell_of_guesses(removals)
        if dry_run:
            return _foretold(removals)
    what = ", ".join(map(repr, names))
    with refused(f"uninstall {what}"), opened_sites(litter=littered(layout)) as sites:
        libraries = [path for path in layout.libraries() if is_directory(path)]
        for path in libraries:
            sites.prepare(path)
        with sites.committing(libraries, locks):
            removals = _removals(wanted, layout)
            gone = _remove(removals, layout, sites)
        for path in libraries:
            site = sites.at(path)
            locks.forget(site.folder, site.identity, set(wanted))
        return [one.report(gone) for one in removals]


def foreseen_removal(names: Sequence[str], layout: Layout) -> list[UninstallReport]:
    """Tell what an uninstall would do, and touch nothing. The errors are those of :func:`remove`."""
    removals = _removals(_by_normalised(names), layout)
    _tell_of_guesses(removals)
    return _foretold(removals)


def _tell_of_guesses(removals: Sequence[_Removal]) -> None:
    for removal in removals:
        for one in removal.found if removal.incomplete else ():
            log_warning(
                "%s is an incomplete installation, with an empty RECORD, as after a power cut: what its notes and "
                "names lead to is removed",
                str(one),
            )


def _by_normalised(names: Sequence[str]) -> dict[str, str]:
    from packaging.utils import canonicalize_name

    return {canonicalize_name(name): name for name in names}


def _foretold(removals: Sequence[_Removal]) -> list[UninstallReport]:
    there = {path for path in _all(removals) if _is_file(path)}
    return [one.report(there) for one in removals]


def _removals(names: Mapping[str, str], layout: Layout) -> list[_Removal]:
    """Decide what becomes of each distribution.

    :param names: as the caller gave them, by the normalised ones.
    :raises NotInstalledError: if one is not there.
    """
    everything = find_distributions(layout)
    found = {name: named(everything, {name}) for name in names}
    missing = [names[name] for name, those in found.items() if not those]
    if missing:
        where = " or ".join(map(repr, layout.libraries()))
        what = f"{', '.join(map(repr, missing))} {'is' if len(missing) == 1 else 'are'}"
        raise NotInstalledError(
            f"{what} not installed in {where}: there is no *.dist-info; nothing was removed"
        )
    others = [one for one in everything if one.name not in found]
    rows = {one: _belongings(one, layout) for those in found.values() for one in those}
    shared = shared_with((row for known, _ in rows.values() for row in known), others)
    roots = layout.roots()
    return [_removal(name, those, rows, shared, roots) for name, those in found.items()]


def _removal(
    name: str,
    found: Sequence[Distribution],
    rows: Mapping[Distribution, tuple[list[Recorded], bool]],
    shared: Collection[str],
    roots: Sequence[str],
) -> _Removal:
    free = [path for one in found for path in may_go(rows[one][0], one, shared, roots)]
    records = {one.recorded for one in found}.intersection(free)
    notes = {path for path in free if any(is_note(path, one) for one in found)}
    recorded = {row.path for one in found for row in rows[one][0]}
    return _Removal(
        name,
        found,
        [path for path in free if path not in notes],
        [path for path in free if path in notes and path not in records],
        sorted(records),
        sorted(recorded.difference(free)),
        any(rows[one][1] for one in found),
    )


def _remove(removals: Sequence[_Removal], layout: Layout, sites: Sites) -> set[str]:
    """Remove everything, and return what was there."""
    prepare(_all(removals), layout, sites)
    announce((one for removal in removals for one in removal.found), {}, sites)
    gone = remove_paths([path for one in removals for path in one.files], layout, sites)
    # RECORD goes last: as long as it is there, it tells what is left.
    gone += remove_paths([path for one in removals for path in one.notes], layout, sites)
    gone += remove_paths([path for one in removals for path in one.records], layout, sites)
    return set(gone)


def _all(removals: Sequence[_Removal]) -> list[str]:
    return [path for one in removals for path in (*one.files, *one.notes, *one.records)]


def _is_file(path: str) -> bool:
    return os.path.lexists(path) and (os.path.islink(path) or not os.path.isdir(path))


def _belongings(one: Distribution, layout: Layout) -> tuple[list[Recorded], bool]:
    """Return what belongs to a distribution, and whether that had to be guessed.

    :raises IncompleteInstallationError: if its ``RECORD`` is damaged: only an empty one tells that nothing is known.
    """
    try:
        rows = read_record(one)
    except IncompleteInstallationError:
        if not is_empty(one):
            raise
        return guess(one, layout.schemes["scripts"]), True
    _refuse_another_ones(one, rows)
    return rows, False


def _refuse_another_ones(one: Distribution, rows: Sequence[Recorded]) -> None:
    """Refuse a ``RECORD`` that names nothing in its own ``*.dist-info``: that would stay, and nothing tell of it.

    :raises IncompleteInstallationError: if it does.
    """
    if names_own_notes(one, rows):
        return
    left = names_in(one) - {RECORD}
    if left:
        raise IncompleteInstallationError(
            f"cannot tell which files belong to {one}: {one.recorded!r} names nothing in its own *.dist-info, "
            f"where {min(left)!r} is; install the same version again, and uninstall that"
        )
