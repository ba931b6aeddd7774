"""Moving entries between directories, by copying where the system lets nothing be renamed from one to another.

A sandbox made with Landlock answers EXDEV to that unless it allows "refer", and lets entries be renamed within their
directory. https://docs.kernel.org/userspace-api/landlock.html
"""

from __future__ import annotations

import errno
import os
import stat
from functools import partial
from typing import TYPE_CHECKING, Final

from wheel_linker._fs.copying import copy_content, create_from
from wheel_linker._fs.descent import Descent
from wheel_linker._fs.folder import Folder
from wheel_linker._fs.permissions import FOLLOW_FOR_TIMES, chmod_itself, if_allowed
from wheel_linker._fs.remove_tree import remove_tree
from wheel_linker._log import log
from wheel_linker._threads import uninterrupted

if TYPE_CHECKING:
    from wheel_linker._fs.folder import Parts

# This is not the prefix of stages: a sweep, which tells these by their locks, must not take it for one.
_PRIVATE: Final = ".wheel_linker_moving-"


def move(source: Folder, name: str, target: Folder, new: str) -> None:
    """Move an entry as :meth:`Folder.move` does; between directories of one file system it is copied if need be.

    :raises OSError: EXDEV if they are on different file systems, or something is mounted there.
    """
    try:
        source.move(name, target, new)
    except OSError as error:
        if error.errno != errno.EXDEV or not _on_one_mount(source, name, target):
            raise
        _carry(source, name, target, new)


def move_away(source: Folder, name: str, stage: Folder, new: str) -> None:
    """Move an entry into a stage, with which it goes; remove it at once where the system moves none of its kind.

    overlayfs renames no directory of a lower layer, and some sandboxes rename nothing from one directory to another.

    :param stage: the stage's directory, or one in it.
    :raises OSError: if it can neither be moved nor removed.
    """
    try:
        source.move(name, stage, new)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        log("cannot move %s in %s: %s", name, source.path, error)
        _remove(source, name)


def copy_entry(source: Folder, name: str, target: Folder, new: str) -> None:
    """Copy a file or a symlink with its permission bits and times.

    :raises OSError: FileExistsError if there is something of the name ``new``.
    """
    status = os.stat(source.prefix + name, dir_fd=source.fd, follow_symlinks=False)
    if stat.S_ISLNK(status.st_mode):
        leads_to = os.readlink(source.prefix + name, dir_fd=source.fd)
        os.symlink(leads_to, target.prefix + new, dir_fd=target.fd)
        return
    create_from(copy_content, source.prefix + name, target.prefix + new, source.fd, target.fd)
    _describe(target, new, status)


def _describe(target: Folder, new: str, status: os.stat_result) -> None:
    path = target.prefix + new
    if_allowed(chmod_itself, path, stat.S_IMODE(status.st_mode), target.fd)
    times = (status.st_atime_ns, status.st_mtime_ns)
    if_allowed(os.utime, path, ns=times, dir_fd=target.fd, follow_symlinks=FOLLOW_FOR_TIMES)


def _on_one_mount(source: Folder, name: str, target: Folder) -> bool:
    """Tell whether nothing is mounted between an entry and where it is to go: then it is a sandbox that refuses."""
    status = source.lstat(name)
    if status is None or status.st_dev != target.stat().st_dev:
        return False
    # A bind mount has its file system's own device number.
    here, there = _mount_of(source), _mount_of(target)
    return here is None or there is None or here == there


def _mount_of(folder: Folder) -> bytes | None:
    """Return the line that names the mount a directory is in, proc_pid_fdinfo(5); None where that is not told."""
    try:
        with open(f"/proc/self/fdinfo/{folder.fd}", "rb") as file:
            return next((line for line in file if line.startswith(b"mnt_id:")), None)
    except OSError as error:
        log("cannot tell which mount %s is in: %s", folder.path, error)
        return None


def _carry(source: Folder, name: str, target: Folder, new: str) -> None:
    """Copy an entry; then rename it away and its copy into its place. Nothing but a kill can come between the two."""
    unique = os.urandom(8).hex()
    made, aside = f"{_PRIVATE}{unique}-new", f"{_PRIVATE}{unique}-old"
    try:
        _copy(source, name, target, made)
        uninterrupted(partial(_exchange, source, name, aside, target, made, new))
    finally:
        uninterrupted(partial(_clear, source, aside, target, made))


def _copy(source: Folder, name: str, target: Folder, new: str) -> None:
    status = os.stat(source.prefix + name, dir_fd=source.fd, follow_symlinks=False)
    if not stat.S_ISDIR(status.st_mode):
        copy_entry(source, name, target, new)
        return
    os.mkdir(target.prefix + new, 0o700, dir_fd=target.fd)
    with source.enter(name) as original, target.enter(new) as copy:
        _copy_below(original, copy)
    _describe(target, new, status)


def _copy_below(original: Folder, copy: Folder) -> None:
    pending: list[Parts] = [()]
    made: list[tuple[Parts, os.stat_result]] = []
    with Descent(original, Folder.enter) as originals, Descent(copy, Folder.enter) as copies:
        while pending:
            parts = pending.pop()
            folder, target = originals.go(parts), copies.go(parts)
            for name in folder.listdir():
                status = os.stat(folder.prefix + name, dir_fd=folder.fd, follow_symlinks=False)
                if not stat.S_ISDIR(status.st_mode):
                    copy_entry(folder, name, target, name)
                    continue
                os.mkdir(target.prefix + name, 0o700, dir_fd=target.fd)
                pending.append((*parts, name))
                made.append(((*parts, name), status))
        # A directory gets its time and bits after what is in it: making that changes its time, and needs its bits.
        for parts, status in reversed(made):
            _describe(copies.go(parts[:-1]), parts[-1], status)


def _exchange(source: Folder, name: str, aside: str, target: Folder, made: str, new: str) -> None:
    """Rename the entry aside here, and its copy into place there. May be begun again."""
    if source.lstat(aside) is None:
        source.move(name, source, aside)
    if target.lstat(made) is not None:
        try:
            target.move(made, target, new)
        except OSError:
            source.move(aside, source, name)
            raise


def _clear(source: Folder, aside: str, target: Folder, made: str) -> None:
    """Remove what is not needed any more: the entry if its copy has appeared, else the copy. May be begun again."""
    has_appeared = target.lstat(made) is None
    folder, name = (source, aside) if has_appeared else (target, made)
    try:
        _remove(folder, name)
    except OSError as error:
        log("cannot remove %s in %s: %s", name, folder.path, error)


def _remove(folder: Folder, name: str) -> None:
    status = folder.lstat(name)
    if status is None:
        return
    if stat.S_ISDIR(status.st_mode):
        remove_tree(folder, name)
    else:
        os.unlink(folder.prefix + name, dir_fd=folder.fd)
