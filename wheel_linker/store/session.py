"""One process at work in a store: its lease, its view of the index, and the order in which entries come and go."""

from __future__ import annotations

import os
import threading
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

from wheel_linker._fs.folder import Folder
from wheel_linker._fs.locking import locked
from wheel_linker._fs.patience import Patience
from wheel_linker._fs.stage import Stage, sweep
from wheel_linker._log import log
from wheel_linker.errors import InvalidWheelError, LinkError
from wheel_linker.store.index import Index, Known
from wheel_linker.store.lease import NOT_OURS, Lease, leased, no_readers
from wheel_linker.store.manifest import touch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wheel_linker.store.layout import Layout


class Session:
    """What one process has open of a store.

    :ivar layout: where things are.
    :ivar index: the wheel files that are known.
    :ivar pid: the process that opened it; a child of fork(2) needs one of its own.
    """

    def __init__(self, layout: Layout) -> None:
        """Open the store, made if it is missing and can be; whatever a killed process left in it is removed.

        :raises LinkError: if it cannot be opened.
        """
        self.layout = layout
        self.pid = os.getpid()
        self._turn = threading.Lock()
        self._lock: int | None = None
        self._held: set[str] = set()
        self._linking: Counter[str] = Counter()
        self._lease = Lease(None, None)
        try:
            self._lease = self._open()
            self.index = Index(layout.index)
        except OSError as error:
            self.close()
            doing = f"open the store {layout.root!r}"
            raise LinkError.from_os_error(error, doing, destination=layout.root) from error

    @property
    def writable(self) -> bool:
        """Whether the store is ours to write."""
        return self._lock is not None

    def hold(self, entry: str) -> bool:
        """Keep an entry from being removed by others as long as the session lasts; False if there is none.

        :raises OSError: if the disk is full, or broken.
        """
        if entry in self._held:
            return True
        with self.coming(entry):
            pass
        return entry in self._held

    @contextmanager
    def coming(self, entry: str) -> Iterator[None]:
        """Keep everybody from removing entries for the moment; hold an entry from then on, if it is there at the end.

        :raises OSError: if the disk is full, or broken.
        """
        with self._turn:
            if self._lock is None:
                yield
                if os.path.exists(self.layout.manifest(entry)):
                    self._held.add(entry)
                return
            with locked(self._lock, self._patience(), shared=True):
                self._lease.add(entry)
                yield
                if self._touch(entry):
                    self._held.add(entry)

    @contextmanager
    def linking(self, entry: str) -> Iterator[None]:
        """Keep an entry from being removed by anybody, this store object included.

        :raises InvalidWheelError: if it is not there any more.
        """
        with self._turn:
            self._linking[entry] += 1
        try:
            if not self.hold(entry):
                raise InvalidWheelError(
                    f"the entry {self.layout.entry(entry)!r} is not in the store any more; add the wheel again"
                )
            yield
        finally:
            with self._turn:
                self._linking[entry] -= 1

    @contextmanager
    def going(self) -> Iterator[set[str] | None]:
        """Have the store to ourselves, to remove entries; gives the names of those in use, None for all of them.

        :raises OSError: if the store is not ours to write.
        """
        if self._lock is None:
            raise PermissionError(13, os.strerror(13), self.layout.root)
        with (
            self._turn,
            locked(self._lock, self._patience()),
            no_readers(self.layout.readers) as ours,
        ):
            if not ours:
                yield None
                return
            used = leased(self.layout.leases, self._lease.path)
            yield used | {entry for entry, count in self._linking.items() if count}

    def forget(self, entry: str) -> None:
        """Take note that an entry was removed, in :meth:`going`."""
        self._held.discard(entry)

    def note(self, path: str, status: os.stat_result, known: Known) -> None:
        """Put a wheel file into the index.

        :raises OSError: if the disk is full, or broken.
        """
        if self._lock is None:
            return
        with self._turn, locked(self._lock, self._patience()):
            self.index.add(path, status, known)

    @contextmanager
    def stage(self) -> Iterator[Stage]:
        """Have a private directory in the store, removed at the end with what is left in it.

        :raises OSError: if the store is not ours to write.
        """
        with Folder.open(self.layout.staging) as folder:
            stage = Stage(folder)
            # Twice, because Ctrl-C may come in the instant before the first one starts.
            try:
                try:
                    stage.make()
                    yield stage
                finally:
                    stage.remove()
            finally:
                stage.remove()

    def sweep(self) -> None:
        """Remove what killed processes left.

        :raises OSError: if the store is not ours to write.
        """
        with Folder.open(self.layout.staging) as folder:
            sweep(folder)

    def close(self) -> None:
        """Let go of all entries; closing twice is harmless."""
        with self._turn:
            self._held.clear()
            self._lease.end()
            if self._lock is not None:
                lock, self._lock = self._lock, None
                os.close(lock)

    def __del__(self) -> None:
        self.close()

    def _open(self) -> Lease:
        try:
            self.layout.make()
            self._lock = os.open(self.layout.lock, os.O_RDWR | getattr(os, "O_CLOEXEC", 0))
            with locked(self._lock, self._patience(), shared=True):
                lease = Lease.take(self.layout.leases)
            self.sweep()
        except OSError as error:
            if error.errno not in NOT_OURS:
                raise
            log("the store %s can only be read: %s", self.layout.root, error)
            self._lock = None
            return Lease.of_a_reader(self.layout.readers)
        return lease

    def _patience(self) -> Patience:
        return Patience(self.layout.root)

    def _touch(self, entry: str) -> bool:
        try:
            touch(self.layout.manifest(entry))
        except FileNotFoundError:
            return False
        return True
