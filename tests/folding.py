"""A file system with APFS' rules for names, over a directory: spelling does not distinguish, and is kept.

    python folding.py DIRECTORY MOUNT_POINT

It needs fusepy and libfuse 2, and returns when it is mounted.
"""

from __future__ import annotations

import errno
import os
import sys
import time
import unicodedata
from typing import Any

from fuse import FUSE, FuseOSError, Operations  # type: ignore[import-not-found,import-untyped,unused-ignore]

assert sys.platform != "win32"

_STATUS = ("st_mode", "st_nlink", "st_uid", "st_gid", "st_size", "st_blocks", "st_ino", "st_dev")
_TIMES = ("st_atime", "st_mtime", "st_ctime")


def folded(name: str) -> str:
    """Return what two spellings of a name have in common."""
    return unicodedata.normalize("NFD", unicodedata.normalize("NFD", name).casefold())


class Folding(Operations):  # type: ignore[misc,unused-ignore]
    """What the kernel asks for; every path begins with a slash."""

    use_ns = True

    def __init__(self, root: str) -> None:
        self._root = root

    def _real(self, path: str) -> str:
        """Return where a path leads to below, in the spelling that is there."""
        real = self._root
        for name in path.strip("/").split("/"):
            real = self._entry(real, name) if name else real
        return real

    def _entry(self, directory: str, name: str) -> str:
        wanted = folded(name)
        try:
            for there in os.listdir(directory):
                if folded(there) == wanted:
                    return os.path.join(directory, there)
        except (FileNotFoundError, NotADirectoryError):
            pass
        return os.path.join(directory, name)

    def _new(self, path: str) -> str:
        real = self._real(path)
        if os.path.lexists(real):
            raise FuseOSError(errno.EEXIST)
        return real

    def getattr(self, path: str, fh: int | None = None) -> dict[str, int]:
        status = os.lstat(self._real(path)) if fh is None else os.fstat(fh)
        found = {name: getattr(status, name) for name in _STATUS}
        return found | {name: getattr(status, f"{name}_ns") for name in _TIMES}

    def readdir(self, path: str, fh: int) -> list[str]:
        return [".", "..", *os.listdir(self._real(path))]

    def statfs(self, path: str) -> dict[str, int]:
        found = os.statvfs(self._root)
        names = ("f_bsize", "f_frsize", "f_blocks", "f_bfree", "f_bavail", "f_files", "f_ffree")
        return {name: getattr(found, name) for name in names} | {"f_namemax": 255}

    def mkdir(self, path: str, mode: int) -> None:
        os.mkdir(self._new(path), mode)

    def rmdir(self, path: str) -> None:
        os.rmdir(self._real(path))

    def unlink(self, path: str) -> None:
        os.unlink(self._real(path))

    def readlink(self, path: str) -> str:
        return os.readlink(self._real(path))

    def symlink(self, target: str, source: str) -> None:
        os.symlink(source, self._new(target))

    def link(self, target: str, source: str) -> None:
        os.link(self._real(source), self._new(target), follow_symlinks=False)

    def rename(self, old: str, new: str) -> None:
        source, there = self._real(old), self._real(new)
        if source == there:
            # The same entry in another spelling, which it gets.
            there = os.path.join(os.path.dirname(there), os.path.basename(new))
        os.rename(source, there)

    def chmod(self, path: str, mode: int) -> None:
        os.chmod(self._real(path), mode)

    def chown(self, path: str, uid: int, gid: int) -> None:
        os.chown(self._real(path), uid, gid, follow_symlinks=False)

    def utimens(self, path: str, times: tuple[int, int] | None = None) -> None:
        os.utime(self._real(path), ns=times or (time.time_ns(),) * 2, follow_symlinks=False)

    def truncate(self, path: str, length: int, fh: int | None = None) -> None:
        os.truncate(self._real(path), length)

    def create(self, path: str, mode: int, fi: Any = None) -> int:
        return os.open(self._real(path), os.O_RDWR | os.O_CREAT, mode)

    def open(self, path: str, flags: int) -> int:
        return os.open(self._real(path), flags & ~os.O_CREAT & ~os.O_EXCL)

    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
        return os.pread(fh, size, offset)

    def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
        return os.pwrite(fh, data, offset)

    def fsync(self, path: str, datasync: int, fh: int) -> None:
        os.fsync(fh)

    def release(self, path: str, fh: int) -> None:
        os.close(fh)


if __name__ == "__main__":
    os.umask(0)
    FUSE(
        Folding(os.path.realpath(sys.argv[1])),
        sys.argv[2],
        nothreads=True,
        use_ino=True,
        hard_remove=True,
        default_permissions=True,
        allow_other=True,
        attr_timeout=0,
        entry_timeout=0,
        negative_timeout=0,
        fsname="folding",
    )
