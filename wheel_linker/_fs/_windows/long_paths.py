"""Paths of any length.

Staging makes paths longer than their final ones. Windows takes 259 characters, or 247 for a directory, from a program
whose machine does not allow more (LongPathsEnabled), unless a path begins in a way of its own.
"""

from __future__ import annotations

import os
from typing import Final

# learn.microsoft.com, "Maximum Path Length Limitation": what follows is passed on as it is, without "." and "/".
_AS_IT_IS: Final = "\\\\?\\"
_DEVICE: Final = "\\\\.\\"
_SHARE: Final = "\\\\"


def extended(path: str) -> str:
    """Return a path of the same file or directory that may have any length; elsewhere than on Windows the same path."""
    if os.name != "nt":
        return path
    path = os.path.abspath(path)
    if path.startswith((_AS_IT_IS, _DEVICE)):
        return path
    if path.startswith(_SHARE):
        return f"{_AS_IT_IS}UNC{path[1:]}"
    return _AS_IT_IS + path
