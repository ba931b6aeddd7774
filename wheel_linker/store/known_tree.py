"""What is in an entry, as its manifest has it: quicker than reading its directories."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wheel_linker.folder import Folder
from wheel_linker.scan import Directory, Tree, in_order
from wheel_linker.store import manifest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wheel_linker.folder import Parts


def known_tree(root: str, manifest_path: str) -> Tree | None:
    """Return the tree that was unpacked and verified; None if that is not known any more.

    A file that was removed since is an error when it is linked, and one that was added is not linked.

    :param root: the root of the unpacked wheel, symlinks resolved.
    """
    try:
        paths = manifest.read_paths(manifest_path)
        with Folder.open(root) as folder:
            identity = folder.identity()
    except (OSError, manifest.BrokenManifestError):
        return None  # whoever reads the directories will say what is wrong
    files = _by_directory(paths)
    directories = in_order(Directory(parts, names, []) for parts, names in files.items())
    return Tree.of(root, identity, directories)


def _by_directory(paths: Iterable[str]) -> dict[Parts, list[str]]:
    """Return the names of the files in each directory, those without files among them."""
    names: list[str] = []
    by_path = {"": names}
    last = ""
    for path in paths:
        parent, _, name = path.rpartition("/")
        if parent != last:  # seldom: files of one directory come together
            names = by_path.setdefault(parent, [])
            last = parent
        names.append(name)
    files = {tuple(parent.split("/")) if parent else (): names for parent, names in by_path.items()}
    for parts in list(files):
        above = parts[:-1]
        while above not in files:
            files[above] = []
            above = above[:-1]
    return files
