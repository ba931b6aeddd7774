"""The tasks of staging, each of which one thread does, or has done by a helper process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wheel_linker._compat.named_tuple import NamedTuple
from wheel_linker._fs.paths import named_by
from wheel_linker._link.walk import explore, walk
from wheel_linker._wheel.tree import Directory
from wheel_linker.errors import VANISHED, refused

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from wheel_linker._fs.folder import Folder, Parts
    from wheel_linker._link.helper.process import Helper
    from wheel_linker._link.helper.program import Answer, Order
    from wheel_linker._link.placer import Placer
    from wheel_linker._wheel.progress import Progress
    from wheel_linker.mode import LinkMode


class Unit(NamedTuple):
    """Some directories of one wheel."""

    placer: Placer
    staged: str
    """The directory in the stage that stands for the wheel's root."""
    directories: Sequence[Directory]
    """The directories, in pre-order."""

    def place(self, stage: Folder, progress: Progress) -> None:
        """Place what is in the directories.

        :raises LinkError: if a file can be placed by no mode of the chain, or the wheel has changed meanwhile.
        """
        tree, place = self.placer.tree, _counted(self.placer, progress)

        def doing(error: OSError) -> str:
            return f"link the unpacked wheel {tree.path!r} at {named_by(error, tree.path)!r}"

        with (
            refused(doing, source=tree.path, advice=VANISHED),
            stage.enter(self.staged) as target,
        ):
            walk(tree.path, tree.identity, target, self.directories, place)

    def place_by(self, helper: Helper, stage: Folder, progress: Progress) -> None:
        """Have a helper process place what it can, and place the rest. The errors are those of :meth:`place`."""
        simple: list[Directory] = []
        rest: list[Directory] = []
        for directory in self.directories:
            (simple if self.placer.is_simple(directory) else rest).append(directory)
        if simple:
            rest = self._have_placed(simple, helper, progress) + rest
        if rest:
            self._replace(directories=rest).place(stage, progress)

    def _have_placed(
        self, directories: list[Directory], helper: Helper, progress: Progress
    ) -> list[Directory]:
        """Have files placed in the mode that is tried now; return what was not placed, the refused file first."""
        placer = self.placer
        mode = placer.mode
        order = _order(placer, mode, self.staged, directories, [], 0)
        answer = helper.place(order)
        done, files, complete = answer.directories, answer.files, answer.complete
        placed = sum(len(each.files) for each in directories[:done]) + files
        placer.note_looked_at(answer.executables)
        placer.note_placed(mode, placed)
        progress(placed, placer.name)
        if complete:
            return []
        if done == len(directories):
            # All files are placed, but the final check of the wheel's root has failed. Returned is one directory
            # without files, so that place() repeats the check and raises its error.
            return [directories[-1].with_files(())]
        first, *others = directories[done:]
        rest = first.with_files(first.files[files:])
        if answer.looked_at > done:
            rest.sizes = None  # the files have been looked at, and counted
        return [rest, *others]


class Visit(NamedTuple):
    """Some directories of one wheel whose names nobody has read yet, and everything below them."""

    placer: Placer
    staged: str
    """The directory in the stage that stands for the wheel's root."""
    unread: list[Parts]
    """The directories, the first one last."""
    most: int
    """How many entries are enough for one visit: the rest is shared out anew."""

    def place(self, stage: Folder, progress: Progress) -> list[Visit]:
        """Read and place what is there; return the visits that are left.

        :raises InvalidWheelError: if there is what has no place in an environment.
        :raises LinkError: if something cannot be read, a file can be placed by no mode of the chain, or the wheel has
            changed meanwhile.
        """
        placer, tree = self.placer, self.placer.tree
        place = _counted(placer, progress)
        unread, found = [*self.unread], list[Directory]()

        def doing(error: OSError) -> str:
            return f"read the unpacked wheel {tree.path!r} at {named_by(error, tree.path)!r}"

        with (
            refused(doing, source=tree.path, advice=VANISHED),
            stage.enter(self.staged) as target,
        ):
            explore(tree.path, tree.identity, target, unread, found, place, self.most)
        placer.note_found(found)
        return self._shared_out(unread)

    def place_by(self, helper: Helper, stage: Folder, progress: Progress) -> list[Visit]:
        """Have a helper process read and place what it can, and do the rest.

        What it returns, and the errors, are those of :meth:`place`.
        """
        placer = self.placer
        mode = placer.mode
        answer = helper.place(_order(placer, mode, self.staged, [], self.unread, self.most))
        found = [Directory(*each) for each in answer.found]
        placer.note_found(found)
        left = _left(found, answer)
        files = sum(len(each.files) for each in found) - sum(len(each.files) for each in left)
        placer.note_placed(mode, files)
        progress(files, placer.name)
        if left:
            Unit(placer, self.staged, left).place(stage, progress)
        if answer.complete:
            return self._shared_out(answer.unread)
        # This process finds out which refusal it was, and what is to be done about it.
        return self._replace(unread=answer.unread).place(stage, progress)

    def _shared_out(self, unread: list[Parts]) -> list[Visit]:
        """Return visits of the directories that were not reached: two, so that another thread may do half of them."""
        half = len(unread) // 2
        return [self._replace(unread=part) for part in (unread[half:], unread[:half]) if part]


def _counted(placer: Placer, progress: Progress) -> Callable[[Directory, Folder, Folder], None]:
    """Return what places the files of a directory, and tells of them."""
    place_files, name = placer.place, placer.name
    if not progress.is_followed:
        return place_files

    def place(directory: Directory, source: Folder, target: Folder) -> None:
        place_files(directory, source, target)
        progress(len(directory.files) + len(directory.links), name)

    return place


def _order(
    placer: Placer,
    mode: LinkMode,
    staged: str,
    directories: Sequence[Directory],
    unread: list[Parts],
    most: int,
) -> Order:
    """Return what a helper process is told, to place files of known directories, or of those that nobody has read."""
    from wheel_linker._link.helper.program import Order  # most calls have no helpers

    tree = placer.tree
    return Order(
        mode.value,
        tree.path,
        (tree.identity.device, tree.identity.inode),
        staged,
        [(each.parts, each.files) for each in directories],
        tree.trusted,
        placer.keeps_times,
        unread,
        most,
        *_looks(placer, directories),
    )


def _looks(
    placer: Placer, directories: Sequence[Directory]
) -> tuple[list[list[int] | None], int, bool]:
    """Return the sizes and the time that files in directories must have, and whether others write there."""
    unpacked = placer.tree.unpacked
    if unpacked is None:
        return [], 0, False
    sizes = [placer.sizes_of(each) for each in directories]
    return sizes, unpacked.stamp, unpacked.exclusive


def _left(found: Sequence[Directory], answer: Answer) -> list[Directory]:
    """Return what a helper has left in the directories that it has read, the refused file first."""
    left = [found[index] for index in answer.left]
    if answer.directories < len(found):
        refused_in = found[answer.directories]
        left.insert(0, refused_in.with_files(refused_in.files[answer.files :]))
    return left
