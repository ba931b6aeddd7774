"""Wheel files made by hand: right ones, and each wrong in one way."""

from __future__ import annotations

import base64
import hashlib
import os
import stat
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

DIST_INFO: Final = "demo-1.0.dist-info"
RECORD: Final = f"{DIST_INFO}/RECORD"
NAME: Final = "demo-1.0-py3-none-any.whl"

FILES: Final[Mapping[str, bytes]] = {
    "demo/__init__.py": b"VALUE = 1\n",
    "demo/empty": b"",
    "demo/data/large.bin": bytes(range(256)) * 600,
    "demo/sub/deep/er/leaf.py": b"LEAF = True\n",
    "demo/tool.sh": b"#!/bin/sh\necho demo\n",
    "demo/caf\u00e9.txt": "caf\u00e9\n".encode(),
    "single.py": b"SINGLE = 1\n",
    f"{DIST_INFO}/METADATA": b"Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n",
    f"{DIST_INFO}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
}
EXECUTABLES: Final = frozenset({"demo/tool.sh"})


def claim(data: bytes, algorithm: str = "sha256") -> str:
    """Return a hash as ``RECORD`` has it."""
    digest = base64.urlsafe_b64encode(hashlib.new(algorithm, data).digest()).rstrip(b"=").decode()
    return f"{algorithm}={digest}"


def record_of(files: Mapping[str, bytes], path: str = RECORD) -> bytes:
    """Return the ``RECORD`` of some files."""
    rows = [f'"{name}",{claim(data)},{len(data)}' for name, data in files.items()]
    return "\n".join([*rows, f"{path},,", ""]).encode()


def with_record(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the files with their ``RECORD``."""
    return {**files, RECORD: record_of(files)}


def info(name: str, mode: int = stat.S_IFREG | 0o644) -> zipfile.ZipInfo:
    """Return an entry with a fixed time, whatever its name."""
    made = zipfile.ZipInfo("x", (1980, 1, 1, 0, 0, 0))
    made.filename = made.orig_filename = name
    made.external_attr = mode << 16
    made.create_system = 3
    return made


def write_archive(
    path: Path,
    files: Mapping[str, bytes],
    *,
    compression: int = zipfile.ZIP_DEFLATED,
    change: Callable[[zipfile.ZipInfo], None] = lambda _: None,
) -> Path:
    """Write a zip archive of just these files."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in files.items():
            entry = info(name, stat.S_IFREG | (0o755 if name in EXECUTABLES else 0o644))
            entry.compress_type = compression
            change(entry)
            archive.writestr(entry, data)
    return path


def write_wheel(
    path: Path,
    changes: Mapping[str, bytes] | None = None,
    *,
    compression: int = zipfile.ZIP_DEFLATED,
) -> Path:
    """Write a right wheel, with other content in, or more, files."""
    return write_archive(path, with_record({**FILES, **(changes or {})}), compression=compression)


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal digits."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def files_below(root: str | os.PathLike[str]) -> dict[str, bytes]:
    """Return the files below a directory, by path."""
    root = Path(root)
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*") if p.is_file()}
