"""Where killed processes may have left something in an environment."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wheel_linker.install.layout import Layout


def littered(layout: Layout) -> list[str]:
    """Return the directories in which a killed process may have left private ones.

    Besides those of the layout these are the directories for headers: each distribution has one of its own, which
    is changed, and swept, only with this distribution.
    """
    return [*_headers(layout.schemes["headers"]), *layout.roots()]


def _headers(path: str) -> list[str]:
    try:
        with os.scandir(path) as entries:
            return [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError:  # missing, most often; a change that needs it says what is wrong
        return []
