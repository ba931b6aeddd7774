"""The command line: ``wheel-linker``, or ``python -m wheel_linker``."""

from __future__ import annotations

import argparse
import os
import re
import sys
import warnings
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NoReturn

from wheel_linker._cli.commands import COMMANDS
from wheel_linker._cli.output import (
    PROGRAM,
    close_output,
    complain,
    complain_of_interrupt,
    configure,
    misused,
    writing,
)
from wheel_linker._compat.override import override
from wheel_linker._log import telling
from wheel_linker.errors import WheelLinkerError

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Sequence

_DISTRIBUTION: Final = "wheel-linker"
_COLOR: Final = "--color"
_OF_EVERY_COMMAND: Final = frozenset({"-q", "--quiet", "-v", "--verbose", _COLOR})
_OF_PIP: Final = "pip"
_FLAGS: Final = re.compile(r"(-[qv]+)([^-qv].*)")
_DONE: Final = 0
_FAILED: Final = 1
_ANY_WIDTH: Final = 80
_INTERRUPTED: Final = 130  # as shells do: 128 and SIGINT's number


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    :param argv: its arguments; those of the process by default.
    :returns: the exit code: 0 if all went well, 1 if something failed, 2 for wrong usage, 130 after Ctrl-C.
    """
    with _somewhere_to_write():
        return _run(argv)


def _run(argv: Sequence[str] | None) -> int:
    try:
        with _warnings_in_one_line():
            arguments = _parsed(argv)
            configure(arguments)
            arguments.run(arguments)
            # Flushed here, where an error such as a full disk can still be told.
            with writing():
                sys.stdout.flush()
    except SystemExit as exit_:
        return exit_.code if isinstance(exit_.code, int) else _DONE
    except KeyboardInterrupt as interrupt:
        complain_of_interrupt(interrupt)
        return _INTERRUPTED
    except BrokenPipeError:
        # Whoever read the output has seen enough of it; what was to be done is done when it is told.
        close_output()
        return _DONE
    except (WheelLinkerError, OSError, Warning) as error:
        complain("error", _said(error))
        return _FAILED
    return _DONE


def _said(error: Exception) -> str:
    if type(error) is FileNotFoundError and error.filename is None:  # getcwd(3) alone names no file
        return "the directory that this was started in is not there any more: change to another one"
    return str(error)


def _parsed(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the arguments; those of pip's, which only one command takes, as ``others``."""
    words = _command_first(sys.argv[1:] if argv is None else argv)
    if words and words[0] == _OF_PIP:
        words = [part for word in words for part in _flags_apart(word)]
    if words and words[0] in COMMANDS:
        # Nearly every call is like this. To make the parsers of all commands takes longer than to install a small
        # wheel.
        parser, words = _parser_of(words[0]), words[1:]
    else:
        parser = _parser({word for word in words if word in COMMANDS})
    arguments, others = parser.parse_known_args(words)
    if others and not getattr(arguments, "takes_others", False):
        arguments.parser.error(f"unrecognized arguments: {' '.join(others)}")
    arguments.others = others
    arguments.whole_parser = partial(_parser, COMMANDS)
    return arguments


def _command_first(words: Sequence[str]) -> Sequence[str]:
    """Return the arguments with what every command takes behind them, where it was given before the command."""
    number = 0
    while number < len(words) and words[number].partition("=")[0] in _OF_EVERY_COMMAND:
        number += 2 if words[number] == _COLOR else 1
    if not number or number >= len(words) or words[number] not in COMMANDS:
        return words
    return [*words[number:], *words[:number]]


def _flags_apart(word: str) -> list[str]:
    """Return flags that this command line knows apart from those of pip's that follow in one word, as in ``-qU``."""
    found = _FLAGS.fullmatch(word)
    return [word] if found is None else [found[1], f"-{found[2]}"]


def _parser_of(name: str) -> argparse.ArgumentParser:
    """Return the parser of one command."""
    purpose, add_arguments = COMMANDS[name]
    command = _Parser(prog=f"{PROGRAM} {name}", description=_described(purpose), allow_abbrev=False)
    add_arguments(command)
    return command


def _described(purpose: str) -> str:
    return f"{purpose.capitalize()}."


def _parser(asked: Container[str]) -> argparse.ArgumentParser:
    """Return the parser of all commands; only those that are asked for get their arguments, and are imported."""
    parser = _Parser(
        prog=PROGRAM,
        description="Install wheels by cloning, hard-linking, symlinking or copying their files.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "-V",
        "--version",
        action=_Version,
        nargs=0,
        default=argparse.SUPPRESS,
        help="show the version and exit",
    )
    commands = parser.add_subparsers(
        prog=PROGRAM, title="commands", metavar="COMMAND", required=True
    )
    for name, (purpose, add_arguments) in COMMANDS.items():
        command = commands.add_parser(
            name, help=purpose, description=_described(purpose), allow_abbrev=False
        )
        if name in asked:
            add_arguments(command)
    return parser


class _Parser(argparse.ArgumentParser):
    """Reports wrong usage in one line."""

    def __init__(self, **options: Any) -> None:
        # argparse makes a formatter for each argument that is added, to check it. Each would look for the
        # terminal's width, and import what that takes.
        super().__init__(
            formatter_class=partial(argparse.HelpFormatter, width=_ANY_WIDTH), **options
        )

    @override
    def format_help(self) -> str:
        self.formatter_class = argparse.HelpFormatter
        return super().format_help()

    @override
    def error(self, message: str) -> NoReturn:
        misused(f"{message} (see: {self.prog} --help)")


class _Version(argparse.Action):
    """Looks the version up only when it is asked for."""

    def __call__(self, *_: object, **__: object) -> NoReturn:
        from importlib.metadata import PackageNotFoundError, version

        try:
            print(PROGRAM, version(_DISTRIBUTION))
        except PackageNotFoundError:
            print(PROGRAM, "(not installed: run from its source)")
        raise SystemExit(_DONE)


@contextmanager
def _warnings_in_one_line() -> Iterator[None]:
    def show(message: Warning | str, *_: object, **__: object) -> None:
        complain("warning", str(message))

    with warnings.catch_warnings(), telling(partial(complain, "note")):
        # Which of them are shown at all is decided by the filters, which are the user's.
        warnings.showwarning = show
        yield


@contextmanager
def _somewhere_to_write() -> Iterator[None]:
    """Write to nowhere what goes to standard output, or standard error, if the caller has closed it."""
    with ExitStack() as kept:
        for name, redirect in (("stdout", redirect_stdout), ("stderr", redirect_stderr)):
            if getattr(sys, name) is None:
                nowhere = kept.enter_context(open(os.devnull, "w", encoding="utf-8"))
                kept.enter_context(redirect(nowhere))
        yield
