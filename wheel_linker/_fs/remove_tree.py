"""Removing a private directory with everything in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from wheel_linker._fs.descent import Descent
from wheel_linker._fs.windows import is_directory, patiently, remove_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from wheel_linker._fs.folder import Folder, Parts

# Levels, and characters of up to four bytes. What lies deeper is moved up, so that neither descriptors nor the
# length of paths, which path_resolution(7) ends at 4,096 bytes, sets a limit.
_DEEP: Final = 20
_LONG: Final = 500


def remove_tree(
    parent: Folder,
    name: str,
    *,
    last: str | None = None,
    before_last: Callable[[], None] | None = None,
) -> None:
    """Remove the directory ``name`` in ``parent``, however deep it is; nothing happens if it is missing.

    It may be begun again where it was left. As a rule that takes no room on the disk. Junctions of Windows are removed,
    not what they lead to.

    :param last: a file in it that is removed after everything else.
    :param before_last: called before that file is removed.
    :raises OSError: if something in it cannot be removed; on Windows after two seconds, where a program has it open.
    """
    if parent.lstat(name) is None:
        return
    with _enter(parent, name) as top:
        with Descent(top, _enter) as descent:
            for parts in reversed(list(_remove_files_below(top, descent, keep=last))):
                descent.go(parts[:-1]).remove_directory(parts[-1])
        if last is not None and top.lstat(last) is not None:
            if before_last is not None:
                before_last()
            patiently(remove_file, top.prefix + last, top.fd)
    parent.remove_directory(name)


def _enter(parent: Folder, name: str) -> Folder:
    # A read-only directory would keep its entries from its own owner.
    parent.open_up(name)
    return parent.enter(name)


def _remove_files_below(top: Folder, descent: Descent, keep: str | None) -> Iterator[Parts]:
    """Remove whatever is not a directory; yield the directories, which are empty then, parents first."""
    pending: list[Parts] = [()]
    moved = 0
    while pending:
        parts = pending.pop()
        folder, names = descent.list_at(parts)
        for name in _remove_files(folder, names, None if parts else keep):
            below = (*parts, name)
            if len(below) > _DEEP or sum(map(len, below)) > _LONG:
                moved, below = _move_up(descent.go(parts), name, top, moved, below)
            pending.append(below)
        if parts:
            yield parts


def _remove_files(folder: Folder, names: Iterable[str], keep: str | None) -> list[str]:
    """Remove the files in a directory of those names; return the names of its directories."""
    directories = []
    for name in names:
        status = folder.lstat(name)
        if status is None or name == keep:
            continue
        if is_directory(status):
            directories.append(name)
        else:
            patiently(remove_file, folder.prefix + name, folder.fd)
    return directories


def _move_up(
    folder: Folder, name: str, top: Folder, number: int, below: Parts
) -> tuple[int, Parts]:
    """Move a directory into ``top``; return the number of the next one, and where it is now."""
    while top.lstat(f"{number}.removed") is not None:
        number += 1
    new = f"{number}.removed"
    try:
        # Moving a directory writes to it, because its ".." changes.
        folder.open_up(name)
        folder.move(name, top, new)
    except OSError:
        # It stays where it is: overlayfs moves no directory of a lower layer, and a full disk may have no room.
        return number, below
    return number + 1, (new,)
