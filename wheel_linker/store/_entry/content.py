"""Telling of one stored file how large it is, and whether it has the bytes that were unpacked."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Final

from wheel_linker._fs.copying import READ
from wheel_linker._fs.reading import is_nothing, regular_size
from wheel_linker._wheel.record import encoded

if TYPE_CHECKING:
    from wheel_linker._archive.stored_file import StoredFile
    from wheel_linker._fs.folder import Folder

NOT_THERE: Final = -1
"""The size of what is missing."""
_CHUNK: Final = 1024 * 1024


def size_of(path: str) -> int:
    """Return the size of a regular file in bytes; :data:`NOT_THERE` if nothing is there, or -2 if it is something else.

    :raises OSError: if that cannot be told.
    """
    try:
        status = os.lstat(path)
    except OSError as error:
        if not is_nothing(error):
            raise
        return NOT_THERE
    return status.st_size if stat.S_ISREG(status.st_mode) else -2


def leads_to(folder: Folder, path: str, target: str) -> bool:
    """Tell whether there is a symlink, and with just that target.

    :param path: relative to ``folder``.
    :raises OSError: if it is missing, or cannot be read.
    """
    place = folder.at(path)
    if not stat.S_ISLNK(os.lstat(place, dir_fd=folder.fd).st_mode):
        return False
    return os.readlink(place, dir_fd=folder.fd) == target.replace("/", os.sep)


def has_content(folder: Folder, name: str, file: StoredFile) -> bool:
    """Tell whether a file has the bytes that were unpacked, or a symlink its target.

    :raises OSError: if it cannot be read.
    """
    if file.target is not None:
        return leads_to(folder, name, file.target)
    import hashlib  # its import is slow, and not needed where sizes and times tell enough

    algorithm = file.hash.partition("=")[0]
    digest = hashlib.new(algorithm)
    fd = os.open(folder.at(name), READ, dir_fd=folder.fd)
    try:
        if regular_size(fd, name) != file.size:
            return False
        while data := os.read(fd, _CHUNK):
            digest.update(data)
    finally:
        os.close(fd)
    return file.hash == f"{algorithm}={encoded(digest.digest())}"
