"""Directories, held by descriptor where the platform can and by path elsewhere.

Every file operation of the library is written once, for both ways: it passes ``folder.prefix + name`` and
``dir_fd=folder.fd``. By descriptor the prefix is empty; by path the descriptor is None, and the prefix is
the directory's path with its separator.
"""

from __future__ import annotations

import errno
import os
import stat
from typing import Final

from wheel_linker._compat.named_tuple import NamedTuple
from wheel_linker._fs import windows
from wheel_linker._fs.copying import close_quietly
from wheel_linker._fs.permissions import chmod_itself, if_allowed
from wheel_linker._fs.windows import extended, patiently

Parts = tuple[str, ...]
"""The names leading from one directory down to another."""
# The functions are named by texts, since not every Python has all of them.
_NEEDED: Final = (
    *("open", "stat", "mkdir", "rmdir", "unlink", "rename"),
    *("link", "symlink", "readlink"),
)
BY_DESCRIPTOR: bool = os.scandir in os.supports_fd and all(
    getattr(os, name, None) in os.supports_dir_fd for name in _NEEDED
)
"""Whether directories are traversed by descriptor, so that no symlink can take the place of one."""
_DIRECTORY: Final = getattr(os, "O_DIRECTORY", 0)
_NO_FOLLOW: Final = getattr(os, "O_NOFOLLOW", 0)
LIST: Final = os.O_RDONLY | _DIRECTORY
"""How a directory is opened whose entries will be listed."""
# A descriptor that only names the directory is cheaper to open, but cannot list it.
_NAME: Final = getattr(os, "O_PATH", os.O_RDONLY) | _DIRECTORY
_ENTER: Final = _NAME | _NO_FOLLOW
_ENTER_LIST: Final = LIST | _NO_FOLLOW
_SEPARATOR: Final = os.sep
LONGEST_RELATIVE: Final = 700
"""Characters that the path of a directory below an open one may have to be named by that path.

Directories of longer paths are opened one after the other: path_resolution(7) ends at 4,096 bytes, and a character has
up to four.
"""
_CLOSED: Final = -1
_ASIDE: Final = "aside-"


class Identity(NamedTuple):
    """What tells one directory from any other on this machine."""

    device: int
    inode: int


