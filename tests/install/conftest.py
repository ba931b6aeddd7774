"""Fixtures for installing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from install.kit import MODES, layout_in, newer_wheel, older_wheel
from wheel_linker import LinkMode

if TYPE_CHECKING:
    from pathlib import Path

    from wheel_linker.install import Layout


@pytest.fixture(params=MODES)
def mode(request: pytest.FixtureRequest) -> LinkMode:
    """Each mode."""
    return LinkMode(request.param)


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """An environment of which nothing is there yet."""
    return layout_in(tmp_path / "env")


@pytest.fixture
def older(tmp_path: Path) -> Path:
    """A wheel with something for every scheme."""
    return older_wheel(tmp_path / "cache")


@pytest.fixture
def newer(tmp_path: Path) -> Path:
    """Its successor."""
    return newer_wheel(tmp_path / "cache")
