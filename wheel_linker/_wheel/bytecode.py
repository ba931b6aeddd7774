"""Bytecode: which files in ``__pycache__`` belong to a source file, and which levels of optimization there are."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wheel_linker._fs.folder import Folder

CACHE: Final = "__pycache__"
LEVELS: Final = (0, 1, 2)
"""The levels of optimization that interpreters have."""
_SOURCE: Final = ".py"
_BYTECODE: Final = ".pyc"


def level(optimize: int) -> int:
    """Return a level of optimization.

    :raises ValueError: if it is none.
    """
    if optimize not in LEVELS:
        raise ValueError(f"optimize is {optimize!r}: give 0, 1 or 2")
    return optimize


def is_bytecode(path: str) -> bool:
    """Tell whether a path is that of bytecode that has its source beside it, or had."""
    return path.endswith(_BYTECODE) and os.path.basename(os.path.dirname(path)) == CACHE


def has_cache(folder: Folder) -> bool:
    """Tell whether there may be bytecode of what is in a directory; a file of that name has none."""
    status = folder.lstat(CACHE)
    return status is not None and not stat.S_ISREG(status.st_mode)


def bytecode_of(sources: Iterable[str], cached: Iterable[str]) -> list[str]:
    """Return those of the names ``cached`` that an interpreter may have compiled from one of ``sources``.

    By PEP 3147 and PEP 488 these are ``MODULE.TAG.pyc`` and ``MODULE.TAG.opt-LEVEL.pyc``; pytest, which rewrites tests
    and plugins, has dots in its tag. If one too many is removed, an interpreter compiles it again. If one too few is
    removed, it runs in the place of its source.
    """
    modules = {name[: -len(_SOURCE)] for name in sources if name.endswith(_SOURCE)}
    return [name for name in cached if name.endswith(_BYTECODE) and _is_of(name, modules)]


def _is_of(name: str, modules: set[str]) -> bool:
    end = name.find(".")
    while end >= 0:
        if name[:end] in modules:
            return True
        end = name.find(".", end + 1)
    return False
