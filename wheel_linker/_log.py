"""The library's logger, and warnings that point to the line of the program that called the library."""

from __future__ import annotations

import sys
import warnings
from _thread import get_ident
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from wheel_linker.errors import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

# The library's name; where it is vendored, more comes before it: `installer._vendor.wheel_linker`.
PACKAGE = __name__.rpartition(".")[0]
_listeners: list[Callable[[str], object]] = []


# What was given in each thread that is in a body of WarningOnce.
_given: Final[dict[int, set[tuple[str, type[Warning]]]]] = {}


class WarningOnce:
    """Gives each warning once, though what is done in the body of the ``with`` statement is begun anew in it.

    It holds for the thread that enters it.
    """

    def __enter__(self) -> None:
        self._before = _given.get(get_ident())
        _given[get_ident()] = set()

    def __exit__(self, *_: object) -> None:
        if self._before is None:
            _given.pop(get_ident(), None)
        else:
            _given[get_ident()] = self._before


def warn_caller(message: str, category: type[Warning]) -> None:
    """Give a warning for the innermost line on the way here that is outside this library."""
    given = _given.get(get_ident())
    if given is not None:
        if (message, category) in given:
            return
        given.add((message, category))
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
    be none left just when something goes wrong. Nor does anybody listen while another thread is still importing it.
    """
    logging = sys.modules.get("logging")
    if logging is not None and hasattr(logging, "getLogger"):
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
