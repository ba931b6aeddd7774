"""Small unpacked wheels, and exact pictures of directory trees."""

from __future__ import annotations

import base64
import hashlib
import os
import stat
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

REPRODUCIBLE: Final = 315532800
"""1980-01-01, the time stamp of everything in a wheel that was built reproducibly."""

POSIX_BYTES: Final = os.name == "posix" and sys.platform != "darwin"
"""Whether file names are bytes, as on every POSIX system whose file systems do not insist on UTF-8."""

SAMPLE: Final[Mapping[str, bytes]] = {
    "demo/__init__.py": b"VALUE = 1\n",
    "demo/module.py": b"from demo import VALUE\n",
    "demo/data/empty": b"",
    "demo/data/large.bin": bytes(range(256)) * 1200,
    "demo/sub/__init__.py": b"",
    "demo/sub/deep/er/still/leaf.py": b"LEAF = True\n",
    "demo/tool.sh": b"#!/bin/sh\necho demo\n",
    "demo/caf\u00e9.txt": "caf\u00e9\n".encode(),
    "space/names/one.py": b"ONE = 1\n",
    "single.py": b"SINGLE = 1\n",
    "demo.pth": b"import demo\n",
    "demo-1.0.data/scripts/demo": b"#!python\nimport demo\n",
}
SAMPLE_EXECUTABLES: Final = ("demo/tool.sh", "demo-1.0.data/scripts/demo")
DIST_INFO_FILES: Final = 3


class Entry(NamedTuple):
    """One entry of a tree, as far as it must not change."""

    kind: str
    digest: str
    mode: int
    mtime: int | None
    """Nanoseconds; None for a directory whose time is of no interest."""


def make_wheel(
    root: Path,
    files: Mapping[str, bytes],
    *,
    name: str = "demo",
    version: str = "1.0",
    executables: Collection[str] = (),
    links: Mapping[str, str] | None = None,
    record: bytes | None = None,
    mtime: int = REPRODUCIBLE,
) -> Path:
    """Write an unpacked wheel with a correct ``RECORD``, of which ``files`` may have any part, and return its root.

    :param links: symlinks within the wheel, path to target.
    :param record: what ``RECORD`` has instead.
    :param mtime: seconds since the epoch, for every file and directory.
    """
    info = f"{name}-{version}.dist-info"
    everything = {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        **files,
    }
    rows = [row_of(path, data) for path, data in everything.items()]
    correct = os.fsencode("".join([*rows, f"{info}/RECORD,,\n"]))
    everything[f"{info}/RECORD"] = correct if record is None else record
    write_tree(root, everything)
    for path in executables:
        (root / path).chmod(0o755)
    for path, target in (links or {}).items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).symlink_to(target)
    set_times(root, mtime)
    return root


def row_of(path: str, data: bytes) -> str:
    """Return a row of ``RECORD``."""
    quoted = '"{}"'.format(path.replace('"', '""')) if {'"', ","} & set(path) else path
    return f"{quoted},{_record_hash(data)},{len(data)}\n"


def sample_wheel(root: Path) -> Path:
    """Write a wheel with a little of everything that is allowed on every platform."""
    return make_wheel(root, SAMPLE, executables=SAMPLE_EXECUTABLES if os.name == "posix" else ())


def write_tree(root: Path, files: Mapping[str, bytes]) -> Path:
    """Write ``files`` below ``root``, with the directories they need."""
    for path, data in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(data)
    return root


def set_times(root: Path, mtime: float) -> None:
    """Give every file and directory of a tree the time ``mtime``, in seconds."""
    for path, status in reversed(list(_walk(root))):
        if not stat.S_ISLNK(status.st_mode):
            os.utime(path, (mtime, mtime))


def snapshot(tree: Path, *, directory_times: bool = False) -> dict[str, Entry]:
    """Return everything below ``tree``, itself included, by paths with slashes, so that two moments can be compared.

    :param directory_times: whether the times of directories count; they change with what goes in and out.
    """
    found = {}
    for path, status in _walk(tree):
        directory = stat.S_ISDIR(status.st_mode)
        found[os.path.relpath(path, tree).replace(os.sep, "/")] = Entry(
            kind=stat.filemode(status.st_mode)[0],
            digest=_digest(path, status),
            mode=stat.S_IMODE(status.st_mode),
            mtime=status.st_mtime_ns if directory_times or not directory else None,
        )
    return found


def contents(tree: Path) -> dict[str, bytes | None]:
    """Return what a reader finds below ``tree``: bytes for files, links followed, None for directories."""
    return {
        os.path.relpath(path, tree).replace(os.sep, "/"): (
            None if os.path.isdir(path) else Path(path).read_bytes()
        )
        for path, _ in _walk(tree)
        if path != os.fspath(tree)
    }


def names(tree: Path) -> set[str]:
    """Return the names directly below ``tree``."""
    return set(os.listdir(tree))


def _walk(tree: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Yield every path at and below ``tree`` with its own status; links are not followed."""
    pending = [os.fspath(tree)]
    while pending:
        path = pending.pop()
        try:
            status = os.lstat(path)
        except FileNotFoundError:
            continue
        yield path, status
        if stat.S_ISDIR(status.st_mode):
            pending += [os.path.join(path, name) for name in os.listdir(path)]


def _digest(path: str, status: os.stat_result) -> str:
    if stat.S_ISREG(status.st_mode):
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()
    return os.readlink(path) if stat.S_ISLNK(status.st_mode) else ""


def _record_hash(data: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return f"sha256={digest}"


def zip_wheel(source: Path, directory: Path) -> Path:
    """Pack an unpacked wheel into ``directory``, under the name its dist-info gives it; return the archive."""
    (info,) = source.glob("*.dist-info")
    archive = directory / f"{info.stem}-py3-none-any.whl"
    with zipfile.ZipFile(archive, "w") as made:
        for path in sorted(source.rglob("*")):
            made.write(path, path.relative_to(source))
    return archive
