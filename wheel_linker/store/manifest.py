"""What an entry holds: written once, when it is made, beside the unpacked wheel.

A text file: a line that names the format, a line for each fact, an empty line, and a line for each file. Its own
modification time says when the entry was last used.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, NamedTuple

from wheel_linker.store.layout import is_digest

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import TextIO

_FORMAT: Final = "wheel_linker store entry 1"
_FACTS: Final = ("digest", "filename", "archive", "files", "size", "stamp")
_EXECUTABLE: Final = "x"
_PLAIN: Final = "-"


class StoredFile(NamedTuple):
    """One file of an entry."""

    path: str
    """Relative to the wheel, with forward slashes."""
    size: int
    """Bytes."""
    executable: bool
    hash: str
    """As ``RECORD`` has it: the algorithm, ``=``, and the digest in URL-safe base 64."""


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
    lines = [_FORMAT, *(f"{key} {value}" for key, value in zip(_FACTS, manifest)), ""]
    lines += [
        f"{size} {_EXECUTABLE if x else _PLAIN} {digest} {name}" for name, size, x, digest in files
    ]
    with open(path, "x", encoding="utf-8", newline="\n") as file:
        file.write("\n".join(lines) + "\n")


def read(path: str) -> Manifest:
    """Read the facts, but not the files.

    :raises OSError: if there is none.
    :raises BrokenManifestError: if it is not what was written.
    """
    with open(path, encoding="utf-8", newline="\n") as file:
        return _read_facts(file, path)


def read_files(path: str) -> tuple[Manifest, Sequence[StoredFile]]:
    """Read everything.

    :raises OSError: if there is none.
    :raises BrokenManifestError: if it is not what was written.
    """
    try:
        with open(path, encoding="utf-8", newline="\n") as file:
            manifest = _read_facts(file, path)
            rows = [line.rstrip("\n").split(" ", 3) for line in file]
        files = [
            StoredFile(name, int(size), x == _EXECUTABLE, digest) for size, x, digest, name in rows
        ]
    except ValueError as error:
        raise BrokenManifestError(path) from error
    if len(files) != manifest.files:
        raise BrokenManifestError(path)
    return manifest, files


def read_paths(path: str) -> list[str]:
    """Read the paths of the files alone, which is quicker.

    :raises OSError: if there is none.
    :raises BrokenManifestError: if it is not what was written.
    """
    try:
        with open(path, encoding="utf-8", newline="\n") as file:
            manifest = _read_facts(file, path)
            # Not splitlines(), which ends lines at characters that names may have.
            rows = file.read().split("\n")
        if rows.pop():
            raise BrokenManifestError(path)  # its last line is cut short
        paths = [row.split(" ", 3)[3] for row in rows]
    except (ValueError, IndexError) as error:
        raise BrokenManifestError(path) from error
    if len(paths) != manifest.files:
        raise BrokenManifestError(path)
    return paths


def touch(path: str) -> None:
    """Note that the entry is used now.

    :raises OSError: FileNotFoundError if there is no such entry any more.
    """
    os.utime(path)


def _read_facts(file: TextIO, path: str) -> Manifest:
    try:
        lines = [file.readline().rstrip("\n") for _ in range(len(_FACTS) + 2)]
        if lines[0] != _FORMAT or lines[-1]:
            raise BrokenManifestError(path)
        facts = dict(line.split(" ", 1) for line in lines[1:-1])
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
