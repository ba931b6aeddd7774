"""Every error and warning of the library."""

from __future__ import annotations

import errno as _errno
import os
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from wheel_linker.mode import LinkMode


ENOTSUPP: Final = 524
"""Linux' own number for "not supported", which NFS, FUSE and drivers let through; the module ``errno`` lacks it."""


_BACKSLASHES = os.sep == "\\"
_SHOWN: Final = 40  # characters


class WheelLinkerError(Exception):
    """The root of every error that this library raises on its own account."""

    def __init__(self, *arguments: object) -> None:
        super().__init__(
            *(_with_plain_paths(each) if isinstance(each, str) else each for each in arguments)
        )


class LinkError(WheelLinkerError, OSError):
    """The file system refused something; nothing in the environment has changed.

    Each instance is also of the built-in class of its error number, such as :exc:`FileExistsError` or
    :exc:`PermissionError`. The system's own error, where there is one, is the ``__cause__``.

    :ivar source: the path that was to be linked, if one was involved.
    :ivar destination: the path that was to be written, if one was involved.
    :ivar mode: how it was to be linked, if that mattered.
    :ivar errno: the system's error number.
    """

    def __new__(cls, message: str, *, errno: int | None = None, **_: object) -> LinkError:
        """Make one of the class that is of the error number's built-in class, too."""
        return super().__new__(_kind(cls, errno), _with_plain_paths(message))

    def __init__(
        self,
        message: str,
        *,
        errno: int | None = None,
        source: str | None = None,
        destination: str | None = None,
        mode: LinkMode | None = None,
    ) -> None:
        super().__init__(message)
        self.message: str = _with_plain_paths(message)
        self.errno = errno
        self.strerror: str | None = os.strerror(errno) if errno is not None else None
        self.filename: str | None = source if source is not None else destination
        self.filename2: str | None = destination if source is not None else None
        self.source = source
        self.destination = destination
        self.mode = mode

    @classmethod
    def from_os_error(
        cls,
        error: OSError,
        doing: str,
        *,
        source: str | None = None,
        destination: str | None = None,
        mode: LinkMode | None = None,
        advice: Mapping[int, str] | None = None,
    ) -> LinkError:
        """Make one that says what was being done when ``error`` came, and what can be done about it.

        :param error: the system's error, which becomes the ``__cause__``.
        :param doing: what failed, in the words that follow "cannot".
        :param source: as for the class.
        :param destination: as for the class.
        :param mode: as for the class.
        :param advice: what can be done, by error number, where that differs from the usual.
        :returns: the error to be raised; a :exc:`LockTimeoutError` if ``error`` is one.
        """
        late = isinstance(error, LockTimeoutError)
        reason = str(error) if late else error.strerror or str(error) or type(error).__name__
        message = f"cannot {doing}: {reason}"
        known = {**_ADVICE, **(advice or {})}
        if getattr(error, "winerror", None) in IN_USE:
            message = f"{message}; {_CLOSE_IT}"
        elif error.errno in known:
            message = f"{message}; {known[error.errno]}"
        kind = LockTimeoutError if late else cls
        made = kind(message, errno=error.errno, source=source, destination=destination, mode=mode)
        made.__cause__ = error
        return made

    def __str__(self) -> str:
        return self.message

    def __reduce__(self) -> tuple[object, ...]:
        fields = (self.message, self.errno, self.source, self.destination, self.mode)
        return (_remake_link_error, (_made_from.get(type(self), type(self)), *fields))


def refused(
    doing: str | Callable[[OSError], str],
    *,
    source: str | None = None,
    destination: str | None = None,
    advice: Mapping[int, str] | None = None,
) -> _Refused:
    """Turn an error of the system in the body of a ``with`` statement into a :exc:`LinkError`, which is raised.

    A :exc:`LinkError` says what failed already, and is let through. In a loop over files a ``try`` statement around the
    loop costs less.

    :param doing: what failed, in the words that follow "cannot", or a function that tells it from the error.
    :param source: the path that was to be read, if one was.
    :param destination: the path that was to be written, if one was.
    :param advice: what can be done, by error number, where that differs from the usual.
    """
    return _Refused(doing, source, destination, advice)


class _Refused:
    """What :func:`refused` returns; no generator, because ``contextlib`` would make importing the library dearer."""

    __slots__ = ("_advice", "_destination", "_doing", "_source")

    def __init__(
        self,
        doing: str | Callable[[OSError], str],
        source: str | None,
        destination: str | None,
        advice: Mapping[int, str] | None,
    ) -> None:
        self._doing = doing
        self._source = source
        self._destination = destination
        self._advice = advice

    def __enter__(self) -> None:
        pass

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if not isinstance(error, OSError) or isinstance(error, LinkError):
            return
        raise LinkError.from_os_error(
            error,
            self._doing if isinstance(self._doing, str) else self._doing(error),
            source=self._source,
            destination=self._destination,
            advice=self._advice,
        ) from error


