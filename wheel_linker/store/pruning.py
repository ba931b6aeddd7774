"""Pruning: which entries are too old, or too many, and what goes with them."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Final

from wheel_linker._fs.descent import Descent
from wheel_linker._fs.folder import Folder
from wheel_linker._fs.permissions import FOLLOW_FOR_TIMES
from wheel_linker._fs.timestamps import shown
from wheel_linker._fs.windows import is_directory
from wheel_linker._log import log
from wheel_linker.store import index
from wheel_linker.store.control import control_folder
from wheel_linker.store.entries import broken_entries, read_entries
from wheel_linker.store.layout import BYTECODE, TREE
from wheel_linker.store.removing import remove
from wheel_linker.store.symlinked import note_pruning, tell_removed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import timedelta

    from wheel_linker.store._entry.entry import Entry
    from wheel_linker.store.session import Session


# Seconds. No clock has gone for so long.
_FOR_EVER: Final = 1e18


def refuse_no_amount(unused_for: float | timedelta | None, max_bytes: int | None) -> None:
    """Refuse what nothing can be compared with.

    :raises ValueError: if the time is no number, or the size is negative or none.
    """
    # A negative time means what may be used in the future as well: everything.
    if unused_for is not None and not abs(_seconds(unused_for)) >= 0:
        raise ValueError(f"unused_for is {shown(_seconds(unused_for))}: give a number of seconds")
    if max_bytes is not None and not max_bytes >= 0:
        raise ValueError(f"max_bytes is {shown(max_bytes)}: give 0 bytes or more")


def _seconds(given: float | timedelta) -> float:
    return given if isinstance(given, (int, float)) else given.total_seconds()


def prune(
    session: Session,
    *,
    unused_for: float | timedelta | None,
    max_bytes: int | None,
    keep_linked: bool,
) -> list[Entry]:
    """Remove what was not used for long, or is too much, and what killed processes left; never what is in use.

    :returns: what was removed.
    :raises OSError: if the store cannot be written.
    """
    layout = session.layout
    session.sweep()
    correct_times(map(layout.manifest, os.listdir(layout.root)))
    # Nobody can use those that are damaged.
    chosen = broken_entries(layout)
    chosen += prunable(
        read_entries(layout), unused_for=unused_for, max_bytes=max_bytes, keep_linked=keep_linked
    )
    removed = remove(session, chosen, all_or_none=False)
    _tidy_up(session, removed, wanted=unused_for is not None or max_bytes is not None)
    return removed


def _tidy_up(session: Session, removed: Sequence[Entry], *, wanted: bool) -> None:
    """Have the control files know what was removed.

    :param wanted: whether entries were to be removed that could be used.
    """
    layout = session.layout
    with session.going(), control_folder(layout) as control:
        if wanted:
            note_pruning(control, session.standing)
        tell_removed(control, [entry.name for entry in removed], session.standing)
        index.compact(control, lambda name: os.path.exists(layout.manifest(name)), session.standing)


def prunable(
    entries: Iterable[Entry],
    *,
    unused_for: float | timedelta | None,
    max_bytes: int | None,
    keep_linked: bool,
) -> list[Entry]:
    """Return the entries to be removed, with how many bytes that frees.

    Of those that are too many, the ones go first whose files no environment has as hard links: removing others
    frees nothing.

    :param entries: what there is.
    :param unused_for: remove what was not used for so many seconds.
    :param max_bytes: remove what was used longest ago, until the rest has no more bytes.
    :param keep_linked: whether what an environment has as hard links stays in any case.
    """
    if unused_for is None and max_bytes is None:
        return []
    oldest = None
    if unused_for is not None:
        oldest = time.time() - max(min(_seconds(unused_for), _FOR_EVER), -_FOR_EVER)
    measured = [_measured(entry) for entry in sorted(entries, key=_used)]
    chosen = [
        entry
        for entry in measured
        if oldest is not None and entry.used <= oldest and not (keep_linked and _is_linked(entry))
    ]
    if max_bytes is not None:
        gone = {entry.name for entry in chosen}
        rest = [entry for entry in measured if entry.name not in gone]
        chosen += _too_many(rest, max_bytes, keep_linked=keep_linked)
    return chosen


def correct_times(descriptions: Iterable[str]) -> None:
    """Have entries that were used while the clock was wrong be used now, if that lies in the future.

    :param descriptions: the paths of files whose times say when an entry was used; not all of them need exist.
    """
    now = time.time()
    for path in descriptions:
        try:
            status = os.lstat(path)
            if min(status.st_mtime, status.st_ctime) > now:
                os.utime(path, follow_symlinks=FOLLOW_FOR_TIMES)
        except OSError as error:
            log("cannot correct the time of %s: %s", path, error)


def _too_many(entries: Iterable[Entry], max_bytes: int, *, keep_linked: bool) -> list[Entry]:
    remaining = sum(entry.whole_size for entry in entries)
    chosen = []
    for entry in sorted(entries, key=_is_linked):
        if remaining <= max_bytes or (keep_linked and _is_linked(entry)):
            break
        chosen.append(entry)
        remaining -= entry.whole_size
    return chosen


def _used(entry: Entry) -> float:
    return entry.used


def _is_linked(entry: Entry) -> bool:
    """Tell whether some of its files have other names, too, in environments as a rule."""
    return entry.frees is not None and entry.frees < entry.whole_size


def _measured(entry: Entry) -> Entry:
    """Return an entry with how many bytes removing it frees."""
    try:
        seen = [_freed(path) for path in _trees(entry)]
    except OSError as error:
        log("cannot tell what removing %s frees: %s", entry.path, error)
        return entry
    if not any(is_linked for _, is_linked in seen):
        return entry._replace(frees=entry.whole_size)
    # An edited file does not count as one that others have.
    return entry._replace(frees=min(sum(freed for freed, _ in seen), entry.whole_size - 1))


def _trees(entry: Entry) -> list[str]:
    """Return the directories of an entry's files, and of their bytecode."""
    sets = os.path.join(os.path.dirname(entry.path), BYTECODE)
    if not entry.bytecode:
        return [entry.path]
    return [entry.path, *(os.path.join(sets, name, TREE) for name in os.listdir(sets))]


def _freed(path: str) -> tuple[int, bool]:
    """Add up the files in a directory that have no other name; tell whether there are others, too."""
    freed, is_linked = 0, False
    pending: list[tuple[str, ...]] = [()]
    with Folder.open(path, listing=True) as top, Descent(top, Folder.enter) as descent:
        while pending:
            parts = pending.pop()
            folder = descent.go(parts)
            for name in folder.listdir():
                status = folder.lstat(name)
                if status is None:
                    continue
                if is_directory(status):
                    pending.append((*parts, name))
                elif status.st_nlink < 2:
                    freed += status.st_size
                else:
                    is_linked = True
    return freed, is_linked
