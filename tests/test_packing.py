"""Wheel files made of unpacked wheels, and the reverse."""

from __future__ import annotations

import os
import stat
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import pytest
from odd_records import write_odd
from store.archives import (
    DIST_INFO,
    FILES,
    NAME,
    RECORD,
    files_below,
    info,
    record_of,
    write_archive,
)
from wheels import snapshot, write_tree

import wheel_linker._archive.packing
from wheel_linker import (
    InvalidWheelError,
    LinkError,
    RecordWarning,
    UnpackedWheel,
    link_wheel_files,
    pack_wheel,
    unpack_wheel,
    write_record,
)
from wheel_linker.store import Limits, WheelStore

if TYPE_CHECKING:
    from collections.abc import Callable

EXECUTABLE = stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    write_tree(tmp_path / "w", FILES)
    (tmp_path / "w" / "demo/tool.sh").chmod(0o755)
    return tmp_path / "w"


class TestWriteRecord:
    def test_has_every_file(self, wheel: Path) -> None:
        path = write_record(wheel)
        assert path == str(wheel / RECORD)
        lines = sorted(Path(path).read_text(encoding="utf-8").splitlines())
        expected = record_of(FILES).decode().replace('"', "")
        assert lines == sorted(expected.splitlines())

    def test_quotes_what_has_to_be(self, wheel: Path) -> None:
        (wheel / "a,b.py").write_text("")
        write_record(wheel)
        assert '"a,b.py",sha256=' in (wheel / RECORD).read_text(encoding="utf-8")

    @pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such names")
    def test_quotes_the_end_of_a_line(self, wheel: Path) -> None:
        (wheel / "a\rb.py").write_text("")
        write_record(wheel)
        assert b'"a\rb.py",sha256=' in (wheel / RECORD).read_bytes()

    def test_replaces_a_hard_link(self, wheel: Path, tmp_path: Path) -> None:
        cached = tmp_path / "cached"
        cached.write_text("other")
        os.link(cached, wheel / RECORD)
        write_record(wheel)
        assert cached.read_text() == "other"
        assert sorted(os.listdir(wheel / DIST_INFO)) == ["METADATA", "RECORD", "WHEEL"]

    def test_leaves_signatures_out(self, wheel: Path) -> None:
        (wheel / f"{RECORD}.jws").write_text("{}")
        write_record(wheel)
        assert "jws" not in (wheel / RECORD).read_text(encoding="utf-8")

    def test_of_no_wheel(self, tmp_path: Path) -> None:
        with pytest.raises(InvalidWheelError, match="has none"):
            write_record(tmp_path)


