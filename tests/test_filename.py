"""Wheel file names."""

from __future__ import annotations

import copy
import os
import pickle
from pathlib import Path

import pytest
from packaging.utils import parse_wheel_filename
from packaging.version import Version
from wheels import make_wheel

from wheel_linker import (
    InvalidWheelError,
    UnpackedWheel,
    WheelFilename,
    WheelLinkerError,
    link_wheel_files,
    link_wheels,
)

FULL = "Foo_Bar.baz-1.0rc1-3_build-py2.py3-none-any.whl"


def test_a_file_name_is_parsed_and_given_back() -> None:
    filename = WheelFilename.parse(FULL)
    assert filename.name == "foo-bar-baz"
    assert filename.version == Version("1.0rc1")
    assert str(filename) == FULL


@pytest.mark.parametrize(
    "text",
    [
        "",
        "foo",
        "foo-1.0",
        "foo-1.0.tar.gz",
        "foo-1.0-py3-none.whl",
        "foo-1.0-py3-none-any.zip",
        "foo-one-py3-none-any.whl",
        "foo__bar-1.0-py3-none-any.whl",
        "foo-1.0-x-py3-none-any.whl",
        "foo-1.0-1-py3-none-any-extra.whl",
        "../foo-1.0-py3-none-any.whl",
        "foo-1.0-py3-none-any.whl\n",
        "foo-1.0-py3-none-a\x1b[31mny.whl",
        "foo-1.0-py3-none-any\u202e.whl",
        "foo-1.0\u2028-py3-none-any.whl",
    ],
)
def test_a_malformed_file_name_is_an_invalid_wheel(text: str) -> None:
    with pytest.raises(InvalidWheelError) as caught:
        WheelFilename.parse(text)
    assert isinstance(caught.value, (WheelLinkerError, ValueError))
    assert repr(text) in str(caught.value) or text in str(caught.value)


def test_equal_names_are_equal_hashable_and_pickle() -> None:
    one, two = WheelFilename.parse(FULL), WheelFilename.parse(FULL)
    assert one == two
    assert len({one, two, pickle.loads(pickle.dumps(one)), copy.deepcopy(one)}) == 1
    assert one != WheelFilename.parse("foo-1.0-py3-none-any.whl")
    assert one != FULL


def test_the_name_is_taken_from_the_dist_info(site: Path, tmp_path: Path) -> None:
    source = make_wheel(tmp_path / "w", {"x.py": b""}, name="Foo_Bar", version="2.1")
    report = link_wheel_files(site, source)
    assert (report.wheel.name, report.wheel.version) == ("foo-bar", Version("2.1"))


@pytest.mark.parametrize("filename", ["other-3.0-py3-none-any.whl", None])
def test_a_given_name_goes_first(site: Path, tmp_path: Path, filename: str | None) -> None:
    source = make_wheel(tmp_path / "w", {"x.py": b""})
    expected = "other" if filename else "demo"
    assert link_wheel_files(site, source, filename=filename).wheel.name == expected
    if filename:
        parsed = WheelFilename.parse(filename)
        assert link_wheel_files(site, source, filename=parsed).wheel == parsed
        assert link_wheel_files(site, UnpackedWheel(source, parsed)).wheel == parsed
        (report,) = link_wheels(site, [UnpackedWheel(source, parsed)])
        assert report.wheel == parsed


def test_a_given_name_does_without_dist_info(site: Path, tmp_path: Path) -> None:
    (tmp_path / "w").mkdir()
    (tmp_path / "w/x.py").touch()
    report = link_wheel_files(site, tmp_path / "w", filename=FULL)
    assert str(report.wheel) == FULL
    assert os.listdir(site) == ["x.py"]


@pytest.mark.parametrize("found", [0, 2])
def test_without_one_dist_info_a_name_is_needed(tmp_path: Path, found: int) -> None:
    source = tmp_path / "w"
    source.mkdir()
    for number in range(found):
        (source / f"demo-{number}.dist-info").mkdir()
        (source / f"demo-{number}.dist-info" / "METADATA").touch()
    with pytest.raises(InvalidWheelError, match=r"dist-info"):
        link_wheel_files(tmp_path / "new", source)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("directory", ["demo.dist-info", "-1.0.dist-info", "demo-x.dist-info"])
def test_a_dist_info_without_name_and_version_is_refused(tmp_path: Path, directory: str) -> None:
    (tmp_path / "w" / directory).mkdir(parents=True)
    with pytest.raises(InvalidWheelError, match=r"dist-info"):
        link_wheel_files(tmp_path / "new", tmp_path / "w")
    assert not (tmp_path / "new").exists()


def test_a_malformed_given_name_changes_nothing(tmp_path: Path, wheel: Path) -> None:
    with pytest.raises(InvalidWheelError):
        link_wheel_files(tmp_path / "new", wheel, filename="nonsense")
    with pytest.raises(InvalidWheelError):
        link_wheels(tmp_path / "new", [wheel, UnpackedWheel(wheel, "nonsense")])
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    "version", ["1.0", "0.10", "2026.10.20", "1.0rc1", "01.0", "1!2.0", "1.0+a"]
)
def test_versions_are_compared_however_they_are_written(version: str) -> None:
    filename = WheelFilename.from_dist_info(f"demo-{version}.dist-info")
    assert filename.version_text == str(Version(version))
    assert filename.has_version(version)
    assert filename.has_version(f"{version}.0" if version.replace(".", "").isdigit() else version)
    assert not filename.has_version("7")
    assert not filename.has_version("no version")
    assert filename.version == Version(version)
    again = pickle.loads(pickle.dumps(WheelFilename.known(f"demo-{version}-py3-none-any.whl")))
    assert again.is_release_of(filename)
    assert not again.is_release_of(WheelFilename.from_dist_info(f"other-{version}.dist-info"))


@pytest.mark.parametrize(
    "text",
    [
        "one-1.0-py3-none-any.whl",
        "one-1.0-py2.py3-none-any.whl",
        "one-1.0-2-cp311-abi3-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
        "one-1.0-CP311-cp311-Win_AMD64.whl",
    ],
)
def test_tags_are_those_of_the_file_name(text: str) -> None:
    found = WheelFilename.parse(text).tags()
    assert len(found) == len(set(found))
    assert set(found) == {str(tag) for tag in parse_wheel_filename(text)[3]}


def test_without_tags_there_are_none() -> None:
    assert WheelFilename.from_dist_info("one-1.0.dist-info").tags() == []
