"""Reading an unpacked wheel: what is in it, and whether it may be put into an environment at all."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, NamedTuple

from wheel_linker.errors import InvalidWheelError, LinkError
from wheel_linker.folder import Descent, Folder, Identity, Parts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

DIST_INFO: Final = ".dist-info"

_SYMLINK_HOPS: Final = 40  # as the Linux kernel allows, path_resolution(7)


class Directory:
    """One directory of a wheel.

    :ivar parts: the names leading to it from the wheel's root; the root has none.
    :ivar files: the names of its regular files.
    :ivar links: its symlinks, name and target.
    :ivar end: where its subtree ends in the tree's list of directories.
    """

    __slots__ = ("end", "files", "links", "parts")

    def __init__(self, parts: Parts, files: list[str], links: list[tuple[str, str]]) -> None:
        self.parts = parts
        self.files = files
        self.links = links
        self.end = 0

    def with_files(self, files: Sequence[str]) -> Directory:
        """Return the same directory with other names for its regular files."""
        made = Directory(self.parts, list(files), self.links)
        made.end = self.end
        return made

    def path_of(self, name: str) -> str:
        """Return the path of one of its entries relative to the wheel, with forward slashes."""
        return "/".join((*self.parts, name))


class Tree(NamedTuple):
    """The names in an unpacked wheel."""

    path: str
    """The absolute path of its root, symlinks resolved."""
    identity: Identity
    """Its root directory."""
    directories: Sequence[Directory]
    """All directories in pre-order, the root first, any ``*.dist-info`` last."""
    files: int
    """How many regular files and symlinks there are."""
    dropped: tuple[Parts, ...] = ()
    """Files and directories that are there, and are not counted as parts of the tree."""

    @classmethod
    def of(
        cls,
        path: str,
        identity: Identity,
        directories: Sequence[Directory],
        dropped: tuple[Parts, ...] = (),
    ) -> Tree:
        """Make one of directories in pre-order, whose ends are set."""
        number = sum(len(directory.files) + len(directory.links) for directory in directories)
        return cls(path, identity, directories, number, dropped)

    def with_files(self, files: Mapping[Parts, Sequence[str]]) -> Tree:
        """Return the same tree with other names for the regular files of some of its directories."""
        directories = [
            directory.with_files(files[directory.parts]) if directory.parts in files else directory
            for directory in self.directories
        ]
        dropped = [
            (*before.parts, name)
            for before, now in zip(self.directories, directories)
            if before is not now
            for name in set(before.files) - set(now.files)
        ]
        return self.of(self.path, self.identity, directories, (*self.dropped, *dropped))

    def without(self, index: int) -> Tree:
        """Return the same tree without the directory at ``index`` and everything below it."""
        start, stop = index, self.directories[index].end
        kept = [*self.directories[:start], *self.directories[stop:]]
        directories = [directory.with_files(directory.files) for directory in kept]
        number_ends(directories)
        dropped = (*self.dropped, self.directories[index].parts)
        return self.of(self.path, self.identity, directories, dropped)

    def emptied(self) -> Tree:
        """Return a tree of the same root with nothing in it."""
        root = Directory((), [], [])
        root.end = 1
        return self.of(self.path, self.identity, [root])

    def find(self, name: str) -> int | None:
        """Return the position of the root's own subdirectory of that name."""
        for index in self.top_level():
            if self.directories[index].parts[0] == name:
                return index
        return None

    def subtree(self, index: int) -> Iterator[Directory]:
        """Yield the directory at ``index`` and everything below it."""
        for position in range(index, self.directories[index].end):
            yield self.directories[position]

    def top_level(self) -> Iterator[int]:
        """Yield the positions of the root's own subdirectories."""
        index = 1
        while index < len(self.directories):
            yield index
            index = self.directories[index].end

    def dist_infos(self) -> list[str]:
        """Return the names of the ``*.dist-info`` directories in the root."""
        names = [self.directories[index].parts[0] for index in self.top_level()]
        return [name for name in names if name.endswith(DIST_INFO)]