class Folder:
    """One directory, open until :meth:`close`.

    :ivar path: its path, for messages and for path-based platforms.
    :ivar fd: its descriptor, or None where directories are held by path.
    :ivar prefix: what stands before a name inside it in every call that also gets ``dir_fd=fd``.
    """

    __slots__ = ("fd", "path", "prefix")

    def __init__(self, path: str, fd: int | None, prefix: str) -> None:
        self.path: str = path
        self.fd = fd
        self.prefix: str = prefix

    @classmethod
    def open(cls, path: str, *, listing: bool = False) -> Folder:
        """Open the directory at ``path``, which may lead through symlinks.

        :param listing: whether its entries will be listed.
        :raises OSError: if it is missing, not a directory, or not accessible.
        """
        if BY_DESCRIPTOR:
            return cls(path, os.open(path, LIST if listing else _NAME), "")
        if not stat.S_ISDIR(os.stat(extended(path)).st_mode):
            raise _os_error(errno.ENOTDIR, path)
        return cls.by_path(path)

    @classmethod
    def by_path(cls, path: str) -> Folder:
        """Name the directory at ``path`` without opening it."""
        return cls(path, None, os.path.join(extended(path), ""))

    def enter(self, name: str, *, listing: bool = False) -> Folder:
        """Open the directory ``name`` in it, never through a symlink.

        :raises OSError: if it is missing; ENOTDIR or ELOOP if it is something else, a symlink included.
        """
        path = f"{self.path}{_SEPARATOR}{name}"
        if self.fd is None:
            if not windows.is_directory(os.lstat(self.prefix + name)):
                raise _os_error(errno.ENOTDIR, path)
            return Folder(path, None, self.prefix + name + _SEPARATOR)
        try:
            fd = os.open(self.prefix + name, _ENTER_LIST if listing else _ENTER, dir_fd=self.fd)
            return Folder(path, fd, "")
        except OSError as error:
            error.filename = path  # a name alone would not say where
            raise

    def enter_to_list(self, name: str) -> Folder:
        """Open the directory ``name`` in it, whose entries will be listed. The errors are those of :meth:`enter`."""
        return self.enter(name, listing=True)

    def make(self, name: str) -> Folder:
        """Open the directory ``name`` in it, made if it is missing.

        :raises OSError: if it cannot be made; others as for :meth:`enter`.
        """
        try:
            os.mkdir(self.prefix + name, dir_fd=self.fd)
        except FileExistsError:
            pass
        return self.enter(name)

    def below(self, relative: str) -> Folder:
        """Name a directory below it by its path, without opening it.

        Only for trees that nobody else writes to: symlinks on the way would be followed. The result borrows
        this folder's descriptor; it is not to be closed.
        """
        below = relative + _SEPARATOR
        return Folder(f"{self.path}{_SEPARATOR}{relative}", self.fd, self.prefix + below)

    def at(self, path: str) -> str:
        """Return what a call is given for a file below it, beside ``dir_fd=fd``.

        :param path: its path in the folder, with "/" between its names.
        """
        if _SEPARATOR == "/":
            return self.prefix + path
        # Windows passes on as it is what begins as its long paths do: "/" would not count as a separator there.
        return self.prefix + path.replace("/", _SEPARATOR)

    def listdir(self) -> list[str]:
        """Return the names in it.

        The directory is opened anew: on btrfs a descriptor lists only what was there when it was opened.
        """
        if self.fd is None:
            return os.listdir(self.prefix)
        fd = os.open(".", LIST, dir_fd=self.fd)
        try:
            return os.listdir(fd)
        finally:
            os.close(fd)

    def stat(self) -> os.stat_result:
        """Return what the system knows of the directory itself."""
        return os.stat(self.prefix if self.fd is None else self.fd)

    def identity(self) -> Identity:
        """Return what tells it from any other directory."""
        status = self.stat()
        return Identity(status.st_dev, status.st_ino)

    def lstat(self, name: str) -> os.stat_result | None:
        """Return what the system knows of the entry ``name``, symlinks not followed; None if there is none."""
        try:
            return os.stat(self.prefix + name, dir_fd=self.fd, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def open_up(self, name: str) -> None:
        """Let the owner read, write and enter the directory ``name`` in it; nothing happens if it is something else."""
        status = os.stat(self.prefix + name, dir_fd=self.fd, follow_symlinks=False)
        if windows.is_directory(status) and status.st_mode & stat.S_IRWXU != stat.S_IRWXU:
            mode = stat.S_IMODE(status.st_mode) | stat.S_IRWXU
            # Where that is refused, what is done in the directory next may be allowed all the same.
            if_allowed(chmod_itself, self.prefix + name, mode, self.fd)

    def move(self, name: str, target: Folder, new: str, *, patient: bool = True) -> None:
        """Rename an entry to ``new`` in another folder, over a file that may be there.

        Where Windows refuses because a program has the file open, it is tried again for two seconds. A file that it
        does not let be replaced, since it is read-only or part of a program that runs, but lets be renamed, is moved
        into this folder first, under a name of its own, which stays there.

        :param patient: whether it is tried again.
        :raises OSError: whatever the system refuses it with; EXDEV if the two are on different file systems or mounts.
        """
        if patient:
            patiently(self._replace, name, target, new)
        else:
            self._replace(name, target, new)

    def remove_directory(self, name: str) -> None:
        """Remove an empty directory in it, as patiently as :meth:`move`.

        :raises OSError: ENOTEMPTY or EEXIST if there is something in it.
        """
        patiently(self._rmdir, name)

    def _rmdir(self, name: str) -> None:
        os.rmdir(self.prefix + name, dir_fd=self.fd)

    def _replace(self, name: str, target: Folder, new: str) -> None:
        try:
            self._rename(name, target, new)
        except OSError as error:
            if not (
                windows.WINDOWS and windows.is_kept_from_replacement(error, new, target.lstat(new))
            ):
                raise
            self._replace_aside(name, target, new)

    def _replace_aside(self, name: str, target: Folder, new: str) -> None:
        there = target.lstat(new)
        if there is None or windows.is_directory(there) or self.lstat(name) is None:
            return self._rename(name, target, new)
        aside = _ASIDE + os.urandom(8).hex()
        target._rename(new, self, aside)
        try:
            self._rename(name, target, new)
        except BaseException:
            self._rename(aside, target, new)
            raise

    def _rename(self, name: str, target: Folder, new: str) -> None:
        os.replace(
            self.prefix + name, target.prefix + new, src_dir_fd=self.fd, dst_dir_fd=target.fd
        )

    def close(self) -> None:
        """Let go of the directory; closing twice is harmless."""
        if self.fd is not None and self.fd != _CLOSED:
            # The descriptor is not set to None, with which a later use would go by path.
            fd, self.fd = self.fd, _CLOSED
            close_quietly(fd)

    def __enter__(self) -> Folder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _os_error(number: int, path: str) -> OSError:
    return OSError(number, os.strerror(number), path)
