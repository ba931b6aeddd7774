"""Second names for files, and which files may have one: those that mean the same in every place, for ever.

A hard link shares everything but the name: what another user writes to the file later, set-id bits, and the flags of
macOS and the BSDs. Where nobody but the caller and root can write to a directory, the files in it are theirs: only
those are looked at one by one whose names say that they may be programs.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
from typing import TYPE_CHECKING, Final, NoReturn

from wheel_linker._fs.flags import harmful

if TYPE_CHECKING:
    from collections.abc import Callable

    from wheel_linker._fs.folder import Folder

FOLLOW: Final = getattr(os, "link", None) not in os.supports_follow_symlinks
"""What ``follow_symlinks`` has to be: False where link(2) can be told not to follow one in the file's place."""
_ROOT: Final = 0
_OTHERS_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH
_SET_ID: Final = stat.S_ISUID | stat.S_ISGID
# Names of files that the kernel does not execute by itself: set-id bits of theirs mean nothing.
PLAIN: Final = (
    ".py",
    ".pyi",
    ".pyc",
    ".txt",
    ".json",
    ".h",
    ".rst",
    ".html",
    ".js",
    ".svg",
    ".png",
    ".npy",
)


def hard_link() -> Callable[..., None]:
    """Return what makes a hard link, called as ``os.link``; where Python has none it refuses with ENOTSUP."""
    return getattr(os, "link", _no_links)


def _no_links(source: str, destination: str, **_: object) -> NoReturn:
    raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP), source, None, destination)


class NotSharedError(PermissionError):
    """A file that must not share its content with another place: it is to be copied."""


def is_wary(folder: Folder) -> bool:
    """Tell whether each file in a directory has to be looked at.

    :raises OSError: if the directory cannot be looked at.
    """
    if sys.platform == "win32":
        return False
    status = folder.stat()
    return bool(status.st_mode & _OTHERS_WRITE) or not is_ours(status)


def is_ours(status: os.stat_result) -> bool:
    """Tell whether a file is the caller's or root's."""
    return sys.platform == "win32" or status.st_uid in (_ROOT, os.geteuid())


def is_owned(status: os.stat_result) -> bool:
    """Tell whether a file is the caller's own."""
    return sys.platform == "win32" or status.st_uid == os.geteuid()


def refuse_to_share(status: os.stat_result, name: str) -> None:
    """Refuse a file that must have no second name.

    :raises NotSharedError: with the reason.
    """
    refuse_foreign(status, name)
    if status.st_mode & _SET_ID:
        raise _error("it has set-id bits", name)
    refuse_bound(status, name)


def refuse_foreign(status: os.stat_result, name: str) -> None:
    """Refuse a file of a third user, neither the caller nor root.

    :raises NotSharedError: with the user.
    """
    if not is_ours(status):
        raise _error(f"it belongs to the user {status.st_uid}, who could change it later", name)


def refuse_bound(status: os.stat_result, name: str) -> None:
    """Refuse a file whose flags would come along, and do harm elsewhere.

    :raises NotSharedError: with the flags.
    """
    flags = harmful(status)
    if flags:
        raise _error(f"it has the flags {flags:#x} (chflags), which would come along", name)


def _error(reason: str, name: str) -> NotSharedError:
    return NotSharedError(errno.EPERM, reason, name)
