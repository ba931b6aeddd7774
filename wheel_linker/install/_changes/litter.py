"""Where killed processes may have left something in an environment."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from wheel_linker.install.layout import roots_of

if TYPE_CHECKING:
    from wheel_linker.install.layout import Layout


def littered(layout: Layout, *, is_resolved: bool = False) -> list[str]:
    """Return the directories in which a killed process may have left private ones.

    Besides those of the layout these are the directories for headers: each distribution has one of its own, which
    is changed, and swept, only with this distribution.

    :param is_resolved: whether the layout has no symlinks any more: to look for them takes as long as the rest.
    """
    roots = roots_of(layout.schemes) if is_resolved else layout.roots()
    return [*_headers(layout.schemes["headers"]), *roots]


def _headers(path: str) -> list[str]:
    try:
        with os.scandir(path) as entries:
            return [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError:  # mostly it is missing; a change that needs it says what is wrong
        return []
