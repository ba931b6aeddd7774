"""Conflicts of new wheels with each other, and with what is installed."""

from __future__ import annotations

import base64
import hashlib
import warnings
from pathlib import Path

import pytest
from wheels import snapshot, write_tree

from install.kit import make, pure, root_of
from wheel_linker import Locks, PackageConflictError, PackageConflictWarning
from wheel_linker.install import Layout, install_wheel, install_wheels, uninstall


@pytest.fixture
def others(layout: Layout, tmp_path: Path) -> None:
    """A distribution that is installed."""
    files = {"shared/a.py": b"A", "shared/same.py": b"", "other-1.0.data/scripts/tool": b"#!/bin/x"}
    install_wheels([make(tmp_path / "other", files, name="other")], layout)


@pytest.mark.usefixtures("others")
@pytest.mark.parametrize(
    "files", [{"shared/a.py": b"B"}, {"demo-1.0.data/scripts/tool": b"#!/bin/y"}]
)
def test_with_what_is_installed(layout: Layout, tmp_path: Path, files: dict[str, bytes]) -> None:
    wheel = make(tmp_path / "w", files)
    before = snapshot(root_of(layout))
    with pytest.raises(PackageConflictError) as caught:
        install_wheels([wheel], layout, on_conflict="error")
    assert snapshot(root_of(layout)) == before
    (conflict,) = caught.value.conflicts
    assert [str(one) for one in conflict.wheels] == ["other-1.0.whl", "demo-1.0-py3-none-any.whl"]
    assert conflict.path.rpartition("/")[2] in {"a.py", "tool"}
    with pytest.warns(PackageConflictWarning, match="other") as warned:
        install_wheels([wheel], layout, on_conflict="warn")
    assert len(warned) == 1
    assert warned[0].filename == __file__


@pytest.mark.usefixtures("others")
def test_a_warning_that_is_an_error_changes_nothing(layout: Layout, tmp_path: Path) -> None:
    before = snapshot(root_of(layout))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(PackageConflictWarning):
            install_wheels(
                [make(tmp_path / "w", {"shared/a.py": b"B"})], layout, on_conflict="warn"
            )
    assert snapshot(root_of(layout)) == before


@pytest.mark.usefixtures("others")
def test_same_contents(layout: Layout, tmp_path: Path) -> None:
    wheel = make(tmp_path / "w", {"shared/same.py": b"", "shared/mine.py": b""})
    install_wheels([wheel], layout, on_conflict="error")


@pytest.mark.usefixtures("others")
def test_with_what_is_replaced(layout: Layout, tmp_path: Path) -> None:
    wheel = make(tmp_path / "w", {"shared/a.py": b"B"}, name="other", version="2.0")
    install_wheels([wheel], layout, on_conflict="error")


def test_among_the_new(layout: Layout, tmp_path: Path) -> None:
    wheels = [make(tmp_path / name, {"x.py": name.encode()}, name=name) for name in ("a", "bb")]
    with pytest.raises(PackageConflictError):
        install_wheels(wheels, layout, on_conflict="error")
    assert not root_of(layout).exists()


@pytest.mark.parametrize(
    "entry", ["old-2004d.dist-info", "old-1.0-dev_r7.dist-info", "old.dist-info"]
)
def test_with_one_of_an_odd_version(layout: Layout, tmp_path: Path, entry: str) -> None:
    """From before versions had rules."""
    write_tree(pure(layout), {f"{entry}/RECORD": b"x.py,sha256=abc,1\n", "x.py": b"a"})
    with pytest.raises(PackageConflictError, match="old"):
        install_wheels([make(tmp_path / "w", {"x.py": b"b"})], layout, on_conflict="error")


def test_hash_with_padding(layout: Layout, tmp_path: Path) -> None:
    digest = base64.urlsafe_b64encode(hashlib.sha256(b"b").digest()).decode()
    write_tree(pure(layout), {"old-1.dist-info/RECORD": f"x.py,sha256={digest},1\n".encode()})
    install_wheels([make(tmp_path / "w", {"x.py": b"b"})], layout, on_conflict="error")


def test_locks_know_what_is_there_now(layout: Layout, tmp_path: Path) -> None:
    """Neither the version before nor what was uninstalled supplies anything any more."""
    locks = Locks()
    for version, text in (("1.0", b"old"), ("2.0", b"newer")):
        wheel = make(tmp_path / version, {"demo.py": text, "shared.py": text}, version=version)
        install_wheel(wheel, layout, locks=locks)
        assert locks.find_package_conflicts() == ()
    other = make(tmp_path / "other", {"shared.py": b"of another"}, name="other")
    install_wheel(other, layout, locks=locks)
    (conflict,) = locks.find_package_conflicts()
    assert [str(wheel.version) for wheel in conflict.wheels] == ["2.0", "1.0"]
    uninstall("demo", layout, locks=locks)
    assert locks.find_package_conflicts() == ()
