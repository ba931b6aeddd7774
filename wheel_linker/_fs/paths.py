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


def named_by(error: OSError, otherwise: str) -> str:
    """Return the path that an error of the system names; PyPy has some in bytes, and a descriptor is no path."""
    name: object = error.filename
    if isinstance(name, bytes):
        return os.fsdecode(name)
    return name if isinstance(name, str) else otherwise
