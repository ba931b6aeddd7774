"""Published wheels that are odd: a pinned list, downloaded by pip for whatever platform each is for."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from images import Unavailable
from packaging.tags import sys_tags
from packaging.utils import parse_wheel_filename

from real_tools.environment import CommandError, run

if TYPE_CHECKING:
    from collections.abc import Iterable

KEPT: Final = "WHEEL_LINKER_TEST_ODD_WHEELS"
"""The environment variable that names the directory where they are kept from one run to the next."""
PINS: Final = Path(__file__).with_name("odd.txt")
# What pip is told to be for wheels that any Python 3 may have.
_PYTHON: Final = "3.11"


class Pin(NamedTuple):
    """One wheel of the list."""

    filename: str
    digest: str
    """SHA-256 of the file, in hexadecimal digits."""

    @property
    def project(self) -> str:
        """The project's name, as the file has it."""
        return self.filename.partition("-")[0]

    @property
    def requirement(self) -> str:
        """What pip is asked for."""
        version = self.filename.split("-")[1]
        return f"{self.project}=={version} --hash=sha256:{self.digest}"

    def target(self) -> tuple[str, ...]:
        """Return pip's options for the first of the platforms that it is for."""
        python, abi, platform = self.filename.removesuffix(".whl").rsplit("-", 3)[1:]
        known = re.match(r"(cp|pp)(\d)(\d+)$", python.partition(".")[0])
        implementation, version = "py", _PYTHON
        if known is not None and abi != "none":
            implementation, version = known[1], f"{known[2]}.{known[3]}"
        return (
            *("--implementation", implementation),
            *("--python-version", version),
            *("--abi", abi.partition(".")[0]),
            *("--platform", platform.partition(".")[0]),
        )


def pins() -> list[Pin]:
    """Return the list."""
    lines = PINS.read_text(encoding="utf-8").splitlines()
    return [Pin(*line.split()) for line in lines if line and not line.startswith("#")]


def download(wanted: Iterable[Pin], directory: Path) -> None:
    """Download what is not there yet, with the user's configuration of pip, which compares the hashes.

    :raises Unavailable: if that fails.
    """
    calls: dict[tuple[tuple[str, ...], int], list[Pin]] = {}
    for pin in wanted:
        if not is_there(pin, directory):
            target, number = pin.target(), 0
            # pip refuses two versions of one project at once.
            while any(pin.project == one.project for one in calls.get((target, number), ())):
                number += 1
            calls.setdefault((target, number), []).append(pin)
    pip = [sys.executable, "-m", "pip", "download", "--disable-pip-version-check", "--quiet"]
    options = ["--no-deps", "--only-binary=:all:", "--require-hashes", "--dest", str(directory)]
    for (target, _), together in calls.items():
        requirements = directory / "requirements.txt"
        requirements.write_text("".join(f"{pin.requirement}\n" for pin in together))
        try:
            run(*pip, *options, *target, "--requirement", requirements, configured=True)
        except CommandError as error:
            raise Unavailable(f"wheels cannot be downloaded: {error}") from error


def is_there(pin: Pin, directory: Path) -> bool:
    """Tell whether a wheel has been downloaded, whole."""
    path = directory / pin.filename
    if not path.is_file():
        return False
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest() == pin.digest


def for_this_interpreter(wheel: Path, directory: Path) -> Path:
    """Return the wheel, or a copy called as if it were for any platform, as else no tool would install it."""
    if not parse_wheel_filename(wheel.name)[3].isdisjoint(sys_tags()):
        return wheel
    stem = "-".join(wheel.name.split("-")[:-3])
    copy = directory / f"{stem}-py3-none-any.whl"
    try:
        os.link(wheel, copy)
    except OSError:
        shutil.copyfile(wheel, copy)
    return copy
