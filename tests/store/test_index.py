"""The index finds a line whether it searches what it has read or has taken that apart."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from wheel_linker._fs.folder import Folder
from wheel_linker._fs.timestamps import identity
from wheel_linker.store.index import Index, Known, compact
from wheel_linker.store.trust import Standing

if TYPE_CHECKING:
    from pathlib import Path

ENTRY = "abcdefghij"
OTHER = "klmnopqrst"
DIGEST = "0" * 64


@pytest.fixture
def wheel(tmp_path: Path) -> str:
    path = tmp_path / "some wheel"
    path.write_bytes(b"of seven bytes"[:7])
    return os.fspath(path)


@pytest.mark.parametrize("searches", [0, 100])
def test_what_was_added(tmp_path: Path, wheel: str, searches: int) -> None:
    status = os.stat(wheel)
    with Folder.open(os.fspath(tmp_path)) as folder:
        for entry in (OTHER, ENTRY):
            Index(folder).add(folder, wheel, status, Known(DIGEST, entry), Standing())
        index = Index(folder)
        for number in range(searches):
            assert index.find(f"{wheel}{number}", status) is None
        assert index.find(wheel, status) == Known(DIGEST, ENTRY)
        assert index.may_know(status.st_size)
        assert not index.may_know(status.st_size // 2)
        assert not index.may_know(status.st_size * 10)
        index.add(folder, f"{wheel}2", status, Known(DIGEST, OTHER), Standing())
        assert index.find(f"{wheel}2", status) == Known(DIGEST, OTHER)
        assert index.find(wheel, status) == Known(DIGEST, ENTRY)


@pytest.mark.parametrize("searches", [0, 100])
def test_after_compacting(tmp_path: Path, wheel: str, searches: int) -> None:
    status = os.stat(wheel)
    with Folder.open(os.fspath(tmp_path)) as folder:
        for path, entry in ((wheel, ENTRY), (f"{wheel}2", OTHER)):
            Index(folder).add(folder, path, status, Known(DIGEST, entry), Standing())
        compact(folder, lambda entry: entry == ENTRY, Standing())
        index = Index(folder)
        for number in range(searches):
            index.find(f"{wheel}{number + 3}", status)
        assert index.find(wheel, status) == Known(DIGEST, ENTRY)
        assert index.find(f"{wheel}2", status) is None


def test_a_torn_line_is_none(tmp_path: Path, wheel: str) -> None:
    status = os.stat(wheel)
    (tmp_path / "index").write_text(f"\n{identity(status)} {wheel}\t{DIGEST} ab")
    with Folder.open(os.fspath(tmp_path)) as folder:
        assert Index(folder).find(wheel, status) is None


def test_searching_is_quicker_than_taking_apart(tmp_path: Path, wheel: str) -> None:
    """A command line looks up a wheel or two among very many."""
    status = os.stat(wheel)
    lines = (f"\n{n} 1 2 3 /some/where/{n}.whl\t{DIGEST} {ENTRY}\n" for n in range(20_000))
    (tmp_path / "index").write_text("".join(lines))

    def taken(searches: int) -> float:
        start = time.process_time()
        with Folder.open(os.fspath(tmp_path)) as folder:
            index = Index(folder)
            for _ in range(searches):
                index.find(wheel, status)
        return time.process_time() - start

    assert min(taken(1) for _ in range(5)) * 2 < min(taken(20) for _ in range(5))
