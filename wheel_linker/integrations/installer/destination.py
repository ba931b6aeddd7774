"""Where ``installer.install()`` puts files: by links where it can."""

from __future__ import annotations

import errno
import io
import os
import weakref
from pathlib import PurePath
from typing import TYPE_CHECKING, Final

from installer.destinations import SchemeDictionaryDestination
from installer.records import Hash, RecordEntry
from installer.scripts import Script
from installer.utils import Scheme, copyfileobj_with_hashing

from wheel_linker._compat.override import override
from wheel_linker._link.locks import Locks
from wheel_linker._wheel.dist_info import DIST_INFO
from wheel_linker._wheel.names import fault
from wheel_linker._wheel.record import RECORD
from wheel_linker.backends import default_backend
from wheel_linker.errors import InvalidWheelError, LinkError
from wheel_linker.integrations.installer.file import UnpackedFile
from wheel_linker.integrations.installer.pending import Pending
from wheel_linker.mode import fallback_chain

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from typing import BinaryIO

    from installer.scripts import LauncherKind, ScriptSection

    from wheel_linker._fs.folder import Parts
    from wheel_linker._link.report import LinkReport
    from wheel_linker.backends import Backend
    from wheel_linker.mode import Modes

_SCRIPTS: Final = Scheme("scripts")
_HAS_PERMISSIONS: Final = os.name == "posix"


