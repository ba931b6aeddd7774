"""The command ``wheel-linker build``: what ``python -m build`` does, in linked environments."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from wheel_linker._cli.options import add_json, add_option
from wheel_linker._cli.output import say
from wheel_linker._cli.reports import print_json
from wheel_linker._cli.store import store_for_a_call
from wheel_linker.errors import WheelLinkerError

if TYPE_CHECKING:
    import argparse

    from wheel_linker.integrations.build import Kind


def add_build(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``build`` to its parser."""
    parser.add_argument("project", nargs="?", default=os.curdir, help="its directory (default: .)")
    parser.add_argument("-s", "--sdist", action="store_true", help="build an sdist")
    parser.add_argument(
        "-w", "--wheel", action="store_true", help="build a wheel of the project itself"
    )
    parser.add_argument("-o", "--outdir", metavar="DIR", help="default: PROJECT/dist")
    parser.add_argument(
        "-C",
        "--config-setting",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="for the build back end; may be given several times",
    )
    parser.add_argument(
        "--pip-arg",
        action="append",
        default=[],
        metavar="ARGUMENT",
        help="for pip install, such as --pip-arg=--no-index; may be given several times",
    )
    add_option(parser)
    add_json(parser)


def build(arguments: argparse.Namespace) -> None:
    """Do as ``build`` is told."""
    try:
        import build as _  # noqa: F401
    except ImportError as error:
        raise WheelLinkerError("build is not installed: install wheel-linker[build]") from error
    from wheel_linker.integrations.build import build_distributions

    kinds: list[Kind] = ["sdist"] if arguments.sdist else []
    if arguments.wheel:
        kinds.append("wheel")
    with store_for_a_call(arguments) as store:
        made = build_distributions(
            arguments.project,
            arguments.outdir or os.path.join(arguments.project, "dist"),
            kinds=kinds,
            config_settings=_settings(arguments.config_setting),
            store=store,
            pip_args=arguments.pip_arg,
        )
    if arguments.json:
        print_json([{"path": path} for path in made])
    for path in () if arguments.json else made:
        say(f"built {path}")


def _settings(words: list[str]) -> dict[str, str | list[str]]:
    found: dict[str, str | list[str]] = {}
    for word in words:
        key, _, value = word.partition("=")
        known = found.get(key)
        if known is None:
            found[key] = value
        else:
            found[key] = [*([known] if isinstance(known, str) else known), value]
    return found
