"""Bytecode that is made while installing is in RECORD, so that whatever removes the distribution removes it, too."""

from __future__ import annotations

import csv
import os
import sys
from importlib.util import cache_from_source
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from wheels import snapshot

from install.kit import check_recorded, files_in, make, no_litter, pure, root_of, rows
from wheel_linker import LinkError, LinkMode
from wheel_linker._link.transaction import Transaction
from wheel_linker.install import (
    Layout,
    install_wheel,
    install_wheels,
    plan_uninstall,
    sync_wheels,
    uninstall,
)

if TYPE_CHECKING:
    from collections.abc import Callable

INFO = "demo-1.0.dist-info"
STAMP = 1_000_000_000


def bytecode_in(layout: Layout) -> set[str]:
    return {path for path in files_in(root_of(layout)) if path.endswith(".pyc")}


def recorded_bytecode(layout: Layout, info: str = INFO) -> set[str]:
    """Return the rows of bytecode, which must have neither hash nor size, as paths in the environment."""
    found = {path: row for path, row in rows(layout, info).items() if path.endswith(".pyc")}
    assert set(found.values()) <= {("", "")}
    home = pure(layout).relative_to(root_of(layout))
    return {Path(os.path.normpath(home / path)).as_posix() for path in found}


def test_all_of_it_is_recorded(layout: Layout, older: Path, mode: LinkMode) -> None:
    install_wheel(older, layout, mode=mode, compile_bytecode=True)
    assert len(bytecode_in(layout)) == 6
    assert recorded_bytecode(layout) == bytecode_in(layout)
    assert no_litter(root_of(layout))
    without = {path for path, row in rows(layout).items() if not path.endswith(".pyc")}
    uninstall("demo", layout)
    install_wheel(older, layout, mode=mode)
    assert rows(layout).keys() == without


def test_what_cannot_be_compiled_is_not(layout: Layout, tmp_path: Path) -> None:
    wheel = make(tmp_path / "w", {"template.py": b"{% x %}\n", "pack/good.py": b""})
    install_wheel(wheel, layout, compile_bytecode=True)
    (path,) = recorded_bytecode(layout)
    assert path.endswith(cache_from_source("pack/good.py"))


def test_with_an_upgrade(layout: Layout, older: Path, newer: Path) -> None:
    install_wheel(older, layout, compile_bytecode=True)
    report = install_wheel(newer, layout, compile_bytecode=True)
    assert recorded_bytecode(layout, "demo-2.0.dist-info") == bytecode_in(layout)
    assert not [path for path in report.removed if path.endswith(".pyc")]
    install_wheel(older, layout)
    assert bytecode_in(layout) == set()
    check_recorded(layout, INFO)


def test_reports_do_not_list_it(layout: Layout, older: Path) -> None:
    install_wheel(older, layout, compile_bytecode=True)
    planned = plan_uninstall("demo", layout).removed_files
    assert tuple(planned) == uninstall("demo", layout).removed
    assert not [path for path in planned if path.endswith(".pyc")]
    assert files_in(root_of(layout)) == set()


def test_with_sync(layout: Layout, older: Path, tmp_path: Path) -> None:
    other = make(tmp_path / "other", {"other.py": b""}, name="other")
    for _ in range(2):
        sync_wheels([older, other], layout, compile_bytecode=True)
        both = recorded_bytecode(layout) | recorded_bytecode(layout, "other-1.0.dist-info")
        assert both == bytecode_in(layout)
    assert sync_wheels([older, other], layout, compile_bytecode=True).installed == ()
    sync_wheels([other], layout, compile_bytecode=True)
    assert bytecode_in(layout) == recorded_bytecode(layout, "other-1.0.dist-info")


def test_that_of_the_wheel_has_one_row(layout: Layout, tmp_path: Path) -> None:
    stale = cache_from_source("pack/mod.py").replace(os.sep, "/")
    wheel = make(tmp_path / "w", {"pack/mod.py": b"X = 1\n", stale: b"of another day"})
    install_wheel(wheel, layout, mode=LinkMode.HARDLINK, compile_bytecode=True)
    assert (wheel / stale).read_bytes() == b"of another day"
    assert recorded_bytecode(layout) == bytecode_in(layout)
    assert sync_wheels([wheel], layout, compile_bytecode=True).installed == ()


