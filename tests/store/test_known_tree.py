"""Linking from a store takes the names from what was unpacked and verified, not from what lies there now."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from wheels import contents, snapshot

from store.archives import NAME, with_record, write_archive
from wheel_linker import InvalidWheelError, LinkError, UnpackedWheel, link_wheel_files
from wheel_linker._wheel.scan import scan
from wheel_linker.backends.macos import MacOSBackend

if TYPE_CHECKING:
    from standins import FakeClonefile

    from wheel_linker._wheel.tree import Tree
    from wheel_linker.store import StoredWheel, WheelStore

MANY = {
    "demo/__init__.py": b"",
    "demo/deep/er/still/x.py": b"x",
    "demo/deep-er/y.py": b"y",
    "a.data/z": b"z",
    "zz/last.py": b"",
    "single.py": b"",
}


def described(tree: Tree) -> list[tuple[object, ...]]:
    return [(d.parts, sorted(d.files), d.links, d.end) for d in tree.directories]


def test_is_what_a_scan_finds(tmp_path: Path, store: WheelStore, stored: StoredWheel) -> None:
    info = "demo-1.0.dist-info"
    metadata = {f"{info}/METADATA": b"Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n"}
    wheel = b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    files = {**MANY, **metadata, f"{info}/WHEEL": wheel, f"{info}/licenses/x": b""}
    many = store.add(write_archive(tmp_path / "many" / NAME, with_record(files)))
    for one in (stored, many):
        known, found = one.known_tree(), scan(one.path)
        assert described(known) == described(found)
        assert known[:2] + known[3:] == found[:2] + found[3:]


def test_of_no_store_is_not_known(stored: StoredWheel) -> None:
    assert UnpackedWheel(stored.path).known_tree() is None


def test_what_was_added_since_is_not_linked(tmp_path: Path, stored: StoredWheel) -> None:
    expected = contents(Path(stored.path))
    (Path(stored.path) / "added.py").write_bytes(b"raise SystemExit\n")
    link_wheel_files(tmp_path / "site", stored)
    assert contents(tmp_path / "site") == expected


@pytest.mark.skipif(sys.platform == "win32", reason="clonefile is a POSIX call")
def test_what_was_added_since_is_seen_where_everything_is_cloned(
    tmp_path: Path, stored: StoredWheel, fake_clonefile: FakeClonefile
) -> None:
    (Path(stored.path) / "outside").symlink_to(tmp_path)
    backend = MacOSBackend(library=fake_clonefile.library)
    with pytest.raises(ValueError, match="outside"):
        link_wheel_files(tmp_path / "site", stored, mode="clone", backend=backend)


@pytest.mark.parametrize("mode", ["copy", "hardlink"])
def test_what_was_removed_since_is_an_error(tmp_path: Path, stored: StoredWheel, mode: str) -> None:
    site = tmp_path / "site"
    site.mkdir()
    before = snapshot(site)
    victim = next(path for path in sorted(Path(stored.path).rglob("*.py")))
    victim.unlink()
    with pytest.raises(LinkError, match=victim.name):
        link_wheel_files(site, stored, mode=mode)
    assert snapshot(site) == before


@pytest.mark.parametrize("damage", [b"", b"x", b"\n1 - sha256=x", b"\n1 - sha256=x\n", b"\n\n"])
def test_nothing_is_linked_by_a_broken_manifest(
    tmp_path: Path, root: Path, stored: StoredWheel, damage: bytes
) -> None:
    manifest = root / stored.entry / "entry"
    text = manifest.read_bytes()
    manifest.write_bytes(text[: -len(text) // 3] if not damage else text.rstrip(b"\n") + damage)
    before = snapshot(tmp_path)
    with pytest.raises(InvalidWheelError, match="add the wheel again or repair"):
        link_wheel_files(tmp_path / "site", stored)
    assert snapshot(tmp_path) == before


def test_without_a_directory_it_is_what_a_scan_finds(tmp_path: Path, store: WheelStore) -> None:
    many = store.add(write_archive(tmp_path / "many" / NAME, with_record(MANY)))
    known = many.known_tree()
    index = known.find("demo")
    assert index is not None
    shutil.copytree(many.path, tmp_path / "less")
    shutil.rmtree(tmp_path / "less" / "demo")
    less, found = known.without(index), scan(tmp_path / "less")
    assert described(less) == described(found)
    assert less.files == found.files


def test_with_other_files_it_counts_them(tmp_path: Path, store: WheelStore) -> None:
    known = store.add(write_archive(tmp_path / "many" / NAME, with_record(MANY))).known_tree()
    more = known.with_files({("zz",): ["a.py", "b.py", "c.py"], ("demo",): []})
    assert more.files == known.files + 1
    assert set(more.left_out) == {("zz", "last.py"), ("demo", "__init__.py")}
