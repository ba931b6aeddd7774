"""Which refusals of the file system are worth another mode, and for how long."""

from __future__ import annotations

import errno
from enum import Enum
from typing import Final


class Cause(Enum):
    """What an error says about the mode that was tried."""

    NOT_SUPPORTED = "not supported here"
    """The pair of directories cannot do it: the next file would fail alike."""

    NOT_THIS_FILE = "not for this file"
    """This file cannot be placed so, others can."""

    FATAL = "fatal"
    """No other mode would help, or trying one would hide a fault."""


# linkat(2), symlinkat(2), ioctl_ficlone(2), clonefile(2): other device, no such call on this file system,
# or forbidden to this user (fs.protected_hardlinks, a container's seccomp filter).
_NOT_SUPPORTED: Final = frozenset(
    {
        errno.EXDEV,
        errno.ENOTSUP,
        errno.EOPNOTSUPP,
        errno.ENOSYS,
        errno.ENOTTY,
        errno.EINVAL,
        errno.EPERM,
        errno.EACCES,
    }
)

# The 65,001st link on ext4, a busy executable, a file that ZFS has not written out yet.
_NOT_THIS_FILE: Final = frozenset({errno.EMLINK, errno.ETXTBSY, errno.EAGAIN})

# winerror.h: ERROR_INVALID_FUNCTION, ERROR_NOT_SAME_DEVICE, ERROR_NOT_SUPPORTED,
# ERROR_PRIVILEGE_NOT_HELD (symlinks without the right to make them).
_WINDOWS_NOT_SUPPORTED: Final = frozenset({1, 17, 50, 1314})

# winerror.h: ERROR_BLOCK_TOO_MANY_REFERENCES, ERROR_CLOUD_FILE_INCOMPATIBLE_HARDLINKS, ERROR_TOO_MANY_LINKS.
_WINDOWS_NOT_THIS_FILE: Final = frozenset({347, 396, 1142})


def classify(error: OSError) -> Cause:
    """Tell what ``error`` says about the mode that was tried.

    A Windows error number is looked at first: Python's translation to errno is coarser.
    """
    windows = getattr(error, "winerror", None)
    if windows in _WINDOWS_NOT_SUPPORTED:
        return Cause.NOT_SUPPORTED
    if windows in _WINDOWS_NOT_THIS_FILE:
        return Cause.NOT_THIS_FILE
    if windows and error.errno == errno.EINVAL:
        # What Python says of every number that it does not know.
        return Cause.FATAL
    if error.errno in _NOT_SUPPORTED:
        return Cause.NOT_SUPPORTED
    if error.errno in _NOT_THIS_FILE:
        return Cause.NOT_THIS_FILE
    return Cause.FATAL