class TestPack:
    def test_and_unpack(self, wheel: Path, tmp_path: Path) -> None:
        path = pack_wheel(wheel, tmp_path / "dist")
        assert path == str(tmp_path / "dist" / NAME)
        unpacked = unpack_wheel(path, tmp_path / "out", record="strict")
        assert isinstance(unpacked, UnpackedWheel)
        content = files_below(unpacked.path)
        assert content.pop(RECORD)
        assert content == FILES
        if sys.platform != "win32":
            there = Path(unpacked.path)
            runs = {name for name in FILES if (there / name).stat().st_mode & EXECUTABLE}
            assert runs == {"demo/tool.sh"}
        assert not (wheel / RECORD).exists()

    def test_is_one_that_others_read(self, wheel: Path, tmp_path: Path) -> None:
        with zipfile.ZipFile(pack_wheel(wheel, tmp_path)) as archive:
            assert archive.testzip() is None
            names = archive.namelist()
        assert names[-1] == RECORD
        assert all(name.startswith(DIST_INFO) for name in names[-3:])
        assert names[:-3] == sorted(names[:-3])

    def test_makes_the_same_bytes(self, wheel: Path, tmp_path: Path) -> None:
        first = Path(pack_wheel(wheel, tmp_path / "1")).read_bytes()
        again = tmp_path / "again"
        for name in reversed([*FILES]):
            path = again / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(FILES[name])
            os.utime(path, (1e9, 1e9))
        (again / "demo/tool.sh").chmod(0o700)
        (again / "single.py").chmod(0o600)
        (again / RECORD).write_text("an old one")
        assert Path(pack_wheel(again, tmp_path / "2")).read_bytes() == first

    @pytest.mark.parametrize(
        ("timestamp", "expected"),
        [
            (None, (1980, 1, 1, 0, 0, 0)),
            (0, (1980, 1, 1, 0, 0, 0)),
            (1_700_000_001.7, (2023, 11, 14, 22, 13, 20)),
            (9e15, (2107, 12, 31, 23, 59, 58)),
            (10**400, (2107, 12, 31, 23, 59, 58)),
            (-(10**400), (1980, 1, 1, 0, 0, 0)),
        ],
        ids=["none", "0", "odd", "late", "never", "early"],
    )
    def test_gives_one_time(
        self, wheel: Path, tmp_path: Path, timestamp: float | None, expected: tuple[int, ...]
    ) -> None:
        with zipfile.ZipFile(pack_wheel(wheel, tmp_path, timestamp=timestamp)) as archive:
            assert {entry.date_time for entry in archive.infolist()} == {expected}

    @pytest.mark.parametrize("timestamp", [float("nan"), float("inf"), -float("inf")])
    def test_refuses_what_is_no_time(self, wheel: Path, tmp_path: Path, timestamp: float) -> None:
        before = snapshot(tmp_path)
        with pytest.raises(ValueError, match=r"timestamp is .*give seconds since 1970"):
            pack_wheel(wheel, tmp_path / "out", timestamp=timestamp)
        assert snapshot(tmp_path) == before

    def test_replaces_in_one_step(self, wheel: Path, tmp_path: Path) -> None:
        target = tmp_path / "x-1-py3-none-any.whl"
        target.write_text("old")
        assert pack_wheel(wheel, target) == str(target)
        assert zipfile.is_zipfile(target)
        assert sorted(os.listdir(tmp_path)) == ["w", target.name]

    def test_leaves_nothing_when_it_fails(
        self, wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before = snapshot(tmp_path)

        def fail(*_: object) -> bytes:
            raise OSError(28, os.strerror(28))

        monkeypatch.setattr(wheel_linker._archive.packing, "_record", fail)
        with pytest.raises(LinkError, match="pack the unpacked wheel"):
            pack_wheel(wheel, tmp_path / "dist")
        assert snapshot(tmp_path) == before

    def test_without_tags_needs_a_name(self, wheel: Path, tmp_path: Path) -> None:
        (wheel / DIST_INFO / "WHEEL").write_text("Wheel-Version: 1.0\n")
        with pytest.raises(InvalidWheelError, match="WHEEL"):
            pack_wheel(wheel, tmp_path / "dist")
        assert pack_wheel(wheel, tmp_path / "dist" / NAME)

    def test_follows_symlinks_to_files(
        self, wheel: Path, tmp_path: Path, symlink: Callable[[Path, str], None]
    ) -> None:
        symlink(wheel / "demo/link.py", "__init__.py")
        unpacked = unpack_wheel(pack_wheel(wheel, tmp_path), tmp_path / "out", record="strict")
        link = Path(unpacked.path, "demo/link.py")
        assert link.read_bytes() == FILES["demo/__init__.py"]
        assert not link.is_symlink()
        symlink(wheel / "demo/below", "sub")
        with pytest.raises(InvalidWheelError, match="'sub'"):
            pack_wheel(wheel, tmp_path)


@pytest.fixture
def symlink() -> Callable[[Path, str], None]:
    def make(path: Path, target: str) -> None:
        try:
            path.symlink_to(target)
        except OSError as error:
            pytest.skip(f"no symlinks here: {error}")

    return make


def linked(path: Path, links: dict[str, str], files: dict[str, bytes] | None = None) -> Path:
    """Write a wheel with symlinks in it."""
    content = {**FILES, **(files or {})}
    rows = {**content, **{name: target.encode() for name, target in links.items()}}
    write_archive(path, {**content, RECORD: record_of(rows)})
    with zipfile.ZipFile(path, "a") as archive:
        for name, target in links.items():
            archive.writestr(info(name, stat.S_IFLNK | 0o777), target)
    return path


class TestUnpack:
    def test_into_an_empty_directory(self, tmp_path: Path, wheel: Path) -> None:
        path = pack_wheel(wheel, tmp_path)
        (tmp_path / "out").mkdir()
        assert str(unpack_wheel(path, tmp_path / "out").filename) == NAME
        with pytest.raises(LinkError, match="something in it"):
            unpack_wheel(path, tmp_path / "out")
        (tmp_path / "file").write_text("")
        with pytest.raises(LinkError):
            unpack_wheel(path, tmp_path / "file")
        assert link_wheel_files(tmp_path / "site", tmp_path / "out", mode="copy").files

    @pytest.mark.parametrize("options", [{"sha256": "0" * 64}, {"limits": Limits(entries=2)}])
    def test_refuses_as_a_store_does(
        self, tmp_path: Path, wheel: Path, options: dict[str, object]
    ) -> None:
        path = pack_wheel(wheel, tmp_path / "dist")
        before = snapshot(tmp_path)
        with pytest.raises(InvalidWheelError) as caught:
            unpack_wheel(path, tmp_path / "deep" / "out", **options)  # type: ignore[arg-type]
        assert path in str(caught.value)
        assert snapshot(tmp_path) == before

    def test_odd_records(self, tmp_path: Path) -> None:
        path = write_odd(tmp_path / "dist", "edited")
        with pytest.raises(InvalidWheelError, match="RECORD"):
            unpack_wheel(path, tmp_path / "out", record="strict")
        assert not (tmp_path / "out").exists()
        with pytest.warns(RecordWarning) as caught:
            unpack_wheel(path, tmp_path / "out")
        assert [warning.filename for warning in caught] == [__file__]

    def test_misuse(self, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match="lenient, strict"):
            unpack_wheel(NAME, tmp_path / "out", record="x")  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="jobs"):
            unpack_wheel(NAME, tmp_path / "out", jobs=0)


