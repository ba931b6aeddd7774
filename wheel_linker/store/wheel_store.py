"""The store: what programs call."""

from __future__ import annotations

import errno
import os
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Final

from wheel_linker._archive.limits import Limits
from wheel_linker._archive.wheel_file import WheelFile
from wheel_linker._fs.folder import Folder
from wheel_linker._fs.patience import TIMEOUT
from wheel_linker._fs.timestamps import unsettled_for
from wheel_linker._log import log_warning
from wheel_linker._threads import Crew, affordable, run, usable_cpus
from wheel_linker._wheel.filename import WheelFilename
from wheel_linker._wheel.record_problems import (
    described,
    refuse_unknown_record,
    warn_of_problems,
)
from wheel_linker.errors import InvalidWheelError, LinkError
from wheel_linker.store import index
from wheel_linker.store._entry import manifest
from wheel_linker.store._entry.checking import whole
from wheel_linker.store._entry.damage import Bits, description_damage, find_damage
from wheel_linker.store._entry.manifest import BrokenManifestError
from wheel_linker.store._entry.records import read_problems
from wheel_linker.store.adding import How, check_digest, have_on_disk, mend_entry, unpack_entry
from wheel_linker.store.batch import Batch, Wanted
from wheel_linker.store.control import control_folder
from wheel_linker.store.entries import (
    StoredWheel,
    broken_entries,
    find_entry,
    named,
    read_broken,
    read_entries,
)
from wheel_linker.store.index import Known
from wheel_linker.store.layout import Layout, is_digest, may_be_of
from wheel_linker.store.pruning import correct_times, prunable
from wheel_linker.store.removal import remove_entry, remove_if_permitted, waste_if_possible
from wheel_linker.store.session import Session
from wheel_linker.store.symlinked import note_pruning, tell_removed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import timedelta

    from wheel_linker._wheel.record_problems import RecordMode, RecordProblem
    from wheel_linker.store._entry.checking import Check
    from wheel_linker.store._entry.damage import Damage
    from wheel_linker.store.entries import Entry, EntryLike

# What adding one wheel has open: the archive, the stage and its directories, for a moment those of the store.
_DESCRIPTORS: Final = 16


