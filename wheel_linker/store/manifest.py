"""What an entry holds: written once, when it is made, beside the unpacked wheel.

A text file of three parts with an empty line between them::

    wheel_linker store entry 2
    digest 4f8a...                  a line for each fact

    //                              a line for each directory: its path, two slashes, and the names of its files,
    pkg//__init__.py/run.py         with a slash between them; parents first, the wheel's root before all
    pkg-1.0.dist-info//METADATA

    12 - sha256=47DEQpj8...         a line for each file, in that order: size, x if it is executable, hash

What linking needs, the names, is read with a few operations for each directory. The file's own modification time
says when the entry was last used.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, NamedTuple

from wheel_linker._archive.unpacking import StoredFile
from wheel_linker._fs.permissions import if_allowed
from wheel_linker._wheel.tree import Directory, in_order, number_ends
from wheel_linker.store.layout import is_digest

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from wheel_linker._fs.folder import Parts

_FORMAT: Final = "wheel_linker store entry 2"
_FACTS: Final = ("digest", "filename", "archive", "files", "size", "stamp")
_FILES_OF: Final = "//"
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
    """How many files there are."""
    size: int
    """How many bytes they have."""
    stamp: int
    """The modification time that every file was given, in nanoseconds since the epoch."""


class BrokenManifestError(Exception):
    """A file is no manifest, or not one of this format."""


def write(path: str, manifest: Manifest, files: Iterable[StoredFile]) -> None:
    """Write a new manifest.

    :raises OSError: if it cannot be written.
    """
    by_path = {file.path: file for file in files}
    directories = _directories(by_path)
    lines = [_FORMAT, *(f"{key} {value}" for key, value in zip(_FACTS, manifest)), ""]
    lines += ["/".join(each.parts) + _FILES_OF + "/".join(each.files) for each in directories]
    lines.append("")
    for directory in directories:
        for name in directory.files:
            _, size, executable, digest = by_path[directory.path_of(name)]
            lines.append(f"{size} {_EXECUTABLE if executable else _PLAIN} {digest}")
    with open(path, "x", encoding="utf-8", newline="\n") as file:
        file.write("\n".join(lines) + "\n")


def read(path: str) -> Manifest:
    """Read the facts, but not the files.

    :raises OSError: if there is none.
    :raises BrokenManifestError: if it is not what was written.
    """
    try:
        with open(path, encoding="utf-8", newline="\n") as file:
            lines = [file.readline().rstrip("\n") for _ in range(1 + len(_FACTS))]
    except ValueError as error:
        raise BrokenManifestError(path) from error
    return _facts(lines, path)


def read_files(path: str) -> tuple[Manifest, Sequence[StoredFile]]:
    """Read everything.

    :raises OSError: if there is none.
    :raises BrokenManifestError: if it is not what was written.
    """
    manifest, directories, text = _read(path)
    try:
        rows = [row.split(" ") for row in text.splitlines()]
        paths = [directory.path_of(name) for directory in directories for name in directory.files]
        files = [
            StoredFile(name, int(size), executable == _EXECUTABLE, digest)
            for name, (size, executable, digest) in zip(paths, rows, strict=True)
        ]
    except ValueError as error:
        raise BrokenManifestError(path) from error
    return manifest, files


def read_directories(path: str) -> list[Directory]:
    """Read the names alone, which is quicker: the directories in pre-order, as a scan of the entry's files finds them.

    :raises OSError: if there is none.
    :raises BrokenManifestError: if it is not what was written.
    """
    return _read(path)[1]


def _read(path: str) -> tuple[Manifest, list[Directory], str]:
    """Return the facts, the directories, and the rows of the files as they are; errors as for :func:`read_files`."""
    try:
        with open(path, "rb", buffering=0) as file:
            facts, listing, rows = file.read().decode("utf-8").split("\n\n", 2)
        manifest = _facts(facts.split("\n"), path)
        directories = [_directory(line) for line in listing.split("\n")]
    except ValueError as error:
        raise BrokenManifestError(path) from error
    number_ends(directories)
    files = sum([len(directory.files) for directory in directories])
    # Not all there, or its last line is cut short.
    if not files == manifest.files == rows.count("\n") or not rows.endswith("\n"):
        raise BrokenManifestError(path)
    return manifest, directories, rows


def _directory(line: str) -> Directory:
    path, _, names = line.partition(_FILES_OF)
    parts = tuple(path.split("/")) if path else ()
    return Directory(parts, names.split("/") if names else [], [])


def _directories(paths: Iterable[str]) -> list[Directory]:
    """Return the directories that files are in, and those above, in pre-order."""
    names: dict[Parts, list[str]] = {(): []}
    for path in paths:
        *parent, name = path.split("/")
        names.setdefault(tuple(parent), []).append(name)
    for parts in list(names):
        above = parts[:-1]
        while above not in names:
            names[above] = []
            above = above[:-1]
    return in_order(Directory(parts, files, []) for parts, files in names.items())


def touch(path: str) -> None:
    """Note that the entry is used now.

    :raises OSError: FileNotFoundError if there is no such entry any more.
    """
    if_allowed(os.utime, path)


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
        )
    except (ValueError, KeyError) as error:
        raise BrokenManifestError(path) from error
    if not is_digest(manifest.digest):
        raise BrokenManifestError(path)
    return manifest
