"""What Windows does otherwise, asked on every system: retries, read-only files, junctions, names, long paths."""

from __future__ import annotations

import os
import stat
import sys
import time
from typing import TYPE_CHECKING, Final

from wheel_linker.errors import IN_USE

if TYPE_CHECKING:
    from collections.abc import Callable

WINDOWS: bool = os.name == "nt"
"""Whether files that are open or read-only cannot be removed, and directories have no locks; tests pretend so."""

# winnt.h: IO_REPARSE_TAG_MOUNT_POINT, a directory that stands for another one.
_JUNCTION: Final = 0xA000_0003
# winerror.h: ERROR_ACCESS_DENIED, ERROR_USER_MAPPED_FILE.
_DENIED: Final = 5
_MAPPED: Final = 1224
# Files that Windows runs, and Python loads.
_PROGRAMS: Final = (".exe", ".dll", ".pyd")
# winerror.h: ERROR_INVALID_NAME, ERROR_BAD_PATHNAME.
_NO_NAMES: Final = frozenset({123, 161})
# Seconds between two attempts; two seconds in all. A virus scanner lets go after some tens of milliseconds.
_PAUSES: Final = (0.01, 0.02, 0.04, 0.08, 0.15, 0.3, 0.6, 0.8)
# learn.microsoft.com, "Maximum Path Length Limitation": what follows is passed on as it is, without "." and "/".
_AS_IT_IS: Final = "\\\\?\\"
_DEVICE: Final = "\\\\.\\"
_SHARE: Final = "\\\\"


def is_no_name(error: OSError) -> bool:
    """Tell whether Windows refused a path because nothing can have such a name: ``demo>=1``, say."""
    return getattr(error, "winerror", None) in _NO_NAMES


def is_kept_from_replacement(error: OSError, name: str, there: os.stat_result | None) -> bool:
    """Tell whether no patience lets a file be replaced that may be renamed: it is read-only, or a program runs it.

    A file that somebody reads is refused alike, but for a moment. Were that one renamed first, its next reader would
    find nothing in its place.

    :param error: why it was not replaced.
    :param name: what it is called.
    :param there: what the system knows of it; None if it is not there.
    """
    number = getattr(error, "winerror", None)
    if there is None or not stat.S_ISREG(there.st_mode):
        return number in {_DENIED, _MAPPED}
    if number != _DENIED:
        return number == _MAPPED
    return not there.st_mode & stat.S_IWRITE or name.lower().endswith(_PROGRAMS)


def is_junction(status: os.stat_result) -> bool:
    """Tell whether that is a junction of Windows, which ``lstat`` calls a directory."""
    return getattr(status, "st_reparse_tag", 0) == _JUNCTION


def is_directory(status: os.stat_result) -> bool:
    """Tell whether that is a directory itself, not a junction; symlinks are neither."""
    return stat.S_ISDIR(status.st_mode) and not is_junction(status)


def is_link(status: os.stat_result) -> bool:
    """Tell whether that leads elsewhere: a symlink, or a junction."""
    return stat.S_ISLNK(status.st_mode) or is_junction(status)


def is_in_use(error: OSError) -> bool:
    """Tell whether Windows refused something because a program has the file or directory open."""
    return getattr(error, "winerror", None) in IN_USE


def patiently(action: Callable[..., None], *arguments: object) -> None:
    """Call ``action``, and for two seconds again, as long as it is refused for being in use.

    :raises OSError: the last refusal, or any other.
    """
    for pause in _PAUSES:
        try:
            return action(*arguments)
        except OSError as error:
            if not is_in_use(error):
                raise
            time.sleep(pause)
    return action(*arguments)


def remove_file(path: str, dir_fd: int | None = None) -> None:
    """Remove a file; on Windows a read-only one too, whose other hard links stay read-only.

    :raises OSError: if it is missing, or the system refuses.
    """
    try:
        os.unlink(path, dir_fd=dir_fd)
    except PermissionError:
        if not WINDOWS or not _is_read_only(path, dir_fd):
            raise
        _remove_read_only(path)


def _is_read_only(path: str, dir_fd: int | None) -> bool:
    status = os.stat(path, dir_fd=dir_fd, follow_symlinks=False)
    return stat.S_ISREG(status.st_mode) and not status.st_mode & stat.S_IWRITE


def _remove_read_only(path: str) -> None:
    if sys.platform == "win32":
        from wheel_linker._fs._windows.kernel32 import remove_read_only

        remove_read_only(path)


def extended(path: str) -> str:
    """Return a path of the same file or directory that may have any length; elsewhere than on Windows the same path.

    Staging makes paths longer than their final ones. Windows takes 259 characters, or 247 for a directory, from a
    program whose machine does not allow more (LongPathsEnabled), unless a path begins in a way of its own.
    """
    if os.name != "nt":
        return path
    path = os.path.abspath(path)
    if path.startswith((_AS_IT_IS, _DEVICE)):
        return path
    if path.startswith(_SHARE):
        return f"{_AS_IT_IS}UNC{path[1:]}"
    return _AS_IT_IS + path
