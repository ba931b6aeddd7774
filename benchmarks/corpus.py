"""The wheels that are linked: a pinned list, downloaded, verified and unpacked once."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks import commands

PINS = Path(__file__).with_name("corpus.txt")
LARGE_PINS = Path(__file__).with_name("large.txt")
PYTHON = "3.11"
PLATFORMS = (
    "manylinux_2_28_x86_64",
    "manylinux_2_27_x86_64",
    "manylinux_2_26_x86_64",
    "manylinux_2_24_x86_64",
    "manylinux_2_17_x86_64",
    "manylinux2014_x86_64",
    "manylinux_2_12_x86_64",
    "manylinux2010_x86_64",
    "manylinux_2_5_x86_64",
    "manylinux1_x86_64",
    "any",
)


class CorpusError(RuntimeError):
    """The wheels on disk are not those of the list."""


@dataclass(frozen=True)
class Wheel:
    """A wheel as a file and as an unpacked directory."""

    file: Path
    root: Path


@dataclass(frozen=True)
class Size:
    """How much a set of wheels holds."""

    wheels: int
    files: int
    directories: int
    bytes: int


def target_options() -> list[str]:
    """Pip's options for "as CPython 3.11 on x86_64 Linux", whatever runs pip."""
    platforms = [word for name in PLATFORMS for word in ("--platform", name)]
    abis = [word for name in ("cp311", "abi3", "none") for word in ("--abi", name)]
    version = ["--python-version", PYTHON, "--implementation", "cp"]
    return ["--only-binary=:all:", *version, *abis, *platforms]


def pinned_hashes(pins: Path = PINS) -> dict[str, str]:
    """Digest to `name==version`, as the list has it."""
    lines = re.findall(r"^(\S+==\S+) --hash=sha256:([0-9a-f]{64})$", pins.read_text(), re.MULTILINE)
    return {digest: pin for pin, digest in lines}


def digest_of(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def missing(directory: Path, pins: Path = PINS) -> set[str]:
    """Pins without a wheel in `directory`; a wheel that is not pinned is an error."""
    wanted = pinned_hashes(pins)
    for path in sorted(directory.glob("*.whl")):
        if wanted.pop(digest_of(path), None) is None:
            raise CorpusError(f"{path} is not a wheel of {pins.name}; remove it")
    return set(wanted.values())


def download(directory: Path, pins: Path = PINS) -> None:
    """Fetch what is missing by pip, which checks every digest."""
    directory.mkdir(parents=True, exist_ok=True)
    if not missing(directory, pins):
        return
    pip = [sys.executable, "-m", "pip", "download", "--disable-pip-version-check"]
    options = ["--quiet", "--no-deps", "--require-hashes", *target_options()]
    commands.run([*pip, *options, "--dest", directory, "--requirement", pins])
    if absent := missing(directory, pins):
        raise CorpusError(f"pip did not download {', '.join(sorted(absent))}")


def unpack(wheel: Path, root: Path) -> None:
    """Unpack a wheel into `root`, unless it is there: it appears only when complete."""
    if root.is_dir():
        return
    partial = root.with_name(f".{root.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    with zipfile.ZipFile(wheel) as archive:
        for info in archive.infolist():
            path = archive.extract(info, partial)
            if not info.is_dir():
                executable = info.external_attr >> 16 & 0o111
                os.chmod(path, 0o755 if executable else 0o644)
    partial.rename(root)


def unpack_all(wheels: Path, unpacked: Path) -> list[Wheel]:
    """Every wheel of a directory, unpacked into one directory each."""
    unpacked.mkdir(parents=True, exist_ok=True)
    found = []
    for file in sorted(wheels.glob("*.whl")):
        root = unpacked / "-".join(file.name.split("-")[:2])
        unpack(file, root)
        found.append(Wheel(file, root))
    return found


def prepare(cache: Path) -> list[Wheel]:
    """The pinned wheels, downloaded and unpacked below `cache`."""
    download(cache / "wheels")
    return unpack_all(cache / "wheels", cache / "unpacked")


def prepare_large(cache: Path) -> Path:
    """The file of the one large wheel, downloaded below `cache`."""
    directory = cache / "large"
    download(directory, LARGE_PINS)
    return next(directory.glob("*.whl"))


def size_of(wheels: list[Wheel]) -> Size:
    """Count what the wheels hold, the roots themselves included."""
    files = directories = total = 0
    for wheel in wheels:
        for parent, _, names in os.walk(wheel.root):
            directories += 1
            files += len(names)
            total += sum(os.lstat(os.path.join(parent, name)).st_size for name in names)
    return Size(len(wheels), files, directories, total)


def warm(wheels: list[Wheel]) -> None:
    """Read everything once, so that no contender pays for a cold page cache."""
    for wheel in wheels:
        digest_of(wheel.file)
        for path in wheel.root.rglob("*"):
            if path.is_file():
                path.read_bytes()
