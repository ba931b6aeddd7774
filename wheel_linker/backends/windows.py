"""Cloning on Windows: FSCTL_DUPLICATE_EXTENTS_TO_FILE through the package reflink-copy, for ReFS and Dev Drives."""

from __future__ import annotations

import errno
import os
import re
import stat
from typing import TYPE_CHECKING, Final

from wheel_linker._compat.override import override
from wheel_linker._fs.copying import take_back
from wheel_linker._fs.permissions import if_allowed
from wheel_linker.backends.protocol import Backend, refuse

if TYPE_CHECKING:
    from collections.abc import Callable

_PERMISSIONS: Final = 0o777
# Rust prints a number of winerror.h, or a negative HRESULT that has one in its lower half.
_NUMBER: Final = re.compile(r"\(os error (-?\d+)\)")
_FACILITY: Final = 0xFFFF_0000
_WIN32: Final = 0x8007_0000
# winerror.h: ERROR_FILE_NOT_FOUND, ERROR_PATH_NOT_FOUND, ERROR_NOT_SAME_DEVICE, ERROR_SHARING_VIOLATION,
# ERROR_LOCK_VIOLATION, ERROR_HANDLE_DISK_FULL, ERROR_FILE_EXISTS, ERROR_DISK_FULL, ERROR_ALREADY_EXISTS,
# ERROR_DISK_QUOTA_EXCEEDED; ERROR_CRC, ERROR_IO_DEVICE, ERROR_FILE_CORRUPT, ERROR_DISK_CORRUPT.
_ERRNO: Final = {
    2: errno.ENOENT,
    3: errno.ENOENT,
    17: errno.EXDEV,
    32: errno.EAGAIN,
    33: errno.EAGAIN,
    39: errno.ENOSPC,
    80: errno.EEXIST,
    112: errno.ENOSPC,
    183: errno.EEXIST,
    1295: errno.EDQUOT,
    23: errno.EIO,
    1117: errno.EIO,
    1392: errno.EIO,
    1393: errno.EIO,
}


class WindowsBackend(Backend):
    """Clones single files.

    :param reflink: a function of two paths that clones the first as the second; ``reflink_copy.reflink``,
        imported at the first call, by default.
    """

    def __init__(self, reflink: Callable[[str, str], object] | None = None) -> None:
        self._reflink = reflink

    @override
    def clone_file(
        self,
        source: str,
        destination: str,
        *,
        source_dir: int | None = None,
        destination_dir: int | None = None,
    ) -> None:
        """Clone one file. Windows has no directory descriptors: both must be None.

        :raises OSError: EOPNOTSUPP, EXDEV, EAGAIN, ENOSPC, EDQUOT, with the number of Windows where there is one;
            FileNotFoundError, FileExistsError.
        """
        if source_dir is not None or destination_dir is not None:
            refuse(source, destination)
        try:
            self._reflink_function()(source, destination)
        except OSError as error:
            raise _with_number(error, source, destination) from error
        # On Windows this is the read-only attribute, which would keep the file from being replaced.
        writable = stat.S_IWRITE if os.name == "nt" else 0
        try:
            mode = os.stat(source).st_mode & _PERMISSIONS | writable
            if_allowed(os.chmod, destination, mode)
        except BaseException:
            # Otherwise the next mode of the chain would find the name taken.
            take_back(destination, None)
            raise

    def _reflink_function(self) -> Callable[[str, str], object]:
        if self._reflink is None:
            from reflink_copy import reflink

            self._reflink = reflink
        return self._reflink


def _with_number(error: OSError, source: str, destination: str) -> OSError:
    """Give an error its numbers: reflink-copy says that of Windows in the text only, if at all.

    Whatever it cannot do, for reasons of which there are many and which it words itself, a copy can, or says why not.
    """
    if error.errno or getattr(error, "winerror", None):
        return error
    found = _NUMBER.search(str(error))
    number = None if found is None else _winerror(int(found[1]))
    by_kind = {FileNotFoundError: errno.ENOENT, FileExistsError: errno.EEXIST}
    meant = _ERRNO.get(number or 0) or by_kind.get(type(error), errno.EOPNOTSUPP)
    numbered = _made(meant, str(error), source, destination)
    if number is not None:
        # Python would make another errno of it, and on other systems, for a stand-in, drops it.
        numbered.winerror = number  # type: ignore[attr-defined,unused-ignore]
    return numbered


def _made(number: int, text: str, source: str, destination: str) -> OSError:
    # The third place is that of the number of Windows, which errno would be derived from.
    return OSError(number, text, source, None, destination)


def _winerror(number: int) -> int:
    unsigned = number & 0xFFFF_FFFF
    return unsigned & 0xFFFF if unsigned & _FACILITY == _WIN32 else number
