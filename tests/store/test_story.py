"""The whole story: a package is built, installed, edited, and built again at the same path."""

from __future__ import annotations

import contextlib
import importlib
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from store.conftest import settle
from wheel_linker import link_wheels
from wheel_linker.cache_key import environment_cache_key, local_distribution_timestamps
from wheel_linker.store import WheelStore

if TYPE_CHECKING:
    from collections.abc import Iterator

INTERPRETER: Final = "cpython 3.13"
PROJECT: Final = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "story"
version = "1.0"
"""
BUILD: Final = """
import sys
import hatchling.build
print(hatchling.build.build_wheel(sys.argv[1]))
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with one module."""
    directory = tmp_path / "project"
    (directory / "story").mkdir(parents=True)
    (directory / "pyproject.toml").write_text(PROJECT)
    (directory / "story" / "__init__.py").write_text("ANSWER = 41\n")
    return directory


def build(project: Path) -> Path:
    """Build the project's wheel, reproducibly, by its build backend; return where it is, the same each time."""
    pytest.importorskip("hatchling")
    output = project.parent / "dist"
    output.mkdir(exist_ok=True)
    environment = {**os.environ, "SOURCE_DATE_EPOCH": "1580601600"}
    done = subprocess.run(
        [sys.executable, "-c", BUILD, str(output)],
        cwd=project,
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    return output / done.stdout.split()[-1]


@pytest.fixture
def on_path(site: Path) -> Iterator[Path]:
    """The environment, of the running process."""
    sys.path.insert(0, str(site))
    yield site
    sys.path.remove(str(site))
    sys.modules.pop("story", None)


@pytest.mark.parametrize("mode", ["hardlink", "copy", "symlink", "auto"])
@pytest.mark.parametrize("exact", [False, True])
def test_rebuilt_wheel_is_seen_everywhere(
    project: Path, root: Path, on_path: Path, mode: str, exact: bool
) -> None:
    # Somebody builds a wheel, and a tool installs it into an environment that it keeps by a key.
    wheel = build(project)
    key = environment_cache_key([wheel, "requests>=2"], interpreter=INTERPRETER, exact=exact)
    with WheelStore(root) as store:
        first = store.add(wheel)
        link_wheels(on_path, [first], mode=mode)
    story = importlib.import_module("story")
    assert story.ANSWER == 41

    # Nothing has changed: the same key, the same entry.
    settle(wheel)
    again = environment_cache_key(["requests>=2", wheel], interpreter=INTERPRETER, exact=exact)
    assert again == key
    with WheelStore(root) as store:
        assert store.add(wheel) == first

    # An edit that changes no size, a wheel that has the same path, size and time stamps within, and even its own.
    before = wheel.stat()
    (project / "story" / "__init__.py").write_text("ANSWER = 42\n")
    assert build(project) == wheel
    os.utime(wheel, ns=(before.st_atime_ns, before.st_mtime_ns))
    timestamps = local_distribution_timestamps([wheel])
    assert timestamps == {wheel: before.st_mtime_ns}

    # The key has changed, the store has the new content, and linking replaces the old.
    new_key = environment_cache_key([wheel, "requests>=2"], interpreter=INTERPRETER, exact=exact)
    assert new_key != key
    with WheelStore(root) as store:
        second = store.add(wheel)
        assert second.digest != first.digest
        assert store.verify(deep=True) == []
        (report,) = link_wheels(on_path, [second], mode=mode)
    assert "story/__init__.py" in report.replaced

    # The running process gets the new code, once it has dropped the old, without invalidate_caches().
    with contextlib.suppress(KeyError):
        del sys.modules["story"]
    assert importlib.import_module("story").ANSWER == 42
