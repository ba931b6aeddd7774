"""Where paths lie in relation to each other."""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING, Final

from wheel_linker.errors import LinkError

if TYPE_CHECKING:
    from collections.abc import Iterator

# learn.microsoft.com, "Maximum Path Length Limitation", as normcase() of Windows has them.
_LONG: Final = "\\\\?\\"
_LONG_SHARE: Final = "\\\\?\\unc\\"
_SHARE: Final = "\\\\"
_EMPTY: Final = "empty; the current directory is '.'"


def is_within(path: str, directory: str) -> bool:
    """Tell whether an absolute path is a directory itself or somewhere below it, by its names alone."""
    path, directory = os.path.normcase(path), os.path.normcase(directory)
    if _is_plain(path) and _is_plain(directory):
        return path == directory or path.startswith(directory + os.sep)
    path, directory = _usual_form(path), _usual_form(directory)
    try:
        common = os.path.commonpath((path, directory))
        return common.rstrip(os.sep) == directory.rstrip(os.sep)
    except ValueError:  # different drives
        return False


def _usual_form(path: str) -> str:
    """Return a path of Windows without what long ones may begin with, which is not part of any name."""
    if os.sep == "/":
        return path
    if path.startswith(_LONG_SHARE):
        path = _SHARE + path[len(_LONG_SHARE) :]
    path = path.removeprefix(_LONG)
    # Without a separator at its end Python takes the root of a share for a relative path.
    return path + os.sep if path.startswith(_SHARE) else path


def _is_plain(path: str) -> bool:
    """Tell whether a path has nothing in it that a comparison letter by letter would be wrong about."""
    return os.sep == "/" and "//" not in path and "/." not in path and not path.endswith("/")


def upwards(path: str) -> Iterator[str]:
    """Yield a path and those above it, its root the last: that of a drive that is missing has nothing above it."""
    while True:
        yield path
        above = os.path.dirname(path)
        if above == path:
            return
        path = above


def possible(path: str, doing: str) -> str:
    """Return a path that the caller gave, if something can be there.

    :param doing: what it was given for, in the words that follow "cannot".
    :raises LinkError: if it is empty, which Python often takes for the current directory, or has a NUL byte, for which
        Python has an error of its own, later and without the path.
    """
    if not path:
        raise LinkError(
            f"cannot {doing}: the path {path!r} is {_EMPTY}", errno=errno.EINVAL, destination=path
        )
    if "\0" in path:
        raise LinkError(
            f"cannot {doing}: {path!r} has a NUL byte, which is in no path",
            errno=errno.EINVAL,
            destination=path,
        )
    return path


def real_path(path: str, *, strict: bool = False) -> str:
    """Return :func:`os.path.realpath`, for which a NUL byte is the same error on every system.

    :raises ValueError: if the path is empty, which Python takes for the current directory, or has a NUL byte, which on
        Windows it takes for a path, or for an unknown error.
    :raises OSError: if ``strict``, and nothing is there.
    """
    if not path:
        raise ValueError(f"the path is {_EMPTY}")
    if "\0" in path:
        raise ValueError("embedded null byte")
    return os.path.realpath(path, strict=strict)


def is_directory(path: str) -> bool:
    """Tell whether there is a directory, links followed.

    :raises OSError: if the system cannot tell, where :func:`os.path.isdir` says that there is none.
    """
    try:
        return stat.S_ISDIR(os.stat(path).st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False


def is_same(path: str, other: str) -> bool:
    """Tell whether two paths lead to one thing; not if either leads to nothing."""
    try:
        return os.path.samefile(path, other)
    except OSError:
        return False


def named_by(error: OSError, otherwise: str) -> str:
    """Return the path that an error of the system names; PyPy has some in bytes, and a descriptor is no path."""
    name: object = error.filename
    if isinstance(name, bytes):
        return os.fsdecode(name)
    return name if isinstance(name, str) else otherwise
