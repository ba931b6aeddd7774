"""What is in an entry, as its manifest has it: quicker than reading its directories."""

from __future__ import annotations

from wheel_linker._fs.folder import Folder
from wheel_linker._wheel.tree import Tree
from wheel_linker.store import manifest


def known_tree(root: str, manifest_path: str) -> Tree | None:
    """Return the tree that was unpacked and verified; None if that is not known any more.

    A file that was removed since is an error when it is linked, and one that was added is not linked.

    :param root: the root of the unpacked wheel, symlinks resolved.
    """
    try:
        directories = manifest.read_directories(manifest_path)
        with Folder.open(root) as folder:
            return Tree.of(root, folder.identity(), directories)
    except (OSError, manifest.BrokenManifestError):
        return None  # whoever reads the directories will say what is wrong
