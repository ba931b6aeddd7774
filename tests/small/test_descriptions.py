"""Which descriptions of entries are remembered, and which are forgotten first."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest
from store.archives import claim

from wheel_linker._archive.stored_file import StoredFile
from wheel_linker._fs.folder import Folder
from wheel_linker._fs.timestamps import unsettled_for
from wheel_linker.store._entry import descriptions, manifest
from wheel_linker.store._entry.descriptions import Descriptions
from wheel_linker.store._entry.manifest import Manifest

if TYPE_CHECKING:
    from pathlib import Path

    from wheel_linker.store._entry.manifest import Description


def write(directory: str, name: str) -> str:
    """Write a description of three files in one directory, which counts as four."""
    files = [StoredFile(f"{number}.py", 0, False, claim(b"")) for number in range(3)]
    facts = Manifest("0" * 64, "demo-1.0-py3-none-any.whl", 1, len(files), 0, 0, -1)
    with Folder.open(directory) as folder:
        manifest.write(folder, name, facts, files)
    return os.path.join(directory, name)


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Four descriptions that were written long enough ago to be remembered."""
    directory = os.fspath(tmp_path_factory.mktemp("described"))
    made = [write(directory, name) for name in "abcd"]
    while remaining := max(unsettled_for(os.stat(path)) for path in made):
        time.sleep(remaining)
    return made


def test_are_read_once(paths: list[str]) -> None:
    known = Descriptions()
    first = known.read(paths[0])
    assert first.facts == manifest.read(paths[0])
    assert known.read(paths[0]) is first
    assert known.read(paths[1]) is not first


def test_are_read_again_if_they_are_others(tmp_path: Path) -> None:
    path = write(os.fspath(tmp_path), "a")
    while remaining := unsettled_for(os.stat(path)):
        time.sleep(remaining)
    known = Descriptions()
    first = known.read(path)
    os.utime(path, (1, 1))
    assert known.read(path) is not first


def test_new_ones_are_not_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(descriptions, "unsettled_for", lambda _: 0.01)
    path = write(os.fspath(tmp_path), "a")
    known = Descriptions()
    assert known.read(path) is not known.read(path)


@pytest.mark.parametrize(
    ("most", "forgotten"), [(100, 0), (12, 0), (11, 1), (8, 1), (7, 2), (0, 3)]
)
def test_those_used_longest_ago_are_forgotten(
    paths: list[str], monkeypatch: pytest.MonkeyPatch, most: int, forgotten: int
) -> None:
    monkeypatch.setattr(descriptions, "_MOST", most)
    known = Descriptions()
    for path in paths[:3]:
        known.read(path)
    assert list(known._known) == paths[forgotten:3]
    assert known._size == 4 * (3 - forgotten)


def test_one_that_is_used_again_stays(paths: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(descriptions, "_MOST", 8)
    known = Descriptions()
    for index in (0, 1, 0, 2):
        known.read(paths[index])
    assert list(known._known) == [paths[0], paths[2]]


def test_another_thread_forgets_the_same(paths: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(descriptions, "_MOST", 8)
    known = Descriptions()
    real = descriptions._size

    def size(one: Description) -> int:
        if len(known._known) == 3:
            del known._known[paths[0]]
        return real(one)

    monkeypatch.setattr(descriptions, "_size", size)
    for path in paths[:3]:
        known.read(path)
    assert list(known._known) == paths[1:3]
    assert known._size == 8
