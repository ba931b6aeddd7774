"""What an older, or another, version of the same distribution leaves behind."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

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
    names: dict[str, str] = {}
    notes: list[str] = []
    for one in older:
        found, _ = record_or_guess(one, layout.schemes["scripts"], _packages(one, plans))
        rows = [row for row in found if not is_claimed(row, new)]
        renewed = _is_renewed(one, plans)
        for path in may_go(rows, one, others, layout):
            if is_note(path, one):
                if renewed:
                    continue
                notes.append(path)
            names.setdefault(path, one.name)
    records = [one.recorded for one in older if one.recorded in notes]
    apart = set(notes)
    return Outdated(
        older,
        [path for path in names if path not in apart],
        [path for path in notes if path not in records],
        records,
        names,
    )


def _packages(one: Distribution, plans: Sequence[Plan]) -> set[str]:
    """Return the names of the packages that the new wheel of the same distribution brings, namespaces left out."""
    return {
        directory.parts[0]
        for plan in plans
        if plan.wheel.name.name == one.name
        for directory in plan.pieces[-1].tree.directories
        if len(directory.parts) == 1 and "__init__.py" in directory.files
    }


def _is_renewed(one: Distribution, plans: Sequence[Plan]) -> bool:
    """Tell whether the old ``*.dist-info`` is the new one by another name, where names are folded."""
    return any(plan.dist_info != one.path and _is_same(plan.dist_info, one.path) for plan in plans)


def _is_same(one: str, other: str) -> bool:
    try:
        return os.path.samefile(one, other)
    except OSError:
        return False
