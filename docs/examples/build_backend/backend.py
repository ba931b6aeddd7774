"""A build back end in the project's own tree (PEP 517, PEP 660): trees are linked, and nothing is copied."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory

from wheel_linker import AUTO, LinkMode, UnpackedWheel, link_wheels, pack_wheel

ROOT = Path(__file__).resolve().parent
SOURCE = ROOT / "src"
# What a compiler, or a generator of code, makes of the source.
BUILD = ROOT / "build"
MIRROR = ROOT / "build-editable"
NAME, VERSION, TAG = "mirrored", "1.0", "py3-none-any"
FILENAME = f"{NAME}-{VERSION}-{TAG}.whl"


def build_wheel(
    wheel_directory: str,
    config_settings: dict[str, object] | None = None,
    metadata_directory: str | None = None,
) -> str:
    """Assemble the wheel's tree of clones, where the file system can make them, and pack it."""
    generate()
    # Beside the source, where clones and hard links can be made of it.
    with TemporaryDirectory(prefix="build-tree-", dir=ROOT) as tree:
        parts = [UnpackedWheel(SOURCE, FILENAME), UnpackedWheel(BUILD, FILENAME)]
        link_wheels(tree, parts, mode=AUTO)
        write_metadata(Path(tree))
        return os.path.basename(pack_wheel(tree, wheel_directory))


def build_editable(
    wheel_directory: str,
    config_settings: dict[str, object] | None = None,
    metadata_directory: str | None = None,
) -> str:
    """Mirror the source and what is generated in one tree of symlinks, and pack a wheel that leads there."""
    generate()
    MIRROR.mkdir(exist_ok=True)
    # An edit in the mirror is an edit of the source; what is compiled lies beside it, as in the wheel.
    mode = [LinkMode.SYMLINK, LinkMode.HARDLINK]
    parts = [UnpackedWheel(SOURCE, FILENAME), UnpackedWheel(BUILD, FILENAME)]
    link_wheels(MIRROR, parts, mode=mode)
    with TemporaryDirectory(prefix="build-tree-", dir=ROOT) as tree:
        Path(tree, f"{NAME}.pth").write_text(f"{MIRROR}\n", encoding="utf-8")
        write_metadata(Path(tree))
        return os.path.basename(pack_wheel(tree, wheel_directory))


def generate() -> None:
    """Stand for the compiler."""
    made = BUILD / NAME / "generated.py"
    made.parent.mkdir(parents=True, exist_ok=True)
    made.write_text("ANSWER = 42\n", encoding="utf-8")


def write_metadata(tree: Path) -> None:
    """Write what makes a tree a wheel; packing it adds RECORD."""
    info = tree / f"{NAME}-{VERSION}.dist-info"
    info.mkdir()
    metadata = f"Metadata-Version: 2.1\nName: {NAME}\nVersion: {VERSION}\n"
    (info / "METADATA").write_text(metadata, encoding="utf-8")
    wheel = f"Wheel-Version: 1.0\nGenerator: backend\nRoot-Is-Purelib: true\nTag: {TAG}\n"
    (info / "WHEEL").write_text(wheel, encoding="utf-8")
