"""What an older, or another, version of the same distribution leaves behind."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from wheel_linker._wheel.names import fold
from wheel_linker.install._present.going import Outdated
from wheel_linker.install._present.incomplete import record_or_guess
from wheel_linker.install._present.removing import is_among, is_note, may_go, shared_with
from wheel_linker.install._present.spelling import is_there_as_another

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wheel_linker.install._present.distributions import Distribution
    from wheel_linker.install.layout import Layout
    from wheel_linker.install.plan import Plan


def find_outdated(
    plans: Sequence[Plan],
    older: Sequence[Distribution],
    others: Sequence[Distribution],
    layout: Layout,
) -> Outdated:
    """Return what has to go when these wheels take the place of ``older``.

    :param others: the distributions that stay; what they have stays as well.
    :raises NoRecordError: if nothing says which files belong to one.
    :raises LinkError: if something cannot be read.
    """
    new = {
        os.path.normcase(path) for one in plans for piece in one.pieces for path in piece.paths()
    }
    plan_of = {one.wheel.name.name: one for one in plans}
    scripts, roots = layout.schemes["scripts"], layout.roots()
    rows = {}
    for one in older:
        found, _ = record_or_guess(one, scripts, _packages(plan_of.get(one.name)))
        rows[one] = [row for row in found if not is_among(row, new)]
    # This is asked once for all of them: each of the others is read once, however many are replaced.
    shared = shared_with((row for each in rows.values() for row in each), others)
    names: dict[str, str] = {}
    notes: dict[str, None] = {}
    kept: dict[str, list[str]] = {}
    for one, each in rows.items():
        going = may_go(each, one, shared, roots)
        kept.setdefault(one.name, []).extend({row.path for row in each}.difference(going))
        plan = plan_of.get(one.name)
        renewed = _renewed(one, plan)
        # If the new notes come into the same directory, the old ones go first: the new RECORD does not name them.
        stays = plan is not None and plan.dist_info == one.path
        for path in going:
            if is_note(path, one) and not stays:
                if renewed and os.path.normcase(renewed + path[len(one.path) :]) in new:
                    continue
                notes[path] = None
            names.setdefault(path, one.name)
    records = [one.recorded for one in older if one.recorded in notes]
    known_records = set(records)
    return Outdated(
        older,
        [path for path in names if path not in notes],
        [path for path in notes if path not in known_records],
        records,
        names,
        kept,
    )


def _packages(plan: Plan | None) -> set[str]:
    """Return the names of the packages that a distribution's new wheel brings, namespaces left out."""
    if plan is None:
        return set()
    return {
        directory.parts[0]
        for directory in plan.pieces[-1].tree.directories
        if len(directory.parts) == 1 and "__init__.py" in directory.files
    }


def _renewed(one: Distribution, plan: Plan | None) -> str:
    """Return the new ``*.dist-info`` if it is the old one by another name, where names are folded; else nothing."""
    if plan is None or plan.dist_info == one.path or fold(plan.dist_info) != fold(one.path):
        return ""
    return plan.dist_info if is_there_as_another(*os.path.split(plan.dist_info)) else ""
