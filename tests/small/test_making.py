"""How an entry is made in private; tests/store/test_adding.py and test_durable.py have whole stores."""

from __future__ import annotations

import os
import stat
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from store.archives import (
    FILES,
    NAME,
    RECORD,
    record_of,
    sha256_of,
    write_archive,
    write_wheel,
)

from small.made import OPTIONS
from wheel_linker import InvalidWheelError
from wheel_linker._archive.stored_file import StoredFile
from wheel_linker._archive.unpacking import unpack as archive_unpack
from wheel_linker._archive.wheel_file import WheelFile
from wheel_linker._fs.folder import Folder
from wheel_linker._wheel.filename import WheelFilename
from wheel_linker._wheel.progress import Progress
from wheel_linker.store._entry import making, manifest
from wheel_linker.store._entry.making import Made, have_on_disk, unpack_entry
from wheel_linker.store._entry.manifest import Manifest
from wheel_linker.store._entry.problems import read_problems
from wheel_linker.store.trust import Standing

if TYPE_CHECKING:
    from collections.abc import Iterator

WHEN = 1_000_000_000_123_456_789


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Folder]:
    (tmp_path / "stage").mkdir()
    with Folder.open(os.fspath(tmp_path / "stage")) as folder:
        yield folder


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write_wheel(tmp_path / NAME)


def unpacked(stage: Folder, path: Path, options: Any = OPTIONS, **more: Any) -> Made:
    with WheelFile(os.fspath(path)) as file:
        return unpack_entry(
            stage, "made", file, WheelFilename.known("demo-1.0-7-py3-none-any.whl"), options, **more
        )


class TestUnpackEntry:
    def test_describes_it(self, stage: Folder, path: Path, tmp_path: Path) -> None:
        made = unpacked(stage, path)
        entry, tree = tmp_path / "stage/made", tmp_path / "stage/made/w"
        files = [each for each in tree.rglob("*") if each.is_file()]
        assert len(files) == len(FILES) + 1
        assert made.name == "made"
        assert made.problems == ()
        assert sorted(file.path for file in made.files) == sorted([*FILES, RECORD])
        assert made.facts == Manifest(
            sha256_of(path),
            "demo-1.0-7-py3-none-any.whl",
            path.stat().st_size,
            len(files),
            sum(each.stat().st_size for each in files),
            (tree / "single.py").stat().st_mtime_ns,
            (entry / "rows").stat().st_size,
        )
        facts, described = manifest.read_files(os.fspath(entry / "entry"))
        assert (facts, sorted(described)) == (made.facts, sorted(made.files))

    def test_gives_all_files_one_time(
        self, stage: Folder, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before = time.time_ns()
        assert before - 100 <= unpacked(stage, path).facts.stamp <= time.time_ns()
        (tmp_path / "stage/made").rename(tmp_path / "first")
        monkeypatch.setattr(making, "time", SimpleNamespace(time_ns=lambda: WHEN))
        # NTFS keeps steps of 100 ns.
        assert unpacked(stage, path).facts.stamp == WHEN - 89
        (tmp_path / "stage/made").rename(tmp_path / "second")
        assert unpacked(stage, path, stamp=5 * 10**9).facts.stamp == 5 * 10**9
        tree = tmp_path / "stage/made/w"
        assert {each.stat().st_mtime for each in tree.rglob("*") if each.is_file()} == {5}

    def test_has_the_time_that_the_file_system_keeps(
        self, stage: Folder, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        real = archive_unpack

        def unpack(*arguments: Any, **more: Any) -> Any:
            result = real(*arguments, **more)
            os.utime(tmp_path / "stage/made/w" / RECORD, (7, 7))
            return result

        monkeypatch.setattr(making, "unpack", unpack)
        assert unpacked(stage, path).facts.stamp == 7 * 10**9

    def test_obeys_the_options(self, stage: Folder, path: Path, tmp_path: Path) -> None:
        told: list[int] = []
        options = OPTIONS._replace(protect=True, progress=Progress(told.append))
        unpacked(stage, path, options)
        file = tmp_path / "stage/made/w/single.py"
        assert not stat.S_IMODE(file.stat().st_mode) & 0o222
        assert sum(told) == len(FILES) + 1

    def test_refuses_what_is_too_much(self, stage: Folder, path: Path) -> None:
        limits = OPTIONS.limits._replace(entries=3)
        with pytest.raises(InvalidWheelError) as caught:
            unpacked(stage, path, OPTIONS._replace(limits=limits))
        assert str(caught.value).startswith(f"cannot use {os.fspath(path)!r}: it has")

    def test_refuses_another_name(self, stage: Folder, path: Path) -> None:
        with WheelFile(os.fspath(path)) as file, pytest.raises(InvalidWheelError, match="other"):
            unpack_entry(
                stage, "made", file, WheelFilename.known("other-1.0-py3-none-any.whl"), OPTIONS
            )

    def test_tells_of_problems_or_refuses_them(self, stage: Folder, tmp_path: Path) -> None:
        files = {**FILES, RECORD: record_of(FILES), "demo/more": b"more"}
        path = write_archive(tmp_path / NAME, files)
        made = unpacked(stage, path)
        assert [problem.path for problem in made.problems] == ["demo/more"]
        assert read_problems(os.fspath(tmp_path / "stage/made/problems")) == made.problems
        (tmp_path / "stage/made").rename(tmp_path / "first")
        with pytest.raises(InvalidWheelError) as caught:
            unpacked(stage, path, OPTIONS._replace(strict=True))
        said = f"cannot use {os.fspath(path)!r}: it has files that its RECORD has no hash of: "
        assert str(caught.value).startswith(said)


class TestHaveOnDisk:
    @pytest.mark.parametrize("durable", [False, True])
    @pytest.mark.parametrize("can", [False, True])
    def test_or_note_the_boot(
        self,
        stage: Folder,
        tmp_path: Path,
        durable: bool,
        can: bool,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        asked: list[list[str]] = []

        def on_disk(folder: Folder, paths: Iterator[str]) -> bool:
            assert folder is stage
            asked.append(list(paths))
            return can

        monkeypatch.setattr(making, "on_disk", on_disk)
        facts = Manifest("5e" * 32, NAME, 1, 2, 3, 4, -1)
        plain, link = StoredFile("a/b", 1, False, ""), StoredFile("c/d", 1, False, "", "b")
        problem: Any = "anything"
        made = [
            Made("one", facts, [plain, link], ()),
            Made("two", facts._replace(rows=0), [], (problem,)),
            Made("three", facts._replace(rows=7), [link], ()),
        ]
        for each in made:
            (tmp_path / "stage" / each.name).mkdir()
        have_on_disk(stage, made, Standing(), durable=durable)
        everything = [
            "one/entry",
            "one/w/a/b",
            "one/w/c/",
            "two/entry",
            "two/rows",
            "two/problems",
            "three/entry",
            "three/rows",
            "three/w/c/",
        ]
        assert asked == ([everything] if durable else [])
        for each in made:
            noted = (tmp_path / "stage" / each.name / "boot").exists()
            assert noted is not (durable and can)

    @pytest.mark.skipif(sys.platform == "win32", reason="about POSIX permissions")
    def test_a_note_that_a_group_shares(self, stage: Folder, tmp_path: Path) -> None:
        (tmp_path / "stage/one").mkdir()
        facts = Manifest("5e" * 32, NAME, 1, 2, 3, 4, -1)
        have_on_disk(stage, [Made("one", facts, [], ())], Standing(shared=True), durable=False)
        boot = tmp_path / "stage/one/boot"
        assert boot.stat().st_mode & 0o070
