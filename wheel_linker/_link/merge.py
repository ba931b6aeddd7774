"""Moving one staged wheel into place, and merging it with what is there."""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING, Final

from wheel_linker._compat.named_tuple import NamedTuple
from wheel_linker._fs.descent import Descent
from wheel_linker._fs.folder import Folder
from wheel_linker._fs.sharing import show
from wheel_linker._wheel.bytecode import CACHE, bytecode_of, has_cache
from wheel_linker._wheel.order import entries, order_of
from wheel_linker.errors import LinkError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wheel_linker._link.transaction import Transaction
    from wheel_linker._wheel.tree import Directory, Listing, Tree

_MOUNTED: Final = "something is mounted there: unmount it, or link into that mount itself"
_ADVICE: Final = {errno.EXDEV: _MOUNTED, errno.EBUSY: _MOUNTED}


class StagedFiles(NamedTuple):
    """What lies staged in one directory, to be moved into place."""

    name: str
    """The name of that directory in the stage."""
    listing: Listing
    source: str
    """Where it comes from: the path that errors carry."""
    called: str
    """What that is called in messages."""

    @classmethod
    def of_wheel(cls, name: str, tree: Tree) -> StagedFiles:
        """Make one of all that an unpacked wheel has."""
        return cls(name, tree.listing, tree.path, tree.called)


def commit(transaction: Transaction, staged: StagedFiles) -> list[str]:
    """Move one wheel into place: ``*.pth`` after everything else, and ``*.dist-info`` last.

    :param transaction: what notes each step.
    :returns: the files that were there before, relative to the site.
    :raises LinkError: if something is in the way, or the system refuses.
    """
    with (
        transaction.stage.folder.enter(staged.name) as root,
        Descent(root, Folder.enter) as sources,
        Descent(transaction.site, transaction.containment.enter) as targets,
    ):
        return _Merge(transaction, staged, sources, targets).run()


class _Merge:
    """Moves one staged wheel into place."""

    def __init__(
        self, transaction: Transaction, staged: StagedFiles, sources: Descent, targets: Descent
    ) -> None:
        self._transaction = transaction
        self._directories = staged.listing.directories
        self._staged = staged
        self._sources = sources
        self._targets = targets
        self._replaced: list[str] = []
        self._at = ""

    def run(self) -> list[str]:
        """Return the files that were replaced."""
        try:
            self._in_order()
        except LinkError:
            raise
        except OSError as error:
            doing = f"put {self._at!r} into place"
            raise LinkError.from_os_error(
                error, doing, destination=self._at, advice=_ADVICE
            ) from error
        return self._replaced

    def _in_order(self) -> None:
        root, order = self._directories[0], order_of(self._staged.listing)
        self._merge_files(root, order.files)
        for index in order.directories:
            self._place_subtree(index)
        self._merge_files(root, order.path_configuration)
        for name in order.path_configuration:
            # The stage has a leading dot, which makes macOS hide what is made in it.
            show(self._targets.go(()), name)
        for index in order.infos:
            self._place_info(index)

    def _place_info(self, index: int) -> None:
        """Place a ``*.dist-info``; RECORD last, and so after the directories in it."""
        directory = self._directories[index]
        if not self._move_whole(directory):
            self._place_range(index + 1, directory.end)
            self._merge_files(directory, entries(directory))

    def _place_subtree(self, index: int) -> None:
        self._place_range(index, self._directories[index].end)

    def _place_range(self, index: int, end: int) -> None:
        while index < end:
            directory = self._directories[index]
            if self._move_whole(directory):
                index = directory.end
                continue
            self._merge_files(directory, entries(directory))
            index += 1

    def _move_whole(self, directory: Directory) -> bool:
        """Rename a directory into place if there is nothing of its name yet."""
        parts, name = directory.parts[:-1], directory.parts[-1]
        target = self._targets.go(parts)
        self._at = os.path.join(target.path, name)
        status = target.lstat(name)
        if status is not None:
            if not stat.S_ISDIR(status.st_mode) and not os.path.isdir(self._at):
                raise self._in_the_way(directory, "directory", "a file")
            if not self._transaction.respell(target, parts, name):
                return False
        source = self._sources.go(parts)
        self._transaction.add(source, (self._staged.name, *parts), target, parts, name)
        return True

    def _merge_files(self, directory: Directory, names: Sequence[str]) -> None:
        if not names:
            return
        source = self._sources.go(directory.parts)
        target = self._targets.go(directory.parts)
        self._at = target.path
        # Bytecode is removed before, so that it is gone even if this process is killed, and again afterwards, because
        # an interpreter may have compiled the old source once more meanwhile.
        self._remove_bytecode(directory, target, names)
        for name in names:
            self._place_file(directory, name, source, target)
        self._remove_bytecode(directory, target, names)

    def _place_file(self, directory: Directory, name: str, source: Folder, target: Folder) -> None:
        parts = directory.parts
        self._at = os.path.join(target.path, name)
        status = target.lstat(name)
        if status is None or (
            stat.S_ISDIR(status.st_mode) and self._transaction.make_way(target, parts, name)
        ):
            self._transaction.add(source, (self._staged.name, *parts), target, parts, name)
        elif stat.S_ISDIR(status.st_mode) or self._hides_directory(directory, name, status):
            raise self._in_the_way(directory, "file", "a directory", name)
        else:
            staged = source.lstat(name)
            # If a link of the same inode is there already, nothing is done; rename(2) would do nothing either.
            if staged is None or not os.path.samestat(staged, status):
                self._transaction.replace(source, target, parts, name)
            self._replaced.append(directory.path_of(name))

    def _hides_directory(self, directory: Directory, name: str, status: os.stat_result) -> bool:
        """Tell whether a file would take the place of a symlink that leads to a directory."""
        if not stat.S_ISLNK(status.st_mode) or not os.path.isdir(self._at):
            return False
        return all(name != link for link, _ in directory.links)

    def _remove_bytecode(self, directory: Directory, target: Folder, names: Sequence[str]) -> None:
        sources = [name for name in names if name.endswith(".py")]
        if not sources or not has_cache(target):
            return
        with self._transaction.containment.enter(target, CACHE) as cache:
            for name in bytecode_of(sources, cache.listdir()):
                self._transaction.remove(cache, (*directory.parts, CACHE), name, touch=False)

    def _in_the_way(
        self, directory: Directory, wanted: str, there: str, name: str | None = None
    ) -> LinkError:
        below = (*directory.parts, name) if name else directory.parts
        source = os.path.join(self._staged.source, *below)
        called = os.path.join(self._staged.called, *below)
        number = errno.EISDIR if wanted == "file" else errno.ENOTDIR
        return LinkError(
            f"cannot put the {wanted} {called!r} at {self._at!r}: there is {there}; remove one of the two",
            errno=number,
            source=source,
            destination=self._at,
        )
