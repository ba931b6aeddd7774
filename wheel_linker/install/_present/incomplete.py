"""An installation that is incomplete: its ``RECORD`` is empty or damaged, as a power cut leaves it.

What belongs to it is told by what is left of its ``*.dist-info``, and by its name.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from wheel_linker._fs.reading import read_regular
from wheel_linker._log import log
from wheel_linker.install._present.recorded import (
    IncompleteInstallationError,
    Recorded,
    read_record,
)
from wheel_linker.install._present.removing import is_note
from wheel_linker.install._scripts.entry_points import script_entry_points

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from wheel_linker.install._present.distributions import Distribution
    from wheel_linker.install._scripts.entry_points import EntryPoint

_MUCH: Final = 1 << 20
_EXTENSIONS: Final = (".so", ".pyd")


def record_or_guess(
    one: Distribution, scripts: str, names: Collection[str] = ()
) -> tuple[list[Recorded], bool]:
    """Return what belongs to a distribution, and whether that had to be guessed.

    What is in its ``*.dist-info`` belongs to it also if its ``RECORD`` names nothing there: should some of that stay,
    the distribution would still be listed.

    :param scripts: the environment's directory for scripts.
    :param names: top-level names that are known to belong to it, besides those that are found.
    :raises NoRecordError: if it has no ``RECORD`` at all: then another tool knows what belongs to it.
    :raises LinkError: as :func:`read_record`.
    """
    try:
        rows = read_record(one)
    except IncompleteInstallationError as error:
        log("%s", error)
        return guess(one, scripts, names), True
    if not names_own_notes(one, rows):
        known = {row.path for row in rows}
        rows += [Recorded(path, path) for path in _below(one.path) if path not in known]
    return rows, False


def names_own_notes(one: Distribution, rows: Iterable[Recorded]) -> bool:
    """Tell whether the rows of a ``RECORD`` name anything in its own ``*.dist-info`` besides itself."""
    # The RECORD itself belongs to the distribution whether it is named or not.
    return any(is_note(row.path, one) and row.path != one.recorded for row in rows)


def guess(one: Distribution, scripts: str, names: Collection[str] = ()) -> list[Recorded]:
    """Return the files of a distribution without a ``RECORD`` that its notes and names lead to."""
    points = _entry_points(one)
    tops = {one.name.replace("-", "_"), *_top_level(one), *names}
    tops |= {point.module.partition(".")[0] for point in points}
    found = [
        *_below(one.path),
        *(path for name in sorted(tops) for path in _of_top_level(one.library, name)),
        *(path for point in points for path in _launchers(scripts, point.name)),
    ]
    return [Recorded(path, path) for path in dict.fromkeys(found)]


def _of_top_level(library: str, name: str) -> Iterator[str]:
    """Yield the files of a package or module by its name."""
    if not name.isidentifier():
        return
    directory = os.path.join(library, name)
    if os.path.isdir(directory) and not os.path.islink(directory):
        yield from _below(directory)
    for entry in os.listdir(library):
        stem, _, rest = entry.partition(".")
        if stem == name and (rest == "py" or entry.endswith(_EXTENSIONS)):
            yield os.path.join(library, entry)


def _below(directory: str) -> Iterator[str]:
    for path, directories, files in os.walk(directory):
        links = [name for name in directories if os.path.islink(os.path.join(path, name))]
        for name in (*files, *links):
            yield os.path.join(path, name)


def _launchers(scripts: str, name: str) -> Iterator[str]:
    if os.path.basename(name) == name:
        for entry in (name, f"{name}.exe"):
            path = os.path.join(scripts, entry)
            if os.path.isfile(path):
                yield path


def _top_level(one: Distribution) -> list[str]:
    return [line.strip() for line in _text(one, "top_level.txt").splitlines()]


def _entry_points(one: Distribution) -> list[EntryPoint]:
    try:
        return script_entry_points(_text(one, "entry_points.txt"))
    except ValueError:
        return []


def _text(one: Distribution, name: str) -> str:
    path = os.path.join(one.path, name)
    try:
        # A symlink, as in symlink mode, does not say more than the rest does.
        return read_regular(path, _MUCH).decode("utf-8", "replace")
    except OSError as error:
        log("cannot read %s: %s", path, error)
        return ""
