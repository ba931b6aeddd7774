"""What there is in a store."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, NamedTuple

from wheel_linker._log import log
from wheel_linker._wheel.filename import WheelFilename
from wheel_linker._wheel.record import Row
from wheel_linker._wheel.unpacked import UnpackedWheel
from wheel_linker.errors import InvalidWheelError
from wheel_linker.store import manifest
from wheel_linker.store.known_tree import known_tree
from wheel_linker.store.layout import is_digest, is_entry_name, names_for
from wheel_linker.store.records import read_problems

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from wheel_linker._archive.unpacking import StoredFile
    from wheel_linker._wheel.record_problems import RecordProblem
    from wheel_linker._wheel.tree import Tree
    from wheel_linker.store.layout import Layout
    from wheel_linker.store.session import Session


class Entry(NamedTuple):
    """One unpacked wheel in a store."""

    name: str
    """The directory in the store's root."""
    digest: str
    """The SHA-256 of the wheel file, in hexadecimal digits."""
    filename: WheelFilename
    """What the wheel file was called that the entry was made from."""
    path: str
    """The root of the unpacked wheel."""
    files: int
    """How many files there are."""
    size: int
    """How many bytes they have."""
    used: float
    """When the entry was last added or linked, in seconds since the epoch."""
    frees: int | None = None
    """How many bytes removing it frees: files that environments have as hard links do not count. Known of what was
    pruned."""


class StoredWheel(UnpackedWheel):
    """An unpacked wheel in a store. As long as it is kept, no other process or store object removes the entry.

    It is an :class:`~wheel_linker.UnpackedWheel`, and pickles and copies as one.

    :ivar entry: the name of the entry.
    :ivar digest: the SHA-256 of the wheel file, in hexadecimal digits.
    """

    entry: str
    digest: str
    _session: Session
    _file: str | None

    @classmethod
    def of(
        cls,
        session: Session,
        entry: str,
        digest: str,
        filename: WheelFilename,
        file: str | None = None,
    ) -> StoredWheel:
        """Name an entry that the session holds.

        :param file: the path of the wheel file that was given.
        """
        made = cls(session.layout.tree(entry), filename)
        made.entry, made.digest, made._session, made._file = entry, digest, session, file
        return made

    def file(self) -> str | None:
        """Return the path of the ``.whl`` file that was given; None if it was found by something else."""
        return self._file

    @property
    def trusted(self) -> bool:
        """Whether nobody but the caller and root can have written its files, or the caller trusts the store."""
        return self._session.standing.exclusive

    def hold(self) -> AbstractContextManager[None]:
        """Keep the entry in place, even from the store object that it is from; meant for the time of linking.

        :raises InvalidWheelError: when entered, if it was removed before.
        """
        return self._session.linking(self.entry)

    def known_tree(self) -> Tree | None:
        """Return what was unpacked and verified; None if that is not known any more."""
        return known_tree(os.path.realpath(self.path), self._session.layout.manifest(self.entry))

    def carried_rows(self) -> bytes | None:
        """Return what an installed ``RECORD`` has from the wheel's own; None if that is not known."""
        try:
            with open(self._session.layout.rows(self.entry), "rb", buffering=0) as file:
                return file.read()
        except OSError:
            return None  # the manifest has them, too

    def known_rows(self) -> dict[str, Row]:
        """Return what an installed ``RECORD`` says of each file.

        :raises InvalidWheelError: if that is not known any more.
        """
        try:
            _, files = manifest.read_files(self._session.layout.manifest(self.entry))
        except (OSError, manifest.BrokenManifestError) as error:
            raise InvalidWheelError(
                f"the entry {self._session.layout.entry(self.entry)!r} is damaged: {error}; "
                "remove it, and add the wheel again"
            ) from error
        return {file.path: _row(file) for file in files}

    def record_problems(self) -> tuple[RecordProblem, ...]:
        """Return what was not right about its ``RECORD`` when it was unpacked."""
        return read_problems(self._session.layout.problems(self.entry))

    def __reduce__(self) -> tuple[object, ...]:
        return (UnpackedWheel, tuple(self))


def _row(file: StoredFile) -> Row:
    algorithm, _, digest = file.hash.partition("=")
    return Row(algorithm, digest, file.size)


EntryLike = Entry | StoredWheel | str
"""What is accepted as an entry: itself, its wheel, its name, or the wheel's SHA-256."""


def read_entry(layout: Layout, name: str) -> Entry | None:
    """Return an entry; None if there is none, or what is there was not written by this library.

    :raises OSError: if it cannot be read.
    """
    path = layout.manifest(name)
    try:
        facts = manifest.read(path)
        used = used_at(os.stat(path))
        filename = WheelFilename.parse(facts.filename)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (manifest.BrokenManifestError, ValueError, PermissionError) as error:
        log("%s is no entry: %s", layout.entry(name), error)
        return None
    return Entry(name, facts.digest, filename, layout.tree(name), facts.files, facts.size, used)


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
    try:
        names = sorted(filter(is_entry_name, os.listdir(layout.root)))
    except FileNotFoundError:
        return []
    return [entry for entry in (read_entry(layout, name) for name in names) if entry is not None]


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


def named(layout: Layout, entry: EntryLike) -> Entry | None:
    """Return the entry that is meant; None if it is not there (any more).

    :raises ValueError: if a text is neither an entry's name nor a digest.
    :raises OSError: if it cannot be read.
    """
    if isinstance(entry, StoredWheel):
        return read_entry(layout, entry.entry)
    if isinstance(entry, Entry):
        return read_entry(layout, entry.name)
    if is_digest(entry):
        return find_entry(layout, entry)
    if not is_entry_name(entry):
        raise ValueError(f"{entry!r} is neither an entry's name nor a SHA-256")
    return read_entry(layout, entry)
