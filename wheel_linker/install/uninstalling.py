"""Uninstalling a distribution by its ``RECORD``, completely or not at all."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from wheel_linker._link.sites import opened_sites
from wheel_linker._log import log_warning
from wheel_linker.errors import LinkError
from wheel_linker.install._present.distributions import (
    IncompleteInstallationError,
    NotInstalledError,
    find_distributions,
    is_empty,
    named,
    read_claims,
    read_record,
)
from wheel_linker.install._present.incomplete import guess
from wheel_linker.install._present.removing import is_note, may_go, prepare, take_away
from wheel_linker.install.report import UninstallReport

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wheel_linker._link.locks import Locks
    from wheel_linker._link.sites import Sites
    from wheel_linker.install._present.distributions import Distribution, Recorded
    from wheel_linker.install.layout import Layout


def remove(name: str, layout: Layout, locks: Locks) -> UninstallReport:
    """Uninstall; what the public call says of its parameters and errors holds here."""
    from packaging.utils import canonicalize_name

    normalised = canonicalize_name(name)
    # Before anything is opened, which might make it.
    _find(normalised, layout)
    try:
        with opened_sites(litter=layout.roots()) as sites:
            libraries = [path for path in layout.libraries() if os.path.isdir(path)]
            for path in libraries:
                sites.prepare(path)
            with sites.committing(libraries, locks):
                report = _remove(normalised, layout, sites)
            for path in libraries:
                site = sites.at(path)
                locks.forget(site.folder, site.identity, {normalised})
            return report
    except LinkError:
        raise
    except OSError as error:
        raise LinkError.from_os_error(error, f"uninstall {name!r}") from error


def _find(name: str, layout: Layout) -> tuple[Sequence[Distribution], Sequence[Distribution]]:
    """Return the distributions of a name, and all others."""
    everything = find_distributions(layout)
    found = named(everything, {name})
    if not found:
        where = " or ".join(map(repr, layout.libraries()))
        raise NotInstalledError(f"{name!r} is not installed in {where}: there is no *.dist-info")
    return found, [one for one in everything if one.name != name]


def _remove(name: str, layout: Layout, sites: Sites) -> UninstallReport:
    found, others = _find(name, layout)
    free: list[str] = []
    recorded: set[str] = set()
    incomplete = False
    for one in found:
        rows, guessed = _belongings(one, layout)
        incomplete = incomplete or guessed
        claims = read_claims(others, [path for row in rows for path in row])
        free += may_go(rows, one, claims, layout.roots())
        recorded.update(row.path for row in rows)
    records = {one.recorded for one in found}
    notes = {path for path in free if any(is_note(path, one) for one in found)}
    prepare(free, layout, sites)
    removed: list[str] = []
    # RECORD goes last: as long as it is there, it tells what is left.
    for chosen in (
        [path for path in free if path not in notes],
        [path for path in free if path in notes - records],
        [path for path in free if path in records],
    ):
        removed += take_away(chosen, layout, sites)
    kept = {path for path in recorded.difference(free) if os.path.lexists(path)}
    versions = tuple(one.version for one in found)
    return UninstallReport(name, versions, tuple(sorted(removed)), tuple(sorted(kept)), incomplete)


def _belongings(one: Distribution, layout: Layout) -> tuple[list[Recorded], bool]:
    """Return what belongs to a distribution, and whether that had to be guessed.

    :raises IncompleteInstallationError: if its ``RECORD`` is damaged: only an empty one tells that nothing is known.
    """
    try:
        return read_record(one), False
    except IncompleteInstallationError as error:
        if not is_empty(one):
            raise
        log_warning("%s; here what its notes and names lead to is removed", error)
        return guess(one, layout.schemes["scripts"]), True
