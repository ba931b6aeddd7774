"""The command ``wheel-linker sync``: an environment holds exactly what is named."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wheel_linker._cli.environment import add_environment, layout_to_change
from wheel_linker._cli.options import (
    add_compatibility,
    add_json,
    add_linking,
    add_option,
    add_record,
    change_options,
)
from wheel_linker._cli.output import done, progress, say
from wheel_linker._cli.reports import (
    installed_as_json,
    installed_line,
    print_json,
    tell_plan,
    uninstalled_as_json,
    uninstalled_line,
)
from wheel_linker._cli.shell.streams import readable_again
from wheel_linker._cli.store import store_for_a_call
from wheel_linker._compat.named_tuple import NamedTuple
from wheel_linker.errors import WheelLinkerError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from wheel_linker._wheel.unpacked import WheelLike
    from wheel_linker.install import Layout, SyncReport
    from wheel_linker.integrations.pip.resolved import Project
    from wheel_linker.store import WheelStore

_WHEEL = ".whl"


def add_sync(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``sync`` to its parser."""
    parser.add_argument(
        "sources",
        nargs="+",
        metavar="SOURCE",
        help="a pylock.toml, a requirements file, or a wheel file",
    )
    add_environment(parser, "made if it is missing")
    parser.add_argument(
        "--keep",
        action="append",
        default=[],
        metavar="NAME",
        help="a distribution that may stay, such as pip; may be given several times",
    )
    parser.add_argument(
        "--group", action="append", metavar="NAME", help="a dependency group of the pylock.toml"
    )
    parser.add_argument(
        "--extra", action="append", default=[], metavar="NAME", help="an extra of the pylock.toml"
    )
    add_option(parser)
    add_linking(parser)
    add_record(parser)
    add_compatibility(parser)
    parser.add_argument("--compile", action="store_true", help="compile the sources to bytecode")
    parser.add_argument("--dry-run", action="store_true", help="say what would be done")
    add_json(parser)


def sync(arguments: argparse.Namespace) -> None:
    """Do as ``sync`` is told."""
    with store_for_a_call(arguments) as store, readable_again(arguments.sources) as copies:
        arguments.sources = [copies.get(source, source) for source in arguments.sources]
        layout = layout_to_change(arguments, store)
        from wheel_linker._wheel.tree import NotAsUnpackedError
        from wheel_linker.store.wheel_store import looking_late

        act = _plan if arguments.dry_run else _sync
        try:
            act(arguments, layout, store, _named(arguments, layout, looking_late(store)))
        except NotAsUnpackedError:
            # Nothing has been changed yet. What is damaged counts as missing for who looks first.
            act(arguments, layout, store, _named(arguments, layout, store))


def _plan(arguments: argparse.Namespace, layout: Layout, store: WheelStore, named: _Named) -> None:
    from wheel_linker.install import plan_sync

    keep = [*arguments.keep, *named.projects]
    plan = plan_sync(named.wheels, layout, keep=keep, **change_options(arguments, store))
    tell_plan(plan, as_json=arguments.json)
    if not arguments.json:
        for name in named.projects:
            say(f"{name}: would be installed in place")


def _sync(arguments: argparse.Namespace, layout: Layout, store: WheelStore, named: _Named) -> None:
    from wheel_linker.install import sync_wheels

    with progress() as shown:
        report = sync_wheels(
            named.wheels,
            layout,
            keep=[*arguments.keep, *named.projects],
            jobs=arguments.jobs,
            on_conflict=arguments.on_conflict,
            progress=shown,
            compile_bytecode=arguments.compile,
            direct_urls=named.direct_urls,
            **change_options(arguments, store),
        )
    if named.projects:
        from wheel_linker.integrations.pip.resolved import install_editable

        done("the wheels are installed")
        index = ["--break-system-packages"] if layout.externally_managed is not None else []
        install_editable(list(named.projects.values()), python=layout.python, index=index)
    done()
    _tell(report, as_json=arguments.json)


class _Named(NamedTuple):
    """What the environment is to hold."""

    wheels: list[WheelLike]
    direct_urls: dict[str, Mapping[str, object]]
    projects: dict[str, Project]
    """What pip installs in place, by its normalised name."""


def _named(arguments: argparse.Namespace, layout: Layout, store: WheelStore) -> _Named:
    """Return what the environment is to hold, from lock files, requirements and wheel files."""
    named = _Named([one for one in arguments.sources if one.endswith(_WHEEL)], {}, {})
    locks = [one for one in arguments.sources if not one.endswith(_WHEEL)]
    if not locks:
        return named
    from wheel_linker.integrations.pip.locked import obtain_with_projects
    from wheel_linker.integrations.pip.wanted import NotLockedError

    for lock in locks:
        try:
            found = obtain_with_projects(
                lock,
                python=layout.python,
                store=store,
                extras=arguments.extra,
                groups=arguments.group,
            )
        except NotLockedError:
            if lock.endswith(".toml"):
                raise
            from wheel_linker.integrations.pip.resolved import obtain

            named.wheels.extend(
                obtain([], requirement_files=[lock], python=layout.python, store=store)
            )
            continue
        named.wheels.extend(found.wheels)
        named.direct_urls.update(found.direct_urls)
        named.projects.update(found.projects)
    if named.projects and arguments.target is not None:
        raise WheelLinkerError(
            f"{', '.join(named.projects)} cannot be installed in place in the directory {arguments.target!r}:"
            " give an environment with --python"
        )
    return named


def _tell(report: SyncReport, *, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "installed": [installed_as_json(one) for one in report.installed],
                "removed": [uninstalled_as_json(one) for one in report.removed],
                "kept": [f"{one.name}=={one.version}" for one in report.kept],
            }
        )
        return
    for one in report.installed:
        say(installed_line(one))
    for gone in report.removed:
        say(uninstalled_line(gone))
    say(f"{len(report.kept):,} left alone")
