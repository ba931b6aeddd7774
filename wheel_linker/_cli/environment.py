"""Which environment a command is about."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from wheel_linker._cli.output import misused
from wheel_linker.errors import WheelLinkerError

if TYPE_CHECKING:
    import argparse

    from wheel_linker.install import Layout
    from wheel_linker.store import WheelStore

_CONFIGURATION: Final = "pyvenv.cfg"
_NAME: Final = ".venv"
_INTERPRETERS: Final = (
    (os.path.join("Scripts", "python.exe"),) if os.name == "nt" else ("bin/python", "bin/python3")
)


def add_environment(parser: argparse.ArgumentParser, target: str | None = None) -> None:
    """Add the options that say which environment is meant.

    :param target: what becomes of the directory that ``--target`` names; None where that makes no sense.
    """
    either = parser.add_mutually_exclusive_group()
    either.add_argument(
        "--python",
        metavar="ENV",
        help="the environment: its directory, its interpreter, or the version or name of an interpreter on PATH "
        "(default: VIRTUAL_ENV, then .venv here or in a directory above)",
    )
    if target is not None:
        either.add_argument(
            "--target",
            metavar="DIR",
            help=f"a directory for the packages, with bin and include below it; {target}",
        )
    parser.add_argument(
        "--break-system-packages",
        action="store_true",
        help="change an environment that another package manager looks after",
    )


def chosen_layout(arguments: argparse.Namespace, store: WheelStore | None = None) -> Layout:
    """Return the environment that is meant.

    :param store: a store, where the answers of interpreters are kept if it is there and trusted.
    :raises WheelLinkerError: if there is none, or the library is missing that it takes to install.
    """
    try:
        from wheel_linker.install import Layout
        from wheel_linker.install.asking import kept_in
    except ModuleNotFoundError as error:
        raise WheelLinkerError(str(error)) from error
    if getattr(arguments, "target", None) is not None:
        return Layout.for_target(arguments.target)
    return Layout.for_python(chosen_python(arguments.python), kept_in=kept_in(store))


def layout_to_change(arguments: argparse.Namespace, store: WheelStore | None = None) -> Layout:
    """Return the environment that is meant, if it may be changed. The errors are those of :func:`chosen_layout`."""
    layout = chosen_layout(arguments, store)
    refuse_managed(layout, allowed=arguments.break_system_packages)
    return layout


def refuse_managed(layout: Layout, *, allowed: bool) -> None:
    """Refuse to change what another package manager looks after, unless that is allowed.

    :raises WheelLinkerError: if it is refused.
    """
    if layout.externally_managed is not None and not allowed:
        raise WheelLinkerError(
            f"the environment of {layout.python!r} is looked after by another package manager, as "
            f"{layout.externally_managed!r} says: make a virtual environment (python3 -m venv .venv), "
            "or give --break-system-packages"
        )


def chosen_python(given: str | None) -> str:
    """Return the path of the interpreter that is meant, or its name on PATH.

    :raises WheelLinkerError: if there is none.
    """
    if given is None:
        return _default_python()
    if os.path.isdir(given):
        return _interpreter_in(given)
    if _is_version(given):
        return f"python{given}"
    return given


def _is_version(text: str) -> bool:
    """Tell whether a text is such as ``3``, ``3.13`` or ``3.13t``."""
    parts = text.removesuffix("t").split(".")
    return len(parts) <= 2 and all(map(str.isdecimal, parts))


def _default_python() -> str:
    active = os.environ.get("VIRTUAL_ENV")
    if active:
        return _interpreter_in(active, "VIRTUAL_ENV names an environment, and ")
    directory = os.getcwd()
    while True:
        candidate = os.path.join(directory, _NAME)
        if os.path.isfile(os.path.join(candidate, _CONFIGURATION)):
            return _interpreter_in(candidate)
        above = os.path.dirname(directory)
        if above == directory:
            misused(
                "which environment? There is no active one and no .venv here or above: "
                "give --python ENVIRONMENT, or make one (python3 -m venv .venv)"
            )
        directory = above


def _interpreter_in(environment: str, why: str = "") -> str:
    for name in _INTERPRETERS:
        path = os.path.join(environment, name)
        if os.path.exists(path):
            return path
    raise WheelLinkerError(
        f"{why}there is no interpreter in {environment!r}: give the directory of a virtual environment, "
        "or the path of an interpreter"
    )
