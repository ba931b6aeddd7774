"""An environment whose two libraries are one directory by a mount, as in some containers, and not by a symlink."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from install.kit import layout_in, make, newer_wheel, older_wheel, pure
from wheel_linker.install import check_environment, install_wheels, installed, uninstall

if TYPE_CHECKING:
    from collections.abc import Iterator

    from filesystems import FileSystems

    from wheel_linker.install import Layout


@pytest.fixture
def layout(filesystems: FileSystems, tmp_path: Path) -> Iterator[Layout]:
    made = layout_in(filesystems.directory("tmpfs") / f"environment-{tmp_path.name}")
    library, also = (Path(made.schemes[scheme]) for scheme in ("purelib", "platlib"))
    library.mkdir(parents=True)
    also.mkdir(parents=True)
    with filesystems.mounted(also, "--bind", str(library)):
        yield made


def test_a_wheel_for_both_libraries(layout: Layout, tmp_path: Path) -> None:
    other = make(tmp_path / "other-1.0", {"other.py": b""}, name="other")
    install_wheels([older_wheel(tmp_path), other], layout, mode="copy")
    assert [one.name for one in installed(layout)] == ["demo", "other"]
    library = pure(layout)
    assert (library / "demo_pure.py").read_bytes() == b"PURE = 1\n"
    assert (library / "demo_plat.py").read_bytes() == b"PLAT = 1\n"
    assert check_environment(layout).is_sound()
    (report,) = install_wheels([newer_wheel(tmp_path)], layout, mode="copy")
    assert report.upgraded == ("1.0",)
    assert not (library / "demo_plat.py").exists()
    removed = uninstall("demo", layout)
    assert removed.versions == ("2.0",)
    assert len(set(removed.removed)) == len(removed.removed)
    uninstall("other", layout)
    assert list(library.iterdir()) == []
