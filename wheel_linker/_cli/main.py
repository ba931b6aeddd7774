"""The command line: ``wheel-linker``, or ``python -m wheel_linker``."""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from typing import TYPE_CHECKING, Final, NoReturn

from wheel_linker._cli.build import add_build, build
from wheel_linker._cli.inspect import add_check, add_list, add_show, check, list_installed, show
from wheel_linker._cli.install import add_install, add_uninstall, install, uninstall
from wheel_linker._cli.link import add_link, link
from wheel_linker._cli.options import add_json, add_verbosity
from wheel_linker._cli.output import PROGRAM, Column, complain, configure, misused, print_table
from wheel_linker._cli.pip import add_pip
from wheel_linker._cli.reports import print_json
from wheel_linker._cli.storing.commands import add_commands
from wheel_linker._cli.sync import add_sync, sync
from wheel_linker.errors import WheelLinkerError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_DISTRIBUTION: Final = "wheel-linker"
_DONE: Final = 0
_FAILED: Final = 1
_INTERRUPTED: Final = 130  # as a shell has it: 128 and SIGINT's number


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
            # Here, where a full disk can still be told.
            sys.stdout.flush()
    except SystemExit as exit_:
        return exit_.code if isinstance(exit_.code, int) else _DONE
    except KeyboardInterrupt:
        complain("interrupted", "everything is as it was before")
        return _INTERRUPTED
    except BrokenPipeError:
        # Whoever read the output has seen enough of it; what was to be done is done when it is told.
        _close_output()
        return _DONE
    except (WheelLinkerError, OSError, Warning) as error:
        complain("error", str(error))
        return _FAILED
    return _DONE


def _probe(arguments: argparse.Namespace) -> None:
    from wheel_linker._api import supported_modes

    modes = supported_modes(arguments.source, arguments.destination)
    if arguments.json:
        print_json(
            {
                mode.value: None if error is None else error.strerror or str(error)
                for mode, error in modes.items()
            }
        )
        return
    rows = [
        (mode.value, "works" if error is None else f"no: {error.strerror or error}")
        for mode, error in modes.items()
    ]
    print_table([Column("mode"), Column("works")], rows)


def _demo(arguments: argparse.Namespace) -> None:
    from wheel_linker._cli.demo.linking import demonstrate

    demonstrate(arguments.wheels)


def _parsed(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the arguments; those of pip's, which only one command takes, as ``others``."""
    arguments, others = _parser().parse_known_args(argv)
    if others and not getattr(arguments, "takes_others", False):
        arguments.parser.error(f"unrecognized arguments: {' '.join(others)}")
    arguments.others = others
    return arguments


def _parser() -> argparse.ArgumentParser:
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
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    add_link(_command(commands, "link", link, "link wheels into a site-packages directory"))
    add_install(_command(commands, "install", install, "install wheels into an environment"))
    add_uninstall(_command(commands, "uninstall", uninstall, "remove what is installed"))
    add_sync(_command(commands, "sync", sync, "have an environment hold exactly what is named"))
    add_list(_command(commands, "list", list_installed, "show what is installed"))
    add_show(_command(commands, "show", show, "show what is known of a distribution"))
    add_check(_command(commands, "check", check, "find what is not as it was installed"))
    add_pip(
        commands.add_parser(
            "pip", help="have pip resolve, and link", description="Have pip resolve, and link."
        )
    )
    add_build(_command(commands, "build", build, "build a project's distributions, isolated"))
    _add_probe(_command(commands, "probe", _probe, "try which modes work between two directories"))
    _add_demo(
        _command(
            commands, "demo", _demo, "link a wheel in every mode, import from it, and install it"
        )
    )
    store = "keep unpacked wheels, to link from them again and again"
    add_commands(
        commands.add_parser(
            "store", help=store, description=f"{store.capitalize()}.", allow_abbrev=False
        )
    )
    return parser


def _command(
    commands: argparse._SubParsersAction[_Parser],
    name: str,
    run: Callable[[argparse.Namespace], None],
    purpose: str,
) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        name, help=purpose, description=f"{purpose.capitalize()}.", allow_abbrev=False
    )
    parser.set_defaults(run=run, parser=parser)
    add_verbosity(parser)
    return parser


def _add_probe(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", metavar="SOURCE", help="where files would be linked from")
    parser.add_argument("destination", metavar="DESTINATION", help="where they would be linked to")
    add_json(parser)


def _add_demo(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "wheels",
        nargs="*",
        metavar="WHEEL",
        help="an unpacked wheel or a .whl file (default: the pip that comes with Python)",
    )


class _Parser(argparse.ArgumentParser):
    """Reports wrong usage in one line."""

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

    with warnings.catch_warnings():
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


def _close_output() -> None:
    """Let nothing more be written to a pipe whose reader has gone, at exit neither."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
