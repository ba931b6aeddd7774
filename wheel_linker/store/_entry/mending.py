"""Finding and mending what was changed in an entry since it was unpacked."""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING

from wheel_linker._fs.descent import Descent
from wheel_linker._fs.folder import Folder
from wheel_linker._fs.moving import move, move_away
from wheel_linker._fs.permissions import if_allowed
from wheel_linker._fs.windows import is_directory
from wheel_linker.store._entry.content import NOT_THERE, has_content, leads_to, size_of
from wheel_linker.store._entry.damage import (
    ADDED,
    CHANGED,
    DESCRIPTION,
    ITS_ROWS,
    MISSING,
    Damage,
)
from wheel_linker.store._entry.seal import is_sealed, is_sealed_or_missing
from wheel_linker.store.layout import BOOT, MANIFEST, PROBLEMS, ROWS, TREE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from wheel_linker._archive.stored_file import StoredFile
    from wheel_linker.store._entry.damage import DamageKind
    from wheel_linker.store._entry.entry import Entry
    from wheel_linker.store._entry.manifest import Manifest


def find_damage(
    entry: Entry,
    facts: Manifest,
    files: Sequence[StoredFile],
    *,
    deep: bool,
    keeps_bits: Callable[[], bool],
) -> list[Damage]:
    """Compare an entry with what was noted when it was unpacked.

    :param deep: whether every file is read; else only those whose time is another than that of unpacking.
    :param keeps_bits: tells whether permission bits mean anything where the entry is; called when it matters.
    :returns: what differs, by path.
    :raises OSError: if a file cannot be read.
    """
    expected = {file.path: file for file in files}
    found: set[str] = set()
    damage: list[Damage] = []
    for folder, path, name in _walk(entry.path):
        file = expected.get(path)
        if file is None:
            damage.append(Damage(entry, path, ADDED))
            continue
        found.add(path)
        if not _is_intact(folder, name, file, None if deep else facts.stamp, keeps_bits):
            damage.append(Damage(entry, path, CHANGED))
    damage += [Damage(entry, path, MISSING) for path in expected if path not in found]
    damage += _rows_damage(entry, facts)
    return sorted(damage, key=_path)


def _rows_damage(entry: Entry, facts: Manifest) -> list[Damage]:
    """Compare what an entry keeps of its ``RECORD`` with what was noted."""
    above = os.path.dirname(entry.path)
    path = os.path.join(above, ROWS)
    size = size_of(path)
    whole = size == facts.rows and (size < 0 or is_sealed(path, size))
    if whole and is_sealed_or_missing(os.path.join(above, PROBLEMS)):
        return []
    kind: DamageKind = ADDED if facts.rows < 0 else MISSING if size == NOT_THERE else CHANGED
    return [Damage(entry, ITS_ROWS, kind)]


def description_damage(entry: Entry) -> Damage:
    """Say that an entry's description cannot be read."""
    size = size_of(os.path.join(os.path.dirname(entry.path), MANIFEST))
    return Damage(entry, DESCRIPTION, MISSING if size == NOT_THERE else CHANGED)


def _path(damage: Damage) -> str:
    return damage.path


def _walk(path: str) -> Iterator[tuple[Folder, str, str]]:
    """Yield whatever is not a directory: where it is, its path, and its name; nothing if there is no directory."""
    above, name = os.path.split(path)
    try:
        with Folder.open(above) as parent:
            root = parent.enter_to_list(name)
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        return
    with root:
        yield from _walk_below(root)


def _walk_below(root: Folder) -> Iterator[tuple[Folder, str, str]]:
    pending: list[tuple[str, ...]] = [()]
    with Descent(root, Folder.enter_to_list) as descent:
        while pending:
            parts = pending.pop()
            folder = descent.go(parts)
            for name in sorted(folder.listdir()):
                status = folder.lstat(name)
                if status is not None and is_directory(status):
                    pending.append((*parts, name))
                else:
                    yield folder, "/".join((*parts, name)), name


