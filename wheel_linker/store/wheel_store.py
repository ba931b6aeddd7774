"""The store: what programs call. What each method does is in the module of that name, imported when it is called."""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from wheel_linker._archive.crew import Crew
from wheel_linker._archive.limits import Limits
from wheel_linker._fs.patience import TIMEOUT, refuse_no_timeout
from wheel_linker._threads import affordable, refuse_no_jobs, usable_cpus
from wheel_linker._wheel.progress import Progress
from wheel_linker.errors import InvalidWheelError
from wheel_linker.store._entry.errors import BrokenManifestError, named_errors
from wheel_linker.store._entry.options import Kept, UnpackOptions
from wheel_linker.store.layout import Layout
from wheel_linker.store.names import is_digest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import timedelta

    from wheel_linker._wheel.record_problems import RecordMode, RecordProblem
    from wheel_linker.store._bytecode.compiled import Compiled
    from wheel_linker.store._bytecode.sets import Interpreter
    from wheel_linker.store._entry.checking import Check
    from wheel_linker.store._entry.damage import Damage
    from wheel_linker.store._entry.entry import Entry
    from wheel_linker.store._entry.stored_wheel import EntryLike, StoredWheel
    from wheel_linker.store.session import Session

# Descriptors that adding one wheel takes: the archive, the stage and its directories, for a moment those of the store.
_DESCRIPTORS: Final = 16


