"""Fixtures of the comparison with other tools."""

from __future__ import annotations

import importlib
import shutil
from typing import TYPE_CHECKING

import pytest
from images import Unavailable

from real_tools.everything import write_everything
from real_tools.published import published, skip
from real_tools.rounds import Rounds

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from filesystems import FileSystems


@pytest.fixture(scope="session")
def tools(filesystems: FileSystems) -> None:
    """Have pip and uv, which come with the dependency group of the tests."""
    for name in ("pip", "uv"):
        try:
            importlib.import_module(name)
        except ModuleNotFoundError:
            skip(Unavailable(f"{name} is not installed"), required=filesystems.required)


@pytest.fixture(scope="session")
def published_wheels(
    tools: None, filesystems: FileSystems, tmp_path_factory: pytest.TempPathFactory
) -> list[Path]:
    """Wheels as they are published."""
    try:
        return published(tmp_path_factory.mktemp("published"))
    except Unavailable as error:
        skip(error, required=filesystems.required)


@pytest.fixture(scope="session", params=["made", "made, a path with spaces", "published"])
def rounds(
    request: pytest.FixtureRequest, tools: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Rounds]:
    """What becomes of some wheels: the one with everything, at two paths, and of published ones."""
    directory = tmp_path_factory.mktemp("rounds")
    if request.param == "published":
        wheels: list[Path] = request.getfixturevalue("published_wheels")
        name = "environment"
    else:
        wheels = [write_everything(directory)]
        name = "environment" if request.param == "made" else "an environment"
    yield Rounds(directory, wheels, name)
    # A hundred megabytes, which pytest would keep until the next run.
    shutil.rmtree(directory)
