"""Running other programs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

WATCHED = 0.01
PROJECT = Path(__file__).resolve().parent.parent


class CommandError(RuntimeError):
    """A program failed; the message ends with what it said."""


def child_environment(**changes: str) -> dict[str, str]:
    """The environment of every timed program: this checkout importable, no settings.

    Variables of pip and uv would change what is measured.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PIP_", "UV_", "PYTHON", "VIRTUAL_ENV"))
    }
    return {**kept, "PYTHONPATH": str(PROJECT), "LC_ALL": "C.UTF-8", **changes}


def run(
    command: Sequence[str | Path],
    *,
    text: str = "",
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> str:
    """Standard output of a program that must succeed."""
    return timed(command, text=text, cwd=cwd, environment=environment)[1]


@contextmanager
def ended(program: subprocess.Popen[str]) -> Iterator[None]:
    """Have a program and what it has started end with an interrupt: they would write where nothing is mounted."""
    try:
        yield
    except BaseException:
        if sys.platform != "win32":
            with suppress(ProcessLookupError):
                os.killpg(program.pid, signal.SIGKILL)
        program.kill()
        raise


def timed(
    command: Sequence[str | Path],
    *,
    text: str = "",
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
    watch: Callable[[int], None] | None = None,
) -> tuple[float, str]:
    """Seconds a program took from start to end, and its standard output.

    `watch` is called with the number of its process every few milliseconds.
    """
    words = [str(word) for word in command]
    given: str | None = text
    started = time.perf_counter()
    with (
        subprocess.Popen(
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=cwd,
            env=environment,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        ) as done,
        ended(done),
    ):
        output = errors = ""
        while done.returncode is None:
            try:
                output, errors = done.communicate(given, timeout=WATCHED if watch else None)
            except subprocess.TimeoutExpired:
                given = None  # it has been sent
                if watch is not None:
                    watch(done.pid)
    seconds = time.perf_counter() - started
    if done.returncode:
        said = (errors or output)[-2000:].strip()
        raise CommandError(f"{Path(words[0]).name} ended with {done.returncode}: {said}")
    return seconds, output
