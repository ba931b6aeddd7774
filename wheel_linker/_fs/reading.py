"""Reading files of which nobody knows what has become of them: a pipe or a device must not make a call hang."""

from __future__ import annotations

import errno
import os
import stat
from typing import Final

from wheel_linker._fs.copying import READ, close_quietly

FOLLOW: Final = READ & ~getattr(os, "O_NOFOLLOW", 0)
"""How such a file is opened if a symlink may lead to it."""
NOT_READABLE: Final = frozenset(
    {errno.ELOOP, errno.EMLINK, errno.EINVAL, errno.EFBIG, errno.ENXIO, errno.EISDIR, errno.EIO}
)
"""Errors that say that something else lies there, or that the disk has lost it."""


def is_nothing(error: OSError) -> bool:
    """Tell whether there is nothing at a path: it is missing, or leads through what is no directory."""
    return error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)


def read_regular(path: str, limit: int, *, dir_fd: int | None = None) -> bytes:
    """Return the content of a regular file. The parameters and errors are those of :func:`read_with_status`."""
    return read_with_status(path, limit, dir_fd=dir_fd)[0]


def read_followed(path: str, limit: int) -> bytes:
    """Return the content of a regular file that a symlink may lead to.

    The errors are those of :func:`read_with_status`.
    """
    return read_with_status(path, limit, flags=FOLLOW)[0]


def read_with_status(
    path: str, limit: int, *, dir_fd: int | None = None, flags: int = READ
) -> tuple[bytes, os.stat_result]:
    """Return the content of a regular file, and what the system knew of it before it was read.

    :param limit: how many bytes it may have.
    :param flags: how it is opened.
    :raises OSError: ELOOP or EMLINK if it is a symlink, where the system can tell; EINVAL if it is no regular file;
        EFBIG if it is longer; FileNotFoundError and others as open(2) and read(2) have them.
    """
    fd = os.open(path, flags, dir_fd=dir_fd)
    try:
        status = regular_status(fd, path)
        size = status.st_size
        data = b"" if size > limit else os.read(fd, size + 1)
        # As a rule the first piece is all there is.
        while data and size != len(data) <= limit and (more := os.read(fd, limit + 1 - len(data))):
            data += more
    finally:
        close_quietly(fd)
    if max(size, len(data)) > limit:
        raise OSError(errno.EFBIG, f"it has more than {limit:,} bytes", path)
    return data, status


def regular_size(fd: int, path: str) -> int:
    """Return the size in bytes of what is open. The errors are those of :func:`regular_status`."""
    return regular_status(fd, path).st_size


def regular_status(fd: int, path: str) -> os.stat_result:
    """Return what the system knows of what is open.

    :param path: for the error's message.
    :raises OSError: EINVAL if it is no regular file.
    """
    status = os.fstat(fd)
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "it is no regular file", path)
    return status
