"""What ``wheel-linker store`` can do, and with which arguments."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Final

from wheel_linker._cli.options import add_json, add_option, add_record, add_verbosity
from wheel_linker._cli.output import AS_BEFORE
from wheel_linker._cli.storing import changing, looking
from wheel_linker._cli.storing.quantities import duration, size
from wheel_linker._wheel.bytecode import LEVELS

if TYPE_CHECKING:
    from collections.abc import Callable

_CHANGING: Final = frozenset({"add", "compile", "repair", "remove", "prune"})
_OF_ENTRIES: Final = "each entry of the store is whole"


def add_commands(parser: argparse.ArgumentParser) -> None:
    """Add what ``wheel-linker store`` can do to its parser."""
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def command(
        name: str, run: Callable[[argparse.Namespace], None], purpose: str
    ) -> argparse.ArgumentParser:
        interrupted = _OF_ENTRIES if name in _CHANGING else AS_BEFORE
        added = commands.add_parser(
            name, help=purpose, description=f"{purpose.capitalize()}.", allow_abbrev=False
        )
        added.set_defaults(run=run, parser=added, interrupted=interrupted)
        add_verbosity(added)
        add_option(added)
        add_json(added)
        return added

    _add_add(command("add", changing.add, "unpack and verify wheel files, unless they are there"))
    command("list", looking.list_entries, "show what is in the store")
    command("path", looking.path, "show where the store is")
    command("size", looking.size, "show how much is in the store")
    compiling = command("compile", changing.compile_, "compile what is in the store to bytecode")
    _add_entries(compiling, "*", " (default: all)")
    _add_compile(compiling)
    verify = command(
        "verify", looking.verify, "find files that were changed since they were unpacked"
    )
    _add_entries(verify, "*", " (default: all)")
    _add_verify(verify)
    repair = command("repair", changing.repair, "restore an entry from its wheel file")
    repair.add_argument("entry", type=_entry, metavar="ENTRY", help="its name or SHA-256")
    repair.add_argument("wheel", metavar="WHEEL_FILE", help="the .whl file that it was made from")
    _add_entries(command("remove", changing.remove, "remove entries, all of them or none"), "+")
    _add_prune(command("prune", changing.prune, "remove what nobody uses"))


def _add_add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("wheels", nargs="+", metavar="WHEEL_FILE", help="a .whl file")
    add_record(parser)
    parser.add_argument("--protect", action="store_true", help="make the stored files read-only")


def _add_entries(parser: argparse.ArgumentParser, number: str, otherwise: str = "") -> None:
    parser.add_argument(
        "entries",
        nargs=number,
        type=_entry,
        metavar="ENTRY",
        help=f"its name or SHA-256{otherwise}",
    )


def _add_compile(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--python",
        default=sys.executable,
        metavar="ENV",
        help="what it is for: an environment's directory, an interpreter, or the version or name of one on PATH "
        "(default: this interpreter)",
    )
    parser.add_argument(
        "--optimize",
        type=int,
        choices=LEVELS,
        default=0,
        help="the level of optimization, as for python -O and -OO (default: 0)",
    )


def _add_verify(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--record", action="store_true", help="show in what the RECORD of the wheels was not right"
    )
    parser.add_argument(
        "--deep", action="store_true", help="read every file, not its size and time"
    )


def _add_prune(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--unused-for",
        type=duration,
        metavar="TIME",
        help="such as 12h, 30d or 8w: what was not used since",
    )
    parser.add_argument(
        "--max-size",
        type=size,
        metavar="SIZE",
        help="such as 500M or 10G: what is too much, the oldest first, what environments hard-link last",
    )
    parser.add_argument(
        "--keep-linked",
        action="store_true",
        help="keep what an environment has as hard links: removing it would free nothing",
    )


def _entry(text: str) -> str:
    from wheel_linker.store.names import is_digest, is_entry_name

    if not (is_digest(text) or is_entry_name(text)):
        raise argparse.ArgumentTypeError(f"{text!r} is neither an entry's name nor a SHA-256")
    return text
