"""Which wheel files are known: from path and identity to digest and entry, without opening them.

A text file that only grows, a line for each file that was added; ``prune`` writes it anew without what is gone.
Whatever is in it is a hint: a line that is torn, missing or of an entry that is no more costs reading a wheel again.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from wheel_linker._fs.timestamps import identity
from wheel_linker.store.layout import is_digest, is_entry_name

if TYPE_CHECKING:
    from collections.abc import Callable


class Known(NamedTuple):
    """What the index says of a file."""

    digest: str
    entry: str


class Index:
    """The index of one store, read once."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._lines: dict[str, str] = {}
        self._sizes: set[str] = set()
        for key, value in _read(path):
            self._lines[key] = value
            self._sizes.add(key.partition(" ")[0])

    def find(self, path: str, status: os.stat_result) -> Known | None:
        """Return what is known of the file at ``path``, if it is as it was when it was added."""
        value = self._lines.get(f"{identity(status)} {path}")
        return None if value is None else _known(value)

    def may_know(self, size: int) -> bool:
        """Tell whether a file of this size was ever added, so that reading its digest first may save unpacking it."""
        return str(size) in self._sizes

    def add(self, path: str, status: os.stat_result, known: Known) -> None:
        """Note a file, here and for others; the store's lock must be held.

        A store that cannot be written to goes without.

        :raises OSError: if the disk is full, or broken.
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
        fd = os.open(
            self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666
        )
        try:
            os.write(fd, line)
        finally:
            os.close(fd)


def compact(path: str, exists: Callable[[str], bool]) -> None:
    """Write an index anew with what is still of use; the store's lock must be held.

    :param exists: whether there is an entry of that name.
    :raises OSError: if it cannot be written.
    """
    newest: dict[str, str] = {}
    for key, value in _read(path):
        where = key.split(" ", 4)[-1]
        newest.pop(where, None)
        if exists(value.partition(" ")[2]):
            newest[where] = f"{key}\t{value}\n"
    new = f"{path}.new"
    with open(new, "w", encoding="utf-8", errors="surrogateescape", newline="\n") as file:
        file.writelines(newest.values())
    os.replace(new, path)


def _read(path: str) -> list[tuple[str, str]]:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape", newline="\n") as file:
            text = file.read()
    except FileNotFoundError:
        return []
    pairs = []
    for line in text.split("\n"):
        key, _, value = line.rpartition("\t")
        if key:
            pairs.append((key, value))
    return pairs


def _known(value: str) -> Known | None:
    digest, _, entry = value.partition(" ")
    return Known(digest, entry) if is_digest(digest) and is_entry_name(entry) else None
