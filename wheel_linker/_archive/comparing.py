"""Comparing what is unpacked with the rows of ``RECORD``: what differs is refused, or noted as a problem."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wheel_linker._archive.stored_file import StoredFile
from wheel_linker._wheel.names import ambiguous
from wheel_linker._wheel.record import SHA256, Row, digest_of
from wheel_linker._wheel.record_problems import RecordProblem
from wheel_linker.errors import InvalidWheelError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from wheel_linker._archive.checks import Contents
    from wheel_linker._archive.member_data import Piece
    from wheel_linker._archive.zip_directory import Member


class Comparison:
    """What was unpacked of a wheel so far, and how it differs from ``RECORD``. Threads may share it.

    :ivar files: the files and symlinks.
    :ivar problems: what is not as a lenient ``RECORD`` says.
    """

    def __init__(self, contents: Contents) -> None:
        self.files: list[StoredFile] = []
        self.problems: list[RecordProblem] = []
        self._contents = contents
        record = Row(SHA256, digest_of(SHA256, contents.record), None)
        # What was read before has decided which files there may be. What is unpacked now must be the same.
        self._rows = {**contents.rows, contents.record_path: record}

    def algorithm(self, member: Member) -> str:
        """Return the algorithm of the digest that a file has to have."""
        row = self._rows[member.name]
        return SHA256 if row is None else row.algorithm

    def add(self, member: Member, size: int, algorithm: str, digest: str) -> None:
        """Take a file.

        :param size: how many bytes it has.
        :param digest: what it has by :meth:`algorithm`.
        :raises InvalidWheelError: if it is not what a strict ``RECORD`` says.
        """
        row = self._rows[member.name]
        if row is not None and (
            digest != row.digest or size != (size if row.size is None else row.size)
        ):
            if self._contents.strict or member.name == self._contents.record_path:
                raise _not_as_recorded(member.name)
            self.problems += _differences(member.name, row, size, digest)
        self.files.append(StoredFile(member.name, size, member.executable, f"{algorithm}={digest}"))

    def add_link(self, path: str, text: str, read: Callable[[str], str] | None) -> None:
        """Take a symlink, whose row may be made of the file that it leads to, or of its text.

        :param text: where it leads to, as it says.
        :param read: returns the digest, by an algorithm, of the file that it leads to; None if that is no file.
        :raises InvalidWheelError: if it is neither and ``RECORD`` is strict.
        """
        row = self._rows[path]
        if row is not None and row.digest != digest_of(row.algorithm, text.encode()):
            there = "" if read is None else read(row.algorithm)
            if row.digest != there:
                if self._contents.strict:
                    raise _not_as_recorded(path)
                detail = f"is a symlink to {text!r}, and RECORD has the hash of something else"
                self.problems.append(RecordProblem("hash", path, detail))
        self.files.append(StoredFile(path, 0, False, "", text))

    def compare_replaced(self, member: Member, content: Piece) -> None:
        """Refuse an entry that is there twice unless it is what ``RECORD`` says, as the other one has to be.

        :raises InvalidWheelError: if it is not.
        """
        row = self._rows[member.name]
        if row is None or digest_of(row.algorithm, content) != row.digest:
            raise ambiguous(member.name, member.name)


def _not_as_recorded(path: str) -> InvalidWheelError:
    return InvalidWheelError(
        f"its entry {path!r} is not what its RECORD says; "
        "get the wheel from elsewhere, or build it again"
    )


def _differences(path: str, row: Row, size: int, digest: str) -> Iterator[RecordProblem]:
    if digest != row.digest:
        detail = f"has the {row.algorithm} {digest}, and {row.digest} in RECORD"
        yield RecordProblem("hash", path, detail)
    if row.size not in (None, size):
        yield RecordProblem("size", path, f"has {size:,} bytes, and {row.size:,} in RECORD")
