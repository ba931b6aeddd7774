"""Telling whether an entry may be used: what is destroyed is never linked."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Final, Literal

from wheel_linker._compat.named_tuple import NamedTuple
from wheel_linker._fs.copying import create_with
from wheel_linker._fs.durable import boot_id
from wheel_linker._fs.folder import Folder
from wheel_linker._fs.reading import is_nothing, read_regular
from wheel_linker._fs.timestamps import look_at
from wheel_linker._fs.windows import is_directory
from wheel_linker._log import log
from wheel_linker._wheel.tree import Unpacked, is_metadata
from wheel_linker.store._entry import manifest
from wheel_linker.store._entry.content import NOT_THERE, has_content, leads_to, size_of
from wheel_linker.store._entry.errors import BrokenManifestError
from wheel_linker.store._entry.seal import is_sealed, is_sealed_or_missing, sealed, unsealed
from wheel_linker.store.layout import BOOT, TIMES, TREE
from wheel_linker.store.trust import settle_one

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from wheel_linker._wheel.tree import Directory
    from wheel_linker.store._entry.descriptions import Descriptions
    from wheel_linker.store._entry.manifest import Description
    from wheel_linker.store.layout import Layout
    from wheel_linker.store.trust import Standing

Check = Literal["size", "hash"]
"""What is compared before an entry is used."""
UNKNOWN_BOOT: Final = "unknown"
# Bytes.
_NOTE_LIMIT: Final = 100
# Nanoseconds: FAT keeps times in steps of two seconds.
_COARSEST: Final = 3 * 10**9


class _Seen(NamedTuple):
    """What the files of an entry look like, all of them with the size that they should have."""

    late: dict[str, int]
    """The times of files with another than that of unpacking: nanoseconds since the epoch by path."""
    executables: int
    """How many of the files are executable."""


def whole(
    layout: Layout,
    name: str,
    digest: str,
    check: Check | None,
    mends_bits: Callable[[], bool],
    notes: Standing | None,
    *,
    descriptions: Descriptions | None = None,
) -> Description | None:
    """Return what an entry has, if it is a wheel's and nothing of it is missing or destroyed.

    Every file has to be there with its size; one with another time than that of unpacking is read. All are read where
    it is not known that they were on the disk when the system was started; that is asked once after each start.
    There have to be as many executables as there were.

    :param digest: the wheel's SHA-256 in hexadecimal digits.
    :param check: ``"hash"`` to read all files in any case, None to look at the description alone.
    :param mends_bits: tells whether executables that are none any more count as destroyed; called if there are fewer.
    :param notes: what the caller is to the store, in which it is noted for the next time what was found out; None to
        note nothing.
    :param descriptions: the descriptions that were read before.
    :raises OSError: if it cannot be read.
    """
    try:
        read = manifest.read_description if descriptions is None else descriptions.read
        description = read(layout.manifest(name))
        if description.facts.digest != digest:
            return None
        if check is not None and not _is_intact(
            layout, name, description, check == "hash", mends_bits, notes
        ):
            return None
    except (OSError, BrokenManifestError) as error:
        if not _is_damage(error):
            raise
        log("the entry %s cannot be used: %s", layout.entry(name), error)
        return None
    return description


def promising(
    layout: Layout, name: str, digest: str, descriptions: Descriptions
) -> tuple[Description, Unpacked] | None:
    """Return what an entry has, if all but the files that are linked has been looked at and is as it was unpacked.

    Whoever links these looks at each of them when it is linked, which is quicker than before: several processes share
    it. What an installation reads, ``*.dist-info`` and ``*.data``, is looked at here.

    :param digest: as for :func:`whole`.
    :param descriptions: as for :func:`whole`.
    :returns: the description, and what the other files have to look like; None if all of them have to be looked at
        first, as :func:`whole` does.
    :raises OSError: if it cannot be read.
    """
    try:
        description = descriptions.read(layout.manifest(name))
        facts = description.facts
        if facts.digest != digest or size_of(layout.rows(name)) != facts.rows:
            return None
        if size_of(layout.times(name)) != NOT_THERE or not is_settled(layout, name):
            return None
        with Folder.open(layout.entry(name)) as entry, entry.enter(TREE) as tree:
            seen = _look_at(tree, description, filter(is_metadata, description.directories))
    except (OSError, BrokenManifestError) as error:
        if not _is_damage(error):
            raise
        log("the entry %s cannot be used: %s", layout.entry(name), error)
        return None
    if seen is None or seen.late:
        return None
    return description, Unpacked(facts.stamp, description.executables - seen.executables)


def _is_damage(error: Exception) -> bool:
    """Tell whether an error says that something of an entry is missing, or that a symlink took its place."""
    return not isinstance(error, OSError) or is_nothing(error)


def has_directories(tree: str, directories: Iterable[Directory]) -> bool:
    """Tell whether each directory of an unpacked wheel is one, and not a symlink.

    A look at files goes through symlinks to directories, since it costs less; linking does not.
    """
    try:
        return all(
            is_directory(os.lstat(os.path.join(tree, *directory.parts)))
            for directory in directories
        )
    except OSError as error:
        return not _is_damage(error)


def _is_intact(
    layout: Layout,
    name: str,
    description: Description,
    deep: bool,
    mends_bits: Callable[[], bool],
    notes: Standing | None,
) -> bool:
    rows = layout.rows(name)
    if size_of(rows) != description.facts.rows:
        return False
    with Folder.open(layout.entry(name)) as entry, entry.enter(TREE) as tree:
        seen = _look_at(tree, description, description.directories)
        if seen is None:
            return False
        if os.name == "posix" and seen.executables < description.executables and mends_bits():
            return False
        late = seen.late
        settled = is_settled(layout, name)
        if not is_sealed_or_missing(layout.problems(name)):
            return False
        if deep or not settled:
            intact = _has_contents(layout, name, tree, None)
            intact = intact and (
                description.facts.rows < 0 or is_sealed(rows, description.facts.rows)
            )
        else:
            unread = _unread(layout, name, late) if late else ()
            intact = not unread or _has_contents(layout, name, tree, unread)
            if unread and intact and notes is not None:
                _note_times(entry, max(late.values()), notes)
    if intact and not settled and notes is not None:
        _forget_boot(layout, name)
    return intact


def _look_at(
    tree: Folder, description: Description, directories: Iterable[Directory]
) -> _Seen | None:
    """Compare the size of all files of some directories, and all symlinks, and return what else their status says.

    :returns: None if a file is none, or has another size, or a symlink leads elsewhere.
    :raises OSError: if that cannot be told; FileNotFoundError if one is missing.
    """
    late: dict[str, int] = {}
    executables = 0
    for directory in directories:
        there = tree.below(os.sep.join(directory.parts)) if directory.parts else tree
        later: list[tuple[str, int]] = []
        seen = look_at(
            there, directory.files, directory.sizes or (), description.facts.stamp, later
        )
        if seen is None:
            return None
        executables += seen.executables
        late.update([(directory.path_of(name), changed) for name, changed in later])
        for name, target in directory.links:
            if not leads_to(tree, directory.path_of(name), target):
                return None
    return _Seen(late, executables)


def _unread(layout: Layout, name: str, late: dict[str, int]) -> frozenset[str]:
    """Return the files that were changed since they were read last, as far as their times tell."""
    try:
        seen = int(unsealed(read_regular(layout.times(name), _NOTE_LIMIT)))
    except (OSError, ValueError):
        return frozenset(late)
    return frozenset(path for path, changed in late.items() if changed > seen)


def _note_times(entry: Folder, latest: int, standing: Standing) -> None:
    """Note the latest time of files that were read and found to be right, as in a store that was copied.

    Whoever changes one from now on gives it a later time; not so just after, where clocks are coarse.
    """
    if latest > time.time_ns() - _COARSEST:
        return
    path = entry.prefix + TIMES
    try:
        if entry.lstat(TIMES) is not None:
            os.unlink(path, dir_fd=entry.fd)
        create_with(sealed(str(latest).encode("ascii")), path, entry.fd)
        settle_one(entry, TIMES, standing)
    except OSError as error:
        log("cannot note the times of %s: %s", entry.path, error)


def is_settled(layout: Layout, name: str) -> bool:
    """Tell whether an entry is on the disk, or the system was not started since it was made."""
    try:
        noted = read_regular(layout.boot(name), _NOTE_LIMIT)
    except FileNotFoundError:
        return True
    except OSError as error:
        log("the boot of %s is not known: %s", layout.entry(name), error)
        return False
    return noted == boot_note() != UNKNOWN_BOOT.encode("ascii")


def note_boot(entry: Folder, standing: Standing) -> None:
    """Note in a new entry, or a set of bytecode, that nobody knows it to be on the disk.

    :raises OSError: if that cannot be done.
    """
    create_with(boot_note(), entry.prefix + BOOT, entry.fd)
    settle_one(entry, BOOT, standing)


def boot_note() -> bytes:
    """Return what is noted of the running system."""
    return (boot_id() or UNKNOWN_BOOT).encode("ascii", "replace")


def _has_contents(layout: Layout, name: str, tree: Folder, paths: Collection[str] | None) -> bool:
    """Read files, all by default, and tell whether they are what was unpacked."""
    _, files = manifest.read_files(layout.manifest(name))
    return all(
        has_content(tree, file.path, file) for file in files if paths is None or file.path in paths
    )


def _forget_boot(layout: Layout, name: str) -> None:
    try:
        os.unlink(layout.boot(name))
    except OSError as error:
        log("cannot note that %s is on the disk: %s", layout.entry(name), error)
