"""An unpacked wheel, as ``installer.install()`` wants to be given one."""

from __future__ import annotations

import csv
import hashlib
import os
import stat
from contextlib import contextmanager
from io import StringIO
from typing import TYPE_CHECKING, Final, cast

from installer.sources import WheelSource

from wheel_linker._compat.override import override
from wheel_linker._fs.descent import Descent
from wheel_linker._fs.folder import Folder
from wheel_linker._wheel.dist_info import DIST_INFO
from wheel_linker._wheel.filename import WheelFilename
from wheel_linker._wheel.record import RECORD, SIGNATURES, encoded, expected_rows, parse_record
from wheel_linker._wheel.record_reading import refuse_huge
from wheel_linker._wheel.scan import scan
from wheel_linker._wheel.unpacked import UnpackedWheel, unpacked
from wheel_linker.errors import VANISHED, InvalidWheelError, LinkError
from wheel_linker.integrations.installer.file import UnpackedFile

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from typing import BinaryIO, ClassVar

    from installer.sources import WheelContentElement

    from wheel_linker._fs.folder import Parts
    from wheel_linker._wheel.record import Row
    from wheel_linker._wheel.tree import Tree
    from wheel_linker._wheel.unpacked import WheelLike

_DATA: Final = ".data"
_EXECUTABLE: Final = 0o111
_CHUNK: Final = 1024 * 1024


