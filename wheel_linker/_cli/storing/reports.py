"""What is in a store, as JSON for programs; keys may be added, but none is renamed or removed."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wheel_linker.store import Damage, Entry


def entry_as_json(entry: Entry) -> dict[str, object]:
    """Return an entry.

    ``entry`` is its name, ``wheel`` the file name of the wheel, ``sha256`` that of the file, ``path`` where it is
    unpacked, ``files`` their number, ``bytes`` their size, ``bytecode`` how many bytes of that are kept besides, and
    ``used`` when it was last added or linked, in seconds since the epoch.
    """
    return {
        "entry": entry.name,
        "wheel": str(entry.filename),
        "sha256": entry.digest,
        "path": entry.path,
        "files": entry.files,
        "bytes": entry.size,
        "bytecode": entry.bytecode,
        "used": entry.used,
    }


def damage_as_json(damage: Damage) -> dict[str, object]:
    """Return what is wrong with a file: its ``entry`` and ``wheel``, its ``path`` in that, and the ``kind``."""
    return {
        "entry": damage.entry.name,
        "wheel": str(damage.entry.filename),
        "path": damage.path,
        "kind": damage.kind,
    }
