"""Writing data to the disk, and not to memory alone, before anybody gets to see them.

File systems write a new file's data up to 30 seconds after its name. A power cut in between leaves a file that is
empty, or has the right size and nothing but zeros in it.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
from typing import TYPE_CHECKING, Final

from wheel_linker._fs.copying import close_quietly
from wheel_linker._fs.folder import LIST
from wheel_linker._log import log
from wheel_linker.errors import ENOTSUPP

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from wheel_linker._fs.folder import Folder

_UNSUPPORTED: Final = frozenset(
    {errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EPERM, ENOTSUPP}
)
# FlushFileBuffers wants a descriptor that may write, fsync(2) any.
_FLUSH: Final = (
    (os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_BINARY", 0)
)
# <sys/fcntl.h> of macOS.
_F_FULLFSYNC: Final = 51
_BOOT_ID: Final = "/proc/sys/kernel/random/boot_id"
_MOUNTS: Final = "/proc/self/mountinfo"
_UUID_SIZE: Final = 37


def on_disk(folder: Folder, paths: Iterable[str] | None = None) -> bool:
    """Return when all that was written into a directory is on the disk.

    On Linux that takes one syncfs(2), which writes what others have written to the same file system, too. Elsewhere,
    and on FUSE, where syncfs does nothing, each file is flushed.

    :param paths: the files that were written, relative to ``folder``, with forward slashes, and directories with one
        at the end; by default all files below it.
    :returns: whether they are; False if that cannot be had here.
    :raises OSError: if the disk is full, or broken.
    """
    try:
        if sys.platform == "linux" and not _is_fuse(folder) and _sync_file_system(folder):
            return True
        _flush_each(folder, _files_below(folder) if paths is None else paths)
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise
        log("cannot tell when %s is on the disk: %s", folder.path, error)
        return False
    return True


def _sync_file_system(folder: Folder) -> bool:
    """Call syncfs(2); False if this Python cannot, or a sandbox or the file system does not let it.

    :raises OSError: if the disk is full, or broken.
    """
    try:
        import ctypes

        syncfs = ctypes.CDLL(None, use_errno=True).syncfs
    except (ImportError, AttributeError, OSError) as error:
        log("cannot call syncfs: %s", error)
        return False
    syncfs.argtypes = [ctypes.c_int]
    syncfs.restype = ctypes.c_int
    # The descriptor of a folder may be one that only names it, which syncfs refuses.
    fd = os.open(".", LIST, dir_fd=folder.fd)
    try:
        if syncfs(fd) != 0:
            number = ctypes.get_errno()
            refusal = OSError(number, os.strerror(number), folder.path)
            if number not in _UNSUPPORTED:
                raise refusal
            log("cannot call syncfs: %s", refusal)
            return False
    finally:
        close_quietly(fd)
    return True


def _is_fuse(folder: Folder) -> bool:
    if sys.platform == "win32":
        return False
    status = folder.stat()
    device = f"{os.major(status.st_dev)}:{os.minor(status.st_dev)}"
    try:
        with open(_MOUNTS, encoding="utf-8", errors="surrogateescape") as file:
            for line in file:
                mount, _, kind = line.partition(" - ")
                if mount.split(" ", 3)[2] == device:
                    return kind.startswith("fuse")
    except OSError as error:
        log("cannot read %s: %s", _MOUNTS, error)
    return False


def _files_below(folder: Folder) -> Iterator[str]:
    """Yield the paths of all regular files."""
    pending = [""]
    while pending:
        above = pending.pop()
        fd = None if folder.fd is None else os.open(above or ".", LIST, dir_fd=folder.fd)
        try:
            with os.scandir(folder.at(above) if fd is None else fd) as entries:
                for entry in entries:
                    path = f"{above}/{entry.name}" if above else entry.name
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(path)
                    elif entry.is_file(follow_symlinks=False):
                        yield path
        finally:
            if fd is not None:
                close_quietly(fd)


def _flush_each(folder: Folder, paths: Iterable[str]) -> None:
    last = ""
    directories = {""}
    for path in paths:
        if not path.endswith("/"):
            _flush(folder, path, _FLUSH)
            last = path
        while path := path.rpartition("/")[0]:
            directories.add(path)
    if os.name == "nt":
        return  # NTFS writes names in order, and directories cannot be flushed
    for directory in directories:
        _flush(folder, directory or ".", LIST)
    if sys.platform == "darwin" and last:
        _flush_drive(folder, last)


def _flush(folder: Folder, path: str, flags: int) -> None:
    name = folder.at(path)
    try:
        fd = os.open(name, flags, dir_fd=folder.fd)
    except PermissionError:
        if os.name != "nt":
            raise
        _flush_read_only(name, flags)
        return
    try:
        os.fsync(fd)
    finally:
        close_quietly(fd)


def _flush_read_only(path: str, flags: int) -> None:
    """Flush a file that Windows lets nobody open for writing."""
    os.chmod(path, stat.S_IWRITE | stat.S_IREAD)
    try:
        fd = os.open(path, flags)
        try:
            os.fsync(fd)
        finally:
            close_quietly(fd)
    finally:
        os.chmod(path, stat.S_IREAD)


def _flush_drive(folder: Folder, path: str) -> None:
    """Have the drive write what it keeps in its own memory, which fsync(2) of macOS does not."""
    import fcntl

    fd = os.open(folder.prefix + path, _FLUSH, dir_fd=folder.fd)
    try:
        fcntl.fcntl(fd, _F_FULLFSYNC)  # type: ignore[attr-defined,unused-ignore]
    finally:
        close_quietly(fd)


def boot_id() -> str | None:
    """Return what is another after each start of the system; None if that is not known."""
    if sys.platform == "darwin":
        return _boot_session()
    try:
        with open(_BOOT_ID, encoding="ascii") as file:
            return file.read().strip() or None
    except (OSError, ValueError) as error:
        log("cannot read %s: %s", _BOOT_ID, error)
        return None


def _boot_session() -> str | None:
    try:
        import ctypes

        sysctl = ctypes.CDLL(None, use_errno=True).sysctlbyname
    except (ImportError, AttributeError, OSError) as error:
        log("cannot call sysctlbyname: %s", error)
        return None
    text = ctypes.create_string_buffer(_UUID_SIZE)
    size = ctypes.c_size_t(_UUID_SIZE)
    if sysctl(b"kern.bootsessionuuid", text, ctypes.byref(size), None, ctypes.c_size_t(0)) != 0:
        return None
    return text.value.decode("ascii", "replace") or None
