"""The part of the command line that is about the store: ``wheel-linker store``, and the one that ``link`` uses."""

from __future__ import annotations

import argparse
import re
import sys
import time
from typing import TYPE_CHECKING, Final

from wheel_linker._cli.options import add_json, add_option, add_verbosity
from wheel_linker._cli.output import Column, counted, print_table, progress, say
from wheel_linker._cli.reports import print_json
from wheel_linker.errors import WheelLinkerError
from wheel_linker.integrations._filling.user_store import another_owner, default_directory

if TYPE_CHECKING:
    from collections.abc import Callable

    from wheel_linker.store import WheelStore

_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_BYTES: Final = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3, "t": 1024**4}
_MIB: Final = 1024**2
_COLUMNS: Final = (
    Column("entry"),
    Column("wheel"),
    Column("files", right=True),
    Column("MiB", right=True),
    Column("bytecode", right=True),
    Column("unused for", right=True),
)


def chosen_store(
    arguments: argparse.Namespace, jobs: int | None = None, *, protect: bool = False
) -> WheelStore | None:
    """Return the store that is asked for, else the default one; None if there is none."""
    from wheel_linker.store import WheelStore

    path = arguments.store or default_directory()
    if path is None:
        return None
    trusted, timeout = arguments.trust_store, arguments.timeout
    durable = not arguments.no_durable
    return WheelStore(
        path, jobs=jobs, protect=protect, durable=durable, trusted=trusted, timeout=timeout
    )


def anothers(store: WheelStore, arguments: argparse.Namespace) -> str | None:
    """Return why the default store is not for this user, who did not ask for it; None if it is."""
    if arguments.store or arguments.trust_store:
        return None
    owner = another_owner(store.root)
    if owner is None:
        return None
    return (
        f"the store {store.root!r} belongs to another user ({owner}); give --store DIR, "
        "or --trust-store to use it"
    )


def add_commands(parser: argparse.ArgumentParser) -> None:
    """Add what ``wheel-linker store`` can do to its parser."""
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def command(
        name: str, run: Callable[[argparse.Namespace], None], purpose: str
    ) -> argparse.ArgumentParser:
        added = commands.add_parser(
            name, help=purpose, description=f"{purpose.capitalize()}.", allow_abbrev=False
        )
        added.set_defaults(run=run, parser=added)
        add_verbosity(added)
        add_option(added)
        return added

    add = command("add", _add, "unpack and verify wheel files, unless they are there")
    add.add_argument("wheels", nargs="+", metavar="WHEEL_FILE", help="a .whl file")
    add.add_argument(
        "--record",
        choices=("lenient", "strict"),
        default="lenient",
        help="whether a wheel whose RECORD is not right is refused (default: lenient)",
    )
    add.add_argument("--protect", action="store_true", help="make the stored files read-only")
    command("list", _list, "show what is in the store")
    compiling = command("compile", _compile, "compile what is in the store to bytecode")
    compiling.add_argument(
        "entries",
        nargs="*",
        type=_entry,
        metavar="ENTRY",
        help="its name or SHA-256 (default: all)",
    )
    compiling.add_argument(
        "--python",
        default=sys.executable,
        metavar="PATH",
        help="the interpreter, or an environment's, that it is for (default: this one)",
    )
    compiling.add_argument(
        "--optimize",
        type=int,
        choices=(0, 1, 2),
        default=0,
        help="the level of optimization, as for python -O and -OO (default: 0)",
    )
    add_json(compiling)
    verify = command("verify", _verify, "find files that were changed since they were unpacked")
    verify.add_argument(
        "entries",
        nargs="*",
        type=_entry,
        metavar="ENTRY",
        help="its name or SHA-256 (default: all)",
    )
    verify.add_argument(
        "--record", action="store_true", help="show in what the RECORD of the wheels was not right"
    )
    verify.add_argument(
        "--deep", action="store_true", help="read every file, not its size and time"
    )
    repair = command("repair", _repair, "restore an entry from its wheel file")
    repair.add_argument("entry", type=_entry, metavar="ENTRY", help="its name or SHA-256")
    repair.add_argument("wheel", metavar="WHEEL_FILE", help="the .whl file that it was made from")
    prune = command("prune", _prune, "remove what nobody uses")
    prune.add_argument(
        "--unused-for",
        type=_duration,
        metavar="TIME",
        help="such as 12h, 30d or 8w: what was not used since",
    )
    prune.add_argument(
        "--max-size",
        type=_size,
        metavar="SIZE",
        help="such as 500M or 10G: what is too much, the oldest first, what environments hard-link last",
    )
    prune.add_argument(
        "--keep-linked",
        action="store_true",
        help="keep what an environment has as hard links: removing it would free nothing",
    )


