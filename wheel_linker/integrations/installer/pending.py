"""Files that come one by one, for any number of directories, and go into place together.

Each directory has a stage of its own, so that nothing crosses file systems. Until :meth:`Pending.commit` nothing is
visible; if that fails or never comes, nothing ever was.
"""

from __future__ import annotations

import os
import threading
from contextlib import ExitStack, contextmanager
from operator import attrgetter
from typing import TYPE_CHECKING, Final

from wheel_linker._fs.copying import open_new
from wheel_linker._fs.descent import Descent
from wheel_linker._fs.destination import leading_to, resolved
from wheel_linker._fs.folder import Folder
from wheel_linker._fs.stage import PREFIX
from wheel_linker._link.fallback import warn_of_fallbacks
from wheel_linker._link.merge import StagedFiles, commit
from wheel_linker._link.pipeline import refuse_own_inside
from wheel_linker._link.placer import Placer
from wheel_linker._link.report import combined
from wheel_linker._link.sites import opened_sites
from wheel_linker._link.walk import unchanged_root
from wheel_linker._wheel.dist_info import DIST_INFO
from wheel_linker._wheel.tree import Directory, Listing
from wheel_linker.errors import VANISHED, InvalidWheelError, refused

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    from wheel_linker._fs.folder import Identity, Parts
    from wheel_linker._link.locks import Locks
    from wheel_linker._link.report import LinkReport
    from wheel_linker._link.sites import Site, Sites
    from wheel_linker._wheel.filename import WheelFilename
    from wheel_linker._wheel.tree import Tree
    from wheel_linker.backends import Backend
    from wheel_linker.integrations.installer.file import UnpackedFile
    from wheel_linker.mode import LinkMode

_STAGED: Final = "0"


class Pending:
    """The files of one installation that are not in place yet.

    :param chain: the modes to try.
    :param backend: how to clone.
    :param locks: what threads that link into the same environment share.
    """

    def __init__(self, chain: tuple[LinkMode, ...], backend: Backend, locks: Locks) -> None:
        self._chain = chain
        self._backend = backend
        self._locks = locks
        self._guard = threading.RLock()
        self._process = os.getpid()
        self._open = ExitStack()
        self._sites: Sites | None = None
        self._known: dict[str, _Root] = {}
        self._roots: dict[Identity, _Root] = {}

    def link(self, directory: str, parts: Parts, file: UnpackedFile) -> None:
        """Place a file of an unpacked wheel at ``parts`` below ``directory``; its own path has to end in them.

        :raises InvalidWheelError: if the name belongs to this library's staging.
        :raises LinkError: if no mode of the chain can, or the system refuses.
        """
        with self._guard:
            self._root(directory).link(parts, file)

    @contextmanager
    def create(self, directory: str, parts: Parts, *, executable: bool) -> Iterator[BinaryIO]:
        """Make a private file at ``parts`` below ``directory``, and have it open.

        :raises InvalidWheelError: if the name belongs to this library's staging.
        :raises LinkError: if the system refuses.
        """
        with self._guard, self._root(directory).create(parts, executable=executable) as file:
            yield file

    def commit(self) -> LinkReport | None:
        """Put everything into place; the files of ``*.dist-info`` in the end.

        :returns: what became of the files that were linked; None if there are none.
        :raises LinkError: if something is in the way, or the system refuses. Everything is as it was then.
        """
        with self._guard:
            try:
                report = self._commit()
                self._open.close()
            finally:
                self.give_up()
        return report

    def give_up(self) -> None:
        """Forget everything that is not in place."""
        # A copy in a child of fork(2) must not remove what its parent still works with.
        if self._process != os.getpid():
            return
        with self._guard:
            self._sites = None
            self._known.clear()
            self._roots.clear()
            # The context is left with an error, so that directories that were made for nothing are removed as well.
            given_up = _GivenUpError()
            self._open.__exit__(_GivenUpError, given_up, None)

    def _root(self, directory: str) -> _Root:
        if directory not in self._known:
            self._known[directory] = self._open_root(resolved(directory))
        return self._known[directory]

    def _open_root(self, path: str) -> _Root:
        if self._sites is None:
            self._sites = self._open.enter_context(opened_sites())
        site = self._sites.prepare(path)
        # Another path may lead to a directory that is known already.
        if site.identity not in self._roots:
            root = _Root(self._sites, site, self._chain, self._backend)
            self._roots[site.identity] = self._open.enter_context(root)
        return self._roots[site.identity]

    def _commit(self) -> LinkReport | None:
        if self._sites is None or not self._roots:
            return None
        roots = sorted(self._roots.values(), key=attrgetter("has_dist_info"))
        # The warnings come while nothing has been changed, because a filter may turn one into an error.
        for root in roots:
            for placer in root.placers():
                warn_of_fallbacks(placer.tree.called, placer.chain, placer.fallbacks())
        with (
            refused("put everything into place", destination=roots[-1].path),
            self._sites.committing([root.path for root in roots], self._locks),
        ):
            replaced = [path for root in roots for path in root.commit()]
        reports = [report for root in roots for report in root.reports()]
        if not reports:
            return None
        return combined(reports, max(reports, key=attrgetter("files")).mode, replaced)


