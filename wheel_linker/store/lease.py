"""Who uses which entries, so that nobody removes them meanwhile.

A lease is a file with a line for each entry. Its owner holds its lock, and the system lets go of that when the owner
dies, so that the leases of the dead can be told from those of the living. Lines are added, and entries removed, under
the store's lock: an entry that was there when its line was written stays.

Who may read a store but not write to it, or finds the disk full, locks the file ``readers`` instead: as long as that is
held, nothing is removed.
"""

from __future__ import annotations

import errno
import os
import sys
import weakref
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from wheel_linker._fs import locking, windows
from wheel_linker._fs.copying import close_quietly
from wheel_linker._fs.locking import wait_for_lock
from wheel_linker._log import log, log_warning
from wheel_linker.store.control import (
    control_folder,
    directory_of,
    open_file,
    open_to_lock,
    remove_file,
)
from wheel_linker.store.layout import LEASES, READERS
from wheel_linker.store.trust import Proof

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wheel_linker._fs.folder import Folder
    from wheel_linker._fs.patience import Patience
    from wheel_linker.store.layout import Layout

# open(2) where the store is another's, or mounted read-only.
NOT_OURS: Final = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_RANDOM_BYTES: Final = 6
_NEW: Final = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND
# The permissions of a lease, whatever the umask: those who share a store have to see whether its owner lives.
_MODE: Final = 0o644
_OTHERS_WRITE: Final = 0o002


class Lease:
    """What one store object uses; goes with the object.

    :ivar name: of the file; None for one that cannot write to the store.
    :ivar proof: what became of the file that was made; None if none was.
    """

    def __init__(self, layout: Layout, name: str | None = None, fd: int | None = None) -> None:
        self.name = name
        self.proof: Proof | None = None if name is None or fd is None else _proof(fd)
        self._layout = layout
        self._fd = fd
        self._all: int | None = None
        self._end = weakref.finalize(self, _end, layout, name, fd, os.getpid())
        self._end_all: weakref.finalize[[int], Lease] | None = None

    @classmethod
    def take(cls, layout: Layout, patience: Patience) -> Lease:
        """Make one in the directory of leases; one that keeps everything if the disk is full.

        :raises OSError: if that is not ours to write.
        """
        try:
            with directory_of(layout, LEASES) as folder:
                return cls(layout, *_new(folder))
        except OSError as error:
            if error.errno not in FULL:
                raise
            log("cannot make a lease in %s: %s", layout.leases, error)
        lease = cls(layout)
        lease.keep_all(patience)
        return lease

    def keep_all(self, patience: Patience) -> None:
        """Keep everything in place, by a lock that takes neither writing nor room.

        Where there are no locks it keeps nothing.
        """
        if self._all is not None:
            return
        try:
            with control_folder(self._layout) as control:
                fd = open_file(control, READERS, os.O_RDONLY)
        except OSError as error:
            log("cannot lock %s: %s", self._layout.readers, error)
            return
        self._all = fd
        self._end_all = weakref.finalize(self, close_quietly, fd)
        wait_for_lock(fd, patience, shared=True)

    def add(self, entry: str, patience: Patience) -> None:
        """Add an entry; the store's lock must be held.

        :raises OSError: if the disk is broken.
        """
        if self.name is None or self._fd is None:
            return
        try:
            os.write(self._fd, f"{entry}\n".encode("ascii"))
        except OSError as error:
            if error.errno not in FULL:
                raise
            self.keep_all(patience)

    @contextmanager
    def no_readers(self, patience: Patience) -> Iterator[bool]:
        """Keep those out who cannot write leases; tell whether there are none. This one does not count.

        :raises OSError: if the store is not ours to write.
        """
        if self._all is not None:
            ours = locking.claim(self._all)
            try:
                yield ours is not False
            finally:
                wait_for_lock(self._all, patience, shared=True)
            return
        with control_folder(self._layout) as control:
            fd = open_to_lock(control, READERS)
        try:
            yield locking.claim(fd) is not False
        finally:
            os.close(fd)

    def end(self) -> None:
        """Let go of everything; ending it twice is harmless."""
        self._fd = self._all = None
        self._end()
        if self._end_all is not None:
            self._end_all()


def _new(folder: Folder) -> tuple[str, int]:
    while True:
        name = os.urandom(_RANDOM_BYTES).hex()
        try:
            fd = open_file(folder, name, _NEW, _MODE)
        except FileExistsError:
            continue
        # A sweep may have come between, and taken it for the lease of a dead owner.
        if locking.claim(fd) is not False and folder.lstat(name) is not None:
            _show(fd)
            return name, fd
        os.close(fd)


def _show(fd: int) -> None:
    """Let others read a lease, whatever the umask."""
    if sys.platform != "win32" and os.fstat(fd).st_mode & 0o777 != _MODE:
        try:
            os.fchmod(fd, _MODE)
        except OSError as error:
            log("cannot set the permissions of a lease: %s", error)


def _proof(fd: int) -> Proof:
    status = os.fstat(fd)
    return Proof(status.st_uid, not status.st_mode & _OTHERS_WRITE)


def _end(layout: Layout, name: str | None, fd: int | None, owner: int) -> None:
    if fd is not None:
        close_quietly(fd)
    # A child of fork(2) has the lease, too: it must not take it from its parent.
    if name is None or owner != os.getpid():
        return
    try:
        with directory_of(layout, LEASES) as folder:
            remove_file(folder, name)
    except OSError as error:
        log("cannot remove the lease %s: %s", name, error)


def leased(layout: Layout, but: str | None) -> set[str] | None:
    """Return the entries that the living use; remove the leases of the dead. The store's lock must be held.

    :param but: a lease that does not count.
    :returns: None if that cannot be known of one.
    :raises OSError: if the leases cannot be listed.
    """
    found: set[str] = set()
    with directory_of(layout, LEASES) as folder:
        for name in folder.listdir():
            if name == but or not _is_name(name):
                continue
            entries = _entries(folder, name)
            if entries is None:
                return None
            found.update(entries)
    return found


def _is_name(name: str) -> bool:
    return len(name) == 2 * _RANDOM_BYTES and not name.strip("0123456789abcdef")


def _entries(folder: Folder, name: str) -> list[str] | None:
    try:
        fd = open_file(folder, name, os.O_RDONLY)
    except FileNotFoundError:
        return []
    except PermissionError as error:
        log_warning("nothing is removed, because a lease cannot be read: %s", error)
        return None
    except OSError as error:
        log("%s in %s is no lease: %s", name, folder.path, error)
        return []
    try:
        dead = locking.claim(fd)
        if not dead:
            with open(fd, "rb", closefd=False) as file:
                return file.read().decode("ascii", "replace").split()
        if not windows.WINDOWS:
            remove_file(folder, name)
    finally:
        os.close(fd)
    if windows.WINDOWS:
        remove_file(folder, name)  # nobody else takes a lease over, so that it may be closed first
    return []
