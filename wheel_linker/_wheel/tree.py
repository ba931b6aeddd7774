"""The names in a wheel, and where a wheel with these names lies unpacked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from wheel_linker._compat.named_tuple import NamedTuple
from wheel_linker._wheel.dist_info import DIST_INFO, only_dist_info
from wheel_linker.errors import InvalidWheelError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from wheel_linker._fs.folder import Identity, Parts

_RECORD: Final = "RECORD"
_DATA: Final = ".data"


class Directory:
    """One directory of a wheel.

    :ivar parts: the names leading to it from the wheel's root; the root has none.
    :ivar files: the names of its regular files.
    :ivar links: its symlinks, name and target.
    :ivar end: where its subtree ends in the tree's list of directories.
    :ivar sizes: how many bytes each of the files had when it was unpacked, if that is known.
    """

    __slots__ = ("end", "files", "links", "parts", "sizes")

    def __init__(self, parts: Parts, files: list[str], links: list[tuple[str, str]]) -> None:
        self.parts = parts
        self.files = files
        self.links = links
        self.end = 0
        self.sizes: list[int] | None = None

    def with_files(self, files: Sequence[str]) -> Directory:
        """Return the same directory with other names for its regular files."""
        made = Directory(self.parts, list(files), self.links)
        made.end = self.end
        if self.sizes is not None:
            known = dict(zip(self.files, self.sizes))
            # A name that is not among these was not unpacked, and its size is not known.
            made.sizes = [known[name] for name in files] if known.keys() >= set(files) else None
        return made

    def ending(self, end: int) -> Directory:
        """Return the same directory in a tree where its subtree ends elsewhere."""
        made = Directory(self.parts, self.files, self.links)
        made.end, made.sizes = end, self.sizes
        return made

    def names(self) -> tuple[str, ...]:
        """Return the names of its regular files and of its symlinks."""
        return (*self.files, *(name for name, _ in self.links))

    def has_record(self) -> bool:
        """Tell whether there is a ``RECORD`` among its files, which is never shared."""
        return _RECORD in self.files

    def path_of(self, name: str) -> str:
        """Return the path of one of its entries relative to the wheel, with forward slashes."""
        return "/".join((*self.parts, name))


class Listing(NamedTuple):
    """The names in a wheel, or in what is staged like one."""

    directories: Sequence[Directory]
    """All directories in pre-order with their ends set, the root first, any ``*.dist-info`` last."""

    @classmethod
    def of(cls, directories: Iterable[Directory]) -> Listing:
        """Make one of the directories of a whole tree, in whatever order they come."""
        return cls(in_order(directories))

    def find(self, name: str) -> int | None:
        """Return the position of the root's own subdirectory of that name."""
        for index in self.top_level():
            if self.directories[index].parts[0] == name:
                return index
        return None

    def top_level(self) -> Iterator[int]:
        """Yield the positions of the root's own subdirectories."""
        index = 1
        while index < len(self.directories):
            yield index
            index = self.directories[index].end


class NotAsUnpackedError(InvalidWheelError):
    """Files of a wheel are not what they were when it was unpacked, or somebody has to read them to know."""


class Unpacked(NamedTuple):
    """What the files of a wheel look like if nobody has changed them since they were unpacked, besides their sizes."""

    stamp: int
    """The modification time that each was given, in nanoseconds since the epoch."""
    executables: int
    """How many were made executable."""
    exclusive: bool = False
    """Whether nobody but the caller and root writes where they are: owners and bits that were seen stay as they are."""


