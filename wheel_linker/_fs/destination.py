"""Opening ``site_packages``, and making it where it is missing."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import contextmanager
from itertools import takewhile
from typing import TYPE_CHECKING

from wheel_linker._fs.folder import Folder, Identity
from wheel_linker._fs.paths import real_path, upwards
from wheel_linker._fs.windows import extended
from wheel_linker._log import log
from wheel_linker._threads import uninterrupted
from wheel_linker.errors import LinkError

if TYPE_CHECKING:
    from collections.abc import Iterator


def resolved(path: str | os.PathLike[str]) -> str:
    """Return the absolute path with symlinks resolved; it may be missing.

    :raises LinkError: if it cannot be a path.
    """
    try:
        return real_path(os.fsdecode(path))
    except ValueError as error:  # it is empty, or has a NUL byte
        raise LinkError(f"cannot link into {path!r}: {error}", errno=errno.EINVAL) from error
    except OSError as error:  # a symlink that vanished while it was being followed
        raise LinkError.from_os_error(error, f"link into {path!r}") from error


def leading_to(path: str) -> dict[Identity, str]:
    """Return the directory at ``path`` and those above it by what they are, as far as they are there.

    A directory that is mounted at two places has two paths, and so has any where case does not distinguish names.

    :param path: an absolute path with symlinks resolved; it may be missing.
    """
    found: dict[Identity, str] = {}
    for directory in upwards(path):
        try:
            status = os.stat(extended(directory))
        except OSError:
            continue  # it is missing, or cannot be looked at: then its name alone tells where it is
        if status.st_ino:  # some file systems have no numbers
            found.setdefault(Identity(status.st_dev, status.st_ino), directory)
    return found


@contextmanager
def opened(path: str) -> Iterator[Folder]:
    """Open a directory, made with its parents if missing; if the body fails, those made are removed again.

    :param path: an absolute path with symlinks resolved.
    :raises LinkError: if it is not a directory or cannot be made.
    """
    made: list[str] = []
    try:
        with _open(path, made) as folder:
            yield folder
    except BaseException:
        uninterrupted(lambda: _remove(made))
        raise


def _open(path: str, made: list[str]) -> Folder:
    try:
        _make(path, made)
        return Folder.open(path)
    except FileExistsError as error:
        raise LinkError.from_os_error(
            NotADirectoryError(errno.ENOTDIR, "it is not a directory"),
            f"link into {path!r} at {error.filename!r}",
            destination=path,
        ) from error
    except OSError as error:
        doing = f"open or make the directory {path!r}"
        raise LinkError.from_os_error(error, doing, destination=path) from error


def _make(path: str, made: list[str]) -> None:
    missing = list(takewhile(_is_no_directory, upwards(path)))
    for directory in reversed(missing):
        made.append(directory)
        try:
            os.mkdir(directory)
        except FileExistsError:
            made.pop()
            if not _is_directory(directory):
                raise


def _is_no_directory(path: str) -> bool:
    return not _is_directory(path)


def _is_directory(path: str) -> bool:
    """Tell whether there is a directory, links followed.

    A time past 2038 is more than some 32-bit interpreters can read (EOVERFLOW). Linking changes the directory's
    time anyway, so it is set to the present one.
    """
    try:
        return stat.S_ISDIR(os.stat(path).st_mode)
    except OSError as error:
        if error.errno != errno.EOVERFLOW:
            return False
    os.utime(os.path.join(path, os.curdir))
    return os.path.isdir(path)


def _remove(made: list[str]) -> None:
    while made:
        try:
            os.rmdir(made[-1])
        except FileNotFoundError:
            pass
        except OSError as error:
            log("cannot remove %s, which was made for nothing: %s", made[-1], error)
            return
        made.pop()
