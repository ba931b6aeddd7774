"""Files that start or make up an environment, which no wheel may replace.

A script called ``python`` would be started by itself, and take the environment's interpreter along when it is
uninstalled.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from wheel_linker._fs.paths import is_same, is_within
from wheel_linker.errors import InvalidWheelError
from wheel_linker.install._present.distributions import find_distributions, named
from wheel_linker.install._present.recorded import NoRecordError, read_record

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from wheel_linker._fs.folder import Parts
    from wheel_linker.install.layout import Layout
    from wheel_linker.install.piece import Piece
    from wheel_linker.install.plan import Plan

_PYTHON: Final = "python"
_INTERPRETER: Final = r"pythonw?(?:\d+(?:\.\d+)*)?t?(?:\.exe)?"
_ACTIVATION: Final = r"(?:de)?activate(?:_this)?(?:\.\w+)?"
_CONFIGURATION: Final = "pyvenv.cfg"


def refuse_protected(plans: Sequence[Plan], layout: Layout) -> None:
    """Refuse wheels that would replace the interpreter, ``pyvenv.cfg`` or an activation script.

    What the same distribution has installed there before is its own.

    :param layout: with its symlinks resolved.
    :raises InvalidWheelError: if one would.
    :raises LinkError: if what is installed cannot be read.
    """
    places = _Places(layout)
    for plan in plans:
        found = [path for piece in plan.pieces for path in places.protected(piece)]
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


class _Places:
    """The directories of an environment in which some names are its own.

    :param layout: with its symlinks resolved.
    """

    def __init__(self, layout: Layout) -> None:
        scripts, home = layout.schemes["scripts"], os.path.dirname(layout.python)
        self._layout = layout
        self._programs = {scripts, home, os.path.realpath(home)}
        self._above = {layout.schemes["data"], *map(os.path.dirname, self._programs)}
        self._below: dict[str, dict[Parts, str]] = {}
        self._known: dict[tuple[str, Parts], str | None] = {}

    def protected(self, piece: Piece) -> Iterator[str]:
        """Yield the absolute paths of those files that are an environment's own, by their names or what is there."""
        below = self._below.get(piece.destination)
        if below is None:
            below = self._below[piece.destination] = self._found_below(piece.destination)
        if not below:
            return  # most pieces go where nothing is protected
        for each in piece.tree.directories:
            directory = below.get(each.parts) or self._behind_symlink(piece, each.parts)
            if directory is not None:
                written = (file.name for file in piece.written if file.parts == each.parts)
                for name in (*each.names(), *written):
                    if self._is_own(directory, name):
                        yield os.path.join(directory, name)

    def _found_below(self, destination: str) -> dict[Parts, str]:
        """Return the protected directories that lie in the directory that a piece goes to, by their names below it."""
        found: dict[Parts, str] = {}
        for directory in sorted(self._programs | self._above):
            if is_within(directory, destination):
                below = os.path.relpath(directory, destination)
                found[() if below == os.curdir else tuple(below.split(os.sep))] = directory
        return found

    def _behind_symlink(self, piece: Piece, parts: Parts) -> str | None:
        """Return the protected directory that a symlink makes of a directory of the wheel; None if it makes none."""
        real = self._real(piece.destination, parts)
        return real if real in self._programs or real in self._above else None

    def _real(self, destination: str, parts: Parts) -> str | None:
        """Return where a directory of the environment is; None if it is not there yet, and nothing below it either.

        Directories above are asked for first, and the answers kept: a wheel may have thousands.
        """
        if not parts:
            return destination
        key = (destination, parts)
        if key not in self._known:
            above = self._real(destination, parts[:-1])
            path = None if above is None else os.path.join(above, parts[-1])
            if path is not None and os.path.islink(path):
                path = os.path.realpath(path)
            elif path is not None and not os.path.lexists(path):
                path = None
            self._known[key] = path
        return self._known[key]

    def _is_own(self, directory: str, name: str) -> bool:
        path = os.path.join(directory, name)
        if directory in self._programs and _is_program(name, path, self._layout):
            return True
        return name.lower() == _CONFIGURATION and (
            directory in self._above or os.path.lexists(path)
        )


def _is_program(name: str, path: str, layout: Layout) -> bool:
    may_be_python, is_there = name.lower().startswith(_PYTHON), os.path.lexists(path)
    if not (may_be_python or is_there):
        return False  # as most
    import re

    if may_be_python and re.fullmatch(_INTERPRETER, name, re.IGNORECASE):
        return True
    activates = re.fullmatch(_ACTIVATION, name, re.IGNORECASE) is not None
    return is_there and (activates or is_same(path, layout.python))
