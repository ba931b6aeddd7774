"""Building wheels up in the stage: the slow part, in parallel, and seen by nobody."""

from __future__ import annotations

import errno
import os
import stat
import sys
from contextlib import ExitStack, contextmanager, nullcontext
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from wheel_linker._fs.descent import Descent
from wheel_linker._fs.folder import Folder
from wheel_linker._fs.permissions import chmod_itself, follow_umask, granted, if_allowed
from wheel_linker._fs.remove_tree import remove_tree
from wheel_linker._fs.windows import is_directory
from wheel_linker._link.units import Unit, Visit
from wheel_linker._link.walk import unchanged_root
from wheel_linker._threads import affordable, run
from wheel_linker.errors import LinkError, refused
from wheel_linker.mode import LinkMode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from wheel_linker._fs.stage import Stage
    from wheel_linker._link.helper.process import Helper
    from wheel_linker._link.options import LinkOptions
    from wheel_linker._link.placer import Placer
    from wheel_linker._wheel.progress import Progress
    from wheel_linker._wheel.tree import Tree
    from wheel_linker.backends import Backend

    Task = Unit | Visit
    Place = Callable[[Task], Sequence[Task] | None]

# Units of this size are small enough to keep all threads busy to the end, and large enough for the way down to a
# directory to be shared.
_ENTRIES_PER_UNIT: Final = 400
# With two threads a thousand files take longer than with one, and five thousand as long.
_ENTRIES_PER_THREAD: Final = 5_000
# How many files and directories a wheel is taken to have that nobody has read; half of the published wheels have more.
_ENTRIES_GUESSED: Final = 200
# How deep wheels mostly are. If one is deeper than there are descriptors for, its directories are opened step by step.
_LIKELY_DEPTH: Final = 8
_MISSING: Final = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)


def stage_all(
    placers: Iterable[Placer],
    stage: Stage,
    how: LinkOptions,
    beside: Mapping[str, Placer] = MappingProxyType({}),
) -> None:
    """Build each wheel up in a directory of the stage; the directories are named 0, 1, ...

    :param placers: files of the first ones may be placed while later ones are still to come.
    :param beside: by the name of such a directory, what places more files in it that lie elsewhere; read when all
        ``placers`` are there.
    :raises NotAsUnpackedError: if files are looked at while they are linked, and are not as they should be.
    :raises InvalidWheelError: if a wheel that nobody has read holds what has no place in an environment.
    :raises LinkError: if a file can be placed by no mode of the chain, or a wheel has changed meanwhile.
    """
    known: list[Placer] = []

    def begin(index: int) -> Iterable[Task]:
        return _begun(known[index], str(index), stage.folder, how.progress)

    def tasks() -> Iterator[Task]:
        if how.backend.clones_directories:
            # Making a directory is too little work to be shared. Cloning one with all that is in it may be enough.
            known.extend(placers)
            left: dict[int, Iterable[Task]] = {}
            run(range(len(known)), lambda index: left.update({index: begin(index)}), how.jobs)
            for index in sorted(left):
                yield from left[index]
        else:
            for index, placer in enumerate(placers):
                known.append(placer)
                yield from begin(index)
        for staged, placer in beside.items():
            known.append(placer)
            yield from _units(placer, staged)

    with _taking_for_changed(known):
        _place_all(tasks(), stage, how.jobs, how.progress)
    for placer in known:
        placer.note_placed_all()


def _begun(placer: Placer, staged: str, stage: Folder, progress: Progress) -> Iterable[Task]:
    """Make what stands for a wheel's root in the stage; return what is left to be done."""
    tree = placer.tree
    if not placer.try_whole(tree.path, stage, staged):
        _make_root(tree, stage, staged)
        return _tasks(placer, staged)
    with unchanged_root(tree.path, tree.identity):
        pass  # a clone by path may be of what took the wheel's place
    _open_up(tree, stage, staged)
    _remove_left_out(tree, stage, staged)
    progress(tree.files, placer.name)
    return ()


@contextmanager
def _taking_for_changed(placers: Sequence[Placer]) -> Iterator[None]:
    """Where wheels are looked at while they are linked, take a missing file for a change since they were unpacked."""
    try:
        yield
    except LinkError as error:
        looked_at = [placer for placer in placers if placer.tree.unpacked is not None]
        if error.errno in _MISSING and looked_at:
            raise looked_at[0].changed() from error
        raise


