"""Scripts: those that a wheel brings, and the launchers of its entry points."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Final

from wheel_linker._wheel.names import fault
from wheel_linker.errors import InvalidWheelError, refused
from wheel_linker.install._scripts.entry_points import script_entry_points
from wheel_linker.install._scripts.first_line import PLACEHOLDER, first_line, with_interpreter
from wheel_linker.install.metadata import ENTRY_POINTS, has_entry_points, invalid, read_text
from wheel_linker.install.piece import Piece, Written

if TYPE_CHECKING:
    from collections.abc import Collection

    from wheel_linker._fs.folder import Parts
    from wheel_linker._wheel.tree import Directory, Tree
    from wheel_linker.install._scripts.entry_points import EntryPoint
    from wheel_linker.install.layout import Layout

# Unicode's controls of bidirectional writing, UAX #9, and its separators of lines and paragraphs: whoever reads such a
# name reads another one than is run.
_TURNING: Final = frozenset(
    "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u2028\u2029"
)
_EXECUTABLE: Final = stat.S_IXUSR
# Bytes of an entry_points.txt: tens of thousands of scripts have as many.
_LONGEST: Final = 1 << 22
# APPNOTE.TXT 4.3.7 and 4.3.12: where time and date are in the local and in the central header of a zip file.
_TIMES: Final = {b"PK\3\4": 10, b"PK\1\2": 12}
_FIRST_DAY: Final = b"\0\0\x21\0"
# Distributions whose scripts are called like the version of Python that they were built with.
_VERSIONED: Final = {
    "pip": (r"pip\d+\.\d+", "pip{}.{}"),
    "setuptools": (r"easy_install-\d+\.\d+", "easy_install-{}.{}"),
}
# What is put in the place of an interpreter, and its line, which may say pythonw.
_PLAIN: Final = "python.exe"
_PLAIN_LINE: Final = b"#!python"
_ANY_VERSION: Final = "pip3.0"
# What follows the first line of a launcher.
_LAUNCHER: Final = """
import sys
from {module} import {name}
if __name__ == "__main__":
    sys.exit({attribute}())
"""
# Endings of files that setuptools once made for an entry point, beside the file of its plain name.
_WRAPPER: Final = r"(?P<name>.+?)(?:\.exe|-script\.pyw?|\.pya)?"


def launchers(
    tree: Tree, dist_info: str, layout: Layout, distribution: str
) -> tuple[list[Written], set[str]]:
    """Return the launchers for a wheel's console and GUI scripts, and what the wheel itself calls these.

    :param distribution: the wheel's normalised name.
    :raises InvalidWheelError: if its entry points cannot be read, or a script would not be in the script directory.
    """
    made: dict[str, Written] = {}
    points = _entry_points(tree, dist_info)
    for given in (*points, *_of_this_python(points, distribution)):
        point = _for_version(given, layout, distribution)
        _check_name(tree, point.name, layout)
        file, data = _launcher(point, layout)
        made[file] = Written((), file, data, executable=True, is_launcher=True)
    return list(made.values()), {point.name for point in points}


def _entry_points(tree: Tree, dist_info: str) -> list[EntryPoint]:
    if not has_entry_points(tree, dist_info):
        return []
    try:
        return script_entry_points(read_text(tree, dist_info, ENTRY_POINTS, _LONGEST))
    except ValueError as error:
        if isinstance(error, InvalidWheelError):
            raise
        raise invalid(tree, f"its {ENTRY_POINTS} cannot be read ({error})") from error


def _of_this_python(points: Collection[EntryPoint], distribution: str) -> list[EntryPoint]:
    """Return pip's own launcher under the name with a version that it has, too, if pip installs it."""
    if distribution != "pip":
        return []
    return [one._replace(name=_ANY_VERSION) for one in points if one.name == "pip"]


def _for_version(point: EntryPoint, layout: Layout, distribution: str) -> EntryPoint:
    """Return the entry point as it is called with the environment's Python, as pip and uv do."""
    if distribution not in _VERSIONED:
        return point
    import re

    pattern, name = _VERSIONED[distribution]
    if not re.fullmatch(pattern, point.name):
        return point
    return point._replace(name=name.format(*layout.version))


def _launcher(point: EntryPoint, layout: Layout) -> tuple[str, bytes]:
    if layout.launcher == "posix":
        program = _LAUNCHER.format(
            module=point.module,
            name=point.attribute.partition(".")[0],
            attribute=point.attribute,
        )
        return point.name, first_line(layout.python, layout.launcher) + program.encode()
    # This is imported late, and only for the programs of Windows: it takes as long as all the rest of a small wheel.
    from installer.scripts import Script

    script = Script(point.name, point.module, point.attribute, point.section)
    file, data = script.generate(_PLAIN, layout.launcher)  # type: ignore[arg-type]
    return file, _undated(_started_by(_interpreter(point, layout), data))


def _interpreter(point: EntryPoint, layout: Layout) -> str:
    if point.section != "gui":
        return layout.python
    directory, name = os.path.split(layout.python)
    return os.path.join(directory, name.replace("python", "pythonw"))


def _started_by(python: str, launcher: bytes) -> bytes:
    """Return a launcher of Windows with another interpreter: installer has pythonw for GUI scripts since 1.0 only."""
    start = launcher.rindex(_PLAIN_LINE)
    return launcher[:start] + b"#!" + python.encode() + launcher[launcher.index(b"\n", start) :]


def _undated(launcher: bytes) -> bytes:
    """Return a launcher of Windows whose archive, with one member, says 1980 instead of now: always the same bytes."""
    dated = bytearray(launcher)
    for signature, offset in _TIMES.items():
        start = launcher.rindex(signature) + offset
        dated[start : start + len(_FIRST_DAY)] = _FIRST_DAY
    return bytes(dated)


def is_wrapper_of(name: str, points: Collection[str]) -> bool:
    """Tell whether a script is an entry point's launcher, or what an old tool made for one.

    :param points: the names of entry points, or of their launchers.
    """
    import re

    match = re.fullmatch(_WRAPPER, name, re.IGNORECASE)
    return name in points or (match is not None and match["name"] in points)


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
    with refused(f"read {path!r}", source=path), open(path, "rb", buffering=0) as file:
        if file.read(len(PLACEHOLDER)) != PLACEHOLDER:
            return None
        file.seek(0)
        data = file.read()
    made = with_interpreter(data, layout.python, layout.launcher)
    return Written(directory.parts, name, made, executable=True)


def _runs(piece: Piece, directory: Directory, name: str) -> bool:
    path = os.path.join(piece.tree.path, *directory.parts, name)
    with refused(f"read {path!r}", source=path):
        return bool(os.lstat(path).st_mode & _EXECUTABLE)


def _check_name(tree: Tree, name: str, layout: Layout) -> None:
    disguised = not _TURNING.isdisjoint(name)
    if "/" in name or disguised or fault(name, windows=layout.os_name == "nt"):
        raise invalid(tree, f"a script is called {name!r}, which is no file name")
