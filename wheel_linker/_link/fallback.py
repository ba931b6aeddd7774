"""The state machine behind the fallback chain: what one refusal says about the files to come, and the warning of it."""

from __future__ import annotations

import errno
import os
import threading
from enum import Enum
from typing import TYPE_CHECKING, Final

from wheel_linker._fs.copying import LeftBehindError
from wheel_linker._log import warn_caller
from wheel_linker.errors import ENOTSUPP, LinkFallbackWarning
from wheel_linker.mode import AUTO, LinkMode

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from wheel_linker._link.report import Fallback

_warned: set[tuple[LinkMode, int | None, type[OSError]]] = set()
_warned_guard = threading.Lock()
if hasattr(os, "register_at_fork"):
    # A thread of the parent may have held the lock at the fork. In the child nobody would ever release it.
    os.register_at_fork(after_in_child=lambda: globals().update(_warned_guard=threading.Lock()))


class Attempt(Enum):
    """What is known of one mode, for one wheel."""

    UNTRIED = "not tried yet"
    WORKING = "known to work"
    FALLEN_BACK = "fallen back"

    def after(self, refusal: Cause | None) -> Attempt:
        """Return what is known after one more file.

        :param refusal: why the file was refused; None if it was placed.
        """
        if self is not Attempt.UNTRIED:
            return self
        if refusal is None:
            return Attempt.WORKING
        # Only the first file may speak for the rest: later a refusal is about that file.
        return Attempt.FALLEN_BACK if refusal is Cause.NOT_SUPPORTED else self


class Ladder:
    """The modes of one fallback chain, and which of them the next file is tried with.

    Shared without a lock by the threads that link one wheel: each step is a single assignment, and
    whichever of two simultaneous verdicts stays is a right one.
    """

    __slots__ = ("_attempts", "mode", "modes")

    def __init__(self, modes: Sequence[LinkMode]) -> None:
        self.modes = tuple(modes)
        self.mode = self.modes[0]
        """The mode for the next file: the first that has not fallen back; the last never does."""
        self._attempts = dict.fromkeys(self.modes, Attempt.UNTRIED)

    def placed(self, mode: LinkMode) -> None:
        """Note that ``mode`` worked."""
        if self._attempts[mode] is Attempt.UNTRIED:
            self._attempts[mode] = Attempt.UNTRIED.after(None)

    def refused(self, mode: LinkMode, cause: Cause) -> LinkMode | None:
        """Note that ``mode`` was refused; return the next mode for that file, None if there is none."""
        if cause is Cause.FATAL:
            return None
        self._attempts[mode] = self._attempts[mode].after(cause)
        standing = [each for each in self.modes if self._attempts[each] is not Attempt.FALLEN_BACK]
        self.mode = standing[0] if standing else self.modes[-1]
        following = self.modes.index(mode) + 1
        return self.modes[following] if following < len(self.modes) else None


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
        ENOTSUPP,
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
    if isinstance(error, LeftBehindError) or (windows and error.errno == errno.EINVAL):
        # The name is taken now; EINVAL is what Python says of every number of Windows' that it does not know.
        return Cause.FATAL
    if error.errno in _NOT_SUPPORTED:
        return Cause.NOT_SUPPORTED
    if error.errno in _NOT_THIS_FILE:
        return Cause.NOT_THIS_FILE
    return Cause.FATAL


def warn_of_fallbacks(
    called: str, chain: Sequence[LinkMode], fallbacks: Iterable[Fallback]
) -> None:
    """Warn of modes that were refused, once in the life of the process for each mode and cause.

    :param called: what the wheel is called in messages.
    :param chain: the modes that were asked for.
    """
    for fallback in fallbacks:
        if chain == AUTO and fallback.used is LinkMode.HARDLINK:
            continue  # what was asked for, on the commonest file systems
        cause = (fallback.tried, fallback.error.errno, type(fallback.error))
        with _warned_guard:
            if cause in _warned:
                continue
            _warned.add(cause)
        try:
            warn_caller(
                f"cannot {fallback.tried} {os.path.join(called, fallback.path)!r}: "
                f"{fallback.error.strerror or fallback.error}; used {fallback.used} instead. To silence this, "
                f"ask for mode {str(fallback.used)!r}, or filter wheel_linker.LinkFallbackWarning",
                LinkFallbackWarning,
            )
        except LinkFallbackWarning:
            # A filter has made the warning an error. The next call has to fail by it as well.
            with _warned_guard:
                _warned.discard(cause)
            raise
