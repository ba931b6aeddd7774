"""Which installed distributions have a file, by their ``RECORD`` files."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from wheel_linker.install._present.recorded import NoRecordError, read_text, rows_in
from wheel_linker.install._present.spelling import by_key, is_one_file, key_for

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from wheel_linker.install._present.distributions import Distribution

_MOST_HINTS: Final = 40


def owners_of(
    distributions: Iterable[Distribution], paths: Iterable[str]
) -> Mapping[str, list[tuple[Distribution, str]]]:
    """Return whose ``RECORD`` has which of these absolute paths, and with which digest.

    Where the file system folds names, those that spell a path otherwise have it, too.

    :returns: by :func:`os.path.normcase` of the path.
    """
    asked = list(distributions)
    wanted = set(map(os.path.normcase, paths))
    key_of = key_for((one.library, one.entry) for one in asked)
    folded = by_key(wanted, key_of)
    hints: dict[str, Collection[str]] = {}
    listings: dict[str, frozenset[str]] = {}
    owners: dict[str, list[tuple[Distribution, str]]] = {}
    for one in asked:
        if one.library not in hints:
            hints[one.library] = _hints(folded or wanted, key_of(one.library))
        for path, digest in _rows_with(one, hints[one.library], key_of):
            key = os.path.normcase(path)
            if key in wanted:
                owners.setdefault(key, []).append((one, digest))
            for other in folded.get(key_of(path), ()) if folded else ():
                if other != key and is_one_file(other, path, listings):
                    owners.setdefault(other, []).append((one, digest))
    return owners


def _rows_with(
    one: Distribution, hints: Collection[str], key_of: Callable[[str], str]
) -> list[tuple[str, str]]:
    """Return the rows of a ``RECORD``, unless it has none of the hints anywhere, as most have not."""
    try:
        text = read_text(one)
        # Looking for many would take longer than reading the rows.
        if len(hints) <= _MOST_HINTS:
            searched = key_of(text)
            if not any(hint in searched for hint in hints):
                return []
        return rows_in(one, text)
    except NoRecordError:
        return []


def _hints(wanted: Iterable[str], library: str) -> Collection[str]:
    """Return names of which a ``RECORD`` in ``library`` has one, however it is written, if it has one of the paths.

    :param wanted: the paths, folded like ``library``.
    """
    prefix = os.path.join(library, "")
    names = {
        path[len(prefix) :].partition(os.sep)[0]
        if path.startswith(prefix)
        else os.path.basename(path)
        for path in wanted
    }
    # CSV doubles quotation marks.
    return {name.partition('"')[0] for name in names}
