"""Trying again where Windows refuses because a program has the file open."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

# winerror.h: ERROR_ACCESS_DENIED, ERROR_SHARING_VIOLATION, ERROR_LOCK_VIOLATION, ERROR_USER_MAPPED_FILE.
_IN_USE: Final = frozenset({5, 32, 33, 1224})
# Seconds; two in all. A virus scanner lets go after some tens of milliseconds.
_PAUSES: Final = (0.01, 0.02, 0.04, 0.08, 0.15, 0.3, 0.6, 0.8)


def patiently(action: Callable[..., None], *arguments: object) -> None:
    for pause in _PAUSES:
        try:
            action(*arguments)
        except OSError as error:
            if getattr(error, "winerror", None) not in _IN_USE:
                raise
            time.sleep(pause)
        else:
            return
    action(*arguments)
