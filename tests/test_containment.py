"""Guarantee 6: nothing outside the wheel is read, nothing outside ``site-packages`` is written."""

from __future__ import annotations

import os
import socket
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from wheels import contents, make_wheel, snapshot, write_tree

from wheel_linker import InvalidWheelError, LinkError, LinkMode, link_wheel_files, link_wheels

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MODES = list(LinkMode)
FILES = {"demo/__init__.py": b"", "demo/sub/module.py": b"inside", "single.py": b""}
pytestmark = [
    pytest.mark.skipif(os.name != "posix", reason="symlinks and special files of POSIX systems"),
    pytest.mark.usefixtures("way"),
]


def refused(source: Path, *, mode: LinkMode = LinkMode.COPY) -> InvalidWheelError:
    """Link ``source`` into a new directory, which must fail before anything is touched."""
    before = snapshot(source.parent, directory_times=True)
    with pytest.raises(InvalidWheelError) as caught:
        link_wheel_files(source.parent / "new" / "site", source, mode=mode)
    with pytest.raises(InvalidWheelError):
        link_wheels(source.parent / "new" / "site", [source], mode=mode)
    assert snapshot(source.parent, directory_times=True) == before
    return caught.value


def fifo(path: Path) -> None:
    if sys.platform == "win32":
        pytest.skip("is about POSIX systems")
    os.mkfifo(path)


def unix_socket(path: Path) -> None:
    if sys.platform == "win32":
        pytest.skip("is about POSIX systems")
    with socket.socket(socket.AF_UNIX) as server:
        os.chdir(path.parent)  # such addresses are short
        server.bind(path.name)


def device(path: Path) -> None:
    if sys.platform == "win32":
        pytest.skip("is about POSIX systems")
    try:
        os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 3))
    except PermissionError:
        pytest.skip("making a device needs root")


@pytest.mark.parametrize("make", [fifo, unix_socket, device])
@pytest.mark.parametrize("where", ["", "demo/sub", "demo-1.0.dist-info"])
@pytest.mark.parametrize("mode", MODES)
def test_special_files_are_refused(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    make: Callable[[Path], None],
    where: str,
    mode: LinkMode,
) -> None:
    source = make_wheel(tmp_path / "w", FILES)
    monkeypatch.chdir(tmp_path)
    make(source / where / "special")
    assert os.path.join(where, "special") in str(refused(source, mode=mode))


@pytest.mark.parametrize(
    "links",
    [
        {"demo/x": "/etc/passwd"},
        {"demo/x": "/"},
        {"x": ".."},
        {"x": "../other"},
        {"demo/x": "../../other"},
        {"demo/x": "sub/../../../other"},
        {"demo/x": "./.././/../other"},
        {"demo/x": "sub/link", "demo/sub/link": "../../../other"},
        # Harmless by their words alone: the first goes up two levels once the second is followed.
        {"demo/x": "up/../other", "demo/up": ".."},
        {"demo/x": "up/../../demo/sub/module.py", "demo/up": "."},
        {"demo/x": "up/w/single.py", "demo/up": "../.."},
        {"demo/dangling": "../../nowhere"},
        {"demo/x": "missing/../../../other"},
    ],
    ids=str,
)
@pytest.mark.parametrize("mode", MODES)
def test_symlinks_that_leave_the_wheel_are_refused(
    tmp_path: Path, links: Mapping[str, str], mode: LinkMode
) -> None:
    write_tree(tmp_path / "other", {"secret": b"secret"})
    source = make_wheel(tmp_path / "w", FILES, links=links)
    assert any(path in str(refused(source, mode=mode)) for path in links)


@pytest.mark.parametrize("mode", MODES)
def test_the_absolute_path_of_the_wheel_itself_is_refused(tmp_path: Path, mode: LinkMode) -> None:
    """It stays inside today, but the wheel will not stay where it is."""
    source = make_wheel(tmp_path / "w", FILES, links={"x": os.fspath(tmp_path / "w" / "single.py")})
    refused(source, mode=mode)


@pytest.mark.parametrize(
    "links",
    [
        {"demo/x": "sub/module.py"},
        {"demo/x": "../single.py"},
        {"demo/x": "sub/../sub/module.py"},
        {"demo/x": "y", "demo/y": "sub/module.py"},
        {"demo/x": "sub", "demo/y": "x/module.py"},
        {"demo/dangling": "not/there"},
        {"demo/sub/back": "../sub/module.py"},
        {"lib64": "lib", "lib/one": "two", "lib/two": "../single.py"},
    ],
    ids=str,
)
@pytest.mark.parametrize("mode", MODES)
def test_symlinks_that_stay_inside_are_recreated_as_they_are(
    tmp_path: Path, site: Path, links: Mapping[str, str], mode: LinkMode
) -> None:
    source = make_wheel(tmp_path / "w", FILES, links=links)
    for _ in range(2):
        link_wheel_files(site, source, mode=mode)
    assert {path: os.readlink(site / path) for path in links} == dict(links)


