"""The bytecode that an entry keeps: a set of files for each kind of interpreter and level of optimization.

A set lies in the entry, and is laid out as if it were an entry itself: a description of what there is, and that in a
directory beside it. What an interpreter could not compile has no file in it.
"""

from __future__ import annotations

import errno
import os
import re
import stat
import struct
from typing import TYPE_CHECKING, Final, Protocol

from wheel_linker._fs.copying import READ
from wheel_linker._fs.folder import Folder
from wheel_linker._fs.reading import is_nothing
from wheel_linker._log import log
from wheel_linker._wheel.bytecode import CACHE, level
from wheel_linker._wheel.tree import Tree
from wheel_linker.errors import LinkError
from wheel_linker.store._entry import manifest
from wheel_linker.store._entry.checking import promising, whole
from wheel_linker.store._entry.errors import BrokenManifestError
from wheel_linker.store.layout import Layout

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wheel_linker._wheel.tree import Directory, Unpacked
    from wheel_linker.store._entry.checking import Check
    from wheel_linker.store.session import Session

_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
# PEP 552: magic number, flags, modification time and size of the source, each of four bytes.
_HEADER: Final = struct.Struct("<4sIII")
_MASK: Final = 0xFFFFFFFF
_LIBRARIES: Final = (("purelib",), ("platlib",))


class Interpreter(Protocol):
    """What compiles, such as a :class:`wheel_linker.install.Layout`."""

    @property
    def python(self) -> str:
        """The path of the interpreter."""

    def bytecode_tag(self) -> str | None:
        """Return what only interpreters have in common that can use each other's bytecode; None without any."""


def set_name(interpreter: Interpreter, optimize: int) -> str | None:
    """Return the name of the set for an interpreter and a level; None if it keeps no bytecode.

    :raises LinkError: if the interpreter does not answer as a Python should.
    :raises ValueError: for another level.
    """
    optimize = level(optimize)
    tag = interpreter.bytecode_tag()
    if tag is None:
        return None
    if _NAME.fullmatch(tag) is None:
        raise LinkError(f"cannot keep the bytecode of {interpreter.python!r}: its tag is {tag!r}")
    return f"{tag}-{optimize}"


def is_set_name(name: str) -> bool:
    """Tell whether a name can be that of a set."""
    return _NAME.fullmatch(name) is not None


def sets_of(layout: Layout, entry: str) -> Layout:
    """Return where the sets of an entry lie, as if they were entries of a store."""
    return Layout(layout.bytecode(entry))


def names_of_sets(layout: Layout, entry: str) -> list[str]:
    """Return the names of the sets that an entry has.

    :raises OSError: if they cannot be read.
    """
    try:
        return sorted(filter(is_set_name, os.listdir(layout.bytecode(entry))))
    except OSError as error:
        if not is_nothing(error):
            raise
        return []


def size_of_sets(layout: Layout, entry: str) -> int:
    """Return how many bytes of bytecode an entry has.

    :raises OSError: if that cannot be read.
    """
    sets = sets_of(layout, entry)
    size = 0
    for name in names_of_sets(layout, entry):
        try:
            size += manifest.read(sets.manifest(name)).size
        except (FileNotFoundError, NotADirectoryError, BrokenManifestError) as error:
            log("the bytecode %s cannot be used: %s", sets.entry(name), error)
    return size


def sources_in(description: manifest.Description) -> Iterator[tuple[str, int]]:
    """Yield the path and size of each file of a wheel that is compiled."""
    for directory in description.directories:
        if _is_library(directory):
            for name, size in zip(directory.files, directory.sizes or ()):
                if name.endswith(".py"):
                    yield directory.path_of(name), size


def _is_library(directory: Directory) -> bool:
    """Tell whether files of a directory are installed where they are imported from."""
    parts = directory.parts
    return not parts or not parts[0].endswith(".data") or parts[1:2] in _LIBRARIES


def find_set(
    session: Session, entry: str, digest: str, name: str, check: Check | None
) -> manifest.Description | None:
    """Return what a set has, if nothing of it is missing or destroyed, and it is of the sources as they are.

    :raises OSError: if it cannot be read.
    """
    layout = session.layout
    sets = sets_of(layout, entry)
    description = whole(sets, name, digest, check or "size", never, session.notes)
    if description is None or not _is_of_sources(layout.tree(entry), sets.tree(name), description):
        return None
    return description


def find_set_late(
    session: Session, entry: str, name: str
) -> tuple[manifest.Description, Unpacked] | None:
    """Return what a set has, and what its files have to look like, if they may be looked at when they are linked.

    :raises OSError: if it cannot be read.
    """
    layout, descriptions = session.layout, session.descriptions
    try:
        digest = descriptions.read(layout.manifest(entry)).facts.digest
    except BrokenManifestError:
        return None
    sets = sets_of(layout, entry)
    found = promising(sets, name, digest, descriptions)
    if found is None or not _is_of_sources(layout.tree(entry), sets.tree(name), found[0]):
        return None
    return found


def never() -> bool:
    """Return False: bytecode has no execute bits that could be lost."""
    return False


def _is_of_sources(sources: str, bytecode: str, description: manifest.Description) -> bool:
    """Tell whether bytecode says of the first of its sources what that is.

    In a store that was copied without the times of its files it does not.
    """
    for directory in description.directories:
        if directory.files and directory.parts[-1:] == (CACHE,):
            name = directory.files[0]
            source = os.path.join(sources, *directory.parts[:-1], f"{name.split('.', 1)[0]}.py")
            return _is_of(source, os.path.join(bytecode, *directory.parts, name))
    return True


def _is_of(source: str, bytecode: str) -> bool:
    try:
        status = os.lstat(source)
    except FileNotFoundError:
        return True  # a source with a dot in its name is not found by that of its bytecode
    fd = os.open(bytecode, READ)
    try:
        header = os.read(fd, _HEADER.size)
    finally:
        os.close(fd)
    if len(header) != _HEADER.size or not stat.S_ISREG(status.st_mode):
        return False
    _, _, time, size = _HEADER.unpack(header)
    return (time, size) == (int(status.st_mtime) & _MASK, status.st_size & _MASK)


def tree_of(
    layout: Layout, entry: str, name: str, description: manifest.Description
) -> Tree | None:
    """Return the tree of a set, to be placed; None if it has gone.

    :raises OSError: if it cannot be opened.
    """
    path = os.path.realpath(sets_of(layout, entry).tree(name))
    try:
        with Folder.open(path) as root:
            return Tree.of(root.path, root.identity(), description.directories)
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ENOTDIR):
            raise
        return None
