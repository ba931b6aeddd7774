"""Where paths lie in relation to each other."""

from __future__ import annotations

import os


def is_within(path: str, directory: str) -> bool:
    """Tell whether an absolute path is a directory itself or somewhere below it, by its names alone."""
    path, directory = os.path.normcase(path), os.path.normcase(directory)
    try:
        return os.path.commonpath((path, directory)) == directory
    except ValueError:  # different drives
        return False
