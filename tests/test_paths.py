"""Where paths lie is told by their names, however they are spelt; and how long they may be."""

from __future__ import annotations

import ntpath
import os

import pytest

from wheel_linker._fs import windows
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


class _WindowsNames:
    """The module ``os`` as far as it names paths, on Windows."""

    name = "nt"
    path = ntpath


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("C:\\a\\b", "\\\\?\\C:\\a\\b"),
        ("C:/a/./x/../b", "\\\\?\\C:\\a\\b"),
        ("\\\\server\\share\\a", "\\\\?\\UNC\\server\\share\\a"),
        ("\\\\?\\C:\\a", "\\\\?\\C:\\a"),
        ("\\\\.\\nul", "\\\\.\\nul"),
    ],
)
def test_on_windows_a_path_may_have_any_length(
    path: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is staged has a longer path than what is installed."""
    monkeypatch.setattr(windows, "os", _WindowsNames)
    assert windows.extended(path) == expected


@pytest.mark.skipif(os.name == "nt", reason="is about other systems")
def test_elsewhere_a_path_stays_as_it_is() -> None:
    assert windows.extended("a/../b") == "a/../b"
