"""Fixtures of the tests of the store."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from store.archives import NAME, write_wheel
from wheel_linker._archive.inflate import available
from wheel_linker.store import WheelStore

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wheel_linker.store import StoredWheel


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Where the store is."""
    return tmp_path / "store"


@pytest.fixture(params=available(), ids=lambda library: library.name)
def inflating(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Inflate with each library that is installed."""
    monkeypatch.setattr("wheel_linker._archive.inflate.LIBRARY", request.param)


@pytest.fixture
def store(root: Path) -> Iterator[WheelStore]:
    """An empty store."""
    with WheelStore(root) as opened:
        yield opened


@pytest.fixture
def wheel_file(tmp_path: Path) -> Path:
    """A right wheel file, old enough for its time stamps to be trusted."""
    return settle(write_wheel(tmp_path / "dist" / NAME))


@pytest.fixture
def stored(store: WheelStore, wheel_file: Path) -> StoredWheel:
    """The same, in the store."""
    return store.add(wheel_file)


def settle(path: Path) -> Path:
    """Wait until one more write would change the file's time stamps."""
    import time

    from wheel_linker._fs.timestamps import unsettled_for

    while remaining := unsettled_for(path.stat()):
        time.sleep(remaining)
    return path


def litter(root: Path) -> list[str]:
    """Return what is in a store that should be there for the moment only."""
    return os.listdir(root / ".store" / "staging")


def entry_names(root: Path) -> set[str]:
    """Return the names of what can be an entry, or half of one."""
    return {name for name in os.listdir(root) if name != ".store"} if root.exists() else set()
