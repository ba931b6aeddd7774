"""Spoiling one system call of many, the one of a given number."""

from __future__ import annotations

import builtins
import contextlib
import errno
import functools
import os
import sys
import traceback
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from proof.processes import send

if sys.platform != "win32":
    import fcntl
    import resource

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pytest

    Fault = Callable[[Callable[[], Any], str], Any]

_OF_OS: Final = (
    *("open", "close", "read", "write", "copy_file_range", "fstat", "fchmod"),
    *("stat", "lstat", "readlink", "listdir", "scandir", "mkdir", "rmdir", "unlink"),
    *("link", "symlink", "rename", "replace", "chmod", "utime"),
)
_SETS: Final = (os.supports_dir_fd, os.supports_fd, os.supports_follow_symlinks)


def error(number: int) -> Fault:
    """Fail with an error number."""

    def fault(call: Callable[[], Any], name: str) -> Any:
        if name == "close":
            call()  # the descriptor is gone whatever close(2) says
        raise OSError(number, os.strerror(number), "spoiled")

    return fault


def interrupt_before(call: Callable[[], Any], name: str) -> Any:
    """Be interrupted when nothing has been done yet."""
    raise KeyboardInterrupt


def interrupt_after(call: Callable[[], Any], name: str) -> Any:
    """Be interrupted when it has been done, but its result has not got to anybody: as by a real signal."""
    with contextlib.suppress(OSError, StopIteration):
        result = call()
        if name == "open" and isinstance(result, int):
            os.close(result)  # what Python itself loses then
        elif name in {"open", "scandir"}:
            result.close()
    raise KeyboardInterrupt


def kill(call: Callable[[], Any], name: str) -> Any:
    """Be killed."""
    send(os.getpid(), "SIGKILL")


class Lasting(NamedTuple):
    """What stays away from some call on."""

    number: int
    """What the system says then."""
    calls: frozenset[str]
    """The calls that need it; ``open`` stands for making files."""
    all_opens: bool = False
    """Whether every ``open`` needs it."""

    def concerns(self, name: str, call: functools.partial[Any]) -> bool:
        """Tell whether a call needs what is missing."""
        if name != "open" or self.all_opens:
            return name in self.calls
        how = call.args[1] if len(call.args) > 1 else os.O_RDONLY
        return bool(set(how) & set("wax") if isinstance(how, str) else how & os.O_CREAT)


_MAKING: Final = frozenset({"open", "mkdir", "link", "symlink", "write", "copy_file_range"})
_READING: Final = frozenset({"read", "readlink", "listdir", "scandir", "readdir"})
NO_ROOM: Final = Lasting(errno.ENOSPC, _MAKING)
NO_MEMORY: Final = Lasting(errno.ENOMEM, _MAKING | _READING, all_opens=True)
NO_DISK: Final = Lasting(errno.EIO, _MAKING | _READING, all_opens=True)


