"""The store: what programs call."""

from __future__ import annotations

import errno
import os
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Final, NamedTuple

from wheel_linker._archive.limits import Limits
from wheel_linker._archive.wheel_file import WheelFile
from wheel_linker._fs.folder import Folder
from wheel_linker._fs.patience import TIMEOUT
from wheel_linker._fs.timestamps import unsettled_for
from wheel_linker._log import log, log_warning
from wheel_linker._threads import Crew, affordable, run, usable_cpus
from wheel_linker._wheel.filename import WheelFilename
from wheel_linker._wheel.record_problems import (
    described,
    refuse_unknown_record,
    warn_of_problems,
)
from wheel_linker.errors import InvalidWheelError, LinkError
from wheel_linker.store import index, manifest
from wheel_linker.store.adding import NEW, How, check_digest, make_entry, unpack_entry
from wheel_linker.store.control import control_folder
from wheel_linker.store.damage import find_damage, mend
from wheel_linker.store.entries import StoredWheel, find_entry, named, read_entries, read_entry
from wheel_linker.store.index import Known
from wheel_linker.store.layout import MANIFEST, TREE, Layout, is_digest
from wheel_linker.store.pruning import correct_times, prunable
from wheel_linker.store.records import read_problems
from wheel_linker.store.removal import remove_entry, remove_if_permitted, waste_if_possible
from wheel_linker.store.session import Session

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import timedelta

    from wheel_linker._wheel.record_problems import RecordMode, RecordProblem
    from wheel_linker.store.damage import Damage
    from wheel_linker.store.entries import Entry, EntryLike
    from wheel_linker.store.manifest import Manifest

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
    :param trusted: whether what lies in it is used although it belongs to another user (neither the caller nor
        root), or everybody may write to it. A store that a group shares on purpose needs no such word: its directory
        is setgid and the group may write to it.
    :param timeout: how many seconds another process or thread that adds or removes is waited for; None for ever.
        After some seconds a warning is logged.
    :raises ValueError: for fewer than one job.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        *,
        protect: bool = False,
        limits: Limits | None = None,
        jobs: int | None = None,
        trusted: bool = False,
        timeout: float | None = TIMEOUT,
    ) -> None:
        if jobs is not None and jobs < 1:
            raise ValueError(f"jobs is {jobs}: at least one thread has to do the work")
        self._layout = Layout(os.path.abspath(os.fsdecode(root)))
        self._jobs = affordable(usable_cpus() if jobs is None else jobs, _DESCRIPTORS)
        self._how = How(Limits() if limits is None else limits, protect, Crew(self._jobs))
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

        A file that was added before and has not been changed or replaced since costs one stat(2).

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
        refuse_unknown_record(record)
        added = self._added(os.fsdecode(wheel_file), sha256, strict=record == "strict")
        _warn([added])
        return added.wheel

    def _added(self, wheel_file: str, sha256: str | None, *, strict: bool) -> _Added:
        path = os.path.abspath(wheel_file)
        expected = _checked(sha256)
        session = self._session()
        with _errors(f"add the wheel {path!r} to the store {self.root!r}", path):
            status = os.stat(path)
            known = session.index.find(path, status)
            # What others can write to is not taken for what is expected without a look.
            unchecked = expected is not None and not session.standing.exclusive
            if unchecked:
                known = None
            if known is not None and expected in (None, known.digest) and session.hold(known.entry):
                wheel = StoredWheel.of(
                    session, known.entry, known.digest, _trusted_filename(path), path
                )
                if strict:
                    _refuse_problems(path, wheel)
                return _Added(wheel)
            with self._how.crew, WheelFile(path) as file, session.adding():
                return self._add(session, file, expected, strict=strict)

    def add_all(
        self, wheel_files: Iterable[str | os.PathLike[str]], *, record: RecordMode = "lenient"
    ) -> list[StoredWheel]:
        """Add several wheels, as many at once as the store has jobs.

        :param record: as for :meth:`add`.
        :returns: the unpacked wheels in the order given.
        :raises InvalidWheelError: as :meth:`add`; other wheels may have been added.
        :raises LinkError: as :meth:`add`; other wheels may have been added.
        """
        refuse_unknown_record(record)
        paths = [os.fsdecode(wheel_file) for wheel_file in wheel_files]
        added: dict[int, _Added] = {}

        def add(position: int) -> None:
            added[position] = self._added(paths[position], None, strict=record == "strict")

        # The largest first: should it come last, one thread would be at work on it when the others are done.
        run(
            sorted(range(len(paths)), key=lambda position: -_size(paths[position])), add, self._jobs
        )
        in_order = [added[position] for position in range(len(paths))]
        # Not before: in the threads there is no line of the caller's to point to.
        _warn(in_order)
        return [each.wheel for each in in_order]

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
            if entry is None or not session.hold(entry.name):
                return None
            return StoredWheel.of(session, entry.name, digest, entry.filename)

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
            chosen = prunable(
                read_entries(self._layout),
                unused_for=unused_for,
                max_bytes=max_bytes,
                keep_linked=keep_linked,
            )
            removed = self._remove(chosen, all_or_none=False)
            with session.going(), control_folder(self._layout) as control:
                index.compact(
                    control,
                    lambda name: os.path.exists(self._layout.manifest(name)),
                    session.standing,
                )
        return removed

    def verify(self, entry: EntryLike | None = None, *, deep: bool = False) -> list[Damage]:
        """Find files that were changed, removed or added since their wheel was unpacked.

        :param entry: the one to look at; all by default.
        :param deep: whether every file is read and hashed; else its size, time and executability must do.
        :returns: what differs; nothing for an entry that is not there.
        :raises LinkError: if the store cannot be read.
        :raises ValueError: if ``entry`` is a text that is neither an entry's name nor a digest.
        """
        with _errors(f"verify the store {self.root!r}", self.root):
            if entry is not None:
                one = named(self._layout, entry)
                return [] if one is None else self._verify(one, deep=deep)
            return [
                damage
                for one in read_entries(self._layout)
                for damage in self._verify_if_readable(one, deep=deep)
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
                session.keeping(found.name),
                self._how.crew,
                WheelFile(path) as file,
                session.stage() as stage,
            ):
                facts, files = manifest.read_files(self._layout.manifest(found.name))
                check_digest(file, file.digest(), found.digest)
                how = self._how._replace(protect=_is_protected(found, files[0].path))
                fresh, _ = unpack_entry(stage.folder, file, found.filename, how, stamp=facts.stamp)
                check_digest(file, fresh.digest, found.digest)
                session.settle(stage.folder, NEW)
                damage = find_damage(found, facts, files, deep=True)
                damage += [
                    item
                    for item in find_damage(found, facts, files, deep=False)
                    if item not in damage
                ]
                with (
                    Folder.open(found.path) as tree,
                    stage.folder.enter(NEW) as new,
                    new.enter(TREE) as source,
                ):
                    mend(damage, tree, source, stage.old)
        return damage

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

    def _add(
        self, session: Session, file: WheelFile, expected: str | None, *, strict: bool
    ) -> _Added:
        filename = WheelFilename.parse(os.path.basename(file.path))
        facts = None
        problems: tuple[RecordProblem, ...] = ()
        # Worth reading the file twice if it may be an old one under a new name, or just touched.
        others_write = not session.standing.exclusive
        if session.index.may_know(file.size) or not session.writable or others_write:
            facts = self._find(session, file, filename, expected)
        if facts is not None and expected is not None and others_write:
            self._refuse_forged(session, file, filename, facts)
        if facts is None:
            how = self._how._replace(strict=strict)
            facts, problems = make_entry(session, file, filename, expected, how)
        entry = find_entry(self._layout, facts.digest)
        if entry is None or not session.hold(entry.name):
            raise FileNotFoundError(errno.ENOENT, "the entry was removed at once", self.root)
        if file.is_unchanged() and not unsettled_for(file.status):
            session.note(file.path, file.status, Known(facts.digest, entry.name))
        wheel = StoredWheel.of(session, entry.name, facts.digest, filename, file.path)
        if strict:
            _refuse_problems(file.path, wheel)
        return _Added(wheel, problems)

    def _find(
        self, session: Session, file: WheelFile, filename: WheelFilename, expected: str | None
    ) -> Manifest | None:
        """Return what is in the entry of a wheel file that is in the store already; the session holds it."""
        digest = file.digest()
        check_digest(file, digest, expected)
        entry = find_entry(self._layout, digest)
        if entry is None or not session.hold(entry.name):
            return None
        session.refuse_others(entry.name)
        if (entry.filename.name, entry.filename.version) != (filename.name, filename.version):
            raise InvalidWheelError(
                f"cannot use {file.path!r}: it is {entry.filename} by its content; rename it to what it is"
            )
        return manifest.read(self._layout.manifest(entry.name))

    def _refuse_forged(
        self, session: Session, file: WheelFile, filename: WheelFilename, facts: Manifest
    ) -> None:
        """Compare an entry that others could write to with what the wheel file holds.

        :raises InvalidWheelError: if it is something else.
        """
        entry = find_entry(self._layout, facts.digest)
        with session.stage() as stage:
            fresh, _ = unpack_entry(stage.folder, file, filename, self._how)
            check_digest(file, fresh.digest, facts.digest)
            _, files = manifest.read_files(os.path.join(stage.folder.path, NEW, MANIFEST))
            damage = [] if entry is None else find_damage(entry, fresh, files, deep=True)
        if damage:
            raise InvalidWheelError(
                f"the entry {self._layout.entry(damage[0].entry.name)!r} does not hold what {file.path!r} does: "
                f"{damage[0].path} is {damage[0].kind}; remove the entry, or use a store of your own"
            )

    def _verify(self, entry: Entry, *, deep: bool) -> list[Damage]:
        session = self._session()
        try:
            with session.keeping(entry.name):
                facts, files = manifest.read_files(self._layout.manifest(entry.name))
                return find_damage(entry, facts, files, deep=deep)
        except (InvalidWheelError, FileNotFoundError):
            if named(self._layout, entry) is None:
                return []  # removed meanwhile
            raise

    def _verify_if_readable(self, entry: Entry, *, deep: bool) -> list[Damage]:
        """Leave out what another user made and keeps from the caller."""
        try:
            return self._verify(entry, deep=deep)
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
                now = read_entry(self._layout, entry.name)
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


class _Added(NamedTuple):
    """A wheel that was added."""

    wheel: StoredWheel
    problems: tuple[RecordProblem, ...] = ()
    """What is not right about its ``RECORD``, if it was unpacked just now."""


def _warn(added: Iterable[_Added]) -> None:
    for wheel, problems in added:
        warn_of_problems(str(wheel.filename), problems)


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


def _is_protected(entry: Entry, path: str) -> bool:
    try:
        return not os.stat(os.path.join(entry.path, path)).st_mode & 0o222
    except OSError as error:
        log("cannot tell whether %s is protected: %s", entry.path, error)
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
    except manifest.BrokenManifestError as error:
        raise InvalidWheelError(
            f"cannot {doing}: {error} is not what was written; prune, and add the wheel again"
        ) from error