def scan(path: str | os.PathLike[str]) -> Tree:
    """Read the names in an unpacked wheel, without opening a file.

    :raises InvalidWheelError: if there is no directory at ``path``, or it holds what has no place in an
        environment: a FIFO, a socket, a device, or a symlink that leads out of the wheel.
    :raises LinkError: if a directory cannot be read.
    """
    root_path = os.fsdecode(path)
    try:
        root_path = os.path.realpath(root_path, strict=True)
        with Folder.open(root_path, listing=True) as root:
            directories = _read_tree(root)
            identity = root.identity()
    except InvalidWheelError:
        raise
    except ValueError as error:  # a NUL byte
        raise InvalidWheelError(f"no unpacked wheel at {root_path!r}: {error}") from error
    except (FileNotFoundError, NotADirectoryError) as error:
        raise InvalidWheelError(
            f"no unpacked wheel at {root_path!r}: {error.strerror} ({error.filename!r}); "
            "give the directory that a wheel was unpacked into"
        ) from error
    except OSError as error:
        where = error.filename if isinstance(error.filename, str) else root_path
        doing = f"read the unpacked wheel {root_path!r} at {where!r}"
        raise LinkError.from_os_error(error, doing, source=where) from error
    _refuse_escaping_links(root_path, directories)
    return Tree.of(root_path, identity, directories)


def _read_tree(root: Folder) -> list[Directory]:
    directories: list[Directory] = []
    pending: list[Parts] = [()]
    with Descent(root, _enter_listing) as descent:
        while pending:
            parts = pending.pop()
            directory, below = _read(descent.go(parts), parts)
            directories.append(directory)
            pending.extend(below)
    number_ends(directories)
    return directories


def _enter_listing(parent: Folder, name: str) -> Folder:
    return parent.enter(name, listing=True)


def _read(folder: Folder, parts: Parts) -> tuple[Directory, list[Parts]]:
    files: list[str] = []
    links: list[tuple[str, str]] = []
    below: list[Parts] = []
    with os.scandir(folder.path if folder.fd is None else folder.fd) as entries:
        for entry in entries:
            if entry.is_file(follow_symlinks=False):
                files.append(entry.name)
            elif entry.is_dir(follow_symlinks=False):
                below.append((*parts, entry.name))
            elif entry.is_symlink():
                target = os.readlink(folder.prefix + entry.name, dir_fd=folder.fd)
                links.append((entry.name, target))
            else:
                raise InvalidWheelError(
                    f"{os.path.join(folder.path, entry.name)!r} is neither a file, a directory nor a symlink: "
                    "a wheel holds no FIFOs, sockets or devices; unpack the wheel again"
                )
    below.sort(reverse=True)  # they are popped from the end
    if not parts:
        below.sort(key=_is_dist_info, reverse=True)
    return Directory(parts, files, links), below


def _is_dist_info(parts: Parts) -> bool:
    return parts[-1].endswith(DIST_INFO)


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


def _refuse_escaping_links(root: str, directories: Sequence[Directory]) -> None:
    links = {
        (*directory.parts, name): target
        for directory in directories
        for name, target in directory.links
    }
    for parts, target in links.items():
        if not _stays_inside(parts, links):
            raise InvalidWheelError(
                f"the symlink {os.path.join(root, *parts)!r} leads out of the wheel, to {target!r}: "
                "only relative symlinks that stay inside are put into an environment"
            )


def _stays_inside(parts: Parts, links: Mapping[Parts, str]) -> bool:
    """Follow a symlink by the names in the wheel alone, as path_resolution(7) would."""
    position: list[str] = []
    ahead = list(reversed(parts))
    hops = 0
    while ahead:
        name = ahead.pop()
        if name == os.pardir:
            if not position:
                return False
            position.pop()
        elif name not in ("", os.curdir):
            position.append(name)
        target = links.get(tuple(position)) if position else None
        if target is None:
            continue
        hops += 1
        if hops > _SYMLINK_HOPS or _is_absolute(target):
            return False
        position.pop()
        ahead.extend(reversed(target.replace(os.sep, "/").split("/")))
    return True


def _is_absolute(target: str) -> bool:
    return os.path.isabs(target) or bool(os.path.splitdrive(target)[0])
