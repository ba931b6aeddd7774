"""Second names for files, and which files may have one: those that mean the same in every place, for ever.

A hard link shares everything but the name: what another user writes to the file later, set-id bits, and the flags of
macOS and the BSDs, which clonefile(2) copies as well. So each file is looked at before it gets one; in a directory that
others may write to, afterwards as well, since they could swap files in between.

What is flagged in one place would do harm in others: macOS hides what is made below a directory with a leading dot in
some places, Python does not read hidden ``*.pth`` files, and nobody can remove what is immutable.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
from typing import TYPE_CHECKING, Final, NoReturn

from wheel_linker._fs.permissions import SET_ID, if_allowed, owners

if TYPE_CHECKING:
    from collections.abc import Callable

    from wheel_linker._fs.folder import Folder

FOLLOW: Final = getattr(os, "link", None) not in os.supports_follow_symlinks
"""What ``follow_symlinks`` has to be: False where link(2) can be told not to follow one in the file's place."""
_OTHERS_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH
# <sys/stat.h> of macOS: what System Integrity Protection sets; module stat has it from Python 3.13 on.
_SF_RESTRICTED: Final = 0x00080000
_STUCK: Final = {
    stat.UF_IMMUTABLE: "uchg",
    stat.UF_APPEND: "uappnd",
    stat.UF_NOUNLINK: "uunlnk",
    stat.SF_IMMUTABLE: "schg",
    stat.SF_APPEND: "sappnd",
    stat.SF_NOUNLINK: "sunlnk",
    _SF_RESTRICTED: "restricted",
}
_BOUND: Final = stat.UF_COMPRESSED | stat.UF_HIDDEN | sum(_STUCK)
HAS_FLAGS: bool = hasattr(os, "chflags")
"""Whether files have flags here: macOS and the BSDs."""


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
    return others_may_write(folder.stat())


def others_may_write(status: os.stat_result) -> bool:
    """Tell whether anybody but the caller and root may write to what has this status."""
    return bool(status.st_mode & _OTHERS_WRITE) or not is_ours(status)


def is_ours(status: os.stat_result) -> bool:
    """Tell whether a file is the caller's or root's."""
    return status.st_uid in owners()


def is_owned(status: os.stat_result) -> bool:
    """Tell whether a file is the caller's own."""
    return sys.platform == "win32" or status.st_uid == os.geteuid()


def refuse_to_share(status: os.stat_result, name: str) -> None:
    """Refuse a file that must have no second name.

    :raises NotSharedError: with the reason.
    """
    refuse_foreign_or_set_id(status, name)
    refuse_bound(status, name)


def refuse_foreign_or_set_id(status: os.stat_result, name: str) -> None:
    """Refuse a file that must not be reached through a symlink either; its flags stay where they are.

    :raises NotSharedError: with the reason.
    """
    refuse_foreign(status, name)
    if status.st_mode & SET_ID:
        raise _error("it has set-id bits", name)


def refuse_foreign(status: os.stat_result, name: str) -> None:
    """Refuse a file of a third user, neither the caller nor root.

    :raises NotSharedError: with the user.
    """
    if not is_ours(status):
        raise _error(f"it belongs to the user {status.st_uid}, who could change it later", name)


def refuse_foreign_directory(status: os.stat_result, name: str) -> None:
    """Refuse a file, to be reached through a symlink, in a directory of a third user.

    :param status: that of the directory.
    :raises NotSharedError: with the user.
    """
    if not is_ours(status):
        reason = f"its directory belongs to the user {status.st_uid}, who could put another file in its place"
        raise _error(reason, name)


def refuse_bound(status: os.stat_result, name: str) -> None:
    """Refuse a file whose flags would come along, and do harm elsewhere.

    :raises NotSharedError: with the flags.
    """
    flags = harmful(status)
    if flags:
        raise _error(f"it has the flags {flags:#x} (chflags), which would come along", name)


def harmful(status: os.stat_result) -> int:
    """Return those flags of a file that must not come along; 0 if there are none."""
    return int(getattr(status, "st_flags", 0)) & _BOUND


def show(folder: Folder, name: str) -> None:
    """Take the flag from a file that hides it, if it has that."""
    change: Callable[..., None] | None = getattr(os, "chflags", None)
    if change is None:
        return
    status = folder.lstat(name)
    flags = int(getattr(status, "st_flags", 0))
    if flags & stat.UF_HIDDEN:
        path = os.path.join(folder.path, name)
        if_allowed(change, path, flags & ~stat.UF_HIDDEN, follow_symlinks=False)


def how_to_unlock(status: os.stat_result | None) -> str:
    """Return what to do about a file that the system lets nobody rename or remove."""
    flags = 0 if status is None else harmful(status)
    found = [word for flag, word in _STUCK.items() if flags & flag]
    if found:
        return f"it has the flags {', '.join(found)}: take them away (chflags no{found[0]}) and call again"
    if sys.platform == "linux":
        return "it may be immutable (lsattr): take that away (chattr -i -a) and call again"
    return "check the owner and the attributes of the path"


def _error(reason: str, name: str) -> NotSharedError:
    return NotSharedError(errno.EPERM, reason, name)
