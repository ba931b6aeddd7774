"""The commands, and what each is for. A command's module is imported when that command is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from wheel_linker._cli.options import add_verbosity

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Mapping


def _link(parser: argparse.ArgumentParser) -> None:
    from wheel_linker._cli.link import add_link, link

    _runs(parser, link)
    add_link(parser)


def _install(parser: argparse.ArgumentParser) -> None:
    from wheel_linker._cli.install import add_install, install

    _runs(parser, install)
    add_install(parser)


def _uninstall(parser: argparse.ArgumentParser) -> None:
    from wheel_linker._cli.install import add_uninstall, uninstall

    _runs(parser, uninstall)
    add_uninstall(parser)


def _sync(parser: argparse.ArgumentParser) -> None:
    from wheel_linker._cli.sync import add_sync, sync

    _runs(parser, sync)
    add_sync(parser)


def _list(parser: argparse.ArgumentParser) -> None:
    from wheel_linker._cli.inspect import add_list, list_installed

    _runs(parser, list_installed)
    add_list(parser)


def _show(parser: argparse.ArgumentParser) -> None:
    from wheel_linker._cli.inspect import add_show, show

    _runs(parser, show)
    add_show(parser)


def _check(parser: argparse.ArgumentParser) -> None:
    from wheel_linker._cli.inspect import add_check, check

    _runs(parser, check)
    add_check(parser)


def _pip(parser: argparse.ArgumentParser) -> None:
    from wheel_linker._cli.pip import add_pip

    add_pip(parser)


def _build(parser: argparse.ArgumentParser) -> None:
    from wheel_linker._cli.build import add_build, build

    _runs(parser, build)
    add_build(parser)


def _probe(parser: argparse.ArgumentParser) -> None:
    from wheel_linker._cli.probe import add_probe, probe

    _runs(parser, probe)
    add_probe(parser)


def _demo(parser: argparse.ArgumentParser) -> None:
    _runs(parser, _demonstrate)
    parser.add_argument(
        "wheels",
        nargs="*",
        metavar="WHEEL",
        help="an unpacked wheel or a .whl file (default: the pip that comes with Python)",
    )


def _demonstrate(arguments: argparse.Namespace) -> None:
    from wheel_linker._cli.demo.linking import demonstrate

    demonstrate(arguments.wheels)


def _store(parser: argparse.ArgumentParser) -> None:
    from wheel_linker._cli.storing.commands import add_commands

    add_commands(parser)


def _completion(parser: argparse.ArgumentParser) -> None:
    from wheel_linker._cli.shell.completion import add_completion, completion

    _runs(parser, completion)
    add_completion(parser)


def _runs(parser: argparse.ArgumentParser, run: Callable[[argparse.Namespace], None]) -> None:
    """Say what a command does, and give it the options that each has."""
    parser.set_defaults(run=run, parser=parser)
    add_verbosity(parser)


COMMANDS: Final[Mapping[str, tuple[str, Callable[[argparse.ArgumentParser], None]]]] = {
    "link": ("link wheels into a site-packages directory", _link),
    "install": ("install wheels into an environment", _install),
    "uninstall": ("remove what is installed", _uninstall),
    "sync": ("have an environment hold exactly what is named", _sync),
    "list": ("show what is installed", _list),
    "show": ("show what is known of a distribution", _show),
    "check": ("find what is not as it was installed", _check),
    "pip": ("have pip resolve, and link", _pip),
    "build": ("build a project's distributions, isolated", _build),
    "probe": ("try which modes work between two directories", _probe),
    "demo": ("link a wheel in every mode, import from it, and install it", _demo),
    "completion": ("print a script by which a shell completes these commands", _completion),
    "store": ("keep unpacked wheels, to link from them again and again", _store),
}
"""The purpose of each command, and the function that adds its arguments to its parser, by name."""
