"""What the command line says when something is wrong: one line, and an exit code."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final, NoReturn

from wheel_linker._cli.lines import Lines, Silence
from wheel_linker._compat.named_tuple import NamedTuple
from wheel_linker._threads import COMPLETE
from wheel_linker.errors import WheelLinkerError, printable

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence
    from typing import TextIO

    from rich.console import Console

    from wheel_linker._wheel.progress import ProgressBar

PROGRAM: Final = "wheel-linker"
AS_BEFORE: Final = "everything is as it was before"
_WRONG_USAGE: Final = 2


def misused(message: str) -> NoReturn:
    """Say what is wrong with how a command was called, and end it."""
    complain("error", message)
    raise SystemExit(_WRONG_USAGE)


def complain(kind: str, message: str) -> None:
    """Say one line on standard error, after all that was said before."""
    with suppress(
        OSError, ValueError
    ):  # full, closed, or its reader has gone: who writes next is told
        sys.stdout.flush()
    print(f"{PROGRAM}: {kind}: {printable(one_line(message))}", file=sys.stderr)


def say(line: str) -> None:
    """Say one line on standard output, unless the user wants quiet."""
    if not _state.quiet:
        put(printable(line))


def put(text: str) -> None:
    """Print on standard output."""
    with writing():
        print(text)


@contextmanager
def writing() -> Iterator[None]:
    """Say what it is that cannot be written: what was asked for is done.

    :raises WheelLinkerError: if standard output cannot be written to.
    :raises BrokenPipeError: if nobody reads it any more.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        close_output()
        raise WheelLinkerError(
            f"cannot write to standard output: {error.strerror or error}"
        ) from error


def close_output() -> None:
    """Let nothing more be written to standard output, at exit neither: what is left of it would fail again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def configure(arguments: argparse.Namespace) -> None:
    """Tell as much, and in such colours, as a command is asked for."""
    _state.quiet = arguments.quiet
    _state.color = arguments.color
    _state.interrupted = getattr(arguments, "interrupted", AS_BEFORE)
    if arguments.verbose:
        import logging

        logging.basicConfig(level=logging.DEBUG, format=f"{PROGRAM}: %(message)s")


def done(said: str = COMPLETE) -> None:
    """Take note that what was asked for is done, and stays so if Ctrl-C comes while it is told.

    :param said: what is said of it then.
    """
    _state.interrupted = said


def complain_of_interrupt(interrupt: KeyboardInterrupt) -> None:
    """Say what has become of everything after Ctrl-C."""
    complain("interrupted", str(interrupt) or _state.interrupted)


class _State:
    """What holds for the process, as its standard output does."""

    quiet = False
    color = "auto"
    interrupted = AS_BEFORE


_state = _State()
_GAP: Final = "  "
# Characters; where nobody looks through a window, no line is broken.
_UNLIMITED: Final = 1000
_LINES: Final = 25


class Column(NamedTuple):
    """One column of a table."""

    title: str
    right: bool = False
    """Whether it is aligned to the right, as numbers are."""


def print_table(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> None:
    """Print a table on standard output, unless the user wants quiet: with rich for people, plain for programs."""
    if _state.quiet:
        return
    shown = [list(map(printable, row)) for row in rows]
    if (sys.stdout.isatty() or _state.color == "always") and has_rich():
        _print_rich_table(columns, shown)
    else:
        put("\n".join(plain_table(columns, shown)))


def plain_table(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a table whose columns are as wide as their longest cells."""
    titles = [column.title for column in columns]
    widths = [max(map(len, cells)) for cells in zip(titles, *rows)]
    rules = ["-" * width for width in widths]
    return [_aligned(columns, widths, cells) for cells in (titles, rules, *rows)]


def one_line(text: str) -> str:
    """Return a message of several lines, some of them list items, as one."""
    return text.replace(":\n* ", ": ").replace("\n* ", ", ").replace("\n", "; ")


def counted(number: int, what: str) -> str:
    """Return a number of things in words, such as ``1 file`` and ``2 files``."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


@contextmanager
def progress() -> Iterator[ProgressBar]:
    """Show on standard error how much is done: a bar on a terminal with rich, else a line a second.

    :returns: what is given to the library's calls.
    """
    if _state.quiet:
        yield Silence()
    elif sys.stderr.isatty() and has_rich():
        from wheel_linker._cli.bar import bar

        with bar(_console(sys.stderr)) as shown:
            yield shown
    else:
        yield Lines()


def has_rich() -> bool:
    """Tell whether rich is installed."""
    try:
        import rich  # noqa: F401
    except ImportError:
        return False
    return True


def _aligned(columns: Sequence[Column], widths: Sequence[int], cells: Sequence[str]) -> str:
    padded = (
        cell.rjust(width) if column.right else cell.ljust(width)
        for column, width, cell in zip(columns, widths, cells)
    )
    return _GAP.join(padded).rstrip()


def _print_rich_table(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        # Folded, rather than cut, where a terminal is too narrow.
        table.add_column(column.title, justify="right" if column.right else "left", overflow="fold")
    for row in rows:
        # rich takes brackets in a str for markup, but not in a Text.
        table.add_row(*map(Text, row))
    width = None if sys.stdout.isatty() else _UNLIMITED
    with writing():
        _console(sys.stdout, width).print(table)


def _console(file: TextIO, width: int | None = None) -> Console:
    """Return where rich writes: on its own it looks at the terminal and NO_COLOR."""
    from rich.console import Console

    class Told(Console):
        """Leaves a reader that has gone to the command line, where rich would end the process as failed."""

        def on_broken_pipe(self) -> None:
            raise BrokenPipeError

    return Told(
        file=file,
        width=width,
        # On a terminal that calls itself dumb, rich takes a width for meant only beside a height.
        height=None if width is None else _LINES,
        force_terminal=True if _state.color == "always" else None,
        no_color={"always": False, "never": True}.get(_state.color),
    )
