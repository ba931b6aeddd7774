"""Going through a wheel's directories, and making the directories for its files."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from wheel_linker._fs.descent import Descent
from wheel_linker._fs.folder import LONGEST_RELATIVE, Folder
from wheel_linker.errors import LinkError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from wheel_linker._fs.folder import Identity, Parts
    from wheel_linker._wheel.tree import Directory


def walk(
    path: str,
    identity: Identity,
    target: Folder,
    directories: Iterable[Directory],
    place: Callable[[Directory, Folder, Folder], None],
) -> None:
    """Go through some directories of a wheel, and make each of them.

    :param path: the root of the wheel.
    :param identity: what it was when it was scanned.
    :param target: the directory that stands for that root, in which nobody else removes or renames anything.
    :param directories: in pre-order.
    :param place: called with each directory of the wheel, itself and the one made for it.
    :raises LinkError: if another directory took the wheel's place.
    :raises OSError: if the system refuses something.
    """
    with (
        unchanged_root(path, identity) as root,
        Descent(root, Folder.enter) as sources,
        _Targets(target) as targets,
    ):
        go, make = sources.go, targets.make
        for directory in directories:
            parts = directory.parts
            place(directory, go(parts), make(parts))
        # Where directories are named by path, a directory that took the wheel's place after the first look was linked
        # instead.
        _refuse_another(root, identity)


def explore(
    path: str,
    identity: Identity,
    target: Folder,
    unread: list[Parts],
    found: list[Directory],
    place: Callable[[Directory, Folder, Folder], None],
    most: int,
) -> None:
    """Go through directories of a wheel whose names nobody has read, and what is below them: read and make each.

    :param path: as for :func:`walk`.
    :param identity: as for :func:`walk`.
    :param target: as for :func:`walk`.
    :param unread: where to begin; in the end what has not been read, the next one last.
    :param found: gets each directory when it has been read.
    :param place: as for :func:`walk`.
    :param most: how many entries are enough; the directory in which there are more of them is read to its end.
    :raises InvalidWheelError: if a directory holds what has no place in an environment.
    :raises LinkError: as for :func:`walk`.
    :raises OSError: as for :func:`walk`.
    """
    from wheel_linker._wheel.scan import read_directory  # not for wheels of a store

    stage = os.path.basename(os.path.dirname(target.path))

    with (
        unchanged_root(path, identity, listing=True) as root,
        Descent(root, Folder.enter_to_list) as sources,
        _Targets(target) as targets,
    ):
        while unread and most > 0:
            parts = unread[-1]
            if parts and parts[-1] == stage:
                raise _linked_into_itself(path, parts)
            source = sources.go(parts)
            directory, below = read_directory(source, parts)
            unread[-1:] = below
            found.append(directory)
            most -= 1 + len(directory.files)
            place(directory, source, targets.make(parts))
        _refuse_another(root, identity)


def unchanged_root(path: str, identity: Identity, *, listing: bool = False) -> Folder:
    """Open the root of a wheel, if it is still the directory that was scanned.

    :param listing: whether its names will be read.
    :raises LinkError: if another one took its place.
    :raises OSError: if it cannot be opened.
    """
    root = Folder.open(path, listing=listing)
    try:
        _refuse_another(root, identity)
    except BaseException:
        root.close()
        raise
    return root


def _refuse_another(root: Folder, identity: Identity) -> None:
    if root.identity() != identity:
        raise LinkError(
            f"another directory took the place of the unpacked wheel {root.path!r} while it was being linked: "
            "keep it unchanged until the call returns",
            source=root.path,
        )


def _linked_into_itself(path: str, parts: Parts) -> LinkError:
    """Return the error for a wheel in which the stage has been met.

    Paths do not tell if it is a part of the wheel that is mounted where files are linked to; without an end, the stage
    would be copied into itself.
    """
    place = os.path.join(path, *parts[:-1])
    return LinkError(
        f"cannot link the unpacked wheel {path!r} into itself: the destination is its {place!r}, mounted elsewhere",
        source=path,
    )


class _Targets:
    """Makes the directories of one staged wheel.

    Nobody else writes there, so that they can be named by their paths from the root, which saves opening them.
    """

    def __init__(self, root: Folder) -> None:
        self._root = root
        self._deep = Descent(root, Folder.make)

    def make(self, parts: Parts) -> Folder:
        """Make the directory at ``parts``, unless it is there; it is not to be closed."""
        if not parts:
            return self._root
        relative = os.sep.join(parts)
        if len(relative) > LONGEST_RELATIVE and self._root.fd is not None:
            return self._deep.go(parts)
        try:
            self._make(relative)
        except FileNotFoundError:
            # Another thread is to make the parents, and has not done so yet. If they are there it was the path: Windows
            # says the same of a path that is too long.
            self.make(parts[:-1])
            self._make(relative)
        return self._root.below(relative)

    def _make(self, relative: str) -> None:
        try:
            os.mkdir(self._root.prefix + relative, dir_fd=self._root.fd)
        except FileExistsError:
            pass

    def __enter__(self) -> _Targets:
        return self

    def __exit__(self, *_: object) -> None:
        self._deep.close()
