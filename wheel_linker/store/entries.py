"""What there is in a store."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Final

from wheel_linker._fs.reading import is_nothing
from wheel_linker._log import log
from wheel_linker._wheel.dist_info import DIST_INFO
from wheel_linker._wheel.filename import WheelFilename
from wheel_linker.store._bytecode.sets import size_of_sets
from wheel_linker.store._entry import manifest
from wheel_linker.store._entry.entry import Entry
from wheel_linker.store._entry.errors import BrokenManifestError
from wheel_linker.store._entry.stored_wheel import StoredWheel
from wheel_linker.store.layout import PARTS, Layout
from wheel_linker.store.names import is_digest, is_entry_name, names_for

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wheel_linker.store._entry.stored_wheel import EntryLike


_UNKNOWN: Final = "0+unknown"


def read_entry(layout: Layout, name: str) -> Entry | None:
    """Return an entry; None if there is none, or what is there was not written by this library.

    :raises OSError: if it cannot be read.
    """
    path = layout.manifest(name)
    try:
        facts = manifest.read(path)
        used = used_at(os.stat(path))
        bytecode = size_of_sets(layout, name)
        filename = WheelFilename.known(facts.filename)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (BrokenManifestError, ValueError, PermissionError) as error:
        log("%s is no entry: %s", layout.entry(name), error)
        return None
    tree = layout.tree(name)
    return Entry(
        name, facts.digest, filename, tree, facts.files, facts.size, used, bytecode=bytecode
    )


def used_at(status: os.stat_result) -> float:
    """Return when an entry was used, from what the system knows of its description.

    A time in the future is none: an archive may have set it, or a clock was wrong.
    """
    now = time.time()
    return status.st_mtime if status.st_mtime <= now else min(status.st_ctime, now)


def read_entries(layout: Layout) -> list[Entry]:
    """Return all entries by name.

    :raises OSError: if they cannot be read.
    """
    return [entry for name in _names(layout) if (entry := read_entry(layout, name)) is not None]


def find_entry(layout: Layout, digest: str) -> Entry | None:
    """Return the entry of a wheel; None if there is none.

    :param digest: the wheel's SHA-256 in hexadecimal digits.
    :raises OSError: if it cannot be read.
    """
    for name in names_for(digest):
        entry = read_entry(layout, name)
        if entry is not None and entry.digest == digest:
            return entry
    return None


def read_broken(layout: Layout, name: str) -> Entry | None:
    """Return an entry whose description cannot be read; None if there is none, or it is as it should be.

    :raises OSError: if it cannot be read.
    """
    try:
        # A directory of somebody's own that happens to be called like an entry is left alone.
        ours = PARTS.issuperset(os.listdir(layout.entry(name)))
        return unreadable(layout, name) if ours and read_entry(layout, name) is None else None
    except PermissionError as error:
        # The entry is another user's, who keeps it from the caller.
        log("cannot tell whether %s is an entry: %s", layout.entry(name), error)
        return None
    except OSError as error:
        if not is_nothing(error):
            raise
        return None


def unreadable(layout: Layout, name: str) -> Entry:
    """Return what is known of an entry whose description cannot be read."""
    path = layout.entry(name)
    used = os.stat(path).st_mtime
    return Entry(name, "", _guessed(layout, name), layout.tree(name), 0, 0, used)


def _guessed(layout: Layout, name: str) -> WheelFilename:
    """Return what the wheel of an entry may have been called whose description is lost."""
    try:
        (found,) = (item for item in os.listdir(layout.tree(name)) if item.endswith(DIST_INFO))
        return WheelFilename.from_dist_info(found)
    except (OSError, ValueError):
        return WheelFilename.from_dist_info(f"{name}-{_UNKNOWN}{DIST_INFO}")


def broken_entries(layout: Layout) -> list[Entry]:
    """Return the entries whose description cannot be read, by name.

    :raises OSError: if the store cannot be read.
    """
    return [entry for name in _names(layout) if (entry := read_broken(layout, name)) is not None]


def _names(layout: Layout) -> list[str]:
    try:
        return sorted(filter(is_entry_name, os.listdir(layout.root)))
    except FileNotFoundError:
        return []


def named(layout: Layout, entry: EntryLike) -> Entry | None:
    """Return the entry that is meant, one whose description cannot be read included; None if it is not there.

    :raises ValueError: if a text is neither an entry's name nor a digest.
    :raises OSError: if it cannot be read.
    """
    if isinstance(entry, str) and is_digest(entry):
        return find_entry(layout, entry) or _first_broken(layout, names_for(entry))
    name = _name_of(entry)
    if not is_entry_name(name):
        raise ValueError(f"{entry!r} is neither an entry's name nor a SHA-256")
    return read_entry(layout, name) or read_broken(layout, name)


def _name_of(entry: EntryLike) -> str:
    if isinstance(entry, str):
        return entry
    return entry.entry if isinstance(entry, StoredWheel) else entry.name


def _first_broken(layout: Layout, names: Iterable[str]) -> Entry | None:
    found = (read_broken(layout, name) for name in names)
    return next((entry for entry in found if entry is not None), None)
