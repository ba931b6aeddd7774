"""Unpacking a wheel file and verifying it, in one pass over its bytes.

The file is read once, from front to back, by the calling thread, and its own SHA-256 is taken of the very bytes that
are unpacked: a file that is rebuilt meanwhile cannot get the digest of one version and the content of another. Pieces
of it go to as many threads as are free; inflating and hashing release the interpreter's lock.
"""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, Final

from wheel_linker._archive import inflate
from wheel_linker._archive.checks import damaged, data_start, inflate_error, unpacked
from wheel_linker._archive.links import files_led_to
from wheel_linker._archive.stored_file import StoredFile
from wheel_linker._archive.zip_directory import STORED, Member
from wheel_linker._compat.named_tuple import NamedTuple
from wheel_linker._fs import copying
from wheel_linker._fs.permissions import if_allowed
from wheel_linker._wheel.names import ambiguous
from wheel_linker._wheel.progress import Progress
from wheel_linker._wheel.record import SHA256, Row, digest_of, encoded
from wheel_linker._wheel.record_problems import RecordProblem
from wheel_linker.errors import InvalidWheelError, refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import TypeAlias

    from wheel_linker._archive.checks import Contents
    from wheel_linker._archive.crew import Crew
    from wheel_linker._archive.wheel_file import WheelFile
    from wheel_linker._fs.folder import Folder

    _Piece: TypeAlias = bytes | memoryview

# O_EXCL never writes through a link, nor over a file that the checks of names have missed.
_CREATE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
_PLAIN: Final = 0o666
_EXECUTABLE: Final = 0o777
_READ_ONLY: Final = 0o555
# What unpacking takes of the memory: bytes of an archive that are read, but not begun to be unpacked, and pieces of one
# file that wait for the thread that writes them. More would not make it faster.
_BYTES_AHEAD: Final = 48 * 1024 * 1024
_PIECES_AHEAD: Final = 8
# A piece of work: enough to be worth passing to another thread, not so much that the last one takes long.
_UNIT_COMPRESSED: Final = 512 * 1024
_UNIT_SIZE: Final = 4 * 1024 * 1024
_UNIT_MEMBERS: Final = 100
# Bytes. A file of at least the first size is unpacked piece by piece; if its data in the archive have at least the
# second size, they are read piece by piece as well.
_LARGE: Final = 8 * 1024 * 1024
_HUGE: Final = 32 * 1024 * 1024
_PIECE: Final = 1024 * 1024


class Result(NamedTuple):
    """What was unpacked."""

    digest: str
    """The SHA-256 of the wheel file, in hexadecimal digits."""
    files: Sequence[StoredFile]
    """Its files and symlinks, by path."""
    problems: tuple[RecordProblem, ...]
    """What is not right about its ``RECORD``."""


class _Unit(NamedTuple):
    """Some entries that lie beside each other in the archive, with their bytes."""

    members: Sequence[Member]
    start: int
    data: memoryview


def unpack(
    file: WheelFile,
    contents: Contents,
    tree: Folder,
    crew: Crew,
    *,
    stamp: int,
    read_only: bool = False,
    progress: Progress | None = None,
) -> Result:
    """Unpack a wheel into an empty directory that nobody else writes to.

    :param stamp: the modification time of every file, in nanoseconds since the epoch.
    :param read_only: whether files are made read-only.
    :param progress: what counts the files.
    :raises InvalidWheelError: if a file is not what the archive says, or a strict ``RECORD`` does. Some may have been
        written then.
    :raises LinkError: if the wheel cannot be read or the directory cannot be written.
    """
    run = _Unpacking(file, contents, tree, stamp, read_only, progress or Progress(None), crew)
    doing = f"unpack the wheel {file.path!r} into {tree.path!r}"
    with refused(doing, source=file.path, destination=tree.path):
        for directory in contents.directories:
            os.mkdir(tree.at(directory), dir_fd=tree.fd)
        crew.share(run.units(), run.unpack, _weight, _BYTES_AHEAD)
        run.make_links()
    problems = (*contents.problems, *sorted(run.problems))
    return Result(run.digest(), sorted(run.files), problems)


