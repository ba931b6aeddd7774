"""Running pip: the one place that knows how it is started."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Final

from wheel_linker.errors import WheelLinkerError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TypeAlias

    RunPip: TypeAlias = Callable[[Sequence[str]], int]

_OLDEST: Final = "22.3"
# What pip ends with that does not know an option.
NO_SUCH_OPTION: Final = 2


class PipError(WheelLinkerError):
    """Pip could not do what it was asked for; what it said itself went where its output goes.

    :ivar command: how it was called.
    :ivar returncode: what it ended with.
    """

    def __init__(self, message: str, command: Sequence[str] = (), returncode: int = 1) -> None:
        super().__init__(message)
        self.message = message
        self.command: tuple[str, ...] = tuple(command)
        self.returncode = returncode

    def __str__(self) -> str:
        return self.message

    def __reduce__(self) -> tuple[object, ...]:
        return (type(self), (self.message, self.command, self.returncode))


def run_pip(
    doing: str,
    python: str | os.PathLike[str],
    arguments: Sequence[str],
    run: RunPip | None = None,
) -> None:
    """Have pip do something for an environment, which needs no pip of its own.

    What pip says goes to standard error, its progress included: standard output stays the caller's.

    :param doing: what pip is asked for, in the words that follow "pip could not".
    :param python: the environment's interpreter.
    :param arguments: a command of pip's and its arguments.
    :param run: what runs a command and returns what it ended with, for tools that have their own way to do so.
    :raises PipError: if pip fails, is older than 22.3, or is not to be found.
    """
    command = [*_pip(os.fsdecode(python)), "--disable-pip-version-check", *arguments]
    try:
        returncode = (run or _run)(command)
    except OSError as error:
        raise PipError(f"pip could not {doing}: {error}", command) from error
    if returncode == 0:
        return
    advice = "what it said is above"
    if returncode == NO_SUCH_OPTION:
        advice += (
            f"; if it does not know an option, it may be older than {_OLDEST}, which is needed"
        )
    raise PipError(f"pip could not {doing}: {advice}", command, returncode)


def _run(command: Sequence[str]) -> int:
    return subprocess.run(  # noqa: S603 - pip is what was asked for
        command, check=False, stdin=subprocess.DEVNULL, stdout=_standard_error()
    ).returncode


def _pip(python: str) -> list[str]:
    """Return how to start a pip that works on the environment of an interpreter."""
    from importlib.util import find_spec

    if find_spec("pip") is not None:
        return [sys.executable, "-m", "pip", "--python", python]
    import shutil

    found = shutil.which("pip")
    if found is None:
        raise PipError(
            f"no pip to be found beside {sys.executable!r}, nor on PATH: install pip {_OLDEST} or newer"
        )
    return [found, "--python", python]


def _standard_error() -> int:
    """Return the descriptor that pip's own standard output goes to."""
    try:
        return sys.stderr.fileno()
    except (AttributeError, OSError, ValueError):  # no such thing in an application with windows
        return subprocess.DEVNULL
