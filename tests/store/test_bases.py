"""Stores in layers: what an image's or a team's store has is linked from there, and nothing is written to it."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from wheels import snapshot

from store.archives import FILES, NAME, sha256_of, write_wheel
from store.conftest import settle
from wheel_linker import InvalidWheelError, LinkError, link_wheels
from wheel_linker.install import install_wheels
from wheel_linker.store import WheelStore

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def base(tmp_path: Path, wheel_file: Path) -> Path:
    """A store that has the wheel already."""
    with WheelStore(tmp_path / "base") as store:
        store.add(wheel_file)
    return tmp_path / "base"


@pytest.fixture
def layered(root: Path, base: Path) -> Iterator[WheelStore]:
    """An empty store above it."""
    with WheelStore(root, bases=[base]) as store:
        yield store


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """A wheel file that is not in the base."""
    return settle(write_wheel(tmp_path / "other" / NAME, {"demo/other.py": b"OTHER = 1\n"}))


def test_what_is_in_a_base_is_linked_from_there(
    layered: WheelStore, base: Path, wheel_file: Path, tmp_path: Path
) -> None:
    before = snapshot(base, directory_times=True)
    wheel = layered.add(wheel_file)
    assert Path(wheel.path).is_relative_to(base)
    assert layered.find(sha256_of(wheel_file)) == wheel
    link_wheels(tmp_path / "site", [wheel], mode="hardlink")
    assert (tmp_path / "site/single.py").samefile(Path(wheel.path) / "single.py")
    assert layered.entries() == []
    layered.close()
    assert snapshot(base, directory_times=True) == before


def test_what_is_missing_goes_to_ones_own(
    layered: WheelStore, root: Path, base: Path, wheel_file: Path, other: Path
) -> None:
    before = snapshot(base, directory_times=True)
    for _ in range(2):
        wheels = layered.add_all([other, wheel_file])
        assert [Path(wheel.path).is_relative_to(base) for wheel in wheels] == [False, True]
    (entry,) = layered.entries()
    assert Path(entry.path).is_relative_to(root)
    layered.prune(max_bytes=0)
    layered.close()
    assert snapshot(base, directory_times=True) == before


def test_the_file_is_read_once(
    layered: WheelStore, wheel_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layered.add(wheel_file)

    def fail(_: object) -> str:
        pytest.fail("read again")

    monkeypatch.setattr("wheel_linker._archive.wheel_file.WheelFile.digest", fail)
    layered.add(wheel_file)


def test_the_first_base_comes_first(
    base: Path, tmp_path: Path, wheel_file: Path, other: Path
) -> None:
    with WheelStore(tmp_path / "second") as store:
        store.add_all([wheel_file, other])
    bases = [base, tmp_path / "second"]
    with WheelStore(tmp_path / "own", bases=bases) as store:
        assert store.bases == tuple(map(str, bases))
        found = store.add_all([wheel_file, other])
        assert [Path(each.path).parents[1] for each in found] == bases
        assert store.entries() == []


@pytest.mark.parametrize("damage", ["cut", "removed", "description"])
def test_what_is_damaged_in_a_base_is_made_anew(
    layered: WheelStore, root: Path, base: Path, wheel_file: Path, damage: str
) -> None:
    (entry,) = WheelStore(base).entries()
    path = Path(entry.path) / "single.py"
    if damage == "cut":
        path.write_bytes(b"")
    elif damage == "removed":
        path.unlink()
    else:
        next(p for p in Path(entry.path).parent.iterdir() if p.is_file()).write_bytes(b"no\n")
    before = snapshot(base, directory_times=True)
    wheel = layered.add(wheel_file)
    assert Path(wheel.path).is_relative_to(root)
    assert (Path(wheel.path) / "single.py").read_bytes() == FILES["single.py"]
    layered.close()
    assert snapshot(base, directory_times=True) == before


def test_installing(layered: WheelStore, base: Path, wheel_file: Path, tmp_path: Path) -> None:
    from install.kit import layout_in

    layout = layout_in(tmp_path / "env")
    (report,) = install_wheels([wheel_file], layout, store=layered, mode="symlink")
    single = Path(layout.schemes["purelib"]) / "single.py"
    assert single.resolve().is_relative_to(base.resolve())
    assert report.link.files > 0


def test_another_digest_is_refused(layered: WheelStore, wheel_file: Path) -> None:
    with pytest.raises(InvalidWheelError, match="should have"):
        layered.add(wheel_file, sha256="0" * 64)
    assert layered.add(wheel_file, sha256=sha256_of(wheel_file)).digest == sha256_of(wheel_file)


def test_one_that_is_missing_is_an_error(root: Path, tmp_path: Path, wheel_file: Path) -> None:
    missing = tmp_path / "missing"
    with WheelStore(root, bases=[missing]) as store, pytest.raises(LinkError, match="missing"):
        store.add(wheel_file)
    assert not missing.exists()


def test_of_another_user_has_to_be_trusted(
    root: Path, base: Path, tmp_path: Path, wheel_file: Path
) -> None:
    if sys.platform == "win32" or os.geteuid() != 0:
        pytest.skip("gives a store away as root")
    for path in (base, *base.rglob("*")):
        os.chown(path, 12345, 12345, follow_symlinks=False)
    with WheelStore(root, bases=[base]) as store, pytest.raises(LinkError, match="belongs to"):
        store.add(wheel_file)
    with WheelStore(root, bases=[base], trusted=True) as store:
        wheel = store.add(wheel_file, sha256=sha256_of(wheel_file))
        assert Path(wheel.path).is_relative_to(base)
        link_wheels(tmp_path / "site", [wheel])


def test_a_base_is_kept_from_pruning(layered: WheelStore, base: Path, wheel_file: Path) -> None:
    wheel = layered.add(wheel_file)
    with WheelStore(base) as store:
        assert store.prune(max_bytes=0) == []
        layered.close()
        (gone,) = store.prune(max_bytes=0)
    assert gone.name == wheel.entry
