"""The command ``wheel-linker link``, and what ``install`` has in common with it."""

from __future__ import annotations

import argparse
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from wheel_linker._cli.output import misused, progress
from wheel_linker._cli.store import add_option, chosen_store
from wheel_linker.mode import LinkMode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from wheel_linker._link.report import LinkReport
    from wheel_linker._wheel.unpacked import WheelLike
    from wheel_linker.mode import Modes
    from wheel_linker.store import WheelStore


def add_link(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``link`` to its parser."""
    parser.add_argument(
        "--into",
        required=True,
        metavar="SITE_PACKAGES",
        help="the directory; made if it is missing",
    )
    add_common(parser)


def add_common(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that say which wheels, and how."""
    parser.add_argument(
        "wheels",
        nargs="+",
        metavar="WHEEL",
        help="an unpacked wheel, or a .whl file, which is unpacked into the store",
    )
    add_option(parser, "; without platformdirs a temporary one")
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
    add_record(parser)
    add_json(parser)


def add_record(parser: argparse.ArgumentParser) -> None:
    """Add the option that says what a ``RECORD`` that is not right means."""
    parser.add_argument(
        "--record",
        choices=("lenient", "strict"),
        default="lenient",
        help="whether a wheel whose RECORD is not right is refused (default: lenient, what is there is used)",
    )


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add the option for output that programs read."""
    parser.add_argument("--json", action="store_true", help="print the reports as JSON")


def link(arguments: argparse.Namespace) -> None:
    """Do as ``link`` is told."""
    from wheel_linker._api import link_wheels

    refuse_misuse(arguments)
    with prepared(arguments, arguments.into) as (wheels, advance):
        reports = link_wheels(
            arguments.into,
            wheels,
            mode=modes(arguments),
            jobs=arguments.jobs,
            on_conflict=arguments.on_conflict,
            progress=advance,
        )
    if arguments.json:
        print_json([as_json(report) for report in reports])
    else:
        for report in reports:
            print(summary(report))


def refuse_misuse(arguments: argparse.Namespace) -> None:
    """End with a complaint about arguments that do not go together."""
    from wheel_linker._archive.wheel_file import is_archive

    if arguments.strict and arguments.mode == "auto":
        misused("--strict wants one mode, and --mode auto stands for several")
    if arguments.mode != LinkMode.SYMLINK or _usable_store(arguments) is not None:
        return
    for wheel in filter(is_archive, arguments.wheels):
        misused(
            f"cannot symlink {wheel!r}: the symlinks would point to a temporary place; "
            "give --store DIR, or the directory that it is unpacked in, or choose another mode"
        )


@contextmanager
def prepared(
    arguments: argparse.Namespace, site_packages: str
) -> Iterator[tuple[Sequence[WheelLike], Callable[[int], None]]]:
    """Have every wheel unpacked as long as it takes, and something that shows how many files are done.

    :param site_packages: where what is unpacked for the moment only can be, without a store.
    """
    with (
        _all_unpacked(arguments, site_packages) as wheels,
        progress(lambda: _number_of_files(wheels)) as advance,
    ):
        yield wheels, advance


@contextmanager
def _all_unpacked(
    arguments: argparse.Namespace, site_packages: str
) -> Iterator[Sequence[WheelLike]]:
    from wheel_linker._archive.wheel_file import is_archive
    from wheel_linker._cli.archives import add_archives, unpack_archives
    from wheel_linker._fs.temporary import private_directory
    from wheel_linker._threads import usable_cpus

    if not any(map(is_archive, arguments.wheels)):
        yield arguments.wheels
        return
    store = _usable_store(arguments)
    if store is not None:
        with store:
            yield add_archives(store, arguments.wheels, arguments.record)
        return
    with private_directory(site_packages) as place:
        jobs = arguments.jobs or usable_cpus()
        yield unpack_archives(arguments.wheels, place, jobs, arguments.record)


def _usable_store(arguments: argparse.Namespace) -> WheelStore | None:
    """Return the store that is asked for, or the default one, if the user has a place for that."""
    store = chosen_store(arguments.store, arguments.jobs)
    if store is None or arguments.store:
        return store
    existing = store.root
    while not os.path.exists(existing):
        existing = os.path.dirname(existing)
    # A user without a home, as in many containers: nobody asked for a store there.
    return store if os.path.isdir(existing) and os.access(existing, os.W_OK) else None


def _number_of_files(wheels: Sequence[WheelLike]) -> int:
    from wheel_linker._wheel.scan import scan
    from wheel_linker._wheel.unpacked import unpacked

    given = map(unpacked, wheels)
    return sum((wheel.known_tree() or scan(wheel.path)).files for wheel in given)


def modes(arguments: argparse.Namespace) -> Modes:
    """Return the modes that are asked for."""
    word: str | None = arguments.mode
    if not arguments.strict:
        return word
    return (LinkMode.default() if word is None else LinkMode(word),)


def summary(report: LinkReport) -> str:
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


def print_json(reports: Sequence[Mapping[str, object]]) -> None:
    """Print reports for programs."""
    import json

    print(json.dumps(reports, indent=2))


def as_json(report: LinkReport) -> dict[str, object]:
    """Return a report as ``link --json`` prints it; keys may be added, but none is renamed or removed.

    ``wheel`` is the file name, ``requested`` the fallback chain, ``mode`` how most files were linked, ``files`` their
    number, ``used`` how many there are by mode, ``fallbacks`` the first few refusals for each cause, with ``path``,
    ``tried``, ``used``, ``errno`` and ``error``, ``fallback_count`` how many files were refused a mode, ``replaced``
    the paths of files that were there before, ``record_problems`` in what its ``RECORD`` was found not to be right when
    a store unpacked it, each with ``kind``, ``path`` and ``detail``.
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
        "record_problems": [problem._asdict() for problem in report.record_problems],
    }


def _number_of_jobs(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and int(text)):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of threads: use 1 or more")
    return int(text)