class LinkingDestination(SchemeDictionaryDestination):
    """An ``installer.destinations.SchemeDictionaryDestination`` that links instead of writes.

    It links what comes from an :class:`UnpackedSource`; what comes from any other source it writes. Nothing is
    visible until the wheel's ``RECORD`` is written, which ``install()`` does last. Then everything goes into place at
    once, all of it or nothing, over what was there. What is written later is in place immediately: make a new
    destination for each wheel.

    Linked files keep the hashes of the wheel's own ``RECORD``. Scripts whose first line is changed, launchers and
    generated files are private files with hashes of their own. Everything in the ``scripts`` scheme is executable.

    :param scheme_dict: scheme to directory, made with its parents if missing.
    :param interpreter: what scripts are run by.
    :param script_kind: what launchers are made for.
    :param hash_algorithm: how written files are hashed.
    :param bytecode_optimization_levels: what linked and written ``.py`` files are compiled for.
    :param destdir: a directory that stands for the root of the file system.
    :param overwrite_existing: whether files that are there already are replaced; else they are an error.
    :param mode: one mode, a fallback chain, ``"auto"`` (:data:`~wheel_linker.AUTO`), or None for the platform's
        default.
    :param locks: what threads that install into the same environment share.
    :param backend: how to clone; the platform's own by default.
    :raises ValueError: for an unknown mode or an empty chain.
    """

    def __init__(
        self,
        scheme_dict: dict[str, str],
        interpreter: str,
        script_kind: LauncherKind,
        hash_algorithm: str = "sha256",
        bytecode_optimization_levels: Collection[int] = (),
        destdir: str | None = None,
        overwrite_existing: bool = True,
        *,
        mode: Modes = None,
        locks: Locks | None = None,
        backend: Backend | None = None,
    ) -> None:
        super().__init__(
            scheme_dict,
            interpreter,
            script_kind,
            hash_algorithm,
            bytecode_optimization_levels,
            destdir,
        )
        # The installer's releases before 1.0 have no parameter for it.
        self.overwrite_existing = overwrite_existing
        self._pending = Pending(
            fallback_chain(mode),
            default_backend() if backend is None else backend,
            Locks() if locks is None else locks,
        )
        self._report: LinkReport | None = None
        self._recorded = False
        # An installation that fails does not tell this object. What it has staged is removed with the object.
        weakref.finalize(self, self._pending.give_up)

    @property
    def report(self) -> LinkReport | None:
        """What became of the files that were linked, with paths relative to their schemes' directories.

        None until they are in place, and if there were none.
        """
        return self._report

    def close(self) -> None:
        """Forget what is not in place; done without a call when the object goes."""
        self._pending.give_up()

    @override
    def write_file(
        self,
        scheme: Scheme,
        path: str | os.PathLike[str],
        stream: BinaryIO,
        is_executable: bool,
    ) -> RecordEntry:
        """Link or write a file; a script with the first line ``#!python`` gets that of the interpreter.

        :param scheme: which of the directories of ``scheme_dict``.
        :param path: relative to the scheme's directory, with forward slashes.
        :param stream: the content.
        :param is_executable: whether the file is executable.
        :returns: the file's row in ``RECORD``.
        :raises InvalidWheelError: if ``path`` leads out of the scheme's directory, or cannot be written.
        :raises LinkError: if no mode of the chain can, or the system refuses.
        """
        name = path if isinstance(path, str) else PurePath(path).as_posix()
        # "Binary distribution format": an archive that was made where there are no such permissions does not have them.
        executable = is_executable or scheme == _SCRIPTS
        return super().write_file(scheme, name, stream, executable)

    @override
    def write_script(
        self, name: str, module: str, attr: str, section: ScriptSection
    ) -> RecordEntry:
        """Write the launcher of an entry point.

        :param name: what it is called.
        :param module: the module of the entry point.
        :param attr: the object in that module.
        :param section: ``"console"`` or ``"gui"``.
        :returns: the launcher's row in ``RECORD``.
        :raises InvalidWheelError: if ``name`` leads out of the directory for scripts, or cannot be written.
        :raises LinkError: if the system refuses.
        """
        launcher = Script(name, module, attr, section)
        filename, data = launcher.generate(self.interpreter, self.script_kind)
        # The inherited method is not called: it changes the permissions of whatever is at the path by then.
        with io.BytesIO(data) as stream:
            return self.write_to_fs(_SCRIPTS, filename, stream, is_executable=True)

    @override
    def write_to_fs(
        self, scheme: Scheme, path: str, stream: BinaryIO, is_executable: bool
    ) -> RecordEntry:
        """Link or write a file as it is; the wheel's ``RECORD`` puts everything into place.

        :param scheme: as for :meth:`write_file`.
        :param path: as for :meth:`write_file`.
        :param stream: the content.
        :param is_executable: as for :meth:`write_file`.
        :returns: the file's row in ``RECORD``.
        :raises InvalidWheelError: if ``path`` leads out of the scheme's directory, or cannot be written.
        :raises LinkError: if no mode of the chain can, or the system refuses.
        """
        parts = _parts(path)
        directory = self._directory(scheme)
        self._check_absent(directory, parts)
        file: object = stream
        if isinstance(file, UnpackedFile) and _can_be_linked(file, parts, is_executable):
            self._pending.link(directory, parts, file)
            entry = RecordEntry(path, self._digest(file), file.size)
        else:
            with self._pending.create(directory, parts, executable=is_executable) as new:
                digest, size = copyfileobj_with_hashing(stream, new, self.hash_algorithm)
            entry = RecordEntry(path, Hash(self.hash_algorithm, digest), size)
        if self._recorded or _is_record(parts):
            self._commit()
        return entry

    @override
    def finalize_installation(
        self,
        scheme: Scheme,
        record_file_path: str,
        records: Iterable[tuple[Scheme, RecordEntry]],
    ) -> None:
        """Write ``RECORD``, put everything into place, and compile bytecode if asked to.

        :param scheme: where ``RECORD`` goes.
        :param record_file_path: its path there.
        :param records: the scheme of each file, and its row.
        :raises LinkError: if something is in the way, or the system refuses. Everything is as it was then.
        """
        # If a file was written twice, such as an INSTALLER that the wheel had already, its last row counts.
        last = {self._place_of(each, record): (each, record) for each, record in records}
        super().finalize_installation(scheme, record_file_path, list(last.values()))

    def _commit(self) -> None:
        report = self._pending.commit()
        self._recorded = True
        self._report = report or self._report

    def _digest(self, file: UnpackedFile) -> Hash:
        if file.row is not None:
            return Hash(file.row.algorithm, file.row.digest)
        with open(os.devnull, "wb") as nowhere:
            file.seek(0)
            digest, _ = copyfileobj_with_hashing(file, nowhere, self.hash_algorithm)  # type: ignore[arg-type]
        return Hash(self.hash_algorithm, digest)

    def _check_absent(self, directory: str, parts: Parts) -> None:
        if self.overwrite_existing:
            return
        path = os.path.join(directory, *parts)
        if os.path.lexists(path):
            raise LinkError(
                f"{path!r} is there already: remove it, or allow it to be replaced",
                errno=errno.EEXIST,
                destination=path,
            )

    def _directory(self, scheme: str) -> str:
        path = os.path.abspath(self.scheme_dict[scheme])
        if self.destdir is None:
            return path
        return os.path.join(self.destdir, os.path.splitdrive(path)[1].lstrip(os.sep))

    def _place_of(self, scheme: str, record: RecordEntry) -> str:
        return os.path.normpath(os.path.join(self._directory(scheme), record.path))


def _parts(path: str) -> Parts:
    wrong = fault(path)
    if wrong is not None or path.endswith("/"):
        raise InvalidWheelError(
            f"{path!r} cannot be put into an environment: it {wrong or 'names no file'}"
        )
    return tuple(path.split("/"))


def _is_record(parts: Parts) -> bool:
    return len(parts) == 2 and parts[0].endswith(DIST_INFO) and parts[1] == RECORD


def _can_be_linked(file: UnpackedFile, parts: Parts, is_executable: bool) -> bool:
    """Tell whether a file may be linked: under its own name, and with the permissions that it has."""
    lacks = _HAS_PERMISSIONS and is_executable and not file.executable
    return file.parts[-len(parts) :] == parts and not lacks
