"""Where a backend clones whole directories, what an installer writes itself or puts elsewhere is taken out again."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
from wheels import SAMPLE, SAMPLE_EXECUTABLES, make_wheel, snapshot

from wheel_linker.backends.macos import MacOSBackend
from wheel_linker.install import Layout, install_wheel

if TYPE_CHECKING:
    from pathlib import Path

    from standins import FakeClonefile

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="clonefile is a POSIX call")


@pytest.mark.parametrize("read_only", [False, True])
def test_whole_clone_gives_what_single_files_give(
    tmp_path: Path, fake_clonefile: FakeClonefile, read_only: bool
) -> None:
    source = make_wheel(tmp_path / "cache", SAMPLE, executables=SAMPLE_EXECUTABLES)
    if read_only:
        for path in ("demo-1.0.dist-info", "demo-1.0.data/scripts", "demo-1.0.data", "demo", ""):
            (source / path).chmod(0o555)
    before = snapshot(source, directory_times=True)
    targets = tmp_path / "cloned", tmp_path / "copied"
    cloned, copied = (Layout.for_target(target) for target in targets)
    backend = MacOSBackend(library=fake_clonefile.library)
    report = install_wheel(source, cloned, mode=("clone",), backend=backend)
    install_wheel(source, copied, mode="copy")
    assert fake_clonefile.calls() < len(SAMPLE)
    assert report.link.fallback_count == 0
    assert {path: entry.digest for path, entry in snapshot(targets[0]).items()} == {
        path: entry.digest for path, entry in snapshot(targets[1]).items()
    }
    assert snapshot(source, directory_times=True) == before
