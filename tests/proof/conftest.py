"""Fixtures of the proof."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from filesystems import LOCAL, FileSystems
from images import Unavailable

from wheel_linker import LinkMode

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def place_for(
    filesystems: FileSystems, on_filesystem: Callable[[str], Path]
) -> Callable[[LinkMode], Path]:
    """Return a function that makes a fresh directory where a mode works, if this machine has such a place."""

    def make(mode: LinkMode) -> Path:
        name = "xfs" if mode is LinkMode.CLONE else "tmpfs"
        try:
            filesystems.directory(name)
        except Unavailable:
            if not filesystems.required:
                name = LOCAL
        return on_filesystem(name)

    return make
