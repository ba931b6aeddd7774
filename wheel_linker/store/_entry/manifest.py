"""What an entry holds: written once, when it is made, beside the unpacked wheel.

A text file of four parts with an empty line between them, and a checksum of all that as its last line::

    wheel_linker store entry 3
    digest 4f8a...                  a line for each fact

    //                              a line for each directory: its path, two slashes, and the names of its files,
    pkg//__init__.py/run.py         with a slash between them; parents first, the wheel's root before all;
    //link.py/run.py                below that a line for each symlink in it: two slashes, name, slash, target
    pkg-1.0.dist-info//METADATA

    .                               a line for each directory, in that order: a dot and the sizes of its files
    . 12 108
    . 57

    - sha256=47DEQpj8...            a line for each file, in that order: x if it is executable, and its hash
    crc32 09a4f7c1

What linking needs, the names, is read with a few operations for each directory, and so are the sizes. The file's own
modification time says when the entry was last used.
"""

from __future__ import annotations

import os
from itertools import islice
from typing import TYPE_CHECKING, Final

from wheel_linker._archive.stored_file import StoredFile
from wheel_linker._compat.named_tuple import NamedTuple
from wheel_linker._fs.copying import create_with
from wheel_linker._fs.permissions import FOLLOW_FOR_TIMES, if_allowed
from wheel_linker._fs.reading import NOT_READABLE, read_with_status
from wheel_linker._wheel.tree import Directory, in_order, number_ends
from wheel_linker.store._entry.errors import BrokenManifestError
from wheel_linker.store._entry.seal import LONGEST, sealed, unsealed
from wheel_linker.store.names import is_digest

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from wheel_linker._fs.folder import Folder, Parts

_FORMAT: Final = "wheel_linker store entry 3"
_FACTS: Final = ("digest", "filename", "archive", "files", "size", "stamp", "rows")
_FILES_OF: Final = "//"
_SIZES: Final = "."
_EXECUTABLE: Final = "x"
_PLAIN: Final = "-"


class Manifest(NamedTuple):
    """What is known of an entry without looking at its files."""

    digest: str
    """The SHA-256 of the wheel file, in hexadecimal digits."""
    filename: str
    """What the wheel file was called that the entry was made from."""
    archive: int
    """The size of the wheel file in bytes."""
    files: int
    """How many files and symlinks there are."""
    size: int
    """How many bytes they have."""
    stamp: int
    """The modification time that every file was given, in nanoseconds since the epoch."""
    rows: int
    """The size in bytes of the file with what installing takes from ``RECORD``; -1 if there is none."""


class Description(NamedTuple):
    """What an entry has, by name and size."""

    facts: Manifest
    directories: list[Directory]
    """In pre-order, as a scan of the entry's files finds them, with the sizes of their files."""
    executables: int
    """How many of the files are executable."""
    status: os.stat_result
    """What the system knew of the description itself when it was read."""
    rows: str
    """The line of each file, as it is."""


def write(folder: Folder, name: str, manifest: Manifest, files: Iterable[StoredFile]) -> None:
    """Write a new manifest.

    :raises OSError: if it cannot be written.
    """
    by_path = {file.path: file for file in files}
    directories = _directories(by_path.values())
    listed = [[by_path[each.path_of(name)] for name in each.files] for each in directories]
    lines = [_FORMAT, *(f"{key} {value}" for key, value in zip(_FACTS, manifest)), ""]
    for each in directories:
        lines.append("/".join(each.parts) + _FILES_OF + "/".join(each.files))
        lines += [f"{_FILES_OF}{name}/{target}" for name, target in each.links]
    lines.append("")
    lines += [" ".join((_SIZES, *(str(file.size) for file in each))) for each in listed]
    lines.append("")
    lines += [
        f"{_EXECUTABLE if file.executable else _PLAIN} {file.hash}"
        for each in listed
        for file in each
    ]
    text = "\n".join(lines) + "\n"
    create_with(sealed(text.encode("utf-8")), folder.prefix + name, folder.fd)


def read(path: str) -> Manifest:
    """Read the facts, but not the files.

    :raises OSError: if there is none.
    :raises BrokenManifestError: if it is not what was written.
    """
    try:
        facts = _content(path)[0].partition(b"\n\n")[0].decode("utf-8")
    except ValueError as error:
        raise BrokenManifestError(path) from error
    return _facts(facts.split("\n"), path)


