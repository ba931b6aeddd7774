"""An unpacked wheel in a store, as callers have it."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Final

from wheel_linker._compat.override import override
from wheel_linker._log import log
from wheel_linker._wheel.tree import NotAsUnpackedError
from wheel_linker._wheel.unpacked import UnpackedWheel
from wheel_linker.errors import InvalidWheelError, WheelLinkerError, refused
from wheel_linker.store._entry.entry import Entry
from wheel_linker.store._entry.errors import BrokenManifestError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from contextlib import AbstractContextManager

    from wheel_linker._archive.stored_file import StoredFile
    from wheel_linker._fs.folder import Parts
    from wheel_linker._wheel.filename import WheelFilename
    from wheel_linker._wheel.record import Row
    from wheel_linker._wheel.record_problems import RecordProblem
    from wheel_linker._wheel.tree import Directory, Tree, Unpacked
    from wheel_linker.store._entry.checking import Check
    from wheel_linker.store._entry.manifest import Description, Manifest
    from wheel_linker.store.session import Session

REMEDY: Final = "add the wheel again or repair the entry, both with the wheel file"


class StoredWheel(UnpackedWheel):
    """An unpacked wheel in a store. As long as it is kept, no other process or store object removes the entry.

    It is an :class:`~wheel_linker.UnpackedWheel`, and pickles and copies as one.

    :ivar entry: the name of the entry.
    :ivar digest: the SHA-256 of the wheel file, in hexadecimal digits.
    """

    entry: str
    digest: str
    _session: Session
    _looks_late: bool
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
        *,
        looks_late: bool = False,
    ) -> StoredWheel:
        """Name an entry that the session holds.

        :param file: the path of the wheel file that was given.
        :param check: what is compared each time before it is linked.
        :param directories: what is in it, if that is known.
        :param looks_late: whether nobody has looked at it, and its files are looked at when they are linked.
        """
        made = cls(session.layout.tree(entry), filename)
        made.entry, made.digest, made._session = entry, digest, session
        made._file, made._check, made._directories = file, check, directories
        made._looks_late, made._problems = looks_late, None
        return made

    @override
    def renamed(self, filename: WheelFilename | str) -> StoredWheel:
        """Return the same entry under another file name."""
        made = StoredWheel(self.path, filename)
        vars(made).update(vars(self))
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

    @property
    @override
    def shares_all(self) -> bool:
        """Whether its files may have second names whoever owns them, since the caller trusts the store."""
        return self._session.standing.trusted

    @property
    @override
    def verified(self) -> bool:
        """Whether what is in it was checked when it was unpacked: always."""
        return True

    @property
    @override
    def looks_late(self) -> bool:
        """Whether its files are looked at when they are linked, since nobody has done so since they were unpacked."""
        return self._looks_late

    @contextmanager
    @override
    def hold(self) -> Iterator[None]:
        """Keep the entry in place, even from the store object that it is from; meant for the time of linking.

        :raises InvalidWheelError: when entered, if it was removed before, or is not what was unpacked as far as the
            store compares it.
        """
        with ExitStack() as held:
            with self._reading():
                held.enter_context(self._session.linking(self.entry))
                # The report needs the problems. They are read now, so that reading them cannot fail when files are in
                # place already.
                self.known_problems()
                check = self._check
                if check is not None and not whole_entry(
                    self._session, self.entry, self.digest, check
                ):
                    raise self._damaged("its files are not as they were unpacked")
            try:
                yield
            except WheelLinkerError as error:
                if self._lacks_directories():
                    self._session.note_damaged(self.entry)
                    raise self._damaged("a directory is none any more") from error
                raise

    def _lacks_directories(self) -> bool:
        from wheel_linker.store._entry.checking import has_directories

        layout = self._session.layout
        try:
            description = self._session.descriptions.read(layout.manifest(self.entry))
        except (OSError, BrokenManifestError) as error:
            log("cannot tell what is wrong about %s: %s", layout.entry(self.entry), error)
            return False
        return not has_directories(layout.tree(self.entry), description.directories)

    def _reading(self) -> AbstractContextManager[None]:
        """Turn an error of the system into the library's."""
        entry = self._session.layout.entry(self.entry)
        return refused(f"read the entry {entry!r}", source=entry)

    @override
    def note_symlinks(self) -> None:
        """Have the store know that environments may have symlinks to it."""
        try:
            self._session.note_symlinks(self.entry)
        except OSError as error:
            # Everything is in place, and the note is for words only: its failure is no reason to fail.
            log("cannot note the symlinks to %s: %s", self.path, error)

    @override
    def known_tree(self) -> Tree:
        """Return what was unpacked and verified.

        :raises NotAsUnpackedError: if it is to be linked without having been looked at, and has to be.
        :raises InvalidWheelError: if that is not known any more.
        :raises LinkError: if the store cannot be read.
        """
        from wheel_linker._fs.folder import Folder
        from wheel_linker._wheel.tree import Tree
        from wheel_linker.store._entry.manifest import read_description

        layout = self._session.layout
        unpacked = None
        with self._reading():
            try:
                directories = self._directories
                if self.looks_late:
                    directories, unpacked = self._promising()
                elif directories is None:
                    directories = read_description(layout.manifest(self.entry)).directories
                # A file that was removed since is an error when it is linked; one that was added is not linked.
                path = type(layout)(self._session.open().root).tree(self.entry)
                with Folder.open(path) as root:
                    made = Tree.of(root.path, root.identity(), directories)
                    return made._replace(unpacked=unpacked)
            except (FileNotFoundError, NotADirectoryError, BrokenManifestError) as error:
                raise self._damaged(str(error)) from error

    def _promising(self) -> tuple[Sequence[Directory], Unpacked]:
        from wheel_linker.store._entry.checking import promising

        session = self._session
        found = promising(session.layout, self.entry, self.digest, session.descriptions)
        if found is None:
            raise self._damaged("not all is as it was unpacked")
        exclusive = session.standing.exclusive
        return found[0].directories, found[1]._replace(exclusive=exclusive)

    @override
    def carried_rows(self) -> bytes | None:
        """Return what an installed ``RECORD`` has from the wheel's own; None if that is not known.

        :raises NotAsUnpackedError: if that is destroyed, and the wheel file is there to make the entry anew.
        :raises InvalidWheelError: if the entry is damaged in another way.
        """
        from wheel_linker._fs.reading import read_regular
        from wheel_linker.store._entry.seal import LONGEST, unsealed

        layout = self._session.layout
        try:
            return unsealed(read_regular(layout.rows(self.entry), LONGEST))
        except (OSError, ValueError) as error:
            log("the rows of %s cannot be used: %s", layout.entry(self.entry), error)
            return self._made_rows(str(error))

    def _made_rows(self, why: str) -> bytes | None:
        """Return rows made of what was unpacked, if those that were kept are destroyed; None if none were kept.

        :param why: what is wrong about those that were kept.
        """
        from wheel_linker.store._entry.records import is_record, made_rows

        facts, files = self._described()
        if facts.rows < 0:
            return None
        if self._session.note_damaged(self.entry) and self.looks_late and self._file is not None:
            raise self._damaged(why)
        record = next(file.path for file in files if is_record(file.path))
        return made_rows(files, record.partition("/")[0]).encode("utf-8")

    @override
    def known_rows(self, below: Collection[Parts] | None = None) -> dict[str, Row]:
        """Return what an installed ``RECORD`` says of each file; symlinks are none.

        :param below: the first two names of the directories whose files are asked for; all by default.
        :raises InvalidWheelError: if that is not known any more.
        """
        from wheel_linker._wheel.record import Row

        def row(file: StoredFile) -> Row:
            algorithm, _, digest = file.hash.partition("=")
            return Row(algorithm, digest, file.size)

        return {file.path: row(file) for file in self._described(below)[1] if file.target is None}

    @override
    def record_problems(self) -> tuple[RecordProblem, ...]:
        """Return what was not right about its ``RECORD`` when it was unpacked; nothing if that is destroyed."""
        try:
            return self.known_problems()
        except InvalidWheelError as error:
            log("%s", error)
            return ()

    def known_problems(self) -> tuple[RecordProblem, ...]:
        """Return the same.

        :raises InvalidWheelError: if it is destroyed, unless the store can only be read.
        """
        if self._problems is None:
            from wheel_linker.store._entry.problems import read_problems

            path = self._session.layout.problems(self.entry)
            try:
                self._problems = read_problems(path)
            except BrokenManifestError as error:
                log("%s cannot be used: %s", path, error.__cause__)
                if self._session.note_damaged(self.entry):
                    raise self._damaged("the problems of its RECORD are not known") from error
                self._problems = ()
        return self._problems

    @property
    def session(self) -> Session | None:
        """The session of its store; None if that keeps no bytecode of it."""
        return None if self._session.compiling is None else self._session

    def _described(
        self, below: Collection[Parts] | None = None
    ) -> tuple[Manifest, Sequence[StoredFile]]:
        from wheel_linker.store._entry.manifest import read_files

        try:
            path = self._session.layout.manifest(self.entry)
            return read_files(path, below, known=self._session.descriptions.read(path))
        except (OSError, BrokenManifestError) as error:
            raise self._damaged(str(error)) from error

    def _damaged(self, why: str) -> InvalidWheelError:
        # After this error the call begins anew, and looks at files before it links them: that mends the entry.
        kind = NotAsUnpackedError if self.looks_late else InvalidWheelError
        return kind(
            f"cannot use the entry {self._session.layout.entry(self.entry)!r}: it is damaged ({why}); {REMEDY}"
        )

    @override
    def __reduce__(self) -> tuple[object, ...]:
        return (UnpackedWheel, tuple(self))


EntryLike = Entry | StoredWheel | str
"""What is accepted as an entry: itself, its wheel, its name, or the wheel's SHA-256."""


def whole_entry(session: Session, name: str, digest: str, check: Check) -> Description | None:
    """Return what an entry of a session's store has, as :func:`whole` does, with the same errors."""
    from wheel_linker.store._entry.checking import whole

    return whole(
        session.layout,
        name,
        digest,
        check,
        session.mends_bits,
        session.notes,
        descriptions=session.descriptions,
    )
