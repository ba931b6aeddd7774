"""Finding what was changed in the bytecode that an entry keeps. It is never mended, but made anew when it is wanted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wheel_linker._fs.moving import move_away
from wheel_linker.store._bytecode.sets import names_of_sets, never, sets_of
from wheel_linker.store._entry import manifest
from wheel_linker.store._entry.checking import is_settled
from wheel_linker.store._entry.content import NOT_THERE, size_of
from wheel_linker.store._entry.damage import CHANGED, MISSING, Damage
from wheel_linker.store._entry.errors import BrokenManifestError
from wheel_linker.store._entry.mending import find_damage
from wheel_linker.store.layout import BYTECODE, MANIFEST, TREE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wheel_linker._fs.folder import Folder
    from wheel_linker.store._entry.damage import DamageKind
    from wheel_linker.store._entry.entry import Entry
    from wheel_linker.store.layout import Layout


def damaged_bytecode(layout: Layout, entry: Entry, *, deep: bool) -> Iterator[tuple[str, Damage]]:
    """Yield what differs from what was made, each with the name of its set.

    :param deep: whether every file is read; else only those whose time is another than when it was made, and all of
        a set that may not have been on the disk when the system was started.
    :raises OSError: if it cannot be read.
    """
    sets = sets_of(layout, entry.name)
    for name in names_of_sets(layout, entry.name):
        above = f"../{BYTECODE}/{name}"
        description = sets.manifest(name)
        try:
            facts, files = manifest.read_files(description)
        except (FileNotFoundError, NotADirectoryError, BrokenManifestError):
            kind: DamageKind = MISSING if size_of(description) == NOT_THERE else CHANGED
            yield name, Damage(entry, f"{above}/{MANIFEST}", kind)
            continue
        there = entry._replace(path=sets.tree(name))
        every = deep or not is_settled(sets, name)
        for found in find_damage(there, facts, files, deep=every, keeps_bits=never):
            yield name, Damage(entry, f"{above}/{TREE}/{found.path}", found.kind)


def remove_sets(entry: Folder, names: set[str], waste: Folder) -> None:
    """Move sets out of an entry.

    :param waste: a directory for what is moved away.
    :raises OSError: if one cannot be moved.
    """
    if not names:
        return
    with entry.enter(BYTECODE) as sets:
        for name in names:
            move_away(sets, name, waste, f"{BYTECODE}-{name}")
