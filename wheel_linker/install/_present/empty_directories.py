"""Which directories an uninstall leaves, though they are empty once the files have gone."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from wheel_linker._fs.paths import is_within

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from wheel_linker.install.layout import Layout


def kept_directories(layout: Layout, roots: Sequence[str]) -> Callable[[str], bool]:
    """Return a function that tells by the path of a directory whether it stays when it is empty.

    The environment's own directories stay, and those that lead to them.
    """
    data, headers = (os.path.realpath(layout.schemes[scheme]) for scheme in ("data", "headers"))

    def is_kept(path: str) -> bool:
        # The topmost directory that leads to the headers, such as ``include``, comes with the environment.
        if os.path.dirname(path) == data and path != headers and is_within(headers, path):
            return True
        return any(is_within(root, path) for root in roots)

    return is_kept
