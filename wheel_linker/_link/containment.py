"""Opening directories of a destination without leaving it, and without entering the wheels themselves."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Final

from wheel_linker._fs.descent import Descent
from wheel_linker._fs.folder import Folder
from wheel_linker._fs.paths import is_within
from wheel_linker._fs.windows import is_directory, is_link
from wheel_linker.errors import LinkError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wheel_linker._fs.folder import Parts

_NOT_A_DIRECTORY: Final = frozenset({errno.ENOTDIR, errno.ELOOP})
# No directory can be opened any more, but what is in those that are open can still be renamed.
_NOTHING_LEFT: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EIO})


class Containment:
    """Tells which directories may be written to.

    :param site: the destination, its path with symlinks resolved.
    """

    def __init__(self, site: Folder) -> None:
        self._site = site
        self._sources: list[str] = []

    def protect(self, sources: Iterable[str]) -> None:
        """Let nothing be written to these roots of unpacked wheels."""
        self._sources += [source for source in sources if is_within(source, self._site.path)]

    def enter(self, parent: Folder, name: str) -> Folder:
        """Open a directory of the destination, through a symlink only if that stays in the destination.

        :raises LinkError: if it leads elsewhere, or is part of a wheel.
        :raises OSError: if it cannot be opened.
        """
        try:
            folder = parent.enter(name)
        except OSError as error:
            status = parent.lstat(name)
            if error.errno not in _NOT_A_DIRECTORY or status is None or not is_link(status):
                raise
            folder = self._resolve(parent, name)
        for source in self._sources:
            if is_within(folder.path, source):
                folder.close()
                raise _part_of_a_wheel(os.path.join(parent.path, name), source)
        return folder

    def reach(self, folders: Descent, parts: Parts) -> Folder:
        """Go to a directory that was entered before; where it cannot be opened any more, by its path.

        :param folders: a way down from the destination, by :meth:`enter`.
        :raises OSError: if it cannot be opened for another reason, or is behind a symlink.
        """
        try:
            return folders.go(parts)
        except OSError as error:
            if error.errno not in _NOTHING_LEFT or isinstance(error, LinkError) or not parts:
                raise
            # A path would be followed through symlinks that were put there meanwhile.
            for depth in range(1, len(parts) + 1):
                status = self._site.lstat(os.sep.join(parts[:depth]))
                if status is None or not is_directory(status):
                    raise
            return self._site.below(os.sep.join(parts))

    def _resolve(self, parent: Folder, name: str) -> Folder:
        path = os.path.join(parent.path, name)
        real = os.path.realpath(path)
        if not is_within(real, self._site.path):
            raise LinkError(
                f"{path!r} is a symlink to {real!r}, outside of {self._site.path!r}: nothing is written through it; "
                "replace it by a directory, or remove it",
                errno=errno.ELOOP,
                destination=path,
            )
        with Descent(self._site, Folder.enter, levels=0) as descent:
            parts = tuple(os.path.relpath(real, self._site.path).split(os.sep))
            return descent.go(parts[:-1]).enter(parts[-1])


def _part_of_a_wheel(path: str, source: str) -> LinkError:
    return LinkError(
        f"{path!r} is part of the unpacked wheel {source!r} itself: "
        "keep unpacked wheels outside site-packages",
        destination=path,
    )
