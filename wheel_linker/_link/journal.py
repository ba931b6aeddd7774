"""What has been moved, and how to move it back.

The way back takes nothing that was not there before the first change: no inode and no block, because it only renames;
no descriptor, because the stage has some in reserve; no import.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from wheel_linker._compat.named_tuple import NamedTuple
from wheel_linker._fs.descent import Descent
from wheel_linker._fs.folder import LONGEST_RELATIVE, Folder
from wheel_linker._fs.moving import move
from wheel_linker._fs.stage import OLD
from wheel_linker.errors import LinkError

if TYPE_CHECKING:
    from wheel_linker._fs.folder import Parts
    from wheel_linker._fs.stage import Stage
    from wheel_linker._link.containment import Containment


class Step(NamedTuple):
    """One entry that was moved between the destination and the stage."""

    parts: Parts
    """The directory of the destination that it is in."""
    name: str
    staged_parts: Parts
    """The directory of the stage."""
    staged_name: str
    was_there: bool
    """Whether it was in the destination before."""


class Journal:
    """The steps of one transaction. Each is noted before it is taken, and taken back only if it was.

    :param site: the destination.
    :param stage: the stage in it.
    :param containment: how directories of the destination are opened.
    """

    def __init__(self, site: Folder, stage: Stage, containment: Containment) -> None:
        self._site = site
        self._stage = stage
        self._containment = containment
        self._steps: list[Step] = []

    def note(self, step: Step) -> None:
        """Note a step that is taken next."""
        self._steps.append(step)

    def forget_last(self) -> None:
        """Forget a step that could not be taken."""
        self._steps.pop()

    def clear(self) -> None:
        """Give up the way back."""
        self._steps.clear()

    def roll_back(self) -> None:
        """Take every step back. May be begun again.

        :raises LinkError: if the system refuses; the message says where the replaced files are kept.
        """
        if not self._steps:
            return
        self._stage.release_reserve()
        with (
            Descent(self._stage.folder, Folder.enter) as staged_folders,
            Descent(self._site, self._containment.enter) as folders,
        ):
            while self._steps:
                try:
                    self._take_back(self._steps[-1], staged_folders, folders)
                except OSError as error:
                    raise self._rescued(error) from error
                self._steps.pop()

    def _take_back(self, step: Step, staged_folders: Descent, folders: Descent) -> None:
        staged = self._staged(step.staged_parts, staged_folders)
        folder = self._containment.reach(folders, step.parts)
        is_staged = staged.lstat(step.staged_name) is not None
        if step.was_there:
            if is_staged:
                move(staged, step.staged_name, folder, step.name)
        elif not is_staged and folder.lstat(step.name) is not None:
            move(folder, step.name, staged, step.staged_name)

    def _staged(self, parts: Parts, folders: Descent) -> Folder:
        """Return a directory of the stage, named by its path, which needs no descriptor. Nobody else writes there."""
        if parts == (OLD,):
            return self._stage.old
        relative = os.sep.join(parts)
        if len(relative) > LONGEST_RELATIVE and self._stage.folder.fd is not None:
            return folders.go(parts)
        return self._stage.folder.below(relative)

    def _rescued(self, error: OSError) -> LinkError:
        """Keep what cannot be put back, and say where."""
        rescued = self._stage.rescue()
        self._steps.clear()
        doing = f"put back what was in {self._site.path!r}; files not yet put back are kept in {rescued!r}"
        return LinkError.from_os_error(error, doing, destination=self._site.path)
