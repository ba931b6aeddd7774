"""Several directories are locked in one order, whoever changes them: nobody waits for another who waits for him."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager
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


@pytest.fixture(params=["first", "last"])
def apart(request: pytest.FixtureRequest, tmp_path: Path) -> Layout:
    """An environment with two libraries, of which the first by path is the first or the last by identity."""
    layout = layout_in(tmp_path / "env")
    library = Path(layout.schemes["purelib"])
    library.mkdir(parents=True)
    made = [library / "made1", library / "made2"]
    for path in made:
        path.mkdir()
    made.sort(key=identity, reverse=request.param == "last")
    for path, name in zip(made, ("a", "b")):
        path.rename(library / name)
    schemes = {**layout.schemes, "purelib": f"{library}/a", "platlib": f"{library}/b"}
    return layout._replace(schemes=schemes)


def identity(directory: Path) -> tuple[int, int]:
    status = directory.stat()
    return status.st_dev, status.st_ino


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Open and lock a directory."""
    fd = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)  # type: ignore[name-defined,unused-ignore]
        yield
    finally:
        os.close(fd)


def stages(directory: Path) -> list[str]:
    return [name for name in os.listdir(directory) if name.startswith(".wheel_linker-")]


def wait_for_stages(child: subprocess.Popen[bytes], libraries: list[Path]) -> None:
    """Wait until a process has staged everything, and waits itself."""
    deadline = time.monotonic() + 60
    while not all(map(stages, libraries)):
        assert child.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    time.sleep(0.3)
    assert child.poll() is None


@pytest.mark.parametrize("program", [INSTALL, INTEGRATION], ids=["install", "integration"])
def test_a_process_that_waits_has_locked_nothing_that_comes_later(
    apart: Layout, tmp_path: Path, program: str
) -> None:
    wheel = make(
        tmp_path / "wheel",
        {"demo/__init__.py": b"", "demo-1.0.data/platlib/other/__init__.py": b""},
    )
    libraries = [Path(apart.schemes[scheme]) for scheme in ("purelib", "platlib")]
    first, second = sorted(libraries, key=identity)
    command = [sys.executable, "-c", program, json.dumps(dict(apart.schemes)), str(wheel)]
    with locked(first):
        child = subprocess.Popen(command)
        try:
            wait_for_stages(child, libraries)
            with locked(second):
                pass
        except BaseException:
            child.kill()
            child.wait()
            raise
    assert child.wait(60) == 0
    assert (libraries[1] / "other").is_dir()
