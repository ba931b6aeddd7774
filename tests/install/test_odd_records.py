"""What is installed from a wheel whose ``RECORD`` is not right has one that is."""

from __future__ import annotations

import os
import sys
import warnings
import zipfile
from pathlib import Path

import pytest
from odd_records import CONTENT, HARMLESS, RECORDS, write_odd
from store.archives import RECORD, claim

from install.kit import check_recorded, make, pure, root_of, rows
from wheel_linker import InvalidWheelError, RecordWarning, link_wheels
from wheel_linker.install import InstallReport, Layout, install_wheel, install_wheels, uninstall
from wheel_linker.store import WheelStore

INFO = "demo-1.0.dist-info"


def files_in(layout: Layout) -> list[str]:
    root = root_of(layout)
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


def check_right(layout: Layout, report: InstallReport, name: str) -> None:
    check_recorded(layout, INFO)
    assert {problem.kind for problem in report.record_problems} == RECORDS[name][0]
    recorded = rows(layout)
    for path, data in CONTENT.items():
        if not path.startswith("demo-1.0.data/"):
            assert recorded[path] == (claim(data), str(len(data)))


@pytest.mark.filterwarnings("ignore::wheel_linker.RecordWarning")
@pytest.mark.parametrize("way", ["file", "store"])
@pytest.mark.parametrize("name", RECORDS)
def test_of_a_wheel_file(layout: Layout, tmp_path: Path, name: str, way: str) -> None:
    path = write_odd(tmp_path, name)
    if way == "file":
        check_right(layout, install_wheel(path, layout), name)
        uninstall("demo", layout)
        assert files_in(layout) == []
        return
    with WheelStore(tmp_path / "store") as store:
        for _ in range(2):
            check_right(layout, install_wheel(path, layout, store=store), name)
        uninstall("demo", layout)
        assert files_in(layout) == []
        (report,) = link_wheels(tmp_path / "site", [store.add(path)])
        assert {problem.kind for problem in report.record_problems} == RECORDS[name][0]


# What has the right size is taken for what its row says.
UNSEEN = frozenset({"hash"})
ADDED_SINCE = frozenset({"extra", "no-hash", "crlf", "duplicate", "spelling"})


@pytest.mark.parametrize("name", [name for name in RECORDS if name != "another hash"])
def test_of_an_unpacked_wheel(layout: Layout, tmp_path: Path, name: str) -> None:
    kinds = RECORDS[name][0] - UNSEEN
    with zipfile.ZipFile(write_odd(tmp_path, name)) as archive:
        archive.extractall(tmp_path / "unpacked")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", RecordWarning)
        report = install_wheel(tmp_path / "unpacked", layout)
    assert len(caught) == (0 if kinds <= ADDED_SINCE else 1)
    check_recorded(layout, INFO)
    assert {problem.kind for problem in report.record_problems} == kinds
    uninstall("demo", layout)
    assert files_in(layout) == []


@pytest.mark.filterwarnings("ignore:.*another hash:wheel_linker.RecordWarning")
def test_of_an_unpacked_wheel_that_was_edited(layout: Layout, tmp_path: Path) -> None:
    """Of the same size as before: read is what was modified after RECORD was."""
    wheel = make(tmp_path / "w", {"demo.py": b"VALUE = 1\n", "other.py": b"", "same.py": b"#"})
    for path in wheel.rglob("*"):
        os.utime(path, (1_000_000_000, 1_000_000_000))
    (wheel / "demo.py").write_bytes(b"VALUE = 2\n")
    os.utime(wheel / "same.py")
    report = install_wheel(wheel, layout)
    check_recorded(layout, INFO)
    assert [(one.kind, one.path) for one in report.record_problems] == [("hash", "demo.py")]


@pytest.mark.skipif(sys.platform == "win32", reason="not everybody may make symlinks there")
@pytest.mark.filterwarnings("error")
def test_of_an_unpacked_wheel_with_symlinks(layout: Layout, tmp_path: Path) -> None:
    """Its RECORD may have the hash of the text that an archive has for a symlink, which is that of no file."""
    wheel = make(tmp_path / "w", {"demo.py": b"VALUE = 1\n"})
    for name, target in (("link.py", "demo.py"), ("nowhere", "missing"), ("down", ".")):
        (wheel / name).symlink_to(target)
        with open(wheel / INFO / "RECORD", "a", encoding="utf-8") as record:
            record.write(f"{name},{claim(target.encode())},{len(target)}\n")
    install_wheel(wheel, layout)
    recorded = rows(layout)
    assert recorded["link.py"] == recorded["demo.py"] == (claim(b"VALUE = 1\n"), "10")
    assert recorded["nowhere"] == recorded["down"] == ("", "")
    uninstall("demo", layout)
    assert files_in(layout) == []


@pytest.mark.parametrize("name", [name for name in RECORDS if name not in HARMLESS])
def test_strictly_it_is_refused(layout: Layout, tmp_path: Path, name: str) -> None:
    path = write_odd(tmp_path, name)
    with pytest.raises(InvalidWheelError) as caught:
        install_wheels([path], layout, record="strict")
    assert str(path) in str(caught.value)
    assert not root_of(layout).exists()


def test_unknown_word(layout: Layout, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="lenient, strict"):
        install_wheel(write_odd(tmp_path, "edited"), layout, record="")  # type: ignore[arg-type]


@pytest.mark.parametrize("way", ["file", "store", "unpacked"])
@pytest.mark.parametrize("listed", [False, True])
def test_signatures_go_with_the_rest(
    layout: Layout, tmp_path: Path, way: str, listed: bool
) -> None:
    """They have no row in the wheel's own ``RECORD``, or one without a hash."""
    from wheels import zip_wheel

    wheel = make(tmp_path / "w", {})
    (wheel / INFO / "RECORD.jws").write_text("{}")
    if listed:
        with (wheel / INFO / "RECORD").open("a") as file:
            file.write(f"{RECORD}.jws,,\n")
    given = wheel if way == "unpacked" else zip_wheel(wheel, tmp_path)
    with WheelStore(tmp_path / "store") as store:
        install_wheel(given, layout, store=store if way == "store" else None)
    assert rows(layout)[f"{RECORD}.jws"] == (claim(b"{}"), "2")
    uninstall("demo", layout)
    assert not (pure(layout) / INFO).exists()


def test_a_record_that_is_too_large_is_refused(layout: Layout, tmp_path: Path) -> None:
    wheel = make(tmp_path / "w", {}, record=b"," * 2_000_000)
    with pytest.raises(InvalidWheelError, match="its RECORD has") as caught:
        install_wheel(wheel, layout)
    assert str(wheel) in str(caught.value)
