"""The commands of ``wheel-linker store`` that change nothing."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from wheel_linker._cli.output import Column, counted, print_table, put, say
from wheel_linker._cli.reports import print_json
from wheel_linker._cli.store import needed_store
from wheel_linker._cli.storing.quantities import age, mib
from wheel_linker._cli.storing.reports import damage_as_json, entry_as_json
from wheel_linker.errors import WheelLinkerError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Collection, Iterable

    from wheel_linker.store import Damage, Entry, WheelStore

_COLUMNS: Final = (
    Column("entry"),
    Column("wheel"),
    Column("files", right=True),
    Column("MiB", right=True),
    Column("bytecode", right=True),
    Column("unused for", right=True),
)


def list_entries(arguments: argparse.Namespace) -> None:
    """Do as ``store list`` is told."""
    found = needed_store(arguments).entries()
    if arguments.json:
        print_json([entry_as_json(entry) for entry in found])
        return
    now = time.time()
    print_table(_COLUMNS, [_row(entry, now) for entry in found])


def path(arguments: argparse.Namespace) -> None:
    """Do as ``store path`` is told."""
    store = needed_store(arguments)
    if arguments.json:
        print_json({"path": store.root, "bases": list(store.bases)})
    else:
        put(store.root)


def size(arguments: argparse.Namespace) -> None:
    """Do as ``store size`` is told."""
    found = needed_store(arguments).entries()
    files, bytecode = sum(one.files for one in found), sum(one.bytecode for one in found)
    whole = sum(one.whole_size for one in found)
    if arguments.json:
        print_json({"entries": len(found), "files": files, "bytes": whole, "bytecode": bytecode})
        return
    of_it = f", {mib(bytecode)} MiB of it bytecode" if bytecode else ""
    say(f"{counted(len(found), 'wheel')}, {counted(files, 'file')}, {mib(whole)} MiB{of_it}")


def verify(arguments: argparse.Namespace) -> None:
    """Do as ``store verify`` is told.

    :raises WheelLinkerError: if a file is not as it was unpacked, or an entry is not there.
    """
    with needed_store(arguments) as store:
        present = store.entries()
        damage = _damage(store, present, arguments)
        looked_at = asked_for(present, arguments.entries) if arguments.entries else present
        if arguments.json:
            print_json(_as_json(store, looked_at if arguments.record else (), damage))
        else:
            _tell(store, looked_at if arguments.record else (), damage)
    if damage:
        raise WheelLinkerError(
            f"not as they were unpacked: {len(damage):,} of the stored files; repair their entries, "
            "and link environments anew that have them as hard links or symlinks"
        )


def _damage(
    store: WheelStore, present: Iterable[Entry], arguments: argparse.Namespace
) -> list[Damage]:
    if not arguments.entries:
        return store.verify(deep=arguments.deep)
    known = names_of(present)
    damage = []
    for name in arguments.entries:
        found = store.verify(name, deep=arguments.deep)
        if name not in known and not found:
            raise not_there(store, name)
        damage += found
    return damage


def names_of(present: Iterable[Entry]) -> Collection[str]:
    """Return by which names entries may be asked for."""
    return {name for entry in present for name in (entry.name, entry.digest)}


def asked_for(present: Iterable[Entry], names: Iterable[str]) -> list[Entry]:
    """Return the entries that some names or digests are those of."""
    asked = set(names)
    return [one for one in present if asked & {one.name, one.digest}]


def not_there(store: WheelStore, name: str) -> WheelLinkerError:
    """Return the error for an entry that is not there."""
    return WheelLinkerError(
        f"the store {store.root!r} has no entry {name!r}: 'store list' shows those it has"
    )


def _tell(store: WheelStore, entries: Iterable[Entry], damage: Iterable[Damage]) -> None:
    for entry in entries:
        for problem in store.record_problems(entry):
            say(f"{entry.name} {entry.filename}: {problem.kind}: {problem}")
    for item in damage:
        say(f"{item.entry.name} {item}")


def _as_json(
    store: WheelStore, entries: Iterable[Entry], damage: Iterable[Damage]
) -> dict[str, object]:
    problems = [
        {"entry": entry.name, **problem._asdict()}
        for entry in entries
        for problem in store.record_problems(entry)
    ]
    return {"damage": [damage_as_json(item) for item in damage], "record_problems": problems}


def _row(entry: Entry, now: float) -> tuple[str, ...]:
    return (
        entry.name,
        str(entry.filename),
        f"{entry.files:,}",
        mib(entry.size),
        mib(entry.bytecode),
        age(now - entry.used),
    )