@pytest.mark.skipif(sys.platform == "win32", reason="not everybody may make symlinks there")
class TestSymlinks:
    LINKS: ClassVar = {
        "demo/link.py": "__init__.py",
        "demo/sub/deep/up.py": "../../../single.py",
        "demo/down": "sub/deep",
        "demo/twice.py": "link.py",
        "demo/nowhere": "missing",
    }

    def test_that_stay_inside_are_made(self, tmp_path: Path) -> None:
        path = linked(tmp_path / NAME, self.LINKS)
        unpacked = Path(unpack_wheel(path, tmp_path / "out", record="strict").path)
        for name, target in self.LINKS.items():
            assert os.readlink(unpacked / name) == target
        assert (unpacked / "demo/twice.py").read_bytes() == FILES["demo/__init__.py"]

    @pytest.mark.parametrize(
        "links",
        [
            {"demo/x": "../.."},
            {"demo/x": "/etc/passwd"},
            {"x": ".."},
            {"x": "demo/../.."},
            {"x": "y", "y": "x"},
            {"x": "x"},
            {"demo/up": "..", "demo/x": "up/../.."},
            # Where names are folded, this goes through the symlink.
            {"demo/d/s": ".", "demo/d/x": "S/../../../.."},
            {"demo/d/s": "..", "x": "demo/d/S/../../.."},
            {"x": "a\\b"},
            {"x": "C:evil"},
            {"x": "a\nb"},
            {"x": "a/" * 3000},
        ],
    )
    def test_that_lead_out_are_refused(self, tmp_path: Path, links: dict[str, str]) -> None:
        path = linked(tmp_path / "dist" / NAME, links)
        before = snapshot(tmp_path)
        for add in (
            lambda: unpack_wheel(path, tmp_path / "out"),
            lambda: store_add(tmp_path, path),
        ):
            with pytest.raises(InvalidWheelError, match="symlink"):
                add()
        assert {p for p in snapshot(tmp_path) if not p.startswith("store")} == {*before}

    def test_nothing_is_written_through_them(self, tmp_path: Path) -> None:
        path = linked(tmp_path / NAME, {"demo/x": "sub"}, {"demo/x/y.py": b""})
        with pytest.raises(InvalidWheelError, match="one path"):
            unpack_wheel(path, tmp_path / "out")

    def test_rows_that_are_of_something_else(self, tmp_path: Path) -> None:
        path = linked(tmp_path / NAME, {})
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr(info("demo/link.py", stat.S_IFLNK | 0o777), "__init__.py")
        with pytest.warns(RecordWarning, match=r"'demo/link\.py' is not in RECORD"):
            unpack_wheel(path, tmp_path / "out")
        said = record_of({**FILES, "demo/link.py": b"something else"})
        write_archive(path, {**FILES, RECORD: said})
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr(info("demo/link.py", stat.S_IFLNK | 0o777), "__init__.py")
        with pytest.raises(InvalidWheelError, match=r"'demo/link\.py' is not what its RECORD says"):
            unpack_wheel(path, tmp_path / "strict", record="strict")
        with pytest.warns(RecordWarning, match="hash of something else"):
            unpack_wheel(path, tmp_path / "out2")

    def test_rows_of_the_file_that_they_lead_to(self, tmp_path: Path) -> None:
        said = record_of({**FILES, "demo/link.py": FILES["demo/__init__.py"]})
        path = write_archive(tmp_path / NAME, {**FILES, RECORD: said})
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr(info("demo/link.py", stat.S_IFLNK | 0o777), "__init__.py")
        assert unpack_wheel(path, tmp_path / "out", record="strict")


def store_add(root: Path, path: Path) -> None:
    with WheelStore(root / "store") as store:
        store.add(path)


@pytest.mark.parametrize("mode", ["copy", "hardlink"])
def test_a_file_called_pycache_is_a_file(tmp_path: Path, wheel: Path, mode: str) -> None:
    (wheel / "demo/__pycache__").write_text("no directory")
    for _ in range(2):
        link_wheel_files(tmp_path / "site", wheel, mode=mode)
    assert (tmp_path / "site/demo/__pycache__").read_text() == "no directory"
