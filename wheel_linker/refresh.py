"""Making importers notice that a directory has changed.

CPython's ``FileFinder`` keeps the listing of each directory on ``sys.path`` and reads it again only if the
directory's ``st_mtime``, as a float, is another than when it was read. On a coarse clock a listing read in the
middle of an installation bears the same stamp as the end of it.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from wheel_linker.debug import log

if TYPE_CHECKING:
    from wheel_linker.folder import Folder

# How far to go, in nanoseconds, until the file system's stamps tell the difference: ext4, XFS, btrfs and APFS keep
# nanoseconds, NTFS 100 ns, exFAT 10 ms or 2 s, HFS+ and old ext4 1 s. As a float, a stamp has about 0.2 µs.
_STEPS: Final = (1_000, 1_000_000, 10_000_000, 1_000_000_000, 2_000_000_000, 4_000_000_000)


def refresh(folder: Folder, before: int) -> None:
    """Set a directory's mtime to a later one than any it had so far.

    :param before: what it was, in nanoseconds, before anything changed. What it is now counts as well: an importer
        may have read the listing after the first change and before the last.

    Failing to is logged at debug level: the directory may belong to another user.
    """
    try:
        _advance(folder, before)
    except OSError as error:
        log("cannot set the modification time of %s: %s", folder.path, error)


def _advance(folder: Folder, before: int) -> None:
    now = folder.stat()
    latest = max(before, now.st_mtime_ns)
    itself = folder.prefix + os.curdir
    for step in _STEPS:
        os.utime(itself, ns=(now.st_atime_ns, latest + step), dir_fd=folder.fd)
        if _as_float(folder.stat().st_mtime_ns) > _as_float(latest):
            return
    log("the modification time of %s stays the same whatever it is set to", folder.path)


def _as_float(nanoseconds: int) -> float:
    """Return a stamp as CPython makes ``st_mtime`` of it."""
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    return seconds + 1e-9 * rest
