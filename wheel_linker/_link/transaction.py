"""Moving staged wheels into place, and back again if anything goes wrong.

What is new is renamed into place, whole directories at once. Where a directory is there already the two are merged:
each existing file is first kept in the stage, by a hard link, and then replaced by a rename, so that a reader sees the
old or the new file at any moment. Every step is noted before it is taken, and can be taken back after an interrupt at
any point. Directories that are left empty stay until nothing can fail any more: to make one again takes an inode.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Final

from wheel_linker._fs.descent import Descent
from wheel_linker._fs.moving import copy_entry, move
from wheel_linker._fs.sharing import FOLLOW, hard_link
from wheel_linker._fs.stage import OLD
from wheel_linker._fs.timestamps import refresh
from wheel_linker._link.containment import Containment
from wheel_linker._link.fallback import Cause, classify
from wheel_linker._link.journal import Journal, Step
from wheel_linker._log import log

if TYPE_CHECKING:
    from wheel_linker._fs.folder import Folder, Parts
    from wheel_linker._fs.stage import Stage
    from wheel_linker._link.removal.emptied import Emptied

# rmdir(2) says ENOTEMPTY or EEXIST of a directory that has something in it.
_STAYS: Final = frozenset({errno.ENOTEMPTY, errno.EEXIST, errno.ENOENT, errno.ENOTDIR, errno.ELOOP})


class Transaction:
    """Everything one call does to one directory.

    :ivar site: the directory.
    :ivar stage: where the wheels are, and where what they replace is kept.
    :ivar containment: tells which of its directories may be written to.
    :ivar emptied: the directories that are removed at the end; None if no files were removed.

    :param site: the directory, its path with symlinks resolved.
    :param stage: where the wheels are, and where what they replace is kept; removed at the end.
    :param before: the mtime of ``site`` in nanoseconds before the stage was made in it.
    """

    def __init__(self, site: Folder, stage: Stage, before: int) -> None:
        self.site = site
        self.stage = stage
        self.containment = Containment(site)
        self._journal = Journal(site, stage, self.containment)
        self._kept = 0
        self._touched: dict[Parts, int] = {(): before}
        self.emptied: Emptied | None = None
        self._finished = False

    @property
    def is_finished(self) -> bool:
        """Whether nothing is put back any more."""
        return self._finished

    def give_up_the_way_back(self) -> None:
        """Let everything stay as it is now. May be begun again."""
        self._finished = True
        self._journal.clear()

    def finish(self) -> None:
        """Give up the way back, clear away the stage and empty directories, and make importers look again.

        May be begun again.
        """
        self.give_up_the_way_back()
        self.stage.release_reserve()
        self._remove_emptied()
        self.stage.remove()
        with Descent(self.site, self.containment.enter) as folders:
            for parts in sorted(self._touched):
                try:
                    folder = self.containment.reach(folders, parts)
                except OSError:
                    continue  # somebody has removed the directory
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
        if not self._finished:
            self._journal.roll_back()

    # The following methods are for the merge of one wheel, and for the removal of files:

    def add(
        self, source: Folder, staged_parts: Parts, target: Folder, parts: Parts, name: str
    ) -> None:
        """Move an entry to where there is none."""
        self._touch(target, parts)
        self._journal.note(Step(parts, name, staged_parts, name, was_there=False))
        move(source, name, target, name)

    def replace(self, source: Folder, target: Folder, parts: Parts, name: str) -> None:
        """Put a file in the place of another, which is kept."""
        self._touch(target, parts)
        kept = self._next_name()
        _keep(target, name, self.stage.old, kept)
        self._journal.note(Step(parts, name, (OLD,), kept, was_there=True))
        try:
            move(source, name, target, name)
        except OSError:
            # The step was not taken, and must not be taken back: what cannot be renamed there (a mount point, or on
            # Windows a file in use) could not be put back either.
            if source.lstat(name) is not None:
                self._journal.forget_last()
            raise

    def remove(self, target: Folder, parts: Parts, name: str, *, touch: bool = True) -> None:
        """Remove a file, which is kept until the end.

        :param touch: whether importers are to notice.
        """
        if touch:
            self._touch(target, parts)
        kept = self._next_name()
        self._journal.note(Step(parts, name, (OLD,), kept, was_there=True))
        move(target, name, self.stage.old, kept)

    def make_way(self, target: Folder, parts: Parts, name: str) -> bool:
        """Remove a directory that waits to be removed at the end, because its place is needed before.

        :returns: False, and nothing has happened, if there is more in it than such directories.
        """
        if self.emptied is None or not self.emptied.makes_way(target, parts, name):
            return False
        self.remove(target, parts, name)
        return True

    def respell(self, target: Folder, parts: Parts, name: str) -> bool:
        """Remove a directory that waits to be removed, because it comes back with other letters in its name.

        :returns: False, and nothing has happened, if there is none, or if there is more in it than such directories.
        """
        if self.emptied is None:
            return False
        there = self.emptied.other_spelling(target, parts, name)
        if there is None:
            return False
        self.remove(target, parts, there)
        return True

    def _remove_emptied(self) -> None:
        """Remove the directories that are empty now, the deepest first.

        rmdir(2) decides and removes in one step. That matters, because another call may be about to make its stage
        there.
        """
        if self.emptied is None:
            return
        with Descent(self.site, self.containment.enter) as folders:
            for parts in self.emptied.deepest_first():
                # It is tried twice: what refuses the first time, say a virus scanner, may be gone.
                if not self._try_to_remove(folders, parts):
                    self._try_to_remove(folders, parts)
        self.emptied.clear()

    def _try_to_remove(self, folders: Descent, parts: Parts) -> bool:
        """Remove a directory if it is empty; False if that should have been possible."""
        above, name = parts[:-1], parts[-1]
        known = above in self._touched
        try:
            folder = self.containment.reach(folders, above)
            self._touch(folder, above)
            folder.remove_directory(name)
        except OSError as error:
            if not known:
                self._touched.pop(above, None)
            if error.errno in _STAYS:
                return True
            log("cannot remove the empty directory %s: %s", "/".join(parts), error)
            return False
        return True

    def _next_name(self) -> str:
        self._kept += 1
        return str(self._kept)

    def _touch(self, folder: Folder, parts: Parts) -> None:
        if parts not in self._touched:
            self._touched[parts] = folder.stat().st_mtime_ns


def _keep(folder: Folder, name: str, old: Folder, kept: str) -> None:
    """Give a file that is going to be replaced a second name, or where there are no links, make a copy of it."""
    try:
        hard_link()(
            folder.prefix + name,
            old.prefix + kept,
            src_dir_fd=folder.fd,
            dst_dir_fd=old.fd,
            follow_symlinks=FOLLOW,
        )
    except OSError as error:
        if classify(error) is Cause.FATAL:
            raise
        copy_entry(folder, name, old, kept)
