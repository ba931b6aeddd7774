"""New private files, made from the content of others."""

from __future__ import annotations

import errno
import os
import stat
import sys
from typing import TYPE_CHECKING, Final

from wheel_linker._fs.permissions import if_allowed, permissions_like, stay_executable
from wheel_linker._fs.windows import remove_file
from wheel_linker._log import log
from wheel_linker.errors import ENOTSUPP

if TYPE_CHECKING:
    from collections.abc import Callable

READ: Final = (
    os.O_RDONLY
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_BINARY", 0)
)
"""How a file is opened that may have been exchanged: a symlink in its place is not followed, a FIFO not waited for."""
CREATE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
"""How a new file is made: never through a link that happens to be there."""
_EVERYBODY_RUNS: Final = 0o777
_EVERYBODY_READS: Final = 0o666
# PyPy has no os.copy_file_range, nor has CPython for an old C library.
_COPIES_IN_KERNEL: Final = hasattr(os, "copy_file_range")
_CHUNK: Final = 1024 * 1024
# Bytes; a hole in a smaller file saves too little to look for it.
_MAY_BE_SPARSE: Final = 64 * 1024
# <sys/stat.h>: the unit of st_blocks, whatever the file system's own.
_BLOCK: Final = 512
# <linux/fs.h>: PyPy lacks the names.
_LINUX: Final = sys.platform == "linux"
_SEEK_DATA: Final[int] = getattr(os, "SEEK_DATA", 3 if _LINUX else -1)
_SEEK_HOLE: Final[int] = getattr(os, "SEEK_HOLE", 4 if _LINUX else -1)
TIMES_BY_DESCRIPTOR: Final = os.utime in os.supports_fd
"""Whether times can be set by descriptor: not on Windows, which sets them once more when a file is closed."""
_FINDS_HOLES: Final = _SEEK_DATA >= 0
# copy_file_range(2) where the two ends or the kernel cannot do it, read and write still can.
_PLAIN_COPY_INSTEAD: Final = frozenset(
    {
        errno.EXDEV,
        errno.EINVAL,
        errno.ENOSYS,
        errno.EOPNOTSUPP,
        ENOTSUPP,
        errno.EPERM,
        errno.EBADF,
        errno.ETXTBSY,
    }
)


class LeftBehindError(OSError):
    """A file could not be made, and what there is of it cannot be removed: now its name is taken."""


def create_from(
    fill: Callable[[int, int, int], None],
    source: str,
    destination: str,
    source_dir: int | None = None,
    destination_dir: int | None = None,
    *,
    keep_time: bool = False,
) -> None:
    """Make a new file with what the owner of another may do with it, and fill it.

    Group and others may do the same as far as the umask, or the directory's default ACL, lets them: the environment
    decides, as for every file that an installer writes. There are no set-id bits.

    :param fill: called with the descriptors of the new file and the source, and the source's size in bytes.
    :param keep_time: whether the new file gets the source's modification time.
    :raises OSError: whatever a step is refused with; FileExistsError if ``destination`` is there already.
        No file is left behind.
    :raises LeftBehindError: if one is.
    """
    original = os.open(source, READ, dir_fd=source_dir)
    try:
        status = os.fstat(original)
        bits = permissions_like(status.st_mode)
        new = os.open(destination, CREATE, bits, dir_fd=destination_dir)
        try:
            fill(new, original, status.st_size)
            if bits & stat.S_IXUSR:
                stay_executable(new)
            if keep_time and TIMES_BY_DESCRIPTOR:
                if_allowed(os.utime, new, ns=(status.st_atime_ns, status.st_mtime_ns))
        except BaseException:
            try:
                close_quietly(new)
            finally:
                # Otherwise the fallback would find the name taken, and blame the wheel for it.
                take_back(destination, destination_dir)
            raise
        try:
            os.close(new)
        except BaseException:
            # Where writing is put off, close(2) is the call that tells that the disk is full.
            take_back(destination, destination_dir)
            raise
        if keep_time and not TIMES_BY_DESCRIPTOR:
            times = (status.st_atime_ns, status.st_mtime_ns)
            if_allowed(os.utime, destination, ns=times, dir_fd=destination_dir)
    finally:
        close_quietly(original)


