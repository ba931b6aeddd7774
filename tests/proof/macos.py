"""Some of macOS' rules, kept by Linux as far as the library can see: flags of files, and where these come from."""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING, Any, Final

from wheel_linker._fs import sharing
from wheel_linker.backends.macos import MacOSBackend

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest
    from standins import FakeClonefile

    Path = str | os.PathLike[str]

LOCKED: Final = (
    stat.UF_IMMUTABLE | stat.UF_APPEND | stat.SF_IMMUTABLE | stat.SF_APPEND | 0x0008_0000
)


class _Status:
    """The status of a file with its flags, which Linux' own has no place for."""

    def __init__(self, status: os.stat_result, st_flags: int) -> None:
        self._status = status
        self.st_flags = st_flags

    def __getattr__(self, name: str) -> Any:
        return getattr(self._status, name)

    def __getitem__(self, index: int) -> Any:
        return self._status[index]


class MacOS:
    """Files have flags, of which hard links share one set, and clones get a copy.

    :ivar hides: whether what is made below a directory with a leading dot is hidden.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._flags: dict[tuple[int, int], int] = {}
        self._stat, self._fstat, self._lstat = os.stat, os.fstat, os.lstat
        self._monkeypatch = monkeypatch
        self.hides = False
        self._patch("stat", lambda real: lambda *a, **k: self._with_flags(real(*a, **k)))
        self._patch("lstat", lambda real: lambda *a, **k: self._with_flags(real(*a, **k)))
        self._patch("fstat", lambda real: lambda *a, **k: self._with_flags(real(*a, **k)))
        self._patch("link", self._link)
        self._patch("open", self._open)
        self._patch("unlink", self._unlink)
        for name in ("rename", "replace"):
            self._patch(name, self._rename)
        monkeypatch.setattr(os, "chflags", self._chflags, raising=False)
        monkeypatch.setattr(sharing, "HAS_FLAGS", True)

    def flag(self, path: Path, given: int) -> None:
        """Set the flags of a file."""
        self._flags[self._key(path)] = given

    def flags(self, path: Path) -> int:
        """Return the flags of a file."""
        return self._flags.get(self._key(path), 0)

    def clear(self) -> None:
        """Take away all flags, so that everything can be removed."""
        self._flags.clear()

    def backend(self, library: FakeClonefile) -> MacOSBackend:
        """Return what clones, flags and all."""
        known = self

        class Cloning(MacOSBackend):
            def _clone(
                self, source: str, destination: str, source_dir: int | None, to: int | None
            ) -> None:
                super()._clone(source, destination, source_dir, to)
                known.copy_flags(_real(source, source_dir), _real(destination, to))

        return Cloning(library.library)

    def copy_flags(self, source: str, destination: str) -> None:
        """Do what clonefile(2) does with flags, in a whole tree."""
        self.flag(destination, self.flags(source))
        if stat.S_ISDIR(self._lstat(source).st_mode):
            for name in os.listdir(source):
                self.copy_flags(os.path.join(source, name), os.path.join(destination, name))

    def _patch(self, name: str, make: Callable[[Any], Any]) -> None:
        self._monkeypatch.setattr(os, name, make(getattr(os, name)))

    def _key(self, path: Path, fd: int | None = None) -> tuple[int, int]:
        status = self._stat(path, dir_fd=fd, follow_symlinks=False)
        return status.st_dev, status.st_ino

    def _with_flags(self, status: os.stat_result) -> Any:
        return _Status(status, self._flags.get((status.st_dev, status.st_ino), 0))

    def _chflags(self, path: str, given: int, follow_symlinks: bool = True) -> None:
        assert not follow_symlinks
        self.flag(path, given)

    def _refuse_locked(self, name: str, fd: int | None) -> None:
        try:
            found = self._flags.get(self._key(name, fd), 0)
        except FileNotFoundError:
            return
        if found & LOCKED:
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM), name)

    def _link(self, real: Any) -> Any:
        def link(source: str, destination: str, **keywords: Any) -> None:
            self._refuse_locked(source, keywords.get("src_dir_fd"))
            real(source, destination, **keywords)

        return link

    def _open(self, real: Any) -> Any:
        def opened(path: Any, how: int, *arguments: Any, **keywords: Any) -> int:
            fd = real(path, how, *arguments, **keywords)
            made = self._fstat(fd)
            if self.hides and how & os.O_CREAT and "/." in os.readlink(f"/proc/self/fd/{fd}"):
                self._flags[made.st_dev, made.st_ino] = stat.UF_HIDDEN
            return int(fd)

        return opened

    def _unlink(self, real: Any) -> Any:
        def unlink(path: str, *, dir_fd: int | None = None) -> None:
            self._refuse_locked(path, dir_fd)
            status = self._stat(path, dir_fd=dir_fd, follow_symlinks=False)
            real(path, dir_fd=dir_fd)
            if status.st_nlink == 1:
                # Its number may be given to another file.
                self._flags.pop((status.st_dev, status.st_ino), None)

        return unlink

    def _rename(self, real: Any) -> Any:
        def rename(source: str, destination: str, **keywords: Any) -> None:
            self._refuse_locked(source, keywords.get("src_dir_fd"))
            self._refuse_locked(destination, keywords.get("dst_dir_fd"))
            real(source, destination, **keywords)

        return rename


def _real(path: str, fd: int | None) -> str:
    return path if fd is None else os.path.join(os.readlink(f"/proc/self/fd/{fd}"), path)
