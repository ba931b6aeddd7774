"""What several of the small tests of stores begin with."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from wheel_linker.store.layout import Layout
from wheel_linker.store.session import Session

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    """The session of an empty store."""
    made = Session(Layout(os.fspath(tmp_path / "store")))
    made.open()
    yield made
    made.close()
