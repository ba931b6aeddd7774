"""The private directory in ``site_packages`` where wheels are built up before they move into place.

Its name is ``.wheel_linker-`` and a random part. In it are the lock file ``owner``, a directory for each wheel,
numbered, and ``old``, where the commit keeps what it replaces. The lock tells a stage in use from the litter of
a process that was killed: the system lets go of it when its owner dies, whatever happened.
"""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from wheel_linker._fs import locking, windows
from wheel_linker._fs.copying import close_quietly
from wheel_linker._fs.moving import move
from wheel_linker._fs.remove_tree import remove_tree
from wheel_linker._fs.windows import patiently
from wheel_linker._log import log
from wheel_linker._threads import uninterrupted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from wheel_linker._fs.folder import Folder

PREFIX: Final = ".wheel_linker-"
OLD: Final = "old"
_OWNER: Final = "owner"
# A symlink, or a FIFO, that another user put there is not followed, and not waited for.
_LOCK: Final = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
_RESCUED: Final = "wheel_linker-rescued-"
# How many descriptors it takes to remove a stage, or to move something back that is behind a symlink.
_RESERVE: Final = 3
# Bytes. Listing one directory takes 32 KiB of the C library.
_ROOM: Final = 1 << 19


class Stage:
    """One call's private directory in ``site``: nothing until :meth:`make`, locked until :meth:`remove`.

    :ivar folder: the directory.
    :ivar old: the directory in it for what the commit replaces.
    """

    folder: Folder
    old: Folder

    def __init__(self, site: Folder) -> None:
        self._site = site
        self._lock: int | None = None
        self._name = ""
        self._open: list[Folder] = []
        self._reserve: list[int] = []
        # Memory for the same, if the process can have no more of it. It is not touched: it costs addresses alone.
        self._room: bytes | None = None

    def make(self) -> None:
        """Make the directory. Whatever happens, :meth:`remove` leaves nothing of it.

        :raises OSError: if ``site`` is not writable.
        """
        self._room = bytes(_ROOM)
        if self._site.fd is not None:
            while len(self._reserve) < _RESERVE:
                self._reserve.append(os.dup(self._site.fd))
        while self._lock is None:
            # The name has 64 random bits, so that nobody else has it: it may be removed without asking whether it was
            # made.
            self._name = PREFIX + os.urandom(8).hex()
            self._lock = _make(self._site, self._name)
        self.folder = self._site.enter(self._name)
        self._open.append(self.folder)
        self.old = self.folder.make(OLD)
        self._open.append(self.old)

    def remove(self) -> None:
        """Remove it with all that is left in it; what cannot be removed is left for the next call to sweep."""
        uninterrupted(self._remove)

    def release_reserve(self) -> None:
        """Have some descriptors and memory free, for the way back and the end, even if the process gets no more."""
        self._room = None
        while self._reserve:
            close_quietly(self._reserve.pop())

    def locks(self) -> list[int]:
        """Return the descriptors whose locks say that it is in use: a process that inherits them keeps it so."""
        return [] if self._lock is None else [self._lock]

    def rescue(self) -> str:
        """Give :attr:`old` a place that no call sweeps; return its path.

        This is for what could not be put back. The stage itself could not be renamed on Windows, since its lock is open
        in it.
        """
        rescued = _RESCUED + self._name[len(PREFIX) :]
        try:
            patiently(self._move_old, rescued)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            move(self.folder, OLD, self._site, rescued)
        return os.path.join(self._site.path, rescued)

    def _move_old(self, name: str) -> None:
        os.rename(
            self.folder.prefix + OLD,
            self._site.prefix + name,
            src_dir_fd=self.folder.fd,
            dst_dir_fd=self._site.fd,
        )

    def _remove(self) -> None:
        self.release_reserve()
        if not self._name:
            return
        while self._open:
            self._open[-1].close()
            self._open.pop()
        before_last = self._unlock if windows.WINDOWS else None
        # It is tried twice: what kept a file from being removed the first time may be gone.
        removed = _try_to_remove(self._site, self._name, before_last) or _try_to_remove(
            self._site, self._name, before_last
        )
        self._unlock()
        if not removed:
            _remove_empty(self._site, self._name)
        self._name = ""

    def _unlock(self) -> None:
        if self._lock is not None:
            lock, self._lock = self._lock, None
            close_quietly(lock)