@contextlib.contextmanager
def few_descriptors(room: int = 100) -> Iterator[Callable[[], None]]:
    """Return what takes all descriptors that the process may still open, until the end.

    :param room: how many these are.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)  # type: ignore[name-defined,unused-ignore]
    # What ran before may have left some open: the limit is about the highest number.
    most = 1 + room + max(map(int, os.listdir("/dev/fd")))
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))  # type: ignore[name-defined,unused-ignore]
    taken: list[int] = []

    def take() -> None:
        with contextlib.suppress(OSError):
            while True:
                taken.append(_dup(0))

    _dup = os.dup
    try:
        yield take
    finally:
        for fd in taken:
            os.close(fd)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))  # type: ignore[name-defined,unused-ignore]


class Spoiler:
    """Stands between the library and the system; counts the calls while it is active, and spoils one of them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls = 0
        self.spoilt = ""
        self._active = False
        self._nth = 0
        self._fault: Fault | None = None
        self._lasting: Lasting | None = None
        for name in _OF_OS:
            if hasattr(os, name):
                self._wrap(monkeypatch, os, name)
        self._wrap(monkeypatch, builtins, "open")
        self._leave_alone(monkeypatch, os, "urandom")  # PyPy's reads a file
        if sys.platform != "win32":
            self._wrap(monkeypatch, fcntl, "flock")
            self._wrap(monkeypatch, fcntl, "ioctl")

    @contextlib.contextmanager
    def spoiling(self, nth: int, fault: Fault | None) -> Iterator[None]:
        """Spoil the call of that number, counted from 1, which :attr:`spoilt` then names."""
        self.calls, self.spoilt, self._nth, self._fault = 0, "", nth, fault
        self._active = True
        try:
            yield
        finally:
            self._active = False

    @contextlib.contextmanager
    def lacking(self, first: int, what: Lasting) -> Iterator[None]:
        """Spoil each call that needs something, from the call of that number on."""
        self._lasting = what
        try:
            with self.spoiling(first, None):
                yield
        finally:
            self._lasting = None

    @contextlib.contextmanager
    def out_of_descriptors(self, first: int) -> Iterator[None]:
        """Leave no descriptor to be opened from the call of that number on, but for what is closed meanwhile."""
        with few_descriptors() as take:

            def fault(call: Callable[[], Any], name: str) -> Any:
                take()
                return call()

            with self.spoiling(first, fault):
                yield

    def call(self, name: str, real: functools.partial[Any]) -> Any:
        """Make one call, or spoil it."""
        self.calls += 1
        if self._lasting is not None and self.calls >= self._nth:
            if not self._lasting.concerns(name, real):
                return real()
            self.spoilt = self.spoilt or f"{name} of {_caller()}"
            raise OSError(self._lasting.number, os.strerror(self._lasting.number), "spoiled")
        if self.calls != self._nth or self._fault is None:
            return real()
        self.spoilt = f"{name} of {_caller()}"
        return self._fault(real, name)

    def _leave_alone(self, monkeypatch: pytest.MonkeyPatch, module: object, name: str) -> None:
        """Count nothing of what the interpreter itself does in that function."""
        real = getattr(module, name)

        @functools.wraps(real)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            active, self._active = self._active, False
            try:
                return real(*args, **kwargs)
            finally:
                self._active = active

        monkeypatch.setattr(module, name, wrapper)

    def _wrap(self, monkeypatch: pytest.MonkeyPatch, module: object, name: str) -> None:
        real = getattr(module, name)

        @functools.wraps(real)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            if not self._active:
                return real(*args, **kwargs)
            result = self.call(name, functools.partial(real, *args, **kwargs))
            return _Entries(self, result) if name == "scandir" else result

        for functions in _SETS:
            if real in functions:
                functions.add(wrapper)
        monkeypatch.setattr(module, name, wrapper)


def _caller() -> str:
    """Return the place in the library that is making a call, and who called that."""
    stack = traceback.extract_stack()
    places = [
        f"{frame.name}:{frame.lineno}"
        for frame in stack
        if f"{os.sep}wheel_linker{os.sep}" in frame.filename
    ]
    return " < ".join(reversed(places))


class _Entries:
    """What ``os.scandir`` returned; its first step, which is what calls the system, can be spoilt."""

    def __init__(self, spoiler: Spoiler, entries: Any) -> None:
        self._spoiler: Spoiler | None = spoiler
        self._entries = entries

    def __iter__(self) -> _Entries:
        return self

    def __next__(self) -> os.DirEntry[str]:
        spoiler, self._spoiler = self._spoiler, None
        entry: os.DirEntry[str] = (
            next(self._entries)
            if spoiler is None
            else spoiler.call("readdir", functools.partial(next, self._entries))
        )
        return entry

    def __enter__(self) -> _Entries:
        return self

    def __exit__(self, *_: object) -> None:
        self._entries.close()

    def close(self) -> None:
        self._entries.close()
