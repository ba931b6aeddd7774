"""The commands ``wheel-linker list``, ``show`` and ``check``: what an environment holds, and whether it is sound."""

from __future__ import annotations

import os
from contextlib import nullcontext
from typing import TYPE_CHECKING

from wheel_linker._cli.environment import add_environment, chosen_layout, layout_to_change
from wheel_linker._cli.options import add_json, add_option
from wheel_linker._cli.output import Column, done, print_table, say
from wheel_linker._cli.reports import print_json
from wheel_linker._cli.store import needed_store
from wheel_linker.errors import WheelLinkerError

if TYPE_CHECKING:
    import argparse

    from wheel_linker.install import EnvironmentReport, InstalledDistribution, MissingRequirement

_COLUMNS = (Column("name"), Column("version"), Column("installer"), Column("from"))


def add_list(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``list`` to its parser."""
    add_environment(parser, "as it was given to install")
    add_json(parser)


def add_show(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``show`` to its parser."""
    parser.add_argument("names", nargs="+", metavar="NAME", help="what is installed")
    add_environment(parser, "as it was given to install")
    add_json(parser)


def add_check(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``check`` to its parser."""
    add_environment(parser, "as it was given to install")
    add_option(parser)
    parser.add_argument(
        "--repair", action="store_true", help="install again from the store what is not right"
    )
    add_json(parser)


def list_installed(arguments: argparse.Namespace) -> None:
    """Do as ``list`` is told."""
    layout = chosen_layout(arguments)
    from wheel_linker.install import installed

    found = installed(layout)
    if arguments.json:
        print_json([_as_json(one) for one in found])
        return
    print_table(_COLUMNS, [_row(one) for one in found])


def show(arguments: argparse.Namespace) -> None:
    """Do as ``show`` is told."""
    layout = chosen_layout(arguments)
    from wheel_linker._wheel.filename import normalised
    from wheel_linker.install import NotInstalledError, installed

    found = {one.name: one for one in installed(layout)}
    missing = [name for name in arguments.names if normalised(name) not in found]
    if missing:
        raise NotInstalledError(f"not installed for {layout.python!r}: {', '.join(missing)}")
    chosen = [found[normalised(name)] for name in arguments.names]
    if arguments.json:
        print_json([_as_json(one) for one in chosen])
        return
    for one in chosen:
        for key, value in _as_json(one).items():
            say(f"{key}: {value if value is not None else ''}")


def check(arguments: argparse.Namespace) -> None:
    """Do as ``check`` is told.

    :raises WheelLinkerError: if something is wrong, and was not mended.
    """
    store = needed_store(arguments) if arguments.repair else None
    with nullcontext() if store is None else store:
        layout = layout_to_change(arguments) if arguments.repair else chosen_layout(arguments)
        from wheel_linker.install import check_environment

        report = check_environment(layout, store)
        if arguments.repair and report.broken():
            _repair(report, tells=not arguments.json)
            report = check_environment(layout, store)
    if arguments.json:
        print_json(_problems(report))
    for line in () if arguments.json else _lines(report):
        say(line)
    if not report.is_sound():
        raise WheelLinkerError(
            f"the environment of {layout.python!r} is not sound"
            + _advice(report, repaired=arguments.repair)
        )


def _repair(report: EnvironmentReport, *, tells: bool) -> None:
    mended = report.repair()
    done()
    if not tells:
        return
    for one in mended.installed:
        say(f"{one.wheel.name} {one.wheel.version}: installed again")
    for left in mended.not_in_store:
        say(f"{left.name} {left.version}: the store has no such wheel; install its .whl file again")


def _advice(report: EnvironmentReport, *, repaired: bool) -> str:
    if report.broken() and not repaired:
        return "; --repair installs again what the store has"
    if report.broken():
        # Without the option, a distribution that is there in the same version is left alone.
        return "; give the .whl files of what the store lacks to: wheel-linker install --reinstall"
    if report.requirements:
        return "; install what others need"
    return ""


def _lines(report: EnvironmentReport) -> list[str]:
    lines = [f"{problem.path}: {problem.kind}" for problem in report.files]
    lines += [f"{one.name} {one.version}: its RECORD cannot be used" for one in report.incomplete]
    return lines + [_need(one) for one in report.requirements]


def _need(missing: MissingRequirement) -> str:
    found = "is not installed" if missing.found is None else f"is installed as {missing.found}"
    return f"{missing.distribution}: needs {missing.requirement}, which {found}"


def _problems(report: EnvironmentReport) -> dict[str, object]:
    return {
        "files": [problem._asdict() for problem in report.files],
        "incomplete": [_as_json(one) for one in report.incomplete],
        "requirements": [one._asdict() for one in report.requirements],
    }


def _as_json(one: InstalledDistribution) -> dict[str, object]:
    return {
        "name": one.name,
        "version": one.version,
        "path": one.path,
        "installer": one.installer,
        "editable": one.editable,
        "direct_url": one.direct_url,
    }


def _row(one: InstalledDistribution) -> tuple[str, str, str, str]:
    url = one.direct_url.get("url") if one.direct_url else None
    origin = str(url) if url else ""
    if one.editable:
        origin = f"{origin or os.path.dirname(one.path)} (editable)"
    return (one.name, one.version, one.installer or "", origin)
