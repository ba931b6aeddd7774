"""The command ``wheel-linker pip install``: pip resolves and downloads, wheels are linked."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from wheel_linker._cli.environment import add_environment, chosen_layout, refuse_managed
from wheel_linker._cli.options import add_json, add_linking, add_option, add_verbosity, modes
from wheel_linker._cli.output import done, misused, put, say
from wheel_linker._cli.reports import installed_as_json, installed_line, print_json
from wheel_linker._cli.shell.streams import readable_again
from wheel_linker._cli.store import store_for_a_call
from wheel_linker._compat.named_tuple import NamedTuple
from wheel_linker._threads import COMPLETE

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

    from wheel_linker.install import InstallReport, Layout
    from wheel_linker.integrations.pip.arguments import Arguments
    from wheel_linker.integrations.pip.resolved import Resolved
    from wheel_linker.store import StoredWheel, WheelStore

_NAMING: Final = frozenset({"--requirement", "--constraint"})
_DRY_RUN: Final = "--dry-run"
_BREAK: Final = "--break-system-packages"
_COMPILE: Final = "--compile"
_NO_COMPILE: Final = "--no-compile"
_REPORT: Final = "--report"
_STANDARD_OUTPUT: Final = "-"
_NOTHING: Final = "everything that is asked for is installed already"


def add_pip(parser: argparse.ArgumentParser) -> None:
    """Add what ``wheel-linker pip`` can do to its parser."""
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    purpose = "install as pip does, by linking from the store"
    install = commands.add_parser(
        "install",
        help=purpose,
        description=f"{purpose.capitalize()}. Everything that is not listed here is handed to pip: "
        "requirements, -r, -c, -e, --group, --index-url, ...",
        allow_abbrev=False,
    )
    install.set_defaults(run=pip_install, parser=install, takes_others=True)
    add_verbosity(install)
    add_environment(install)
    add_option(install)
    add_linking(install)
    install.add_argument(
        "--compile",
        action="store_true",
        default=None,
        help="compile the sources to bytecode, as with PIP_COMPILE=1",
    )
    install.add_argument(
        "--no-compile", action="store_false", dest="compile", help="do not compile (the default)"
    )
    install.add_argument("--dry-run", action="store_true", help="say what would be installed")
    add_json(install)


def pip_install(arguments: argparse.Namespace) -> None:
    """Do as ``pip install`` is told."""
    from wheel_linker.integrations.pip.arguments import parse
    from wheel_linker.integrations.pip.running import NO_SUCH_OPTION, PipError

    given = parse(arguments.others)
    named = [value for name, value in given.options if name in _NAMING and value is not None]
    try:
        with readable_again(named) as copies:
            _install(arguments, parse([copies.get(word, word) for word in given.all]))
    except PipError as error:
        if error.returncode == NO_SUCH_OPTION:
            misused(str(error))
        raise


def _install(arguments: argparse.Namespace, given: Arguments) -> None:
    from wheel_linker.integrations.pip.arguments import ISOLATED, is_on, refuse_settings
    from wheel_linker.integrations.pip.settings import settings_of

    with store_for_a_call(arguments) as store:
        layout = chosen_layout(arguments, store)
        settings = settings_of(layout.python, isolated=given.has(ISOLATED))
        refuse_settings(settings)
        broken = arguments.break_system_packages or is_on(settings.get(_BREAK, ""))
        refuse_managed(layout, allowed=broken)
        arguments.dry_run = arguments.dry_run or given.is_flagged(_DRY_RUN, settings)
        if arguments.compile is None:
            arguments.compile = _is_set_to_compile(settings)
        if _locked(arguments, store, layout, given, settings):
            return
        from wheel_linker.integrations.pip.named_files import options_of
        from wheel_linker.integrations.pip.resolved import (
            install_editable,
            project_of,
            wheels_of,
            with_settings,
        )

        chosen = _chosen(layout, given, settings)
        if arguments.dry_run:
            _tell_plan(
                [_Planned(one.name, one.version, editable=one.editable) for one in chosen],
                as_json=arguments.json,
            )
            return
        chosen = with_settings(chosen, given.all)
        linked = [one for one in chosen if not one.editable]
        options = options_of(given.all)
        wheels = wheels_of(
            linked, python=layout.python, store=store, index=given.fetching, options=options
        )
        reports = _link(
            arguments,
            store,
            layout,
            wheels,
            [one.name for one in linked if one.requested],
            {one.name: one.direct_url for one in linked if one.direct_url is not None},
        )
        editable = [project_of(one) for one in chosen if one.editable]
        done("the wheels are installed" if editable else COMPLETE)
    if editable:
        index = given.fetching
        if layout.externally_managed is not None:
            index = (*index, _BREAK)
        install_editable(editable, python=layout.python, index=index, options=options)
    done()
    _tell(reports, arguments, anything=bool(chosen))


def _is_set_to_compile(settings: Mapping[str, str]) -> bool:
    """Tell whether variables or configuration files have pip compile. What ``no-compile`` is set to does not matter.

    pip reads ``no-compile = no`` as what its name says, and many a user writes ``yes``. Neither wants bytecode.
    """
    from wheel_linker.integrations.pip.arguments import is_on

    return _NO_COMPILE not in settings and is_on(settings.get(_COMPILE, ""))


def _chosen(layout: Layout, given: Arguments, settings: Mapping[str, str]) -> list[Resolved]:
    """Have pip choose, and keep its report if that is asked for."""
    from tempfile import TemporaryDirectory

    from wheel_linker.integrations.pip.resolved import resolve

    report = given.value_of(_REPORT) or settings.get(_REPORT)
    with TemporaryDirectory(prefix="wheel_linker-pip-") as directory:
        path = os.path.join(directory, "report.json") if report == _STANDARD_OUTPUT else report
        chosen = resolve(
            [], python=layout.python, pip_args=given.all, ignore_installed=False, report=path
        )
        if path is not None and path != report:
            with open(path, encoding="utf-8") as file:
                put(file.read())
    return chosen


def _locked(
    arguments: argparse.Namespace,
    store: WheelStore,
    layout: Layout,
    given: Arguments,
    settings: Mapping[str, str],
) -> bool:
    """Install what locks name, without pip; return whether that was possible."""
    from wheel_linker._wheel.tree import NotAsUnpackedError
    from wheel_linker.integrations.pip.from_locks import lacking
    from wheel_linker.store.wheel_store import looking_late

    found = lacking(given, settings, layout, looking_late(store))
    if found is None:
        return False
    if arguments.dry_run:
        plan = [_Planned(one.name, one.version, editable=False) for one in found]
        _tell_plan(plan, as_json=arguments.json)
        return True
    names = [one.name for one in found]
    try:
        reports = _link(arguments, store, layout, [one.wheel for one in found], names, {})
    except NotAsUnpackedError:
        # Nothing has been changed yet. What is damaged counts as missing for who looks first, and is fetched by pip.
        return False
    done()
    _tell(reports, arguments, anything=bool(found))
    return True


def _link(
    arguments: argparse.Namespace,
    store: WheelStore,
    layout: Layout,
    wheels: Sequence[StoredWheel],
    requested: Sequence[str],
    direct_urls: Mapping[str, Mapping[str, object]],
) -> list[InstallReport]:
    from wheel_linker.install import install_wheels

    return install_wheels(
        wheels,
        layout,
        store=store,
        mode=modes(arguments),
        jobs=arguments.jobs,
        on_conflict=arguments.on_conflict,
        requested=requested,
        direct_urls=direct_urls,
        compile_bytecode=arguments.compile,
    )


def _tell(
    reports: Sequence[InstallReport], arguments: argparse.Namespace, *, anything: bool
) -> None:
    if arguments.json:
        print_json([installed_as_json(report) for report in reports])
    for report in () if arguments.json else reports:
        say(installed_line(report))
    if not anything and not arguments.json:
        say(_NOTHING)


class _Planned(NamedTuple):
    """A distribution that would be installed."""

    name: str
    version: str
    editable: bool


def _tell_plan(chosen: Sequence[_Planned], *, as_json: bool) -> None:
    if as_json:
        print_json(
            [{"name": one.name, "version": one.version, "editable": one.editable} for one in chosen]
        )
    for one in () if as_json else chosen:
        say(f"{one.name} {one.version}: would be installed{' in place' if one.editable else ''}")
    if not chosen and not as_json:
        say(_NOTHING)