class WheelStore:
    """Unpacked wheels in a directory, one for each wheel file's content, for any number of threads and processes.

    Nothing is touched until the first call. What :meth:`add` returns stays in place as long as it is kept, or the
    store object is; use the store as a context manager, or :meth:`close` it, to end that at a certain point.

    A store that is root's, or on a read-only file system, can be linked from: whatever it has is found.
    One that is another user's is not, unless ``trusted``: its owner could change what it holds at any time.

    :param root: the store's directory; made with its parents if missing.
    :param protect: whether stored files are made read-only, so that an edit through a hard link fails.
    :param limits: what wheels may unpack to.
    :param jobs: how many threads, those of the callers included, unpack at once; by default as many as this
        process may use CPUs.
    :param durable: whether an entry is on the disk before it can be used, so that no power cut destroys one. Where
        that cannot be had, or is not wanted, all files of an entry are read when it is first used after another start
        of the system, and it is made anew if they are not what they were.
    :param check: what is compared with what was unpacked each time that an entry is linked or installed: ``"size"``
        asks for the size of each file, ``"hash"`` reads them all; None trusts what :meth:`add` has seen, which is
        the sizes.
    :param trusted: whether what lies in it is used although it belongs to another user (neither the caller nor
        root), or everybody may write to it. A store that a group shares on purpose needs no such word: its directory
        is setgid and the group may write to it.
    :param timeout: how many seconds another process or thread that adds or removes is waited for; None for ever.
        After some seconds a warning is logged.
    :raises ValueError: for fewer than one job, or another check.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        *,
        protect: bool = False,
        limits: Limits | None = None,
        jobs: int | None = None,
        durable: bool = True,
        check: Check | None = None,
        trusted: bool = False,
        timeout: float | None = TIMEOUT,
    ) -> None:
        if check not in (None, "size", "hash"):
            raise ValueError(f"check is {check!r}: give 'size', 'hash' or None")
        if jobs is not None and jobs < 1:
            raise ValueError(f"jobs is {jobs}: at least one thread has to do the work")
        self._layout = Layout(os.path.abspath(os.fsdecode(root)))
        self._jobs = affordable(usable_cpus() if jobs is None else jobs, _DESCRIPTORS)
        self._how = How(
            Limits() if limits is None else limits, protect, Crew(self._jobs), durable, check
        )
        self._current = Session(self._layout, trusted=trusted, timeout=timeout)

    @property
    def root(self) -> str:
        """The store's directory, as an absolute path."""
        return self._layout.root

    @property
    def trusted(self) -> bool:
        """Whether what lies in it is used: see the parameter of that name.

        :raises LinkError: if it cannot be opened.
        """
        return self._session().standing.doubt is None

    def add(
        self,
        wheel_file: str | os.PathLike[str],
        *,
        sha256: str | None = None,
        record: RecordMode = "lenient",
    ) -> StoredWheel:
        """Return the unpacked wheel of a wheel file; unpack and verify it if it is not in the store yet.

        A file that was added before and has not been changed or replaced since is not read: the size of each file in
        its entry is compared with what was unpacked. An entry of which something is missing or destroyed is made anew.

        What is unpacked is what the archive holds. Where its ``RECORD`` says otherwise, the wheel's
        :meth:`~wheel_linker.store.StoredWheel.record_problems` do so, and one
        :class:`~wheel_linker.RecordWarning` is given when it is unpacked.

        :param wheel_file: the ``.whl`` file.
        :param sha256: the SHA-256 that the file must have, in hexadecimal digits.
        :param record: ``"strict"`` to refuse a wheel whose ``RECORD`` is not right.
        :raises InvalidWheelError: if it is no wheel, not the one it is called, not what ``sha256`` or a strict
            ``RECORD`` says, or holds what may not be unpacked. Nothing is kept of it.
        :raises LinkError: if it cannot be read, or the store not be written. Nothing is kept of it.
        :raises ValueError: if ``sha256`` is no SHA-256, or ``record`` another word.
        """
        wanted = Wanted(0, os.path.abspath(os.fsdecode(wheel_file)), _checked(sha256))
        refuse_unknown_record(record)
        with _errors(f"add the wheel {wanted.path!r} to the store {self.root!r}", wanted.path):
            (wheel,) = self._add_all([wanted], strict=record == "strict")
        return wheel

    def add_all(
        self, wheel_files: Iterable[str | os.PathLike[str]], *, record: RecordMode = "lenient"
    ) -> list[StoredWheel]:
        """Add several wheels, as many at once as the store has jobs.

        They are put into the store when all of them, or some hundred MB, are unpacked: having them on the disk takes
        hardly longer for many than for one.

        :param record: as for :meth:`add`.
        :returns: the unpacked wheels in the order given.
        :raises InvalidWheelError: as :meth:`add`; other wheels may have been added.
        :raises LinkError: as :meth:`add`; other wheels may have been added.
        """
        refuse_unknown_record(record)
        wanted = [
            Wanted(position, os.path.abspath(os.fsdecode(wheel_file)), None)
            for position, wheel_file in enumerate(wheel_files)
        ]
        with _errors(f"add wheels to the store {self.root!r}", self.root):
            return self._add_all(wanted, strict=record == "strict")

    def _add_all(self, wanted: Sequence[Wanted], *, strict: bool) -> list[StoredWheel]:
        session = self._session()
        added: dict[int, StoredWheel] = {}

        def find(one: Wanted) -> None:
            doing = f"add the wheel {one.path!r} to the store {self.root!r}"
            with _errors(doing, one.path), session.adding():
                found = self._find(session, one)
            if found is not None:
                added[one.position] = found

        run(wanted, find, self._jobs)
        rest = [one for one in wanted if one.position not in added]
        problems: dict[int, tuple[RecordProblem, ...]] = {}
        if rest:
            batch = self._add(rest, strict=strict)
            added.update(batch.added)
            problems = batch.problems
        # Not before: in the threads there is no line of the caller's to point to.
        for position in sorted(problems):
            warn_of_problems(str(added[position].filename), problems[position])
        wheels = [added[position] for position in range(len(wanted))]
        if strict:
            for one, wheel in zip(wanted, wheels):
                _refuse_problems(one.path, wheel)
        return wheels

    def find(self, sha256: str) -> StoredWheel | None:
        """Return the unpacked wheel of a wheel file that was added before, by its content alone.

        :param sha256: the SHA-256 of the wheel file, in hexadecimal digits.
        :returns: None if the store has none.
        :raises LinkError: if the store cannot be read.
        :raises ValueError: if ``sha256`` is no SHA-256.
        """
        digest = _checked(sha256)
        assert digest is not None
        session = self._session()
        with _errors(f"read the store {self.root!r}", self.root):
            entry = find_entry(self._layout, digest)
            if entry is None:
                return None
            return self._held(session, Known(digest, entry.name), entry.filename, None)

    def entries(self) -> list[Entry]:
        """Return what is in the store, by name.

        :raises LinkError: if it cannot be read.
        """
        with _errors(f"read the store {self.root!r}", self.root):
            return read_entries(self._layout)

    def remove(self, *entries: EntryLike) -> None:
        """Remove entries, those of this store object included; one that is not there is no error.

        :raises LinkError: EBUSY if one is in use by another store object or process, or being linked; then none is
            removed. Others if the store cannot be written.
        :raises ValueError: if a text is neither an entry's name nor a digest.
        """
        with _errors(f"remove from the store {self.root!r}", self.root):
            found = [
                entry
                for entry in (named(self._layout, entry) for entry in entries)
                if entry is not None
            ]
            self._remove(found, all_or_none=True)

    def prune(
        self,
        *,
        unused_for: float | timedelta | None = None,
        max_bytes: int | None = None,
        keep_linked: bool = False,
    ) -> list[Entry]:
        """Remove what was not used for long, or is too much, and what killed processes left; never what is in use.

        Entries whose description cannot be read are removed in any case.

        :param unused_for: remove what was neither added nor linked for so many seconds.
        :param max_bytes: remove what was used longest ago, until the files of the rest have no more bytes. What
            environments have as hard links goes last: removing it frees nothing.
        :param keep_linked: whether what an environment has as hard links stays in any case.
        :returns: what was removed; the ``frees`` of each says how many bytes that freed.
        :raises LinkError: if the store cannot be written.
        """
        with _errors(f"prune the store {self.root!r}", self.root):
            session = self._session()
            session.sweep()
            correct_times(map(self._layout.manifest, os.listdir(self.root)))
            # Nobody can use those that are damaged.
            chosen = broken_entries(self._layout)
            chosen += prunable(
                read_entries(self._layout),
                unused_for=unused_for,
                max_bytes=max_bytes,
                keep_linked=keep_linked,
            )
            removed = self._remove(chosen, all_or_none=False)
            with session.going(), control_folder(self._layout) as control:
                if unused_for is not None or max_bytes is not None:
                    note_pruning(control, session.standing)
                tell_removed(control, [entry.name for entry in removed], session.standing)
                index.compact(
                    control,
                    lambda name: os.path.exists(self._layout.manifest(name)),
                    session.standing,
                )
        return removed

    def verify(self, entry: EntryLike | None = None, *, deep: bool = False) -> list[Damage]:
        """Find files that were changed, removed or added since their wheel was unpacked.

        An entry whose description cannot be read has ``../entry`` damaged.

        :param entry: the one to look at; all by default.
        :param deep: whether every file is read and hashed; else only those whose time is another than that of
            unpacking, as after a copy or an archive, and the size and executability of the others must do.
        :returns: what differs; nothing for an entry that is not there.
        :raises LinkError: if the store cannot be read.
        :raises ValueError: if ``entry`` is a text that is neither an entry's name nor a digest.
        """
        with _errors(f"verify the store {self.root!r}", self.root):
            bits = Bits(self._session().stage)
            if entry is not None:
                one = named(self._layout, entry)
                return [] if one is None else self._verify(one, bits, deep=deep)
            return [
                damage
                for one in (*read_entries(self._layout), *broken_entries(self._layout))
                for damage in self._verify_if_readable(one, bits, deep=deep)
            ]

    def record_problems(self, entry: EntryLike) -> tuple[RecordProblem, ...]:
        """Return what was not right about the ``RECORD`` of an entry's wheel; nothing for one that is not there.

        :raises LinkError: if the store cannot be read.
        :raises ValueError: if ``entry`` is a text that is neither an entry's name nor a digest.
        """
        with _errors(f"read the store {self.root!r}", self.root):
            found = named(self._layout, entry)
            return () if found is None else read_problems(self._layout.problems(found.name))

    def repair(self, entry: EntryLike, wheel_file: str | os.PathLike[str]) -> list[Damage]:
        """Make an entry again what it was, from its wheel file; what links to it may be in use meanwhile.

        Damaged files are replaced, not written to: environments that have hard links to them keep what they have
        until they are linked anew.

        :param wheel_file: a file with the content that the entry was made from.
        :returns: what was mended.
        :raises InvalidWheelError: if there is no such entry, or the file is another wheel.
        :raises LinkError: if the file cannot be read, or the store not be written.
        """
        path = os.path.abspath(os.fsdecode(wheel_file))
        with _errors(f"repair the store {self.root!r}", self.root):
            found = named(self._layout, entry)
            if found is None:
                raise InvalidWheelError(
                    f"the store {self.root!r} has no such entry: {entry}; add the wheel"
                )
            session = self._session()
            with (
                session.keeping(found.name, damaged=True),
                self._how.crew,
                WheelFile(path) as file,
                session.stage() as stage,
            ):
                digest = file.digest()
                check_digest(file, digest, found.digest or None)
                if not may_be_of(found.name, digest):
                    raise InvalidWheelError(
                        f"{path!r} is not the wheel that the entry {found.path!r} was made from: "
                        "give that one, or remove the entry"
                    )
                how = self._how._replace(protect=_is_protected(found))
                stamp = self._stamp(found)
                filename = (
                    found.filename if found.digest else WheelFilename.parse(os.path.basename(path))
                )
                fresh = unpack_entry(stage.folder, "new", file, filename, how, stamp=stamp)
                check_digest(file, fresh.facts.digest, digest)
                session.settle(stage.folder, fresh.name)
                have_on_disk(stage.folder, [fresh], durable=how.durable)
                return mend_entry(session, stage, fresh, found.name)

    def close(self) -> None:
        """Let others remove what was added through this object; it can be used again."""
        self._current.close()

    def __enter__(self) -> WheelStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.root!r})"

    def _session(self) -> Session:
        self._current.open()
        return self._current

    def _find(self, session: Session, wanted: Wanted) -> StoredWheel | None:
        """Return the entry of a wheel file that is in the store already, and as it should be; the session holds it."""
        path, expected = wanted.path, wanted.sha256
        status = os.stat(path)
        others_write = not session.standing.exclusive
        known = session.index.find(path, status)
        # What others can write to is not taken for what is expected without a look.
        if expected is not None and others_write:
            known = None
        if known is not None and expected in (None, known.digest):
            found = self._held(session, known, _trusted_filename(path), path)
            if found is not None:
                return found
        # Worth reading the file twice if it may be an old one under a new name, or just touched.
        if session.index.may_know(status.st_size) or not session.writable or others_write:
            with self._how.crew, WheelFile(path) as file:
                return self._find_by_content(session, file, expected)
        return None

    def _held(
        self, session: Session, known: Known, filename: WheelFilename, path: str | None
    ) -> StoredWheel | None:
        if not session.hold(known.entry):
            return None
        check = self._how.check
        has = whole(self._layout, known.entry, known.digest, check or "size")
        if has is None:
            return None
        return StoredWheel.of(
            session, known.entry, known.digest, filename, path, check, has.directories
        )

    def _find_by_content(
        self, session: Session, file: WheelFile, expected: str | None
    ) -> StoredWheel | None:
        filename = WheelFilename.parse(os.path.basename(file.path))
        digest = file.digest()
        check_digest(file, digest, expected)
        entry = find_entry(self._layout, digest)
        if entry is None:
            return None
        session.refuse_others(entry.name)
        if (entry.filename.name, entry.filename.version) != (filename.name, filename.version):
            raise InvalidWheelError(
                f"cannot use {file.path!r}: it is {entry.filename} by its content; rename it to what it is"
            )
        known = Known(digest, entry.name)
        if expected is not None and not session.standing.exclusive:
            self._refuse_forged(session, file, filename, entry)
        found = self._held(session, known, filename, file.path)
        if found is not None and file.is_unchanged() and not unsettled_for(file.status):
            session.note(file.path, file.status, known)
        return found

    def _refuse_forged(
        self, session: Session, file: WheelFile, filename: WheelFilename, entry: Entry
    ) -> None:
        """Compare an entry that others could write to with what the wheel file holds.

        :raises InvalidWheelError: if it is something else.
        """
        with session.stage() as stage:
            fresh = unpack_entry(stage.folder, "new", file, filename, self._how)
            check_digest(file, fresh.facts.digest, entry.digest)
            keeps_bits = Bits(session.stage).kept
            damage = find_damage(entry, fresh.facts, fresh.files, deep=True, keeps_bits=keeps_bits)
        if damage:
            raise InvalidWheelError(
                f"the entry {self._layout.entry(entry.name)!r} does not hold what {file.path!r} does: "
                f"{damage[0].path} is {damage[0].kind}; remove the entry, or use a store of your own"
            )

    def _add(self, wanted: Sequence[Wanted], *, strict: bool) -> Batch:
        """Add wheel files that are not in the store."""
        session = self._session()
        # The largest first: should it come last, one thread would be at work on it when the others are done.
        ordered = sorted(wanted, key=lambda one: -_size(one.path))
        with session.stage() as stage:
            batch = Batch(session, stage, self._how._replace(strict=strict))
            try:
                run(ordered, batch.add, self._jobs)
            except Exception:
                # What is ready is not lost when another wheel is refused.
                batch.publish()
                raise
            batch.publish()
        return batch

    def _verify(self, entry: Entry, bits: Bits, *, deep: bool) -> list[Damage]:
        session = self._session()
        with session.keeping(entry.name, damaged=True):
            try:
                facts, files = manifest.read_files(self._layout.manifest(entry.name))
            except (BrokenManifestError, FileNotFoundError, NotADirectoryError):
                now = read_broken(self._layout, entry.name)
                return [] if now is None else [description_damage(now)]  # none: removed meanwhile
            return find_damage(entry, facts, files, deep=deep, keeps_bits=bits.kept)

    def _stamp(self, entry: Entry) -> int | None:
        """Return the time that an entry's files have; None if that is not known any more."""
        if not entry.digest:
            return None
        return manifest.read(self._layout.manifest(entry.name)).stamp

    def _verify_if_readable(self, entry: Entry, bits: Bits, *, deep: bool) -> list[Damage]:
        """Leave out what another user made and keeps from the caller."""
        try:
            return self._verify(entry, bits, deep=deep)
        except PermissionError as error:
            log_warning("cannot verify %s: %s", entry.path, error)
            return []

    def _remove(self, entries: Iterable[Entry], *, all_or_none: bool) -> list[Entry]:
        """Remove entries that are not in use, and return them.

        :param all_or_none: whether one in use is an error; else what was used since it was read is left as well.
        """
        session = self._session()
        removed = {}
        with ExitStack() as kept:
            waste = waste_if_possible(session, kept)
            root = kept.enter_context(Folder.open(self.root))
            used = kept.enter_context(session.going())
            in_use = [entry.name for entry in entries if used is None or entry.name in used]
            if in_use and all_or_none:
                raise OSError(
                    errno.EBUSY, f"in use: {', '.join(in_use)}; try again later", self.root
                )
            for entry in entries:
                now = named(self._layout, entry)
                if (
                    now is None
                    or entry.name in in_use
                    or (now.used != entry.used and not all_or_none)
                ):
                    continue
                if all_or_none:
                    remove_entry(root, entry.name, waste)
                elif not remove_if_permitted(root, entry.name, waste):
                    continue
                session.forget(entry.name)
                removed[entry.name] = entry
        return list(removed.values())


