"""Flags of files: macOS and the BSDs keep some beside the permission bits.

A hard link shares them and clonefile(2) copies them, so that a flag which is set in one place does harm in others:
macOS hides what is made below a directory with a leading dot in some places, Python does not read hidden ``*.pth``
files, and nobody can remove what is immutable.
"""

from __future__ import annotations

import os
import stat
import sys
from typing import TYPE_CHECKING, Final

from wheel_linker._fs.permissions import if_allowed

if TYPE_CHECKING:
    from collections.abc import Callable

    from wheel_linker._fs.folder import Folder

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
