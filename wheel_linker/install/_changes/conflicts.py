"""Paths that several wheels of one call supply with different contents, in whichever directory of the environment."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

from wheel_linker._compat.named_tuple import NamedTuple
from wheel_linker._link.pipeline import supplier_of
from wheel_linker._wheel.conflict_search import are_one_name, find_conflicts
from wheel_linker._wheel.conflicts import PackageConflict
from wheel_linker._wheel.names import fold
from wheel_linker._wheel.record import SHA256, encoded
from wheel_linker.install._present.conflicts import recorded

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from wheel_linker._wheel.conflicts import Supplier
    from wheel_linker.install.plan import Plan


class _Supplied(NamedTuple):
    """A file that does not come from the root of a wheel, or lies where another one does."""

    path: str
    plan: Plan


def conflicts_among(plans: Sequence[Plan]) -> tuple[PackageConflict, ...]:
    """Return the conflicts of wheels with each other, at most one for each pair and top-level name.

    :raises LinkError: if a wheel cannot be read.
    """
    by_library: dict[str, list[Supplier]] = {}
    for one in plans:
        by_library.setdefault(one.library, []).append(supplier_of(one.wheel))
    found = [
        conflict
        for library, suppliers in by_library.items()
        for conflict in find_conflicts(library, suppliers)
    ]
    return (*found, *_beside_roots(plans))


def _beside_roots(plans: Sequence[Plan]) -> Iterator[PackageConflict]:
    """Yield the conflicts of files that do not come from the root of a wheel: scripts, launchers, data, headers."""
    moved: dict[str, list[_Supplied]] = {}
    for plan in plans:
        for piece in plan.pieces[:-1]:
            for path in piece.paths():
                moved.setdefault(fold(path), []).append(_Supplied(path, plan))
    if not moved:
        return
    for plan in plans:
        # Most of what is moved lies outside of every library.
        prefix = fold(os.path.join(plan.library, ""))
        if any(path.startswith(prefix) for path in moved):
            for path in plan.pieces[-1].paths():
                if fold(path) in moved:
                    moved[fold(path)].append(_Supplied(path, plan))
    shared = [group for known in moved.values() if len(known) > 1 for group in _by_file(known)]
    if shared:
        yield from _different(shared)


def _by_file(alike: Sequence[_Supplied]) -> Iterator[list[_Supplied]]:
    """Yield what is supplied for one file, of paths that may be one where the file system folds names."""
    groups: list[list[_Supplied]] = []
    for one in alike:
        for group in groups:
            if _are_one_path(one.path, group[0].path):
                group.append(one)
                break
        else:
            groups.append([one])
    return (group for group in groups if len(group) > 1)


def _are_one_path(one: str, other: str) -> bool:
    if os.path.normcase(one) == os.path.normcase(other):
        return True
    above, name = os.path.split(one)
    other_above, other_name = os.path.split(other)
    if name != other_name and not are_one_name(above, name, other_name):
        return False
    return _are_one_path(above, other_above)


def _different(shared: list[list[_Supplied]]) -> Iterator[PackageConflict]:
    contents = {id(plan): _contents(plan) for known in shared for _, plan in known}
    reported = set()
    for known in sorted(shared, key=_path):
        alike = {
            contents[id(plan)].get(os.path.normcase(path), str(id(plan))) for path, plan in known
        }
        if len(alike) == 1:
            continue
        path, plan = known[0]
        relative = os.path.relpath(path, plan.library).replace(os.sep, "/")
        wheels = tuple(dict.fromkeys(each.wheel.name for _, each in known))
        key = (wheels, relative.partition("/")[0] if relative[:2] != ".." else relative)
        if key not in reported:
            reported.add(key)
            yield PackageConflict(relative, wheels)


def _path(known: list[_Supplied]) -> str:
    return known[0].path


def _contents(plan: Plan) -> dict[str, str]:
    """Return what tells whether two files are alike, by path; what the wheel has no hash of is left out."""
    found = {os.path.normcase(path): digest for path, digest in recorded(plan) if digest}
    for piece in plan.pieces:
        for file in piece.written:
            path = os.path.join(piece.destination, *file.parts, file.name)
            digest = encoded(hashlib.sha256(file.data).digest())
            found[os.path.normcase(path)] = f"{SHA256}={digest}"
    return found
