"""Adding entries: one rename for each, out of the stage where it was made."""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING

from wheel_linker._fs.folder import Folder
from wheel_linker._fs.moving import move, move_away
from wheel_linker.store._entry.checking import note_boot
from wheel_linker.store._entry.stored_wheel import whole_entry
from wheel_linker.store.entries import read_entry
from wheel_linker.store.layout import BOOT
from wheel_linker.store.names import names_for
from wheel_linker.store.repairing import mend_entry

if TYPE_CHECKING:
    from wheel_linker._fs.stage import Stage
    from wheel_linker.store._entry.checking import Check
    from wheel_linker.store._entry.making import Made
    from wheel_linker.store.layout import Layout
    from wheel_linker.store.session import Session
    from wheel_linker.store.trust import Standing


def entry_name(layout: Layout, digest: str) -> str:
    """Return the name that a wheel's entry has or may have: of no other wheel whose entry can be read.

    :raises OSError: if the store cannot be read.
    """
    for name in names_for(digest):
        entry = read_entry(layout, name)
        if entry is None or entry.digest == digest:
            return name
    raise FileExistsError(f"the store {layout.root!r} has entries of every name for {digest}")


def place(session: Session, stage: Stage, made: Made, check: Check) -> str:
    """Move a new entry into place, or mend with it one that is there and damaged; the session holds it then.

    :param check: how to tell that one is damaged.
    :returns: the entry's name.
    :raises OSError: if the store cannot be written.
    """
    while True:
        name = entry_name(session.layout, made.facts.digest)
        if _place(session, stage, made, name, check):
            return name


def _place(session: Session, stage: Stage, made: Made, name: str, check: Check) -> bool:
    """Do what :func:`place` says; False if another process came between, and it is to be tried again."""
    with Folder.open(session.layout.root) as root:
        status = root.lstat(name)
        if status is None:
            try:
                with session.coming(name):
                    _move(stage.folder, made.name, root, name, session.standing)
            except FileExistsError:
                return False
            return session.hold(name)
        if not stat.S_ISDIR(status.st_mode):
            _move_away(session, root, stage, name)
            return False
    session.refuse_others(name)
    with session.keeping(name, damaged=True):
        if not os.path.isdir(session.layout.entry(name)):
            return False  # removed before it was kept
        if whole_entry(session, name, made.facts.digest, check) is None:
            mend_entry(session, stage, made, name)
            # In a store that was copied, files have other times. This look notes that they have been read.
            whole_entry(session, name, made.facts.digest, check)
        return session.hold(name)


def _move(stage: Folder, made: str, root: Folder, name: str, standing: Standing) -> None:
    taken = FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), root.path)
    # POSIX would replace an empty directory.
    if root.lstat(name) is not None:
        raise taken
    try:
        _rename_or_copy(stage, made, root, name, standing)
    except OSError:
        # Each system has an error of its own for a name that is taken; another process may have been faster.
        if root.lstat(name) is None:
            raise
        raise taken from None


def _rename_or_copy(stage: Folder, made: str, root: Folder, name: str, standing: Standing) -> None:
    try:
        stage.move(made, root, name)
    except OSError as error:
        if error.errno != errno.EXDEV or root.lstat(name) is not None:
            raise
        # A sandbox that lets nothing be renamed from one directory to another. The copy is not on the disk yet.
        with stage.enter(made) as entry:
            if entry.lstat(BOOT) is None:
                note_boot(entry, standing)
        move(stage, made, root, name)


def _move_away(session: Session, root: Folder, stage: Stage, name: str) -> None:
    """Make room where something lies that is no directory."""
    with session.going():
        status = root.lstat(name)
        if status is not None and not stat.S_ISDIR(status.st_mode):
            move_away(root, name, stage.old, name)