class WheelStore:
    """Unpacked wheels in a directory, one for each wheel file's content, for any number of threads and processes.

    Nothing is touched until the first call. What :meth:`add` returns stays in place as long as it is kept, or the
    store object is; use the store as a context manager, or :meth:`close` it, to end that at a certain point. The
    object's own :meth:`remove` and :meth:`prune` remove it all the same, unless a call adds or links it meanwhile.

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
        the sizes and times. Installing from ``.whl`` files sees these when it links.
    :param trusted: whether what lies in it is used although it belongs to another user (neither the caller nor
        root), or everybody may write to it. A store that a group shares on purpose needs no such word: its directory
        is setgid and the group may write to it. It holds for the bases, too.
    :param bases: the directories of other stores, of an image's layer or of a team, which are only read: wheels that
        are in them are linked from there, and what is in none goes to ``root``. The first is asked first. A wheel
        file that is not known is read once to tell.
    :param timeout: how many seconds another process or thread that adds or removes is waited for; None for ever.
        After some seconds a warning is logged.
    :raises ValueError: for fewer than one job, another check, or a ``timeout`` that is negative or no number.
    :raises LinkError: if a path has a NUL byte.
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
        bases: Iterable[str | os.PathLike[str]] = (),
        timeout: float | None = TIMEOUT,
    ) -> None:
        if check not in (None, "size", "hash"):
            raise ValueError(f"check is {check!r}: give 'size', 'hash' or None")
        refuse_no_jobs(jobs)
        if timeout is not None:
            refuse_no_timeout(timeout)
        self._layout = _layout(root)
        jobs = affordable(usable_cpus() if jobs is None else jobs, _DESCRIPTORS)
        self._options = UnpackOptions(
            Limits() if limits is None else limits, protect, jobs, Crew(jobs), durable, check
        )
        self._compiling: UnpackOptions | None = self._options
        self._bases = [_layout(base) for base in bases]
        self._trusted = trusted
        self._timeout = timeout
        self._sessions: list[tuple[Session, list[Session]]] = []

    @property
    def root(self) -> str:
        """The store's directory, as an absolute path."""
        return self._layout.root

    @property
    def bases(self) -> tuple[str, ...]:
        """The directories of the stores that are only read, as absolute paths."""
        return tuple(base.root for base in self._bases)

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
        progress: Callable[[int], object] | None = None,
    ) -> StoredWheel:
        """Return the unpacked wheel of a wheel file; unpack and verify it if it is not in the store yet.

        A file that was added before and has not been changed or replaced since is not read. Instead, the size and the
        time of each file in its entry are compared with what was unpacked, and so is the number of executables. A file
        whose time is another is read. If something is missing or destroyed, the entry is mended.

        What is unpacked is what the archive holds. Where its ``RECORD`` says otherwise, the wheel's
        :meth:`~wheel_linker.store.StoredWheel.record_problems` do so, and one
        :class:`~wheel_linker.RecordWarning` is given when it is unpacked.

        :param wheel_file: the ``.whl`` file.
        :param sha256: the SHA-256 that the file must have, in hexadecimal digits.
        :param record: ``"strict"`` to refuse a wheel whose ``RECORD`` is not right.
        :param progress: called with the number of files unpacked since the last call, in whichever thread did so, one
            call at a time; a :class:`~wheel_linker.ProgressBar` is told the total and more. An exception that it
            raises ends the call, and nothing is kept of a wheel that was not unpacked by then. It must not be an
            :exc:`OSError`.
        :returns: the unpacked wheel, which keeps the entry from being removed by others as long as it is kept.
        :raises InvalidWheelError: if it is missing or no wheel, not the one it is called, not what ``sha256`` or a
            strict ``RECORD`` says, or holds what may not be unpacked. Nothing is kept of it.
        :raises LinkError: if it cannot be read, or the store not be written. Nothing is kept of it.
        :raises ValueError: if ``sha256`` is no SHA-256, or ``record`` another word.
        """
        from wheel_linker.store._adding.wanted import Wanted
        from wheel_linker.store.adding import add_all

        wanted = Wanted(0, os.path.abspath(os.fsdecode(wheel_file)), _checked(sha256))
        options = self._options_for(record, progress)
        with named_errors(f"add the wheel {wanted.path!r} to the store {self.root!r}", wanted.path):
            (wheel,) = add_all(self._session(), options, [wanted], self._below())
        return wheel

    def add_all(
        self,
        wheel_files: Iterable[str | os.PathLike[str]],
        *,
        record: RecordMode = "lenient",
        progress: Callable[[int], object] | None = None,
    ) -> list[StoredWheel]:
        """Add several wheels, as many at once as the store has jobs.

        They are put into the store when all of them, or some hundred MB, are unpacked: having them on the disk takes
        hardly longer for many than for one.

        :param wheel_files: the ``.whl`` files.
        :param record: as for :meth:`add`.
        :param progress: as for :meth:`add`.
        :returns: the unpacked wheels in the order given.
        :raises InvalidWheelError: as :meth:`add`; other wheels may have been added.
        :raises LinkError: as :meth:`add`; other wheels may have been added.
        :raises ValueError: if ``record`` is another word.
        """
        from wheel_linker._wheel.unpacked import listed
        from wheel_linker.store._adding.wanted import Wanted
        from wheel_linker.store.adding import add_all

        options = self._options_for(record, progress)
        wanted = [
            Wanted(position, os.path.abspath(os.fsdecode(wheel_file)), None)
            for position, wheel_file in enumerate(listed(wheel_files))
        ]
        with named_errors(f"add wheels to the store {self.root!r}", self.root):
            return add_all(self._session(), options, wanted, self._below())

    def compile(
        self, entries: Iterable[EntryLike], layout: Interpreter, *, optimize: int = 0
    ) -> list[Compiled]:
        """Make the bytecode of entries, and keep it in the store: installing with ``compile_bytecode=True`` places it.

        It is made by the interpreter, in as many processes at once as the store has jobs, once for each cache tag,
        magic number and level of optimization. Sources that do not compile are left out, and not tried again.

        :param entries: which entries.
        :param layout: the environment whose interpreter it is for, a :class:`wheel_linker.install.Layout`.
        :param optimize: 0, 1 as for ``python -O`` or 2 as for ``python -OO``.
        :returns: what there is now of each, in the order given; nothing for an interpreter that keeps no bytecode.
        :raises InvalidWheelError: if an entry is not there.
        :raises LinkError: if the interpreter cannot be run or fails, or the store cannot be written.
        :raises ValueError: for another level, or a text that is neither an entry's name nor a digest.
        """
        from wheel_linker.store._bytecode.making import compile_entries

        session, options = self._session(), self._compiling
        assert options is not None
        with named_errors(f"compile wheels in the store {self.root!r}", self.root):
            names = [self._there(entry) for entry in entries]
            return compile_entries(session, options, names, layout, optimize)

    def _there(self, entry: EntryLike) -> str:
        from wheel_linker.store.entries import named

        found = named(self._layout, entry)
        if found is None:
            raise InvalidWheelError(
                f"the store {self.root!r} has no such entry: {entry}; add the wheel"
            )
        return found.name

    def find(self, sha256: str) -> StoredWheel | None:
        """Return the unpacked wheel of a wheel file that was added before, by its content alone.

        :param sha256: the SHA-256 of the wheel file, in hexadecimal digits.
        :returns: None if the store has none.
        :raises LinkError: if the store cannot be read.
        :raises ValueError: if ``sha256`` is no SHA-256.
        """
        from wheel_linker.store.finding import find_digest, find_digest_below

        digest = _checked(sha256)
        assert digest is not None
        session = self._session()
        with named_errors(f"read the store {self.root!r}", self.root):
            found = find_digest_below(self._below(), self._options, digest)
            return found or find_digest(session, self._options, digest)

    def entries(self) -> list[Entry]:
        """Return what is in the store, the bases left out, by name.

        :raises LinkError: if it cannot be read.
        """
        from wheel_linker.store.entries import read_entries

        with named_errors(f"read the store {self.root!r}", self.root):
            return read_entries(self._layout)

    def remove(self, *entries: EntryLike) -> None:
        """Remove entries, those of this store object included; one that is not there is no error.

        :param entries: which entries.
        :raises LinkError: EBUSY if one is in use by another store object or process, or being linked; then none is
            removed. Others if the store cannot be written.
        :raises ValueError: if a text is neither an entry's name nor a digest.
        """
        from wheel_linker.store.entries import named
        from wheel_linker.store.removing import remove

        with named_errors(f"remove from the store {self.root!r}", self.root):
            found = [named(self._layout, entry) for entry in entries]
            present = [entry for entry in found if entry is not None]
            remove(self._session(), present, all_or_none=True)

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
        :raises ValueError: if the time is no number, or the size is negative or none.
        """
        from wheel_linker.store.pruning import prune, refuse_no_amount

        refuse_no_amount(unused_for, max_bytes)
        with named_errors(f"prune the store {self.root!r}", self.root):
            return prune(
                self._session(),
                unused_for=unused_for,
                max_bytes=max_bytes,
                keep_linked=keep_linked,
            )

    def verify(self, entry: EntryLike | None = None, *, deep: bool = False) -> list[Damage]:
        """Find files that were changed, removed or added since their wheel was unpacked.

        An entry whose description cannot be read has ``../entry`` damaged.

        :param entry: the one to look at; all by default.
        :param deep: whether every file of the wheel is read and hashed; else only those whose time is another than
            that of unpacking, as after a copy or an archive, and the size and executability of the others must do.
            An entry that nobody has used since the system was started, and that was made without waiting for the disk
            before that, is read in any case.
        :returns: what differs; nothing for an entry that is not there.
        :raises LinkError: if the store cannot be read.
        :raises ValueError: if ``entry`` is a text that is neither an entry's name nor a digest.
        """
        from wheel_linker.store.verifying import verify

        with named_errors(f"verify the store {self.root!r}", self.root):
            return verify(self._session(), entry, deep=deep)

    def record_problems(self, entry: EntryLike) -> tuple[RecordProblem, ...]:
        """Return what was not right about the ``RECORD`` of an entry's wheel; nothing for one that is not there.

        :raises LinkError: if the store cannot be read.
        :raises ValueError: if ``entry`` is a text that is neither an entry's name nor a digest.
        """
        from wheel_linker.store._entry.problems import read_problems
        from wheel_linker.store.entries import named

        with named_errors(f"read the store {self.root!r}", self.root):
            found = named(self._layout, entry)
            if found is None:
                return ()
            with suppress(BrokenManifestError):  # which is for verify() to tell
                return read_problems(self._layout.problems(found.name))
            return ()

    def repair(self, entry: EntryLike, wheel_file: str | os.PathLike[str]) -> list[Damage]:
        """Make an entry again what it was, from its wheel file; what links to it may be in use meanwhile.

        Damaged files are replaced, not written to: environments that have hard links to them keep what they have
        until they are linked anew.

        :param entry: which entry.
        :param wheel_file: a file with the content that the entry was made from.
        :returns: what was mended.
        :raises InvalidWheelError: if there is no such entry, or the file is another wheel.
        :raises LinkError: if the file cannot be read, or the store not be written.
        :raises ValueError: if ``entry`` is a text that is neither an entry's name nor a digest.
        """
        from wheel_linker.store.repairing import repair

        path = os.path.abspath(os.fsdecode(wheel_file))
        with named_errors(f"repair the store {self.root!r}", self.root):
            return repair(self._session(), self._options, entry, path)

    def close(self) -> None:
        """Let others remove what was added through this object; it can be used again.

        What another thread links from, or adds, at the moment stays until that thread is through.

        :raises LockTimeoutError: if another thread uses it for longer than ``timeout`` seconds.
        """
        for current, bases in self._sessions:
            for session in (current, *bases):
                session.close()

    def __enter__(self) -> WheelStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.root!r})"

    def _session(self) -> Session:
        session, _ = self._made()
        session.open()
        return session

    def _below(self) -> list[Session]:
        _, bases = self._made()
        for base in bases:
            base.open()  # one that is missing is an error
        return bases

    def _made(self) -> tuple[Session, list[Session]]:
        """Return the session of the store, and those of its bases; made when they are first needed.

        A program may well have a store object and not use it, and a session takes half of the library's modules.
        """
        if not self._sessions:
            from wheel_linker.store.session import Session

            current = Session(self._layout, trusted=self._trusted, timeout=self._timeout)
            current.compiling = self._compiling
            bases = [
                Session(base, trusted=self._trusted, timeout=self._timeout, read_only=True)
                for base in self._bases
            ]
            # Threads that come at once may each make some; all of them use the first. A lock would stay locked in the
            # child of a fork(2) that another thread makes meanwhile.
            self._sessions.append((current, bases))
        return self._sessions[0]

    def _options_for(
        self, record: RecordMode, progress: Callable[[int], object] | None
    ) -> UnpackOptions:
        from wheel_linker._wheel.record_problems import refuse_unknown_record

        refuse_unknown_record(record)
        return self._options._replace(strict=record == "strict", progress=Progress.of(progress))


def looking_late(store: WheelStore) -> WheelStore:
    """Return the same store for a call that looks at files when it links them, instead of before.

    What it adds and finds is for that call only, which ends with :exc:`~wheel_linker._wheel.tree.NotAsUnpackedError`
    if files are not as they were unpacked.
    """
    # This is what copy.copy() does; its module would have to be loaded.
    late = object.__new__(type(store))
    vars(late).update(vars(store))
    late._options = store._options._replace(looks_late=True)  # noqa: SLF001 - of this module
    return late


@contextmanager
def for_one_call(store: WheelStore) -> Iterator[WheelStore]:
    """Have the same store for a call that adds wheels and links them: it removes none of them until the call ends."""
    one = object.__new__(type(store))
    vars(one).update(vars(store))
    with Kept() as kept:
        one._options = store._options._replace(kept=kept)  # noqa: SLF001 - of this module
        yield one


class TemporaryStore(WheelStore):
    """A store for one call, in which nothing is kept for the next: no bytecode either."""

    def __init__(self, root: str | os.PathLike[str], *, jobs: int | None = None) -> None:
        # The directory is private to this call, which has written all that is in it.
        super().__init__(root, jobs=jobs, trusted=True)
        self._compiling = None


def _layout(root: str | os.PathLike[str]) -> Layout:
    path = os.fsdecode(root)
    if not path or "\0" in path:  # else nothing of that is loaded
        from wheel_linker._fs.paths import possible

        possible(path, "use a store")
    return Layout(os.path.abspath(path))


def _checked(sha256: str | None) -> str | None:
    if sha256 is None:
        return None
    digest = sha256.lower()
    if not is_digest(digest):
        raise ValueError(f"sha256 is {sha256!r}: give 64 hexadecimal digits")
    return digest
