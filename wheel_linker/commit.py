"""Moving staged wheels into place, and back again if anything goes wrong.

What is new is renamed into place, whole directories at once. Where a directory is there already the two are merged:
each existing file is first kept in the stage, by a hard link, and then replaced by a rename, so that a reader sees the
old or the new file at any moment. Every step is noted before it is taken, and can be taken back after an interrupt at
any point.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
from typing import TYPE_CHECKING, Final, NamedTuple

from wheel_linker.bytecode import CACHE, bytecode_of
from wheel_linker.causes import Cause, classify
from wheel_linker.debug import log
from wheel_linker.errors import LinkError
from wheel_linker.files import copy_content, create_from
from wheel_linker.folder import Descent, Folder
from wheel_linker.paths import is_within
from wheel_linker.refresh import refresh
from wheel_linker.scan import DIST_INFO
from wheel_linker.stage import OLD

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from wheel_linker.folder import Parts
    from wheel_linker.scan import Directory, Tree
    from wheel_linker.stage import Stage

_PATH_CONFIGURATION: Final = ".pth"
_RECORD: Final = "RECORD"
_MOUNTED: Final = "something is mounted there: unmount it, or link into that mount itself"
_ADVICE: Final = {errno.EXDEV: _MOUNTED, errno.EBUSY: _MOUNTED}
_NOT_A_DIRECTORY: Final = frozenset({errno.ENOTDIR, errno.ELOOP})
# rmdir(2) says either.
_NOT_EMPTY: Final = frozenset({errno.ENOTEMPTY, errno.EEXIST})


class _Undo(NamedTuple):
    """How to take one step back: move an entry between the destination and the stage."""

    parts: Parts
    name: str
    staged_parts: Parts
    staged_name: str
    was_there: bool


class _Removed(NamedTuple):
    """How to take one step back: make a directory again that was empty."""

    parts: Parts
    name: str
    mode: int
    owner: tuple[int, int]


class Transaction:
    """Everything one call does to ``site_packages``.

    :param site: the directory, its path with symlinks resolved.
    :param stage: where the wheels are, and where what they replace is kept; removed at the end.
    :param before: the mtime of ``site`` in nanoseconds before the stage was made in it.
    :param sources: the roots of the wheels, where nothing may be written.
    """

    def __init__(self, site: Folder, stage: Stage, before: int, sources: Iterable[str]) -> None:
        self._site = site
        self._stage = stage
        self._sources = [source for source in sources if is_within(source, site.path)]
        self._undo: list[_Undo | _Removed] = []
        self._kept = 0
        self._touched: dict[Parts, int] = {(): before}

    def commit(self, tree: Tree, staged: str) -> list[str]:
        """Move one wheel into place: ``*.pth`` after everything else, and ``*.dist-info`` last.

        :param staged: the name of its directory in the stage.
        :returns: the files that were there before, relative to the site.
        :raises LinkError: if something is in the way, or the system refuses.
        """
        with (
            self._stage.folder.enter(staged) as root,
            Descent(root, Folder.enter) as sources,
            Descent(self._site, self.enter_existing) as targets,
        ):
            return _Merge(self, tree, staged, sources, targets).run()

    def finish(self) -> None:
        """Give up the way back, clear the stage away, and make importers look again.

        May be begun again.
        """
        self._undo.clear()
        self._stage.remove()
        with Descent(self._site, self.enter_existing) as folders:
            for parts in sorted(self._touched):
                try:
                    folder = folders.go(parts)
                except OSError:
                    continue  # somebody has removed it
                refresh(folder, self._touched[parts])

    def close(self) -> None:
        """Put everything back as it was, unless finished, and remove the stage. May be begun again.

        :raises LinkError: if the system refuses that too; the message says where the replaced files
            are kept.
        """
        self.roll_back()
        self._stage.remove()

    def roll_back(self) -> None:
        """Put everything back as it was, unless finished. May be begun again.

        :raises LinkError: as :meth:`close`.
        """
        while self._undo:
            try:
                self._take_back(self._undo[-1])
            except OSError as error:
                rescued = self._stage.rescue()
                self._undo.clear()
                doing = (
                    f"put back what was in {self._site.path!r}; files not yet put back are kept in "
                    f"{rescued!r}"
                )
                raise LinkError.from_os_error(error, doing, destination=self._site.path) from error
            self._undo.pop()

    # What the merge of one wheel needs:

    def add(
        self, source: Folder, staged_parts: Parts, target: Folder, parts: Parts, name: str
    ) -> None:
        """Move an entry to where there is none."""
        self._touch(target, parts)
        self._undo.append(_Undo(parts, name, staged_parts, name, was_there=False))
        source.move(name, target, name)

    def replace(self, source: Folder, target: Folder, parts: Parts, name: str) -> None:
        """Put a file in the place of another, which is kept."""
        self._touch(target, parts)
        kept = self._next_name()
        _keep(target, name, self._stage.old, kept)
        self._undo.append(_Undo(parts, name, (OLD,), kept, was_there=True))
        try:
            source.move(name, target, name)
        except OSError:
            # Nothing to take back; and what cannot be renamed there, a mount point or on Windows a file in
            # use, could not be put back either.
            if source.lstat(name) is not None:
                self._undo.pop()
            raise

    def take_away(self, target: Folder, parts: Parts, name: str) -> None:
        """Take a file away, which is kept, so that importers notice."""
        self._touch(target, parts)
        self.discard(target, parts, name)

    def discard(self, target: Folder, parts: Parts, name: str) -> None:
        """Take a file away, which is kept."""
        kept = self._next_name()
        self._undo.append(_Undo(parts, name, (OLD,), kept, was_there=True))
        target.move(name, self._stage.old, kept)

    def remove_if_empty(self, target: Folder, parts: Parts, name: str) -> None:
        """Remove a directory, unless there is something in it.

        By rmdir(2), which decides and removes in one step: another call may be about to make its stage there, which
        would go with a directory that is moved away.
        """
        status = target.lstat(name)
        if status is None or not stat.S_ISDIR(status.st_mode):
            return
        self._touch(target, parts)
        mode = stat.S_IMODE(status.st_mode)
        self._undo.append(_Removed(parts, name, mode, (status.st_uid, status.st_gid)))
        try:
            target.remove_directory(name)
        except OSError as error:
            self._undo.pop()
            if error.errno not in _NOT_EMPTY:
                raise

    def _next_name(self) -> str:
        self._kept += 1
        return str(self._kept)

    def _touch(self, folder: Folder, parts: Parts) -> None:
        if parts not in self._touched:
            self._touched[parts] = folder.stat().st_mtime_ns

    def _take_back(self, step: _Undo | _Removed) -> None:
        if isinstance(step, _Removed):
            self._make_again(step)
        else:
            self._move_back(step)

    def _make_again(self, step: _Removed) -> None:
        with Descent(self._site, self.enter_existing) as folders:
            folder = folders.go(step.parts)
            path = folder.prefix + step.name
            try:
                os.mkdir(path, dir_fd=folder.fd)
            except FileExistsError:
                pass  # taken back before, up to some point, or never removed
            status = os.stat(path, dir_fd=folder.fd)
            if sys.platform != "win32" and (status.st_uid, status.st_gid) != step.owner:
                try:
                    os.chown(path, *step.owner, dir_fd=folder.fd)
                except PermissionError as error:
                    log("%s now belongs to another user: %s", path, error)
            if stat.S_IMODE(status.st_mode) != step.mode:
                os.chmod(path, step.mode, dir_fd=folder.fd)

    def _move_back(self, step: _Undo) -> None:
        with (
            Descent(self._stage.folder, Folder.enter) as staged_folders,
            Descent(self._site, self.enter_existing) as folders,
        ):
            staged = staged_folders.go(step.staged_parts)
            folder = folders.go(step.parts)
            is_staged = staged.lstat(step.staged_name) is not None
            if step.was_there:
                if is_staged:
                    staged.move(step.staged_name, folder, step.name)
            elif not is_staged and folder.lstat(step.name) is not None:
                folder.move(step.name, staged, step.staged_name)

    def enter_existing(self, parent: Folder, name: str) -> Folder:
        """Open a directory of the destination, through a symlink only if that stays in the destination."""
        try:
            folder = parent.enter(name)
        except OSError as error:
            status = parent.lstat(name)
            if (
                error.errno not in _NOT_A_DIRECTORY
                or status is None
                or not stat.S_ISLNK(status.st_mode)
            ):
                raise
            folder = self._resolve(parent, name)
        if any(is_within(folder.path, source) for source in self._sources):
            folder.close()
            path = os.path.join(parent.path, name)
            raise LinkError(
                f"{path!r} is part of the unpacked wheel {self._sources[0]!r} itself: "
                "keep unpacked wheels outside site-packages",
                destination=path,
            )
        return folder

    def _resolve(self, parent: Folder, name: str) -> Folder:
        path = os.path.join(parent.path, name)
        real = os.path.realpath(path)
        if not is_within(real, self._site.path):
            raise LinkError(
                f"{path!r} is a symlink to {real!r}, outside of {self._site.path!r}: nothing is written through it; "
                "replace it by a directory, or remove it",
                errno=errno.ELOOP,
                destination=path,
            )
        with Descent(self._site, Folder.enter) as descent:
            parts = tuple(os.path.relpath(real, self._site.path).split(os.sep))
            return descent.go(parts[:-1]).enter(parts[-1])


class _Merge:
    """Moves one staged wheel into place."""

    def __init__(
        self, transaction: Transaction, tree: Tree, staged: str, sources: Descent, targets: Descent
    ) -> None:
        self._transaction = transaction
        self._tree = tree
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
        tree = self._tree
        root = tree.directories[0]
        entries = _entries(root)
        late = [name for name in entries if name.endswith(_PATH_CONFIGURATION)]
        self._merge_files(root, [name for name in entries if name not in late])
        top_level = list(tree.top_level())
        infos = [
            index for index in top_level if tree.directories[index].parts[0].endswith(DIST_INFO)
        ]
        for index in top_level:
            if index not in infos:
                self._place_subtree(index)
        self._merge_files(root, late)
        for index in infos:
            self._place_subtree(index)

    def _place_subtree(self, index: int) -> None:
        end = self._tree.directories[index].end
        while index < end:
            directory = self._tree.directories[index]
            if self._move_whole(directory):
                index = directory.end
                continue
            self._merge_files(directory, _entries(directory))
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
            return False
        source = self._sources.go(parts)
        self._transaction.add(source, (self._staged, *parts), target, parts, name)
        return True

    def _merge_files(self, directory: Directory, names: Sequence[str]) -> None:
        if not names:
            return
        source = self._sources.go(directory.parts)
        target = self._targets.go(directory.parts)
        self._at = target.path
        # Before, so that it is gone even if this process is killed; again afterwards, because an interpreter may
        # meanwhile have compiled the old source once more.
        self._drop_bytecode(directory, target, names)
        for name in names:
            self._place_file(directory, name, source, target)
        self._drop_bytecode(directory, target, names)

    def _place_file(self, directory: Directory, name: str, source: Folder, target: Folder) -> None:
        parts = directory.parts
        self._at = os.path.join(target.path, name)
        status = target.lstat(name)
        if status is None:
            self._transaction.add(source, (self._staged, *parts), target, parts, name)
        elif stat.S_ISDIR(status.st_mode) or self._hides_directory(directory, name, status):
            raise self._in_the_way(directory, "file", "a directory", name)
        else:
            staged = source.lstat(name)
            # A link of the same inode is there already; rename(2) would do nothing either.
            if staged is None or not os.path.samestat(staged, status):
                self._transaction.replace(source, target, parts, name)
            self._replaced.append(directory.path_of(name))

    def _hides_directory(self, directory: Directory, name: str, status: os.stat_result) -> bool:
        """Tell whether a file would take the place of a symlink that leads to a directory."""
        is_own_link = any(name == link for link, _ in directory.links)
        return stat.S_ISLNK(status.st_mode) and not is_own_link and os.path.isdir(self._at)

    def _drop_bytecode(self, directory: Directory, target: Folder, names: Sequence[str]) -> None:
        sources = [name for name in names if name.endswith(".py")]
        if not sources or target.lstat(CACHE) is None:
            return
        with self._transaction.enter_existing(target, CACHE) as cache:
            for name in bytecode_of(sources, cache.listdir()):
                self._transaction.discard(cache, (*directory.parts, CACHE), name)

    def _in_the_way(
        self, directory: Directory, wanted: str, there: str, name: str | None = None
    ) -> LinkError:
        source = os.path.join(self._tree.path, *directory.parts, *([name] if name else []))
        number = errno.EISDIR if wanted == "file" else errno.ENOTDIR
        return LinkError(
            f"cannot put the {wanted} {source!r} at {self._at!r}: there is {there}; remove one of the two",
            errno=number,
            source=source,
            destination=self._at,
        )


def _entries(directory: Directory) -> list[str]:
    """Return the names of a directory's files and symlinks, RECORD last: it says that the rest is there."""
    names = [*directory.files, *(name for name, _ in directory.links)]
    return sorted(names, key=_RECORD.__eq__)


def _keep(folder: Folder, name: str, old: Folder, kept: str) -> None:
    """Give a file that is going to be replaced a second name, or where there are no links, make a copy of it."""
    try:
        os.link(
            folder.prefix + name,
            old.prefix + kept,
            src_dir_fd=folder.fd,
            dst_dir_fd=old.fd,
            follow_symlinks=os.link not in os.supports_follow_symlinks,
        )
    except OSError as error:
        if classify(error) is Cause.FATAL:
            raise
        _keep_copy(folder, name, old, kept)


def _keep_copy(folder: Folder, name: str, old: Folder, kept: str) -> None:
    status = os.stat(folder.prefix + name, dir_fd=folder.fd, follow_symlinks=False)
    if stat.S_ISLNK(status.st_mode):
        target = os.readlink(folder.prefix + name, dir_fd=folder.fd)
        os.symlink(target, old.prefix + kept, dir_fd=old.fd)
        return
    create_from(copy_content, folder.prefix + name, old.prefix + kept, folder.fd, old.fd)
    os.utime(old.prefix + kept, ns=(status.st_atime_ns, status.st_mtime_ns), dir_fd=old.fd)
