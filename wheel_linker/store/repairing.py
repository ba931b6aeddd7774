"""Repairing an entry: what is damaged is replaced from its wheel, unpacked anew."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from wheel_linker._archive.wheel_file import WheelFile, check_digest, filename_of
from wheel_linker._fs.folder import Folder
from wheel_linker.errors import InvalidWheelError
from wheel_linker.store._bytecode.damage import damaged_bytecode, remove_sets
from wheel_linker.store._bytecode.sets import names_of_sets
from wheel_linker.store._entry import manifest
from wheel_linker.store._entry.checking import note_boot
from wheel_linker.store._entry.making import have_on_disk, unpack_entry
from wheel_linker.store._entry.mending import description_damage, find_damage, mend
from wheel_linker.store.entries import named, read_entry, unreadable
from wheel_linker.store.layout import BOOT
from wheel_linker.store.names import may_be_of

if TYPE_CHECKING:
    from wheel_linker._fs.stage import Stage
    from wheel_linker.store._entry.damage import Damage
    from wheel_linker.store._entry.entry import Entry
    from wheel_linker.store._entry.making import Made
    from wheel_linker.store._entry.options import UnpackOptions
    from wheel_linker.store._entry.stored_wheel import EntryLike
    from wheel_linker.store.session import Session


def repair(session: Session, options: UnpackOptions, entry: EntryLike, path: str) -> list[Damage]:
    """Make an entry again what it was, from its wheel file.

    :param path: the absolute path of the wheel file.
    :returns: what was mended.
    :raises InvalidWheelError: if there is no such entry, or the file is another wheel.
    :raises OSError: if the file cannot be read, or the store not be written.
    """
    found = _named(session, entry)
    with (
        session.keeping(found.name, damaged=True),
        options.crew.joined(),
        WheelFile(path) as file,
        session.stage() as stage,
    ):
        # It may have been removed before it was kept.
        found = _named(session, entry)
        fresh = _unpack_again(session, stage, file, found, options)
        session.settle(stage.folder, fresh.name)
        have_on_disk(stage.folder, [fresh], session.standing, durable=options.durable)
        return mend_entry(session, stage, fresh, found.name)


def _named(session: Session, entry: EntryLike) -> Entry:
    found = named(session.layout, entry)
    if found is None:
        raise InvalidWheelError(
            f"the store {session.layout.root!r} has no such entry: {entry}; add the wheel"
        )
    return found


def _unpack_again(
    session: Session, stage: Stage, file: WheelFile, entry: Entry, options: UnpackOptions
) -> Made:
    """Unpack a wheel file as it was when the entry was made.

    :raises InvalidWheelError: if it is not the wheel that the entry was made from.
    :raises OSError: if it cannot be read, or the store not be written.
    """
    digest = file.digest()
    check_digest(file, digest, entry.digest or None)
    if not may_be_of(entry.name, digest):
        raise InvalidWheelError(
            f"{file.path!r} is not the wheel that the entry {entry.path!r} was made from: "
            "give that one, or remove the entry"
        )
    if entry.digest:
        stamp, filename = manifest.read(session.layout.manifest(entry.name)).stamp, entry.filename
    else:
        stamp, filename = None, filename_of(file.path)
    options = options._replace(protect=_is_protected(entry))
    fresh = unpack_entry(stage.folder, "new", file, filename, options, stamp=stamp)
    check_digest(file, fresh.facts.digest, digest)
    return fresh


def mend_entry(session: Session, stage: Stage, made: Made, name: str) -> list[Damage]:
    """Make an entry that is damaged what it was; what links to it may be in use meanwhile.

    :param made: the same wheel, unpacked anew; nothing of use is left of it.
    :returns: what was mended.
    :raises OSError: if the store cannot be written.
    """
    layout = session.layout
    entry = read_entry(layout, name)
    missing, stamp = None, None
    if entry is None:
        missing = description_damage(unreadable(layout, name))
    else:
        stamp = manifest.read(layout.manifest(name)).stamp
    with session.going(), Folder.open(layout.entry(name)) as old:
        damage = find_damage(
            entry or unreadable(layout, name),
            made.facts,
            made.files,
            deep=True,
            keeps_bits=session.keeps_bits,
        )
        if missing is not None:
            damage.append(missing)
        bytecode = list(damaged_bytecode(layout, entry or unreadable(layout, name), deep=True))
        # Bytecode that was made of a destroyed source cannot be told from bytecode that is right, so that all of it is
        # removed.
        useless = set(names_of_sets(layout, name) if damage else (each for each, _ in bytecode))
        with stage.folder.enter(made.name) as fresh, stage.old.make(made.name) as waste:
            if old.lstat(BOOT) is not None and fresh.lstat(BOOT) is None:
                note_boot(fresh, session.standing)
            remove_sets(old, useless, waste)
            mend(damage, old, fresh, waste, stamp)
    return [*damage, *(found for _, found in bytecode)]


def _is_protected(entry: Entry) -> bool:
    """Tell by the first file of an entry whether its files are read-only."""
    for above, _, names in os.walk(entry.path):
        for name in names:
            status = os.lstat(os.path.join(above, name))
            # A symlink may be what is damaged, and leads nowhere then.
            if stat.S_ISREG(status.st_mode):
                return not status.st_mode & 0o222
    return False
