"""What an unpacked wheel says that it is called."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from wheel_linker._wheel.filename import WheelFilename

if TYPE_CHECKING:
    from wheel_linker._wheel.tree import Tree


def own_name(tree: Tree, remedy: str) -> WheelFilename:
    """Return the file name by the ``*.dist-info`` directory and the tags in ``WHEEL``, without these if it has none.

    :param remedy: what to do if there is not one such directory.
    :raises InvalidWheelError: then, or if it does not name a distribution.
    """
    info = tree.dist_info(remedy)
    return WheelFilename.from_dist_info(info, _tags(os.path.join(tree.path, info, "WHEEL")))


def _tags(path: str) -> list[str]:
    """Return the compatibility tags that a ``WHEEL`` file lists; none if it cannot be read."""
    try:
        with open(path, "rb", buffering=0) as file:
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return []  # only str() of the name is poorer for it
    return [line[4:].strip() for line in lines if line.startswith("Tag:")]
