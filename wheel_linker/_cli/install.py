"""The commands ``wheel-linker install`` and ``wheel-linker uninstall``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wheel_linker._cli.link import (
    add_common,
    add_json,
    as_json,
    modes,
    prepared,
    print_json,
    refuse_misuse,
    summary,
)
from wheel_linker._cli.output import counted
from wheel_linker.errors import WheelLinkerError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from wheel_linker.install import InstallReport, Layout, UninstallReport


def add_install(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``install`` to its parser."""
    _add_environment(parser, "made if it is missing")
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
    _add_environment(parser, "as it was given to install")
    add_json(parser)


def _add_environment(parser: argparse.ArgumentParser, target: str) -> None:
    either = parser.add_mutually_exclusive_group(required=True)
    either.add_argument(
        "--python",
        metavar="PY",
        help="the environment's interpreter: its path, or its name on PATH",
    )
    either.add_argument(
        "--target",
        metavar="DIR",
        help=f"a directory for the packages, with bin and include below it; {target}",
    )


def install(arguments: argparse.Namespace) -> None:
    """Do as ``install`` is told."""
    refuse_misuse(arguments)
    layout = _layout(arguments)
    from wheel_linker.install import install_wheels

    with prepared(arguments, layout.schemes["purelib"]) as (wheels, advance):
        reports = install_wheels(
            wheels,
            layout,
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
            print(_installed(report))


def uninstall(arguments: argparse.Namespace) -> None:
    """Do as ``uninstall`` is told."""
    layout = _layout(arguments)
    from wheel_linker.install import uninstall as remove

    reports = []
    for name in _all_installed(arguments.names, layout):
        reports.append(remove(name, layout))
        if not arguments.json:
            print(_uninstalled(reports[-1]))
    if arguments.json:
        print_json([uninstalled_as_json(report) for report in reports])


def _layout(arguments: argparse.Namespace) -> Layout:
    """Return the environment that is meant.

    :raises WheelLinkerError: if there is none, or the library is missing that it takes to install.
    """
    try:
        from wheel_linker.install import Layout
    except ModuleNotFoundError as error:
        raise WheelLinkerError(str(error)) from error
    if arguments.python is not None:
        return Layout.for_python(arguments.python)
    return Layout.for_target(arguments.target)


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


def _installed(report: InstallReport) -> str:
    """Say in one line what became of a wheel."""
    parts = [summary(report.link)]
    if report.scripts:
        parts.append(counted(len(report.scripts), "script"))
    if report.upgraded:
        parts.append(f"in place of {', '.join(report.upgraded)}")
    if report.removed:
        parts.append(f"{counted(len(report.removed), 'file')} of that removed")
    return "; ".join(parts)


def _uninstalled(report: UninstallReport) -> str:
    """Say in one line what became of an installed distribution."""
    parts = [
        f"{report.name} {', '.join(report.versions)}: {counted(len(report.removed), 'file')} removed"
    ]
    if report.incomplete:
        parts.append("it was incomplete, with an empty RECORD, so that some of it may be left")
    if report.kept:
        parts.append(f"{len(report.kept):,} kept, which others have or lie outside")
    return "; ".join(parts)


def installed_as_json(report: InstallReport) -> dict[str, object]:
    """Return a report as ``install --json`` prints it; keys may be added, but none is renamed or removed.

    Besides those of :func:`~wheel_linker._cli.link.as_json`, ``dist_info`` is the absolute path of the ``*.dist-info``,
    ``scripts`` are those of its scripts and launchers, ``upgraded`` the versions that the wheel took the place of, and
    ``removed`` the absolute paths of their files that the wheel has not, ``record_problems`` in what its ``RECORD`` is
    not right, each with ``kind``, ``path`` and ``detail``.
    """
    return {
        **as_json(report.link),
        "dist_info": report.dist_info,
        "scripts": list(report.scripts),
        "upgraded": list(report.upgraded),
        "removed": list(report.removed),
        "record_problems": [problem._asdict() for problem in report.record_problems],
    }


def uninstalled_as_json(report: UninstallReport) -> dict[str, object]:
    """Return a report as ``uninstall --json`` prints it; keys may be added, but none is renamed or removed.

    ``name`` is the normalised name, ``versions`` are those that were installed, usually one, ``removed`` the absolute
    paths of files that were removed, ``kept`` those of files that stayed: another distribution has them too, or they
    lie outside of the environment.
    """
    return {
        "name": report.name,
        "versions": list(report.versions),
        "removed": list(report.removed),
        "kept": list(report.kept),
        "incomplete": report.incomplete,
    }
