"""Wheels as they are published: a few of the benchmark's, downloaded by pip, or all of a directory."""

from __future__ import annotations

import os
import platform
import re
import sys
import zipfile
from email import message_from_bytes
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

import pytest
from images import Unavailable
from packaging.specifiers import SpecifierSet
from packaging.tags import Tag, sys_tags
from packaging.utils import canonicalize_name, parse_wheel_filename

from real_tools.environment import CommandError, run

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

GIVEN: Final = "WHEEL_LINKER_TEST_WHEELS"
PINS: Final = Path(__file__).parents[2] / "benchmarks" / "corpus.txt"
_METADATA: Final = r"[^/]*\.dist-info/METADATA"

# All for every supported version of Python.
PURE: Final[Mapping[str, str]] = {
    "azure-core": "a namespace package that others share",
    "azure-mgmt-core": "another part of it",
    "azure-common": "another one, of which __init__.py files differ",
    "flask": "launchers, and a directory of licenses",
    "jmespath": "a Python script in data/scripts",
    "nbconvert": "files in data/data, and launchers",
    "pip": "many files, and a launcher that is special to other installers",
    "pycodestyle": "one module, one launcher",
    "pygments": "one large package",
    "setuptools": "a .pth file, and files whose names have spaces",
    "six": "one module",
    "tqdm": "executable files outside of data/scripts",
    "tzdata": "many small files, and names such as GMT+0",
    "widgetsnbextension": "two directories in data/data",
}
BINARY: Final[Mapping[str, str]] = {
    "bcrypt": "an extension module for platlib",
    "protobuf": "a namespace package in platlib",
    "psutil": "the stable ABI",
    "ruff": "one large binary in data/scripts",
}
"""What the list has for one platform only."""


def published(directory: Path) -> list[Path]:
    """Return wheel files that fit the running interpreter.

    :param directory: where those that are downloaded go.
    :raises Unavailable: if they cannot be downloaded.
    """
    given = os.environ.get(GIVEN)
    if given is None:
        download([*PURE, *(BINARY if _is_platform_of_the_list() else ())], directory)
    tags = set(sys_tags())
    wheels = sorted(Path(given or directory).resolve().glob("*.whl"))
    return [wheel for wheel in wheels if _fits(wheel, tags)]


def _fits(wheel: Path, tags: set[Tag]) -> bool:
    """Tell whether the running interpreter can have a wheel, by the wheel's name and what it says."""
    if tags.isdisjoint(parse_wheel_filename(wheel.name)[3]):
        return False
    with zipfile.ZipFile(wheel) as archive:
        metadata = next(name for name in archive.namelist() if re.fullmatch(_METADATA, name))
        fields = message_from_bytes(archive.read(metadata))
    versions = SpecifierSet(fields.get("Requires-Python", ""))
    return versions.contains(platform.python_version(), prereleases=True)


def _is_platform_of_the_list() -> bool:
    return sys.platform == "linux" and platform.machine() == "x86_64"


def download(names: Iterable[str], directory: Path) -> None:
    """Download wheels of the benchmark's list, which has their hashes, with the user's configuration of pip.

    :raises Unavailable: if that fails.
    """
    lines = re.findall(r"^(\S+)(==\S+ --hash=\S+)$", PINS.read_text(encoding="utf-8"), re.MULTILINE)
    pins = {canonicalize_name(name): f"{name}{rest}\n" for name, rest in lines}
    requirements = directory / "requirements.txt"
    requirements.write_text("".join(pins[canonicalize_name(name)] for name in names))
    pip = [sys.executable, "-m", "pip", "download", "--disable-pip-version-check", "--quiet"]
    options = ["--no-deps", "--only-binary=:all:", "--require-hashes", "--retries=1"]
    try:
        run(*pip, *options, "--dest", directory, "--requirement", requirements, configured=True)
    except CommandError as error:
        reason = str(error).strip().splitlines()[-1]
        raise Unavailable(f"the wheels cannot be downloaded: {reason}") from error


def features(wheels: Iterable[Path]) -> set[str]:
    """Return what there is of kinds of files in some wheels."""
    found: set[str] = set()
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            for entry in archive.infolist():
                found.update(_kinds(entry))
    return found


def _kinds(entry: zipfile.ZipInfo) -> Iterable[str]:
    parts = entry.filename.split("/")
    if parts[0].endswith(".data"):
        yield f"data/{parts[1]}"
    elif entry.external_attr >> 16 & 0o111 and not entry.is_dir():
        yield "executable"
    if parts[0].endswith(".dist-info") and parts[1] in {"entry_points.txt", "licenses"}:
        yield parts[1]
    if parts[0].endswith(".pth"):
        yield ".pth"


def skip(error: Unavailable, *, required: bool) -> NoReturn:
    """Skip the test for want of something; fail it where that is required."""
    if required:
        pytest.fail(str(error))
    pytest.skip(str(error))