class UnpackedSource(WheelSource):
    """An ``installer.sources.WheelSource`` over an unpacked wheel.

    With :class:`LinkingDestination` its files are linked; any other destination reads them. Files are handed over
    by path, ``*.dist-info`` last; no file is opened unless the destination reads from it. A symlink to a file
    within the wheel is handed over as that file.

    :param wheel: the root of an unpacked wheel, as a path or an :class:`~wheel_linker.UnpackedWheel`.
    :param ignore: names in the root that are not the wheel's own, such as the notes of a cache.
    :raises InvalidWheelError: if it is no unpacked wheel, holds what has no place in an environment, has not
        exactly one ``*.dist-info`` directory, that of another distribution or version than the file name says, or a
        symlink in it does not lead to a file.
    :raises LinkError: if a directory cannot be read.
    """

    validation_error: ClassVar[type[Exception]] = InvalidWheelError

    def __init__(self, wheel: WheelLike, *, ignore: Collection[str] = ()) -> None:
        self._wheel = unpacked(wheel)
        with self._wheel.hold():
            self._tree = scan(self._wheel.path)
            self._ignore = frozenset(ignore)
            self._links = dict(_resolved_links(self._tree, self._ignore))
        self._dist_info = self._tree.dist_info("unpack the wheel again")
        self._filename = _filename(self._wheel, self._dist_info)
        stem = self._dist_info.removesuffix(DIST_INFO)
        distribution, _, version = stem.partition("-")
        super().__init__(distribution, version)

    @classmethod
    @contextmanager
    def open(cls, wheel: WheelLike, *, ignore: Collection[str] = ()) -> Iterator[UnpackedSource]:
        """Have a source for the length of a ``with`` statement, in which the wheel is kept in place.

        :param wheel: as for the class.
        :param ignore: as for the class.
        :raises InvalidWheelError: as for the class.
        :raises LinkError: as for the class.
        """
        with unpacked(wheel).hold():
            yield cls(wheel, ignore=ignore)

    @property
    @override
    def dist_info_dir(self) -> str:
        """The name of the ``*.dist-info`` directory."""
        return self._dist_info

    @property
    @override
    def data_dir(self) -> str:
        """The name of the ``*.data`` directory, whether there is one or not."""
        usual = f"{self.distribution}-{self.version}{_DATA}"
        found = (self._tree.directories[index].parts[0] for index in self._tree.top_level())
        alike = [name for name in found if _normal(name) == _normal(usual)]
        return usual if usual in alike or not alike else alike[0]

    @property
    @override
    def dist_info_filenames(self) -> list[str]:
        """The names of the files in the ``*.dist-info`` directory, relative to it."""
        length = len(self._dist_info) + 1
        return [path[length:] for path in self._paths() if path[:length] == f"{self._dist_info}/"]

    @override
    def read_dist_info(self, filename: str) -> str:
        """Return the text of a file in the ``*.dist-info`` directory.

        :param filename: its path relative to that directory.
        :raises InvalidWheelError: if it is missing or not UTF-8.
        :raises LinkError: if it cannot be read.
        """
        try:
            return self._read(filename).decode("utf-8")
        except UnicodeDecodeError as error:
            raise InvalidWheelError(
                f"{filename} of the unpacked wheel {self._tree.path!r} is not UTF-8: {error}"
            ) from error

    @override
    def validate_record(self, *, validate_contents: bool = True) -> None:
        """Check that the wheel has the files that its ``RECORD`` lists, and no others, as :mod:`installer` does.

        Each file has to have a hash and a size there, but for ``RECORD``, which may have neither, and its signatures,
        which have no place in it.

        :param validate_contents: whether each file is read, and its size and hash compared as well.
        :raises InvalidWheelError: if something differs.
        :raises LinkError: if a file cannot be read.
        """
        record, paths = self._record(), self._paths()
        rows = expected_rows(record, paths, self._dist_info)
        self._refuse_wrong_rows(record, paths)
        if not validate_contents:
            return
        for path, row in rows.items():
            if row is not None:
                self._validate(path, row)

    def _refuse_wrong_rows(self, record: Mapping[str, Row | None], paths: Collection[str]) -> None:
        own = f"{self._dist_info}/{RECORD}"
        if own not in record:
            raise self._wrong_row(own, "it is not listed")
        if record[own] is not None or self._size_of_record():
            raise self._wrong_row(own, "it has a hash or size")
        signatures = {f"{self._dist_info}/{name}" for name in SIGNATURES}
        for path in paths:
            row = record.get(path)
            if path in signatures and path in record:
                raise self._wrong_row(path, "a signature is listed")
            if row is not None and row.size is None:
                raise self._wrong_row(path, "it has no size")

    def _size_of_record(self) -> str:
        """Return what ``RECORD`` says of its own size."""
        own = f"{self._dist_info}/{RECORD}"
        rows = csv.reader(StringIO(self._read(RECORD).decode("utf-8"), newline=""))
        return next((row[2] for row in rows if row and row[0] == own), "")

    def _wrong_row(self, path: str, how: str) -> InvalidWheelError:
        return InvalidWheelError(
            f"the RECORD of the unpacked wheel {self._tree.path!r} is not right about {path!r}: {how}; "
            "build the wheel again"
        )

    @override
    def get_contents(self) -> Iterator[WheelContentElement]:
        """Yield each file: its row in ``RECORD``, a stream, and whether it is executable.

        :raises InvalidWheelError: if ``RECORD`` is missing or cannot be read, or the wheel was removed.
        :raises LinkError: if a directory or file cannot be read.
        """
        with self._wheel.hold():
            record = self._record()
            for path, file in self._files(record):
                with file:
                    yield _elements(path, file), cast("BinaryIO", file), file.executable

    def _files(self, record: Mapping[str, Row | None]) -> Iterator[tuple[str, UnpackedFile]]:
        written = self._written()
        with (
            self._reading(""),
            Folder.open(self._tree.path) as root,
            Descent(root, Folder.enter) as folders,
        ):
            for parts, name in self._names():
                path = "/".join((*parts, name))
                real = self._links.get(path, (*parts, name))
                status = folders.go(real[:-1]).lstat(real[-1])
                if status is None or not stat.S_ISREG(status.st_mode):
                    raise self._vanished(path)
                # The row of a symlink may be of the text that an archive has for it.
                row = None if path in self._links else record.get(path)
                # A file of another size than RECORD says, or one that is newer, may have been edited, and is read.
                if row is not None and row.size not in (None, status.st_size):
                    row = None
                if status.st_mtime_ns > written:
                    row = None
                yield path, self._file(real, status, row)

    def _written(self) -> int:
        """Return when ``RECORD`` was modified, in nanoseconds since the epoch."""
        with self._reading(RECORD):
            return os.stat(os.path.join(self._tree.path, self._dist_info, RECORD)).st_mtime_ns

    def _file(self, parts: Parts, status: os.stat_result, row: Row | None) -> UnpackedFile:
        return UnpackedFile(
            self._filename,
            self._tree,
            parts,
            os.path.join(self._tree.path, *parts),
            row,
            status.st_size,
            bool(status.st_mode & _EXECUTABLE),
        )

    def _names(self) -> Iterator[tuple[Parts, str]]:
        for directory in self._tree.directories:
            parts = directory.parts
            if (parts and parts[0]) in self._ignore:
                continue
            for name in sorted(directory.names()):
                if parts or name not in self._ignore:
                    yield parts, name

    def _paths(self) -> list[str]:
        return ["/".join((*parts, name)) for parts, name in self._names()]

    def _record(self) -> dict[str, Row | None]:
        path = os.path.join(self._tree.path, self._dist_info, RECORD)
        with self._reading(RECORD):
            size = os.stat(path).st_size
        refuse_huge(size, self._paths())
        return parse_record(self._read(RECORD))

    def _read(self, filename: str) -> bytes:
        path = os.path.join(self._tree.path, self._dist_info, *filename.split("/"))
        with self._reading(filename), open(path, "rb", buffering=0) as file:
            return file.read()

    def _validate(self, path: str, row: Row) -> None:
        digest, size = hashlib.new(row.algorithm), 0
        parts = self._links.get(path, tuple(path.split("/")))
        full = os.path.join(self._tree.path, *parts)
        with self._reading(path), open(full, "rb", buffering=0) as file:
            while data := file.read(_CHUNK):
                digest.update(data)
                size += len(data)
        if encoded(digest.digest()) != row.digest or row.size not in (None, size):
            raise InvalidWheelError(
                f"{path!r} of the unpacked wheel {self._tree.path!r} is not what its RECORD says: "
                "unpack the wheel again"
            )

    @contextmanager
    def _reading(self, path: str) -> Iterator[None]:
        try:
            yield
        except LinkError:
            raise
        except FileNotFoundError as error:
            raise self._vanished(path) from error
        except OSError as error:
            full = os.path.join(self._tree.path, path)
            raise LinkError.from_os_error(
                error, f"read {full!r}", source=full, advice=VANISHED
            ) from error

    def _vanished(self, path: str) -> InvalidWheelError:
        return InvalidWheelError(
            f"the unpacked wheel {self._tree.path!r} has no file {path!r}: unpack the wheel again"
        )


