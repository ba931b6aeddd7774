"""Cloning on Windows: FSCTL_DUPLICATE_EXTENTS_TO_FILE through the package reflink-copy, for ReFS and Dev Drives."""

from __future__ import annotations

import errno
import os
import re
import stat
from typing import TYPE_CHECKING, Final

from wheel_linker.backends.protocol import Backend, refuse

if TYPE_CHECKING:
    from collections.abc import Callable

_PERMISSIONS: Final = 0o777
_NUMBER: Final = re.compile(r"\(os error (\d+)\)")
# winerror.h: ERROR_FILE_NOT_FOUND, ERROR_PATH_NOT_FOUND, ERROR_ACCESS_DENIED, ERROR_NOT_SAME_DEVICE,
# ERROR_FILE_EXISTS, ERROR_DISK_FULL, ERROR_ALREADY_EXISTS. Windows' own Python knows them all.
_ERRNO: Final = {
    2: errno.ENOENT,
    3: errno.ENOENT,
    5: errno.EACCES,
    17: errno.EXDEV,
    80: errno.EEXIST,
    112: errno.ENOSPC,
    183: errno.EEXIST,
}


class WindowsBackend(Backend):
    """Clones single files.

    :param reflink: a function of two paths that clones the first as the second; ``reflink_copy.reflink``,
        imported at the first call, by default.
    """

    def __init__(self, reflink: Callable[[str, str], object] | None = None) -> None:
        self._reflink = reflink

    def clone_file(
        self,
        source: str,
        destination: str,
        *,
        source_dir: int | None = None,
        destination_dir: int | None = None,
    ) -> None:
        """Clone one file. Windows has no directory descriptors: both must be None.

        :raises OSError: ERROR_NOT_SUPPORTED, ERROR_NOT_SAME_DEVICE and others; FileExistsError.
        """
        if source_dir is not None or destination_dir is not None:
            refuse(source, destination)
        try:
            self._reflink_function()(source, destination)
        except OSError as error:
            raise _with_number(error, source, destination) from error
        # On Windows this is the read-only attribute, which would keep the file from being replaced.
        writable = stat.S_IWRITE if os.name == "nt" else 0
        os.chmod(destination, os.stat(source).st_mode & _PERMISSIONS | writable)

    def _reflink_function(self) -> Callable[[str, str], object]:
        if self._reflink is None:
            from reflink_copy import reflink

            self._reflink = reflink
        return self._reflink


def _with_number(error: OSError, source: str, destination: str) -> OSError:
    """Give an error its number: reflink-copy says it in the text only, as Rust prints it."""
    found = _NUMBER.search(str(error))
    if error.errno or getattr(error, "winerror", None) or found is None:
        return error
    number = int(found[1])
    numbered = OSError(_ERRNO.get(number, errno.EINVAL), str(error), source, number, destination)
    if not hasattr(numbered, "winerror"):
        # Another system, where Python drops the number: a stand-in is being called.
        vars(numbered)["winerror"] = number
    return numbered
