"""Options that several commands have."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any, Final

from wheel_linker._fs.patience import TIMEOUT
from wheel_linker.errors import shortened
from wheel_linker.mode import LinkMode

if TYPE_CHECKING:
    from wheel_linker.mode import Modes
    from wheel_linker.store import WheelStore

_DIGITS: Final = 9  # of more threads than there can be
_FOR_EVER: Final = float("inf")


def add_common(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that say which wheels, and how."""
    parser.add_argument(
        "wheels",
        nargs="+",
        metavar="WHEEL",
        help="an unpacked wheel, or a .whl file, which is unpacked into the store",
    )
    add_option(parser, "; without platformdirs a temporary one")
    add_linking(parser)
    add_record(parser)
    add_json(parser)


def add_option(parser: argparse.ArgumentParser, otherwise: str = "") -> None:
    """Add the option that says which store is meant.

    :param otherwise: what is used where platformdirs is not installed.
    """
    parser.add_argument(
        "--store",
        metavar="DIR",
        help=f"the store of unpacked wheels (default: in this user's cache directory{otherwise})",
    )
    parser.add_argument(
        "--base",
        action="append",
        default=[],
        metavar="DIR",
        help="another store, which is only read: what it has is linked from there; may be given several times",
    )
    parser.add_argument(
        "--trust-store",
        action="store_true",
        help="use the store although it belongs to another user, or everybody may write to it",
    )
    parser.add_argument(
        "--no-durable",
        action="store_true",
        help="do not wait until new entries are on the disk: they are read once after the next start of the system",
    )
    parser.add_argument(
        "--timeout",
        type=_seconds,
        default=TIMEOUT,
        metavar="SECONDS",
        help=f"how long to wait for another process that changes the store, or 'none' (default: {TIMEOUT:g})",
    )


def add_linking(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that say how files are put in place."""
    parser.add_argument(
        "--mode",
        choices=("auto", "clone", "reflink", "hardlink", "symlink", "copy"),
        help=f"how; copies are made where it does not work (default: {LinkMode.default()})",
    )
    parser.add_argument("--strict", action="store_true", help="fail where that mode does not work")
    parser.add_argument("--jobs", type=_number_of_jobs, metavar="N", help="how many threads to use")
    parser.add_argument(
        "--on-conflict",
        choices=("ignore", "warn", "error"),
        default="ignore",
        help="what to do if wheels have different files of one name (default: ignore, the last wins)",
    )


def add_record(parser: argparse.ArgumentParser) -> None:
    """Add the option that says what a ``RECORD`` that is not right means."""
    parser.add_argument(
        "--record",
        choices=("lenient", "strict"),
        default="lenient",
        help="whether a wheel whose RECORD is not right is refused (default: lenient, what is there is used)",
    )


def add_compatibility(parser: argparse.ArgumentParser) -> None:
    """Add the option for wheels that the environment's interpreter may not be able to use."""
    parser.add_argument(
        "--no-compatibility-check",
        action="store_true",
        help="install wheels that are not for this interpreter, too",
    )


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add the option for output that programs read."""
    parser.add_argument("--json", action="store_true", help="print the reports as JSON")


def add_verbosity(parser: argparse.ArgumentParser) -> None:
    """Add the options that say how much is told, and in which colours."""
    either = parser.add_mutually_exclusive_group()
    either.add_argument("-q", "--quiet", action="store_true", help="tell of errors only")
    either.add_argument(
        "-v", "--verbose", action="store_true", help="tell what was refused without harm, too"
    )
    parser.add_argument(
        "--color",
        choices=("auto", "always", "never"),
        default="auto",
        help="whether tables have colours (default: on a terminal, unless NO_COLOR is set)",
    )


def modes(arguments: argparse.Namespace) -> Modes:
    """Return the modes that are asked for."""
    word: str | None = arguments.mode
    if not arguments.strict:
        return word
    return (LinkMode.default() if word is None else LinkMode(word),)


def change_options(arguments: argparse.Namespace, store: WheelStore | None) -> dict[str, Any]:
    """Return what the calls that change an environment are told by the options, and those that foresee it as well."""
    return {
        "store": store,
        "mode": modes(arguments),
        "record": arguments.record,
        "check_tags": not arguments.no_compatibility_check,
    }


def _seconds(text: str) -> float | None:
    if text == "none":
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1
    if not 0 <= seconds < _FOR_EVER:
        raise argparse.ArgumentTypeError(f"{text!r} is no time: use a number of seconds, or 'none'")
    return seconds


def _number_of_jobs(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= _DIGITS and int(text)):
        raise argparse.ArgumentTypeError(
            f"{shortened(text)!r} is no number of threads: use 1 or more"
        )
    return int(text)
