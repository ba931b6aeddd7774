"""Building wheels up in the stage: the slow part, in parallel, and seen by nobody."""

from __future__ import annotations

import os
import stat
from contextlib import contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from wheel_linker._fs._windows.rules import is_directory
from wheel_linker._fs.descent import Descent
from wheel_linker._fs.folder import Folder
from wheel_linker._fs.paths import named_by
from wheel_linker._fs.permissions import follow_umask, granted, if_allowed
from wheel_linker._fs.remove_tree import remove_tree
from wheel_linker._link.units import Unit
from wheel_linker._link.walk import unchanged_root
from wheel_linker._threads import affordable, run
from wheel_linker.errors import refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from wheel_linker._fs.stage import Stage
    from wheel_linker._link.helper.process import Helper
    from wheel_linker._link.placer import Placer
    from wheel_linker._wheel.progress import Progress
    from wheel_linker._wheel.tree import Tree
    from wheel_linker.backends import Backend

# Small enough to keep all threads busy to the end, large enough for the way down to a directory to be shared.
_ENTRIES_PER_UNIT: Final = 400
# A helper process, which is an interpreter and this library, takes 20 ms to start, in which a thread places some
# thousands of files.
_ENTRIES_PER_HELPER: Final = 8_000


def stage_all(
    placers: Sequence[Placer],
    stage: Stage,
    jobs: int,
    progress: Progress,
    beside: Mapping[str, Placer] = MappingProxyType({}),
) -> None:
    """Build each wheel up in a directory of the stage; the directories are named 0, 1, ...

    :param beside: by the name of such a directory, what places more files in it that lie elsewhere.
    :raises LinkError: if a file can be placed by no mode of the chain, or a wheel has changed meanwhile.
    """
    single: list[Unit] = []

    def begin(index: int) -> None:
        placer, staged = placers[index], str(index)
        if placer.try_whole(placer.tree.path, stage.folder, staged):
            with unchanged_root(placer.tree.path, placer.tree.identity):
                pass  # a clone by path may be of what took the wheel's place
            _open_up(placer.tree, stage.folder, staged)
            _remove_left_out(placer.tree, stage.folder, staged)
            progress(placer.tree.files, placer.name)
        else:
            _make_root(placer.tree, stage.folder, staged)
            if placer.tree.files or len(placer.tree.directories) > 1:
                single.extend(_units(placer, staged))

    run(range(len(placers)), begin, jobs)
    for staged, placer in beside.items():
        single.extend(_units(placer, staged))
    _place_all(single, stage, affordable(jobs, _descriptors(single)), progress)


def _descriptors(units: Sequence[Unit]) -> int:
    """Return how many descriptors it takes to place a unit: the way down to a directory, here and there, and a file."""
    deepest = max((len(each.parts) for unit in units for each in unit.directories), default=0)
    return 2 * (deepest + 2)


def _place_all(units: Sequence[Unit], stage: Stage, jobs: int, progress: Progress) -> None:
    def place(unit: Unit) -> None:
        unit.place(stage.folder, progress)

    entries = sum(1 + len(each.files) for unit in units for each in unit.directories)
    helpers = min(how_many(entries, units[0].placer.backend), jobs - 1) if units else 0
    if helpers:
        _place_with(helpers, units, stage, place, progress)
    else:
        run(units, place, jobs)


def how_many(entries: int, backend: Backend) -> int:
    """Return how many helper processes are worth starting; 0 where there can be none.

    :param entries: how many files and directories there are to be placed.
    :param backend: how files are cloned.
    """
    if entries < _ENTRIES_PER_HELPER:
        return 0
    from wheel_linker._link.helper.process import may_clone  # most calls have no helpers

    return entries // _ENTRIES_PER_HELPER if may_clone(backend) else 0


def _place_with(
    helpers: int,
    units: Sequence[Unit],
    stage: Stage,
    place: Callable[[Unit], None],
    progress: Progress,
) -> None:
    """Place units in as many threads as there are helper processes, and one more.

    More threads would only wait for the interpreter's lock.
    """
    from wheel_linker._link.helper.process import helper_in

    started: list[Helper] = []

    @contextmanager
    def with_helper() -> Iterator[Callable[[Unit], None]]:
        with helper_in(stage) as helper:
            if helper is None:
                yield place
            else:
                started.append(helper)
                yield lambda unit: unit.place_by(helper, stage.folder, progress)

    def stop() -> None:
        # One that stands still would keep its thread waiting for an answer.
        for helper in started:
            helper.kill()

    run(units, place, 1 + helpers, others=with_helper, stop=stop)


def _make_root(tree: Tree, stage: Folder, staged: str) -> None:
    doing = f"make a directory in {stage.path!r} for {tree.path!r}"
    with refused(doing, source=tree.path, destination=stage.path):
        os.mkdir(stage.prefix + staged, dir_fd=stage.fd)


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

    def doing(error: OSError) -> str:
        return f"make the clone of {tree.path!r} smaller at {named_by(error, tree.path)!r}"

    with (
        refused(doing, source=tree.path),
        stage.enter(staged) as root,
        Descent(root, Folder.enter) as clones,
    ):
        for parts in tree.left_out:
            parent = clones.go(parts[:-1])
            status = parent.lstat(parts[-1])
            if status is not None and is_directory(status):
                remove_tree(parent, parts[-1])
            else:
                os.unlink(parent.prefix + parts[-1], dir_fd=parent.fd)


def _open_up(tree: Tree, stage: Folder, staged: str) -> None:
    """Give a clone what is given to new files: a present mtime, an owner's rights, what the umask leaves to others."""

    def doing(error: OSError) -> str:
        return f"open up the clone of {tree.path!r} at {named_by(error, tree.path)!r}"

    with refused(doing, source=tree.path):
        left = granted(stage.prefix, stage.fd)

        def enter(parent: Folder, name: str) -> Folder:
            return _open_directory(parent, name, left)

        with enter(stage, staged) as root, Descent(root, enter) as clones:
            for directory in tree.directories:
                folder = clones.go(directory.parts)
                for name in directory.files:
                    status = folder.lstat(name)
                    if status is not None:
                        follow_umask(folder.prefix + name, folder.fd, status.st_mode, left)


def _open_directory(parent: Folder, name: str, mode: int) -> Folder:
    if_allowed(os.chmod, parent.prefix + name, mode | stat.S_IRWXU, dir_fd=parent.fd)
    # An old mtime might be the one that an importer remembers of a directory that was here before.
    if_allowed(os.utime, parent.prefix + name, dir_fd=parent.fd)
    return parent.enter(name)
