"""Guarantee 5: permission bits arrive, set-id bits do not, and directories are their owner's to write."""

from __future__ import annotations

import errno
import os
import stat
import struct
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from wheels import contents, make_wheel, sample_wheel, snapshot, zip_wheel

from wheel_linker import LinkMode, link_wheel_files
from wheel_linker.backends.macos import MacOSBackend
from wheel_linker.store import WheelStore

if TYPE_CHECKING:
    from collections.abc import Iterator

    from standins import FakeClonefile

MODES = list(LinkMode)
PRIVATE = [LinkMode.COPY, LinkMode.CLONE]
pytestmark = [
    pytest.mark.skipif(os.name != "posix", reason="Windows has no permission bits"),
    pytest.mark.usefixtures("way"),
]


def bits(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(params=[0o000, 0o022, 0o077], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    previous = os.umask(request.param)
    yield request.param
    os.umask(previous)


def current_umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current


def like_an_installer(source: int, umask: int) -> int:
    """Return the bits of a private copy: its owner's as the source has them, and others' as the umask leaves them."""
    owner = source & 0o700 | 0o400 | (0o100 if source & 0o111 else 0)
    return (owner | owner >> 3 | owner >> 6) & ~umask | owner & 0o100


@pytest.mark.parametrize("mode", PRIVATE)
@pytest.mark.parametrize("wanted", [0o400, 0o444, 0o600, 0o644, 0o755, 0o777, 0o511])
def test_each_bit_of_the_owner_arrives(
    place: Path, mode: LinkMode, wanted: int, umask: int
) -> None:
    source = make_wheel(place / "w", {"tool": b"#!/bin/sh\n"})
    (source / "tool").chmod(wanted)
    link_wheel_files(place / "site", source, mode=mode)
    assert bits(place / "site/tool") & 0o700 == wanted & 0o700
    assert bits(place / "site/tool") == like_an_installer(wanted, umask)


@pytest.mark.parametrize("mode", PRIVATE)
@pytest.mark.parametrize("unpacked_under", [0o000, 0o022, 0o077], ids=oct)
def test_files_follow_the_umask_of_the_environment(
    tmp_path: Path, mode: LinkMode, unpacked_under: int, umask: int
) -> None:
    """As those that pip writes, whatever the umask was when the wheel was unpacked."""
    os.umask(unpacked_under)
    source = make_wheel(tmp_path / "w", {"demo/plain.py": b"1", "demo/tool": b"#!/bin/sh\n"})
    (source / "demo/tool").chmod(0o777 & ~unpacked_under)
    os.umask(umask)
    link_wheel_files(tmp_path / "new", source, mode=mode)
    assert bits(tmp_path / "new/demo/plain.py") == 0o666 & ~umask
    assert bits(tmp_path / "new/demo/tool") == 0o777 & ~umask


@pytest.mark.parametrize("mode", PRIVATE)
def test_an_executable_stays_one_whatever_the_umask(tmp_path: Path, mode: LinkMode) -> None:
    source = make_wheel(tmp_path / "w", {"tool": b"#!/bin/sh\n"})
    (source / "tool").chmod(0o711)
    # Only root can enter what such a umask makes of a directory.
    previous = os.umask(0o133 if sys.platform != "win32" and os.geteuid() == 0 else 0o033)
    try:
        link_wheel_files(tmp_path / "new", source, mode=mode)
    finally:
        os.umask(previous)
    assert bits(tmp_path / "new/tool") == 0o744


@pytest.mark.parametrize("mode", PRIVATE)
def test_a_default_acl_is_not_cut_short(place: Path, mode: LinkMode) -> None:
    """A directory that a group shares by one: what it grants arrives, on files and directories."""
    source = make_wheel(place / "w", {"demo/plain.py": b"1", "demo/tool": b"#!/bin/sh\n"})
    (source / "demo/tool").chmod(0o755)
    target = place / "site"
    target.mkdir()
    set_default_acl(target)
    link_wheel_files(target, source, mode=mode)
    assert bits(target / "demo") & 0o770 == 0o770
    assert bits(target / "demo/plain.py") & 0o770 == 0o660
    assert bits(target / "demo/tool") & 0o770 == 0o770


def set_default_acl(directory: Path) -> None:
    """Give the directory the default ACL u::rwx,u:65534:rwx,g::rwx,m::rwx,o::r-x, as acl(5) and posix_acl_xattr.h."""
    if sys.platform != "linux":
        pytest.skip("ACLs are set by an extended attribute of Linux")
    nobody = 0xFFFFFFFF
    entries = [(1, 7, nobody), (2, 7, 65534), (4, 7, nobody), (16, 7, nobody), (32, 5, nobody)]
    value = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)
    try:
        os.setxattr(directory, "system.posix_acl_default", value)
    except OSError as error:
        pytest.skip(f"no ACLs here: {error}")


@pytest.mark.parametrize("mode", PRIVATE)
@pytest.mark.parametrize("number", [errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, 524])
def test_refused_bits_and_times_cost_these_and_not_the_call(
    tmp_path: Path, mode: LinkMode, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on CIFS, 9p, FUSE drivers of object stores, and in some sandboxes."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, "refused here")

    source = make_wheel(tmp_path / "w", {"demo/tool": b"new"})
    (source / "demo/tool").chmod(0o711)
    other = zip_wheel(make_wheel(tmp_path / "o", {"other/tool": b""}, name="other"), tmp_path)
    (tmp_path / "site").mkdir()
    for name in ("chmod", "fchmod", "utime"):
        monkeypatch.setattr(os, name, refuse)
    previous = os.umask(0o111 if sys.platform != "win32" and os.geteuid() == 0 else 0o011)
    try:
        for _ in range(2):
            link_wheel_files(tmp_path / "site", source, mode=mode)
        with WheelStore(tmp_path / "store") as store:
            link_wheel_files(tmp_path / "site", store.add(other), mode=mode)
            store.add(other)
            store.prune(unused_for=0)
    finally:
        os.umask(previous)
    assert (tmp_path / "site/demo/tool").read_bytes() == b"new"
    assert (tmp_path / "site/other/tool").exists()


@pytest.mark.parametrize("mode", MODES)
def test_new_directories_follow_the_umask(
    tmp_path: Path, wheel: Path, umask: int, mode: LinkMode
) -> None:
    """As those of any installer do."""
    link_wheel_files(tmp_path / "new", wheel, mode=mode)
    for path in (tmp_path / "new").rglob("*"):
        if path.is_dir():
            assert bits(path) == 0o777 & ~umask


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("wanted", [0o4755, 0o2755, 0o6711, 0o1755])
def test_set_id_bits_do_not_arrive_in_copies(place: Path, mode: LinkMode, wanted: int) -> None:
    source = make_wheel(place / "w", {"tool": b"#!/bin/sh\n"})
    (source / "tool").chmod(wanted)
    report = link_wheel_files(
        place / "site", source, mode=mode, must_copy=lambda path: path.name == "tool"
    )
    assert report.used.get(LinkMode.COPY, 0) + report.used.get(LinkMode.CLONE, 0) >= 1
    assert bits(place / "site/tool") == like_an_installer(wanted, current_umask())
    assert bits(source / "tool") == wanted


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("directory_bits", [0o555, 0o500, 0o511, 0o2555])
def test_an_ordinary_user_links_a_read_only_wheel(
    nobody: Path, mode: LinkMode, directory_bits: int
) -> None:
    source = sample_wheel(nobody / "cache")
    for path in [source, *source.rglob("*")]:
        path.chmod(directory_bits if path.is_dir() else 0o444)
    before = snapshot(source, directory_times=True)
    target = nobody / "site"
    for _ in range(2):
        link_wheel_files(target, source, mode=mode)
    assert contents(target) == contents(source)
    for path in [target, *target.rglob("*")]:
        if path.is_dir():
            (path / "written").touch()
    assert snapshot(source, directory_times=True) == before


@pytest.mark.parametrize("mode", MODES)
def test_directories_that_are_unreadable_by_mode(place: Path, mode: LinkMode) -> None:
    """As root, who reads them all the same."""
    if sys.platform == "win32" or os.geteuid() != 0:
        pytest.skip("only root reads what is unreadable")
    source = sample_wheel(place / "cache")
    for path in source.rglob("*"):
        if path.is_dir():
            path.chmod(0o000)
    before = snapshot(source, directory_times=True)
    link_wheel_files(place / "site", source, mode=mode)
    for path in (place / "site").rglob("*"):
        if path.is_dir():
            assert bits(path) & 0o700 == 0o700
    assert contents(place / "site") == contents(source)
    assert snapshot(source, directory_times=True) == before


@pytest.mark.parametrize("mode", MODES)
def test_existing_directories_keep_their_bits(tmp_path: Path, wheel: Path, mode: LinkMode) -> None:
    target = tmp_path / "new"
    (target / "demo").mkdir(parents=True)
    target.chmod(0o2775)
    (target / "demo").chmod(0o750)
    link_wheel_files(target, wheel, mode=mode)
    assert (bits(target), bits(target / "demo")) == (0o2775, 0o750)


def test_a_read_only_file_in_the_way_is_replaced(nobody: Path) -> None:
    source = sample_wheel(nobody / "cache")
    target = nobody / "site"
    target.mkdir()
    (target / "single.py").write_bytes(b"old")
    (target / "single.py").chmod(0o400)
    report = link_wheel_files(target, source, mode="copy")
    assert report.replaced == ("single.py",)
    assert contents(target) == contents(source)


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("unpacked_under", [0o022, 0o077], ids=oct)
def test_clones_of_macos_follow_the_umask(
    tmp_path: Path,
    umask: int,
    unpacked_under: int,
    whole: bool,
    fake_clonefile: FakeClonefile,
) -> None:
    """Whole directories, and file by file."""
    os.umask(unpacked_under)
    source = make_wheel(tmp_path / "w", {"demo/plain.py": b"1", "demo/tool": b"#!", "other": b""})
    (source / "demo/tool").chmod(0o777 & ~unpacked_under)
    os.umask(umask)
    backend = MacOSBackend(library=fake_clonefile.library)
    backend.clones_directories = whole
    link_wheel_files(tmp_path / "new", source, mode="clone", backend=backend)
    assert bits(tmp_path / "new/demo") == 0o777 & ~umask
    assert bits(tmp_path / "new/demo/plain.py") == 0o666 & ~umask
    assert bits(tmp_path / "new/demo/tool") == 0o777 & ~umask
