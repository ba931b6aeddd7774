"""What there is in a store."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NamedTuple

from wheel_linker._compat.override import override
from wheel_linker._fs.folder import Folder
from wheel_linker._fs.reading import read_regular
from wheel_linker._log import log
from wheel_linker._wheel.dist_info import DIST_INFO
from wheel_linker._wheel.filename import WheelFilename
from wheel_linker._wheel.record import Row
from wheel_linker._wheel.tree import Tree
from wheel_linker._wheel.unpacked import UnpackedWheel
from wheel_linker.errors import InvalidWheelError
from wheel_linker.store._bytecode.sets import size_of_sets
from wheel_linker.store._entry import manifest
from wheel_linker.store._entry.checking import whole
from wheel_linker.store._entry.records import is_record, made_rows, read_problems
from wheel_linker.store._entry.seal import unsealed
from wheel_linker.store.layout import PARTS, Layout, is_digest, is_entry_name, names_for

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from wheel_linker._archive.unpacking import StoredFile
    from wheel_linker._fs.folder import Parts
    from wheel_linker._wheel.record_problems import RecordProblem
    from wheel_linker._wheel.tree import Directory
    from wheel_linker.store._entry.checking import Check
    from wheel_linker.store.session import Session

REMEDY: Final = "add the wheel again or repair the entry, both with the wheel file"
_UNKNOWN: Final = "0+unknown"
# Bytes; more than the RECORD of a wheel of as many files as a wheel may have.
_ROWS_LIMIT: Final = 1024**3


class Entry(NamedTuple):
    """One unpacked wheel in a store."""

    name: str
    """The directory in the store's root."""
    digest: str
    """The SHA-256 of the wheel file, in hexadecimal digits; empty if the entry's description cannot be read."""
    filename: WheelFilename
    """What the wheel file was called that the entry was made from."""
    path: str
    """The root of the unpacked wheel."""
    files: int
    """How many files and symlinks there are."""
    size: int
    """How many bytes they have."""
    used: float
    """When the entry was last added or linked, in seconds since the epoch."""
    frees: int | None = None
    """How many bytes removing it frees: files that environments have as hard links do not count. Known of what was
    pruned."""
    bytecode: int = 0
    """How many bytes of bytecode are kept for it, besides."""

    @property
    def whole_size(self) -> int:
        """How many bytes its files and their bytecode have."""
        return self.size + self.bytecode


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
    _check: Check | None
    _directories: Sequence[Directory] | None
    _problems: tuple[RecordProblem, ...] | None

    @classmethod
    def of(
        cls,
        session: Session,
        entry: str,
        digest: str,
        filename: WheelFilename,
        file: str | None,
        check: Check | None,
        directories: Sequence[Directory] | None = None,
    ) -> StoredWheel:
        """Name an entry that the session holds.

        :param file: the path of the wheel file that was given.
        :param check: what is compared each time before it is linked.
        :param directories: what is in it, if that is known.
        """
        made = cls(session.layout.tree(entry), filename)
        made.entry, made.digest, made._session = entry, digest, session
        made._file, made._check, made._directories = file, check, directories
        made._problems = None
        return made

    @override
    def file(self) -> str | None:
        """Return the path of the ``.whl`` file that was given; None if it was found by something else."""
        return self._file

    @property
    @override
    def trusted(self) -> bool:
        """Whether nobody but the caller and root can have written its files, or the caller trusts the store."""
        return self._session.standing.exclusive

    @contextmanager
    @override
    def hold(self) -> Iterator[None]:
        """Keep the entry in place, even from the store object that it is from; meant for the time of linking.

        :raises InvalidWheelError: when entered, if it was removed before, or is not what was unpacked as far as the
            store compares it.
        """
        with self._session.linking(self.entry):
            check = self._check
            if check is not None and not whole_entry(self._session, self.entry, self.digest, check):
                raise self._damaged("its files are not as they were unpacked")
            yield

    @override
    def note_symlinks(self) -> None:
        """Have the store know that environments may have symlinks to it."""
        try:
            self._session.note_symlinks(self.entry)
        except OSError as error:
            # Everything is in place; what is noted is for words only.
            log("cannot note the symlinks to %s: %s", self.path, error)

    @override
    def known_tree(self) -> Tree:
        """Return what was unpacked and verified.

        :raises InvalidWheelError: if that is not known any more.
        """
        layout = self._session.layout
        try:
            directories = self._directories
            if directories is None:
                directories = manifest.read_listing(layout.manifest(self.entry)).directories
            # A file that was removed since is an error when it is linked, and one that was added is not linked.
            path = Layout(self._session.open().root).tree(self.entry)
            with Folder.open(path) as root:
                return Tree.of(root.path, root.identity(), directories)
        except (FileNotFoundError, NotADirectoryError, manifest.BrokenManifestError) as error:
            raise self._damaged(str(error)) from error

    @override
    def carried_rows(self) -> bytes | None:
        """Return what an installed ``RECORD`` has from the wheel's own; None if that is not known.

        :raises InvalidWheelError: if the entry is damaged.
        """
        layout = self._session.layout
        try:
            return unsealed(read_regular(layout.rows(self.entry), _ROWS_LIMIT))
        except (OSError, ValueError) as error:
            log("the rows of %s cannot be used: %s", layout.entry(self.entry), error)
        return self._made_rows()

    def _made_rows(self) -> bytes | None:
        """Return rows made of what was unpacked, should those that were kept be destroyed; None if none were kept."""
        facts, files = self._described()
        if facts.rows < 0:
            return None
        record = next(file.path for file in files if is_record(file.path))
        return made_rows(files, record.partition("/")[0]).encode("utf-8")

    @override
    def known_rows(self, below: Collection[Parts] | None = None) -> dict[str, Row]:
        """Return what an installed ``RECORD`` says of each file; symlinks are none.

        :param below: the first two names of the directories whose files are asked for; all by default.
        :raises InvalidWheelError: if that is not known any more.
        """
        return {file.path: _row(file) for file in self._described(below)[1] if file.target is None}

    @override
    def record_problems(self) -> tuple[RecordProblem, ...]:
        """Return what was not right about its ``RECORD`` when it was unpacked."""
        if self._problems is None:
            self._problems = read_problems(self._session.layout.problems(self.entry))
        return self._problems

    @property
    def session(self) -> Session | None:
        """The store's, if that keeps bytecode of it."""
        return None if self._session.compiling is None else self._session

    def _described(
        self, below: Collection[Parts] | None = None
    ) -> tuple[manifest.Manifest, Sequence[StoredFile]]:
        try:
            return manifest.read_files(self._session.layout.manifest(self.entry), below)
        except (OSError, manifest.BrokenManifestError) as error:
            raise self._damaged(str(error)) from error

    def _damaged(self, why: str) -> InvalidWheelError:
        return InvalidWheelError(
            f"cannot use the entry {self._session.layout.entry(self.entry)!r}: it is damaged ({why}); {REMEDY}"
        )

    @override
    def __reduce__(self) -> tuple[object, ...]:
        return (UnpackedWheel, tuple(self))


