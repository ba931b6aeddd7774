"""Fixtures of the proof."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from filesystems import LOCAL, FileSystems
from images import Unavailable

from proof.faults import Spoiler
from proof.scene import Scene, steps_for
from wheel_linker import LinkMode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
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


@pytest.fixture
def spoiler(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> Spoiler:
    """What spoils calls; in place after the scene of the test's module has been set."""
    return Spoiler(monkeypatch)


@pytest.fixture
def steps(request: pytest.FixtureRequest, is_long: bool) -> Iterator[int]:
    """The numbers of the calls to spoil, without end: some, as the test's module says, or all."""
    return steps_for(request.node.name, 1 if is_long else request.module.STRIDE)
