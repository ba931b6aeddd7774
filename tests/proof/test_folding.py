"""Upgrades whose names change in spelling only, where spelling does not distinguish: APFS, simulated over FUSE."""

from __future__ import annotations

import os
import subprocess
import sys
import unicodedata
from typing import TYPE_CHECKING, Final

import pytest
from wheels import contents, make_wheel

from wheel_linker import LinkMode, PackageConflictError, link_wheels
from wheel_linker.install import Layout, install_wheel, uninstall

if TYPE_CHECKING:
    from pathlib import Path

    from filesystems import FileSystems

NFC: Final = unicodedata.normalize("NFC", "caf\u00e9")
NFD: Final = unicodedata.normalize("NFD", NFC)
CHANGES: Final = {
    "package": ("demo/__init__.py", "Demo/__init__.py"),
    "module": ("demo/Module.py", "demo/module.py"),
    "file": ("demo/data/READ.me", "demo/data/read.me"),
    "directory": ("demo/Data/one", "demo/data/one"),
    "normalisation": (f"{NFC}/__init__.py", f"{NFD}/__init__.py"),
}


@pytest.fixture(scope="module")
def folding(filesystems: FileSystems) -> Path:
    """A directory where neither case nor normalisation distinguishes."""
    known = subprocess.run([sys.executable, "-c", "import fuse"], capture_output=True, check=False)
    if known.returncode:
        pytest.skip("needs fusepy (pip install fusepy) and libfuse2")
    return filesystems.folding()


@pytest.fixture
def site(folding: Path, tmp_path: Path) -> Path:
    return folding / tmp_path.name


def test_it_folds_and_keeps_the_spelling(folding: Path) -> None:
    (folding / "Kept").write_bytes(b"")
    assert (folding / "kEPT").exists()
    assert "Kept" in os.listdir(folding)


@pytest.mark.parametrize("mode", LinkMode)
@pytest.mark.parametrize("change", CHANGES.values(), ids=list(CHANGES))
def test_an_upgrade_that_changes_the_spelling(
    folding: Path, site: Path, mode: LinkMode, change: tuple[str, str]
) -> None:
    old, new = (
        make_wheel(
            site.with_name(f"{site.name}-{version}"), {name: version.encode()}, version=version
        )
        for name, version in zip(change, ("1.0", "2.0"))
    )
    layout = Layout.for_target(site)
    install_wheel(old, layout, mode=mode)
    install_wheel(new, layout, mode=mode)
    assert (site / change[1]).read_bytes() == b"2.0"
    found = {name for name in contents(site) if ".dist-info" not in name}
    assert change[1] in found
    assert change[0] not in found
    uninstall("demo", layout)
    assert contents(site) == {}


@pytest.mark.parametrize("mode", LinkMode)
def test_wheels_that_differ_in_spelling_conflict(
    folding: Path, site: Path, tmp_path: Path, mode: LinkMode
) -> None:
    wheels = [
        make_wheel(
            folding / f"{tmp_path.name}-{wheel}", {f"{name}/one.py": wheel.encode()}, name=wheel
        )
        for name, wheel in (("demo", "first"), ("Demo", "second"))
    ]
    site.mkdir()
    with pytest.raises(PackageConflictError):
        link_wheels(site, wheels, mode=mode, on_conflict="error")
    assert contents(site) == {}
    link_wheels(site, wheels, mode=mode)
    assert (site / "demo/one.py").read_bytes() == b"second"
    assert len([name for name in os.listdir(site) if name.lower() == "demo"]) == 1
