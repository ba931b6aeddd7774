"""Symlinks in wheel files: those that stay inside are kept by a store, and installed as what they are."""

from __future__ import annotations

import csv
import os
import stat
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from wheels import snapshot

from store.archives import FILES, NAME, RECORD, claim, info, record_of, write_archive
from wheel_linker import InvalidWheelError, link_wheel_files, unpack_wheel
from wheel_linker._wheel.scan import scan
from wheel_linker.install import Layout, check_environment, install_wheel, uninstall
from wheel_linker.store import WheelStore

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wheel_linker._wheel.record_problems import RecordMode
    from wheel_linker.store import StoredWheel

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="not everybody may make symlinks there"
)
LINKS: Final[Mapping[str, str]] = {
    "demo/link.py": "__init__.py",
    "demo/twice.py": "link.py",
    "demo/sub/deep/up.py": "../../../single.py",
    "demo/down": "sub/deep",
    "demo/nowhere": "missing",
    "demo/only/links/here.py": "../../tool.sh",
    "top.py": "demo/sub/../__init__.py",
}
LED_TO: Final[Mapping[str, str]] = {
    "demo/link.py": "demo/__init__.py",
    "demo/twice.py": "demo/__init__.py",
    "demo/sub/deep/up.py": "single.py",
    "demo/only/links/here.py": "demo/tool.sh",
    "top.py": "demo/__init__.py",
}


def write_linked(path: Path, links: Mapping[str, str], *, of_text: bool = True) -> Path:
    """Write a wheel with symlinks in it.

    :param of_text: whether RECORD has the hash of what the archive has for each, and not of what it leads to.
    """
    said = {name: text.encode() for name, text in links.items()}
    if not of_text:
        said.update({name: FILES.get(LED_TO.get(name, ""), b"") for name in links})
    write_archive(path, {**FILES, RECORD: record_of({**FILES, **said})})
    with zipfile.ZipFile(path, "a") as archive:
        for name, target in links.items():
            archive.writestr(info(name, stat.S_IFLNK | 0o777), target)
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write_linked(tmp_path / "dist" / NAME, LINKS)


@pytest.fixture
def linked(store: WheelStore, path: Path) -> StoredWheel:
    return store.add(path)


def targets(root: Path) -> dict[str, str]:
    links = (p for p in root.rglob("*") if p.is_symlink())
    return {p.relative_to(root).as_posix(): os.readlink(p) for p in links}


@pytest.mark.parametrize("record", ["lenient", "strict"])
@pytest.mark.filterwarnings("error")
def test_are_kept(store: WheelStore, path: Path, record: RecordMode) -> None:
    stored = store.add(path, record=record)
    assert targets(Path(stored.path)) == LINKS
    assert store.verify(deep=True) == []
    (entry,) = store.entries()
    assert entry.files == len(FILES) + len(LINKS) + 1
    assert store.add(path).entry == stored.entry


def test_are_known_without_a_scan(linked: StoredWheel) -> None:
    known, found = linked.known_tree(), scan(linked.path)
    assert [(d.parts, sorted(d.files), sorted(d.links), d.end) for d in known.directories] == [
        (d.parts, sorted(d.files), sorted(d.links), d.end) for d in found.directories
    ]
    assert known.files == found.files


@pytest.mark.parametrize("mode", ["copy", "hardlink", "symlink"])
def test_are_linked_as_they_are(tmp_path: Path, linked: StoredWheel, mode: str) -> None:
    link_wheel_files(tmp_path / "site", linked, mode=mode)
    found = targets(tmp_path / "site")
    assert {name: found[name] for name in LINKS} == LINKS


def rows_of(record: Path) -> dict[str, tuple[str, str]]:
    with open(record, newline="", encoding="utf-8") as file:
        return {path: (claimed, size) for path, claimed, size in csv.reader(file)}


