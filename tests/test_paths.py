"""Where paths lie is told by their names, however they are spelt."""

from __future__ import annotations

import os

import pytest

from wheel_linker._fs.paths import is_within

INSIDE = [
    ("/a/b", "/a/b"),
    ("/a/b/c", "/a/b"),
    ("/a//b/c", "/a/b"),
    ("/a/./b", "/a"),
    ("/a/b/", "/a/b"),
    ("/a", "/"),
    ("/a/.b/c", "/a/.b"),
]
OUTSIDE = [("/a/bc", "/a/b"), ("/a", "/a/b"), ("a/b", "/a"), ("/", "/a"), ("/a/.bc", "/a/.b")]


@pytest.mark.parametrize(("path", "directory"), INSIDE)
def test_within(path: str, directory: str) -> None:
    assert is_within(path.replace("/", os.sep), directory.replace("/", os.sep))


@pytest.mark.parametrize(("path", "directory"), OUTSIDE)
def test_not_within(path: str, directory: str) -> None:
    assert not is_within(path.replace("/", os.sep), directory.replace("/", os.sep))
