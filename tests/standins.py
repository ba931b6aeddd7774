"""Backends for the tests: stand-ins for what other systems provide, and one that fails as it is told."""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path


class FakeClonefile:
    """The compiled stand-in for macOS's ``clonefile``, and its switches."""

    def __init__(self, path: Path) -> None:
        self.library = ctypes.CDLL(os.fspath(path), use_errno=True)

    def fail(self, number: int, *, after: int = 0) -> None:
        """Fail with ``number`` once ``after`` more calls have been made; 0 heals."""
        self.library.fake_clonefile_fail(number, after)

    def calls(self) -> int:
        """Return how many calls there were since this was asked last."""
        return int(self.library.fake_clonefile_calls())

    def flags(self) -> int:
        """Return the flags of the last call."""
        return int(self.library.fake_clonefile_flags())


class FakeReflink:
    """A stand-in for ``reflink_copy.reflink`` on Windows: path to path, the target must not exist.

    The real one is made with PyO3, whose errors carry the system's number in their text only.
    """

    def __init__(self) -> None:
        self.calls = 0
        self.refusal: OSError | None = None

    def __call__(self, source: str, destination: str) -> None:
        self.calls += 1
        if self.refusal is not None:
            raise self.refusal
        if os.path.lexists(destination):
            raise FileExistsError("The file exists. (os error 80)")
        if not os.path.isfile(source):
            raise OSError(
                "the source path is not an existing regular file: "
                "The system cannot find the file specified. (os error 2)"
            )
        shutil.copyfile(source, destination)


def reflink_refusal(winerror: int) -> OSError:
    """Return the error that the real ``reflink_copy`` raises for a Windows error number.

    What it asks Windows for itself is refused by an HRESULT, as seen of its own: 50 becomes -2147024846.
    """
    return OSError(f"Something the system says. (os error {0x8007_0000 + winerror - (1 << 32)})")


def windows_error(winerror: int, number: int = errno.EINVAL) -> OSError:
    """Return an error as Python's own calls raise it on Windows."""
    error = OSError(number, "Something the system says")
    # A member of OSError on Windows only.
    error.winerror = winerror  # type: ignore[attr-defined,unused-ignore]
    return error


class ScriptedBackend:
    """A backend that copies, and fails for chosen files, or at chosen calls.

    :param by_name: the error for a file of that name.
    :param by_call: the error for the call of that number, counted from 0.
    :param always: the error for every call.
    """

    clones_directories = False

    def __init__(
        self,
        *,
        by_name: Mapping[str, OSError] | None = None,
        by_call: Callable[[int], OSError | None] | None = None,
        always: OSError | None = None,
    ) -> None:
        self._by_name = dict(by_name or {})
        self._by_call = by_call or (lambda _: None)
        self._always = always
        self._lock = threading.Lock()
        self.tried: list[str] = []

    def clone_file(
        self,
        source: str,
        destination: str,
        *,
        source_dir: int | None = None,
        destination_dir: int | None = None,
    ) -> None:
        name = os.path.basename(source)
        with self._lock:
            call = len(self.tried)
            self.tried.append(name)
        error = self._always or self._by_name.get(name) or self._by_call(call)
        if error is not None:
            raise error
        reading = os.open(source, os.O_RDONLY, dir_fd=source_dir)
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
            writing = os.open(destination, flags, 0o600, dir_fd=destination_dir)
            with os.fdopen(reading, "rb", closefd=False) as data, os.fdopen(writing, "wb") as copy:
                shutil.copyfileobj(data, copy)
                os.chmod(copy.fileno(), os.fstat(reading).st_mode & 0o777)
        finally:
            os.close(reading)

    def clone_directory(
        self,
        source: str,
        destination: str,
        *,
        source_dir: int | None = None,
        destination_dir: int | None = None,
    ) -> None:
        raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))
