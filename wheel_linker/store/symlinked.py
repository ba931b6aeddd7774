"""Which entries environments may have symlinks to, and whether the store is ever pruned: what users are told about.

Two files beside the index: ``symlinked`` has a line for each entry, and ``pruned`` is there once something was pruned.
Both are for words only. Nothing depends on them.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from wheel_linker._fs.copying import write_all
from wheel_linker._fs.reading import read_regular
from wheel_linker._log import log, log_warning
from wheel_linker.store.control import LONGEST, open_file
from wheel_linker.store.trust import settle_one

if TYPE_CHECKING:
    from collections.abc import Collection

    from wheel_linker._fs.folder import Folder
    from wheel_linker.store.trust import Standing

_SYMLINKED: Final = "symlinked"
_PRUNED: Final = "pruned"
# The stores of which this process has said that they are pruned.
_told: set[str] = set()


def note_symlinks(control: Folder, entry: str, root: str, standing: Standing) -> None:
    """Note that symlinks to an entry have been made; say once if the store is one that is pruned."""
    try:
        if entry not in _read(control):
            _append(control, _SYMLINKED, f"{entry}\n", standing)
        if root in _told or control.lstat(_PRUNED) is None:
            return
    except OSError as error:
        log("cannot note the symlinks to %s in %s: %s", entry, root, error)
        return
    _told.add(root)
    log_warning(
        "symlinks point into the store %s, which is pruned: what they point to may be removed; link in another "
        "mode, or do not prune that store",
        root,
    )


def note_pruning(control: Folder, standing: Standing) -> None:
    """Note that the store is one that is pruned."""
    try:
        if control.lstat(_PRUNED) is None:
            _append(control, _PRUNED, "", standing)
    except OSError as error:
        log("cannot note in %s that the store is pruned: %s", control.path, error)


def tell_removed(control: Folder, removed: Collection[str], standing: Standing) -> None:
    """Say which of the entries that were removed environments may have symlinks to, and forget them."""
    try:
        noted = _read(control)
        gone = sorted(noted.intersection(removed))
        if not gone:
            return
        log_warning(
            "removed from the store, although environments may have symlinks to it: %s; link these environments anew",
            ", ".join(gone),
        )
        os.unlink(control.prefix + _SYMLINKED, dir_fd=control.fd)
        rest = sorted(noted.difference(gone))
        _append(control, _SYMLINKED, "".join(f"{entry}\n" for entry in rest), standing)
    except OSError as error:
        log("cannot tell which entries %s has symlinks to: %s", control.path, error)


def _read(control: Folder) -> set[str]:
    try:
        data = read_regular(control.prefix + _SYMLINKED, LONGEST, dir_fd=control.fd)
    except FileNotFoundError:
        return set()
    return set(data.decode("ascii", "replace").split())


def _append(control: Folder, name: str, text: str, standing: Standing) -> None:
    fd = open_file(control, name, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        write_all(fd, text.encode("ascii"))
    finally:
        os.close(fd)
    settle_one(control, name, standing, written_by_all=True)
