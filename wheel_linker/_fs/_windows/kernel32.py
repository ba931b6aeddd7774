"""What Windows can do and Python has no name for: locks that may be shared, and the removal of read-only files."""

from __future__ import annotations

import sys
from functools import cache
from struct import Struct
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import ctypes

# A byte past the end of any file: what is locked cannot be read or written by others.
_LOCKED_BYTE_HIGH: Final = 0x4000_0000
# minwinbase.h: LOCKFILE_FAIL_IMMEDIATELY, LOCKFILE_EXCLUSIVE_LOCK.
_AT_ONCE: Final = 1
_EXCLUSIVE: Final = 2
# winerror.h: ERROR_LOCK_VIOLATION, ERROR_IO_PENDING.
_HELD: Final = frozenset({33, 997})
# winnt.h: DELETE, FILE_READ_ATTRIBUTES, FILE_WRITE_ATTRIBUTES; FILE_SHARE_READ, _WRITE, _DELETE.
_ACCESS: Final = 0x0001_0000 | 0x80 | 0x100
_SHARE_ALL: Final = 7
_OPEN_EXISTING: Final = 3
# handleapi.h: INVALID_HANDLE_VALUE, as ctypes returns it.
_INVALID: Final = (1 << 64) - 1 if sys.maxsize > 1 << 32 else (1 << 32) - 1
# winbase.h: FILE_FLAG_OPEN_REPARSE_POINT, FILE_FLAG_BACKUP_SEMANTICS.
_ITSELF: Final = 0x0020_0000 | 0x0200_0000
# minwinbase.h, FILE_INFO_BY_HANDLE_CLASS: FileBasicInfo, FileDispositionInfo, FileDispositionInfoEx.
_BASIC: Final = 0
_DISPOSITION: Final = 4
_DISPOSITION_EX: Final = 21
# winnt.h: FILE_DISPOSITION_DELETE, _POSIX_SEMANTICS, _IGNORE_READONLY_ATTRIBUTE.
_DELETE_READ_ONLY: Final = 1 | 2 | 0x10
# winnt.h: FILE_ATTRIBUTE_READONLY, FILE_ATTRIBUTE_NORMAL.
_READ_ONLY: Final = 0x01
_NORMAL: Final = 0x80
# minwinbase.h: OVERLAPPED; winbase.h: FILE_BASIC_INFO; windef.h: DWORD.
_OVERLAPPED: Final = Struct("PPIIP")
_BASIC_INFO: Final = Struct("qqqqI4x")
_DWORD: Final = Struct("I")

if sys.platform == "win32":

    def lock(fd: int, *, shared: bool) -> bool:
        """Take the lock of an open file without waiting; False if another holds it.

        :raises OSError: if the system refuses for another reason.
        """
        import ctypes
        from msvcrt import get_osfhandle

        flags = _AT_ONCE if shared else _AT_ONCE | _EXCLUSIVE
        if _kernel32().LockFileEx(get_osfhandle(fd), flags, 0, 1, 0, _locked_byte()):
            return True
        if ctypes.get_last_error() in _HELD:
            return False
        raise _error(None)

    def unlock(fd: int) -> None:
        """Let go of the lock of an open file.

        :raises OSError: if it is not held.
        """
        from msvcrt import get_osfhandle

        if not _kernel32().UnlockFileEx(get_osfhandle(fd), 0, 1, 0, _locked_byte()):
            raise _error(None)

    def remove_read_only(path: str) -> None:
        """Remove a file that has the read-only attribute; its other hard links, which share that, keep it.

        :raises OSError: if a program has it open.
        """
        library = _kernel32()
        handle = library.CreateFileW(path, _ACCESS, _SHARE_ALL, None, _OPEN_EXISTING, _ITSELF, None)
        if handle == _INVALID:
            raise _error(path)
        try:
            if not _set(handle, _DISPOSITION_EX, _DWORD.pack(_DELETE_READ_ONLY)):
                _remove_as_before(handle, path)
        finally:
            library.CloseHandle(handle)

    def _remove_as_before(handle: int, path: str) -> None:
        """Remove a file as before Windows 10 1809, and on FAT: without the attribute, which is given back."""
        # Times of 0 stay as they are.
        _set(handle, _BASIC, _BASIC_INFO.pack(0, 0, 0, 0, _NORMAL))
        refused = None if _set(handle, _DISPOSITION, _DWORD.pack(1)) else _error(path)
        _set(handle, _BASIC, _BASIC_INFO.pack(0, 0, 0, 0, _READ_ONLY))
        if refused is not None:
            raise refused

    def _locked_byte() -> ctypes.Array[ctypes.c_char]:
        import ctypes

        # Windows writes to it.
        return ctypes.create_string_buffer(_OVERLAPPED.pack(0, 0, 0, _LOCKED_BYTE_HIGH, 0))

    def _set(handle: int, kind: int, value: bytes) -> bool:
        return bool(_kernel32().SetFileInformationByHandle(handle, kind, value, len(value)))

    def _error(path: str | None) -> OSError:
        import ctypes

        number = ctypes.get_last_error()
        return OSError(None, ctypes.FormatError(number), path, number)

    @cache
    def _kernel32() -> ctypes.WinDLL:
        """Declare the functions, at the first call: ctypes takes time to import."""
        import ctypes
        from ctypes.wintypes import BOOL, DWORD, HANDLE, LPCWSTR

        library = ctypes.WinDLL("kernel32", use_last_error=True)
        library.LockFileEx.argtypes = (HANDLE, DWORD, DWORD, DWORD, DWORD, ctypes.c_char_p)
        library.UnlockFileEx.argtypes = (HANDLE, DWORD, DWORD, DWORD, ctypes.c_char_p)
        library.CreateFileW.argtypes = (
            *(LPCWSTR, DWORD, DWORD, ctypes.c_void_p),
            *(DWORD, DWORD, HANDLE),
        )
        library.CreateFileW.restype = HANDLE
        library.SetFileInformationByHandle.argtypes = (
            *(HANDLE, ctypes.c_int, ctypes.c_char_p, DWORD),
        )
        library.CloseHandle.argtypes = (HANDLE,)
        for name in ("LockFileEx", "UnlockFileEx", "SetFileInformationByHandle", "CloseHandle"):
            getattr(library, name).restype = BOOL
        return library