@pytest.mark.parametrize("of_text", [False, True])
@pytest.mark.parametrize("loses_rows", [False, True])
def test_are_installed_and_uninstalled(
    tmp_path: Path, store: WheelStore, *, of_text: bool, loses_rows: bool
) -> None:
    links = LINKS if of_text else {name: LINKS[name] for name in LED_TO}
    linked = store.add(write_linked(tmp_path / "dist" / NAME, links, of_text=of_text))
    if loses_rows:
        Path(linked.path).with_name("rows").write_bytes(b"")
    before = snapshot(Path(store.root))
    layout = Layout.for_target(tmp_path / "env")
    report = install_wheel(linked, layout)
    site = Path(report.dist_info).parent
    assert targets(site) == links
    rows = rows_of(Path(report.dist_info, "RECORD"))
    for name in links:
        content = FILES.get(LED_TO.get(name, ""))
        assert rows[name] == (("", "") if content is None else (claim(content), str(len(content))))
    for name, data in FILES.items():
        assert rows[name] == (claim(data), str(len(data)))
    assert check_environment(layout).is_sound()
    uninstall("demo", layout)
    assert not site.exists() or list(site.rglob("*")) == []
    if loses_rows:
        # What is destroyed is removed, so that nobody takes the entry for whole.
        del before[f"{linked.entry}/rows"]
    assert snapshot(Path(store.root)) == before


def test_to_a_script_that_is_rewritten(tmp_path: Path, store: WheelStore) -> None:
    data = "demo-1.0.data/scripts"
    files = {
        **FILES,
        f"{data}/run": b"#!python\n",
        f"{data}/demo": b"#!python\n",
        "demo-1.0.dist-info/entry_points.txt": b"[console_scripts]\ndemo = demo:run\n",
    }
    links = {"to-run": "run", "to-demo": "demo", "again": "to-run"}
    said = {f"{data}/{name}": target.encode() for name, target in links.items()}
    path = write_archive(tmp_path / "dist" / NAME, {**files, RECORD: record_of({**files, **said})})
    with zipfile.ZipFile(path, "a") as archive:
        for name, target in said.items():
            archive.writestr(info(name, stat.S_IFLNK | 0o777), target)
    layout = Layout.for_target(tmp_path / "env")
    install_wheel(store.add(path), layout)
    scripts = Path(layout.schemes["scripts"])
    assert targets(scripts) == links
    assert check_environment(layout).is_sound()


@pytest.mark.parametrize("damage", ["elsewhere", "gone", "a file", "a directory"])
def test_damage_is_found_and_mended(
    store: WheelStore, linked: StoredWheel, path: Path, damage: str
) -> None:
    link = Path(linked.path, "demo/link.py")
    link.unlink()
    if damage == "elsewhere":
        link.symlink_to("/etc/passwd")
    elif damage == "a file":
        link.write_bytes(FILES["demo/__init__.py"])
    elif damage == "a directory":
        link.mkdir()
    kind = "missing" if damage in ("gone", "a directory") else "changed"
    assert [(each.path, each.kind) for each in store.verify()] == [("demo/link.py", kind)]
    again = store.add(path)
    assert again.entry == linked.entry
    assert targets(Path(again.path)) == LINKS
    assert store.verify(deep=True) == []


def test_one_that_was_added_is_moved_away(
    store: WheelStore, linked: StoredWheel, path: Path
) -> None:
    Path(linked.path, "demo/more").symlink_to("sub")
    assert [(each.path, each.kind) for each in store.verify()] == [("demo/more", "added")]
    store.repair(linked.digest, path)
    assert targets(Path(linked.path)) == LINKS


def test_are_removed_with_their_entry(tmp_path: Path, store: WheelStore, path: Path) -> None:
    entry = store.add(path).entry
    store.close()
    with WheelStore(tmp_path / "store") as other:
        other.remove(entry)
    assert not Path(store.root, entry).exists()


@pytest.mark.parametrize("record", ["lenient", "strict"])
@pytest.mark.filterwarnings("error")
def test_one_to_nothing_is_an_empty_file(
    tmp_path: Path, store: WheelStore, record: RecordMode
) -> None:
    # As in nodejs-bin 18.4.0a4; pip and uv make the same of it.
    path = write_linked(tmp_path / "dist" / NAME, {"demo/bin/npm": ""})
    for made in (store.add(path, record=record), unpack_wheel(path, tmp_path / "out")):
        assert Path(made.path, "demo/bin/npm").read_bytes() == b""
        assert targets(Path(made.path)) == {}


def test_record_is_none(tmp_path: Path, store: WheelStore) -> None:
    path = write_archive(tmp_path / "dist" / NAME, FILES)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(info(RECORD, stat.S_IFLNK | 0o777), "METADATA")
    with pytest.raises(InvalidWheelError, match="has no file"):
        store.add(path)
