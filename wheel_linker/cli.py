"""The command line: ``wheel-linker``, or ``python -m wheel_linker``."""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NoReturn

from wheel_linker.console import Column, one_line, print_table, progress
from wheel_linker.errors import WheelLinkerError
from wheel_linker.mode import LinkMode
from wheel_linker.store_cli import add_commands, add_option, chosen_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from wheel_linker.filename import WheelLike
    from wheel_linker.mode import Modes
    from wheel_linker.report import LinkReport
    from wheel_linker.store import WheelStore

PROGRAM: Final = "wheel-linker"
_DISTRIBUTION: Final = "wheel-linker"

_DONE: Final = 0
_FAILED: Final = 1
_WRONG_USAGE: Final = 2
_INTERRUPTED: Final = 130  # as a shell has it: 128 and SIGINT's number


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    :param argv: its arguments; those of the process by default.
    :returns: the exit code: 0 if all went well, 1 if something failed, 2 for wrong usage, 130 after Ctrl-C.
    """
    try:
        with _warnings_in_one_line():
            arguments = _parser().parse_args(argv)
            arguments.run(arguments)
            # Here, where a full disk can still be told.
            sys.stdout.flush()
    except SystemExit as exit_:
        return exit_.code if isinstance(exit_.code, int) else _DONE
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        _close_output()
        return _FAILED
    except (WheelLinkerError, OSError, Warning) as error:
        _complain("error", str(error))
        return _FAILED
    return _DONE


def _link(arguments: argparse.Namespace) -> None:
    if arguments.strict and arguments.mode == "auto":
        _misused("--strict wants one mode, and --mode auto stands for several")
    if arguments.mode == LinkMode.SYMLINK and _store_of(arguments) is None:
        _refuse_archives(arguments.wheels)
    with _all_unpacked(arguments) as wheels:
        reports = _linked(arguments, wheels)
    if arguments.json:
        _print_json(reports)
    else:
        for report in reports:
            print(_summary(report))


def _refuse_archives(wheels: Sequence[str]) -> None:
    from wheel_linker.temporary import is_archive

    for wheel in wheels:
        if is_archive(wheel):
            _misused(
                f"cannot symlink {wheel!r}: the symlinks would point to a temporary place; "
                "give --store DIR, or the directory that it is unpacked in, or choose another mode"
            )


@contextmanager
def _all_unpacked(arguments: argparse.Namespace) -> Iterator[Sequence[WheelLike]]:
    """Have every wheel unpacked, as long as it takes to link them."""
    from wheel_linker.temporary import (
        add_archives,
        is_archive,
        private_directory,
        unpack_archives,
    )
    from wheel_linker.workers import usable_cpus

    if not any(map(is_archive, arguments.wheels)):
        yield arguments.wheels
        return
    store = _store_of(arguments)
    if store is not None:
        with store:
            yield add_archives(store, arguments.wheels)
        return
    with private_directory(arguments.into) as place:
        yield unpack_archives(arguments.wheels, place, arguments.jobs or usable_cpus())


def _store_of(arguments: argparse.Namespace) -> WheelStore | None:
    return chosen_store(arguments.store, arguments.jobs)


def _linked(arguments: argparse.Namespace, wheels: Sequence[WheelLike]) -> list[LinkReport]:
    from wheel_linker.filename import unpacked
    from wheel_linker.linking import link_wheels
    from wheel_linker.scan import scan

    def total() -> int:
        return sum(scan(unpacked(wheel).path).files for wheel in wheels)

    with progress(total) as advance:
        return link_wheels(
            arguments.into,
            wheels,
            mode=_modes(arguments.mode, strict=arguments.strict),
            jobs=arguments.jobs,
            on_conflict=arguments.on_conflict,
            progress=advance,
        )


def _modes(word: str | None, *, strict: bool) -> Modes:
    if not strict:
        return word
    return (LinkMode.default() if word is None else LinkMode(word),)


def _summary(report: LinkReport) -> str:
    """Say in one line what became of a wheel."""
    parts = [f"{report.wheel.name} {report.wheel.version}: {report.files:,} files, {report.mode}"]
    if report.fallback_count:
        reasons = ", ".join(
            dict.fromkeys(
                f"{one.tried}: {one.error.strerror or one.error}" for one in report.fallbacks
            )
        )
        parts.append(f"{report.fallback_count:,} fell back ({reasons})")
    if report.replaced:
        parts.append(f"{len(report.replaced):,} replaced")
    return "; ".join(parts)


def _print_json(reports: Sequence[LinkReport]) -> None:
    import json

    print(json.dumps([as_json(report) for report in reports], indent=2))


def as_json(report: LinkReport) -> dict[str, object]:
    """Return a report as ``link --json`` prints it; keys may be added, but none is renamed or removed.

    ``wheel`` is the file name, ``requested`` the fallback chain, ``mode`` how most files were linked, ``files`` their
    number, ``used`` how many there are by mode, ``fallbacks`` the first few refusals for each cause, with ``path``,
    ``tried``, ``used``, ``errno`` and ``error``, ``fallback_count`` how many files were refused a mode, ``replaced``
    the paths of files that were there before.
    """
    return {
        "wheel": str(report.wheel),
        "requested": [mode.value for mode in report.requested],
        "mode": report.mode.value,
        "files": report.files,
        "used": {mode.value: count for mode, count in report.used.items()},
        "fallbacks": [
            {
                "path": fallback.path,
                "tried": fallback.tried.value,
                "used": fallback.used.value,
                "errno": fallback.error.errno,
                "error": fallback.error.strerror or str(fallback.error),
            }
            for fallback in report.fallbacks
        ],
        "fallback_count": report.fallback_count,
        "replaced": list(report.replaced),
    }


def _probe(arguments: argparse.Namespace) -> None:
    from wheel_linker.linking import supported_modes

    modes = supported_modes(arguments.source, arguments.destination)
    rows = [
        (mode.value, "works" if error is None else f"no: {error.strerror or error}")
        for mode, error in modes.items()
    ]
    print_table([Column("mode"), Column("works")], rows)


def _demo(arguments: argparse.Namespace) -> None:
    from wheel_linker.demo import demonstrate

    demonstrate(arguments.wheels)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog=PROGRAM,
        description="Put wheels into a site-packages directory by cloning, hard-linking, symlinking or copying.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--version",
        action=_Version,
        nargs=0,
        default=argparse.SUPPRESS,
        help="show the version and exit",
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_link(_command(commands, "link", _link, "link wheels into a site-packages directory"))
    _add_probe(_command(commands, "probe", _probe, "try which modes work between two directories"))
    _add_demo(_command(commands, "demo", _demo, "link a wheel in every mode, and import from it"))
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
    parser.set_defaults(run=run)
    return parser


def _add_link(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "wheels",
        nargs="+",
        metavar="WHEEL",
        help="an unpacked wheel, or a .whl file, which is unpacked into the store",
    )
    add_option(parser, "; without platformdirs a temporary one")
    parser.add_argument(
        "--into",
        required=True,
        metavar="SITE_PACKAGES",
        help="the directory; made if it is missing",
    )
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
    parser.add_argument("--json", action="store_true", help="print the reports as JSON")


def _add_probe(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", metavar="SOURCE", help="where files would be linked from")
    parser.add_argument("destination", metavar="DESTINATION", help="where they would be linked to")


def _add_demo(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "wheels",
        nargs="*",
        metavar="WHEEL",
        help="an unpacked wheel or a .whl file (default: the pip that comes with Python)",
    )


def _number_of_jobs(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and int(text)):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of threads: use 1 or more")
    return int(text)


class _Parser(argparse.ArgumentParser):
    """Reports wrong usage in one line."""

    def error(self, message: str) -> NoReturn:
        _misused(f"{message} (see: {self.prog} --help)")


class _Version(argparse.Action):
    """Looks the version up only when it is asked for."""

    def __call__(self, *_: object, **__: object) -> NoReturn:
        from importlib.metadata import PackageNotFoundError, version

        try:
            print(PROGRAM, version(_DISTRIBUTION))
        except PackageNotFoundError:
            print(PROGRAM, "(not installed: run from its source)")
        raise SystemExit(_DONE)


def _misused(message: str) -> NoReturn:
    _complain("error", message)
    raise SystemExit(_WRONG_USAGE)


def _complain(kind: str, message: str) -> None:
    print(f"{PROGRAM}: {kind}: {one_line(message)}", file=sys.stderr)


@contextmanager
def _warnings_in_one_line() -> Iterator[None]:
    def show(message: Warning | str, *_: object, **__: object) -> None:
        _complain("warning", str(message))

    with warnings.catch_warnings():
        # Which of them are shown at all is decided by the filters, which are the user's.
        warnings.showwarning = show
        yield


def _close_output() -> None:
    """Let nothing more be written to a pipe whose reader has gone, at exit neither."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