def test_where_several_have_a_file(layout: Layout, tmp_path: Path) -> None:
    one, other = (make(tmp_path / name, {"x/m.py": b""}, name=name) for name in ("one", "other"))
    install_wheels([one, other], layout, compile_bytecode=True)
    assert recorded_bytecode(layout, "one-1.0.dist-info") == bytecode_in(layout)
    assert recorded_bytecode(layout, "other-1.0.dist-info") == bytecode_in(layout)
    uninstall("one", layout)
    assert bytecode_in(layout)
    uninstall("other", layout)
    assert files_in(root_of(layout)) == set()


def test_odd_names(layout: Layout, tmp_path: Path) -> None:
    wheel = make(tmp_path / "w", {"pack/a, b.py": b"", "pack/caf\u00e9.py": b""})
    install_wheel(wheel, layout, compile_bytecode=True)
    assert len(bytecode_in(layout)) == 2
    assert recorded_bytecode(layout) == bytecode_in(layout)


def test_times(layout: Layout, older: Path) -> None:
    options = {"compile_bytecode": True, "timestamp": STAMP, "mode": "copy"}
    install_wheels([older], layout, **options)  # type: ignore[arg-type]
    changed = [
        path
        for path in root_of(layout).rglob("*")
        if "site-packages" in path.parts and path.name != "site-packages"
    ]
    assert {path.stat().st_mtime for path in changed} == {float(STAMP)}


def test_together_with_durable(layout: Layout, older: Path) -> None:
    install_wheels([older], layout, compile_bytecode=True, durable=True)
    assert recorded_bytecode(layout) == bytecode_in(layout)


@pytest.mark.skipif(os.name == "nt", reason="is about a shell script")
@pytest.mark.parametrize("deed", ["echo new.py,, >>", "rm"])
def test_what_others_do_meanwhile_stays(layout: Layout, older: Path, deed: str) -> None:
    """An interpreter that, when it has compiled everything, does what another installer may do just then."""
    record = pure(layout) / INFO / "RECORD"
    python = root_of(layout) / "meanwhile"
    python.parent.mkdir()
    python.write_text(f'#!/bin/sh\n"{sys.executable}" "$@"\n{deed} "{record}"\n')
    python.chmod(0o755)
    install_wheel(older, layout._replace(python=str(python)), compile_bytecode=True)
    assert bytecode_in(layout)
    if deed == "rm":
        assert not record.exists()
    else:
        paths = [row[0] for row in csv.reader(record.read_text().splitlines())]
        assert paths[-1] == "new.py"
        assert not [path for path in paths if path.endswith(".pyc")]
    assert no_litter(root_of(layout))


def test_all_records_or_none(
    layout: Layout, older: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk is not to be had at just that moment."""
    other = make(tmp_path / "other", {"other.py": b""}, name="other")
    install_wheels([older, other], layout)
    real: Callable[..., None] = Transaction.replace
    calls = []

    def replace(self: Transaction, *arguments: object) -> None:
        calls.append(arguments)
        # Two RECORD files that announce the install, two of the install, and one of those with bytecode.
        if arguments[-1] == "RECORD" and sum(call[-1] == "RECORD" for call in calls) == 6:
            raise OSError(28, "No space left on device")
        real(self, *arguments)

    monkeypatch.setattr(Transaction, "replace", replace)
    with pytest.raises(LinkError, match=r"RECORD.*No space left"):
        install_wheels([older, other], layout, compile_bytecode=True)
    assert len(bytecode_in(layout)) == 7
    assert recorded_bytecode(layout) == recorded_bytecode(layout, "other-1.0.dist-info") == set()
    assert no_litter(root_of(layout))
    uninstall(["demo", "other"], layout)
    assert files_in(root_of(layout)) == set()


def test_wheel_is_untouched(layout: Layout, older: Path) -> None:
    before = snapshot(older, directory_times=True)
    install_wheel(older, layout, mode=LinkMode.SYMLINK, compile_bytecode=True)
    assert snapshot(older, directory_times=True) == before
