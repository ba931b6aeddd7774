"""Paths that several wheels of one call supply with different contents, in whichever directory of the environment."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

from wheel_linker._link.pipeline import supplier_of
from wheel_linker._wheel.conflict_search import find_conflicts
from wheel_linker._wheel.conflicts import PackageConflict
from wheel_linker._wheel.record import SHA256, encoded
from wheel_linker.install._present.clashes import recorded

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from wheel_linker._wheel.conflicts import Supplier
    from wheel_linker.install.plan import Plan


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
    moved: dict[str, list[Plan]] = {}
    for plan in plans:
        for piece in plan.pieces[:-1]:
            for path in piece.paths():
                moved.setdefault(os.path.normcase(path), []).append(plan)
    if not moved:
        return
    suppliers = {path: list(known) for path, known in moved.items()}
    for plan in plans:
        # Most of what is moved lies outside of every library.
        prefix = os.path.normcase(os.path.join(plan.library, ""))
        if any(path.startswith(prefix) for path in moved):
            for path in map(os.path.normcase, plan.pieces[-1].paths()):
                if path in suppliers:
                    suppliers[path].append(plan)
    shared = {path: known for path, known in suppliers.items() if len(known) > 1}
    if shared:
        yield from _different(shared)


def _different(shared: dict[str, list[Plan]]) -> Iterator[PackageConflict]:
    contents = {id(plan): _contents(plan) for known in shared.values() for plan in known}
    reported = set()
    for path, known in sorted(shared.items()):
        if len({contents[id(plan)].get(path, str(id(plan))) for plan in known}) == 1:
            continue
        relative = os.path.relpath(path, known[0].library).replace(os.sep, "/")
        wheels = tuple(dict.fromkeys(plan.wheel.name for plan in known))
        key = (wheels, relative.partition("/")[0] if relative[:2] != ".." else relative)
        if key not in reported:
            reported.add(key)
            yield PackageConflict(relative, wheels)


def _contents(plan: Plan) -> dict[str, str]:
    """Return what tells whether two files are alike, by path; what the wheel has no hash of is left out."""
    found = {os.path.normcase(path): digest for path, digest in recorded(plan) if digest}
    for piece in plan.pieces:
        for file in piece.written:
            path = os.path.join(piece.destination, *file.parts, file.name)
            digest = encoded(hashlib.sha256(file.data).digest())
            found[os.path.normcase(path)] = f"{SHA256}={digest}"
    return found
