"""What the command line says when something is wrong: one line, and an exit code."""

from __future__ import annotations

import sys
from typing import Final, NoReturn

from wheel_linker.console import one_line

PROGRAM: Final = "wheel-linker"
_WRONG_USAGE: Final = 2


def misused(message: str) -> NoReturn:
    """Say what is wrong with how a command was called, and end it."""
    complain("error", message)
    raise SystemExit(_WRONG_USAGE)


def complain(kind: str, message: str) -> None:
    """Say one line on standard error."""
    print(f"{PROGRAM}: {kind}: {one_line(message)}", file=sys.stderr)
