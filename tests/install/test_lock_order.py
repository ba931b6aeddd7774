"""Several directories are locked in one order, whoever changes them: nobody waits for another who waits for him."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from install.kit import layout_in, make

if sys.platform != "win32":
    import fcntl

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wheel_linker.install import Layout

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="asks flock(2) who holds a directory"
)

INSTALL: Final = """
import json, sys
from wheel_linker.install import Layout, install_wheel
schemes, wheel = json.loads(sys.argv[1]), sys.argv[2]
install_wheel(wheel, Layout(sys.executable, (3, 11), "posix", "posix", schemes))
"""
INTEGRATION: Final = """
import json, sys
from installer import install
from wheel_linker.integrations.installer import LinkingDestination, UnpackedSource
schemes, wheel = json.loads(sys.argv[1]), sys.argv[2]
install(UnpackedSource(wheel), LinkingDestination(schemes, sys.executable, "posix"), {})
"""


@pytest.fixture
def apart(tmp_path: Path) -> Layout:
    """An environment whose two libraries are two directories."""
    layout = layout_in(tmp_path / "env")
    library = Path(layout.schemes["purelib"])
    schemes = {**layout.schemes, "purelib": f"{library}-a", "platlib": f"{library}-b"}
    for scheme in ("purelib", "platlib"):
        os.makedirs(schemes[scheme])
    return layout._replace(schemes=schemes)


def locked(directory: Path) -> Iterator[int]:
    """Open and lock a directory."""
    fd = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield fd
    finally:
        os.close(fd)


def stages(directory: Path) -> list[str]:
    return [name for name in os.listdir(directory) if name.startswith(".wheel_linker-")]


@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize("program", [INSTALL, INTEGRATION], ids=["install", "integration"])
def test_a_process_that_waits_has_locked_nothing_that_comes_later(
    apart: Layout, tmp_path: Path, program: str, swapped: bool
) -> None:
    import json

    if swapped:
        schemes = dict(apart.schemes)
        schemes["purelib"], schemes["platlib"] = schemes["platlib"], schemes["purelib"]
        apart = apart._replace(schemes=schemes)
    wheel = make(
        tmp_path / "wheel",
        {"demo/__init__.py": b"", "demo-1.0.data/platlib/other/__init__.py": b""},
    )
    libraries = [Path(apart.schemes[scheme]) for scheme in ("purelib", "platlib")]
    first, second = sorted(libraries, key=lambda path: (path.stat().st_dev, path.stat().st_ino))
    command = [sys.executable, "-c", program, json.dumps(dict(apart.schemes)), str(wheel)]
    for _ in locked(first):
        child = subprocess.Popen(command)
        deadline = time.monotonic() + 60
        while not all(map(stages, libraries)):
            assert child.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)
        time.sleep(0.3)  # everything is staged by then, and it waits
        assert child.poll() is None
        for _ in locked(second):
            pass
    assert child.wait(60) == 0
    assert (libraries[1] / "other").is_dir()