def _filename(wheel: UnpackedWheel, dist_info: str) -> WheelFilename:
    inner = WheelFilename.from_dist_info(dist_info)
    given = wheel.filename
    if given is None:
        return inner
    name = given if isinstance(given, WheelFilename) else WheelFilename.parse(given)
    if (inner.name, inner.version) != (name.name, name.version):
        raise InvalidWheelError(
            f"the unpacked wheel {os.fspath(wheel.path)!r} is called {name} and holds {dist_info!r}: give the file "
            "name of the wheel that was unpacked there"
        )
    return name


def _normal(name: str) -> str:
    return name.lower().replace("-", "_").replace(".", "_")


def _resolved_links(tree: Tree, ignore: Collection[str]) -> Iterator[tuple[str, Parts]]:
    """Yield the path of each symlink in the wheel, and that of the file it leads to."""
    for directory in tree.directories:
        for name, _ in directory.links:
            if (*directory.parts, name)[0] in ignore:
                continue
            path = directory.path_of(name)
            real = os.path.realpath(os.path.join(tree.path, *directory.parts, name))
            if not os.path.isfile(real):
                raise InvalidWheelError(
                    f"the symlink {path!r} in the unpacked wheel {tree.path!r} does not lead to a file, and files "
                    "are all that an installer is handed; use link_wheel_files, or unpack the wheel again"
                )
            yield path, tuple(os.path.relpath(real, tree.path).split(os.sep))


def _elements(path: str, file: UnpackedFile) -> tuple[str, str, str]:
    if file.row is None:
        return path, "", ""
    return path, f"{file.row.algorithm}={file.row.digest}", str(file.size)