def _place_all(tasks: Iterable[Task], stage: Stage, jobs: int, progress: Progress) -> None:
    """Do all tasks, and those that they leave, while more are still to come."""
    workers = _Workers(stage, progress, jobs)
    if jobs == 1:
        run(tasks, workers.place, 1)
    else:
        run(
            workers.counted(tasks),
            workers.place,
            jobs,
            others=workers.along,
            stop=workers.stop,
            worth=workers.threads,
        )


def threads_for(entries: int, jobs: int) -> int:
    """Return on how many threads files are placed soonest that are not copied.

    Where there is an interpreter's lock, threads wait for it longer than it takes to place a few files.

    :param entries: how many files and directories there are.
    :param jobs: how many threads there may be.
    """
    has_lock = getattr(sys, "_is_gil_enabled", lambda: True)()
    return 1 if has_lock and entries < _ENTRIES_PER_THREAD else jobs


class _Workers:
    """Threads that do tasks in one stage, and helper processes that do some for them.

    What is to be done becomes known while it is being done, and with it how many of them are worth having.
    """

    def __init__(self, stage: Stage, progress: Progress, jobs: int) -> None:
        self._stage = stage
        self._progress = progress
        self._jobs = jobs
        self._helpers: list[Helper] = []
        self._entries = 0
        self._depth = 0
        self._has_visits = self._has_copies = self._has_helpers = False
        self._backend: Backend | None = None
        self._worth = 1
        # With so many entries there may be one more helper process worth starting.
        self._enough = 0

    def counted(self, tasks: Iterable[Task]) -> Iterator[Task]:
        """Take note of tasks as they come."""
        for task in tasks:
            self._entries += _entries(task)
            self._depth = max(self._depth, _depth(task))
            self._has_visits = self._has_visits or isinstance(task, Visit)
            self._has_copies = self._has_copies or task.placer.mode is LinkMode.COPY
            self._backend = task.placer.backend
            yield task

    def threads(self, is_all: bool) -> int:
        """Return how many threads are worth having for the tasks that are known, the calling one included.

        :param is_all: whether all are.
        """
        if self._backend is None or (self._entries < self._enough and not is_all):
            return self._worth
        from wheel_linker._link.helper import starting  # not for one thread

        self._enough = self._entries + starting.ENTRIES_PER_HELPER
        depth = self._depth if is_all else max(self._depth, _LIKELY_DEPTH)
        jobs = affordable(self._jobs, _descriptors(depth))
        helpers = min(starting.how_many(self._entries, self._backend), jobs - 1)
        if helpers:
            # More threads would only wait for the interpreter's lock.
            self._has_helpers = True
            self._worth = 1 + helpers
        elif is_all:
            self._worth = self._threads_alone(jobs)
        return self._worth

    def _threads_alone(self, jobs: int) -> int:
        # Nobody knows how many entries are below what has not been read, and even few files may have many bytes.
        if self._has_visits or self._has_copies:
            return jobs
        return threads_for(self._entries, jobs)

    def along(self) -> AbstractContextManager[Place]:
        """Have what a thread besides the calling one does tasks by."""
        if self._has_helpers:
            return self.with_helper()
        return self.with_late_helper() if self._has_visits else nullcontext(self.place)

    def place(self, task: Task) -> Sequence[Task] | None:
        """Do a task; return those that are left of it."""
        return task.place(self._stage.folder, self._progress)

    @contextmanager
    def with_helper(self) -> Iterator[Place]:
        """Have a helper process do the work of this thread, if there can be one."""
        from wheel_linker._link.helper.process import helper_in  # most calls have no helpers

        with helper_in(self._stage) as helper:
            if helper is None:
                yield self.place
            else:
                self._helpers.append(helper)
                yield lambda task: task.place_by(helper, self._stage.folder, self._progress)

    @contextmanager
    def with_late_helper(self) -> Iterator[Place]:
        """Have a helper process as well, but not before it is seen that there is much to do."""
        from wheel_linker._link.helper import starting  # loaded already

        place: Place = self.place
        large = 0
        with ExitStack() as kept:

            def place_task(task: Task) -> Sequence[Task] | None:
                nonlocal place, large
                if large == starting.LARGE_VISITS_ALONE:
                    large += 1  # so that it is asked for once
                    if starting.how_many(starting.ENTRIES_PER_HELPER, task.placer.backend):
                        place = kept.enter_context(self.with_helper())
                left = place(task)
                large += bool(left)
                return left

            yield place_task

    def stop(self) -> None:
        """End the helper processes: one that stands still would keep its thread waiting for an answer."""
        for helper in self._helpers:
            helper.kill()


