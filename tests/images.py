"""Images of file systems: made, mounted on loop devices and taken away, for the tests and for the benchmarks."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

_MAKERS: Final = {
    "ext4": ("mkfs.ext4", "-q", "-F"),
    "btrfs": ("mkfs.btrfs", "-q", "-f"),
    "xfs": ("mkfs.xfs", "-q", "-f", "-m", "reflink=1"),
    "exfat": ("mkfs.exfat",),
    "ntfs": ("mkntfs", "-q", "-F", "-f"),
}
# These are drivers of their own, over FUSE; for the others the kernel looks what it is.
_TYPES: Final = {"exfat": ("-t", "exfat-fuse"), "ntfs": ("-t", "ntfs-3g")}


class Unavailable(Exception):
    """A file system cannot be had on this machine; the text says why."""


def check_can_mount() -> None:
    """Tell whether this process may mount anything.

    :raises Unavailable: if it may not.
    """
    if sys.platform != "linux":
        raise Unavailable("file systems are mounted on Linux only")
    if os.geteuid() != 0:
        raise Unavailable("mounting needs root")


def mount_image(name: str, image: Path, point: Path, size: int) -> None:
    """Make a sparse image with an empty file system in it, and mount it.

    :param name: the file system, such as ``xfs``.
    :param size: in bytes; ``mkfs.xfs`` refuses less than 300 MB.
    :raises Unavailable: where a tool is missing or fails.
    """
    with image.open("wb") as file:
        file.truncate(size)
    run(*_MAKERS[name], str(image))
    run("mount", *_TYPES.get(name, ()), "-o", "loop", str(image), str(point))


def unmount(point: Path) -> None:
    """Take a file system away, at the latest when its last user is gone."""
    with contextlib.suppress(Unavailable):
        run("umount", str(point))
        return
    with contextlib.suppress(Unavailable):
        run("umount", "--lazy", str(point))


def run(*command: str) -> None:
    """Run a tool that makes or mounts a file system.

    :raises Unavailable: where it is missing or fails.
    """
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise Unavailable(f"{command[0]} is not installed") from None
    if done.returncode:
        raise Unavailable(f"{' '.join(command)} failed: {done.stderr.strip() or done.returncode}")
