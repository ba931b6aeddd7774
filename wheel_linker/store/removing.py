"""Removing entries: by one rename into a stage, or where that cannot be had, in place."""

from __future__ import annotations

import errno
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

from wheel_linker._fs.folder import Folder
from wheel_linker._fs.remove_tree import remove_tree
from wheel_linker._fs.windows import is_in_use, remove_file
from wheel_linker._log import log, log_warning
from wheel_linker.store.entries import named
from wheel_linker.store.layout import MANIFEST
from wheel_linker.store.lease import FULL

if TYPE_CHECKING:
    from collections.abc import Collection

    from wheel_linker.store._entry.entry import Entry
    from wheel_linker.store.session import Session

# rename(2) for a directory of a lower layer of overlayfs, and on a disk without room.
_NOT_MOVED: Final = FULL | {errno.EXDEV, errno.EMLINK}


def remove(session: Session, entries: Collection[Entry], *, all_or_none: bool) -> list[Entry]:
    """Remove entries that are not in use, and return them.

    :param all_or_none: whether one in use is an error; else what was used since it was read is left as well.
    :raises OSError: if the store cannot be written; EBUSY if an entry is in use that must not be.
    """
    root_path = session.layout.root
    removed = {}
    with ExitStack() as kept:
        waste = _waste_if_possible(session, kept)
        root = kept.enter_context(Folder.open(root_path))
        used = kept.enter_context(session.going())
        in_use = [entry.name for entry in entries if used is None or entry.name in used]
        if in_use and all_or_none:
            raise OSError(errno.EBUSY, f"in use: {', '.join(in_use)}; try again later", root_path)
        for entry in entries:
            now = named(session.layout, entry)
            if now is None or entry.name in in_use:
                continue
            if all_or_none:
                _remove_entry(root, entry.name, waste)
            elif now.used != entry.used or not _remove_if_permitted(root, entry.name, waste):
                continue
            session.forget(entry.name)
            removed[entry.name] = entry
    return list(removed.values())


def _waste_if_possible(session: Session, kept: ExitStack) -> Folder | None:
    """Make a stage that lasts as long as ``kept``, and return its directory; None on a full disk.

    :raises OSError: if the store is not ours to write.
    """
    try:
        return kept.enter_context(session.stage()).folder
    except OSError as error:
        if error.errno not in FULL:
            raise
        log("cannot make a stage in %s: %s", session.layout.root, error)
        return None


def _remove_entry(root: Folder, name: str, waste: Folder | None, *, patient: bool = True) -> None:
    """Remove an entry, or half of one, when it is ours to remove.

    :param root: the store.
    :param waste: a directory in a stage, with which it goes; None to remove it at once.
    :param patient: whether it is tried again where a program has a file of it open on Windows.
    :raises OSError: if it cannot be removed.
    """
    if waste is not None:
        try:
            root.move(name, waste, name, patient=patient)
        except OSError as error:
            if error.errno not in _NOT_MOVED or is_in_use(error):
                raise
            log("cannot move %s in %s: %s", name, root.path, error)
        else:
            return
    with root.enter(name) as entry:
        # What makes it an entry is removed first: should the process end here, nobody takes half of an entry for a
        # whole one.
        if entry.lstat(MANIFEST) is not None:
            remove_file(entry.prefix + MANIFEST, entry.fd)
    remove_tree(root, name)


def _remove_if_permitted(root: Folder, name: str, waste: Folder | None) -> bool:
    """Remove an entry; False if it is in use, on Windows, or another user's, who did not mean to share it.

    The store is locked meanwhile, so that nothing is waited for.

    :raises OSError: if it cannot be removed for another reason.
    """
    try:
        _remove_entry(root, name, waste, patient=False)
    except PermissionError as error:
        log_warning("cannot remove %s in %s: %s", name, root.path, error)
        return False
    return True
