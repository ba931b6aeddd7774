"""Building wheels up in the stage: the slow part, on several threads, and seen by nobody."""

from __future__ import annotations

import os
import stat
import threading
from typing import TYPE_CHECKING, Final, NamedTuple

from wheel_linker.errors import VANISHED, LinkError
from wheel_linker.folder import Descent, Folder
from wheel_linker.removal import remove_tree
from wheel_linker.workers import run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from wheel_linker.folder import Parts
    from wheel_linker.place import Placer
    from wheel_linker.scan import Tree
    from wheel_linker.stage import Stage

# Small enough to keep all threads busy to the end, large enough for the way down to a directory to be shared.
_ENTRIES_PER_UNIT: Final = 400
# Longer relative paths go through descriptors: path_resolution(7) ends at 4,096 bytes, of up to four a character.
_LONGEST_RELATIVE: Final = 700


class Progress:
    """Tells the caller how many files are done, one thread at a time."""

    def __init__(self, callback: Callable[[int], None] | None) -> None:
        self._callback = callback
        self._lock = threading.Lock()

    def add(self, files: int) -> None:
        """Count files that have been placed."""
        if self._callback is not None and files:
            with self._lock:
                self._callback(files)


class _Unit(NamedTuple):
    """A piece of work for one thread: some of a wheel's directories."""

    placer: Placer
    staged: str
    start: int
    stop: int


def stage_all(placers: Sequence[Placer], stage: Stage, jobs: int, progress: Progress) -> None:
    """Build each wheel up in a directory of the stage; the directories are named 0, 1, ...

    :raises LinkError: if a file can be placed by no mode of the chain, or a wheel has changed meanwhile.
    """
    single: list[_Unit] = []

    def begin(index: int) -> None:
        placer, staged = placers[index], str(index)
        if placer.try_whole(placer.tree.path, stage.folder, staged):
            with unchanged_root(placer.tree):
                pass  # a clone by path may be of what took the wheel's place
            _open_up(placer.tree, stage.folder, staged)
            _drop(placer.tree, stage.folder, staged)
            progress.add(placer.tree.files)
        else:
            _make_root(placer.tree, stage.folder, staged)
            if placer.tree.files or len(placer.tree.directories) > 1:
                single.extend(_units(placer, staged))

    def place(unit: _Unit) -> None:
        _place(unit, stage.folder, progress)

    run(range(len(placers)), begin, jobs)
    run(single, place, jobs)


def _make_root(tree: Tree, stage: Folder, staged: str) -> None:
    try:
        os.mkdir(stage.prefix + staged, dir_fd=stage.fd)
    except OSError as error:
        doing = f"make a directory in {stage.path!r} for {tree.path!r}"
        raise LinkError.from_os_error(
            error, doing, source=tree.path, destination=stage.path
        ) from error


def _units(placer: Placer, staged: str) -> Iterator[_Unit]:
    directories = placer.tree.directories
    start = entries = 0
    for index, directory in enumerate(directories):
        entries += 1 + len(directory.files)
        if entries >= _ENTRIES_PER_UNIT:
            yield _Unit(placer, staged, start, index + 1)
            start, entries = index + 1, 0
    if start < len(directories):
        yield _Unit(placer, staged, start, len(directories))


def _place(unit: _Unit, stage: Folder, progress: Progress) -> None:
    tree = unit.placer.tree
    try:
        with (
            unchanged_root(tree) as root,
            stage.enter(unit.staged) as staged_root,
            Descent(root, Folder.enter) as sources,
            _Targets(staged_root) as targets,
        ):
            place, go, make = unit.placer.place, sources.go, targets.make
            for index in range(unit.start, unit.stop):
                directory = tree.directories[index]
                parts = directory.parts
                place(directory, go(parts), make(parts))
                progress.add(len(directory.files) + len(directory.links))
            # By path, what took the wheel's place after the first look would have been linked instead.
            _refuse_another(root, tree)
    except LinkError:
        raise
    except OSError as error:
        doing = f"link the unpacked wheel {tree.path!r} at {error.filename!r}"
        raise LinkError.from_os_error(error, doing, source=tree.path, advice=VANISHED) from error


def unchanged_root(tree: Tree) -> Folder:
    """Open the root of a wheel, if it is still the directory that was scanned.

    :raises LinkError: if another one took its place.
    :raises OSError: if it cannot be opened.
    """
    root = Folder.open(tree.path)
    try:
        _refuse_another(root, tree)
    except BaseException:
        root.close()
        raise
    return root


def _refuse_another(root: Folder, tree: Tree) -> None:
    if root.identity() != tree.identity:
        raise LinkError(
            f"another directory took the place of the unpacked wheel {tree.path!r} while it was being linked: "
            "keep it unchanged until the call returns",
            source=tree.path,
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
        if len(relative) > _LONGEST_RELATIVE and self._root.fd is not None:
            return self._deep.go(parts)
        try:
            self._make(relative)
        except FileNotFoundError:
            # Another thread has the parents to do, and has not come there yet. If they are there it was the path:
            # Windows says the same of one that is too long.
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


def _drop(tree: Tree, stage: Folder, staged: str) -> None:
    """Remove from a clone what is no part of the tree."""
    try:
        with stage.enter(staged) as root, Descent(root, Folder.enter) as clones:
            for parts in tree.dropped:
                parent = clones.go(parts[:-1])
                status = parent.lstat(parts[-1])
                if status is not None and stat.S_ISDIR(status.st_mode):
                    remove_tree(parent, parts[-1])
                else:
                    os.unlink(parent.prefix + parts[-1], dir_fd=parent.fd)
    except OSError as error:
        doing = f"make the clone of {tree.path!r} smaller at {error.filename!r}"
        raise LinkError.from_os_error(error, doing, source=tree.path) from error


def _open_up(tree: Tree, stage: Folder, staged: str) -> None:
    """Give the directories of a clone what directories that were made anew have: a present mtime, an owner's rights."""
    try:
        with _open_directory(stage, staged) as root, Descent(root, _open_directory) as clones:
            for directory in tree.directories[1:]:
                clones.go(directory.parts)
    except OSError as error:
        doing = f"open up the clone of {tree.path!r} at {error.filename!r}"
        raise LinkError.from_os_error(error, doing, source=tree.path) from error


def _open_directory(parent: Folder, name: str) -> Folder:
    parent.open_up(name)
    # An old mtime might be the one that an importer remembers of a directory that was here before.
    os.utime(parent.prefix + name, dir_fd=parent.fd)
    return parent.enter(name)
