"""The program of a helper process: it places files where it is told to, and stops at the first that is refused.

Orders come on standard input and answers go to standard output, each a tuple written by :mod:`marshal`. What is to be
done about a refusal its parent decides, who comes to it again when it goes on from there. The program ends when it is
told to, and with its standard input, so when its parent dies, whatever the reason.
"""

from __future__ import annotations

import marshal
import os
import sys
from typing import TYPE_CHECKING, Final

from wheel_linker._compat.named_tuple import NamedTuple
from wheel_linker._fs.folder import Folder, Identity
from wheel_linker._fs.timestamps import as_written
from wheel_linker._link.placing import placing
from wheel_linker._link.walk import explore, walk
from wheel_linker._wheel.tree import Directory, NotAsUnpackedError
from wheel_linker.backends import default_backend
from wheel_linker.errors import InvalidWheelError, LinkError
from wheel_linker.mode import LinkMode

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import BinaryIO

    from wheel_linker._fs.folder import Parts
    from wheel_linker.backends import Backend

# The end of the input would not do: another process that the parent has forked keeps it open.
ENOUGH: Final = marshal.dumps(None)
"""Tells the program to end."""


class Order(NamedTuple):
    """Files to be placed, in one mode."""

    mode: str
    path: str
    """The root of the wheel."""
    identity: tuple[int, int]
    """What tells that root from other directories."""
    staged: str
    """The directory in the stage that stands for it."""
    directories: list[tuple[Parts, list[str]]]
    """The directories in pre-order, each with the names of its files."""
    trusted: bool
    """Whether files are shared without a look at their owners and bits."""
    keeps_times: bool
    """Whether copies and clones of Python sources get the times of these."""
    unread: list[Parts]
    """Directories whose names are to be read as well, and what is below them, the first one last."""
    most: int
    """How many entries of these are enough."""
    sizes: list[list[int] | None] | tuple[()] = ()
    """For each of the directories the sizes that its files must have, or None where these are not looked at."""
    stamp: int = 0
    """The modification time that they must have, in nanoseconds since the epoch."""
    exclusive: bool = False
    """Whether nobody but the caller and root writes where they are."""

    def to_bytes(self) -> bytes:
        """Return what :func:`main` reads."""
        # marshal writes tuples, but no kinds of tuples.
        return marshal.dumps(tuple(self))


class Answer(NamedTuple):
    """How far an order was carried out."""

    directories: int
    """How many directories are done, those that were read included."""
    files: int
    """How many files of the next directory are done."""
    complete: bool
    """Whether nothing was refused."""
    found: list[tuple[Parts, list[str], list[tuple[str, str]]]]
    """The directories that were read, in pre-order, each with the names of its files and its symlinks."""
    left: list[int]
    """Which of these directories have files, or symlinks, that the parent has to place."""
    unread: list[Parts]
    """The directories that have not been read, as in the order."""
    looked_at: int
    """In how many directories the files are as they must be."""
    executables: int
    """How many of these files are executable."""

    def to_bytes(self) -> bytes:
        """Return what the parent reads."""
        return marshal.dumps(tuple(self))


def interpreter() -> tuple[str, ...]:
    """Return what has to be the same in both processes for them to name files alike."""
    return (sys.version, sys.getfilesystemencoding(), sys.getfilesystemencodeerrors())


def carry_out(order: Order, stage: Folder, backend: Backend) -> Answer:
    """Place files until one is refused."""
    return _visit(order, stage, backend) if order.unread else _place(order, stage, backend)


class _Placing:
    """Places files directory by directory, and knows how far that has come.

    :ivar directories: how many directories are done.
    :ivar files: how many files of the one in which something was refused are there.
    :ivar looked_at: in how many directories the files are as they must be.
    :ivar executables: how many of these files are executable.
    """

    def __init__(self, order: Order, backend: Backend) -> None:
        self.directories = self.files = self.looked_at = self.executables = 0
        self._stamp = order.stamp
        mode, keeps = LinkMode(order.mode), order.keeps_times
        self._place_each = placing(mode, backend, trusted=order.trusted, keeps_times=keeps)
        seen = order.trusted or order.exclusive
        self._place_seen = placing(mode, backend, trusted=seen, keeps_times=keeps)

    def place(self, directory: Directory, source: Folder, target: Folder) -> None:
        place_each = self._place_each
        if directory.sizes is not None and self._look_at(directory, directory.sizes, source):
            place_each = self._place_seen
        self.looked_at += 1
        done, error = place_each(directory.files, source, target)
        if error is not None:
            self.files = done
            raise error
        self.directories += 1

    def answer(
        self,
        complete: bool,
        found: list[tuple[Parts, list[str], list[tuple[str, str]]]],
        left: list[int],
        unread: list[Parts],
    ) -> Answer:
        """Return what the parent is told."""
        return Answer(
            self.directories,
            self.files,
            complete,
            found,
            left,
            unread,
            self.looked_at,
            self.executables,
        )

    def _look_at(self, directory: Directory, sizes: Sequence[int], source: Folder) -> bool:
        """Look at the files of a directory; tell whether each may have a second name."""
        seen = as_written(source, directory.files, sizes, self._stamp)
        if seen is None:
            raise NotAsUnpackedError(directory.parts)
        self.executables += seen.executables
        return seen.shareable


def _place(order: Order, stage: Folder, backend: Backend) -> Answer:
    work = _Placing(order, backend)
    complete = False
    try:
        with stage.enter(order.staged) as target:
            known = [Directory(parts, names, []) for parts, names in order.directories]
            for directory, sizes in zip(known, order.sizes):
                directory.sizes = sizes
            walk(order.path, Identity(*order.identity), target, known, work.place)
        complete = True
    except (OSError, LinkError, NotAsUnpackedError):
        pass  # the parent tries that file again, and is told the reason
    return work.answer(complete, [], [], [])


def _visit(order: Order, stage: Folder, backend: Backend) -> Answer:
    work = _Placing(order, backend)
    unread = [*order.unread]
    found: list[Directory] = []
    left: list[int] = []
    complete = False

    def place(directory: Directory, source: Folder, target: Folder) -> None:
        if directory.links or directory.has_record():
            left.append(work.directories)
            work.directories += 1
        else:
            work.place(directory, source, target)

    try:
        with stage.enter(order.staged) as target:
            identity = Identity(*order.identity)
            explore(order.path, identity, target, unread, found, place, order.most)
        complete = True
    except (OSError, LinkError, InvalidWheelError):
        pass  # the parent tries that file again, and is told the reason
    names = [(each.parts, each.files, each.links) for each in found]
    return work.answer(complete, names, left, unread)


def main() -> None:
    """Carry out orders until there are no more.

    The program's arguments are the descriptor of the stage and its path.
    """
    descriptor, path = sys.argv[1:]
    stage = Folder(path, int(descriptor), "")
    backend = default_backend()
    orders, answers = sys.stdin.buffer, sys.stdout.buffer
    _say(answers, marshal.dumps(interpreter()))
    while True:
        try:
            given = marshal.load(orders)  # noqa: S302 - from the parent, by a pipe of its own
        except EOFError:
            given = None
        if given is None:
            # Nothing is left to be done at the interpreter's exit, which takes some milliseconds.
            os._exit(0)
        _say(answers, carry_out(Order(*given), stage, backend).to_bytes())


def _say(answers: BinaryIO, what: bytes) -> None:
    answers.write(what)
    answers.flush()
