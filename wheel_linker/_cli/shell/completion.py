"""The command ``wheel-linker completion``: a script that lets a shell complete what is typed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from wheel_linker.errors import WheelLinkerError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

SHELLS: Final = ("bash", "zsh", "tcsh")
_DIRECTORIES: Final = frozenset({"DIR", "DESTINATION", "SITE_PACKAGES"})
_FILES: Final = frozenset({"ENV", "PATH", "SOURCE", "WHEEL", "WHEEL_FILE"})


def add_completion(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``completion`` to its parser."""
    parser.add_argument("shell", choices=SHELLS, help="the shell that the script is for")


def completion(arguments: argparse.Namespace) -> None:
    """Do as ``completion`` is told.

    :raises WheelLinkerError: if the library that writes such scripts is not installed.
    """
    try:
        import shtab
    except ImportError as error:
        raise WheelLinkerError(
            "completion needs the library shtab: install wheel-linker[cli]"
        ) from error
    parser = arguments.whole_parser()
    for action in _actions(parser):
        if action.metavar in _DIRECTORIES:
            action.complete = shtab.DIRECTORY  # type: ignore[attr-defined]
        elif action.metavar in _FILES:
            action.complete = shtab.FILE  # type: ignore[attr-defined]
    print(shtab.complete(parser, shell=arguments.shell))


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Yield all arguments of a parser and of its commands' parsers."""
    for action in parser._actions:  # noqa: SLF001 - as shtab does it
        if isinstance(action.choices, dict):
            for command in action.choices.values():
                yield from _actions(command)
        else:
            yield action
