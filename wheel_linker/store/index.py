"""Which wheel files are known: from path and identity to digest and entry, without opening them.

A text file that only grows, a line for each file that was added; ``prune`` writes it anew without what is gone.
Whatever is in it is a hint: a line that is torn, missing or of an entry that is no more costs reading a wheel again.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from wheel_linker._fs._windows.retry import is_in_use
from wheel_linker._fs.copying import write_all
from wheel_linker._fs.reading import read_regular
from wheel_linker._fs.timestamps import identity
from wheel_linker._log import log
from wheel_linker.store.control import LONGEST, open_file
from wheel_linker.store.layout import INDEX, is_digest, is_entry_name
from wheel_linker.store.lease import FULL, NOT_OURS
from wheel_linker.store.trust import settle_one

if TYPE_CHECKING:
    from collections.abc import Callable

    from wheel_linker._fs.folder import Folder
    from wheel_linker.store.trust import Standing


class Known(NamedTuple):
    """What the index says of a file."""

    digest: str
    entry: str


class Index:
    """The index of one store, read once."""

    def __init__(self, folder: Folder | None) -> None:
        """Read it.

        :param folder: the directory of the store's own files; None for an index that knows nothing.
        :raises OSError: if it cannot be read, or is something else than a file.
        """
        self._lines: dict[str, str] = {}
        self._sizes: set[str] = set()
        for key, value in [] if folder is None else _read(folder):
            self._lines[key] = value
            self._sizes.add(key.partition(" ")[0])

    def find(self, path: str, status: os.stat_result) -> Known | None:
        """Return what is known of the file at ``path``, if it is as it was when it was added."""
        value = self._lines.get(f"{identity(status)} {path}")
        return None if value is None else _known(value)

    def may_know(self, size: int) -> bool:
        """Tell whether a file of this size was ever added, so that reading its digest first may save unpacking it."""
        return str(size) in self._sizes

    def add(
        self, folder: Folder, path: str, status: os.stat_result, known: Known, standing: Standing
    ) -> None:
        """Note a file, here and for others; the store's lock must be held.

        Without room on the disk, or where the index is another's, it is noted here only.

        :raises OSError: if the disk is broken.
        """
        key, value = f"{identity(status)} {path}", f"{known.digest} {known.entry}"
        self._lines[key] = value
        self._sizes.add(str(status.st_size))
        try:
            # Begun by a line break, for whoever was killed in the middle of the line before.
            line = f"\n{key}\t{value}\n".encode("utf-8", "surrogateescape")
        except UnicodeEncodeError:
            return
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
    newest: dict[str, str] = {}
    for key, value in _read(folder):
        where = key.split(" ", 4)[-1]
        newest.pop(where, None)
        if exists(value.partition(" ")[2]):
            newest[where] = f"{key}\t{value}\n"
    new = f"{INDEX}.{os.urandom(6).hex()}"
    try:
        try:
            _write(folder, new, "".join(newest.values()))
            settle_one(folder, new, standing, written_by_all=True)
            folder.move(new, folder, INDEX)
        except BaseException:
            _remove(folder, new)
            raise
    except OSError as error:
        if error.errno not in FULL and not is_in_use(error):
            raise
        log("cannot write the index in %s anew: %s", folder.path, error)


def _write(folder: Folder, name: str, text: str) -> None:
    fd = open_file(folder, name, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    try:
        write_all(fd, text.encode("utf-8", "surrogateescape"))
    finally:
        os.close(fd)


def _remove(folder: Folder, name: str) -> None:
    try:
        os.unlink(folder.prefix + name, dir_fd=folder.fd)
    except OSError as error:
        log("cannot remove %s in %s: %s", name, folder.path, error)


def _read(folder: Folder) -> list[tuple[str, str]]:
    try:
        data = read_regular(folder.prefix + INDEX, LONGEST, dir_fd=folder.fd)
    except FileNotFoundError:
        return []
    pairs = []
    for line in data.decode("utf-8", "surrogateescape").split("\n"):
        key, _, value = line.rpartition("\t")
        if key:
            pairs.append((key, value))
    return pairs


def _known(value: str) -> Known | None:
    digest, _, entry = value.partition(" ")
    return Known(digest, entry) if is_digest(digest) and is_entry_name(entry) else None
