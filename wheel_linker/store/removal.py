"""Ending entries: by one rename into a stage, or where that cannot be had, in place."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Final

from wheel_linker._fs._windows.deletion import remove_file
from wheel_linker._fs._windows.retry import is_in_use
from wheel_linker._fs.remove_tree import remove_tree
from wheel_linker._log import log, log_warning
from wheel_linker.store.layout import MANIFEST
from wheel_linker.store.lease import FULL

if TYPE_CHECKING:
    from contextlib import ExitStack

    from wheel_linker._fs.folder import Folder
    from wheel_linker.store.session import Session

# rename(2) for a directory of a lower layer of overlayfs, and on a disk without room.
_NOT_MOVED: Final = FULL | {errno.EXDEV, errno.EMLINK}


def waste_if_possible(session: Session, kept: ExitStack) -> Folder | None:
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


def remove_entry(root: Folder, name: str, waste: Folder | None, *, patient: bool = True) -> None:
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
        # First what makes it an entry: should this be the end of the process, nobody takes half of one for a whole.
        if entry.lstat(MANIFEST) is not None:
            remove_file(entry.prefix + MANIFEST, entry.fd)
    remove_tree(root, name)


def remove_if_permitted(root: Folder, name: str, waste: Folder | None) -> bool:
    """Remove an entry; False if it is in use, on Windows, or another user's, who did not mean to share it.

    The store is locked meanwhile, so that nothing is waited for.

    :raises OSError: if it cannot be removed for another reason.
    """
    try:
        remove_entry(root, name, waste, patient=False)
    except PermissionError as error:
        log_warning("cannot remove %s in %s: %s", name, root.path, error)
        return False
    return True