@contextmanager
def staged(folder: Folder) -> Iterator[Stage]:
    """Have a private directory in ``folder``, on its file system; it is removed at the end with what is left in it.

    :raises OSError: if ``folder`` is not writable.
    """
    stage = Stage(folder)
    # It is removed twice, because Ctrl-C may come in the instant before the first removal starts.
    try:
        try:
            stage.make()
            yield stage
        finally:
            stage.remove()
    finally:
        stage.remove()


def sweep(site: Folder) -> None:
    """Remove the stages in ``site`` whose owners have died; leave those in use, and whatever is not ours."""
    for name in site.listdir():
        if name.startswith(PREFIX):
            try:
                _sweep_one(site, name)
            except OSError as error:
                log("cannot sweep %s in %s: %s", name, site.path, error)


def _make(site: Folder, name: str) -> int | None:
    """Make a stage and lock it; None if a sweep took it for litter meanwhile."""
    os.mkdir(site.prefix + name, 0o700, dir_fd=site.fd)
    try:
        with site.enter(name) as folder:
            lock = os.open(
                folder.prefix + _OWNER, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=folder.fd
            )
            if _claim(lock, folder) is not False:
                return lock
    except (FileNotFoundError, FileExistsError):
        return None
    close_quietly(lock)
    return None


def _claim(lock: int, folder: Folder) -> bool | None:
    """Take the lock of a stage's file ``owner``.

    :returns: True if it is ours now, None where there are no locks. False if another has it, or had it and
        is through: then this would be the lock of a file that is gone, and a new one of its name may be
        somebody else's.
    """
    try:
        claimed = locking.claim(lock)
        there = folder.lstat(_OWNER)
        is_there = there is not None and os.path.samestat(os.fstat(lock), there)
    except BaseException:
        close_quietly(lock)
        raise
    return claimed if is_there else False


def _sweep_one(site: Folder, name: str) -> None:
    try:
        with site.enter(name) as folder:
            # The lock file is made here if the owner of the stage has not made it: it died before, or is about to make
            # it. The system decides who of the two makes it, and who locks it; _make() begins anew if it is not its
            # turn.
            lock = os.open(folder.prefix + _OWNER, _LOCK, 0o600, dir_fd=folder.fd)
            dead = _claim(lock, folder) is True
    except (FileNotFoundError, NotADirectoryError):
        return
    held = [lock]

    def close() -> None:
        while held:
            close_quietly(held.pop())

    try:
        # It is tried once only: after the lock file is gone, another owner may have taken the directory for its own.
        if not dead or _try_to_remove(site, name, close if windows.WINDOWS else None):
            return
    finally:
        close()
    _remove_empty(site, name)


def _try_to_remove(site: Folder, name: str, before_last: Callable[[], None] | None) -> bool:
    """Remove a stage, its lock file last, which Windows does not remove before it is closed: by ``before_last``."""
    try:
        remove_tree(site, name, last=_OWNER, before_last=before_last)
    except OSError as error:
        log("cannot remove %s in %s: %s", name, site.path, error)
        return False
    return True


def _remove_empty(site: Folder, name: str) -> None:
    """Remove a stage of which nothing was left but its open lock file, now closed.

    FUSE and NFS keep a file that is removed while it is open under another name, in the same directory. Whatever
    else is there by now belongs to another one who is sweeping, or making, that stage.
    """
    try:
        os.rmdir(site.prefix + name, dir_fd=site.fd)
    except OSError as error:
        log("cannot remove %s in %s: %s", name, site.path, error)
