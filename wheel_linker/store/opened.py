"""A store while it is open: its lock, a lease, the index, and what the caller is to it."""

from __future__ import annotations

import os
import weakref
from contextlib import suppress
from typing import TYPE_CHECKING

from wheel_linker._fs.copying import close_quietly
from wheel_linker._fs.folder import Folder
from wheel_linker._fs.locking import locked
from wheel_linker._fs.stage import sweep
from wheel_linker._log import log
from wheel_linker.errors import LinkError
from wheel_linker.store._entry.errors import doing_at
from wheel_linker.store.control import (
    control_folder,
    directory_of,
    make_directory,
    make_root,
    open_to_lock,
)
from wheel_linker.store.index import Index
from wheel_linker.store.layout import CONTROL, LEASES, LOCK, READERS, STAGING
from wheel_linker.store.lease import FULL, NOT_OURS, Lease
from wheel_linker.store.trust import settle_one, standing_in

if TYPE_CHECKING:
    from wheel_linker._fs.patience import Patience
    from wheel_linker.store.layout import Layout
    from wheel_linker.store.trust import Standing


class Opened:
    """What one store object has open; closed with the object.

    :ivar lock: the descriptor of the store's lock; None for a store that can only be read.
    :ivar root: its directory, symlinks resolved.
    :ivar refusal: why it can only be read, where that is so.
    :ivar pid: the process that opened it: a child of fork(2) shares its parent's locks, which would keep nobody out.
    """

    def __init__(
        self, layout: Layout, patience: Patience, *, trusted: bool, read_only: bool = False
    ) -> None:
        """Open a store, made if it is missing and can be; whatever a killed process left in it is removed.

        :param read_only: whether nothing of that is done, and nothing is written to it.
        :raises LinkError: if it cannot be opened.
        """
        self.pid: int = os.getpid()
        self.lock: int | None = None
        self.refusal: OSError | None = None
        self.lease: Lease = Lease(layout)
        self._end: weakref.finalize[[int], Opened] | None = None
        try:
            if read_only:
                os.stat(layout.root)  # one that is missing is an error: it is not made
                self._open_to_read(layout, patience, trusted=trusted)
            else:
                self._open(layout, patience, trusted=trusted)
            self.index: Index = self._read_index(layout)
            self.root: str = os.path.realpath(layout.root)
        except OSError as error:
            self.close()
            doing = doing_at(error, f"open the store {layout.root!r}")
            raise LinkError.from_os_error(error, doing, destination=layout.root) from error
        except BaseException:
            self.close()
            raise

    def _open(self, layout: Layout, patience: Patience, *, trusted: bool) -> None:
        try:
            made = _make(layout)
            self.lock = _open_lock(layout)
            self._end = weakref.finalize(self, close_quietly, self.lock)
            with locked(self.lock, patience, shared=True):
                self.lease = Lease.take(layout, patience)
            self._judge(layout, trusted=trusted)
            self._settle(layout, made)
            sweep_in(layout)
        except OSError as error:
            if error.errno not in NOT_OURS | FULL or isinstance(error, LinkError):
                raise
            log("the store %s can only be read: %s", layout.root, error)
            self.refusal = error
            self._release_lock()
            self._open_to_read(layout, patience, trusted=trusted)

    def _open_to_read(self, layout: Layout, patience: Patience, *, trusted: bool) -> None:
        self.lease.keep_all(patience)
        self._judge(layout, trusted=trusted)

    def _judge(self, layout: Layout, *, trusted: bool) -> None:
        places = []
        for path in (layout.root, layout.control):
            with suppress(FileNotFoundError):
                places.append(os.stat(path))
        if not places:
            # The store could not be made either. A call that wants something from it says so.
            places.append(os.stat(os.path.dirname(layout.root)))
        self.standing: Standing = standing_in(places, self.lease.proof, trusted=trusted)

    def _settle(self, layout: Layout, made: set[str]) -> None:
        """Give what was made the owner and the permissions that the store wants."""
        with control_folder(layout) as control:
            for name in (LEASES, STAGING):
                if name in made:
                    settle_one(control, name, self.standing)
            for name in (LOCK, READERS):
                if name in made:
                    settle_one(control, name, self.standing, written_by_all=True)
        if CONTROL in made:
            with Folder.open(layout.root) as root:
                settle_one(root, CONTROL, self.standing)

    def _read_index(self, layout: Layout) -> Index:
        if self.standing.doubt is not None:
            return Index(None)
        try:
            with control_folder(layout) as control:
                return Index(control)
        except FileNotFoundError:
            return Index(None)

    def close(self) -> None:
        """Let go of everything; closing twice is harmless."""
        self.lease.end()
        self._release_lock()

    def _release_lock(self) -> None:
        self.lock = None
        if self._end is not None:
            self._end()


def _make(layout: Layout) -> set[str]:
    """Make what is missing of a store; return the names of what was made in it."""
    make_root(layout.root)
    made = set()
    with Folder.open(layout.root) as root:
        if make_directory(root, CONTROL):
            made.add(CONTROL)
        with root.enter(CONTROL) as control:
            made |= {name for name in (LEASES, STAGING) if make_directory(control, name)}
            for name in (LOCK, READERS):
                if control.lstat(name) is None:
                    os.close(open_to_lock(control, name))
                    made.add(name)
    return made


def _open_lock(layout: Layout) -> int:
    with control_folder(layout) as control:
        return open_to_lock(control, LOCK)


def sweep_in(layout: Layout) -> None:
    """Remove what killed processes left.

    :raises OSError: if the store is not ours to write.
    """
    with directory_of(layout, STAGING) as folder:
        sweep(folder)
