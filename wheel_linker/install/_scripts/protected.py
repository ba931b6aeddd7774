"""Files that start or make up an environment, which no wheel may replace.

A script called ``python`` would be started by itself, and take the environment's interpreter along when it is
uninstalled.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Final

from wheel_linker._fs.paths import is_within
from wheel_linker.errors import InvalidWheelError
from wheel_linker.install._present.distributions import (
    NoRecordError,
    find_distributions,
    named,
    read_record,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from collections.abc import Set as AbstractSet

    from wheel_linker._fs.folder import Parts
    from wheel_linker.install.layout import Layout
    from wheel_linker.install.piece import Piece
    from wheel_linker.install.plan import Plan

_INTERPRETER: Final = re.compile(r"pythonw?(?:\d+(?:\.\d+)*)?t?(?:\.exe)?", re.IGNORECASE)
_ACTIVATION: Final = re.compile(r"(?:de)?activate(?:_this)?(?:\.\w+)?", re.IGNORECASE)
_CONFIGURATION: Final = "pyvenv.cfg"


def refuse_protected(plans: Sequence[Plan], layout: Layout) -> None:
    """Refuse wheels that would replace the interpreter, ``pyvenv.cfg`` or an activation script.

    What the same distribution has installed there before is its own.

    :param layout: with its symlinks resolved.
    :raises InvalidWheelError: if one would.
    :raises LinkError: if what is installed cannot be read.
    """
    scripts, home = layout.schemes["scripts"], os.path.dirname(layout.python)
    programs = {scripts, home, os.path.realpath(home)}
    above = {layout.schemes["data"], *map(os.path.dirname, programs)}
    for plan in plans:
        found = [
            path for piece in plan.pieces for path in _protected(piece, layout, programs, above)
        ]
        if found and (taken := [path for path in found if path not in _own(plan, layout)]):
            raise InvalidWheelError(
                f"cannot install {plan.wheel.tree.called!r}: its {os.path.basename(taken[0])!r} would be "
                f"{taken[0]!r}, a name that belongs to the environment itself; rename it in the project and build "
                "the wheel again"
            )


def _own(plan: Plan, layout: Layout) -> set[str]:
    """Return the paths of what is installed of the same distribution."""
    paths: set[str] = set()
    for one in named(find_distributions(layout), {plan.wheel.name.name}):
        try:
            paths.update(row.path for row in read_record(one))
        except NoRecordError:
            continue  # nothing tells that it is its own
    return paths


def _protected(
    piece: Piece, layout: Layout, programs: AbstractSet[str], above: AbstractSet[str]
) -> Iterator[str]:
    """Yield the absolute paths of a piece's files that are an environment's own, by their names or what is there.

    :param programs: where interpreter and scripts are.
    :param above: the directories over these, and the environment itself.
    """
    for directory in sorted(programs | above):
        for name in _names_at(piece, directory):
            path = os.path.join(directory, name)
            if (directory in programs and _is_program(name, path, layout)) or (
                name.lower() == _CONFIGURATION and (directory in above or os.path.lexists(path))
            ):
                yield path


def _names_at(piece: Piece, directory: str) -> Sequence[str]:
    """Return the names of a piece's files that go to a directory."""
    # For most pieces this is all there is to do.
    if not is_within(directory, piece.destination):
        return ()
    below = os.path.relpath(directory, piece.destination)
    wanted: Parts = () if below == os.curdir else tuple(below.split(os.sep))
    for each in piece.tree.directories:
        if each.parts == wanted:
            written = [file.name for file in piece.written if file.parts == wanted]
            return [*each.files, *(name for name, _ in each.links), *written]
    return ()


def _is_program(name: str, path: str, layout: Layout) -> bool:
    if _INTERPRETER.fullmatch(name):
        return True
    if not os.path.lexists(path):
        return False
    return _ACTIVATION.fullmatch(name) is not None or _is_same(path, layout.python)


def _is_same(one: str, other: str) -> bool:
    try:
        return os.path.samefile(one, other)
    except OSError:
        return False