def _row(file: StoredFile) -> Row:
    algorithm, _, digest = file.hash.partition("=")
    return Row(algorithm, digest, file.size)


EntryLike = Entry | StoredWheel | str
"""What is accepted as an entry: itself, its wheel, its name, or the wheel's SHA-256."""


def whole_entry(session: Session, name: str, digest: str, check: Check) -> manifest.Listing | None:
    """Return what an entry of a session's store has, as :func:`whole` does; errors as there."""
    return whole(
        session.layout,
        name,
        digest,
        check,
        session.mends_bits,
        keeps_notes=not session.read_only,
        listings=session.listings,
    )


def read_entry(layout: Layout, name: str) -> Entry | None:
    """Return an entry; None if there is none, or what is there was not written by this library.

    :raises OSError: if it cannot be read.
    """
    path = layout.manifest(name)
    try:
        facts = manifest.read(path)
        used = used_at(os.stat(path))
        bytecode = size_of_sets(layout, name)
        filename = WheelFilename.parse(facts.filename)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (manifest.BrokenManifestError, ValueError, PermissionError) as error:
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
    except (FileNotFoundError, NotADirectoryError):
        return None
    except PermissionError as error:
        # Another user's, who keeps it from the caller.
        log("cannot tell whether %s is an entry: %s", layout.entry(name), error)
        return None


def unreadable(layout: Layout, name: str) -> Entry:
    """Return what is known of an entry whose description cannot be read."""
    path = layout.entry(name)
    used = os.stat(path).st_mtime
    return Entry(name, "", _guessed(layout, name), layout.tree(name), 0, 0, used)


def _guessed(layout: Layout, name: str) -> WheelFilename:
    """Return what the wheel may have been called of which the description is lost."""
    try:
        found = [item for item in os.listdir(layout.tree(name)) if item.endswith(DIST_INFO)]
        return WheelFilename.from_dist_info(*found)
    except (OSError, TypeError, InvalidWheelError):
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