class Tree(NamedTuple):
    """An unpacked wheel: where it lies, and the names in it."""

    path: str
    """The absolute path of its root, symlinks resolved."""
    identity: Identity
    """Its root directory."""
    directories: Sequence[Directory]
    """All directories in pre-order, the root first, any ``*.dist-info`` last."""
    files: int
    """How many regular files and symlinks there are."""
    left_out: tuple[Parts, ...] = ()
    """Files and directories that are there, and are not counted as parts of the tree."""
    file: str | None = None
    """The path of the ``.whl`` file that it was unpacked from, if the caller gave that."""
    trusted: bool = False
    """Whether its files are hard-linked and symlinked without a look at their owners and bits."""
    is_read: bool = True
    """Whether what is in the root's subdirectories is known, and not left to be read when files are placed."""
    unpacked: Unpacked | None = None
    """What its files have to look like when they are placed; None if nobody knows, or they have been looked at."""

    @property
    def listing(self) -> Listing:
        """The names in it, wherever it lies."""
        return Listing(self.directories)

    @property
    def called(self) -> str:
        """What it is called in messages: the path that the caller gave."""
        return self.path if self.file is None else self.file

    @classmethod
    def of(
        cls,
        path: str,
        identity: Identity,
        directories: Sequence[Directory],
        left_out: tuple[Parts, ...] = (),
    ) -> Tree:
        """Make one of directories in pre-order, whose ends are set."""
        number = sum(len(directory.files) + len(directory.links) for directory in directories)
        return cls(path, identity, directories, number, left_out)

    def read(self, directories: Iterable[Directory]) -> Tree:
        """Return the same tree with all of its directories, in whatever order they come."""
        return self._with(in_order(directories), self.left_out)

    def with_files(self, files: Mapping[Parts, Sequence[str]]) -> Tree:
        """Return the same tree with other names for the regular files of some of its directories."""
        directories = list(self.directories)
        left_out = list(self.left_out)
        number = self.files
        for index, before in enumerate(self.directories):
            parts = before.parts
            if parts in files:
                directories[index] = now = before.with_files(files[parts])
                number += len(now.files) - len(before.files)
                left_out += [(*parts, name) for name in set(before.files) - set(now.files)]
        return self._replace(directories=directories, files=number, left_out=tuple(left_out))

    def without(self, index: int) -> Tree:
        """Return the same tree without the directory at ``index`` and everything below it."""
        stop = self.directories[index].end
        kept = [*self.directories[:index], *self.directories[stop:]]
        # A subtree that ends before the removed one ends at the same place in both trees.
        directories = [
            one if one.end <= index else one.ending(one.end - stop + index) for one in kept
        ]
        left_out = (*self.left_out, self.directories[index].parts)
        return self._with(directories, left_out)

    def without_empty(self) -> Tree:
        """Return the same tree without the directories that have no file or symlink at any depth."""
        if not any(map(_is_bare, self.directories, range(len(self.directories)))):
            return self
        occupied: set[Parts] = {()}
        for directory in reversed(self.directories):
            parts = directory.parts
            if directory.files or directory.links or parts in occupied:
                occupied.add(parts)
                occupied.add(parts[:-1])
        empty = [one.parts for one in self.directories if one.parts not in occupied]
        topmost = [parts for parts in empty if parts[:-1] in occupied]
        kept = [one.with_files(one.files) for one in self.directories if one.parts in occupied]
        number_ends(kept)
        return self._with(kept, (*self.left_out, *topmost))

    def excluding(self, excludes: Callable[[str], bool]) -> Tree:
        """Return the same tree without what is excluded.

        :param excludes: called with the paths of files, symlinks and directories relative to the wheel, with forward
            slashes; of a directory that is excluded everything is.
        """
        kept: list[Directory] = []
        left_out = [*self.left_out]
        index = 0
        while index < len(self.directories):
            one = self.directories[index]
            if one.parts and excludes("/".join(one.parts)):
                left_out.append(one.parts)
                index = one.end
                continue
            names = one.names()
            gone = {name for name in names if excludes(one.path_of(name))}
            files = [name for name in one.files if name not in gone]
            kept.append(one.with_files(files))
            kept[-1].links = [each for each in one.links if each[0] not in gone]
            left_out += [(*one.parts, name) for name in names if name in gone]
            index += 1
        number_ends(kept)
        made = self._with(kept, tuple(left_out))
        if made.unpacked is not None:
            # Nobody knows how many of the executables were excluded.
            return made._replace(unpacked=made.unpacked._replace(executables=0))
        return made

    def emptied(self) -> Tree:
        """Return a tree of the same root with nothing in it."""
        root = Directory((), [], [])
        root.end = 1
        return self._with([root], ())._replace(unpacked=None)

    def _with(self, directories: Sequence[Directory], left_out: tuple[Parts, ...]) -> Tree:
        made = self.of(self.path, self.identity, directories, left_out)
        return made._replace(file=self.file, trusted=self.trusted, unpacked=self.unpacked)

    def find(self, name: str) -> int | None:
        """Return the position of the root's own subdirectory of that name."""
        return self.listing.find(name)

    def subtree(self, index: int) -> Iterator[Directory]:
        """Yield the directory at ``index`` and everything below it."""
        for position in range(index, self.directories[index].end):
            yield self.directories[position]

    def top_level(self) -> Iterator[int]:
        """Yield the positions of the root's own subdirectories."""
        return self.listing.top_level()

    def dist_info(self, remedy: str) -> str:
        """Return the name of the one ``*.dist-info`` directory.

        :param remedy: what to do if there is none, or several.
        :raises InvalidWheelError: if there is none, or there are several.
        """
        names = (self.directories[index].parts[0] for index in self.top_level())
        return only_dist_info(names, f"the unpacked wheel {self.called!r}", remedy)


def _is_bare(directory: Directory, index: int) -> bool:
    """Tell whether there is nothing in a directory, the root left out."""
    return directory.end == index + 1 and index > 0 and not (directory.files or directory.links)


def is_dist_info(parts: Parts) -> bool:
    return parts[-1].endswith(DIST_INFO)


def is_metadata(directory: Directory) -> bool:
    """Tell whether a directory is in ``*.dist-info`` or ``*.data``, of which an installation reads files."""
    return bool(directory.parts) and directory.parts[0].endswith((DIST_INFO, _DATA))


def in_order(directories: Iterable[Directory]) -> list[Directory]:
    """Return the directories of a whole tree in pre-order, as a scan does, with their ends set."""
    ordered = sorted(directories, key=_position)
    number_ends(ordered)
    return ordered


def _position(directory: Directory) -> tuple[bool, Parts]:
    parts = directory.parts
    return bool(parts) and parts[0].endswith(DIST_INFO), parts


def number_ends(directories: Sequence[Directory]) -> None:
    """Set where each subtree ends, from the depths of a pre-order list."""
    open_above: list[Directory] = []
    for index, directory in enumerate(directories):
        while len(open_above) > len(directory.parts):
            open_above.pop().end = index
        open_above.append(directory)
    for directory in open_above:
        directory.end = len(directories)
