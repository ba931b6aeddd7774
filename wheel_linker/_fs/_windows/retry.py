"""Trying again where Windows refuses because a program has the file open."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from wheel_linker.errors import IN_USE

if TYPE_CHECKING:
    from collections.abc import Callable

# Seconds; two in all. A virus scanner lets go after some tens of milliseconds.
_PAUSES: Final = (0.01, 0.02, 0.04, 0.08, 0.15, 0.3, 0.6, 0.8)


def is_in_use(error: OSError) -> bool:
    """Tell whether Windows refused something because a program has the file or directory open."""
    return getattr(error, "winerror", None) in IN_USE


def patiently(action: Callable[..., None], *arguments: object) -> None:
    """Call ``action``, and for two seconds again, as long as it is refused for being in use.

    :raises OSError: the last refusal, or any other.
    """
    for pause in _PAUSES:
        try:
            return action(*arguments)
        except OSError as error:
            if not is_in_use(error):
                raise
            time.sleep(pause)
    return action(*arguments)
