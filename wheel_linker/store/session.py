"""One store object at work in a store: what it holds, and the order in which entries come and go."""

from __future__ import annotations

import os
import threading
import weakref
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from wheel_linker._fs.locking import locked
from wheel_linker._fs.patience import TIMEOUT, Patience
from wheel_linker._fs.reading import is_nothing
from wheel_linker._fs.stage import staged, sweep
from wheel_linker._log import log
from wheel_linker.errors import InvalidWheelError, LockTimeoutError
from wheel_linker.store._entry.descriptions import Descriptions
from wheel_linker.store._entry.manifest import touch
from wheel_linker.store.control import control_folder, directory_of
from wheel_linker.store.layout import STAGING
from wheel_linker.store.lease import FULL, NOT_OURS, leased
from wheel_linker.store.opened import Opened
from wheel_linker.store.symlinked import note_symlinks
from wheel_linker.store.trust import settle_tree

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from wheel_linker._fs.folder import Folder
    from wheel_linker._fs.stage import Stage
    from wheel_linker.store._entry.options import Kept, UnpackOptions
    from wheel_linker.store.index import Index, Known
    from wheel_linker.store.layout import Layout
    from wheel_linker.store.trust import Standing

# How many removed entries a store object can tell of.
_REMEMBERED: Final = 1000


