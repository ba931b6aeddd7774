"""Cloning on macOS and iOS: clonefile(2), for APFS."""

from __future__ import annotations

import os
from functools import cached_property
from typing import TYPE_CHECKING, Final

from wheel_linker._compat.override import override
from wheel_linker._fs.copying import take_back
from wheel_linker._fs.permissions import follow_umask, granted
from wheel_linker._fs.sharing import refuse_bound
from wheel_linker.backends.protocol import Backend

if TYPE_CHECKING:
    import ctypes
    from collections.abc import Callable

# <sys/clonefile.h>
_CLONE_NOFOLLOW: Final = 0x0001
_CLONE_NOOWNERCOPY: Final = 0x0002
_FLAGS: Final = _CLONE_NOFOLLOW | _CLONE_NOOWNERCOPY
# <fcntl.h>: clonefileat takes the working directory's place for a relative path.
_AT_FDCWD: Final = -2


class MacOSBackend(Backend):
    """Clones files and whole directories by clonefile(2).

    That keeps permission bits, but no set-id bits. Those of single files are then set to what the umask leaves, as it
    was when the first was cloned; whole directories stay as they are.

    :param library: the C library to call, loaded with ``use_errno=True``; the system's own by default.
    :raises OSError: if there is no such library; AttributeError if it has no ``clonefile``.
    """

    clones_directories = True

    def __init__(self, library: ctypes.CDLL | None = None) -> None:
        import ctypes

        if library is None:
            library = ctypes.CDLL("/usr/lib/libSystem.B.dylib", use_errno=True)
        self._errno = ctypes.get_errno
        # int clonefile(const char *src, const char *dst, uint32_t flags);
        self._clonefile = library.clonefile
        self._clonefile.argtypes = (ctypes.c_char_p, ctypes.c_char_p, ctypes.c_uint32)
        self._clonefile.restype = ctypes.c_int
        self._library = library
        self._granted: int | None = None

    @override
    def clone_file(
        self,
        source: str,
        destination: str,
        *,
        source_dir: int | None = None,
        destination_dir: int | None = None,
    ) -> None:
        """Clone one file.

        :raises OSError: ENOTSUP, EXDEV and others as in clonefile(2); FileExistsError; PermissionError for a file
            with flags (chflags(2)) that would come along.
        """
        status = os.stat(source, dir_fd=source_dir, follow_symlinks=False)
        refuse_bound(status, source)
        self._clone(source, destination, source_dir, destination_dir)
        try:
            if self._granted is None:
                self._granted = granted(
                    destination[: -len(os.path.basename(destination))], destination_dir
                )
            follow_umask(destination, destination_dir, status.st_mode, self._granted)
        except BaseException:
            # Otherwise the next mode of the chain would find the name taken.
            take_back(destination, destination_dir)
            raise

    @override
    def clone_directory(self, source: str, destination: str) -> None:
        """Clone a directory with everything below it.

        :raises OSError: ENOTSUP, EXDEV and others as in clonefile(2); FileExistsError.
        """
        self._clone(source, destination, None, None)

    @cached_property
    def _clonefileat(self) -> Callable[[int, bytes, int, bytes, int], int]:
        import ctypes

        # int clonefileat(int src_dirfd, const char *src, int dst_dirfd, const char *dst, uint32_t flags);
        call = self._library.clonefileat
        call.argtypes = (
            ctypes.c_int,
            ctypes.c_char_p,
            ctypes.c_int,
            ctypes.c_char_p,
            ctypes.c_uint32,
        )
        call.restype = ctypes.c_int
        return call

    def _clone(
        self, source: str, destination: str, source_dir: int | None, destination_dir: int | None
    ) -> None:
        names = os.fsencode(source), os.fsencode(destination)
        if source_dir is None and destination_dir is None:
            answer = self._clonefile(*names, _FLAGS)
        else:
            directories = [_AT_FDCWD if fd is None else fd for fd in (source_dir, destination_dir)]
            answer = self._clonefileat(directories[0], names[0], directories[1], names[1], _FLAGS)
        if answer != 0:
            number = self._errno()
            raise OSError(number, os.strerror(number), source, None, destination)
