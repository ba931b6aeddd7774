"""Hard links, asked for by function: Python for Emscripten and for Android has no ``os.link``."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Final, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable

FOLLOW: Final = getattr(os, "link", None) not in os.supports_follow_symlinks
"""What ``follow_symlinks`` has to be: False where link(2) can be told not to follow one in the file's place."""


def hard_link() -> Callable[..., None]:
    """Return what makes a hard link, called as ``os.link``; where Python has none it refuses with ENOTSUP."""
    return getattr(os, "link", _refuse)


def _refuse(source: str, destination: str, **_: object) -> NoReturn:
    raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP), source, None, destination)
