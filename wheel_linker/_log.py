"""The library's logger, and warnings that point to the line of the program that called the library."""

from __future__ import annotations

import sys
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING

from wheel_linker.errors import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

# The library's name; where it is vendored, more comes before it: `installer._vendor.wheel_linker`.
PACKAGE = __name__.rpartition(".")[0]
_listeners: list[Callable[[str], object]] = []


def warn_caller(message: str, category: type[Warning]) -> None:
    """Give a warning for the innermost line on the way here that is outside this library."""
    level = 1
    frame: FrameType | None = sys._getframe()  # noqa: SLF001 - inspect would cost its import
    while frame is not None and _is_own(frame):
        frame = frame.f_back
        level += 1
    warnings.warn(message, category, stacklevel=level)


def _is_own(frame: FrameType) -> bool:
    name = frame.f_globals.get("__name__")
    return isinstance(name, str) and (name + ".").startswith(PACKAGE + ".")


def log(message: str, *arguments: object) -> None:
    """Log at debug level what went wrong without harm.

    Where nobody has imported ``logging``, nobody listens: to import it takes descriptors and memory, of which there may
    be none left just when something goes wrong.
    """
    logging = sys.modules.get("logging")
    if logging is not None:
        logger = logging.getLogger("wheel_linker")
        if logger.isEnabledFor(logging.DEBUG):
            logger.debug(message, *_shown(arguments))


def log_warning(message: str, *arguments: object) -> None:
    """Log what the user should know while the call goes on."""
    shown = _shown(arguments)
    if _listeners:
        _listeners[-1](message % tuple(shown))
        return
    import logging

    logging.getLogger("wheel_linker").warning(message, *shown)


@contextmanager
def telling(listener: Callable[[str], object]) -> Iterator[None]:
    """Tell a listener, instead of the log, what the user should know: for the command line, in its own words."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


def _shown(arguments: tuple[object, ...]) -> list[object]:
    return [printable(each) if isinstance(each, str) else each for each in arguments]
