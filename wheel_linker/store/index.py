"""Which wheel files are known: from path and identity to digest and entry, without opening them.

A text file that only grows, a line for each file that was added; ``prune`` writes it anew without what is gone.
Whatever is in it is a hint: a line that is torn, missing or of an entry that is no more costs reading a wheel again.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from wheel_linker._compat.named_tuple import NamedTuple
from wheel_linker._fs.reading import read_regular
from wheel_linker._fs.timestamps import identity
from wheel_linker._fs.windows import is_in_use
from wheel_linker._log import log
from wheel_linker.store.control import LONGEST, make_file, open_file, remove_file
from wheel_linker.store.layout import INDEX
from wheel_linker.store.lease import FULL, NOT_OURS
from wheel_linker.store.names import is_digest, is_entry_name
from wheel_linker.store.trust import settle_one

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from wheel_linker._fs.folder import Folder
    from wheel_linker.store.trust import Standing


_FEW: Final = 8


class Known(NamedTuple):
    """What the index says of a file."""

    digest: str
    entry: str


class Index:
    """The index of one store, read once.

    To take all of its lines apart takes twenty times as long as to search what was read for one. That is done only
    after several searches.
    """

    def __init__(self, folder: Folder | None) -> None:
        """Read it.

        :param folder: the directory of the store's own files; None for an index that knows nothing.
        :raises OSError: if it cannot be read, or is something else than a file.
        """
        self._data = b"" if folder is None else _read(folder)
        self._lines: dict[bytes, bytes] = {}
        self._sizes: set[bytes] = set()
        self._searches = 0

    def find(self, path: str, status: os.stat_result) -> Known | None:
        """Return what is known of the file at ``path``, if it is as it was when it was added."""
        try:
            key = f"{identity(status)} {path}".encode("utf-8", "surrogateescape")
        except UnicodeEncodeError:
            return None
        self._search()
        value = self._lines.get(key) or _value(self._data, b"\n%b\t" % key)
        return None if value is None else _known(value)

    def may_know(self, size: int) -> bool:
        """Tell whether a file of this size was ever added, so that reading its digest first may save unpacking it."""
        self._search()
        return b"%d" % size in self._sizes or b"\n%d " % size in self._data

    def _search(self) -> None:
        """Take the lines apart if this is not one of the first searches."""
        self._searches += 1
        # Threads may do it at once; what was noted meanwhile is of more use than a line.
        if self._searches > _FEW and self._data:
            lines = dict(_pairs(self._data))
            self._sizes |= {key.partition(b" ")[0] for key in lines}
            self._lines = {**lines, **self._lines}
            self._data = b""

    def add(
        self, folder: Folder, path: str, status: os.stat_result, known: Known, standing: Standing
    ) -> None:
        """Note a file, here and for others; the store's lock must be held.

        Without room on the disk, or where the index is another's, it is noted here only.

        :raises OSError: if the disk is broken.
        """
        value = f"{known.digest} {known.entry}".encode("ascii")
        try:
            key = f"{identity(status)} {path}".encode("utf-8", "surrogateescape")
        except UnicodeEncodeError:
            return
        self._lines[key] = value
        self._sizes.add(b"%d" % status.st_size)
        # The line begins with a line break: another process may have been killed in the middle of the line before.
        line = b"\n%b\t%b\n" % (key, value)
        if line.count(b"\n") != 2:
            return
        try:
            _append(folder, line, standing)
        except OSError as error:
            if error.errno not in FULL | NOT_OURS:
                raise
            log("cannot write to the index in %s: %s", folder.path, error)


def _append(folder: Folder, line: bytes, standing: Standing) -> None:
    is_new = folder.lstat(INDEX) is None
    fd = open_file(folder, INDEX, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        os.write(fd, line)
    finally:
        os.close(fd)
    if is_new:
        settle_one(folder, INDEX, standing, written_by_all=True)


def compact(folder: Folder, exists: Callable[[str], bool], standing: Standing) -> None:
    """Write an index anew with what is still of use; the store's lock must be held.

    Without room on the disk, or on Windows while it is being read for long, the old one stays.

    :param exists: whether there is an entry of that name.
    :raises OSError: if it cannot be written.
    """
    newest: dict[bytes, bytes] = {}
    for key, value in _pairs(_read(folder)):
        where = key.split(b" ", 4)[-1]
        newest.pop(where, None)
        if exists(value.partition(b" ")[2].decode("ascii", "replace")):
            # A line is searched for with the line break before it.
            newest[where] = b"\n%b\t%b\n" % (key, value)
    new = f"{INDEX}.{os.urandom(6).hex()}"
    try:
        try:
            make_file(folder, new, b"".join(newest.values()))
            settle_one(folder, new, standing, written_by_all=True)
            folder.move(new, folder, INDEX)
        except BaseException:
            remove_file(folder, new)
            raise
    except OSError as error:
        if error.errno not in FULL and not is_in_use(error):
            raise
        log("cannot write the index in %s anew: %s", folder.path, error)


def _read(folder: Folder) -> bytes:
    try:
        return read_regular(folder.prefix + INDEX, LONGEST, dir_fd=folder.fd)
    except FileNotFoundError:
        return b""
    except OSError as error:
        error.filename = os.path.join(folder.path, INDEX)  # a name alone would not say where
        raise


def _pairs(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    for line in data.split(b"\n"):
        key, _, value = line.rpartition(b"\t")
        if key:
            yield key, value


def _value(data: bytes, start: bytes) -> bytes | None:
    """Return what the last of the lines that begin so has after that; None if there is none."""
    found = data.rfind(start)
    if found < 0:
        return None
    begin = found + len(start)
    end = data.find(b"\n", begin)
    return data[begin:] if end < 0 else data[begin:end]


def _known(value: bytes) -> Known | None:
    digest, _, entry = value.decode("ascii", "replace").partition(" ")
    return Known(digest, entry) if is_digest(digest) and is_entry_name(entry) else None
