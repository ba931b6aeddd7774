"""The directories that one call changes, all or none, for linking, installing and the integrations alike."""

from __future__ import annotations

import errno
import os
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Final

from wheel_linker._compat.named_tuple import NamedTuple
from wheel_linker._fs.destination import opened
from wheel_linker._fs.folder import Folder
from wheel_linker._fs.stage import Stage, sweep
from wheel_linker._link.transaction import Transaction
from wheel_linker._log import log
from wheel_linker._threads import telling_of_completion, uninterrupted
from wheel_linker.errors import LinkError, refused

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

    from wheel_linker._fs.folder import Identity
    from wheel_linker._link.locks import Locks

# An attempt fails only if somebody removes the directory at that moment.
_ATTEMPTS: Final = 10


class Site(NamedTuple):
    """One directory, with a stage in it."""

    folder: Folder
    identity: Identity
    stage: Stage
    transaction: Transaction


class Sites:
    """The directories, each opened, or made, and given a stage before the first of them is changed.

    :param kept: where what was opened is closed, and what was made is removed if the call fails.
    """

    def __init__(self, kept: ExitStack) -> None:
        self._kept = kept
        self._sources: list[str] = []
        self._by_path: dict[str, Site] = {}
        # A directory that is known by two paths has one stage and one turn.
        self._by_identity: dict[Identity, Site] = {}
        self._process = os.getpid()

    def protect(self, sources: Collection[str]) -> None:
        """Let nothing be written to these roots of unpacked wheels."""
        self._sources += sources
        for site in self._by_identity.values():
            site.transaction.containment.protect(sources)

    def prepare(self, path: str) -> Site:
        """Open the directory at ``path``, symlinks resolved, and make a stage in it.

        :raises LinkError: if it is no directory, cannot be made, or is not writable.
        """
        if path in self._by_path:
            return self._by_path[path]
        for _ in range(_ATTEMPTS - 1):
            try:
                return self._prepare(path)
            except LinkError as error:
                # The directory was empty, and an uninstall has removed it when it was open already.
                if error.errno != errno.ENOENT:
                    raise
        return self._prepare(path)

    def at(self, path: str) -> Site:
        """Return a directory that was prepared."""
        return self._by_path[path]

    def has(self, path: str) -> bool:
        """Tell whether a directory was prepared."""
        return path in self._by_path

    def _prepare(self, path: str) -> Site:
        with ExitStack() as opening:
            folder = opening.enter_context(opened(path))
            identity = folder.identity()
            known = self._by_identity.get(identity)
            if known is None:
                self._by_identity[identity] = known = self._new(folder, identity)
                self._kept.push(opening.pop_all())
                self._make_stage(known)
        self._by_path[path] = known
        return known

    def _make_stage(self, site: Site) -> None:
        try:
            make_stage(site.folder, site.stage)
        except LinkError:
            site.transaction.close()
            # Another directory may get the inode of one that has gone.
            del self._by_identity[site.identity]
            raise

    def _new(self, folder: Folder, identity: Identity) -> Site:
        stage = Stage(folder)
        transaction = Transaction(folder, stage, folder.stat().st_mtime_ns)
        transaction.containment.protect(self._sources)
        return Site(folder, identity, stage, transaction)

    @contextmanager
    def committing(self, paths: Collection[str], locks: Locks) -> Iterator[None]:
        """Change the directories while nobody else changes these; if the body fails, everything is put back.

        :param paths: which of the directories nobody else may change meanwhile.
        :raises LockTimeoutError: if others change them for too long.
        """
        with locks.turns([self.at(path).folder for path in paths]):
            try:
                yield
                uninterrupted(self.finish)
            except BaseException:
                # This comes while it still is our turn.
                uninterrupted(self.roll_back)
                raise

    def settle(self) -> None:
        """Have on the disk what the stages hold, before a name of it is seen by anybody.

        File systems with a journal keep the order of names: what comes last is there only if all the others are.

        :raises OSError: if the disk is full, or broken.
        """
        from wheel_linker._fs.durable import on_disk

        for site in self._by_identity.values():
            if not on_disk(site.stage.folder):
                log("what is installed into %s may be lost by a power cut", site.folder.path)

    def finish(self) -> None:
        """Give up the way back everywhere. May be begun again."""
        # This comes first, in all directories: from here on nothing is put back anywhere.
        for site in self._by_identity.values():
            site.transaction.give_up_the_way_back()
        for site in self._by_identity.values():
            site.transaction.finish()

    def roll_back(self) -> None:
        """Put everything back as it was, unless finished. May be begun again.

        :raises LinkError: if the system refuses that too, when all that can be put back is.
        """
        self._each(Transaction.roll_back)

    def is_complete(self) -> bool:
        """Tell whether everything is in place, and nothing is put back any more."""
        return any(site.transaction.is_finished for site in self._by_identity.values())

    def close(self) -> None:
        """Put everything back, unless finished, and remove the stages. May be begun again.

        The errors are those of :meth:`roll_back`.
        """
        # A copy in a child of fork(2) must not remove what its parent still works with.
        if self._process == os.getpid():
            self._each(Transaction.close)

    def _each(self, action: Callable[[Transaction], None]) -> None:
        failures = []
        for site in reversed(self._by_identity.values()):
            try:
                action(site.transaction)
            except Exception as error:  # noqa: BLE001 - raised below, when the others are put back
                failures.append(error)
        if failures:
            raise failures[0]


@contextmanager
def opened_sites(litter: Iterable[str] = ()) -> Iterator[Sites]:
    """Have the directories of a call; if the body fails or is interrupted they are as they were before.

    An interrupt that comes when everything is in place says that.

    :param litter: directories that need not be changed, and may have litter of killed processes.
    """
    kept = ExitStack()
    sites = Sites(kept)
    with telling_of_completion(sites.is_complete), kept:
        # They are closed twice, because Ctrl-C may come in the instant before the first call starts. The second call
        # does nothing when there is nothing left to do.
        try:
            try:
                sweep_all(litter)
                yield sites
            finally:
                uninterrupted(sites.close)
        finally:
            uninterrupted(sites.close)


def sweep_all(paths: Iterable[str]) -> None:
    """Remove the litter of killed processes from directories that need not be changed otherwise."""
    for path in paths:
        try:
            with Folder.open(path) as folder:
                sweep(folder)
        except OSError as error:
            log("cannot sweep %s: %s", path, error)


def make_stage(site: Folder, stage: Stage) -> None:
    """Remove the litter of killed processes, and make a stage.

    :raises LinkError: if ``site`` is not writable.
    """
    with refused(f"write to the directory {site.path!r}", destination=site.path):
        sweep(site)
        stage.make()
