"""The commands ``wheel-linker install`` and ``wheel-linker uninstall``."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

from wheel_linker._cli.environment import add_environment, layout_to_change
from wheel_linker._cli.link import refuse_misuse, usable_store
from wheel_linker._cli.options import add_common, add_json, modes
from wheel_linker._cli.output import progress, say
from wheel_linker._cli.reports import (
    installed_as_json,
    installed_line,
    print_json,
    uninstalled_as_json,
    uninstalled_line,
)

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from wheel_linker.install import Layout


def add_install(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``install`` to its parser."""
    add_environment(parser, "made if it is missing")
    add_common(parser)
    parser.add_argument(
        "--compile",
        action="store_true",
        help="compile the sources to bytecode, by the environment's interpreter",
    )
    parser.add_argument(
        "--as-dependencies",
        action="store_true",
        help="note that the wheels are there for others, and were not asked for themselves",
    )


def add_uninstall(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``uninstall`` to its parser."""
    parser.add_argument(
        "names", nargs="+", metavar="NAME", help="what is to go, whichever tool installed it"
    )
    add_environment(parser, "as it was given to install")
    add_json(parser)


def install(arguments: argparse.Namespace) -> None:
    """Do as ``install`` is told."""
    refuse_misuse(arguments)
    layout = layout_to_change(arguments)
    from wheel_linker.install import install_wheels

    store = usable_store(arguments)
    with nullcontext() if store is None else store, progress(None) as advance:
        reports = install_wheels(
            arguments.wheels,
            layout,
            store=store,
            mode=modes(arguments),
            jobs=arguments.jobs,
            on_conflict=arguments.on_conflict,
            progress=advance,
            requested=not arguments.as_dependencies,
            compile_bytecode=arguments.compile,
            record=arguments.record,
        )
    if arguments.json:
        print_json([installed_as_json(report) for report in reports])
    else:
        for report in reports:
            say(installed_line(report))


def uninstall(arguments: argparse.Namespace) -> None:
    """Do as ``uninstall`` is told."""
    layout = layout_to_change(arguments)
    from wheel_linker.install import uninstall as remove

    reports = []
    for name in _all_installed(arguments.names, layout):
        reports.append(remove(name, layout))
        if not arguments.json:
            say(uninstalled_line(reports[-1]))
    if arguments.json:
        print_json([uninstalled_as_json(report) for report in reports])


def _all_installed(names: Sequence[str], layout: Layout) -> list[str]:
    """Return the normalised names, each once.

    :raises NotInstalledError: if one of them is not installed; before any other is removed.
    """
    from packaging.utils import canonicalize_name

    from wheel_linker.install._present.distributions import NotInstalledError, find_distributions

    wanted = {canonicalize_name(name): name for name in names}
    missing = wanted.keys() - {one.name for one in find_distributions(layout)}
    if missing:
        what = ", ".join(repr(name) for normalised, name in wanted.items() if normalised in missing)
        where = " or ".join(map(repr, layout.libraries()))
        raise NotInstalledError(f"not installed in {where}: {what}; nothing was removed")
    return list(wanted)
