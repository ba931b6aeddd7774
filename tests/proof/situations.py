"""Pairs of places between which linking is unlike on the four file systems of the other tests."""

from __future__ import annotations

import errno
import os
import shutil
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import pytest
from images import Unavailable, run
from wheels import make_wheel

from proof.kit import package_files
from wheel_linker import LinkMode

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from filesystems import FileSystems

LIMITED: Final = "demo/m0.py"
"""The file that has as many links as it can have, where that is the situation."""

_UNPRIVILEGED: Final = 65534
_TOO_MANY: Final = 70_000


class Place(NamedTuple):
    """Where to link from and to."""

    wheel: Path
    """The root of an unpacked wheel."""
    writable: Path
    """A directory where destinations can be prepared."""
    seen: Path | None = None
    """The same directory as the library is to see it, if it is to see it otherwise."""
    user: int | None = None
    """Who links; by default the tests' own user."""


class Maker:
    """Makes the places of one situation, and takes away what it has mounted."""

    def __init__(self, filesystems: FileSystems) -> None:
        self._filesystems = filesystems
        self._kept = ExitStack()

    def __enter__(self) -> Maker:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._kept.close()

    def directory(self, name: str) -> Path:
        """Return a fresh directory on a file system."""
        parent = self._filesystems.directory(name)
        made = tempfile.TemporaryDirectory(dir=parent, ignore_cleanup_errors=True)
        return Path(self._kept.enter_context(made))

    def mounted(self, point: Path, *arguments: str) -> Path:
        """Mount something at a directory or file that is there."""
        return self._kept.enter_context(self._filesystems.mounted(point, *arguments))

    def tmpfs(self, options: str) -> Path:
        """Return a tmpfs of its own."""
        return self.mounted(self.directory("tmpfs"), "-t", "tmpfs", "-o", options, "tmpfs")

    def squashed(self, tree: Path) -> Path:
        """Return a read-only squashfs with what is in ``tree``."""
        scratch = self.directory("tmpfs")
        image = scratch / "image"
        run("mksquashfs", str(tree), str(image), "-quiet", "-no-progress")
        return self.mounted(self.directory("tmpfs"), "-t", "squashfs", "-o", "loop", str(image))

    def overlay(self, layers: Path) -> Path:
        """Return what an overlay makes of ``lower`` in that directory."""
        for name in ("upper", "work", "merged"):
            (layers / name).mkdir()
        options = f"lowerdir={layers}/lower,upperdir={layers}/upper,workdir={layers}/work"
        return self.mounted(layers / "merged", "-t", "overlay", "-o", options, "overlay")


class Situation(NamedTuple):
    """A pair of places, and what is refused between them."""

    name: str
    make: Callable[[Maker], Place]
    refused: Mapping[LinkMode, int]
    """The modes that do not work, and why."""
    refused_once: Mapping[LinkMode, int] = {}
    """Those that do not work for one of the files."""


def plain_wheel(root: Path) -> Path:
    """Write a wheel of a few dozen files, without symlinks, which some file systems do not have."""
    return make_wheel(root / "wheel", package_files(1))


def within(name: str) -> Callable[[Maker], Place]:
    """Have both on one file system."""

    def make(maker: Maker) -> Place:
        directory = maker.directory(name)
        return Place(plain_wheel(directory), directory)

    return make


def _between(source: str, destination: str) -> Callable[[Maker], Place]:
    def make(maker: Maker) -> Place:
        return Place(plain_wheel(maker.directory(source)), maker.directory(destination))

    return make


def _overlay(name: str) -> Callable[[Maker], Place]:
    def make(maker: Maker) -> Place:
        directory = maker.directory(name)
        (directory / "lower").mkdir()
        plain_wheel(directory / "lower")
        merged = maker.overlay(directory)
        return Place(merged / "wheel", merged)

    return make


def _squashfs(maker: Maker) -> Place:
    tree = maker.directory("tmpfs")
    plain_wheel(tree)
    return Place(maker.squashed(tree) / "wheel", maker.directory("ext4"))


def _full(maker: Maker) -> Place:
    return Place(plain_wheel(maker.directory("ext4")), maker.tmpfs("size=200k"))


def _no_exec(maker: Maker) -> Place:
    directory = maker.tmpfs("size=64m,noexec")
    return Place(plain_wheel(directory), directory)


