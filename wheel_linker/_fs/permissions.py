"""Permission bits of new files, and what some file systems and sandboxes refuse although files work there."""

from __future__ import annotations

import errno
import os
import stat
import sys
from typing import TYPE_CHECKING, Final

from wheel_linker._log import log
from wheel_linker.errors import ENOTSUPP

if TYPE_CHECKING:
    from collections.abc import Callable

SET_ID: Final = stat.S_ISUID | stat.S_ISGID
"""The bits of a file that runs as its owner or group."""
_ROOT: Final = 0
# chmod(2), utimensat(2) on CIFS, 9p, FUSE drivers of object stores, vfat, or behind a seccomp filter.
REFUSED: Final = frozenset(
    {
        errno.EPERM,
        errno.EACCES,
        errno.ENOTSUP,
        errno.EOPNOTSUPP,
        ENOTSUPP,
        errno.ENOSYS,
        errno.EINVAL,
    }
)
"""What the system answers where permission bits or times cannot be set, although files can be written."""
# O_NONBLOCK: should a FIFO take the file's place, the open must not wait for a writer.
_OPEN: Final = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
# <fcntl.h> of Linux: not every Python has the name.
_NAME: Final[int] = getattr(os, "O_PATH", 0o10000000)
FOLLOW_FOR_TIMES: Final = os.utime not in os.supports_follow_symlinks
"""What ``follow_symlinks`` has to be for :func:`os.utime`: False where it can be told not to follow one."""
_EVERYBODY_RUNS: Final = 0o111
# Bits that every new file has: on Windows the read-only attribute would keep it from being replaced, and removed.
_ALWAYS: Final = stat.S_IWRITE if os.name == "nt" else 0


def owners() -> tuple[int, ...]:
    """Return the users whose files may be shared: the caller and root. On Windows all files have the number 0."""
    if sys.platform == "win32":
        return (_ROOT,)
    return _ROOT, os.geteuid()


def permissions_like(mode: int) -> int:
    """Return the bits to make a file with that is like another one, before the umask.

    Its owner may do with it what that of the other one may, and may read it; so may group and others, as far as the
    umask, or the directory's default ACL, lets them. There are no set-id bits.

    :param mode: that of the other file.
    """
    owner = mode & stat.S_IRWXU | stat.S_IRUSR
    if mode & _EVERYBODY_RUNS:
        owner |= stat.S_IXUSR
    return owner | owner >> 3 | owner >> 6 | _ALWAYS


def stay_executable(fd: int) -> None:
    """Let the owner execute a new file, should the umask have forbidden even that."""
    if sys.platform != "win32" and hasattr(os, "fchmod"):
        mode = stat.S_IMODE(os.fstat(fd).st_mode)
        if not mode & stat.S_IXUSR:
            if_allowed(os.fchmod, fd, mode | stat.S_IXUSR)


def chmod_itself(name: str, mode: int, fd: int | None) -> None:
    """Set the permission bits of a file or a directory, never of what a symlink in its place leads to.

    :param name: as seen from the directory ``fd``.
    :raises OSError: ELOOP or EMLINK if it is a symlink; EACCES if it is neither readable nor can be reached by its
        descriptor; others as chmod(2) has them.
    """
    if sys.platform == "win32":
        os.chmod(name, mode)  # which sets the attribute of a link itself
        return
    if not hasattr(os, "fchmod"):
        # Emscripten, where one process has the files to itself.
        _refuse_link(os.lstat(name, dir_fd=fd), name)
        os.chmod(name, mode, dir_fd=fd)
        return
    try:
        itself = os.open(name, _OPEN, dir_fd=fd)
    except PermissionError:
        _chmod_unreadable(name, mode, fd)
        return
    try:
        os.fchmod(itself, mode)
    finally:
        os.close(itself)


def _chmod_unreadable(name: str, mode: int, fd: int | None) -> None:
    if sys.platform != "linux":
        os.chmod(name, mode, dir_fd=fd, follow_symlinks=False)
        return
    # os.chmod() of Linux cannot be told not to follow. What only names a file needs no right to read it.
    itself = os.open(name, _NAME | os.O_NOFOLLOW, dir_fd=fd)
    try:
        _refuse_link(os.fstat(itself), name)
        try:
            os.chmod(f"/proc/self/fd/{itself}", mode)
        except FileNotFoundError as error:
            raise PermissionError(
                errno.EACCES, "it is not readable, and /proc is missing", name
            ) from error
    finally:
        os.close(itself)


def _refuse_link(status: os.stat_result, name: str) -> None:
    if stat.S_ISLNK(status.st_mode):
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), name)


def granted(directory: str, fd: int | None) -> int:
    """Return the bits that the umask leaves of ``0o777``, found by making a file: to ask for it is to change it.

    :param directory: the path of a directory with its separator at the end; empty for that of ``fd``.
    :raises OSError: if no file can be made there.
    """
    name = f"{directory}.wheel_linker-{os.urandom(8).hex()}"
    new = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o777, dir_fd=fd)
    try:
        return os.fstat(new).st_mode & 0o777
    finally:
        os.close(new)
        os.unlink(name, dir_fd=fd)


def follow_umask(name: str, fd: int | None, mode: int, left: int) -> None:
    """Give a file that a system call made like another one the bits that a new file would have.

    :param mode: what it has.
    :param left: what :func:`granted` says.
    """
    wanted = permissions_like(mode) & (left | stat.S_IXUSR)
    if stat.S_IMODE(mode) != wanted:
        if_allowed(chmod_itself, name, wanted, fd)


def if_allowed(action: Callable[..., object], *arguments: object, **keywords: object) -> bool:
    """Set permission bits or times where that is possible; a refusal is logged at debug level.

    :returns: whether it was possible.
    :raises OSError: if the path is missing, the disk is broken, or the like.
    """
    try:
        action(*arguments, **keywords)
    except OSError as error:
        if error.errno not in REFUSED:
            raise
        log("permission bits or times stay as they are: %s", error)
        return False
    return True
