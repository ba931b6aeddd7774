"""Places to measure in: images of file systems on loop devices, or plain directories."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from images import Unavailable, check_can_mount, mount_image, unmount
from images import run as run_tool

from benchmarks import commands

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from benchmarks.corpus import Wheel

TMPFS = "tmpfs"
MOUNTED = ("xfs", "btrfs", "ext4", TMPFS)
IMAGE_BYTES = 8 << 30


class PlaceError(RuntimeError):
    """A file system cannot be made here; the message says why."""


@dataclass(frozen=True)
class Place:
    """A directory on some file system."""

    name: str
    root: Path
    filesystem: str
    clones: bool

    def directory(self, name: str) -> Path:
        """A directory of this place, made when missing."""
        path = self.root / name
        path.mkdir(parents=True, exist_ok=True)
        return path


def filesystem_of(path: Path) -> str:
    """The type of the file system that holds `path`."""
    return commands.run(["df", "--output=fstype", path]).split()[-1]


def can_clone(directory: Path) -> bool:
    """Whether `cp --reflink=always` works there: tried, not inferred."""
    source, copy = directory / ".clone-source", directory / ".clone-copy"
    source.write_bytes(b"x" * 8192)
    try:
        commands.run(["cp", "--reflink=always", source, copy])
    except commands.CommandError:
        return False
    else:
        return True
    finally:
        source.unlink()
        copy.unlink(missing_ok=True)


def as_place(name: str, root: Path) -> Place:
    """Describe a directory that exists."""
    return Place(name, root, filesystem_of(root), can_clone(root))


def discard(image: Path, mount: Path) -> None:
    """Remove an image and its mount point."""
    if os.path.ismount(mount):
        unmount(mount)
    with suppress(FileNotFoundError):
        # What a run that was killed had started may have gone on writing below it.
        shutil.rmtree(mount)
    image.unlink(missing_ok=True)


@contextmanager
def image_place(name: str, work: Path, size: int = IMAGE_BYTES) -> Iterator[Place]:
    """A fresh file system in a sparse file, or in memory, gone at the end whatever happens."""
    try:
        check_can_mount()
    except Unavailable as error:
        raise PlaceError(str(error)) from error
    work.mkdir(parents=True, exist_ok=True)
    image, mount = work / f"{name}.img", work / name
    # A run that was killed leaves its mount behind.
    discard(image, mount)
    try:
        mount.mkdir()
        if name == TMPFS:
            run_tool("mount", "-t", TMPFS, "-o", f"size={size}", TMPFS, str(mount))
        else:
            mount_image(name, image, mount, size)
        yield as_place(name, mount)
    except (Unavailable, commands.CommandError) as error:
        raise PlaceError(str(error)) from error
    finally:
        discard(image, mount)


@contextmanager
def directory_place(name: str, directory: Path) -> Iterator[Place]:
    """A directory of the machine's own; only what is made below it is removed."""
    root = directory / "wheel-linker-place"
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    try:
        yield as_place(name, root)
    finally:
        shutil.rmtree(root, ignore_errors=True)


def wheels_on(place: Place, wheels: list[Wheel]) -> list[Wheel]:
    """The same wheels, unpacked on that file system; copied unless they lie there."""
    if wheels[0].root.stat().st_dev == place.root.stat().st_dev:
        return wheels
    source = place.directory("source")
    # In one go: a program per wheel would take longer than the copying.
    commands.run(["cp", "-a", "-t", source, *(wheel.root for wheel in wheels)])
    return [replace(wheel, root=source / wheel.root.name) for wheel in wheels]