def _read_only(maker: Maker) -> Place:
    directory = maker.directory("ext4")
    view = maker.mounted(maker.directory("tmpfs"), "--bind", str(directory))
    run("mount", "-o", "remount,ro,bind", str(view))
    return Place(plain_wheel(directory), directory, seen=view)


def _bind_mount(maker: Maker) -> Place:
    directory = maker.directory("xfs")
    view = maker.mounted(maker.directory("tmpfs"), "--bind", str(directory))
    return Place(plain_wheel(directory), directory, seen=view)


def _at_the_limit(name: str, limit: int) -> Callable[[Maker], Place]:
    def make(maker: Maker) -> Place:
        directory = maker.directory(name)
        wheel = plain_wheel(directory)
        _link_until_refused(wheel / LIMITED, directory / "links")
        assert (wheel / LIMITED).stat().st_nlink == limit
        return Place(wheel, directory)

    return make


def _link_until_refused(file: Path, directory: Path) -> None:
    directory.mkdir()
    for number in range(_TOO_MANY):
        try:
            os.link(file, directory / str(number))
        except OSError as error:
            if error.errno != errno.EMLINK:
                raise
            return
    raise Unavailable(f"{_TOO_MANY} links to a file are no limit here")


def _of_another_user(maker: Maker) -> Place:
    setting = Path("/proc/sys/fs/protected_hardlinks")
    if not setting.exists() or setting.read_text(encoding="ascii").strip() == "0":
        raise Unavailable("fs.protected_hardlinks is off")
    directory = maker.directory("ext4")
    directory.chmod(0o755)
    theirs = directory / "theirs"
    theirs.mkdir()
    shutil.chown(theirs, _UNPRIVILEGED, _UNPRIVILEGED)
    return Place(plain_wheel(directory), theirs, user=_UNPRIVILEGED)


_NOT_SUPPORTED: Final = {LinkMode.CLONE: errno.EOPNOTSUPP}
_ELSEWHERE: Final = {LinkMode.CLONE: errno.EXDEV, LinkMode.HARDLINK: errno.EXDEV}

SITUATIONS: Final = (
    Situation("ext4", within("ext4"), _NOT_SUPPORTED),
    Situation("tmpfs", within("tmpfs"), _NOT_SUPPORTED),
    Situation("btrfs", within("btrfs"), {}),
    Situation("XFS", within("xfs"), {}),
    Situation(
        "exFAT (FUSE)",
        within("exfat"),
        {**_NOT_SUPPORTED, LinkMode.HARDLINK: errno.EPERM, LinkMode.SYMLINK: errno.ENOSYS},
    ),
    Situation("NTFS (ntfs-3g)", within("ntfs"), _NOT_SUPPORTED),
    Situation(
        "overlayfs on ext4, the wheel in the lower layer",
        _overlay("ext4"),
        _NOT_SUPPORTED,
    ),
    Situation("overlayfs on XFS, the wheel in the lower layer", _overlay("xfs"), {}),
    Situation("squashfs to ext4", _squashfs, _ELSEWHERE),
    Situation("XFS to ext4", _between("xfs", "ext4"), _ELSEWHERE),
    Situation("XFS to btrfs", _between("xfs", "btrfs"), _ELSEWHERE),
    Situation("XFS, through a bind mount of it", _bind_mount, {LinkMode.HARDLINK: errno.EXDEV}),
    Situation(
        "ext4 to a full tmpfs",
        _full,
        {**_ELSEWHERE, LinkMode.COPY: errno.ENOSPC},
    ),
    Situation("tmpfs with `noexec`", _no_exec, _NOT_SUPPORTED),
    Situation("a read-only destination", _read_only, dict.fromkeys(LinkMode, errno.EROFS)),
    Situation(
        "ext4, one file with 65,000 links",
        _at_the_limit("ext4", 65_000),
        _NOT_SUPPORTED,
        {LinkMode.HARDLINK: errno.EMLINK},
    ),
    Situation(
        "btrfs, one file with 65,535 links",
        _at_the_limit("btrfs", 65_535),
        {},
        {LinkMode.HARDLINK: errno.EMLINK},
    ),
    Situation(
        "ext4, files of another user, `fs.protected_hardlinks`",
        _of_another_user,
        {**_NOT_SUPPORTED, LinkMode.HARDLINK: errno.EPERM},
    ),
)

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="mounts these on Linux only")
