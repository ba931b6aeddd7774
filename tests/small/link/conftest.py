"""A destination, with a stage in it and what notes each step."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from wheel_linker._fs.folder import Folder
from wheel_linker._fs.stage import Stage, staged
from wheel_linker._link.transaction import Transaction

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def folder(site: Path) -> Iterator[Folder]:
    """The destination, open."""
    with Folder.open(os.path.realpath(site)) as folder:
        yield folder


@pytest.fixture
def stage(folder: Folder) -> Iterator[Stage]:
    """The stage in it."""
    with staged(folder) as stage:
        yield stage


@pytest.fixture
def in_stage(stage: Stage) -> Path:
    """Where the stage is, for what is looked at by path."""
    return Path(stage.folder.path)


@pytest.fixture
def transaction(folder: Folder, stage: Stage) -> Transaction:
    """What is done to the destination."""
    return Transaction(folder, stage, folder.stat().st_mtime_ns)
