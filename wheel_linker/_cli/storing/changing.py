"""The commands of ``wheel-linker store`` that change it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wheel_linker._cli.environment import chosen_python
from wheel_linker._cli.output import counted, progress, say
from wheel_linker._cli.reports import print_json
from wheel_linker._cli.store import needed_store
from wheel_linker._cli.storing.looking import asked_for, names_of, not_there
from wheel_linker._cli.storing.quantities import mib
from wheel_linker._cli.storing.reports import damage_as_json, entry_as_json

if TYPE_CHECKING:
    import argparse


def add(arguments: argparse.Namespace) -> None:
    """Do as ``store add`` is told."""
    with needed_store(arguments) as store:
        with progress() as shown:
            added = store.add_all(arguments.wheels, record=arguments.record, progress=shown)
        if arguments.json:
            print_json(
                [
                    {
                        "wheel": str(wheel.filename),
                        "sha256": wheel.digest,
                        "entry": wheel.entry,
                        "path": str(wheel.path),
                        "record_problems": [one._asdict() for one in wheel.record_problems()],
                    }
                    for wheel in added
                ]
            )
            return
        for wheel in added:
            say(f"{wheel.filename}: {wheel.path}")


def compile_(arguments: argparse.Namespace) -> None:
    """Do as ``store compile`` is told."""
    from wheel_linker.install.layout import Layout

    layout = Layout.for_python(chosen_python(arguments.python))
    with needed_store(arguments) as store:
        entries = {entry.name: entry for entry in store.entries()}
        made = store.compile(
            arguments.entries or list(entries), layout, optimize=arguments.optimize
        )
    if arguments.json:
        print_json([one._asdict() for one in made])
        return
    for one in made:
        left = len(one.not_compiled)
        others = f"; {counted(left, 'file')} cannot be compiled" if left else ""
        size = f"{mib(one.size)} MiB"
        say(f"{entries[one.entry].filename}: {counted(one.files, 'file')}, {size}{others}")


def repair(arguments: argparse.Namespace) -> None:
    """Do as ``store repair`` is told."""
    with needed_store(arguments) as store:
        mended = store.repair(arguments.entry, arguments.wheel)
    if arguments.json:
        print_json([damage_as_json(item) for item in mended])
    for item in () if arguments.json else mended:
        say(f"{item}: restored")


def remove(arguments: argparse.Namespace) -> None:
    """Do as ``store remove`` is told.

    :raises WheelLinkerError: if one is not there, or in use; then none is removed.
    """
    with needed_store(arguments) as store:
        present = store.entries()
        known = names_of(present)
        for name in arguments.entries:
            # One whose description is lost is in no list, and is found to be damaged.
            if name not in known and not store.verify(name):
                raise not_there(store, name)
        store.remove(*arguments.entries)
    gone = asked_for(present, arguments.entries)
    if arguments.json:
        print_json([entry_as_json(entry) for entry in gone])
        return
    for entry in gone:
        say(f"{entry.name} {entry.filename}: removed")
    for name in arguments.entries:
        if name not in known:
            say(f"{name}: removed; its description could not be read")


def prune(arguments: argparse.Namespace) -> None:
    """Do as ``store prune`` is told."""
    with needed_store(arguments) as store:
        removed = store.prune(
            unused_for=arguments.unused_for,
            max_bytes=arguments.max_size,
            keep_linked=arguments.keep_linked,
        )
    if arguments.json:
        print_json([{**entry_as_json(entry), "frees": entry.frees} for entry in removed])
        return
    for entry in removed:
        say(f"{entry.name} {entry.filename}: removed")
    size = sum(entry.whole_size for entry in removed)
    freed = sum(entry.whole_size if entry.frees is None else entry.frees for entry in removed)
    shared = "" if freed == size else f", {mib(freed)} MiB freed: environments have the rest"
    say(f"{mib(size)} MiB removed{shared}")
