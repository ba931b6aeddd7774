"""Going down into a tree of directories, and holding the way down open."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from wheel_linker._fs.folder import Folder, Parts

_HELD_LEVELS: Final = 40
# The process, or the machine, has no more descriptors.
_NO_DESCRIPTORS: Final = frozenset({errno.EMFILE, errno.ENFILE})


class Descent:
    """A position in a tree of directories, with the way down to it held open.

    It is meant for pre-order walks: going to a sibling or a child opens one directory. Only the upper levels stay
    open, so that a tree of any depth needs a bounded number of descriptors and no recursion. Where there are no
    descriptors left, it goes on with two.

    :param root: where the tree starts; stays the caller's to close.
    :param enter: how a directory is opened in its parent.
    :param levels: how many levels stay open.
    """

    __slots__ = ("_enter", "_held", "_levels", "_lowest", "_parts", "_root")

    def __init__(
        self,
        root: Folder,
        enter: Callable[[Folder, str], Folder],
        levels: int = _HELD_LEVELS,
    ) -> None:
        self._root = root
        self._enter = enter
        self._levels = levels
        self._parts: Parts = ()
        self._held: list[Folder] = []
        self._lowest: Folder | None = None

    def go(self, parts: Parts) -> Folder:
        """Return the directory at ``parts`` below the root; it stays open until the next call."""
        known, depth = self._parts, len(parts)
        if (
            depth == 0
            or depth > self._levels
            or self._lowest is not None
            or known[: depth - 1] != parts[:-1]
            or known == parts
        ):
            return self._go_patiently(parts)
        # The step leads to a child, a sibling, or a sibling of a parent, as all but a few steps of a pre-order walk do.
        held = self._held
        while len(held) >= depth:
            held.pop().close()
        self._parts = parts[:-1]
        try:
            folder = self._enter(held[-1] if held else self._root, parts[-1])
        except OSError as error:
            if error.errno not in _NO_DESCRIPTORS:
                raise
            return self._go_patiently(parts)
        held.append(folder)
        self._parts = parts
        return folder

    def list_at(self, parts: Parts) -> tuple[Folder, list[str]]:
        """Return the directory at ``parts`` and the names in it, even if the way down took the last descriptors."""
        folder = self.go(parts)
        try:
            return folder, folder.listdir()
        except OSError as error:
            if error.errno not in _NO_DESCRIPTORS or not self._levels:
                raise
        self.close()
        self._levels = 0
        folder = self.go(parts)
        return folder, folder.listdir()

    def _go_patiently(self, parts: Parts) -> Folder:
        try:
            return self._go_step_by_step(parts)
        except OSError as error:
            if error.errno not in _NO_DESCRIPTORS or not self._levels:
                raise
        # The directories that are held open may have taken all descriptors.
        self.close()
        self._levels = 0
        return self._go_step_by_step(parts)

    def _go_step_by_step(self, parts: Parts) -> Folder:
        common = _common(self._parts, parts)
        if common < len(self._parts):
            self._close_lowest()
        while len(self._held) > common:
            self._held.pop().close()
        if self._lowest is None:
            # Below the levels that stay open only the lowest directory was open, and it is closed now: the way to
            # another one begins at these levels.
            self._parts = self._parts[: len(self._held)]
        for level in range(len(self._parts), len(parts)):
            self._step(parts[level])
            self._parts = parts[: level + 1]
        return self._here()

    def close(self) -> None:
        """Close every directory below the root."""
        self._close_lowest()
        while self._held:
            self._held.pop().close()
        self._parts = ()

    def __enter__(self) -> Descent:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _here(self) -> Folder:
        if self._lowest is not None:
            return self._lowest
        return self._held[-1] if self._held else self._root

    def _step(self, name: str) -> None:
        following = self._enter(self._here(), name)
        if len(self._held) < self._levels:
            self._held.append(following)
            return
        self._close_lowest()
        self._lowest = following

    def _close_lowest(self) -> None:
        if self._lowest is not None:
            self._lowest.close()
            self._lowest = None


def _common(one: Parts, other: Parts) -> int:
    length = 0
    for mine, yours in zip(one, other):
        if mine != yours:
            break
        length += 1
    return length