def take_back(name: str, directory: int | None) -> None:
    """Remove a file that was made, and could not be made as it should be.

    :raises LeftBehindError: if that is refused.
    """
    try:
        remove_file(name, directory)
    except OSError as error:
        raise LeftBehindError(*error.args) from error


def create_with(
    data: bytes, destination: str, destination_dir: int | None = None, *, executable: bool = False
) -> None:
    """Make a new file with these bytes, and the permissions that the umask leaves.

    :raises OSError: whatever a step is refused with; FileExistsError if ``destination`` is there already.
        No file is left behind.
    """
    new = open_new(destination, destination_dir, executable=executable)
    try:
        try:
            write_all(new, data)
        finally:
            os.close(new)
    except BaseException:
        os.unlink(destination, dir_fd=destination_dir)
        raise


def open_new(destination: str, destination_dir: int | None, *, executable: bool) -> int:
    """Make a new file with the permissions that the umask leaves, and return a descriptor to write to it.

    :raises OSError: FileExistsError if ``destination`` is there already.
    """
    bits = _EVERYBODY_RUNS if executable else _EVERYBODY_READS
    return os.open(destination, CREATE, bits, dir_fd=destination_dir)


def write_all(fd: int, data: bytes | memoryview) -> None:
    """Write every byte: write(2) may take fewer."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def close_quietly(fd: int) -> None:
    """Close a descriptor through which nothing was written: it is gone, and nothing lost, whatever close(2) says."""
    try:
        os.close(fd)
    except OSError as error:
        log("close(2) failed: %s", error)


def copy_content(new: int, original: int, size: int) -> None:
    """Copy ``size`` bytes between two descriptors, in the kernel where it can; holes stay holes.

    :raises OSError: EIO if the source has become shorter.
    """
    if size >= _MAY_BE_SPARSE and _is_sparse(original, size):
        _copy_data_only(new, original, size)
    else:
        _copy_range(new, original, size)


def _is_sparse(original: int, size: int) -> bool:
    blocks = getattr(os.fstat(original), "st_blocks", None)
    return _FINDS_HOLES and blocks is not None and blocks * _BLOCK < size


def _copy_data_only(new: int, original: int, size: int) -> None:
    """Copy what is no hole. Where a file system knows of none, all of it is data."""
    start = 0
    while start < size:
        try:
            data = os.lseek(original, start, _SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:
                break  # nothing but a hole to the end
            if error.errno not in _PLAIN_COPY_INSTEAD:
                raise
            data, end = start, size
        else:
            end = min(_end_of_data(original, data), size)
        os.lseek(original, data, os.SEEK_SET)
        os.lseek(new, data, os.SEEK_SET)
        _copy_range(new, original, end - data)
        start = end
    # Past its end a file has no data either: one that was cut short meanwhile looks like one that ends with a hole.
    if os.fstat(original).st_size < size:
        raise _cut_short()
    os.ftruncate(new, size)


def _end_of_data(original: int, start: int) -> int:
    try:
        return os.lseek(original, start, _SEEK_HOLE)
    except OSError as error:
        if error.errno == errno.ENXIO:  # the file ends before that now
            raise _cut_short() from error
        raise


def _copy_range(new: int, original: int, size: int) -> None:
    copied = _copy_in_kernel(new, original, size)
    if copied < size:
        _read_and_write(new, original, size - copied)


def _copy_in_kernel(new: int, original: int, size: int) -> int:
    """Copy what copy_file_range(2) can; return how many bytes that was."""
    copied = 0
    if sys.platform != "linux" or not _COPIES_IN_KERNEL:
        return copied
    try:
        # It answers 0 at the end of the file, and on some file systems if they cannot do it: reading tells which.
        while copied < size and (count := os.copy_file_range(original, new, size - copied)):
            copied += count
    except OSError as error:
        if error.errno not in _PLAIN_COPY_INSTEAD:
            raise
    return copied


def _read_and_write(new: int, original: int, size: int) -> None:
    while size:
        data = os.read(original, min(_CHUNK, size))
        if not data:
            raise _cut_short()
        size -= len(data)
        write_all(new, data)


def _cut_short() -> OSError:
    return OSError(errno.EIO, "the file became shorter while it was copied")
