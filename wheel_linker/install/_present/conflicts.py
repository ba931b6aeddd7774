"""Files of new wheels that distributions installed before have too, with different contents."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from wheel_linker._wheel.bytecode import is_bytecode
from wheel_linker._wheel.conflicts import PackageConflict
from wheel_linker._wheel.filename import WheelFilename
from wheel_linker.errors import InvalidWheelError
from wheel_linker.install._present.owners import owners_of
from wheel_linker.install.record import read_own_record

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from wheel_linker.install._present.distributions import Distribution
    from wheel_linker.install.plan import Plan


def conflicts_with_installed(
    plans: Sequence[Plan], others: Sequence[Distribution]
) -> tuple[PackageConflict, ...]:
    """Return the conflicts, at most one for each wheel and top-level name; hashes in the ``RECORD`` files tell.

    :param others: what is installed, but for what the wheels take the place of.
    :raises LinkError: if a ``RECORD`` cannot be read.
    """
    if not others:
        return ()
    owners = owners_of(
        others, (path for plan in plans for piece in plan.pieces for path in piece.paths())
    )
    found: dict[tuple[WheelFilename, str], PackageConflict] = {}
    for plan in plans:
        for path, digest in recorded(plan):
            for other, theirs in owners.get(os.path.normcase(path), ()):
                if digest and digest == theirs.rstrip("="):
                    continue
                relative = os.path.relpath(path, plan.library).replace(os.sep, "/")
                key = (plan.wheel.name, relative.partition("/")[0])
                wheels = (_filename(other), plan.wheel.name)
                found.setdefault(key, PackageConflict(relative, wheels))
    return tuple(found.values())


def recorded(plan: Plan) -> Iterator[tuple[str, str]]:
    """Yield the absolute path of each file of a wheel, and the hash that its ``RECORD`` has, if any."""
    rows = read_own_record(plan.wheel.tree, plan.metadata).rows
    for piece in plan.pieces:
        for path in piece.paths():
            relative = os.path.relpath(path, piece.destination).replace(os.sep, "/")
            row = rows.get(f"{piece.prefix}/{relative}" if piece.prefix else relative)
            if row is None and piece.bytecode is not None and is_bytecode(path):
                continue  # the same source has the same bytecode
            yield path, f"{row.algorithm}={row.digest}" if row else ""


def _filename(one: Distribution) -> WheelFilename:
    try:
        return WheelFilename.from_dist_info(f"{one.name}-{one.version}.dist-info")
    except InvalidWheelError:  # from a time when any text could be a version
        from packaging.version import Version

        return WheelFilename(f"{one.name}-{one.version}.whl", one.name, Version("0"))
