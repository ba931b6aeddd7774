"""What is installed here is what pip and uv install, and each of the three removes what the others did."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from real_tools.everything import write_everything
from real_tools.pictures import EXECUTABLE, differences, is_allowed, shared
from real_tools.published import features
from real_tools.rounds import HERE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from proof.plugin import Figures

    from real_tools.pictures import Entry
    from real_tools.rounds import Rounds

OTHERS: Final = ("pip", "uv")
KINDS: Final = {
    *(f"data/{scheme}" for scheme in ("purelib", "platlib", "headers", "scripts", "data")),
    ".pth",
    "entry_points.txt",
    "executable",
    "licenses",
}
MADE: Final = ("made", "made, a path with spaces")

mode = pytest.mark.parametrize("mode", HERE)
tool = pytest.mark.parametrize("tool", OTHERS)
made = pytest.mark.parametrize("rounds", MADE, indirect=True)
removals = pytest.mark.parametrize(("mode", "tool"), [("hardlink", "pip"), ("symlink", "uv")])


def files_of(tree: Mapping[str, Entry]) -> set[str]:
    """Return what is no directory."""
    return {path for path, entry in tree.items() if entry.content}


def is_uvs(path: str) -> bool:
    """Tell whether it is uv's lock, which stays in the root of an environment."""
    return path.endswith("environment/.lock")


@mode
@tool
def test_trees_are_the_same(rounds: Rounds, mode: str, tool: str) -> None:
    ours, theirs = rounds.installed(mode), rounds.installed(tool)
    assert ours.launchers == theirs.launchers
    assert differences(ours.tree, theirs.tree, tool, ours.launchers) == []


@mode
@tool
def test_records_have_the_same_rows(rounds: Rounds, mode: str, tool: str) -> None:
    ours, theirs = rounds.installed(mode), rounds.installed(tool)
    assert ours.records.keys() == theirs.records.keys()
    found = [
        differences(record.rows, theirs.records[name].rows, tool, ours.launchers)
        for name, record in ours.records.items()
    ]
    assert [one for some in found for one in some] == []


@mode
def test_every_row_of_record_verifies(rounds: Rounds, mode: str, figures: Figures) -> None:
    installed = rounds.installed(mode)
    assert installed.wrong == []
    rows = {path for record in installed.records.values() for path in record.rows}
    assert rows == files_of(installed.tree)
    counted = sum(len(record.rows) for record in installed.records.values())
    figures.add("real tools", wheels=len(rounds.wheels), files=len(rows), rows_verified=counted)


@mode
@tool
def test_tools_say_the_same(rounds: Rounds, mode: str, tool: str) -> None:
    ours, theirs = rounds.installed(mode).answers, rounds.installed(tool).answers
    assert ours.checked == theirs.checked
    assert ours.shown == theirs.shown
    assert ours.frozen == theirs.frozen
    assert ours.metadata == theirs.metadata
    for name, files in ours.files.items():
        assert shared(files, tool) == shared(theirs.files[name], tool)


@mode
def test_tools_know_everything(rounds: Rounds, mode: str) -> None:
    installed = rounds.installed(mode)
    answers = installed.answers
    assert sorted(answers.metadata) == sorted(rounds.names)
    assert [line.partition(" ")[0] for line in answers.frozen.splitlines()] == sorted(rounds.names)
    rows = {frozenset(record.rows) for record in installed.records.values()}
    assert {frozenset(files) for files in answers.shown_files.values()} == rows
    assert {frozenset(files) for files in answers.files.values()} == rows


@mode
@tool
def test_scripts_run(rounds: Rounds, mode: str, tool: str) -> None:
    ours, theirs = rounds.installed(mode), rounds.installed(tool)
    assert all(ours.tree[path].executable for path in ours.launchers)
    assert ours.starts == theirs.starts
    for path, run in ours.answers.ran.items():
        assert run.code is not None
        if not is_allowed(path, EXECUTABLE, tool):
            assert run == theirs.answers.ran[path]


@made
def test_scripts_do_what_they_should(rounds: Rounds) -> None:
    ran = {
        path.rpartition("/")[2]: run for path, run in rounds.installed(HERE[0]).answers.ran.items()
    }
    assert ran == {
        "every-main": (3, "every one two\n"),
        "every-extra": (0, "deep\n"),
        "every-window": (3, "every three\n"),
        "every-python": (0, "main\n"),
        "every-flags": (0, "main\n"),
        "every-shell": (0, "shell\n"),
    }


@removals
def test_others_remove_what_is_installed_here(rounds: Rounds, mode: str, tool: str) -> None:
    left = rounds.left(mode, tool)
    assert [path for path in files_of(left.tree) if not is_uvs(path)] == []
    assert left.lost == {}
    assert left.damage == []


@made
@removals
def test_others_leave_what_they_leave_of_their_own(rounds: Rounds, mode: str, tool: str) -> None:
    # Both leave some directories when they are empty.
    assert rounds.left(mode, tool).tree == rounds.left(tool, tool).tree


@tool
def test_uninstall_removes_what_others_install(rounds: Rounds, tool: str) -> None:
    left = rounds.left(tool, "uninstall")
    assert [path for path in left.tree if not is_uvs(path)] == []
    assert left.lost == {}


@made
@mode
def test_uninstall_removes_what_is_installed_here(rounds: Rounds, mode: str) -> None:
    left = rounds.left(mode, "uninstall")
    assert (left.tree, left.lost, left.damage) == ({}, {}, [])


def test_wheels_have_every_kind_of_file(published_wheels: list[Path], tmp_path: Path) -> None:
    assert features([*published_wheels, write_everything(tmp_path)]) >= KINDS