def _with_plain_paths(message: str) -> str:
    """Write the paths of Windows in a message so that they can be pasted: ``repr`` doubles each backslash.

    Two of them that follow the quotation mark begin the name of another machine's share.
    """
    if not _BACKSLASHES:
        return message
    import re  # here, because it is needed nowhere else, and takes long

    message = re.sub(r"""(['"])\\{4}""", r"\1\\\\", message)
    return re.sub(r"""(?<!['"])\\\\""", r"\\", message)


class LockTimeoutError(LinkError, TimeoutError):
    """Another process or thread kept its lock for longer than the caller wanted to wait; nothing has changed.

    :ivar destination: the directory that is locked.
    """


IN_USE: Final = frozenset({5, 32, 33, 1224})
"""What Windows says if a program has a file open.

winerror.h: ERROR_ACCESS_DENIED, ERROR_SHARING_VIOLATION, ERROR_LOCK_VIOLATION, ERROR_USER_MAPPED_FILE.
"""

VANISHED: Final = {
    _errno.ENOENT: "it vanished while it was being linked; unpack the wheel again",
}
"""What to do if a file of the wheel is missing that was there a moment ago."""


class InvalidWheelError(WheelLinkerError, ValueError):
    """What was given is not a wheel that may be put into an environment."""


class LinkFallbackWarning(UserWarning):
    """A file could not be linked as asked and was put in place by another mode of the chain."""


class RecordWarning(UserWarning):
    """A wheel was accepted though its ``RECORD`` is not right; given once for each wheel."""


class PackageConflictWarning(UserWarning):
    """Several wheels supply the same path with different contents."""


_CLOSE_IT: Final = "a program has it open, most likely: close that and call again, or check the permissions of the path"
_ADVICE: Final = {
    _errno.ENOSPC: "free some space on that file system and call again",
    _errno.EDQUOT: "raise the disk quota or free some space and call again",
    _errno.EROFS: "make that file system writable",
    _errno.EACCES: "check the permissions of the path and of its parents",
    _errno.EPERM: "check the owner and the attributes of the path",
    _errno.EXDEV: "put both on one file system, or allow the mode 'copy'",
    _errno.EOPNOTSUPP: "allow another mode after it, such as 'copy'",
    ENOTSUPP: "allow another mode after it, such as 'copy'",
    _errno.EMLINK: "the file has as many links as its file system allows; allow the mode 'copy'",
    _errno.ELOOP: "a symlink took the place of a directory or file; nothing is linked through it",
    _errno.ENAMETOOLONG: "use a shorter path for the environment",
    _errno.EMFILE: "raise the limit of open files (ulimit -n) or use fewer jobs",
    _errno.EIO: "check the disk",
    _errno.EEXIST: "two names of the wheel are one name on this file system",
}


# The classes that _kind() has made, and for each of them the class that it was made from.
_kinds: dict[tuple[type[LinkError], type[OSError]], type[LinkError]] = {}
_made_from: dict[type[LinkError], type[LinkError]] = {}


def _kind(cls: type[LinkError], number: int | None) -> type[LinkError]:
    """Return the class that is both ``cls`` and what Python makes of a system error of that number."""
    built_in = type(OSError(number, "")) if number is not None else OSError
    cls = _made_from.get(cls, cls)
    if issubclass(cls, built_in):
        return cls
    if (cls, built_in) not in _kinds:
        names = {
            "__module__": cls.__module__,
            "__qualname__": cls.__qualname__,
            "__doc__": cls.__doc__,
        }
        made = type(cls.__name__, (cls, built_in), names)
        _made_from[made] = cls
        _kinds[cls, built_in] = made
    return _kinds[cls, built_in]


def _remake_link_error(
    kind: type[LinkError],
    message: str,
    errno: int | None,
    source: str | None,
    destination: str | None,
    mode: LinkMode | None,
) -> LinkError:
    return kind(message, errno=errno, source=source, destination=destination, mode=mode)


def shortened(text: str) -> str:
    """Return a text with as many characters as a message shows of what somebody gave."""
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def printable(text: str) -> str:
    """Return a text in which only those characters are left that are seen as what they are.

    Control characters move a terminal's cursor, those of bidirectional writing turn around what follows, and line
    separators make one name look like two lines. They are escaped as :func:`repr` does it.
    """
    if text.isprintable():
        return text
    return "".join([each if each.isprintable() else repr(each)[1:-1] for each in text])
