"""What the command line says when something is wrong: one line, and an exit code."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NamedTuple, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

PROGRAM: Final = "wheel-linker"
_WRONG_USAGE: Final = 2


def misused(message: str) -> NoReturn:
    """Say what is wrong with how a command was called, and end it."""
    complain("error", message)
    raise SystemExit(_WRONG_USAGE)


def complain(kind: str, message: str) -> None:
    """Say one line on standard error."""
    print(f"{PROGRAM}: {kind}: {one_line(message)}", file=sys.stderr)


_GAP: Final = "  "
# Characters; where nobody looks through a window, no line is broken.
_UNLIMITED: Final = 1000
_SECONDS_BETWEEN_LINES: Final = 1.0


class Column(NamedTuple):
    """One column of a table."""

    title: str
    right: bool = False
    """Whether it is aligned to the right, as numbers are."""


def print_table(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> None:
    """Print a table on standard output."""
    if has_rich():
        _print_rich_table(columns, rows)
    else:
        for line in plain_table(columns, rows):
            print(line)


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
def progress(total: Callable[[], int]) -> Iterator[Callable[[int], None]]:
    """Show on standard error how many files are done: a bar on a terminal with rich, else a line a second.

    :param total: gives the number of all files; called when it is first shown.
    :returns: what is to be called with the number of files that were finished.
    """
    if sys.stderr.isatty() and has_rich():
        with _bar(total()) as advance:
            yield advance
    else:
        yield _Lines(total)


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
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        # Folded, rather than cut, where a terminal is too narrow.
        table.add_column(column.title, justify="right" if column.right else "left", overflow="fold")
    for row in rows:
        # Not str, in which rich takes brackets for markup.
        table.add_row(*map(Text, row))
    console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else _UNLIMITED)
    console.print(table)


@contextmanager
def _bar(total: int) -> Iterator[Callable[[int], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("linking"), BarColumn(), MofNCompleteColumn(), TextColumn("files"))
    with Progress(*columns, console=Console(file=sys.stderr), transient=True) as bar:
        task = bar.add_task("", total=total)

        def advance(files: int) -> None:
            bar.update(task, advance=files)

        yield advance


class _Lines:
    """Prints a line now and then; none at all for what is done in a moment."""

    def __init__(self, total: Callable[[], int]) -> None:
        self._total = total
        self._done = 0
        self._next = time.monotonic() + _SECONDS_BETWEEN_LINES

    def __call__(self, files: int) -> None:
        self._done += files
        now = time.monotonic()
        if now >= self._next:
            self._next = now + _SECONDS_BETWEEN_LINES
            print(f"{self._done:,} of {self._total():,} files linked", file=sys.stderr)