class _GivenUpError(Exception):
    """The error by which the directories that are held open are told to remove what was made in them."""


class _Root:
    """One directory that files go to, and those that are staged in it."""

    def __init__(
        self, sites: Sites, site: Site, chain: tuple[LinkMode, ...], backend: Backend
    ) -> None:
        self.path = site.folder.path
        self._above = leading_to(self.path)
        self._sites = sites
        self._site = site
        self._chain = chain
        self._backend = backend
        with refused(f"write to the directory {self.path!r}", destination=self.path):
            self._staged = site.stage.folder.make(_STAGED)
        self._targets = Descent(self._staged, Folder.make)
        self._files: dict[Parts, dict[str, None]] = {(): {}}
        self._sources: dict[str, _Source] = {}

    @property
    def has_dist_info(self) -> bool:
        return any(parts[0].endswith(DIST_INFO) for parts in self._files if parts)

    def link(self, parts: Parts, file: UnpackedFile) -> None:
        source = self._source(file, file.parts[: -len(parts)])
        doing = f"link {file.name!r} to {os.path.join(self.path, *parts)!r}"
        with refused(doing, destination=self.path, advice=VANISHED):
            target = self._make_room(parts)
            directory = Directory(parts[:-1], [parts[-1]], [])
            source.placer.place(directory, source.folders.go(file.parts[:-1]), target)
        source.placed += 1
        self._note(parts)

    @contextmanager
    def create(self, parts: Parts, *, executable: bool) -> Iterator[BinaryIO]:
        path = os.path.join(self.path, *parts)
        with refused(f"write {path!r}", destination=path):
            folder = self._make_room(parts)
            fd = open_new(folder.prefix + parts[-1], folder.fd, executable=executable)
            try:
                with open(fd, "wb") as file:
                    yield file
            except BaseException:
                # Otherwise the file would go into place along with its directory.
                os.unlink(folder.prefix + parts[-1], dir_fd=folder.fd)
                raise
        self._note(parts)

    def commit(self) -> list[str]:
        """Put the files into place; return those that were there before."""
        return commit(self._site.transaction, self._staged_files())

    def placers(self) -> Iterator[Placer]:
        for source in self._sources.values():
            yield source.placer

    def reports(self) -> Iterator[LinkReport]:
        for source in self._sources.values():
            yield source.placer.report(source.filename, ())._replace(files=source.placed)

    def _staged_files(self) -> StagedFiles:
        everywhere = {parts[:length] for parts in self._files for length in range(len(parts) + 1)}
        listing = Listing.of(
            Directory(parts, [*self._files.get(parts, ())], []) for parts in everywhere
        )
        source = next((source.placer.tree.path for source in self._sources.values()), None)
        path = source or self.path
        return StagedFiles(_STAGED, listing, path, path)

    def _make_room(self, parts: Parts) -> Folder:
        if parts[0].startswith(PREFIX):
            raise InvalidWheelError(
                f"the name {parts[0]!r} belongs to this library's own staging, and would be swept away"
            )
        folder = self._targets.go(parts[:-1])
        if parts[-1] in self._files.get(parts[:-1], ()):
            # The later file counts. The earlier one is a file of its own, or a link, of which only this name is
            # removed.
            os.unlink(folder.prefix + parts[-1], dir_fd=folder.fd)
            del self._files[parts[:-1]][parts[-1]]
        return folder

    def _note(self, parts: Parts) -> None:
        self._files.setdefault(parts[:-1], {})[parts[-1]] = None

    def _source(self, file: UnpackedFile, above: Parts) -> _Source:
        path = os.path.join(file.tree.path, *above)
        source = self._sources.get(path)
        if source is None:
            refuse_own_inside(self.path, self._above, file.tree)
            tree = file.tree._replace(path=path)
            placer = Placer(tree, self._chain, self._backend, None, self.path)
            source = self._sources[path] = _Source(file.filename, placer, file.tree)
            self._sites.protect([path])
        return source

    def __enter__(self) -> _Root:
        return self

    def __exit__(self, *_: object) -> None:
        self._targets.close()
        self._staged.close()
        for source in self._sources.values():
            source.close()


class _Source:
    """The part of an unpacked wheel that goes to one directory, such as ``*.data/scripts``."""

    def __init__(self, filename: WheelFilename, placer: Placer, tree: Tree) -> None:
        self.filename = filename
        self.tree = tree
        self.placer = placer
        self.placed = 0
        self._root = unchanged_root(tree.path, tree.identity)
        self.folders = Descent(self._root, Folder.enter)

    def close(self) -> None:
        self.folders.close()
        self._root.close()
