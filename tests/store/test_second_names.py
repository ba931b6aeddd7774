"""Files of a store that is the caller's own get no second name once they are a third user's or have set-id bits."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from store.archives import NAME, write_wheel
from store.conftest import settle
from wheel_linker import LinkMode, LinkReport, link_wheels
from wheel_linker._fs.sharing import NotSharedError
from wheel_linker._link import staging
from wheel_linker._link.helper import starting
from wheel_linker.install import Layout, install_wheels
from wheel_linker.store import WheelStore

if TYPE_CHECKING:
    from collections.abc import Callable

    from wheel_linker.store import StoredWheel

if sys.platform == "win32":
    pytest.skip("files have no numbers of users there", allow_module_level=True)

THIRD = 54_321
FILES = {f"demo/part{n}/m{m}.py": b"VALUE = %d\n" % m for n in range(4) for m in range(4)}
TOUCHED = "demo/part2/m1.py"


def give_away(path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root gives files away")
    os.chown(path, THIRD, THIRD)


def set_bits(path: Path) -> None:
    path.chmod(0o644 | stat.S_ISUID | stat.S_ISGID)


@pytest.fixture(params=[give_away, set_bits])
def spoil(request: pytest.FixtureRequest) -> Callable[[Path], None]:
    """What makes a file one that must have no second name, and leaves its size and times as they are."""
    made: Callable[[Path], None] = request.param
    return made


@pytest.fixture(params=[LinkMode.HARDLINK, LinkMode.SYMLINK])
def mode(request: pytest.FixtureRequest) -> LinkMode:
    made: LinkMode = request.param
    return made


@pytest.fixture
def wheel_file(tmp_path: Path) -> Path:
    return settle(write_wheel(tmp_path / "dist" / NAME, FILES))


def is_shared(site: Path, stored: Path, path: str) -> bool:
    return os.path.samefile(site / path, stored / path)


def check(report: LinkReport, site: Path, stored: Path) -> None:
    assert [each for each in FILES if not is_shared(site, stored, each)] == [TOUCHED]
    assert (site / TOUCHED).read_bytes() == FILES[TOUCHED]
    assert not (site / TOUCHED).stat().st_mode & (stat.S_ISUID | stat.S_ISGID)
    assert [(each.path, type(each.error)) for each in report.fallbacks] == [
        (TOUCHED, NotSharedError)
    ]


@pytest.mark.parametrize("before", [True, False], ids=["before it is added again", "after"])
def test_linked(
    store: WheelStore,
    wheel_file: Path,
    tmp_path: Path,
    spoil: Callable[[Path], None],
    mode: LinkMode,
    before: bool,
) -> None:
    stored = store.add(wheel_file)
    if before:
        spoil(path_of(stored) / TOUCHED)
        stored = store.add(wheel_file)
    else:
        spoil(path_of(stored) / TOUCHED)
    (report,) = link_wheels(tmp_path / "site", [stored], mode=mode)
    check(report, tmp_path / "site", path_of(stored))


@pytest.mark.parametrize("jobs", [1, 3])
def test_installed(
    store: WheelStore,
    wheel_file: Path,
    tmp_path: Path,
    spoil: Callable[[Path], None],
    mode: LinkMode,
    jobs: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Helper processes look at files as well."""
    monkeypatch.setattr(starting, "ENTRIES_PER_HELPER", 1)
    monkeypatch.setattr(staging, "_ENTRIES_PER_UNIT", 3)
    stored = path_of(store.add(wheel_file))
    spoil(stored / TOUCHED)
    layout = Layout.for_target(tmp_path / "site")
    (report,) = install_wheels([wheel_file], layout, store=store, mode=mode, jobs=jobs)
    check(report.link, tmp_path / "site", stored)


def test_trusted(
    root: Path, wheel_file: Path, tmp_path: Path, spoil: Callable[[Path], None], mode: LinkMode
) -> None:
    with WheelStore(root, trusted=True) as store:
        stored = store.add(wheel_file)
        spoil(path_of(stored) / TOUCHED)
        (report,) = link_wheels(tmp_path / "site", [stored], mode=mode)
        assert is_shared(tmp_path / "site", path_of(stored), TOUCHED)
        assert report.fallback_count == 0


def test_what_is_sound_is_looked_at_once(
    store: WheelStore, wheel_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An installation looks at each file when it is linked, and takes its owner from that look."""
    stored = path_of(store.add(wheel_file))
    looked: list[str] = []
    really = os.lstat

    def lstat(path: str, *, dir_fd: int | None = None) -> os.stat_result:
        looked.append(os.path.basename(path))
        return really(path, dir_fd=dir_fd)

    layout = Layout.for_target(tmp_path / "site")
    with monkeypatch.context() as patched:
        patched.setattr(os, "lstat", lstat)
        install_wheels([wheel_file], layout, store=store, mode="hardlink", jobs=1)
    assert is_shared(tmp_path / "site", stored, TOUCHED)
    assert {looked.count(f"m{m}.py") for m in range(4)} == {4}


def path_of(stored: StoredWheel) -> Path:
    return Path(stored.path)
