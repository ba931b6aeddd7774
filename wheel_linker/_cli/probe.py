"""The command ``wheel-linker probe``: which modes work between two directories."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wheel_linker._cli.options import add_json
from wheel_linker._cli.output import Column, print_table
from wheel_linker._cli.reports import print_json

if TYPE_CHECKING:
    import argparse


def add_probe(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``probe`` to its parser."""
    parser.add_argument("source", metavar="SOURCE", help="where files would be linked from")
    parser.add_argument("destination", metavar="DESTINATION", help="where they would be linked to")
    add_json(parser)


def probe(arguments: argparse.Namespace) -> None:
    """Do as ``probe`` is told."""
    from wheel_linker._api import supported_modes

    modes = supported_modes(arguments.source, arguments.destination)
    if arguments.json:
        print_json(
            {
                mode.value: None if error is None else error.strerror or str(error)
                for mode, error in modes.items()
            }
        )
        return
    rows = [
        (mode.value, "works" if error is None else f"no: {error.strerror or error}")
        for mode, error in modes.items()
    ]
    print_table([Column("mode"), Column("works")], rows)