def amount(members: Sequence[Member]) -> tuple[int, int]:
    """Return how many files there are among entries of an archive, and how many bytes these unpack to."""
    files = [member.size for member in members if not member.is_directory]
    return len(files), sum(files)


def _weight(unit: _Unit) -> int:
    return len(unit.data)


class _Large:
    """A file while it is written, piece by piece.

    :ivar size: how many bytes of it there are so far.
    :ivar digest: the digest of these.
    """

    def __init__(self, member: Member, fd: int, digest: hashlib._Hash) -> None:
        self.size = 0
        self.digest = digest
        self._member = member
        self._fd = fd
        self._crc = 0

    def write(self, piece: _Piece) -> None:
        """Add a piece; refuse more bytes than there should be."""
        self.size += len(piece)
        if self.size > self._member.size:
            self.check()
        self._crc = inflate.crc32(piece, self._crc)
        self.digest.update(piece)
        _write_all(self._fd, piece)

    def check(self) -> None:
        """Refuse a file that is not what the archive says."""
        if self.size != self._member.size or self._crc != self._member.crc:
            raise damaged(
                self._member, "it has another size or CRC than the central directory says"
            )


class _Unpacking:
    """One wheel while it is unpacked."""

    def __init__(
        self,
        file: WheelFile,
        contents: Contents,
        tree: Folder,
        stamp: int,
        read_only: bool,
        progress: Progress,
        crew: Crew,
    ) -> None:
        self.files: list[StoredFile] = []
        self.problems: list[RecordProblem] = []
        self._file = file
        self._contents = contents
        self._tree = tree
        self._times = (stamp, stamp)
        self._permitted = _READ_ONLY if read_only else _EXECUTABLE
        self._digest = hashlib.sha256()
        self._progress = progress
        self._crew = crew
        self._name = os.path.basename(file.path)
        record = Row(SHA256, digest_of(SHA256, contents.record), None)
        # What was read before has decided which files there may be. What is unpacked now must be the same.
        self._rows = {**contents.rows, contents.record_path: record}

    def units(self) -> Iterator[_Unit]:
        """Read the file up to its central directory; very large members are unpacked on the way."""
        start = 0
        for members, stop in _batches(
            self._contents.directory.members, self._contents.directory.start
        ):
            if members[0].compressed > _HUGE and members[0].offset not in self._contents.replaced:
                self._unpack_huge(members[0], start, stop)
            else:
                data = self._file.read(start, stop - start)
                self._digest.update(data)
                yield _Unit(members, start, memoryview(data))
            start = stop

    def digest(self) -> str:
        """Read the rest of the file and return its SHA-256 in hexadecimal digits."""
        start = self._contents.directory.start
        rest = self._file.read(start, self._file.size - start)
        if rest != self._contents.directory.raw:
            raise InvalidWheelError("it was changed while it was read; try again")
        self._digest.update(rest)
        return self._digest.hexdigest()

    def unpack(self, unit: _Unit) -> None:
        """Write the files of a unit."""
        ends = [member.offset - unit.start for member in unit.members[1:]]
        large = []
        for member, end in zip(unit.members, [*ends, len(unit.data)]):
            raw = unit.data[member.offset - unit.start : end]
            begin = data_start(member, raw)
            data = raw[begin : begin + member.compressed]
            if len(data) != member.compressed:
                raise damaged(member, "it reaches into the next one")
            if member.name.endswith("/"):
                continue
            if member.is_link:
                self._compare_link(member, unpacked(member, data))
                continue
            if member.offset in self._contents.replaced:
                if self._contents.strict:
                    self._compare(member, unpacked(member, data))
                continue
            if member.size > _LARGE:
                chunks = (data[at : at + _PIECE] for at in range(0, len(data), _PIECE))
                self._write_pieces(member, _pieces(member, chunks))
                large.append(member)
            else:
                self._write(member, unpacked(member, data))
        files, size = amount(unit.members)
        told, size_told = amount(large)
        self._progress(files - told, self._name, size - size_told)

    def make_links(self) -> None:
        """Make the symlinks, when everything that they may lead to is there."""
        if not self._contents.links:
            return
        content = {file.path: file for file in self.files}
        for path, target in files_led_to(self._contents.links).items():
            text = self._contents.links[path]
            os.symlink(
                text.replace("/", os.sep),
                self._tree.at(path),
                target_is_directory=target in self._contents.directories or not target,
                dir_fd=self._tree.fd,
            )
            self._check_link(path, text, content.get(target))
            self.files.append(StoredFile(path, 0, False, "", text))

    def _check_link(self, path: str, text: str, file: StoredFile | None) -> None:
        """Compare a symlink with its row, which may be made of the file that it leads to, or of its text."""
        row = self._rows[path]
        if row is None or row.digest == digest_of(row.algorithm, text.encode()):
            return
        there = _read_digest(self._tree, path, row.algorithm) if file is not None else ""
        if row.digest == there:
            return
        if self._contents.strict:
            raise InvalidWheelError(
                f"its entry {path!r} is not what its RECORD says; "
                "get the wheel from elsewhere, or build it again"
            )
        detail = f"is a symlink to {text!r}, and RECORD has the hash of something else"
        self.problems.append(RecordProblem("hash", path, detail))

    def _compare_link(self, member: Member, content: bytes | memoryview) -> None:
        """Refuse a symlink that is not what it was when it was found to stay inside."""
        if member.offset in self._contents.replaced:
            return
        if bytes(content) != self._contents.links[member.name].encode():
            raise InvalidWheelError("it was changed while it was read; try again")

    def _compare(self, member: Member, content: bytes | memoryview) -> None:
        """Refuse an entry that is there twice unless it is what ``RECORD`` says, as the other one has to be."""
        row = self._rows[member.name]
        if row is None or digest_of(row.algorithm, content) != row.digest:
            raise ambiguous(member.name, member.name)

    def _write(self, member: Member, content: bytes | memoryview) -> None:
        algorithm = self._algorithm(member)
        self._check(member, len(content), algorithm, digest_of(algorithm, content))
        fd = self._create(member)
        try:
            written = os.write(fd, content) if content else 0
            if written < len(content):
                _write_all(fd, content[written:])
            self._stamp_open(fd)
        finally:
            os.close(fd)
        self._stamp_closed(member)

    def _write_pieces(
        self,
        member: Member,
        pieces: Iterable[bytes | memoryview],
        pass_on: Callable[[Iterable[_Piece], Callable[[_Piece], None]], None] | None = None,
    ) -> None:
        """Write a file of which there need not be more than some pieces in memory.

        :param pass_on: what has another thread write them, if any does.
        """
        algorithm = self._algorithm(member)
        fd = self._create(member)
        try:
            large = _Large(member, fd, hashlib.new(algorithm))

            def write(piece: _Piece) -> None:
                large.write(piece)
                self._progress(0, self._name, len(piece))

            if pass_on is not None:
                pass_on(pieces, write)
            else:
                for piece in pieces:
                    write(piece)
            large.check()
            self._check(member, large.size, algorithm, encoded(large.digest.digest()))
            self._stamp_open(fd)
        finally:
            os.close(fd)
        self._stamp_closed(member)
        self._progress(1, self._name)

    def _unpack_huge(self, member: Member, start: int, stop: int) -> None:
        """Unpack a member while it is read, so that it need not fit into memory.

        Inflating takes one thread, whatever there are; another one writes meanwhile, and takes digests.
        """
        head = self._file.read(member.offset, min(stop - member.offset, _PIECE))
        begin = member.offset + data_start(member, head)
        end = begin + member.compressed
        if end > stop:
            raise damaged(member, "it reaches into the next one")

        def data() -> Iterator[bytes]:
            position = start
            for chunk in self._file.chunks(start, stop):
                self._digest.update(chunk)
                yield chunk[max(begin - position, 0) : max(end - position, 0)]
                position += len(chunk)

        chunks = data()
        self._write_pieces(
            member,
            _pieces(member, chunks),
            lambda pieces, write: self._crew.pass_on(pieces, write, _PIECES_AHEAD),
        )
        for _ in chunks:
            pass  # the digest is of what follows the data, too

    def _algorithm(self, member: Member) -> str:
        row = self._rows[member.name]
        return SHA256 if row is None else row.algorithm

    def _check(self, member: Member, size: int, algorithm: str, digest: str) -> None:
        row = self._rows[member.name]
        if row is not None and (
            digest != row.digest or size != (size if row.size is None else row.size)
        ):
            if self._contents.strict or member.name == self._contents.record_path:
                raise InvalidWheelError(
                    f"its entry {member.name!r} is not what its RECORD says; "
                    "get the wheel from elsewhere, or build it again"
                )
            self.problems += _differences(member.name, row, size, digest)
        self.files.append(StoredFile(member.name, size, member.executable, f"{algorithm}={digest}"))

    def _create(self, member: Member) -> int:
        permissions = (_EXECUTABLE if member.executable else _PLAIN) & self._permitted
        return os.open(self._tree.at(member.name), _CREATE, permissions, dir_fd=self._tree.fd)

    def _stamp_open(self, fd: int) -> None:
        if copying.TIMES_BY_DESCRIPTOR:
            if_allowed(os.utime, fd, ns=self._times)

    def _stamp_closed(self, member: Member) -> None:
        # The time is set by the path, after the file was closed: on closing Windows sets the time of what was written
        # once more.
        if not copying.TIMES_BY_DESCRIPTOR:
            if_allowed(os.utime, self._tree.at(member.name), ns=self._times, dir_fd=self._tree.fd)


