"""Directories, held by descriptor where the platform can and by path elsewhere.

Every file operation of the library is written once, for both ways: it passes ``folder.prefix + name`` and
``dir_fd=folder.fd``. By descriptor the prefix is empty; by path the descriptor is None, and the prefix is
the directory's path with its separator.
"""

from __future__ import annotations

import errno
import os
import stat
import time
from typing import TYPE_CHECKING, Final, NamedTuple

from wheel_linker.files import close_quietly

if TYPE_CHECKING:
    from collections.abc import Callable

Parts = tuple[str, ...]
"""The names leading from one directory down to another."""

_NEEDED: Final = (
    os.open,
    os.stat,
    os.mkdir,
    os.rmdir,
    os.unlink,
    os.rename,
    os.link,
    os.symlink,
    os.readlink,
)

BY_DESCRIPTOR: bool = set(_NEEDED) <= os.supports_dir_fd and os.scandir in os.supports_fd
"""Whether directories are traversed by descriptor, so that no symlink can take the place of one."""

_DIRECTORY: Final = getattr(os, "O_DIRECTORY", 0)
_NO_FOLLOW: Final = getattr(os, "O_NOFOLLOW", 0)
_LIST: Final = os.O_RDONLY | _DIRECTORY
# A descriptor that only names the directory is cheaper to open, but cannot list it.
_NAME: Final = getattr(os, "O_PATH", os.O_RDONLY) | _DIRECTORY
_ENTER: Final = _NAME | _NO_FOLLOW
_ENTER_LIST: Final = _LIST | _NO_FOLLOW
_SEPARATOR: Final = os.sep

_CLOSED: Final = -1
_HELD_LEVELS: Final = 40

# winerror.h: ERROR_ACCESS_DENIED, ERROR_SHARING_VIOLATION, ERROR_LOCK_VIOLATION, ERROR_USER_MAPPED_FILE.
_IN_USE: Final = frozenset({5, 32, 33, 1224})
# Seconds; two in all. A virus scanner lets go after some tens of milliseconds.
_PAUSES: Final = (0.01, 0.02, 0.04, 0.08, 0.15, 0.3, 0.6, 0.8)


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
        self.path = path
        self.fd = fd
        self.prefix = prefix

    @classmethod
    def open(cls, path: str, *, listing: bool = False) -> Folder:
        """Open the directory at ``path``, which may lead through symlinks.

        :param listing: whether its entries will be listed.
        :raises OSError: if it is missing, not a directory, or not accessible.
        """
        if BY_DESCRIPTOR:
            return cls(path, os.open(path, _LIST if listing else _NAME), "")
        if not stat.S_ISDIR(os.stat(path).st_mode):
            raise _os_error(errno.ENOTDIR, path)
        return cls(path, None, os.path.join(path, ""))

    def enter(self, name: str, *, listing: bool = False) -> Folder:
        """Open the directory ``name`` in it, never through a symlink.

        :raises OSError: if it is missing; ENOTDIR or ELOOP if it is something else, a symlink included.
        """
        path = f"{self.path}{_SEPARATOR}{name}"
        if self.fd is None:
            if not stat.S_ISDIR(os.lstat(path).st_mode):
                raise _os_error(errno.ENOTDIR, path)
            return Folder(path, None, path + _SEPARATOR)
        try:
            fd = os.open(name, _ENTER_LIST if listing else _ENTER, dir_fd=self.fd)
            return Folder(path, fd, "")
        except OSError as error:
            error.filename = path  # a name alone would not say where
            raise

    def make(self, name: str) -> Folder:
        """Open the directory ``name`` in it, made if it is missing."""
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

    def listdir(self) -> list[str]:
        """Return the names in it.

        The directory is opened anew: on btrfs a descriptor lists only what was there when it was opened.
        """
        if self.fd is None:
            return os.listdir(self.path)
        fd = os.open(".", _LIST, dir_fd=self.fd)
        try:
            return os.listdir(fd)
        finally:
            os.close(fd)

    def stat(self) -> os.stat_result:
        """Return what the system knows of the directory itself."""
        return os.stat(self.path if self.fd is None else self.fd)

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
        """Let the owner read, write and enter the directory ``name`` in it."""
        status = os.stat(self.prefix + name, dir_fd=self.fd)
        if status.st_mode & stat.S_IRWXU != stat.S_IRWXU:
            os.chmod(
                self.prefix + name, stat.S_IMODE(status.st_mode) | stat.S_IRWXU, dir_fd=self.fd
            )

    def move(self, name: str, target: Folder, new: str) -> None:
        """Rename an entry to ``new`` in another folder, over a file that may be there.

        Where Windows refuses because a program has the file open, it is tried again for two seconds.
        """
        _patiently(self._replace, name, target, new)

    def remove_directory(self, name: str) -> None:
        """Remove an empty directory in it, as patiently as :meth:`move`.

        :raises OSError: ENOTEMPTY or EEXIST if there is something in it.
        """
        _patiently(self._rmdir, name)

    def _rmdir(self, name: str) -> None:
        os.rmdir(self.prefix + name, dir_fd=self.fd)

    def _replace(self, name: str, target: Folder, new: str) -> None:
        os.replace(
            self.prefix + name, target.prefix + new, src_dir_fd=self.fd, dst_dir_fd=target.fd
        )

    def close(self) -> None:
        """Let go of the directory; closing twice is harmless."""
        if self.fd is not None and self.fd != _CLOSED:
            # Not None, which would turn a later use into one by path.
            fd, self.fd = self.fd, _CLOSED
            close_quietly(fd)

    def __enter__(self) -> Folder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _patiently(action: Callable[..., None], *arguments: object) -> None:
    for pause in _PAUSES:
        try:
            action(*arguments)
        except OSError as error:
            if getattr(error, "winerror", None) not in _IN_USE:
                raise
            time.sleep(pause)
        else:
            return
    action(*arguments)


