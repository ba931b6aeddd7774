"""Finding and mending what was changed in an entry since it was unpacked."""

from __future__ import annotations

import hashlib
import os
import stat
from typing import TYPE_CHECKING, Final, NamedTuple

from wheel_linker._fs.descent import Descent
from wheel_linker._fs.folder import Folder
from wheel_linker._wheel.record import encoded

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from wheel_linker._archive.unpacking import StoredFile
    from wheel_linker.store.entries import Entry
    from wheel_linker.store.manifest import Manifest

CHANGED: Final = "changed"
MISSING: Final = "missing"
ADDED: Final = "added"
_READ: Final = (
    os.O_RDONLY
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_BINARY", 0)
)
_CHUNK: Final = 1024 * 1024


class Damage(NamedTuple):
    """One file of an entry that is not as it was unpacked."""

    entry: Entry
    path: str
    """Relative to the unpacked wheel, with forward slashes."""
    kind: str
    """``"changed"``, ``"missing"`` or ``"added"``."""

    def __str__(self) -> str:
        return f"{self.entry.filename}: {self.path} is {self.kind}"


def find_damage(
    entry: Entry, facts: Manifest, files: Sequence[StoredFile], *, deep: bool
) -> list[Damage]:
    """Compare an entry with what was noted when it was unpacked.

    :param deep: whether every file is read; else size, time and executability must do.
    :returns: what differs, by path.
    :raises OSError: if a file cannot be read.
    """
    expected = {file.path: file for file in files}
    found: set[str] = set()
    damage: list[Damage] = []
    with Folder.open(entry.path, listing=True) as root:
        for folder, path, name in _walk(root):
            file = expected.get(path)
            if file is None:
                damage.append(Damage(entry, path, ADDED))
                continue
            found.add(path)
            if not _is_intact(folder, name, file, facts.stamp, deep):
                damage.append(Damage(entry, path, CHANGED))
    damage += [Damage(entry, path, MISSING) for path in expected if path not in found]
    return sorted(damage, key=_path)


def _path(damage: Damage) -> str:
    return damage.path


def _walk(root: Folder) -> Iterator[tuple[Folder, str, str]]:
    """Yield whatever is not a directory: where it is, its path, and its name."""
    pending: list[tuple[str, ...]] = [()]
    with Descent(root, _enter) as descent:
        while pending:
            parts = pending.pop()
            folder = descent.go(parts)
            for name in sorted(folder.listdir()):
                status = folder.lstat(name)
                if status is not None and stat.S_ISDIR(status.st_mode):
                    pending.append((*parts, name))
                else:
                    yield folder, "/".join((*parts, name)), name


def _enter(parent: Folder, name: str) -> Folder:
    return parent.enter(name, listing=True)


def _is_intact(folder: Folder, name: str, file: StoredFile, stamp: int, deep: bool) -> bool:
    status = folder.lstat(name)
    if status is None or not stat.S_ISREG(status.st_mode) or status.st_size != file.size:
        return False
    if os.name == "posix" and bool(status.st_mode & 0o111) != file.executable:
        return False
    if deep:
        return _digest(folder, name, file.hash.partition("=")[0]) == file.hash
    return status.st_mtime_ns == stamp


def _digest(folder: Folder, name: str, algorithm: str) -> str:
    digest = hashlib.new(algorithm)
    fd = os.open(folder.prefix + name, _READ, dir_fd=folder.fd)
    try:
        while data := os.read(fd, _CHUNK):
            digest.update(data)
    finally:
        os.close(fd)
    return f"{algorithm}={encoded(digest.digest())}"


def mend(damage: Sequence[Damage], tree: Folder, fresh: Folder, waste: Folder) -> None:
    """Replace what is changed or missing, one file at a time and each in one step, and move away what was added.

    :param tree: the entry's unpacked wheel.
    :param fresh: the same wheel, unpacked anew.
    :param waste: an empty directory for what is moved away.
    :raises OSError: if something cannot be moved.
    """
    # First what was added: a file that is in the way of a directory, or the reverse, is that.
    for number, item in enumerate(sorted(damage, key=_added_first)):
        *parents, name = item.path.split("/")
        above = tuple(parents)
        if item.kind == ADDED:
            with Descent(tree, Folder.enter) as descent:
                descent.go(above).move(name, waste, str(number))
            continue
        with Descent(tree, Folder.make) as descent, Descent(fresh, Folder.enter) as source:
            folder = descent.go(above)
            status = folder.lstat(name)
            if status is not None and not stat.S_ISREG(status.st_mode):
                folder.move(name, waste, str(number))
            source.go(above).move(name, folder, name)


def _added_first(damage: Damage) -> bool:
    return damage.kind != ADDED
