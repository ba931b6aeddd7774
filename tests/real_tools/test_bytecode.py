"""Bytecode that is made while installing has the rows that pip gives it, and goes with the rest, whoever removes it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from real_tools.environment import Environment, pip, run, uv
from real_tools.everything import write_everything
from real_tools.pictures import picture, records, without
from wheel_linker.install import install_wheel, uninstall

if TYPE_CHECKING:
    from collections.abc import Mapping

    from real_tools.pictures import Entry


def bytecode(environment: Environment) -> dict[str, Entry]:
    """Return the rows of bytecode of the one distribution."""
    site = Path(environment.layout.schemes["purelib"])
    (record,) = records(environment.root, site).values()
    assert record.twice == []
    return {path: row for path, row in record.rows.items() if path.endswith(".pyc")}


@pytest.fixture
def wheel(tools: None, tmp_path: Path) -> Path:
    return write_everything(tmp_path)


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    return Environment(tmp_path / "environment")


def files_of(tree: Mapping[str, Entry]) -> list[str]:
    return [path for path, entry in tree.items() if entry.content and not path.endswith("/.lock")]


def test_rows_are_those_of_pip(wheel: Path, environment: Environment, tmp_path: Path) -> None:
    install_wheel(wheel, environment.layout, compile_bytecode=True)
    ours = bytecode(environment)
    other = Environment(tmp_path / "other" / "environment")
    run(*pip(other, "install", "--compile", "--no-deps", "--no-index", "--quiet", wheel))
    assert len(ours) == 7
    assert ours == bytecode(other)


@pytest.mark.parametrize("tool", ["pip", "uv", "uninstall"])
def test_nothing_stays(wheel: Path, environment: Environment, tool: str) -> None:
    before = picture(environment.root)
    install_wheel(wheel, environment.layout, compile_bytecode=True)
    # What only RECORD leads to: its source has gone.
    Path(environment.layout.schemes["purelib"], "every_single.py").unlink()
    if tool == "pip":
        run(*pip(environment, "uninstall", "--yes", "--quiet", "every.thing"))
    elif tool == "uv":
        run(*uv(environment, "uninstall", "every.thing"))
    else:
        uninstall("every.thing", environment.layout)
    assert files_of(without(picture(environment.root), before)) == []


def test_what_pip_compiled_goes_with_an_upgrade(wheel: Path, environment: Environment) -> None:
    before = picture(environment.root)
    run(*pip(environment, "install", "--compile", "--no-deps", "--no-index", "--quiet", wheel))
    install_wheel(wheel, environment.layout)
    assert bytecode(environment) == {}
    assert not [path for path in without(picture(environment.root), before) if ".pyc" in path]