def _refuse_problems(path: str, wheel: StoredWheel) -> None:
    """Refuse a wheel that was accepted before, when nobody was strict.

    :raises InvalidWheelError: if its ``RECORD`` is not right.
    """
    problems = [problem for problem in wheel.record_problems() if not problem.is_harmless]
    if problems:
        raise InvalidWheelError(
            f"cannot use {path!r}: its RECORD is not right: {described(problems)}; "
            "get the wheel from elsewhere, or build it again"
        )


def _is_protected(entry: Entry) -> bool:
    """Tell whether an entry's files are read-only; that of the first one tells."""
    for above, _, names in os.walk(entry.path):
        for name in names:
            return not os.stat(os.path.join(above, name)).st_mode & 0o222
    return False


def _checked(sha256: str | None) -> str | None:
    if sha256 is None:
        return None
    digest = sha256.lower()
    if not is_digest(digest):
        raise ValueError(f"sha256 is {sha256!r}: give 64 hexadecimal digits")
    return digest


def _trusted_filename(path: str) -> WheelFilename:
    """Take a file name apart that was checked when the file was added, without what checking it imports."""
    text = os.path.basename(path)
    name, version, _ = text.split("-", 2)
    parsed = WheelFilename.from_dist_info(f"{name}-{version}.dist-info")
    return WheelFilename(text, parsed.name, parsed.version)


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0  # add() says what is wrong


@contextmanager
def _errors(doing: str, path: str) -> Iterator[None]:
    """Turn the system's errors into the library's."""
    try:
        yield
    except LinkError:
        raise
    except OSError as error:
        raise LinkError.from_os_error(error, doing, source=path) from error
    except BrokenManifestError as error:
        raise InvalidWheelError(
            f"cannot {doing}: {error} is not what was written; prune, and add the wheel again"
        ) from error