class Descent:
    """A position in a tree of directories, with the way down to it held open.

    Meant for pre-order walks: going to a sibling or a child opens one directory. Only the upper levels stay
    open, so that a tree of any depth needs a bounded number of descriptors and no recursion.

    :param root: where the tree starts; stays the caller's to close.
    :param enter: how a directory is opened in its parent.
    """

    __slots__ = ("_enter", "_held", "_lowest", "_parts", "_root")

    def __init__(self, root: Folder, enter: Callable[[Folder, str], Folder]) -> None:
        self._root = root
        self._enter = enter
        self._parts: Parts = ()
        self._held: list[Folder] = []
        self._lowest: Folder | None = None

    def go(self, parts: Parts) -> Folder:
        """Return the directory at ``parts`` below the root; it stays open until the next call."""
        known, depth = self._parts, len(parts)
        if (
            depth == 0
            or depth > _HELD_LEVELS
            or self._lowest is not None
            or known[: depth - 1] != parts[:-1]
            or known == parts
        ):
            return self._go_step_by_step(parts)
        # To a child, a sibling, or a sibling of a parent: all but a few steps of a pre-order walk.
        held = self._held
        while len(held) >= depth:
            held.pop().close()
        self._parts = parts[:-1]
        folder = self._enter(held[-1] if held else self._root, parts[-1])
        held.append(folder)
        self._parts = parts
        return folder

    def _go_step_by_step(self, parts: Parts) -> Folder:
        common = _common(self._parts, parts)
        if common < len(self._parts):
            self._drop_lowest()
        while len(self._held) > common:
            self._held.pop().close()
        if self._lowest is None:
            # Below the held levels only the lowest stays open: the way to another one leads from these.
            self._parts = self._parts[: len(self._held)]
        for level in range(len(self._parts), len(parts)):
            self._step(parts[level])
            self._parts = parts[: level + 1]
        return self._here()

    def close(self) -> None:
        """Close every directory below the root."""
        self._drop_lowest()
        while self._held:
            self._held.pop().close()
        self._parts = ()

    def __enter__(self) -> Descent:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _here(self) -> Folder:
        if self._lowest is not None:
            return self._lowest
        return self._held[-1] if self._held else self._root

    def _step(self, name: str) -> None:
        following = self._enter(self._here(), name)
        if len(self._held) < _HELD_LEVELS:
            self._held.append(following)
            return
        self._drop_lowest()
        self._lowest = following

    def _drop_lowest(self) -> None:
        if self._lowest is not None:
            self._lowest.close()
            self._lowest = None


def _common(one: Parts, other: Parts) -> int:
    length = 0
    for mine, yours in zip(one, other):
        if mine != yours:
            break
        length += 1
    return length


def _os_error(number: int, path: str) -> OSError:
    return OSError(number, os.strerror(number), path)
