"""Whether a file system keeps permission bits: FAT, exFAT and some others show the same for all files."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wheel_linker._fs.folder import Folder


def keeps_execute_bits(folder: Folder) -> bool:
    """Tell whether files in a directory are executable if, and only if, they were made so.

    :param folder: a directory of the caller's own; what is tried there is removed.
    :raises OSError: if it cannot be tried.
    """
    return _tried(folder, "plain", 0o600) == 0 and _tried(folder, "executable", 0o700) != 0


def _tried(folder: Folder, name: str, mode: int) -> int:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    fd = os.open(folder.prefix + name, flags, mode, dir_fd=folder.fd)
    try:
        return os.fstat(fd).st_mode & stat.S_IXUSR
    finally:
        os.close(fd)
        os.unlink(folder.prefix + name, dir_fd=folder.fd)