def _descriptors(depth: int) -> int:
    """Return how many descriptors a task takes: the way down to a directory, here and there, and a file."""
    return 2 * (depth + 2)


def _depth(task: Task) -> int:
    if isinstance(task, Visit):
        return _LIKELY_DEPTH
    return max(len(each.parts) for each in task.directories)


def _entries(task: Task) -> int:
    if isinstance(task, Visit):
        return _ENTRIES_GUESSED
    return sum(1 + len(each.files) for each in task.directories)


def _make_root(tree: Tree, stage: Folder, staged: str) -> None:
    doing = f"make a directory in {stage.path!r} for {tree.path!r}"
    with refused(doing, source=tree.path, destination=stage.path):
        os.mkdir(stage.prefix + staged, dir_fd=stage.fd)


def _tasks(placer: Placer, staged: str) -> Iterator[Task]:
    """Yield what there is to be done for a wheel whose root is there in the stage."""
    if not placer.tree.is_read:
        yield Visit(placer, staged, [()], _ENTRIES_PER_UNIT)
    elif placer.tree.files or len(placer.tree.directories) > 1:
        yield from _units(placer, staged)


def _units(placer: Placer, staged: str) -> Iterator[Unit]:
    directories = placer.tree.directories
    start = entries = 0
    for index, directory in enumerate(directories):
        entries += 1 + len(directory.files)
        if entries >= _ENTRIES_PER_UNIT:
            yield Unit(placer, staged, directories[start : index + 1])
            start, entries = index + 1, 0
    if start < len(directories):
        yield Unit(placer, staged, directories[start:])


def _remove_left_out(tree: Tree, stage: Folder, staged: str) -> None:
    """Remove from a clone what is no part of the tree."""
    # The error of a call has the name alone, or a path in the stage, which is gone when the caller reads of it.
    at = tree.path

    def doing(_: OSError) -> str:
        return f"make the clone of {tree.path!r} smaller at {at!r}"

    with (
        refused(doing, source=tree.path),
        stage.enter(staged) as root,
        Descent(root, Folder.enter) as clones,
    ):
        for parts in tree.left_out:
            at = os.path.join(tree.path, *parts)
            parent = clones.go(parts[:-1])
            status = parent.lstat(parts[-1])
            if status is not None and is_directory(status):
                remove_tree(parent, parts[-1])
            else:
                os.unlink(parent.prefix + parts[-1], dir_fd=parent.fd)


def _open_up(tree: Tree, stage: Folder, staged: str) -> None:
    """Give a clone what is given to new files: a present mtime, an owner's rights, what the umask leaves to others."""
    at = tree.path

    def doing(_: OSError) -> str:
        return f"open up the clone of {tree.path!r} at {at!r}"

    with refused(doing, source=tree.path):
        left = granted(stage.prefix, stage.fd)

        def enter(parent: Folder, name: str) -> Folder:
            return _open_directory(parent, name, left)

        with enter(stage, staged) as root, Descent(root, enter) as clones:
            for directory in tree.directories:
                at = os.path.join(tree.path, *directory.parts)
                folder = clones.go(directory.parts)
                for name in directory.files:
                    status = folder.lstat(name)
                    if status is not None:
                        follow_umask(folder.prefix + name, folder.fd, status.st_mode, left)


def _open_directory(parent: Folder, name: str, mode: int) -> Folder:
    if_allowed(chmod_itself, parent.prefix + name, mode | stat.S_IRWXU, parent.fd)
    # An old mtime might be the one that an importer remembers of a directory that was here before.
    if_allowed(os.utime, parent.prefix + name, dir_fd=parent.fd)
    return parent.enter(name)
