"""What threads that link into the same environment share: whose turn it is, and who supplied what."""

from __future__ import annotations

import os
import threading
import weakref
from contextlib import ExitStack, contextmanager
from enum import Enum, auto
from typing import TYPE_CHECKING, Final

from wheel_linker._compat.named_tuple import NamedTuple
from wheel_linker._log import warn_caller
from wheel_linker.errors import PackageConflictWarning

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from wheel_linker._fs.folder import Folder, Identity
    from wheel_linker._wheel.conflicts import PackageConflict, Supplier
    from wheel_linker._wheel.filename import WheelFilename


# Seconds, as _fs/patience has it for every other lock. That module is not imported before something is locked.
_TIMEOUT: Final = 300.0


class Preview(Enum):
    """The features that are still being tried out, and are off unless they are asked for."""

    NONE = auto()
    """Nothing."""

    DETECT_MODULE_CONFLICTS = auto()
    """:meth:`Locks.warn_package_conflicts` looks for conflicts and warns of them."""


class _Turn:
    """The lock of one destination, with the number of those who hold it or wait for it."""

    __slots__ = ("lock", "users")

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.users = 0


class _Site(NamedTuple):
    path: str
    identity: Identity


class Locks:
    """Shared by every thread that links into the same environment.

    Writes into one destination happen one after the other, so that of two wheels that supply the same package one
    ends up complete. Which wheel supplied which top-level path is remembered, for :meth:`find_package_conflicts`.

    Between processes the destination's own lock, flock(2) of the directory, does the same where the platform has it;
    a caller must therefore not hold that lock itself.

    A process that is forked while a thread is in a call can link as well.

    :ivar preview: the parameter of that name.
    :ivar timeout: the parameter of that name.

    :param preview: which feature is switched on that is still being tried out.
    :param timeout: how many seconds a call waits, at most, until no other thread or process changes a directory;
        None for ever. After three seconds a warning in the log says who is waited for.
    :raises ValueError: if ``timeout`` is negative, or no number.
    """

    def __init__(
        self, *, preview: Preview = Preview.NONE, timeout: float | None = _TIMEOUT
    ) -> None:
        if timeout is not None and timeout != _TIMEOUT:
            from wheel_linker._fs.patience import refuse_no_timeout

            refuse_no_timeout(timeout)
        self.preview = preview
        self.timeout = timeout
        self._guard = threading.Lock()
        self._turns: dict[Identity, _Turn] = {}
        self._suppliers: dict[_Site, dict[WheelFilename, Supplier]] = {}
        _all.add(self)

    def warn_package_conflicts(self) -> tuple[PackageConflict, ...]:
        """Warn of paths that several of the linked wheels supply with different contents.

        Without :attr:`Preview.DETECT_MODULE_CONFLICTS` nothing is read and nothing is found.

        :returns: what was warned of.
        :raises LinkError: if a wheel cannot be read any more.
        """
        if self.preview is not Preview.DETECT_MODULE_CONFLICTS:
            return ()
        from wheel_linker._wheel.conflicts import as_race

        conflicts = self.find_package_conflicts()
        for conflict in conflicts:
            warn_caller(as_race(conflict), PackageConflictWarning)
        return conflicts

    def find_package_conflicts(self, *, exact: bool = False) -> tuple[PackageConflict, ...]:
        """Find paths that several of the linked wheels supply with different contents, one for each top-level name.

        Only directories that at least two wheels share are read.

        :param exact: compare the bytes; otherwise files of equal size count as equal.
        :returns: the conflicts, directory by directory.
        :raises LinkError: if a wheel cannot be read any more.
        """
        from wheel_linker._wheel.conflict_search import find_conflicts

        with self._guard:
            sites = {site: tuple(suppliers.values()) for site, suppliers in self._suppliers.items()}
        found: list[PackageConflict] = []
        for site, suppliers in sites.items():
            found += find_conflicts(site.path, sorted(suppliers, key=_name), exact=exact)
        return tuple(found)

    @contextmanager
    def turns(self, sites: Iterable[Folder]) -> Iterator[None]:
        """Wait until no other thread or process changes any of these directories.

        A call that changes several directories locks them in the order of their identities. In another order two calls,
        each of which has locked one directory, could wait for each other. Their paths give no such order, since a
        directory may have several.

        :raises LockTimeoutError: if another thread or process keeps one of them for too long.
        """
        by_identity = {site.identity(): site for site in sites}
        with ExitStack() as turns:
            for identity in sorted(by_identity):
                turns.enter_context(self._turn(by_identity[identity], identity))
            yield

    @contextmanager
    def _turn(self, site: Folder, identity: Identity) -> Iterator[None]:
        from wheel_linker._fs import locking
        from wheel_linker._fs.patience import Patience

        with self._guard:
            turn = self._turns.setdefault(identity, _Turn())
            turn.users += 1
        try:
            patience = Patience(site.path, self.timeout)
            with patience.turn(turn.lock), locking.exclusive(site.path, patience):
                yield
        finally:
            with self._guard:
                turn.users -= 1
                if not turn.users:
                    self._turns.pop(identity, None)

    def record(self, site: Folder, identity: Identity, suppliers: Iterable[Supplier]) -> None:
        """Remember that these wheels have been linked into ``site``."""
        key = _Site(site.path, identity)
        with self._guard:
            known = self._suppliers.setdefault(key, {})
            known.update({supplier.wheel: supplier for supplier in suppliers})

    def forget(self, site: Folder, identity: Identity, names: Collection[str]) -> None:
        """Forget wheels that are no longer in ``site``.

        :param names: the normalised names of their distributions.
        """
        with self._guard:
            known = self._suppliers.get(_Site(site.path, identity), {})
            for wheel in [wheel for wheel in known if wheel.name in names]:
                del known[wheel]

    def renew(self) -> None:
        """Forget what the parent's threads were about, in a child of fork(2)."""
        self._guard = threading.Lock()
        self._turns = {}


# A child of fork(2) has none of its parent's threads. Those that were in a call would never let go of their locks
# there.
_all: weakref.WeakSet[Locks] = weakref.WeakSet()


def _renew_all() -> None:
    for locks in list(_all):
        locks.renew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_all)


def _name(supplier: Supplier) -> str:
    return str(supplier.wheel)
