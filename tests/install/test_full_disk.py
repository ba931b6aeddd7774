"""An uninstall on a disk with no room left is done, or everything is as it was."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from wheels import snapshot

from install.kit import layout_in, make, no_litter, root_of
from wheel_linker import LinkError
from wheel_linker.install import install_wheel, uninstall

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.parametrize("free", range(13))
def test_uninstalling_with_few_inodes(
    make_small_tmpfs: Callable[[str], Path], tmp_path: Path, free: int
) -> None:
    """Each of the four directories that something is removed from takes a stage of three."""
    disk = make_small_tmpfs("size=1m,nr_inodes=200")
    layout = layout_in(disk / "env")
    name = "demo-1.0"
    wheel = make(
        tmp_path / "wheel",
        {
            "demo/a/b/__init__.py": b"",
            "demo/__init__.py": b"",
            f"{name}.data/scripts/tool": b"#!python\n",
            f"{name}.data/data/share/page": b"",
            f"{name}.data/headers/demo.h": b"",
        },
    )
    install_wheel(wheel, layout)
    ballast = fill(disk)
    for path in ballast[:free]:
        path.unlink()
    before = snapshot(root_of(layout))
    refusal = ""
    try:
        uninstall("demo", layout)
    except LinkError as error:
        refusal = str(error)
    assert "put back" not in refusal
    if refusal:
        assert snapshot(root_of(layout)) == before
    else:
        assert not list(disk.rglob("demo*"))
    assert no_litter(root_of(layout))
    for path in ballast[free:]:
        path.unlink()
    install_wheel(wheel, layout)
    uninstall("demo", layout)


def fill(disk: Path) -> list[Path]:
    """Make files until there can be no more; return them."""
    made: list[Path] = []
    while True:
        try:
            made.append(disk / f"ballast{len(made)}")
            made[-1].touch()
        except OSError:
            return made[:-1]
