"""The file systems that the other tests rely on are what they are called."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from filesystems import (
    CHOSEN,
    CLONING,
    GIVEN,
    LOCAL,
    NAMES,
    REQUIRED,
    FileSystems,
    can_clone,
    places,
)
from images import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.parametrize("name", NAMES)
def test_only_btrfs_and_xfs_clone(name: str, on_filesystem: Callable[[str], Path]) -> None:
    assert can_clone(on_filesystem(name)) == (name in CLONING)


def test_directories_can_be_given(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    given = os.pathsep.join([f"btrfs={one}", f"xfs={two}"])
    with FileSystems({GIVEN: given}) as filesystems:
        assert filesystems.directory("btrfs") == one
        assert filesystems.directory("xfs") == two
        assert not filesystems.required


@pytest.mark.skipif(sys.platform != "linux", reason="nothing is mounted elsewhere")
def test_mounts_of_a_killed_session_are_removed_by_the_next(tmp_path: Path) -> None:
    script = (
        "import os, signal\n"
        "from filesystems import FileSystems\n"
        "print(FileSystems({}).directory('tmpfs'), flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    environment = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": str(Path(__file__).parent)}

    def session(script: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", script],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    point = session(script).stdout.strip()
    if not point:
        pytest.skip("nothing can be mounted here")
    assert os.path.ismount(point)
    session(
        "from filesystems import FileSystems\nwith FileSystems({}) as f: print(f.directory('tmpfs'))"
    )
    assert not os.path.ismount(point)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(("required", "expected"), [("0", "2 skipped"), ("1", "1 failed, 1 error")])
def test_what_needs_one_that_cannot_be_had_is_skipped_unless_it_is_required(
    tmp_path: Path, required: str, expected: str
) -> None:
    """Whether it is a fixture that finds out, or the test itself."""
    (tmp_path / "test_it.py").write_text(
        "import pytest\n"
        "from images import run\n"
        "@pytest.fixture\n"
        "def made(): run('mkfs.nonesuch')\n"
        "def test_by_fixture(made): pass\n"
        "def test_itself(): run('mkfs.nonesuch')\n"
    )
    environment = {**os.environ, REQUIRED: required, "PYTHONPATH": str(Path(__file__).parent)}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "conftest", "-p", "no:cacheprovider", str(tmp_path)],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert expected in done.stdout


def test_an_unknown_file_system_is_unavailable() -> None:
    with FileSystems({}) as filesystems, pytest.raises((Unavailable, KeyError)):
        filesystems.directory("fat")


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        ("", [*NAMES, LOCAL]),
        ("xfs", ["xfs"]),
        (os.pathsep.join(["local", "ext4"]), ["local", "ext4"]),
    ],
)
def test_places_are_all_or_those_asked_for(chosen: str, expected: list[str]) -> None:
    assert places({CHOSEN: chosen}) == expected


def test_an_unknown_place_is_refused() -> None:
    with pytest.raises(ValueError, match="'xsf' is none of ext4"):
        places({CHOSEN: "xsf"})
