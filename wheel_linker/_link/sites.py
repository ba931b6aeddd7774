"""The directories of an environment that one call changes, all or none."""

from __future__ import annotations

import errno
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Final, NamedTuple

from wheel_linker._fs.destination import opened
from wheel_linker._fs.folder import Folder
from wheel_linker._fs.stage import Stage, sweep
from wheel_linker._link.pipeline import make_stage
from wheel_linker._link.transaction import Transaction
from wheel_linker._log import log
from wheel_linker._threads import uninterrupted
from wheel_linker.errors import LinkError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from wheel_linker._fs.folder import Identity
    from wheel_linker._link.locks import Locks

# Each is lost only if somebody removes the directory just then.
_ATTEMPTS: Final = 10


class Site(NamedTuple):
    """One directory, with a stage in it."""

    folder: Folder
    identity: Identity
    stage: Stage
    transaction: Transaction


class Sites:
    """The directories, each opened, or made, when it is first needed.

    :param kept: where what was opened is closed, and what was made is removed if the call fails.
    :param sources: the roots of the wheels, where nothing may be written.
    """

    def __init__(self, kept: ExitStack, sources: Sequence[str]) -> None:
        self._kept = kept
        self._sources = sources
        self._known: dict[str, Site] = {}

    def sweep(self, paths: Sequence[str]) -> None:
        """Remove the litter of killed processes from directories that need not be changed otherwise."""
        for path in paths:
            try:
                with Folder.open(path) as folder:
                    sweep(folder)
            except OSError as error:
                log("cannot sweep %s: %s", path, error)

    def at(self, path: str) -> Site:
        """Return the directory at ``path``, symlinks resolved.

        :raises LinkError: if it is no directory, cannot be made, or is not writable.
        """
        if path in self._known:
            return self._known[path]
        for _ in range(_ATTEMPTS - 1):
            try:
                return self._open(path)
            except LinkError as error:
                # An uninstall has removed it, empty as it was, when it was open already.
                if error.errno != errno.ENOENT:
                    raise
        return self._open(path)

    def _open(self, path: str) -> Site:
        folder = self._kept.enter_context(opened(path))
        stage = Stage(folder)
        transaction = Transaction(folder, stage, folder.stat().st_mtime_ns, self._sources)
        # Before the stage is made: whatever happens then, it is removed.
        self._known[path] = Site(folder, folder.identity(), stage, transaction)
        make_stage(folder, stage)
        return self._known[path]

    @contextmanager
    def committing(self, paths: Sequence[str], locks: Locks) -> Iterator[None]:
        """Change the directories while nobody else changes these; if the body fails, everything is put back.

        :param paths: as for :meth:`turn`.
        """
        with self.turn(paths, locks):
            try:
                yield
                uninterrupted(self.finish)
            except BaseException:
                # While it still is our turn.
                uninterrupted(self.roll_back)
                raise

    @contextmanager
    def turn(self, paths: Sequence[str], locks: Locks) -> Iterator[None]:
        """Wait until nobody else changes some of the directories.

        In the order of their paths, so that two who want the same never wait for each other.
        """
        with ExitStack() as turns:
            for path in sorted(paths):
                turns.enter_context(locks.turn(self.at(path).folder))
            yield

    def finish(self) -> None:
        """Give up the way back everywhere. May be begun again."""
        for site in self._known.values():
            site.transaction.finish()

    def roll_back(self) -> None:
        """Put everything back as it was, unless finished. May be begun again.

        :raises LinkError: if the system refuses that too, when all that can be put back is.
        """
        self._each(Transaction.roll_back)

    def close(self) -> None:
        """Put everything back, unless finished, and remove the stages. May be begun again; errors as there."""
        self._each(Transaction.close)

    def _each(self, action: Callable[[Transaction], None]) -> None:
        failures = []
        for site in reversed(self._known.values()):
            try:
                action(site.transaction)
            except Exception as error:  # noqa: BLE001 - raised below, when the others are put back
                failures.append(error)
        if failures:
            raise failures[0]


@contextmanager
def opened_sites(roots: Sequence[str], sources: Sequence[str]) -> Iterator[Sites]:
    """Have the directories of an environment; if the body fails or is interrupted they are as they were before.

    :param roots: where there may be litter.
    :param sources: as for :class:`Sites`.
    """
    with ExitStack() as kept:
        sites = Sites(kept, sources)
        # Twice, because Ctrl-C may come in the instant before the first one starts. It does nothing when there is
        # nothing left to do.
        try:
            try:
                sites.sweep(roots)
                yield sites
            finally:
                uninterrupted(sites.close)
        finally:
            uninterrupted(sites.close)
