"""The loops that place files, one for each mode."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Final

from wheel_linker._fs.copying import copy_content, create_from
from wheel_linker._fs.links import FOLLOW, hard_link
from wheel_linker.mode import LinkMode

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from wheel_linker._fs.folder import Folder
    from wheel_linker.backends import Backend

    PlaceEach = Callable[[Sequence[str], Folder, Folder], tuple[int, OSError | None]]


def placing(mode: LinkMode, backend: Backend) -> PlaceEach:
    """Return the function that places files in one mode.

    Called with names, the folder they are in and the folder to place them in, it goes on to the end or to the
    first refusal: it returns how many it placed, and the system's error or None. Nothing is left behind where
    a file was refused.
    """
    if mode is LinkMode.CLONE:
        return partial(_clone_each, backend)
    return _PLACING[mode]


# The loops over files, of which there may be hundreds of thousands: everything is looked up before they start.


def _clone_each(
    backend: Backend, names: Sequence[str], source: Folder, target: Folder
) -> tuple[int, OSError | None]:
    clone, here, there = backend.clone_file, source.prefix, target.prefix
    fd, target_fd = source.fd, target.fd
    done = 0
    try:
        for name in names:
            clone(here + name, there + name, source_dir=fd, destination_dir=target_fd)
            done += 1
    except OSError as error:
        return done, error
    return done, None


def _copy_each(names: Sequence[str], source: Folder, target: Folder) -> tuple[int, OSError | None]:
    copy, here, there = create_from, source.prefix, target.prefix
    fd, target_fd = source.fd, target.fd
    done = 0
    try:
        for name in names:
            copy(copy_content, here + name, there + name, fd, target_fd)
            done += 1
    except OSError as error:
        return done, error
    return done, None


def _hard_link_each(
    names: Sequence[str], source: Folder, target: Folder
) -> tuple[int, OSError | None]:
    link, here, there = hard_link(), source.prefix, target.prefix
    fd, target_fd = source.fd, target.fd
    done = 0
    try:
        for name in names:
            link(
                here + name,
                there + name,
                src_dir_fd=fd,
                dst_dir_fd=target_fd,
                follow_symlinks=FOLLOW,
            )
            done += 1
    except OSError as error:
        return done, error
    return done, None


def _symlink_each(
    names: Sequence[str], source: Folder, target: Folder
) -> tuple[int, OSError | None]:
    symlink, there, target_fd = os.symlink, target.prefix, target.fd
    here = source.path + os.sep
    done = 0
    try:
        for name in names:
            symlink(here + name, there + name, dir_fd=target_fd)
            done += 1
    except OSError as error:
        return done, error
    return done, None


_PLACING: Final[dict[LinkMode, PlaceEach]] = {
    LinkMode.COPY: _copy_each,
    LinkMode.HARDLINK: _hard_link_each,
    LinkMode.SYMLINK: _symlink_each,
}