def read_files(
    path: str, below: Collection[Parts] | None = None, *, known: Description | None = None
) -> tuple[Manifest, Sequence[StoredFile]]:
    """Read everything.

    :param below: the first two names of the directories whose files are wanted; all by default.
    :param known: what was read before; it is not read again then.
    :raises OSError: if there is none.
    :raises BrokenManifestError: if it is not what was written.
    """
    description = read_description(path) if known is None else known
    lines = description.rows.splitlines()
    if len(lines) != sum(len(directory.files) for directory in description.directories):
        raise BrokenManifestError(path)
    rows = iter(lines)
    files: list[StoredFile] = []
    try:
        for directory in description.directories:
            own = list(islice(rows, len(directory.files)))
            if below is None or directory.parts[:2] in below:
                files += _files(directory, own)
    except ValueError as error:
        raise BrokenManifestError(path) from error
    if below is None:
        files += [_link(each, *link) for each in description.directories for link in each.links]
    return description.facts, files


def _files(directory: Directory, rows: Iterable[str]) -> Iterator[StoredFile]:
    for name, size, row in zip(directory.files, directory.sizes or (), rows):
        executable, digest = row.split(" ")
        yield StoredFile(directory.path_of(name), size, executable == _EXECUTABLE, digest)


def _content(path: str) -> tuple[bytes, os.stat_result]:
    """Return all but the checksum.

    The errors are those of :func:`read`, and ValueError if the checksum is not right.
    """
    try:
        data, status = read_with_status(path, LONGEST)
        return unsealed(data), status
    except OSError as error:
        if error.errno in NOT_READABLE:
            raise BrokenManifestError(path) from error
        raise


def read_description(path: str) -> Description:
    """Read names and sizes, and leave the rows of the files as they are, which is quicker.

    :raises OSError: if there is none.
    :raises BrokenManifestError: if it is not what was written.
    """
    try:
        data, status = _content(path)
        head, names, numbers, rows = data.decode("utf-8").split("\n\n", 3)
        facts = _facts(head.split("\n"), path)
        directories = _read_directories(names.split("\n"))
        _read_sizes(numbers, directories)
    except ValueError as error:
        raise BrokenManifestError(path) from error
    number_ends(directories)
    executables = f"\n{rows}".count(f"\n{_EXECUTABLE} ")
    return Description(facts, directories, executables, status, rows)


def _read_directories(lines: Iterable[str]) -> list[Directory]:
    directories: list[Directory] = []
    for line in lines:
        path, _, names = line.partition(_FILES_OF)
        if path or not directories:
            parts = tuple(path.split("/")) if path else ()
            directories.append(Directory(parts, names.split("/") if names else [], []))
        else:
            name, target = names.split("/", 1)
            directories[-1].links.append((name, target.replace("/", os.sep)))
    return directories


def _read_sizes(text: str, directories: Sequence[Directory]) -> None:
    """Read the sizes of each directory's files.

    :raises ValueError: if there are more of them, or fewer.
    """
    # All sizes are read at once, because line by line takes twice as long.
    sizes = list(map(int, text.replace(_SIZES, "").split()))
    start = 0
    for directory in directories:
        end = start + len(directory.files)
        directory.sizes = sizes[start:end]
        start = end
    if start != len(sizes) or text.count(_SIZES) != len(directories):
        raise ValueError("not every file has a size")


def _link(directory: Directory, name: str, target: str) -> StoredFile:
    return StoredFile(directory.path_of(name), 0, False, "", target.replace(os.sep, "/"))


def _directories(files: Iterable[StoredFile]) -> list[Directory]:
    """Return the directories that files and symlinks are in, and those above, in pre-order."""
    found: dict[Parts, Directory] = {(): Directory((), [], [])}
    for file in files:
        *parent, name = file.path.split("/")
        parts = tuple(parent)
        directory = found.get(parts) or found.setdefault(parts, Directory(parts, [], []))
        if file.target is None:
            directory.files.append(name)
        else:
            directory.links.append((name, file.target))
    for parts in list(found):
        above = parts[:-1]
        while above not in found:
            found[above] = Directory(above, [], [])
            above = above[:-1]
    return in_order(found.values())


def touch(path: str) -> None:
    """Note that the entry is used now.

    :raises OSError: FileNotFoundError if there is no such entry any more.
    """
    if_allowed(os.utime, path, follow_symlinks=FOLLOW_FOR_TIMES)


def _facts(lines: Sequence[str], path: str) -> Manifest:
    if lines[0] != _FORMAT:
        raise BrokenManifestError(path)
    try:
        facts = dict(line.split(" ", 1) for line in lines[1:])
        manifest = Manifest(
            digest=facts["digest"],
            filename=facts["filename"],
            archive=int(facts["archive"]),
            files=int(facts["files"]),
            size=int(facts["size"]),
            stamp=int(facts["stamp"]),
            rows=int(facts["rows"]),
        )
    except (ValueError, KeyError) as error:
        raise BrokenManifestError(path) from error
    if not is_digest(manifest.digest):
        raise BrokenManifestError(path)
    return manifest
