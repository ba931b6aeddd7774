"""The rules of other platforms, exercised on this one.

The portable path and the macOS backend also go through the contract's suite and the fault injection.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, Final

import pytest
from standins import windows_error
from wheels import make_wheel

from proof.kit import MODES, exact, files_of, is_within, litter, overlapping, package
from proof.windows import Windows
from wheel_linker import LinkError, LinkMode, link_wheel_files
from wheel_linker._link import placer
from wheel_linker._link.fallback import Cause, classify
from wheel_linker.install import Layout, install_wheel, uninstall

if TYPE_CHECKING:
    from pathlib import Path

    from proof.plugin import Figures

pytestmark = pytest.mark.skipif(os.name != "posix", reason="Windows keeps its rules itself")

NOT_SUPPORTED: Final = {1, 17, 50, 1314}
NOT_THIS_FILE: Final = {347, 396, 1142}
PATIENCE: Final = 2.0
"""Seconds, as the documentation has it."""
MOST_ATTEMPTS: Final = 8

HELD: Final = (
    "demo/m0.py",
    "single.py",
    "demo/__pycache__/m0.cpython-311.pyc",
    "demo.pth",
    "demo-1.0.data/scripts/demo",
)


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    return package(tmp_path / "cache" / "demo", 1)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    return overlapping(tmp_path / "site")


@pytest.fixture
def windows(wheel: Path, site: Path, monkeypatch: pytest.MonkeyPatch) -> Windows:
    """Windows, once the scene is set."""
    return Windows(monkeypatch)


def test_error_numbers(figures: Figures) -> None:
    """Each of Windows's numbers has the cause that the contract gives it, whatever errno Python makes of it."""
    for number in range(1, 16_000):
        cause = classify(windows_error(number, 0))
        if number in NOT_SUPPORTED:
            assert cause is Cause.NOT_SUPPORTED
        elif number in NOT_THIS_FILE:
            assert cause is Cause.NOT_THIS_FILE
        else:
            assert cause is Cause.FATAL, number
    figures.add("windows rules", error_numbers=15_999)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("held", HELD)
@pytest.mark.parametrize("attempts", [1, 4, MOST_ATTEMPTS])
def test_a_file_in_use_is_tried_again(
    wheel: Path,
    site: Path,
    windows: Windows,
    mode: LinkMode,
    held: str,
    attempts: int,
    figures: Figures,
) -> None:
    """With growing pauses, until it is free."""
    windows.hold(site / held, attempts)
    link_wheel_files(site, wheel, mode=mode)
    assert is_within(files_of(wheel), files_of(site))
    assert litter(site) == []
    assert len(windows.pauses) == attempts
    assert windows.pauses == sorted(windows.pauses)
    figures.add("windows rules", files_in_use=1, pauses=attempts)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("held", HELD)
def test_a_file_in_use_for_good(
    wheel: Path, site: Path, windows: Windows, mode: LinkMode, held: str, figures: Figures
) -> None:
    """After two seconds the call fails, and everything is put back."""
    before, source = exact(site), exact(wheel)
    windows.hold(site / held)
    with pytest.raises(LinkError) as caught:
        link_wheel_files(site, wheel, mode=mode)
    assert getattr(caught.value.__cause__, "winerror", None) is not None
    assert PATIENCE <= sum(windows.pauses) <= PATIENCE + 0.1
    windows.let_go()
    assert exact(site) == before
    assert exact(wheel) == source
    assert litter(site) == []
    figures.add("windows rules", files_in_use=1, pauses=len(windows.pauses))


@pytest.mark.parametrize("mode", MODES)
def test_a_new_directory_that_is_looked_at(
    wheel: Path, tmp_path: Path, windows: Windows, mode: LinkMode, figures: Figures
) -> None:
    """A virus scanner has a staged file open while its directory is to be moved."""
    windows.hold(tmp_path / "new" / "demo", 3)
    link_wheel_files(tmp_path / "new", wheel, mode=mode)
    assert is_within(files_of(wheel), files_of(tmp_path / "new"))
    assert len(windows.pauses) == 3
    figures.add("windows rules", files_in_use=1, pauses=3)


def test_an_emptied_directory_that_is_looked_at(
    wheel: Path, tmp_path: Path, windows: Windows, figures: Figures
) -> None:
    """An indexer has it open while it is to be removed."""
    layout = Layout.for_target(tmp_path / "target")
    install_wheel(wheel, layout)
    windows.pauses.clear()  # those of waiting for the interpreter that was asked
    windows.hold(tmp_path / "target" / "demo", 3)
    uninstall("demo", layout)
    assert files_of(tmp_path / "target") == {}
    assert len(windows.pauses) == 3
    figures.add("windows rules", files_in_use=1, pauses=3)


class _WindowsNames:
    """The module ``os`` as the library would find it on Windows, as far as symlinks go."""

    name = "nt"

    def __init__(self) -> None:
        self.made: dict[str, bool] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def symlink(
        self,
        target: str,
        path: str,
        target_is_directory: bool = False,
        *,
        dir_fd: int | None = None,
    ) -> None:
        self.made[os.path.basename(path)] = target_is_directory
        os.symlink(target, path, dir_fd=dir_fd)


def test_symlinks_know_what_they_lead_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, figures: Figures
) -> None:
    """Windows has two kinds, one for directories and one for files."""
    wheel = make_wheel(
        tmp_path / "cache",
        {"pkg/sub/x.py": b"", "pkg/y.py": b""},
        links={"pkg/directory": "sub", "pkg/file.py": "y.py", "pkg/dangling": "nowhere"},
    )
    fake = _WindowsNames()
    monkeypatch.setattr(placer, "os", fake)
    link_wheel_files(tmp_path / "site", wheel, mode=LinkMode.COPY)
    assert fake.made == {"directory": True, "file.py": False, "dangling": False}
    figures.add("windows rules", symlinks=len(fake.made))


@pytest.mark.parametrize("mode", MODES)
def test_paths_that_are_too_long(
    tmp_path: Path, wheel: Path, site: Path, windows: Windows, mode: LinkMode, figures: Figures
) -> None:
    """Where long paths are not enabled: an error that names the path, and nothing is left."""
    # Just short enough for the wheel itself, wherever the tests lie; the stage's name makes it too long.
    name = "n" * ((255 - len(f"{tmp_path}/long/pkg////x.py")) // 3)
    long = make_wheel(tmp_path / "long", {f"pkg/{name}/{name}/{name}/x.py": b"", "pkg/y.py": b""})
    before = exact(site)
    windows.limit_paths()
    with pytest.raises(LinkError) as caught:
        link_wheel_files(site, long, mode=mode)
    assert name in str(caught.value)
    assert exact(site) == before
    assert litter(site) == []
    figures.add("windows rules", long_paths=1)


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS has its own call")
def test_every_mode_by_path(
    tmp_path: Path, wheel: Path, site: Path, windows: Windows, figures: Figures
) -> None:
    """All modes over all others, directories held by path."""
    for first in MODES:
        for second in MODES:
            link_wheel_files(site, wheel, mode=first)
            link_wheel_files(site, wheel, mode=second)
            assert is_within(files_of(wheel), files_of(site))
            assert litter(site) == []
            figures.add("windows rules", modes_over_modes=1)
