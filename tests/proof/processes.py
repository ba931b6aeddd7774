"""Other processes, forked: without the price of a new interpreter."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

FAILED: Final = 70


def start(action: Callable[[], object]) -> int:
    """Do something in a child process; return its number."""
    if sys.platform == "win32":
        raise NotImplementedError
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child:
        return child
    status = FAILED
    try:
        action()
        status = 0
    except BaseException:  # noqa: BLE001 - the child must not go on as its parent
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def finish(child: int) -> int:
    """Wait for a child; return its exit status, or the negative number of the signal that ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def in_child(action: Callable[[], object]) -> int:
    """Do something in a child process to its end; return as :func:`finish`."""
    return finish(start(action))


def was_killed(status: int) -> bool:
    """Tell whether that is the status of a child that was killed."""
    return status == -_number("SIGKILL")


def send(child: int, name: str) -> None:
    """Send a signal, which Windows may not know."""
    os.kill(child, _number(name))


def _number(name: str) -> int:
    return int(getattr(signal, name))