def _read_digest(tree: Folder, path: str, algorithm: str) -> str:
    digest = hashlib.new(algorithm)
    fd = os.open(tree.at(path), os.O_RDONLY | getattr(os, "O_BINARY", 0), dir_fd=tree.fd)
    try:
        while data := os.read(fd, _PIECE):
            digest.update(data)
    finally:
        os.close(fd)
    return encoded(digest.digest())


def _differences(path: str, row: Row, size: int, digest: str) -> Iterator[RecordProblem]:
    if digest != row.digest:
        detail = f"has the {row.algorithm} {digest}, and {row.digest} in RECORD"
        yield RecordProblem("hash", path, detail)
    if row.size not in (None, size):
        yield RecordProblem("size", path, f"has {size:,} bytes, and {row.size:,} in RECORD")


def _batches(members: Sequence[Member], end: int) -> Iterator[tuple[Sequence[Member], int]]:
    """Yield the members in batches, and where in the file each batch ends."""
    batch: list[Member] = []
    compressed = size = 0
    for member in members:
        full = compressed >= _UNIT_COMPRESSED or size >= _UNIT_SIZE or len(batch) >= _UNIT_MEMBERS
        # A member that is unpacked while it is read makes a batch of its own.
        if batch and (full or max(member.compressed, batch[0].compressed) > _HUGE):
            yield batch, member.offset
            batch, compressed, size = [], 0, 0
        batch.append(member)
        compressed += member.compressed
        size += member.size
    if batch:
        yield batch, end


def _pieces(member: Member, chunks: Iterable[bytes | memoryview]) -> Iterator[bytes | memoryview]:
    """Yield the content of a member of any size.

    :param chunks: its data in the archive.
    :raises InvalidWheelError: if they cannot be unpacked.
    """
    if member.method == STORED:
        yield from chunks
        return
    inflater = inflate.inflater()
    try:
        for chunk in chunks:
            rest: bytes | memoryview = chunk
            while rest and not inflater.eof:
                yield inflater.decompress(rest, _PIECE)
                rest = inflater.unconsumed_tail
        yield inflater.flush()
    except inflate.LIBRARY.error as error:
        raise inflate_error(member, error) from error
    if not inflater.eof or inflater.unused_data:
        raise damaged(member, "its data are cut short, or followed by others")


def _write_all(fd: int, data: bytes | memoryview) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
