"""Who may have written to a store, and to whom belongs what is written to it.

A store is used if its owner is the caller or root, and not everybody may write to it; or if a group shares it on
purpose (its directory is setgid and the group may write) and the caller is of that group; or if the caller said so.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
from typing import TYPE_CHECKING, Final

from wheel_linker._compat.named_tuple import NamedTuple
from wheel_linker._fs.descent import Descent
from wheel_linker._fs.folder import Folder
from wheel_linker._fs.permissions import chmod_itself, if_allowed
from wheel_linker._fs.windows import is_directory
from wheel_linker.errors import LinkError
from wheel_linker.store.layout import MANIFEST

if TYPE_CHECKING:
    from collections.abc import Sequence


_ROOT: Final = 0
_SHARED: Final = stat.S_ISGID | stat.S_IWGRP
_OWNER_WRITES: Final = stat.S_IWUSR


class Standing(NamedTuple):
    """What the caller is to a store, and the others."""

    doubt: str | None = None
    """Why nothing that lies in it is used; None if it is trusted."""
    exclusive: bool = True
    """Whether nobody but the caller and root can have written what lies in it, or the caller says that it is all the
    same."""
    owner: tuple[int, int] | None = None
    """The user and group that get what root writes to another's store."""
    shared: bool = False
    """Whether a group shares it on purpose."""
    mine: frozenset[int] = frozenset()
    """The users whose files are used without a question."""
    trusted: bool = False
    """Whether its files may have second names whoever owns them: the caller says so, or the file system says of what
    the caller makes that it is another's."""

    def refuse(self, root: str) -> None:
        """Refuse what lies in a store that is not trusted.

        :raises LinkError: if it is not.
        """
        if self.doubt is not None:
            raise LinkError(
                f"the store {root!r} is not trusted: {self.doubt}; use a store of your own, or say that you trust "
                "this one (trusted=True, on the command line --trust-store)",
                errno=errno.EPERM,
                destination=root,
            )


class Proof(NamedTuple):
    """What became of a file that the caller has just made in a store, with the permissions 0644."""

    owner: int
    """Its owner: on network file systems not always who made it."""
    keeps_modes: bool
    """Whether the file system keeps permission bits at all."""


def standing_in(
    places: Sequence[os.stat_result], proof: Proof | None, *, trusted: bool
) -> Standing:
    """Judge a store.

    :param places: its root, and the directory of its own files if there is one.
    :param proof: None where the caller cannot write.
    :param trusted: whether the caller trusts it, whoever has written to it.
    """
    if sys.platform == "win32":
        return Standing()
    mine = {os.geteuid(), _ROOT}
    if proof is not None:
        mine.add(proof.owner)
    root = places[0]
    keeps_modes = proof is None or proof.keeps_modes
    shared = keeps_modes and root.st_mode & _SHARED == _SHARED
    doubts = [_doubt(place, mine, keeps_modes=keeps_modes) for place in places]
    doubt = None if trusted else next((each for each in doubts if each is not None), None)
    exclusive = trusted or (
        all(place.st_uid in mine for place in places)
        and not (keeps_modes and any(_others_write(place) for place in places))
    )
    owner = None
    if os.geteuid() == _ROOT and root.st_uid not in mine:
        owner = (root.st_uid, root.st_gid)
    elsewhere = proof is not None and proof.owner not in (os.geteuid(), _ROOT)
    named = trusted or (exclusive and elsewhere)
    return Standing(doubt, exclusive, owner, shared, frozenset(mine), named)


def _doubt(status: os.stat_result, mine: set[int], *, keeps_modes: bool) -> str | None:
    if keeps_modes and status.st_mode & stat.S_IWOTH:
        return "everybody may write to it"
    if status.st_uid in mine or _is_our_groups(status):
        return None
    return f"it belongs to another user (number {status.st_uid})"


def _is_our_groups(status: os.stat_result) -> bool:
    """Tell whether a group shares a directory on purpose, and the caller is of that group."""
    if sys.platform == "win32" or os.geteuid() == _ROOT:
        return False
    shared = status.st_mode & _SHARED == _SHARED
    return shared and status.st_gid in {os.getegid(), *os.getgroups()}


def _others_write(status: os.stat_result) -> bool:
    if sys.platform == "win32" or not status.st_mode & stat.S_IWGRP:
        return False
    # A group of the user's own, with the user's number, is common; then the umask is 002.
    private = status.st_gid == os.getegid() == os.geteuid()
    return not private or status.st_mode & _SHARED == _SHARED


def settle_one(
    folder: Folder, name: str, standing: Standing, *, written_by_all: bool = False
) -> None:
    """Give what was just made in a store the owner and the permissions that the store wants.

    :param written_by_all: whether who shares the store may write to that file; directories are like that anyway.
    :raises OSError: if that is refused.
    """
    if sys.platform == "win32":
        return
    path, fd = folder.prefix + name, folder.fd
    status = os.stat(path, dir_fd=fd, follow_symlinks=False)
    if stat.S_ISLNK(status.st_mode):
        return
    mode = stat.S_IMODE(status.st_mode)
    wanted = _wanted(mode, standing, group_writes=written_by_all or stat.S_ISDIR(status.st_mode))
    if wanted != mode:
        if_allowed(chmod_itself, path, wanted, fd)
    if standing.owner is not None:
        os.chown(path, *standing.owner, dir_fd=fd, follow_symlinks=False)


def _wanted(mode: int, standing: Standing, *, group_writes: bool) -> int:
    wanted = mode & ~stat.S_IWOTH
    if standing.shared:
        as_owner = wanted & stat.S_IRWXU
        if not group_writes:
            as_owner &= ~_OWNER_WRITES
        wanted |= as_owner >> 3
    return wanted


def settle_tree(parent: Folder, name: str, standing: Standing) -> None:
    """Give a new directory, and everything in it, the owner and the permissions that the store wants.

    Nobody else can reach it yet.

    :raises OSError: if that is refused.
    """
    status = parent.lstat(name)
    if sys.platform == "win32" or status is None:
        return
    if not (standing.shared or standing.owner is not None or status.st_mode & stat.S_IWOTH):
        return
    settle_one(parent, name, standing)
    pending: list[tuple[str, ...]] = [()]
    with parent.enter_to_list(name) as top, Descent(top, Folder.enter_to_list) as descent:
        while pending:
            parts = pending.pop()
            folder = descent.go(parts)
            for child in folder.listdir():
                # Who uses an entry sets the time of its description.
                settle_one(folder, child, standing, written_by_all=child == MANIFEST and not parts)
                status = folder.lstat(child)
                if status is not None and is_directory(status):
                    pending.append((*parts, child))
