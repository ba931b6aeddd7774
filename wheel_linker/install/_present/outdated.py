"""What an older, or another, version of the same distribution leaves behind."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from wheel_linker.install._present.distributions import read_claims
from wheel_linker.install._present.incomplete import record_or_guess
from wheel_linker.install._present.removing import is_claimed, is_note, may_go

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from wheel_linker.install._present.distributions import Distribution
    from wheel_linker.install.layout import Layout
    from wheel_linker.install.plan import Plan


class Outdated(NamedTuple):
    """What has to go."""

    distributions: Sequence[Distribution]
    """What the new wheels take the place of."""
    files: Sequence[str]
    """Absolute paths of files that no new wheel has, but for :attr:`notes`."""
    notes: Sequence[str]
    """Those in old ``*.dist-info`` directories, but for :attr:`records`."""
    records: Sequence[str]
    """The ``RECORD`` files there: as long as one is there, it tells what is left."""
    names: Mapping[str, str]
    """The distribution's name, by path, for all of them."""


def find_outdated(
    plans: Sequence[Plan],
    older: Sequence[Distribution],
    others: Sequence[Distribution],
    layout: Layout,
) -> Outdated:
    """Return what has to go when these wheels take the place of ``older``.

    :param others: the distributions that stay; what they claim stays as well.
    :raises NoRecordError: if nothing says which files belong to one.
    :raises LinkError: if something cannot be read.
    """
    if not older:
        return Outdated((), (), (), (), {})
    new = {
        os.path.normcase(path) for one in plans for piece in one.pieces for path in piece.paths()
    }
    plan_for = {one.wheel.name.name: one for one in plans}
    scripts, roots = layout.schemes["scripts"], layout.roots()
    rows_of = {
        one: record_or_guess(one, scripts, _packages(plan_for.get(one.name)))[0] for one in older
    }
    # Once for all: every RECORD that stays is read here.
    claims = read_claims(
        others, (path for rows in rows_of.values() for row in rows for path in row)
    )
    names: dict[str, str] = {}
    notes: dict[str, None] = {}
    for one, found in rows_of.items():
        rows = [row for row in found if not is_claimed(row, new)]
        renewed = _is_renewed(one, plan_for.get(one.name))
        for path in may_go(rows, one, claims, roots):
            if is_note(path, one):
                if renewed:
                    continue
                notes[path] = None
            names.setdefault(path, one.name)
    records = dict.fromkeys(one.recorded for one in older if one.recorded in notes)
    return Outdated(
        older,
        [path for path in names if path not in notes],
        [path for path in notes if path not in records],
        list(records),
        names,
    )


def _packages(plan: Plan | None) -> set[str]:
    """Return the names of the packages that the new wheel of the same distribution brings, namespaces left out."""
    if plan is None:
        return set()
    return {
        directory.parts[0]
        for directory in plan.pieces[-1].tree.directories
        if len(directory.parts) == 1 and "__init__.py" in directory.files
    }


def _is_renewed(one: Distribution, plan: Plan | None) -> bool:
    """Tell whether the old ``*.dist-info`` is the new one by another name, where names are folded."""
    return plan is not None and plan.dist_info != one.path and _is_same(plan.dist_info, one.path)


def _is_same(one: str, other: str) -> bool:
    try:
        return os.path.samefile(one, other)
    except OSError:
        return False
