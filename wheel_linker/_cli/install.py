"""The commands ``wheel-linker install`` and ``wheel-linker uninstall``."""

from __future__ import annotations

import os
from contextlib import nullcontext
from typing import TYPE_CHECKING

from wheel_linker._cli.environment import add_environment, layout_to_change
from wheel_linker._cli.link import refuse_misuse
from wheel_linker._cli.options import add_common, add_compatibility, add_json, change_options
from wheel_linker._cli.output import done, progress, say
from wheel_linker._cli.reports import (
    installed_as_json,
    installed_line,
    print_json,
    tell_plan,
    uninstalled_as_json,
    uninstalled_line,
)
from wheel_linker._cli.store import usable_store

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from wheel_linker.install import ChangePlan, InstalledDistribution, InstallReport, Layout
    from wheel_linker.store import WheelStore


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
        "--reinstall",
        action="store_true",
        help="install what is there in the same version with the same files, too",
    )
    add_compatibility(parser)
    parser.add_argument("--dry-run", action="store_true", help="say what would be done")
    parser.add_argument(
        "--as-dependencies",
        action="store_true",
        help="note that the wheels are there for others, and were not asked for themselves",
    )


def add_uninstall(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``uninstall`` to its parser."""
    parser.add_argument(
        "names",
        nargs="+",
        metavar="NAME",
        help="what is to be removed, whichever tool installed it",
    )
    add_environment(parser, "as it was given to install")
    parser.add_argument("--dry-run", action="store_true", help="say what would be removed")
    add_json(parser)


def install(arguments: argparse.Namespace) -> None:
    """Do as ``install`` is told."""
    refuse_misuse(arguments)
    store = usable_store(arguments)
    with nullcontext() if store is None else store:
        layout = layout_to_change(arguments, store)
        if arguments.dry_run:
            _foresee(arguments, layout, store)
            return
        reports, kept = _install(arguments, layout, store)
        done()
    if arguments.json:
        print_json([installed_as_json(report) for report in reports])
        return
    for report in reports:
        say(installed_line(report))
    _tell_kept(kept)


def _install(
    arguments: argparse.Namespace, layout: Layout, store: WheelStore | None
) -> tuple[Sequence[InstallReport], Sequence[InstalledDistribution]]:
    """Install wheels; return what became of them, and those that were there as they are already."""
    from wheel_linker.install import installed, sync_wheels

    with progress() as shown:
        options = {
            **change_options(arguments, store),
            "jobs": arguments.jobs,
            "on_conflict": arguments.on_conflict,
            "progress": shown,
            "requested": not arguments.as_dependencies,
            "compile_bytecode": arguments.compile,
        }
        if _installs_anew(arguments):
            from wheel_linker.install import install_wheels

            return install_wheels(arguments.wheels, layout, **options), ()
        others = {one.name: one for one in installed(layout)}
        report = sync_wheels(arguments.wheels, layout, keep=list(others), **options)
    return report.installed, _asked_for(arguments, report.kept)


def _installs_anew(arguments: argparse.Namespace) -> bool:
    """Tell whether also that is installed which is there already: as a dependency its notes change."""
    return bool(arguments.reinstall or arguments.as_dependencies)


def _asked_for(
    arguments: argparse.Namespace, kept: Sequence[InstalledDistribution]
) -> list[InstalledDistribution]:
    """Return those distributions that a wheel was given of."""
    asked = set(map(_name_of, arguments.wheels))
    return [one for one in kept if one.name in asked]


def _tell_kept(kept: Sequence[InstalledDistribution]) -> None:
    for one in kept:
        say(f"{one.name} {one.version}: already there")


def _name_of(wheel: str) -> str:
    """Return the normalised name of a wheel's distribution."""
    from wheel_linker._archive.wheel_file import is_archive
    from wheel_linker._wheel.filename import normalised
    from wheel_linker._wheel.unpacked import unpacked
    from wheel_linker.install._changes.given import own_filename

    if is_archive(wheel):
        # It is the file name of a wheel: it has been installed.
        return normalised(os.path.basename(wheel).partition("-")[0])
    return own_filename(unpacked(wheel)).name


def _foresee(arguments: argparse.Namespace, layout: Layout, store: WheelStore | None) -> None:
    """Say what :func:`_install` would do."""
    plan = _plan(arguments, layout, store)
    tell_plan(plan, as_json=arguments.json)
    if not arguments.json:
        _tell_kept(_asked_for(arguments, plan.kept))


def _plan(arguments: argparse.Namespace, layout: Layout, store: WheelStore | None) -> ChangePlan:
    from wheel_linker.install import installed, plan_install, plan_sync

    options = change_options(arguments, store)
    if _installs_anew(arguments):
        return plan_install(arguments.wheels, layout, **options)
    others = [one.name for one in installed(layout)]
    return plan_sync(arguments.wheels, layout, keep=others, **options)


def uninstall(arguments: argparse.Namespace) -> None:
    """Do as ``uninstall`` is told."""
    layout = layout_to_change(arguments)
    from wheel_linker.install import plan_uninstall
    from wheel_linker.install import uninstall as remove

    if arguments.dry_run:
        tell_plan(plan_uninstall(arguments.names, layout), as_json=arguments.json)
        return
    reports = remove(arguments.names, layout)
    done()
    if arguments.json:
        print_json([uninstalled_as_json(report) for report in reports])
    for report in () if arguments.json else reports:
        say(uninstalled_line(report))