class TestDestination:
    @pytest.fixture
    def outside(self, tmp_path: Path) -> Path:
        return write_tree(
            tmp_path / "outside", {"module.py": b"precious", "__init__.py": b"precious"}
        )

    @pytest.mark.parametrize("where", ["demo", "demo/sub", "demo-1.0.dist-info"])
    @pytest.mark.parametrize("relative", [False, True])
    @pytest.mark.parametrize("mode", MODES)
    def test_a_directory_that_leads_outside_is_refused(
        self, tmp_path: Path, site: Path, outside: Path, where: str, relative: bool, mode: LinkMode
    ) -> None:
        (site / where).parent.mkdir(exist_ok=True)
        target = os.path.relpath(outside, (site / where).parent) if relative else outside
        (site / where).symlink_to(target)
        before = snapshot(tmp_path)
        source = make_wheel(tmp_path / "w", FILES)
        with pytest.raises(LinkError, match=where):
            link_wheel_files(site, source, mode=mode)
        del before["."]
        after = snapshot(tmp_path)
        assert {path: entry for path, entry in after.items() if path in before} == before
        assert not [
            path
            for path in after
            if path.startswith(("site-packages", "outside")) and path not in before
        ]

    def test_a_bytecode_directory_that_leads_outside_is_not_emptied(
        self, tmp_path: Path, site: Path, outside: Path
    ) -> None:
        cached = write_tree(outside, {"single.cpython-311.pyc": b"precious"})
        write_tree(site, {"single.py": b"old"})
        (site / "__pycache__").symlink_to(cached)
        before = contents(outside)
        try:
            link_wheel_files(site, make_wheel(tmp_path / "w", FILES))
        except LinkError:
            assert (site / "single.py").read_bytes() == b"old"
        assert contents(outside) == before

    def test_a_symlink_to_elsewhere_in_site_packages_is_no_way_out(
        self, tmp_path: Path, site: Path, outside: Path
    ) -> None:
        """Inside, then outside: the second step counts."""
        (site / "demo").symlink_to("inner")
        (site / "inner").symlink_to(outside)
        with pytest.raises(LinkError):
            link_wheel_files(site, make_wheel(tmp_path / "w", FILES))
        assert contents(outside) == {"module.py": b"precious", "__init__.py": b"precious"}

    @pytest.mark.parametrize("target", ["real", "deep/real", "other"])
    @pytest.mark.parametrize("mode", MODES)
    def test_a_symlink_that_stays_in_site_packages_is_followed(
        self, tmp_path: Path, site: Path, mode: LinkMode, target: str
    ) -> None:
        (site / "deep/real").mkdir(parents=True)
        (site / "real").symlink_to("deep/real")
        (site / "other").symlink_to(site / "real")
        (site / "demo").symlink_to(target)
        source = make_wheel(tmp_path / "w", FILES)
        for _ in range(2):
            link_wheel_files(site, source, mode=mode)
        assert (site / "demo").is_symlink()
        assert (site / "deep/real/sub/module.py").read_bytes() == b"inside"

    @pytest.mark.parametrize("mode", MODES)
    def test_nothing_is_written_into_a_wheel_that_lies_in_site_packages(
        self, site: Path, mode: LinkMode
    ) -> None:
        source = make_wheel(site / "cache" / "w", FILES)
        (site / "demo").symlink_to("cache/w/demo")
        other = make_wheel(site / "cache" / "other", {"demo/new.py": b""}, name="other")
        before = snapshot(site)
        with pytest.raises(LinkError, match=r"demo"):
            link_wheels(site, [other, source], mode=mode)
        assert snapshot(site) == before
        (site / "demo").unlink()
        link_wheels(site, [other, source], mode=mode)
        assert (site / "demo/sub/module.py").read_bytes() == b"inside"

    @pytest.mark.parametrize("mode", MODES)
    def test_site_packages_may_be_a_symlink_itself(
        self, tmp_path: Path, site: Path, mode: LinkMode
    ) -> None:
        (tmp_path / "alias").symlink_to(site)
        source = make_wheel(tmp_path / "w", FILES)
        link_wheel_files(tmp_path / "alias", source, mode=mode)
        assert contents(site) == contents(source)
        assert (tmp_path / "alias").is_symlink()

    def test_a_file_symlink_that_leads_outside_is_replaced(
        self, tmp_path: Path, site: Path, outside: Path
    ) -> None:
        (site / "single.py").symlink_to(outside / "module.py")
        report = link_wheel_files(site, make_wheel(tmp_path / "w", FILES), mode="copy")
        assert report.replaced == ("single.py",)
        assert not (site / "single.py").is_symlink()
        assert (outside / "module.py").read_bytes() == b"precious"

    def test_failing_puts_the_symlink_back(self, tmp_path: Path, site: Path, outside: Path) -> None:
        (site / "single.py").symlink_to(outside / "module.py")
        write_tree(site, {"demo-1.0.dist-info/RECORD/x": b""})
        before = snapshot(tmp_path / "site-packages")
        with pytest.raises(LinkError):
            link_wheel_files(site, make_wheel(tmp_path / "w", FILES), mode="copy")
        assert snapshot(tmp_path / "site-packages") == before


@pytest.mark.skipif(sys.platform == "win32", reason="Windows forbids such names itself")
@pytest.mark.parametrize("name", ["...", "..x", "a..", "C:", "a\\b", " ", "-rf", "a\nb", "~"])
def test_odd_names_stay_where_they_are(tmp_path: Path, site: Path, name: str) -> None:
    source = make_wheel(tmp_path / "w", {f"demo/{name}/{name}": b"x"})
    link_wheel_files(site, source)
    assert contents(site) == contents(source)


def test_a_backslash_in_a_symlink_is_an_ordinary_character(tmp_path: Path, site: Path) -> None:
    source = make_wheel(tmp_path / "w", FILES, links={"demo/x": "..\\..\\other"})
    link_wheel_files(site, source)
    assert os.readlink(site / "demo/x") == "..\\..\\other"
