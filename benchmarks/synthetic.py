"""Wheels made on the spot: no network, any size."""

from __future__ import annotations

import hashlib
import zipfile
from base64 import urlsafe_b64encode
from typing import TYPE_CHECKING

from benchmarks.corpus import Wheel, unpack_all

if TYPE_CHECKING:
    from pathlib import Path

FILES_PER_DIRECTORY = 40
FILES_PER_PART = 1_000


def module_path(package: str, number: int) -> str:
    """Where the file of that number lies: two levels, as a large package has."""
    part, place = divmod(number, FILES_PER_PART)
    leaf = place // FILES_PER_DIRECTORY
    return f"{package}/part_{part:03}/leaf_{leaf:02}/module_{number:06}.py"


def metadata(name: str, version: str) -> dict[str, str]:
    """The files of the `*.dist-info` directory."""
    info = f"{name}-{version}.dist-info"
    return {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: benchmarks\n"
        "Root-Is-Purelib: true\nTag: py3-none-any\n",
    }


def record_line(path: str, body: bytes) -> str:
    """A row of RECORD."""
    digest = urlsafe_b64encode(hashlib.sha256(body).digest()).decode().rstrip("=")
    return f"{path},sha256={digest},{len(body)}\n"


def with_record(name: str, version: str, files: dict[str, str]) -> dict[str, str]:
    """The files and the RECORD that lists them."""
    record = f"{name}-{version}.dist-info/RECORD"
    lines = [record_line(path, body.encode()) for path, body in files.items()]
    return {**files, record: "".join([*lines, f"{record},,\n"])}


def contents(name: str, count: int, version: str = "1.0") -> dict[str, str]:
    """A wheel of `count` files, its metadata included."""
    last = metadata(name, version)
    paths = [module_path(name, number) for number in range(count - len(last) - 1)]
    bodies = {path: f'"""Module {path}."""\n\nANSWER = 42\n' for path in paths}
    return with_record(name, version, {**bodies, **last})


def file_name(name: str, version: str = "1.0") -> str:
    """The wheel's file name."""
    return f"{name}-{version}-py3-none-any.whl"


def make_tree(root: Path, name: str, count: int) -> Wheel:
    """An unpacked wheel of `count` files; its wheel file does not exist."""
    made: set[Path] = set()
    for path, body in contents(name, count).items():
        target = root / path
        if target.parent not in made:
            target.parent.mkdir(parents=True, exist_ok=True)
            made.add(target.parent)
        target.write_text(body)
    return Wheel(root.parent / file_name(name), root)


def make_wheel_file(directory: Path, name: str, count: int, version: str = "1.0") -> Path:
    """A wheel file of `count` files."""
    path = directory / file_name(name, version)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for inner, body in contents(name, count, version).items():
            info = zipfile.ZipInfo(inner)
            info.external_attr = 0o100644 << 16
            archive.writestr(info, body)
    return path


def prepare(cache: Path, wheels: int = 10, files: int = 40) -> list[Wheel]:
    """A small corpus for smoke tests."""
    root = cache / "synthetic"
    directory = root / "wheels"
    directory.mkdir(parents=True, exist_ok=True)
    for number in range(wheels):
        make_wheel_file(directory, f"synthetic_{number:02}", files)
    return unpack_all(directory, root / "unpacked")


def prepare_large(cache: Path) -> Path:
    """A wheel file to stand for a large one."""
    directory = cache / "synthetic-large"
    directory.mkdir(parents=True, exist_ok=True)
    return make_wheel_file(directory, "large", 200)
