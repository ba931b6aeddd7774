"""The store's own files and directories, opened so that nobody can have put something else in their place."""

from __future__ import annotations

import errno
import os
import stat
from itertools import takewhile
from typing import TYPE_CHECKING, Final

from wheel_linker._fs.copying import write_all
from wheel_linker._fs.folder import Folder
from wheel_linker._fs.paths import upwards
from wheel_linker._fs.reading import regular_size
from wheel_linker._log import log
from wheel_linker.store.layout import CONTROL

if TYPE_CHECKING:
    from wheel_linker.store.layout import Layout

DIRECTORY_MODE: Final = 0o775
"""The permissions of a directory that is made in a store: whatever the umask, not everybody may write to it."""
FILE_MODE: Final = 0o664
_SAFE: Final = (
    getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
)
# Bytes: no index and no lease has as many.
LONGEST: Final = 1024**3


def open_file(folder: Folder, name: str, flags: int, mode: int = FILE_MODE) -> int:
    """Open a regular file, never through a symlink, and without waiting for a FIFO; return its descriptor.

    :raises OSError: ELOOP for a symlink, EINVAL for what is no regular file, others as open(2) has them.
    """
    path = os.path.join(folder.path, name)
    if not getattr(os, "O_NOFOLLOW", 0):
        _refuse_symlink(folder, name, path)
    try:
        fd = os.open(folder.prefix + name, flags | _SAFE, mode, dir_fd=folder.fd)
    except OSError as error:
        error.filename = path  # a name alone would not say where
        raise
    try:
        regular_size(fd, path)
    except BaseException:
        os.close(fd)
        raise
    return fd


def make_file(folder: Folder, name: str, data: bytes, mode: int = FILE_MODE) -> None:
    """Make a file that is not there yet.

    :raises OSError: if that is refused, or the disk is full; some of it may be there then.
    """
    fd = open_file(folder, name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        write_all(fd, data)
    finally:
        os.close(fd)


def remove_file(folder: Folder, name: str) -> None:
    """Remove a file; where that is refused, it stays."""
    try:
        os.unlink(folder.prefix + name, dir_fd=folder.fd)
    except FileNotFoundError:
        return
    except OSError as error:
        log("cannot remove %s in %s: %s", name, folder.path, error)


def open_to_lock(folder: Folder, name: str) -> int:
    """Open a file to be locked, made if it is missing; one that is another's to write is locked as well.

    :raises OSError: as for :func:`open_file`.
    """
    try:
        return open_file(folder, name, os.O_RDWR | os.O_CREAT)
    except PermissionError:
        return open_file(folder, name, os.O_RDONLY)


def control_folder(layout: Layout) -> Folder:
    """Open the directory of a store's own files.

    :raises OSError: if it is missing, or is reached through a symlink.
    """
    with Folder.open(layout.root) as root:
        return root.enter(CONTROL)


def directory_of(layout: Layout, name: str, *, listing: bool = False) -> Folder:
    """Open one of the directories in that directory. The errors are those of :func:`control_folder`."""
    with control_folder(layout) as control:
        return control.enter(name, listing=listing)


def make_directory(folder: Folder, name: str) -> bool:
    """Make a directory; tell whether it was missing.

    :raises OSError: if the store is not ours to write.
    """
    try:
        os.mkdir(folder.prefix + name, DIRECTORY_MODE, dir_fd=folder.fd)
    except FileExistsError:
        return False
    return True


def make_root(path: str) -> bool:
    """Make the root of a store, and its parents; tell whether it was missing.

    :raises OSError: if it cannot be made.
    """
    missing = list(takewhile(_is_missing, upwards(path)))
    made = False
    for directory in reversed(missing):
        try:
            os.mkdir(directory, DIRECTORY_MODE)
            made = True
        except FileExistsError:  # another process was faster
            made = False
    return made


def _is_missing(path: str) -> bool:
    return not os.path.lexists(path)


def _refuse_symlink(folder: Folder, name: str, path: str) -> None:
    status = folder.lstat(name)
    if status is not None and stat.S_ISLNK(status.st_mode):
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
