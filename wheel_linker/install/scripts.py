"""Scripts: those that a wheel brings, and the launchers of its entry points."""

from __future__ import annotations

import configparser
import os
import stat
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from installer.scripts import Script
from installer.utils import parse_entrypoints

from wheel_linker.errors import InvalidWheelError, LinkError
from wheel_linker.install.metadata import read_text
from wheel_linker.install.piece import Piece, Written

if TYPE_CHECKING:
    from wheel_linker._fs.folder import Parts
    from wheel_linker._wheel.tree import Directory, Tree
    from wheel_linker.install.layout import Layout

ENTRY_POINTS: Final = "entry_points.txt"
_PLACEHOLDER: Final = b"#!python"
_BODY: Final = b"\n# -*- coding"
_EXECUTABLE: Final = stat.S_IXUSR


def launchers(tree: Tree, dist_info: str, layout: Layout) -> list[Written]:
    """Return the launchers for a wheel's console and GUI scripts.

    Extras that an entry point asks for are ignored, as the specification of entry points allows.

    :raises InvalidWheelError: if its entry points cannot be read, or a script would not be in the script directory.
    """
    index = tree.find(dist_info)
    if index is None or ENTRY_POINTS not in tree.directories[index].files:
        return []
    text = read_text(tree, dist_info, ENTRY_POINTS)
    made: dict[str, Written] = {}
    try:
        for name, module, attribute, section in parse_entrypoints(text):
            _check_name(tree, name)
            script = Script(name, module, attribute, section)
            file, data = script.generate(layout.python, layout.launcher)  # type: ignore[arg-type]
            made[file] = Written((), file, data, executable=True)
    except (AssertionError, AttributeError, configparser.Error) as error:
        reason = str(error).partition("\n")[0] or "one is not MODULE:OBJECT"
        raise _invalid(tree, f"its {ENTRY_POINTS} cannot be read ({reason})") from error
    return list(made.values())


def prepared(piece: Piece, layout: Layout) -> Piece:
    """Return a piece of scripts with what must be rewritten or made executable taken from what is linked.

    :raises LinkError: if a script cannot be read.
    """
    written: list[Written] = []
    to_run: set[Parts] = set()
    kept = {}
    for directory in piece.tree.directories:
        rewritten = [
            made for name in directory.files if (made := _rewritten(piece, directory, name, layout))
        ]
        written += rewritten
        names = {made.name for made in rewritten}
        kept[directory.parts] = [name for name in directory.files if name not in names]
        to_run.update(
            (*directory.parts, name)
            for name in kept[directory.parts]
            if layout.os_name == "posix" and not _runs(piece, directory, name)
        )
    return piece._replace(
        tree=piece.tree.with_files(kept),
        written=(*piece.written, *written),
        to_run=frozenset(to_run),
    )


def _rewritten(piece: Piece, directory: Directory, name: str, layout: Layout) -> Written | None:
    """Return a script that starts with ``#!python`` with the interpreter's path instead; None for any other."""
    path = os.path.join(piece.tree.path, *directory.parts, name)
    try:
        with open(path, "rb", buffering=0) as file:
            if file.read(len(_PLACEHOLDER)) != _PLACEHOLDER:
                return None
            file.seek(0)
            data = file.read()
    except OSError as error:
        raise LinkError.from_os_error(error, f"read {path!r}", source=path) from error
    _, newline, rest = data.partition(b"\n")
    first = _first_line(layout.python, layout.launcher)
    return Written(directory.parts, name, first + newline + rest, executable=True)


def _runs(piece: Piece, directory: Directory, name: str) -> bool:
    path = os.path.join(piece.tree.path, *directory.parts, name)
    try:
        return bool(os.lstat(path).st_mode & _EXECUTABLE)
    except OSError as error:
        raise LinkError.from_os_error(error, f"read {path!r}", source=path) from error


@lru_cache(maxsize=16)
def _first_line(python: str, launcher: str) -> bytes:
    """Return what starts an interpreter, also one whose path is too long, or has spaces, for a ``#!`` line."""
    # As installer's own launchers start; on Windows, whose launchers take any path, too.
    _, data = Script("script", "module", "function", "console").generate(python, "posix")
    return b"#!" + os.fsencode(python) if launcher != "posix" else data[: data.index(_BODY)]


def _check_name(tree: Tree, name: str) -> None:
    if not name or name in (os.curdir, os.pardir) or {"/", "\\", "\0", ":"} & set(name):
        raise _invalid(tree, f"a script is called {name!r}, which is no file name")


def _invalid(tree: Tree, reason: str) -> InvalidWheelError:
    return InvalidWheelError(f"cannot install {tree.path!r}: {reason}; build the wheel again")
