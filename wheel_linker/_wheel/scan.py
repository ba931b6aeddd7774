"""Reading an unpacked wheel: what is in it, and whether it may be put into an environment at all."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from wheel_linker._fs import windows
from wheel_linker._fs.descent import Descent
from wheel_linker._fs.folder import Folder, Parts
from wheel_linker._fs.paths import named_by, real_path
from wheel_linker._wheel.dist_info import only_dist_info
from wheel_linker._wheel.tree import Directory, Tree, is_dist_info, number_ends
from wheel_linker.errors import InvalidWheelError, LinkError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence


def scan(
    path: str | os.PathLike[str],
    *,
    remedy: str | None = None,
    excludes: Callable[[str], bool] | None = None,
) -> Tree:
    """Read the names in an unpacked wheel, without opening a file.

    :param remedy: what to do if it has not one ``*.dist-info`` directory; None if that does not matter.
    :param excludes: what is left out, as for :meth:`Tree.excluding`; its symlinks may lead anywhere.
    :raises InvalidWheelError: if there is no directory at ``path``, it has not the ``*.dist-info`` that it needs, or it
        holds what has no place in an environment: a FIFO, a socket, a device, or a symlink that leads out of the wheel.
    :raises LinkError: if a directory cannot be read.
    """
    with _opened(path) as root:
        tree = Tree.of(root.path, root.identity(), _read_tree(root, remedy))
    if excludes is not None:
        tree = tree.excluding(excludes)
    refuse_escaping_links(tree)
    return tree


def scan_root(path: str | os.PathLike[str], *, remedy: str | None = None) -> Tree:
    """Read the names in the root of an unpacked wheel, and nothing below it.

    The parameters and errors are those of :func:`scan`.

    :returns: a tree of the root and its subdirectories, of which what is in them is left to be read.
    """
    with _opened(path) as root:
        directory, below = read_directory(root, ())
        _require_dist_info(root, below, remedy)
        directories = [directory, *(Directory(parts, [], []) for parts in reversed(below))]
        number_ends(directories)
        return Tree.of(root.path, root.identity(), directories)._replace(is_read=False)


@contextmanager
def _opened(path: str | os.PathLike[str]) -> Iterator[Folder]:
    """Open the root of an unpacked wheel. Errors until it is closed are turned into the library's."""
    root_path = os.fsdecode(path)
    try:
        root_path = real_path(root_path, strict=True)
        with Folder.open(root_path, listing=True) as root:
            yield root
    except InvalidWheelError:
        raise
    except ValueError as error:  # it is empty, or has a NUL byte
        raise InvalidWheelError(f"no unpacked wheel at {root_path!r}: {error}") from error
    except (FileNotFoundError, NotADirectoryError) as error:
        raise InvalidWheelError(
            f"no unpacked wheel at {root_path!r}: {error.strerror} ({named_by(error, root_path)!r}); "
            "give the directory that a wheel was unpacked into"
        ) from error
    except OSError as error:
        if windows.is_no_name(error):
            raise InvalidWheelError(
                f"no unpacked wheel at {root_path!r}: on Windows nothing has such a name; "
                "give the directory that a wheel was unpacked into"
            ) from error
        where = named_by(error, root_path)
        doing = f"read the unpacked wheel {root_path!r} at {where!r}"
        raise LinkError.from_os_error(error, doing, source=where) from error


def _read_tree(root: Folder, remedy: str | None) -> list[Directory]:
    directories: list[Directory] = []
    pending: list[Parts] = [()]
    with Descent(root, Folder.enter_to_list) as descent:
        while pending:
            parts = pending.pop()
            directory, below = read_directory(descent.go(parts), parts)
            directories.append(directory)
            pending.extend(below)
            if not parts:
                # This is checked before the walk, which may be long: the caller may have given a home directory by
                # mistake.
                _require_dist_info(root, below, remedy)
    number_ends(directories)
    return directories


def _require_dist_info(root: Folder, below: Sequence[Parts], remedy: str | None) -> None:
    if remedy is not None:
        names = [parts[-1] for parts in below]
        only_dist_info(names, f"the unpacked wheel {root.path!r}", remedy)


def read_directory(folder: Folder, parts: Parts) -> tuple[Directory, list[Parts]]:
    """Read the names in one directory of a wheel.

    :param folder: the directory, opened to be listed.
    :param parts: the names that lead to it from the wheel's root.
    :returns: the directory, and where its subdirectories are, the first of them last.
    :raises InvalidWheelError: if it holds what has no place in an environment.
    :raises OSError: if it cannot be read.
    """
    files: list[str] = []
    links: list[tuple[str, str]] = []
    below: list[Parts] = []
    with os.scandir(folder.prefix if folder.fd is None else folder.fd) as entries:
        for entry in entries:
            if entry.is_file(follow_symlinks=False):
                files.append(entry.name)
            elif _is_directory(entry):
                below.append((*parts, entry.name))
            elif entry.is_symlink():
                target = os.readlink(folder.prefix + entry.name, dir_fd=folder.fd)
                links.append((entry.name, target))
            else:
                raise InvalidWheelError(
                    f"{os.path.join(folder.path, entry.name)!r} is neither a file, a directory nor a symlink: "
                    "a wheel holds no FIFOs, sockets, devices or junctions; unpack the wheel again"
                )
    below.sort(reverse=True)  # they are popped from the end
    if not parts:
        below.sort(key=is_dist_info, reverse=True)
    return Directory(parts, files, links), below


def _is_directory(entry: os.DirEntry[str]) -> bool:
    if not entry.is_dir(follow_symlinks=False):
        return False
    # On other systems this would cost a system call for each directory.
    return not (windows.WINDOWS and windows.is_junction(entry.stat(follow_symlinks=False)))


def refuse_escaping_links(tree: Tree) -> None:
    """Refuse symlinks that lead out of a wheel.

    :raises InvalidWheelError: if there is one.
    """
    links = {
        (*directory.parts, name): target
        for directory in tree.directories
        for name, target in directory.links
    }
    if not links:
        return
    from wheel_linker._wheel.links import led_to  # few wheels have symlinks

    for parts, target in links.items():
        if led_to(parts, links) is None:
            raise InvalidWheelError(
                f"the symlink {os.path.join(tree.path, *parts)!r} leads out of the wheel, to {target!r}: "
                "only relative symlinks that stay inside are put into an environment"
            )
