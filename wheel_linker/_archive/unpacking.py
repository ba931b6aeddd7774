"""Unpacking a wheel file and verifying it, in one pass over its bytes.

The file is read once, from front to back, by the calling thread, and its own SHA-256 is taken of the very bytes that
are unpacked: a file that is rebuilt meanwhile cannot get the digest of one version and the content of another. Pieces
of it go to as many threads as are free; inflating and hashing release the interpreter's lock.
"""

from __future__ import annotations

import hashlib
import os
from functools import partial
from typing import TYPE_CHECKING, Final

from wheel_linker._archive.comparing import Comparison
from wheel_linker._archive.links import files_led_to
from wheel_linker._archive.member_data import (
    LONGEST_HEADER,
    damaged,
    data_start,
    in_chunks,
    pieces,
    unpacked,
)
from wheel_linker._archive.writing import Writer, read_digest
from wheel_linker._compat.named_tuple import NamedTuple
from wheel_linker._wheel.progress import Progress
from wheel_linker._wheel.record import digest_of
from wheel_linker.errors import InvalidWheelError, refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import TypeAlias

    from wheel_linker._archive.checks import Contents
    from wheel_linker._archive.crew import Crew
    from wheel_linker._archive.member_data import Piece
    from wheel_linker._archive.stored_file import StoredFile
    from wheel_linker._archive.wheel_file import WheelFile
    from wheel_linker._archive.zip_directory import Member
    from wheel_linker._fs.folder import Folder
    from wheel_linker._wheel.record_problems import RecordProblem

    PassOn: TypeAlias = Callable[[Iterable[Piece], Callable[[Piece], None]], None]

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
_CHANGED: Final = "it was changed while it was read; try again"


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
    writer = Writer(tree, stamp, read_only=read_only)
    run = _Unpacking(file, contents, tree, writer, progress or Progress(None), crew)
    doing = f"unpack the wheel {file.path!r} into {tree.path!r}"
    with refused(doing, source=file.path, destination=tree.path):
        for directory in contents.directories:
            os.mkdir(tree.at(directory), dir_fd=tree.fd)
        crew.share(run.units(), run.unpack, _weight, _BYTES_AHEAD)
        run.make_links()
    problems = (*contents.problems, *sorted(run.compared.problems))
    return Result(run.digest(), sorted(run.compared.files), problems)


def amount(members: Sequence[Member]) -> tuple[int, int]:
    """Return how many files there are among entries of an archive, and how many bytes these unpack to."""
    files = [member.size for member in members if not member.is_directory]
    return len(files), sum(files)


def _weight(unit: _Unit) -> int:
    return len(unit.data)


class _Unpacking:
    """One wheel while it is unpacked."""

    def __init__(
        self,
        file: WheelFile,
        contents: Contents,
        tree: Folder,
        writer: Writer,
        progress: Progress,
        crew: Crew,
    ) -> None:
        self.compared = Comparison(contents)
        self._file = file
        self._contents = contents
        self._tree = tree
        self._writer = writer
        self._digest = hashlib.sha256()
        self._progress = progress
        self._crew = crew
        self._name = os.path.basename(file.path)

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
            raise InvalidWheelError(_CHANGED)
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
                    self.compared.compare_replaced(member, unpacked(member, data))
                continue
            if member.size > _LARGE:
                self._write_pieces(member, pieces(member, in_chunks(data)))
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
        files = {file.path for file in self.compared.files}
        for path, target in files_led_to(self._contents.links).items():
            text = self._contents.links[path]
            os.symlink(
                text.replace("/", os.sep),
                self._tree.at(path),
                target_is_directory=target in self._contents.directories or not target,
                dir_fd=self._tree.fd,
            )
            read = partial(read_digest, self._tree, path) if target in files else None
            self.compared.add_link(path, text, read)

    def _compare_link(self, member: Member, content: Piece) -> None:
        """Refuse a symlink that is not what it was when it was found to stay inside."""
        if member.offset in self._contents.replaced:
            return
        if bytes(content) != self._contents.links[member.name].encode():
            raise InvalidWheelError(_CHANGED)

    def _write(self, member: Member, content: Piece) -> None:
        algorithm = self.compared.algorithm(member)
        self.compared.add(member, len(content), algorithm, digest_of(algorithm, content))
        self._writer.write(member, content)

    def _write_pieces(
        self, member: Member, content: Iterable[Piece], pass_on: PassOn | None = None
    ) -> None:
        def tell(size: int) -> None:
            self._progress(0, self._name, size)

        algorithm = self.compared.algorithm(member)
        digest = self._writer.write_pieces(member, content, algorithm, tell, pass_on)
        self.compared.add(member, member.size, algorithm, digest)
        self._progress(1, self._name)

    def _unpack_huge(self, member: Member, start: int, stop: int) -> None:
        """Unpack a member while it is read, so that it need not fit into memory.

        Inflating takes one thread, whatever there are; another one writes meanwhile, and takes digests.
        """
        head = self._file.read(member.offset, min(stop - member.offset, LONGEST_HEADER))
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
            pieces(member, chunks),
            lambda content, write: self._crew.pass_on(content, write, _PIECES_AHEAD),
        )
        for _ in chunks:
            pass  # the digest is of what follows the data, too


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
