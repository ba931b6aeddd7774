"""The loops that place files, one for each mode."""

from __future__ import annotations

import os
import sys
from functools import partial
from typing import TYPE_CHECKING

from wheel_linker._fs import sharing
from wheel_linker._fs.copying import copy_content, create_from
from wheel_linker._fs.permissions import SET_ID, if_allowed, owners
from wheel_linker._fs.sharing import (
    FOLLOW,
    hard_link,
    is_wary,
    refuse_bound,
    refuse_foreign_directory,
    refuse_foreign_or_set_id,
    refuse_to_share,
)
from wheel_linker.mode import LinkMode

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from wheel_linker._fs.folder import Folder
    from wheel_linker.backends import Backend

    PlaceEach = Callable[[Sequence[str], Folder, Folder], tuple[int, OSError | None]]


def placing(
    mode: LinkMode, backend: Backend, *, trusted: bool = False, keeps_times: bool = False
) -> PlaceEach:
    """Return the function that places files in one mode.

    Called with names, the folder they are in and the folder to place them in, it goes on to the end or to the
    first refusal: it returns how many it placed, and the system's error or None. Nothing is left behind where
    a file was refused.

    :param trusted: whether files are hard-linked and symlinked without a look at their owners and bits.
    :param keeps_times: whether copies and clones of Python sources get the times of these.
    """
    if keeps_times and (fill := _filling(mode, backend)) is not None:
        return partial(_fill_with_times, fill)
    if mode is LinkMode.CLONE:
        clone = partial(_clone_each, backend)
        return partial(_clone_with_times, clone) if keeps_times else clone
    if mode is LinkMode.COPY:
        return _copy_each
    placing = _hard_link_each if mode is LinkMode.HARDLINK else _symlink_each
    return partial(placing, trusted)


class Loops(dict[LinkMode, "PlaceEach"]):
    """The loop over files for each mode, made when it is asked for: few wheels need more than one.

    The parameters are those of :func:`placing`. Threads may share it.
    """

    def __init__(self, backend: Backend, *, trusted: bool, keeps_times: bool) -> None:
        super().__init__()
        self._backend = backend
        self._trusted = trusted
        self._keeps_times = keeps_times

    def __missing__(self, mode: LinkMode) -> PlaceEach:
        loop = placing(mode, self._backend, trusted=self._trusted, keeps_times=self._keeps_times)
        self[mode] = loop
        return loop


def _filling(mode: LinkMode, backend: Backend) -> Callable[[int, int, int], None] | None:
    """Return what fills a new file from another, both of them open; None for modes and backends that open nothing."""
    if mode is LinkMode.COPY:
        return copy_content
    if mode is LinkMode.CLONE and sys.platform == "linux":
        from wheel_linker.backends.linux import LinuxBackend, share_blocks

        if type(backend) is LinuxBackend:
            return share_blocks
    return None


# These are the loops over files, of which there may be hundreds of thousands: all is looked up before they start.


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


def _fill_with_times(
    fill: Callable[[int, int, int], None], names: Sequence[str], source: Folder, target: Folder
) -> tuple[int, OSError | None]:
    create, here, there = create_from, source.prefix, target.prefix
    fd, target_fd = source.fd, target.fd
    done = 0
    try:
        for name in names:
            is_source = name.endswith(".py")
            create(fill, here + name, there + name, fd, target_fd, keep_time=is_source)
            done += 1
    except OSError as error:
        return done, error
    return done, None


def _clone_with_times(
    clone_each: PlaceEach, names: Sequence[str], source: Folder, target: Folder
) -> tuple[int, OSError | None]:
    done, error = clone_each(names, source, target)
    for name in names[:done]:
        if name.endswith(".py"):
            status = _status(source, name)
            times = (status.st_atime_ns, status.st_mtime_ns)
            if_allowed(os.utime, target.prefix + name, ns=times, dir_fd=target.fd)
    return done, error


def _hard_link_each(
    trusted: bool, names: Sequence[str], source: Folder, target: Folder
) -> tuple[int, OSError | None]:
    if not trusted and is_wary(source):
        return _hard_link_warily(names, source, target)
    link, here, there = hard_link(), source.prefix, target.prefix
    fd, target_fd = source.fd, target.fd
    refuse = refuse_bound if trusted else refuse_to_share
    looks, lstat = sharing.HAS_FLAGS or not trusted, os.lstat
    always, ours, set_id = sharing.HAS_FLAGS, owners(), SET_ID
    done = 0
    try:
        for name in names:
            if looks:
                status = lstat(here + name, dir_fd=fd)
                if always or status.st_uid not in ours or status.st_mode & set_id:
                    refuse(status, name)
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


def _hard_link_warily(
    names: Sequence[str], source: Folder, target: Folder
) -> tuple[int, OSError | None]:
    """Hard-link the files that may have a second name.

    Each link is looked at when it is there, since another user could swap files before.
    """
    link, done = hard_link(), 0
    try:
        for name in names:
            here, there = source.prefix + name, target.prefix + name
            if sharing.HAS_FLAGS:
                # A file that is immutable cannot be linked, and a link to it could not be removed.
                refuse_bound(_status(source, name), name)
            link(here, there, src_dir_fd=source.fd, dst_dir_fd=target.fd, follow_symlinks=FOLLOW)
            try:
                refuse_to_share(_status(target, name), name)
            except BaseException:
                os.unlink(there, dir_fd=target.fd)
                raise
            done += 1
    except OSError as error:
        return done, error
    return done, None


def _status(folder: Folder, name: str) -> os.stat_result:
    return os.stat(folder.prefix + name, dir_fd=folder.fd, follow_symlinks=False)


def _symlink_each(
    trusted: bool, names: Sequence[str], source: Folder, target: Folder
) -> tuple[int, OSError | None]:
    symlink, there, target_fd = os.symlink, target.prefix, target.fd
    here, fd, prefix = source.path + os.sep, source.fd, source.prefix
    lstat, ours, set_id = os.lstat, owners(), SET_ID
    done = 0
    try:
        directory = None if trusted else source.stat()
        foreign = None if directory is None or directory.st_uid in ours else directory
        for name in names:
            if not trusted:
                status = lstat(prefix + name, dir_fd=fd)
                if status.st_uid not in ours or status.st_mode & set_id:
                    refuse_foreign_or_set_id(status, name)
                if foreign is not None:
                    refuse_foreign_directory(foreign, name)
            symlink(here + name, there + name, dir_fd=target_fd)
            done += 1
    except OSError as error:
        return done, error
    return done, None
