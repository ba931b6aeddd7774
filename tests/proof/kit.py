"""What the tests of the proof share: a wheel, destinations for it, and how they are compared."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Final

from wheels import make_wheel, set_times, write_tree

from wheel_linker import LinkMode

if TYPE_CHECKING:
    from collections.abc import Mapping

MODES: Final = tuple(LinkMode)
PRIVATE: Final = ".wheel_linker-"

_OLD_TIME: Final = 1e9
_MODULES: Final = 6


def package_files(version: int) -> dict[str, bytes]:
    """Return a package of two dozen files, of which every one says its version in the same number of bytes."""
    files = {
        "demo/__init__.py": b"from demo.m0 import VERSION\n",
        "demo/data/large.bin": b"%04d" % version * 5000,
        "demo/data/empty": b"",
        "demo/tool.sh": b"#!/bin/sh\necho %04d\n" % version,
        "demo/caf\u00e9.txt": b"%04d" % version,
        "demo/a/b/c/d/leaf.py": b"VERSION = %04d\n" % (1000 + version),
        "space/part/one.py": b"VERSION = %04d\n" % (1000 + version),
        "single.py": b"VERSION = %04d\n" % (1000 + version),
        "demo.pth": b"# %04d\n" % version,
        "demo-1.0.data/scripts/demo": b"#!python %04d\n" % version,
    }
    for directory in ("demo", "demo/sub"):
        for number in range(_MODULES):
            files[f"{directory}/m{number}.py"] = b"VERSION = %04d\n" % (1000 + version)
    return files


def package(root: Path, version: int) -> Path:
    """Write that package as an unpacked wheel: with executables, a symlink, a read-only directory and file."""
    posix = os.name == "posix"
    wheel = make_wheel(
        root,
        package_files(version),
        version=f"{version}.0",
        executables=("demo/tool.sh", "demo-1.0.data/scripts/demo") if posix else (),
        links={"demo/alias.py": "m1.py"} if posix else None,
    )
    if posix:
        (wheel / "demo/m2.py").chmod(0o444)
        (wheel / "demo/sub").chmod(0o555)
    return wheel


def overlapping(site: Path) -> Path:
    """Write a destination with other files in much of the package's places, and what belongs to others."""
    old = {
        path: b"# old\n" + data
        for path, data in package_files(0).items()
        if not path.startswith("demo/a/")
    }
    write_tree(
        site,
        {
            **old,
            "demo/__pycache__/m0.cpython-311.pyc": b"old bytecode",
            "demo/sub/__pycache__/m1.cpython-311.opt-1.pyc": b"old bytecode",
            "demo/mine.py": b"mine",
            "other/__init__.py": b"",
        },
    )
    set_times(site, _OLD_TIME)
    return site


def exact(tree: Path) -> dict[str, tuple[int, int, int, bytes]]:
    """Return everything in a tree that must not change: kinds and permissions, times of files, sizes, bytes."""
    found = {}
    pending = [os.fspath(tree)]
    while pending:
        with os.scandir(pending.pop()) as entries:
            for entry in entries:
                status = entry.stat(follow_symlinks=False)
                if stat.S_ISDIR(status.st_mode):
                    pending.append(entry.path)
                    found[entry.path] = status.st_mode, 0, 0, b""
                else:
                    data = _read(entry.path, status)
                    found[entry.path] = status.st_mode, status.st_mtime_ns, status.st_size, data
    return found


def _read(path: str, status: os.stat_result) -> bytes:
    if stat.S_ISLNK(status.st_mode):
        return os.fsencode(os.readlink(path))
    with open(path, "rb", buffering=0) as file:
        return file.read()


def complete(tree: Path) -> dict[str, tuple[int, bytes | None]]:
    """Return what a reader finds: permission bits and bytes, links followed; None for a directory.

    The library's private directories are left out.
    """
    found: dict[str, tuple[int, bytes | None]] = {}
    pending = [""]
    while pending:
        relative = pending.pop()
        for entry in os.scandir(tree / relative):
            if entry.name.startswith(PRIVATE):
                continue
            path = f"{relative}/{entry.name}" if relative else entry.name
            mode = stat.S_IMODE(entry.stat().st_mode)
            if entry.is_dir():
                pending.append(path)
                found[path] = 0o700 & mode, None
            else:
                found[path] = mode, Path(entry.path).read_bytes()
    return found


def files_of(tree: Path) -> dict[str, bytes]:
    """Return the bytes of all files below ``tree``, as :func:`complete` finds them."""
    return {path: data for path, (_, data) in complete(tree).items() if data is not None}


def litter(tree: Path) -> list[str]:
    """Return the names in ``tree`` that the library has left behind."""
    return [name for name in os.listdir(tree) if "wheel_linker" in name]


def is_within(inner: Mapping[str, object], outer: Mapping[str, object]) -> bool:
    """Tell whether everything in one picture is in the other one as well."""
    return all(outer.get(path) == value for path, value in inner.items())


def open_descriptors() -> int:
    """Return how many files this process has open; 0 where that cannot be told."""
    try:
        return len(os.listdir("/proc/self/fd"))
    except FileNotFoundError:
        return 0
