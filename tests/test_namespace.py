"""Guarantee 8: namespace packages merge; a file in the way of a directory is an error, and the reverse."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from wheels import contents, make_wheel, snapshot, write_tree

from wheel_linker import LinkError, LinkMode, link_wheel_files, link_wheels

if TYPE_CHECKING:
    from collections.abc import Mapping

MODES = list(LinkMode)
pytestmark = pytest.mark.usefixtures("way")


@pytest.fixture
def parts(place: Path) -> list[Path]:
    """Three wheels with parts of one namespace package; the first two nest it deeper."""
    files: list[Mapping[str, bytes]] = [
        {"space/inner/one.py": b"1", "space/inner/deep/a/x.py": b"1"},
        {"space/inner/two.py": b"2", "space/inner/deep/b/x.py": b"2"},
        {"space/three.py": b"3"},
    ]
    return [
        make_wheel(place / "cache" / f"part{number}", each, name=f"part{number}")
        for number, each in enumerate(files)
    ]


def union(sources: list[Path]) -> dict[str, bytes | None]:
    merged: dict[str, bytes | None] = {}
    for source in sources:
        merged.update(contents(source))
    return merged


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("together", [True, False])
def test_parts_of_a_namespace_merge(
    place: Path, parts: list[Path], mode: LinkMode, together: bool
) -> None:
    target = place / "site"
    if together:
        link_wheels(target, parts, mode=mode)
    else:
        for part in reversed(parts):
            link_wheel_files(target, part, mode=mode)
    assert contents(target) == union(parts)


@pytest.mark.parametrize("mode", MODES)
def test_what_was_there_stays(place: Path, parts: list[Path], mode: LinkMode) -> None:
    mine = {"space/inner/mine.py": b"mine", "space/inner/deep/a/mine.py": b"mine"}
    target = write_tree(place / "site", mine)
    reports = link_wheels(target, parts, mode=mode)
    assert contents(target) == {**union(parts), **mine}
    assert [report.replaced for report in reports] == [(), (), ()]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("empty", [True, False])
def test_a_directory_in_the_way_of_a_file(place: Path, mode: LinkMode, empty: bool) -> None:
    source = make_wheel(place / "w", {"a/b/c": b"file"})
    target = place / "site"
    (target / "a/b/c").mkdir(parents=True)
    if not empty:
        write_tree(target, {"a/b/c/d": b""})
    check_refusal(source, target, mode)


@pytest.mark.parametrize("mode", MODES)
def test_a_file_in_the_way_of_a_directory(place: Path, mode: LinkMode) -> None:
    source = make_wheel(place / "w", {"a/b/c/d": b"file"})
    target = write_tree(place / "site", {"a/b/c": b"file"})
    check_refusal(source, target, mode)


@pytest.mark.skipif(os.name != "posix", reason="needs symlinks")
@pytest.mark.parametrize("mode", MODES)
def test_a_dangling_symlink_in_the_way_of_a_directory(place: Path, mode: LinkMode) -> None:
    source = make_wheel(place / "w", {"a/b/c/d": b"file"})
    target = write_tree(place / "site", {"a/b/x": b""})
    (target / "a/b/c").symlink_to("nowhere")
    check_refusal(source, target, mode)


@pytest.mark.skipif(os.name != "posix", reason="needs symlinks")
@pytest.mark.parametrize("mode", MODES)
def test_a_directory_in_the_way_of_a_symlink(place: Path, mode: LinkMode) -> None:
    source = make_wheel(place / "w", {"a/b/x": b""}, links={"a/b/c": "x"})
    target = write_tree(place / "site", {"a/b/c/d": b""})
    check_refusal(source, target, mode)


def check_refusal(source: Path, target: Path, mode: LinkMode) -> None:
    """The two entries are ``a/b/c``."""
    before, original = snapshot(target), snapshot(source, directory_times=True)
    with pytest.raises(LinkError) as caught:
        link_wheel_files(target, source, mode=mode)
    text = str(caught.value)
    both = [os.path.join(os.path.realpath(tree), "a", "b", "c") for tree in (source, target)]
    assert all(path in text for path in both)
    assert (caught.value.source, caught.value.destination) == tuple(both)
    assert snapshot(target) == before
    assert snapshot(source, directory_times=True) == original


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("mode", MODES)
def test_two_wheels_in_each_others_way(place: Path, mode: LinkMode, order: int) -> None:
    sources = [
        make_wheel(place / "one", {"thing": b"file"}, name="one"),
        make_wheel(place / "two", {"thing/x": b"file"}, name="two"),
    ]
    target = write_tree(place / "site", {"mine": b""})
    with pytest.raises(LinkError):
        link_wheels(target, sources[::order], mode=mode)
    assert contents(target) == {"mine": b""}
