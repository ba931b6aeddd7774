"""Some of Windows's rules, kept by Linux as far as the library can see."""

from __future__ import annotations

import errno
import os
import time
from typing import TYPE_CHECKING, Any, Final

from standins import windows_error

from wheel_linker._fs import folder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

SHARING_VIOLATION: Final = 32
FILENAME_TOO_LONG: Final = 206
_LONGEST: Final = 259
FOREVER: Final = 1_000_000
_MOVING: Final = ("replace", "rename", "unlink", "rmdir")
_WITH_PATHS: Final = (*_MOVING, "open", "mkdir", "link", "symlink", "stat", "lstat", "scandir")


class Windows:
    """Directories are held by path, and what a program has open can be neither renamed, replaced nor removed.

    :ivar pauses: for how long the library has slept, each time.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch
        self._in_use: dict[str, int] = {}
        self.pauses: list[float] = []
        monkeypatch.setattr(folder, "BY_DESCRIPTOR", False)
        monkeypatch.setattr(time, "sleep", self.pauses.append)
        for name in _MOVING:
            self._check(name, self._refuse_what_is_in_use)

    def hold(self, path: Path, attempts: int = FOREVER) -> None:
        """Have a program use a file, until somebody else has wanted it that often."""
        self._in_use[os.fspath(path)] = attempts

    def let_go(self) -> None:
        """Have no file in use any more."""
        self._in_use.clear()

    def limit_paths(self) -> None:
        """Know no paths of more than 259 characters, as where long paths are not enabled."""
        for name in _WITH_PATHS:
            self._check(name, _refuse_long_paths)

    def _check(self, name: str, check: Callable[[str], None]) -> None:
        real = getattr(os, name)

        def checked(*arguments: Any, **keywords: Any) -> Any:
            for path in arguments[:2]:
                if isinstance(path, (str, os.PathLike)):
                    check(os.fspath(path))
            return real(*arguments, **keywords)

        for functions in (os.supports_dir_fd, os.supports_fd, os.supports_follow_symlinks):
            if real in functions:
                functions.add(checked)
        self._monkeypatch.setattr(os, name, checked)

    def _refuse_what_is_in_use(self, path: str) -> None:
        for held, attempts in self._in_use.items():
            if attempts and (held == path or held.startswith(f"{path}{os.sep}")):
                self._in_use[held] -= 1
                raise _refusal(SHARING_VIOLATION, errno.EACCES, path)


def _refuse_long_paths(path: str) -> None:
    if len(path) > _LONGEST:
        raise _refusal(FILENAME_TOO_LONG, errno.ENOENT, path)


def _refusal(winerror: int, number: int, path: str) -> OSError:
    error = windows_error(winerror, number)
    error.filename = path
    return error
