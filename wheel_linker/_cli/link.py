"""The command ``wheel-linker link``, and having the wheels unpacked that it is given."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from wheel_linker._cli.options import add_common, modes
from wheel_linker._cli.output import done, misused, progress, say
from wheel_linker._cli.reports import as_json, print_json, summary
from wheel_linker._cli.store import usable_store
from wheel_linker.mode import LinkMode

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from wheel_linker._wheel.progress import Progress
    from wheel_linker._wheel.unpacked import WheelLike


def add_link(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``link`` to its parser."""
    parser.add_argument(
        "--into",
        required=True,
        metavar="SITE_PACKAGES",
        help="the directory; made if it is missing",
    )
    add_common(parser)


def link(arguments: argparse.Namespace) -> None:
    """Do as ``link`` is told."""
    from wheel_linker._api import link_wheels
    from wheel_linker._wheel.progress import Progress

    refuse_misuse(arguments)
    with progress() as bar:
        # What is unpacked and what is linked have one sum.
        shown = Progress(bar)
        with _all_unpacked(arguments, arguments.into, shown) as wheels:
            reports = link_wheels(
                arguments.into,
                wheels,
                mode=modes(arguments),
                jobs=arguments.jobs,
                on_conflict=arguments.on_conflict,
                progress=shown,
            )
            done()
    if arguments.json:
        print_json([as_json(report) for report in reports])
    else:
        for report in reports:
            say(summary(report))


def refuse_misuse(arguments: argparse.Namespace) -> None:
    """End with a complaint about arguments that do not go together."""
    from wheel_linker._archive.wheel_file import is_archive

    if arguments.strict and arguments.mode == "auto":
        misused("--strict wants one mode, and --mode auto stands for several")
    if arguments.mode != LinkMode.SYMLINK or usable_store(arguments, quietly=True) is not None:
        return
    for wheel in filter(is_archive, arguments.wheels):
        misused(
            f"cannot symlink {wheel!r}: the symlinks would point to a temporary place; "
            "give --store DIR, or the directory that it is unpacked in, or choose another mode"
        )


@contextmanager
def _all_unpacked(
    arguments: argparse.Namespace, site_packages: str, shown: Progress
) -> Iterator[Sequence[WheelLike]]:
    """Have every wheel unpacked as long as it takes.

    :param site_packages: where what is unpacked for the moment only can be, without a store.
    :param shown: what shows how much is unpacked.
    """
    from wheel_linker._archive.wheel_file import is_archive
    from wheel_linker._cli.archives import add_archives, unpacked_archives
    from wheel_linker._fs.temporary import private_directory
    from wheel_linker._threads import usable_cpus

    if not any(map(is_archive, arguments.wheels)):
        yield arguments.wheels
        return
    store = usable_store(arguments)
    if store is not None:
        with store:
            yield add_archives(store, arguments.wheels, arguments.record, shown)
        return
    with private_directory(site_packages) as place:
        jobs = arguments.jobs or usable_cpus()
        record = arguments.record
        with unpacked_archives(arguments.wheels, place, jobs, record, shown) as wheels:
            yield wheels
