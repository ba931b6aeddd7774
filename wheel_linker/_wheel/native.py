"""Which files of a wheel hold machine code: native libraries by their names, executables by their permission bits.

What a system has found out about such a file, such as that its signature is right, it keeps for the inode. A clone or a
copy is another inode, which it looks at anew; a hard link is the same.
"""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from wheel_linker._fs.folder import Folder

_LIBRARIES: Final = (".so", ".dylib", ".pyd", ".dll", ".exe")
# It is in the names of versioned libraries, such as libdemo.so.1.
_VERSIONED: Final = ".so."
# Files with these suffixes are not native; not even their permission bits are looked at.
_NEVER: Final = (".py", ".pyi", ".pyc", ".h", ".txt", ".json", ".js", ".html", ".svg", ".png")


def is_native(folder: Folder, name: str) -> bool:
    """Tell whether a file is a native library, or one that its owner may execute.

    :param folder: the directory that it is in.
    :raises OSError: if it cannot be looked at.
    """
    if name.endswith(_LIBRARIES) or _VERSIONED in name:
        return True
    if name.endswith(_NEVER):
        return False
    status = folder.lstat(name)
    return status is not None and bool(status.st_mode & stat.S_IXUSR)