def _is_intact(
    folder: Folder,
    name: str,
    file: StoredFile,
    stamp: int | None,
    keeps_bits: Callable[[], bool],
) -> bool:
    """Tell whether a file is what was unpacked.

    :param stamp: the modification time with which it need not be read.
    """
    status = folder.lstat(name)
    if file.target is not None:
        return status is not None and leads_to(folder, name, file.target)
    if status is None or not stat.S_ISREG(status.st_mode) or status.st_size != file.size:
        return False
    if os.name == "posix" and bool(status.st_mode & 0o111) != file.executable and keeps_bits():
        return False
    # Another time alone is no damage: archives and copies keep whole seconds, or no times at all.
    return status.st_mtime_ns == stamp or has_content(folder, name, file)


def mend(
    damage: Sequence[Damage], entry: Folder, fresh: Folder, waste: Folder, stamp: int | None
) -> None:
    """Replace what is changed or missing, one file at a time and each in one step, and move away what was added.

    The description comes last: until then the entry counts as damaged.

    :param entry: the entry's directory.
    :param fresh: the same entry, made anew.
    :param waste: an empty directory for what is moved away.
    :param stamp: the time of the entry's other files in nanoseconds since the epoch; None if that is lost.
    :raises OSError: if something cannot be moved.
    """
    tree = _tree(entry, waste)
    with tree, fresh.enter(TREE) as source:
        if stamp is not None:
            _date(damage, source, stamp)
        # What was added is moved away first: it may be a file in the way of a directory, or the reverse.
        for number, item in enumerate(sorted(damage, key=_added_first)):
            if item.path not in (DESCRIPTION, ITS_ROWS):
                _mend_one(item, tree, source, waste, str(number))
    damaged = {item.path for item in damage}
    for name, wanted in (
        (BOOT, fresh.lstat(BOOT) is not None),
        (ROWS, ITS_ROWS in damaged),
        (PROBLEMS, ITS_ROWS in damaged),
        (MANIFEST, DESCRIPTION in damaged),
    ):
        if wanted:
            _replace(entry, fresh, name, waste, name)


def _date(damage: Sequence[Damage], fresh: Folder, stamp: int) -> None:
    """Give what replaces a file the time of all others: a file with another time is read before each use."""
    for item in damage:
        if item.kind == ADDED or item.path in (DESCRIPTION, ITS_ROWS):
            continue
        status = fresh.lstat(item.path.replace("/", os.sep))
        if status is not None and stat.S_ISREG(status.st_mode):
            path = fresh.at(item.path)
            if_allowed(os.utime, path, ns=(stamp, stamp), dir_fd=fresh.fd)


def _tree(entry: Folder, waste: Folder) -> Folder:
    """Open the directory for the unpacked wheel, made anew if something else is there."""
    status = entry.lstat(TREE)
    if status is not None and not stat.S_ISDIR(status.st_mode):
        move_away(entry, TREE, waste, TREE)
    return entry.make(TREE)


def _mend_one(item: Damage, tree: Folder, fresh: Folder, waste: Folder, number: str) -> None:
    *parents, name = item.path.split("/")
    above = tuple(parents)
    if item.kind == ADDED:
        with Descent(tree, Folder.enter) as descent:
            move_away(descent.go(above), name, waste, number)
        return
    with Descent(tree, Folder.make) as descent, Descent(fresh, Folder.enter) as source:
        _replace(descent.go(above), source.go(above), name, waste, number)


def _replace(folder: Folder, fresh: Folder, name: str, waste: Folder, number: str) -> None:
    status = folder.lstat(name)
    if status is not None and (not stat.S_ISREG(status.st_mode) or fresh.lstat(name) is None):
        move_away(folder, name, waste, number)
    if fresh.lstat(name) is not None:
        move(fresh, name, folder, name)


def _added_first(damage: Damage) -> bool:
    return damage.kind != ADDED
