"""Removing a private directory with everything in it."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wheel_linker._fs.folder import Folder


def remove_tree(parent: Folder, name: str, *, last: str | None = None) -> None:
    """Remove the directory ``name`` in ``parent``, however deep it is; nothing happens if it is missing.

    Subdirectories are moved up to its top before they are emptied: that takes neither recursion nor paths of
    any length, and may be begun again where it was left.

    :param last: a file in it that goes after everything else.
    :raises OSError: if something in it cannot be removed.
    """
    if parent.lstat(name) is None:
        return
    # A read-only directory would keep its entries from its own owner.
    parent.open_up(name)
    top = parent.enter(name)
    with top:
        pending = _remove_files(top, top, top.listdir(), keep=last)
        while pending:
            emptied = pending.pop()
            top.open_up(emptied)
            with top.enter(emptied) as folder:
                pending += _remove_files(folder, top, folder.listdir())
            os.rmdir(top.prefix + emptied, dir_fd=top.fd)
        if last is not None and top.lstat(last) is not None:
            os.unlink(top.prefix + last, dir_fd=top.fd)
    os.rmdir(parent.prefix + name, dir_fd=parent.fd)


def _remove_files(
    folder: Folder, top: Folder, names: list[str], keep: str | None = None
) -> list[str]:
    """Remove the files in ``folder``; move its directories into ``top`` and return their names there."""
    directories = []
    for name in names:
        status = folder.lstat(name)
        if status is None or name == keep:
            continue
        if not stat.S_ISDIR(status.st_mode):
            os.unlink(folder.prefix + name, dir_fd=folder.fd)
        elif folder is top:
            directories.append(name)
        else:
            # To move a directory is to write to it: its ".." changes.
            folder.open_up(name)
            directories.append(_move_up(folder, name, top))
    return directories


def _move_up(folder: Folder, name: str, top: Folder) -> str:
    number = 0
    while top.lstat(f"{number}.removed") is not None:
        number += 1
    new = f"{number}.removed"
    os.rename(folder.prefix + name, top.prefix + new, src_dir_fd=folder.fd, dst_dir_fd=top.fd)
    return new
