"""Whose rules the file system keeps, where that takes other steps, and what else there is to tell of an entry."""

from __future__ import annotations

import os
import stat
from typing import Final

WINDOWS: bool = os.name == "nt"
"""Whether files that are open or read-only cannot be removed, and directories have no locks; tests pretend so."""

# winnt.h: IO_REPARSE_TAG_MOUNT_POINT, a directory that stands for another one.
_JUNCTION: Final = 0xA000_0003
# winerror.h: ERROR_INVALID_NAME, ERROR_BAD_PATHNAME.
_NO_NAMES: Final = frozenset({123, 161})


def is_no_name(error: OSError) -> bool:
    """Tell whether Windows refused a path because nothing can have such a name: ``demo>=1``, say."""
    return getattr(error, "winerror", None) in _NO_NAMES


def is_junction(status: os.stat_result) -> bool:
    """Tell whether that is a junction of Windows, which ``lstat`` calls a directory."""
    return getattr(status, "st_reparse_tag", 0) == _JUNCTION


def is_directory(status: os.stat_result) -> bool:
    """Tell whether that is a directory itself, not a junction; symlinks are neither."""
    return stat.S_ISDIR(status.st_mode) and not is_junction(status)


def is_link(status: os.stat_result) -> bool:
    """Tell whether that leads elsewhere: a symlink, or a junction."""
    return stat.S_ISLNK(status.st_mode) or is_junction(status)
