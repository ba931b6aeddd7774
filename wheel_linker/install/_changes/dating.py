"""Times that do not depend on when something was installed, for images that are built reproducibly."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from wheel_linker._fs.permissions import FOLLOW_FOR_TIMES
from wheel_linker._log import log

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from wheel_linker.install.plan import Plan


def set_times(plans: Iterable[Plan], timestamp: int, made: Iterable[str] = ()) -> None:
    """Set the times of everything that was installed, and of the directories that it is in.

    Files that are links into a cache keep theirs, which are those of the cache.

    :param timestamp: in seconds since 1970.
    :param made: what was installed besides, and the directories that it is in.
    """
    directories: set[str] = set()
    for plan in plans:
        for path in _paths(plan, directories):
            _set(path, timestamp)
    for path in made:
        directories.add(os.path.dirname(path))
        _set(path, timestamp)
    # A child's time does not change its parent's, but its making did.
    for path in directories:
        _set(path, timestamp)


def _paths(plan: Plan, directories: set[str]) -> Iterator[str]:
    for piece in plan.pieces:
        for directory in piece.tree.directories:
            directories.add(os.path.join(piece.destination, *directory.parts))
        yield from piece.paths()


def _set(path: str, timestamp: int) -> None:
    try:
        status = os.lstat(path)
        own = stat.S_ISDIR(status.st_mode) or (
            stat.S_ISREG(status.st_mode) and status.st_nlink == 1
        )
        if own:
            os.utime(path, (timestamp, timestamp), follow_symlinks=FOLLOW_FOR_TIMES)
    except OSError as error:
        log("cannot set the times of %s: %s", path, error)
