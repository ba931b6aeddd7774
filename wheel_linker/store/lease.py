"""Who uses which entries, so that nobody removes them meanwhile.

A lease is a file with a line for each entry. Its owner holds its lock, and the system lets go of that when the owner
dies, so that the leases of the dead can be told from those of the living. Lines are added, and entries removed, under
the store's lock: an entry that was there when its line was written stays.

Who may read a store but not write to it locks the file ``readers`` instead: as long as that is held, nothing is
removed.
"""

from __future__ import annotations

import errno
import os
import weakref
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from wheel_linker._fs import locking
from wheel_linker._fs.locking import wait_for_lock
from wheel_linker._fs.patience import Patience
from wheel_linker._log import log

if TYPE_CHECKING:
    from collections.abc import Iterator

# open(2) where the store is another's, or mounted read-only.
NOT_OURS: Final = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_LOCKED_BYTE: Final = 1 << 30
_NEW: Final = (
    os.O_RDWR
    | os.O_CREAT
    | os.O_EXCL
    | os.O_APPEND
    | getattr(os, "O_BINARY", 0)
    | getattr(os, "O_CLOEXEC", 0)
)
_READ: Final = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)


class Lease:
    """What one store object uses; goes with the object.

    :ivar path: the file; None for one that cannot write to the store.
    """

    def __init__(self, path: str | None, fd: int | None) -> None:
        self.path = path
        self._fd = fd
        self._end = weakref.finalize(self, _end, path, fd, os.getpid())

    @classmethod
    def take(cls, directory: str) -> Lease:
        """Make one in the directory of leases.

        :raises OSError: if that is not ours to write.
        """
        while True:
            path = os.path.join(directory, os.urandom(6).hex())
            try:
                fd = os.open(path, _NEW, 0o644)
            except FileExistsError:
                continue
            # A sweep may have come between, and taken it for the lease of a dead owner.
            if _claim(fd) is not False and os.path.exists(path):
                return cls(path, fd)
            os.close(fd)

    @classmethod
    def of_a_reader(cls, readers: str) -> Lease:
        """Make one that keeps everything in place, by a lock that only takes reading.

        Where there are no locks it keeps nothing.
        """
        try:
            fd = os.open(readers, _READ)
        except OSError as error:
            log("cannot lock %s: %s", readers, error)
            return cls(None, None)
        wait_for_lock(fd, Patience(readers), shared=True)
        return cls(None, fd)

    def add(self, entry: str) -> None:
        """Add an entry; the store's lock must be held.

        :raises OSError: if the disk is full, or broken.
        """
        if self.path is not None and self._fd is not None:
            os.write(self._fd, f"{entry}\n".encode("ascii"))

    def end(self) -> None:
        """Let go of everything; ending it twice is harmless."""
        self._fd = None
        self._end()


def _end(path: str | None, fd: int | None, owner: int) -> None:
    if fd is not None:
        os.close(fd)
    # A child of fork(2) has the lease, too: it must not take it from its parent.
    if path is not None and owner == os.getpid():
        _remove(path)


def leased(directory: str, but: str | None) -> set[str]:
    """Return the entries that the living use; remove the leases of the dead. The store's lock must be held.

    :param but: a lease that does not count.
    :raises OSError: if a lease cannot be read.
    """
    found: set[str] = set()
    for name in os.listdir(directory):
        path = os.path.join(directory, name)
        if path != but:
            found.update(_entries(path))
    return found


@contextmanager
def no_readers(readers: str) -> Iterator[bool]:
    """Keep those out who cannot write leases; tell whether there are none.

    :raises OSError: if the store is not ours to write.
    """
    fd = os.open(readers, os.O_RDWR)
    try:
        yield locking.claim(fd) is not False
    finally:
        os.close(fd)


def _entries(path: str) -> Iterator[str]:
    try:
        fd = os.open(path, _READ)
    except FileNotFoundError:
        return
    try:
        if _claim(fd):
            _remove(path)
            return
        os.lseek(fd, 0, os.SEEK_SET)
        with open(fd, "rb", closefd=False) as file:
            yield from file.read().decode("ascii", "replace").split()
    finally:
        os.close(fd)


def _claim(fd: int) -> bool | None:
    # Windows keeps others from reading what is locked: lock a byte that is never written.
    os.lseek(fd, _LOCKED_BYTE, os.SEEK_SET)
    return locking.claim(fd)


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        return
    except OSError as error:
        log("cannot remove %s: %s", path, error)
