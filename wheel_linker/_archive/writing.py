"""Writing the files of a wheel into a directory that nobody else writes to."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, Final

from wheel_linker._archive import inflate
from wheel_linker._archive.member_data import PIECE, damaged
from wheel_linker._fs import copying
from wheel_linker._fs.copying import CREATE
from wheel_linker._fs.permissions import if_allowed
from wheel_linker._wheel.record import encoded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from wheel_linker._archive.member_data import Piece
    from wheel_linker._archive.zip_directory import Member
    from wheel_linker._fs.folder import Folder

_PLAIN: Final = 0o666
_EXECUTABLE: Final = 0o777
_READ_ONLY: Final = 0o555


class Writer:
    """Writes files that are not there yet, each with the same time.

    :param tree: the directory that they are written into; those that they lie in are there.
    :param stamp: the modification time of every file, in nanoseconds since the epoch.
    :param read_only: whether files are made read-only.
    """

    def __init__(self, tree: Folder, stamp: int, *, read_only: bool) -> None:
        self._tree = tree
        self._times = (stamp, stamp)
        self._permitted = _READ_ONLY if read_only else _EXECUTABLE

    def write(self, member: Member, content: Piece) -> None:
        """Write a file."""
        fd = self._create(member)
        try:
            written = os.write(fd, content) if content else 0
            if written < len(content):
                copying.write_all(fd, content[written:])
            self._stamp_open(fd)
        finally:
            os.close(fd)
        self._stamp_closed(member)

    def write_pieces(
        self,
        member: Member,
        pieces: Iterable[Piece],
        algorithm: str,
        tell: Callable[[int], None],
        pass_on: Callable[[Iterable[Piece], Callable[[Piece], None]], None] | None = None,
    ) -> str:
        """Write a file of which there need not be more than some pieces in memory.

        :param algorithm: that of the digest.
        :param tell: called with the size of each piece that is written.
        :param pass_on: what has another thread write them, if any does.
        :returns: the digest of the file.
        :raises InvalidWheelError: if it is not what the archive says.
        """
        fd = self._create(member)
        try:
            large = _Large(member, fd, hashlib.new(algorithm))

            def write(piece: Piece) -> None:
                large.write(piece)
                tell(len(piece))

            if pass_on is not None:
                pass_on(pieces, write)
            else:
                for piece in pieces:
                    write(piece)
            large.check()
            self._stamp_open(fd)
        finally:
            os.close(fd)
        self._stamp_closed(member)
        return encoded(large.digest.digest())

    def _create(self, member: Member) -> int:
        permissions = (_EXECUTABLE if member.executable else _PLAIN) & self._permitted
        # CREATE neither writes through a link nor over a file that the checks of names have missed.
        return os.open(self._tree.at(member.name), CREATE, permissions, dir_fd=self._tree.fd)

    def _stamp_open(self, fd: int) -> None:
        if copying.TIMES_BY_DESCRIPTOR:
            if_allowed(os.utime, fd, ns=self._times)

    def _stamp_closed(self, member: Member) -> None:
        # The time is set by the path, after the file was closed: on closing Windows sets the time of what was written
        # once more.
        if not copying.TIMES_BY_DESCRIPTOR:
            if_allowed(os.utime, self._tree.at(member.name), ns=self._times, dir_fd=self._tree.fd)


class _Large:
    """A file while it is written, piece by piece.

    :ivar digest: the digest of what was written so far.
    """

    def __init__(self, member: Member, fd: int, digest: hashlib._Hash) -> None:
        self.digest = digest
        self._member = member
        self._fd = fd
        self._size = 0
        self._crc = 0

    def write(self, piece: Piece) -> None:
        """Add a piece; refuse more bytes than there should be."""
        self._size += len(piece)
        if self._size > self._member.size:
            self.check()
        self._crc = inflate.crc32(piece, self._crc)
        self.digest.update(piece)
        copying.write_all(self._fd, piece)

    def check(self) -> None:
        """Refuse a file that is not what the archive says."""
        if self._size != self._member.size or self._crc != self._member.crc:
            raise damaged(
                self._member, "it has another size or CRC than the central directory says"
            )


def read_digest(tree: Folder, path: str, algorithm: str) -> str:
    """Return the digest of a file that was written, symlinks followed."""
    digest = hashlib.new(algorithm)
    fd = os.open(tree.at(path), os.O_RDONLY | getattr(os, "O_BINARY", 0), dir_fd=tree.fd)
    try:
        while data := os.read(fd, PIECE):
            digest.update(data)
    finally:
        os.close(fd)
    return encoded(digest.digest())
