"""Verifying entries: which of their files are not as they were unpacked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wheel_linker._log import log_warning
from wheel_linker.store._bytecode.damage import damaged_bytecode
from wheel_linker.store._entry import manifest
from wheel_linker.store._entry.checking import is_settled
from wheel_linker.store._entry.errors import BrokenManifestError
from wheel_linker.store._entry.mending import description_damage, find_damage
from wheel_linker.store.entries import broken_entries, named, read_broken, read_entries

if TYPE_CHECKING:
    from wheel_linker.store._entry.damage import Damage
    from wheel_linker.store._entry.entry import Entry
    from wheel_linker.store._entry.stored_wheel import EntryLike
    from wheel_linker.store.session import Session


def verify(session: Session, entry: EntryLike | None, *, deep: bool) -> list[Damage]:
    """Compare entries with what was noted when they were unpacked.

    :param entry: the one to look at; None for all.
    :param deep: whether every file is read; those of an entry that may not have been on the disk when the system was
        started are read in any case.
    :returns: what differs; nothing for an entry that is not there.
    :raises OSError: if the store cannot be read.
    :raises ValueError: if ``entry`` is a text that is neither an entry's name nor a digest.
    """
    layout = session.layout
    if entry is not None:
        one = named(layout, entry)
        return [] if one is None else _verify(session, one, deep=deep)
    return [
        damage
        for one in (*read_entries(layout), *broken_entries(layout))
        for damage in _verify_if_readable(session, one, deep=deep)
    ]


def _verify(session: Session, entry: Entry, *, deep: bool) -> list[Damage]:
    with session.looking_at(entry.name):
        try:
            facts, files = manifest.read_files(session.layout.manifest(entry.name))
        except (BrokenManifestError, FileNotFoundError, NotADirectoryError):
            now = read_broken(session.layout, entry.name)
            return [] if now is None else [description_damage(now)]  # none: removed meanwhile
        # The right time and size prove nothing of a file that may not have been on the disk when the power went off.
        deep = deep or not is_settled(session.layout, entry.name)
        damage = find_damage(entry, facts, files, deep=deep, keeps_bits=session.keeps_bits)
        bytecode = damaged_bytecode(session.layout, entry, deep=deep)
        return [*damage, *(found for _, found in bytecode)]


def _verify_if_readable(session: Session, entry: Entry, *, deep: bool) -> list[Damage]:
    """Leave out what another user made and keeps from the caller."""
    try:
        return _verify(session, entry, deep=deep)
    except PermissionError as error:
        log_warning("cannot verify %s: %s", entry.path, error)
        return []
