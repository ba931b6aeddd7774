"""Some of Windows's rules, kept by Linux as far as the library can see."""

from __future__ import annotations

import errno
import os
import stat
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from standins import windows_error

from wheel_linker._fs import copying, folder
from wheel_linker._fs import windows as rules

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import pytest

ACCESS_DENIED: Final = 5
SHARING_VIOLATION: Final = 32
INVALID_NAME: Final = 123
FILENAME_TOO_LONG: Final = 206
_LONGEST: Final = 259
FOREVER: Final = 1_000_000
_MOVING: Final = ("replace", "rename", "unlink", "rmdir")
_WITH_PATHS: Final = (*_MOVING, "open", "mkdir", "link", "symlink", "stat", "lstat", "scandir")


_OPEN_FILES: Final = "/proc/self/fd"
_NOT_IN_NAMES: Final = frozenset('<>:"|?*')


class Windows:
    """Directories are held by path, and have no locks.

    What a program has open, this one included, can be neither renamed, replaced nor removed, and a directory with
    something open below it cannot be renamed. Files that nobody may write to can be neither replaced nor removed, but
    renamed; so can programs that run. A time that is set while a file is open for writing is overwritten at the end.

    :ivar pauses: for how long the library would have slept, each time.
    :ivar removed_read_only: the read-only files that were removed by the call that Windows has for that.

    :param sleep: whether it really sleeps.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, sleep: bool = False) -> None:
        self._monkeypatch = monkeypatch
        self._in_use: dict[str, int] = {}
        self._told: dict[str, int] = {}
        self._running: set[str] = set()
        self._junctions: set[str] = set()
        self._resolving = False
        self._stamped: set[str] = set()
        self.pauses: list[float] = []
        self.removed_read_only: list[str] = []
        monkeypatch.setattr(folder, "BY_DESCRIPTOR", False)
        monkeypatch.setattr(rules, "WINDOWS", True)
        monkeypatch.setattr(copying, "TIMES_BY_DESCRIPTOR", False)
        if not sleep:
            monkeypatch.setattr(time, "sleep", self.pauses.append)
        self._let_read_only_files_be_removed()
        for name in _MOVING:
            self._check(name, self._refuse_what_is_in_use)
            self._check(name, self._refuse_what_is_open)
        self._check("unlink", self._refuse_what_stays)
        self._check_replaced()
        self._overwrite_times()

    def hold(self, path: Path, attempts: int = FOREVER, number: int = SHARING_VIOLATION) -> None:
        """Have a program use a file, until somebody else has wanted it that often.

        :param number: what they are told; ``ACCESS_DENIED`` is what Windows says where it would be replaced.
        """
        self._in_use[os.fspath(path)] = attempts
        self._told[os.fspath(path)] = number

    def run(self, path: Path) -> None:
        """Have a file be part of a program that runs, wherever it is renamed to."""
        status = path.stat()
        self._running.add(f"{status.st_dev}:{status.st_ino}")

    def let_go(self) -> None:
        """Have no file in use any more, and no program running."""
        self._in_use.clear()
        self._running.clear()

    def forbid_names(self) -> None:
        """Know no names with characters that Windows has other uses for."""
        for name in _WITH_PATHS:
            self._check(name, _refuse_odd_names)
        self._take_null_characters_for_names()

    def junction(self, path: Path, target: Path) -> None:
        """Make a junction, which is a directory to everybody who does not look closely."""
        path.symlink_to(target)
        if not self._junctions:
            self._show_junctions()
        self._junctions.add(os.fspath(path))

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
                raise _refusal(self._told[held], errno.EACCES, path)

    def _refuse_what_is_open(self, path: str) -> None:
        for held in _open_files():
            if held == path or held.startswith(f"{path}{os.sep}"):
                raise _refusal(SHARING_VIOLATION, errno.EACCES, path)

    def _refuse_what_stays(self, path: str) -> None:
        """Refuse to let a file be removed or replaced that is read-only, or part of a program that runs."""
        try:
            status = os.lstat(path)
        except OSError:
            return
        read_only = stat.S_ISREG(status.st_mode) and not status.st_mode & stat.S_IWUSR
        if read_only or f"{status.st_dev}:{status.st_ino}" in self._running:
            raise _refusal(ACCESS_DENIED, errno.EACCES, path)

    def _check_replaced(self) -> None:
        real = os.replace

        def replace(source: str, destination: str, **keywords: Any) -> None:
            if os.path.lexists(source):
                self._refuse_what_stays(os.fspath(destination))
            real(source, destination, **keywords)

        self._monkeypatch.setattr(os, "replace", replace)

    def _let_read_only_files_be_removed(self) -> None:
        real = os.unlink

        def remove(path: str) -> None:
            self._refuse_what_is_open(path)
            self.removed_read_only.append(path)
            real(path)

        self._monkeypatch.setattr(rules, "_remove_read_only", remove)

    def _overwrite_times(self) -> None:
        utime, close = os.utime, os.close

        def set_times(path: Any, *arguments: Any, **keywords: Any) -> None:
            utime(path, *arguments, **keywords)
            if isinstance(path, str) and path in _open_files():
                self._stamped.add(path)

        def closed(fd: int) -> None:
            path = _path_of(fd)
            close(fd)
            if path in self._stamped:
                self._stamped.discard(path)
                utime(path)

        self._monkeypatch.setattr(os, "utime", set_times)
        self._monkeypatch.setattr(os, "close", closed)

    def _take_null_characters_for_names(self) -> None:
        """Resolve paths as ntpath does: a null character is an error without a number, or is left where it is."""
        real = os.path.realpath

        def resolved(path: Any, *, strict: bool = False) -> Any:
            if "\0" not in os.fspath(path):
                return real(path, strict=strict)
            if strict:
                raise OSError("_getfinalpathname: embedded null character in path")
            return os.path.normpath(path)

        self._monkeypatch.setattr(os.path, "realpath", resolved)

    def _show_junctions(self) -> None:
        for name in ("lstat", "stat"):
            self._monkeypatch.setattr(os, name, self._with_junctions(getattr(os, name), name))
        scandir, realpath = os.scandir, os.path.realpath

        def resolved(path: Any, **keywords: Any) -> Any:
            self._resolving = True
            try:
                return realpath(path, **keywords)
            finally:
                self._resolving = False

        @contextmanager
        def entries(path: str) -> Iterator[Iterator[Any]]:
            with scandir(path) as found:
                yield (
                    _JunctionEntry(each) if each.path in self._junctions else each for each in found
                )

        self._monkeypatch.setattr(os, "scandir", entries)
        self._monkeypatch.setattr(os.path, "realpath", resolved)

    def _with_junctions(self, real: Callable[..., os.stat_result], name: str) -> Any:
        follow = os.stat

        def look(path: Any, **keywords: Any) -> Any:
            itself = name == "lstat" or not keywords.get("follow_symlinks", True)
            if (
                itself
                and not self._resolving
                and isinstance(path, (str, os.PathLike))
                and os.fspath(path) in self._junctions
            ):
                return _Junction(follow(path))
            return real(path, **keywords)

        return look


class _Junction:
    """What Windows says of a junction itself: a directory, with a tag."""

    st_reparse_tag = 0xA000_0003

    def __init__(self, status: os.stat_result) -> None:
        self._status = status

    def __getattr__(self, name: str) -> Any:
        return getattr(self._status, name)


class _JunctionEntry:
    """What ``os.scandir`` gives for a junction."""

    def __init__(self, entry: os.DirEntry[str]) -> None:
        self.name = entry.name
        self._entry = entry

    def is_dir(self, *, follow_symlinks: bool = True) -> bool:
        return True

    def is_file(self, *, follow_symlinks: bool = True) -> bool:
        return False

    def is_symlink(self) -> bool:
        return False

    def stat(self, *, follow_symlinks: bool = True) -> _Junction:
        return _Junction(self._entry.stat())


def _open_files() -> set[str]:
    """Return the paths of what this process has open, where the system tells."""
    try:
        numbers = os.listdir(_OPEN_FILES)
    except OSError:
        return set()
    return {_path_of(int(number)) for number in numbers}


def _path_of(fd: int) -> str:
    try:
        return os.readlink(f"{_OPEN_FILES}/{fd}")
    except OSError:
        return ""


def _refuse_odd_names(path: str) -> None:
    if _NOT_IN_NAMES & set(path):
        raise _refusal(INVALID_NAME, errno.EINVAL, path)


def _refuse_long_paths(path: str) -> None:
    if len(path) > _LONGEST:
        raise _refusal(FILENAME_TOO_LONG, errno.ENOENT, path)


def _refusal(winerror: int, number: int, path: str) -> OSError:
    error = windows_error(winerror, number)
    error.filename = path
    return error
