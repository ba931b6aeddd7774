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

from wheel_linker._fs.copying import copy_content, create_from
from wheel_linker._fs.descent import Descent
from wheel_linker._fs.folder import Folder
from wheel_linker._fs.paths import is_within
from wheel_linker._fs.stage import OLD
from wheel_linker._fs.timestamps import refresh
from wheel_linker._link.fallback import Cause, classify
from wheel_linker._log import log
from wheel_linker.errors import LinkError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wheel_linker._fs.folder import Parts
    from wheel_linker._fs.stage import Stage

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

    :ivar site: the directory.
    :ivar stage: where the wheels are, and where what they replace is kept.

    :param site: the directory, its path with symlinks resolved.
    :param stage: where the wheels are, and where what they replace is kept; removed at the end.
    :param before: the mtime of ``site`` in nanoseconds before the stage was made in it.
    :param sources: the roots of the wheels, where nothing may be written.
    """

    def __init__(self, site: Folder, stage: Stage, before: int, sources: Iterable[str]) -> None:
        self.site = site
        self.stage = stage
        self._sources = [source for source in sources if is_within(source, site.path)]
        self._undo: list[_Undo | _Removed] = []
        self._kept = 0
        self._touched: dict[Parts, int] = {(): before}

    def finish(self) -> None:
        """Give up the way back, clear the stage away, and make importers look again.

        May be begun again.
        """
        self._undo.clear()
        self.stage.remove()
        with Descent(self.site, self.enter_existing) as folders:
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
        self.stage.remove()

    def roll_back(self) -> None:
        """Put everything back as it was, unless finished. May be begun again.

        :raises LinkError: as :meth:`close`.
        """
        while self._undo:
            try:
                self._take_back(self._undo[-1])
            except OSError as error:
                rescued = self.stage.rescue()
                self._undo.clear()
                doing = (
                    f"put back what was in {self.site.path!r}; files not yet put back are kept in "
                    f"{rescued!r}"
                )
                raise LinkError.from_os_error(error, doing, destination=self.site.path) from error
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
        _keep(target, name, self.stage.old, kept)
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
        target.move(name, self.stage.old, kept)

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
        with Descent(self.site, self.enter_existing) as folders:
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
            Descent(self.stage.folder, Folder.enter) as staged_folders,
            Descent(self.site, self.enter_existing) as folders,
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
        if not is_within(real, self.site.path):
            raise LinkError(
                f"{path!r} is a symlink to {real!r}, outside of {self.site.path!r}: nothing is written through it; "
                "replace it by a directory, or remove it",
                errno=errno.ELOOP,
                destination=path,
            )
        with Descent(self.site, Folder.enter) as descent:
            parts = tuple(os.path.relpath(real, self.site.path).split(os.sep))
            return descent.go(parts[:-1]).enter(parts[-1])


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