class Session:
    """What one store object does in a store; opened when it is first needed, and again after it was closed.

    :ivar layout: where things are.
    :ivar descriptions: the descriptions of entries that were read.
    :ivar compiling: how bytecode is kept; None where none is.
    :ivar read_only: whether nothing is written to it, even if that is allowed.
    """

    def __init__(
        self,
        layout: Layout,
        *,
        trusted: bool = False,
        timeout: float | None = TIMEOUT,
        read_only: bool = False,
    ) -> None:
        """Open nothing yet.

        :param trusted: whether the store is trusted, whoever has written to it.
        :param timeout: how many seconds a lock is waited for; None for ever.
        :param read_only: whether nothing is written to it, even if that is allowed.
        """
        self.layout = layout
        self.compiling: UnpackOptions | None = None
        self.descriptions: Descriptions = Descriptions()
        self._trusted = trusted
        self.read_only = read_only
        self._timeout = timeout
        self._turn = threading.RLock()
        self._opened: Opened | None = None
        self._held: set[str] = set()
        # For the message only, the last ones: a server may have one store object for months.
        self._removed: dict[str, None] = {}
        # No thread has this lock for longer than an addition takes, so that nobody waits for it at the end of a call.
        self._counting = threading.Lock()
        self._in_use: Counter[str] = Counter()
        # Whether it was closed while entries were in use, and nothing has been held since.
        self._is_closing = False
        self._mine = threading.local()
        self._keeps_bits: bool | None = None
        _sessions.add(self)

    def open(self) -> Opened:
        """Return what is open of the store.

        :raises LinkError: if it cannot be opened.
        """
        opened = self._opened
        if opened is not None and opened.pid == os.getpid():
            return opened
        with self.turn():
            opened = self._opened
            if opened is None or opened.pid != os.getpid():
                self._held.clear()
                opened = Opened(
                    self.layout,
                    self._patience(),
                    trusted=self._trusted,
                    read_only=self.read_only,
                )
                self._opened = opened
            return opened

    @property
    def index(self) -> Index:
        """The wheel files that are known."""
        return self.open().index

    @property
    def standing(self) -> Standing:
        """What the caller is to the store."""
        return self.open().standing

    @property
    def notes(self) -> Standing | None:
        """What the caller is to a store in which notes may be kept; None if nothing is written to it."""
        return None if self.read_only else self.standing

    @property
    def writable(self) -> bool:
        """Whether the store is ours to write."""
        return self.open().lock is not None

    def keeps_bits(self) -> bool:
        """Tell whether permission bits mean anything where the store is; yes where that cannot be tried."""
        if self._keeps_bits is None:
            from wheel_linker.store._entry.execute_bits import keeps_execute_bits

            try:
                with self.stage() as stage:
                    self._keeps_bits = keeps_execute_bits(stage.folder)
            except OSError as error:
                log("cannot try whether permission bits are kept: %s", error)
                return True
        return self._keeps_bits

    def mends_bits(self) -> bool:
        """Tell whether an executable that is none any more is damage that can be mended here."""
        return self.writable and self.keeps_bits()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Keep the other threads that use this object from adding and removing.

        :raises LockTimeoutError: if one of them has not been through for too long.
        """
        with self._patience().turn(self._turn):
            yield

    def hold(self, entry: str) -> bool:
        """Keep an entry from being removed by others as long as the session is open; False if there is none.

        :raises OSError: if the disk is broken.
        """
        with self.turn():
            self.open()
            if entry not in self._held:
                with self.coming(entry):
                    pass
            else:
                self._keep(entry)
            return entry in self._held

    def _hold_for_a_look(self, entry: str) -> None:
        """Keep an entry from being removed by others as long as the session is open, without noting that it is used.

        :raises OSError: if the disk is broken.
        """
        opened = self.open()
        if entry not in self._held and opened.lock is not None:
            patience = self._patience()
            with locked(opened.lock, patience, shared=True):
                opened.lease.add(entry, patience)

    @contextmanager
    def coming(self, entry: str) -> Iterator[None]:
        """Keep everybody from removing entries for the moment; hold an entry from then on, if it is there at the end.

        :raises OSError: if the disk is broken.
        """
        with self.turn():
            opened = self.open()
            if opened.lock is None:
                yield
                if os.path.exists(self.layout.manifest(entry)):
                    self._hold(entry)
                return
            patience = self._patience()
            with locked(opened.lock, patience, shared=True):
                opened.lease.add(entry, patience)
                yield
                if self._touch(entry):
                    self._hold(entry)

    @contextmanager
    def adding(self, kept: Kept | None = None) -> Iterator[None]:
        """Keep what this thread holds from now on from being removed by this store object as well.

        :param kept: what keeps it after that; None to let go of it at the end.
        """
        entries: list[str] = []
        self._mine.entries = entries
        try:
            yield
        finally:
            del self._mine.entries
            uses = self._in_use
            if kept is None:
                self._give_up(entries, uses)
            else:
                kept.take(entries, lambda taken: self._give_up(taken, uses))

    def _hold(self, entry: str) -> None:
        self._is_closing = False
        self._held.add(entry)
        self._removed.pop(entry, None)
        self._keep(entry)

    def _keep(self, entry: str) -> None:
        entries: list[str] | None = getattr(self._mine, "entries", None)
        if entries is not None:
            entries.append(entry)
            self._use(entry)

    @contextmanager
    def keeping(self, entry: str, *, damaged: bool = False) -> Iterator[None]:
        """Keep an entry from being removed by anybody, this store object included.

        :param damaged: whether its description may be missing.
        :raises InvalidWheelError: if it is not there any more.
        """
        with self.turn():
            held = self.hold(entry)
            uses = self._use(entry)
        try:
            if not held and not damaged:
                raise InvalidWheelError(self._gone(entry))
            yield
        finally:
            self._give_up([entry], uses)

    def _gone(self, entry: str) -> str:
        said = f"the entry {self.layout.entry(entry)!r} is not in the store any more"
        if entry in self._removed:
            said += ": it was removed or pruned through the store object that it is from"
        return f"{said}; add the wheel again"

    @contextmanager
    def looking_at(self, entry: str) -> Iterator[None]:
        """Keep an entry from being removed by anybody, whether it is there or not; to look at it is not to use it."""
        with self.turn():
            self._hold_for_a_look(entry)
            uses = self._use(entry)
        try:
            yield
        finally:
            self._give_up([entry], uses)

    @contextmanager
    def linking(self, entry: str) -> Iterator[None]:
        """Keep an entry from being removed by anybody while files are linked from it.

        :raises InvalidWheelError: if it is not there any more.
        :raises LinkError: if the store is not trusted.
        """
        self.standing.refuse(self.layout.root)
        with self.keeping(entry):
            yield

    def refuse_others(self, entry: str) -> None:
        """Refuse an entry that is another's, in a store that is not trusted.

        :raises LinkError: if it is.
        :raises OSError: if it cannot be looked at.
        """
        standing = self.standing
        if standing.doubt is None:
            return
        if os.stat(self.layout.entry(entry), follow_symlinks=False).st_uid not in standing.mine:
            standing.refuse(self.layout.root)

    @contextmanager
    def going(self) -> Iterator[set[str] | None]:
        """Have the store to ourselves, to remove entries; gives the names of those in use, None for all of them.

        :raises OSError: if the store is not ours to write.
        """
        with self.turn():
            opened = self.open()
            if opened.lock is None:
                # A store that is only read has refused nothing.
                refusal = opened.refusal
                raise refusal or PermissionError(13, os.strerror(13), self.layout.root)
            patience = self._patience()
            with locked(opened.lock, patience), opened.lease.no_readers(patience) as ours:
                used = leased(self.layout, opened.lease.name) if ours else None
                if used is not None:
                    used |= self._used()
                yield used

    def note_damaged(self, entry: str) -> bool:
        """Have an entry count as damaged from now on, so that adding its wheel makes it anew; tell whether it does.

        What is kept of its ``RECORD`` is removed: every look at the entry misses it.
        """
        if self.read_only or not self.writable:
            return False
        try:
            os.unlink(self.layout.rows(entry))
        except FileNotFoundError:
            pass
        except OSError as error:
            log("cannot note that %s is damaged: %s", self.layout.entry(entry), error)
            return False
        return True

    def forget(self, entry: str) -> None:
        """Take note that an entry was removed, in :meth:`going`."""
        self._held.discard(entry)
        self._removed[entry] = None
        if len(self._removed) > _REMEMBERED:
            del self._removed[next(iter(self._removed))]

    def note(self, path: str, status: os.stat_result, known: Known) -> None:
        """Put a wheel file into the index.

        :raises OSError: if the disk is broken.
        """
        with self.turn():
            opened = self.open()
            if opened.lock is None or opened.standing.doubt is not None:
                return
            with locked(opened.lock, self._patience()), control_folder(self.layout) as control:
                opened.index.add(control, path, status, known, opened.standing)

    def note_symlinks(self, entry: str) -> None:
        """Note that symlinks to an entry have been made.

        :raises LockTimeoutError: if the store was locked for too long.
        """
        with self.turn():
            opened = self.open()
            if opened.lock is None:
                return
            patience = self._patience()
            with locked(opened.lock, patience), control_folder(self.layout) as control:
                note_symlinks(control, entry, self.layout.root, opened.standing)

    @contextmanager
    def stage(self) -> Iterator[Stage]:
        """Have a private directory in the store, removed at the end with what is left in it.

        :raises OSError: if the store is not ours to write.
        """
        with self._staging() as folder, staged(folder) as stage:
            yield stage

    def _staging(self) -> Folder:
        try:
            return directory_of(self.layout, STAGING)
        except FileNotFoundError:
            refusal = self.open().refusal
            if refusal is None:
                raise
            # What is missing could not be made when the store was opened, say on a full disk.
            raise refusal from None

    def settle(self, folder: Folder, name: str) -> None:
        """Give a new directory in a stage the owner and the permissions that the store wants.

        :raises OSError: if that is refused.
        """
        settle_tree(folder, name, self.standing)

    def sweep(self) -> None:
        """Remove what killed processes left.

        :raises OSError: if the store is not ours to write.
        """
        with self._staging() as folder:
            sweep(folder)

    def close(self) -> None:
        """Let go of all entries, of those that other threads use when they are through; closing twice is harmless.

        :raises LockTimeoutError: if another thread has not been through for too long. It is still open then.
        """
        with self.turn():
            self._held.clear()
            opened, self._opened = self._opened, None
            if opened is None:
                return
            self._keep_those_in_use(opened)
            opened.close()

    def _keep_those_in_use(self, closing: Opened) -> None:
        """Have a lease of entries that other threads link from meanwhile, before that which has them ends."""
        used = self._used() if closing.pid == os.getpid() else set()
        self._is_closing = bool(used)
        try:
            for entry in used:
                self._hold_for_a_look(entry)
        except OSError as error:
            log("cannot keep what is in use of %s while it is closed: %s", self.layout.root, error)

    def _close_if_unused(self) -> None:
        """Let go of what :meth:`close` had to keep, after the last thread that links is through."""
        if not self._may_close():
            return
        try:
            with self.turn():
                if self._may_close():
                    self.close()
        except LockTimeoutError as error:
            # Whatever the caller wanted has been done; the next call, or the end of the store object, closes it.
            log("%s is still open: %s", self.layout.root, error)

    def _may_close(self) -> bool:
        return self._is_closing and not self._used()

    def renew(self) -> None:
        """Forget what the parent's threads were about, in a child of fork(2)."""
        self._turn = threading.RLock()
        self._counting = threading.Lock()
        # The child may come from within a call, and leave it. What that gives up then is counted apart: here it would
        # be missing from what the child uses itself.
        self._in_use = Counter()
        entries: list[str] | None = getattr(self._mine, "entries", None)
        if entries is not None:
            entries.clear()

    def _use(self, entry: str) -> Counter[str]:
        """Count a use, and return what it is counted in: :meth:`_give_up` wants that."""
        with self._counting:
            uses = self._in_use
            uses[entry] += 1
        return uses

    def _give_up(self, entries: Iterable[str], uses: Counter[str]) -> None:
        with self._counting:
            for entry in entries:
                uses[entry] -= 1
                if not uses[entry]:
                    del uses[entry]
        self._close_if_unused()

    def _used(self) -> set[str]:
        with self._counting:
            return {entry for entry, count in self._in_use.items() if count > 0}

    def _patience(self) -> Patience:
        return Patience(self.layout.root, self._timeout)

    def _touch(self, entry: str) -> bool:
        try:
            touch(self.layout.manifest(entry))
        except OSError as error:
            if is_nothing(error):
                return False
            if error.errno not in FULL | NOT_OURS:
                raise
            log("cannot note that %s is used: %s", self.layout.entry(entry), error)
        return True


_sessions: weakref.WeakSet[Session] = weakref.WeakSet()


def _renew_all() -> None:
    for session in list(_sessions):
        session.renew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_all)