def needed_store(arguments: argparse.Namespace) -> WheelStore:
    """Return the store that is asked for, else the default one.

    :raises WheelLinkerError: if there is none, or it is another user's.
    """
    store = chosen_store(arguments, protect=getattr(arguments, "protect", False))
    if store is None:
        raise WheelLinkerError(
            "which store? Give --store DIR, or install wheel-linker[cli], which knows this user's cache directory"
        )
    if (why := anothers(store, arguments)) is not None:
        raise WheelLinkerError(why)
    return store


def _add(arguments: argparse.Namespace) -> None:
    with needed_store(arguments) as store:
        with progress() as shown:
            added = store.add_all(arguments.wheels, record=arguments.record, progress=shown)
        for wheel in added:
            say(f"{wheel.filename}: {wheel.path}")


def _compile(arguments: argparse.Namespace) -> None:
    from wheel_linker.install.layout import Layout

    layout = Layout.for_python(arguments.python)
    with needed_store(arguments) as store:
        entries = {entry.name: entry for entry in store.entries()}
        made = store.compile(
            arguments.entries or list(entries), layout, optimize=arguments.optimize
        )
    if arguments.json:
        print_json([one._asdict() for one in made])
        return
    for one in made:
        left = len(one.not_compiled)
        others = f"; {counted(left, 'file')} cannot be compiled" if left else ""
        size = f"{one.size / _MIB:,.1f} MiB"
        say(f"{entries[one.entry].filename}: {counted(one.files, 'file')}, {size}{others}")


def _list(arguments: argparse.Namespace) -> None:
    now = time.time()
    rows = [
        (
            entry.name,
            str(entry.filename),
            f"{entry.files:,}",
            f"{entry.size / _MIB:,.1f}",
            f"{entry.bytecode / _MIB:,.1f}",
            _age(now - entry.used),
        )
        for entry in needed_store(arguments).entries()
    ]
    print_table(_COLUMNS, rows)


def _verify(arguments: argparse.Namespace) -> None:
    with needed_store(arguments) as store:
        present = store.entries()
        known = {name for entry in present for name in (entry.name, entry.digest)}
        damage = [] if arguments.entries else store.verify(deep=arguments.deep)
        for name in arguments.entries:
            found = store.verify(name, deep=arguments.deep)
            if name not in known and not found:
                raise WheelLinkerError(f"the store {store.root!r} has no entry {name!r}")
            damage += found
        if arguments.record:
            asked = set(arguments.entries)
            for entry in present:
                if asked and not asked & {entry.name, entry.digest}:
                    continue
                for problem in store.record_problems(entry):
                    say(f"{entry.name} {entry.filename}: {problem.kind}: {problem}")
    for item in damage:
        say(f"{item.entry.name} {item}")
    if damage:
        raise WheelLinkerError(
            f"not as they were unpacked: {len(damage):,} of the stored files; repair their entries, "
            "and link environments anew that have them as hard links or symlinks"
        )


def _repair(arguments: argparse.Namespace) -> None:
    with needed_store(arguments) as store:
        for item in store.repair(arguments.entry, arguments.wheel):
            say(f"{item}: restored")


def _prune(arguments: argparse.Namespace) -> None:
    with needed_store(arguments) as store:
        removed = store.prune(
            unused_for=arguments.unused_for,
            max_bytes=arguments.max_size,
            keep_linked=arguments.keep_linked,
        )
    for entry in removed:
        say(f"{entry.name} {entry.filename}: removed")
    size = sum(entry.whole_size for entry in removed)
    freed = sum(entry.whole_size if entry.frees is None else entry.frees for entry in removed)
    shared = "" if freed == size else f", {freed / _MIB:,.1f} MiB freed: environments have the rest"
    say(f"{size / _MIB:,.1f} MiB removed{shared}")


def _entry(text: str) -> str:
    from wheel_linker.store.layout import is_digest, is_entry_name

    if not (is_digest(text) or is_entry_name(text)):
        raise argparse.ArgumentTypeError(f"{text!r} is neither an entry's name nor a SHA-256")
    return text


def _age(seconds: float) -> str:
    for unit in ("d", "h", "m"):
        if seconds >= _SECONDS[unit]:
            return f"{seconds // _SECONDS[unit]:.0f} {unit}"
    return "now"


def _duration(text: str) -> float:
    """Parse such as ``30d``. A number alone is refused: who means days must not get seconds."""
    return _quantity(text, _SECONDS, "", "a time: use such as 12h, 30d or 8w, with its unit")


def _size(text: str) -> int:
    """Parse such as ``10G``; bytes without a unit."""
    return int(_quantity(text, _BYTES, "", "a size: use such as 500M or 10G"))


def _quantity(text: str, units: dict[str, int], default: str, what: str) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([a-z]?)(?:i?b)?", text.strip().lower(), re.ASCII)
    unit = None if match is None else units.get(match[2] or default)
    if match is None or unit is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not {what}")
    return float(match[1]) * unit
