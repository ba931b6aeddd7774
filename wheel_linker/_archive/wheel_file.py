"""A wheel file, open for reading by several threads."""

from __future__ import annotations

import os
import stat
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from wheel_linker._fs import windows
from wheel_linker._wheel.filename import WheelFilename
from wheel_linker.errors import InvalidWheelError, LinkError, refused

if TYPE_CHECKING:
    from collections.abc import Iterator


# O_NONBLOCK: should there be a FIFO, the open must not wait for a writer.
_READ: Final = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_CHUNK: Final = 1024 * 1024
_NOT_THERE: Final = (FileNotFoundError, NotADirectoryError, ValueError)
# Windows has no pread(2).
_READS_ANYWHERE: Final = hasattr(os, "pread")


@contextmanager
def wanted_at(path: str, what: str = "a .whl file") -> Iterator[None]:
    """Say in one way everywhere that a wheel is not there.

    :param what: what may be given.
    :raises InvalidWheelError: if it is missing, or no file can have such a name.
    """
    try:
        yield
    except (OSError, ValueError) as error:
        if isinstance(error, _NOT_THERE) or windows.is_no_name(error):
            raise InvalidWheelError(f"no wheel at {path!r}: give {what}") from error
        raise


class WheelFile:
    """A wheel file, open until :meth:`close`.

    :ivar path: its absolute path.
    :ivar status: what the system knew of it when it was opened.
    :ivar size: its size in bytes at that time.
    """

    def __init__(self, path: str) -> None:
        """Open the file at ``path``.

        :raises InvalidWheelError: if it is missing, or no regular file.
        :raises LinkError: if it cannot be read.
        """
        self.path = path
        self._lock = threading.Lock()
        with refused(f"read the wheel {path!r}", source=path), wanted_at(path):
            self._fd = os.open(path, _READ)
        self.status = os.fstat(self._fd)
        self.size = self.status.st_size
        if not stat.S_ISREG(self.status.st_mode):
            self.close()
            raise InvalidWheelError(f"{path!r} is not a file: give a .whl file")

    def read(self, offset: int, size: int) -> bytes:
        """Return exactly ``size`` bytes from ``offset`` on.

        :raises InvalidWheelError: if the file ends before.
        :raises LinkError: if it cannot be read.
        """
        try:
            data = self._pread(size, offset)
            while len(data) < size:
                more = self._pread(size - len(data), offset + len(data))
                if not more:
                    raise InvalidWheelError("it ends too early; download or build the wheel again")
                data += more
        except OSError as error:
            raise LinkError.from_os_error(
                error, f"read the wheel {self.path!r}", source=self.path
            ) from error
        return data

    def chunks(self, start: int, stop: int) -> Iterator[bytes]:
        """Yield the bytes from ``start`` to ``stop``, about a megabyte at a time.

        The errors are those of :meth:`read`.
        """
        while start < stop:
            data = self.read(start, min(_CHUNK, stop - start))
            yield data
            start += len(data)

    def digest(self) -> str:
        """Return the SHA-256 of the whole file in hexadecimal digits. The errors are those of :meth:`read`."""
        import hashlib  # its import is slow, and not needed for a file that a store knows

        digest = hashlib.sha256()
        for data in self.chunks(0, self.size):
            digest.update(data)
        return digest.hexdigest()

    def is_unchanged(self) -> bool:
        """Tell whether the open file has been left alone since it was opened, as far as its status shows."""
        now = os.fstat(self._fd)
        before = self.status
        return (now.st_size, now.st_mtime_ns, now.st_ctime_ns) == (
            before.st_size,
            before.st_mtime_ns,
            before.st_ctime_ns,
        )

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)

    def __enter__(self) -> WheelFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _pread(self, size: int, offset: int) -> bytes:
        if sys.platform != "win32" and _READS_ANYWHERE:
            return os.pread(self._fd, size, offset)
        with self._lock:  # all threads share one position in the file
            os.lseek(self._fd, offset, os.SEEK_SET)
            return os.read(self._fd, size)


_SUFFIX: Final = ".whl"


def is_archive(path: str) -> bool:
    """Tell whether a path is meant as that of a ``.whl`` file: a directory may be called so as well."""
    return path.lower().endswith(_SUFFIX) and not os.path.isdir(path)


def filename_of(path: str) -> WheelFilename:
    """Return the name of a ``.whl`` file, taken apart.

    :raises InvalidWheelError: if it is not called like a wheel.
    """
    try:
        return WheelFilename.parse(os.path.basename(path))
    except InvalidWheelError as error:
        raise InvalidWheelError(f"cannot use {path!r}: {error}") from error


def check_digest(file: WheelFile, digest: str, expected: str | None) -> None:
    """Refuse a wheel that is not the expected one.

    :raises InvalidWheelError: if its digest is another.
    """
    if expected is not None and digest != expected:
        raise InvalidWheelError(
            f"the wheel {file.path!r} has the SHA-256 {digest} and should have {expected}: "
            "download it again, or get it from elsewhere"
        )
