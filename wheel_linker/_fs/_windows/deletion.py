"""Removing one file, whatever attributes it has."""

from __future__ import annotations

import os
import stat
import sys

from wheel_linker._fs._windows import rules


def remove_file(path: str, dir_fd: int | None = None) -> None:
    """Remove a file; on Windows a read-only one too, whose other hard links stay read-only.

    :raises OSError: if it is missing, or the system refuses.
    """
    try:
        os.unlink(path, dir_fd=dir_fd)
    except PermissionError:
        if not rules.WINDOWS or not _is_read_only(path, dir_fd):
            raise
        _remove_read_only(path)


def _is_read_only(path: str, dir_fd: int | None) -> bool:
    status = os.stat(path, dir_fd=dir_fd, follow_symlinks=False)
    return stat.S_ISREG(status.st_mode) and not status.st_mode & stat.S_IWRITE


def _remove_read_only(path: str) -> None:
    if sys.platform == "win32":
        from wheel_linker._fs._windows.kernel32 import remove_read_only

        remove_read_only(path)
