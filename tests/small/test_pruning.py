"""Which entries are pruned, and what goes with them; tests/store/test_upkeep.py has what callers see."""

from __future__ import annotations

import math
import os
import shutil
import sys
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import pytest

from small.made import make_entry
from wheel_linker._fs.folder import Folder
from wheel_linker._fs.permissions import FOLLOW_FOR_TIMES
from wheel_linker._log import telling
from wheel_linker._wheel.filename import WheelFilename
from wheel_linker.store import Entry
from wheel_linker.store.entries import read_entry
from wheel_linker.store.layout import Layout
from wheel_linker.store.pruning import correct_times, prunable, prune, refuse_no_amount
from wheel_linker.store.session import Session

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOW: Final = 10_000
ONE, TWO, THREE = "aaaaaaaaaa", "bbbbbbbbbb", "cccccccccc"


class TestAmounts:
    @pytest.mark.parametrize(
        "unused_for", [None, 0, -1, 1.5, math.inf, timedelta(days=1), timedelta(days=-1)]
    )
    @pytest.mark.parametrize("max_bytes", [None, 0, 1])
    def test_that_are_some(self, unused_for: Any, max_bytes: int | None) -> None:
        refuse_no_amount(unused_for, max_bytes)

    def test_that_are_none(self) -> None:
        with pytest.raises(ValueError, match="nan") as caught:
            refuse_no_amount(math.nan, None)
        assert str(caught.value) == "unused_for is nan: give a number of seconds"
        with pytest.raises(ValueError, match="-1") as caught:
            refuse_no_amount(None, -1)
        assert str(caught.value) == "max_bytes is -1: give 0 bytes or more"
        nan: Any = math.nan
        with pytest.raises(ValueError, match="max_bytes is nan"):
            refuse_no_amount(1, nan)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: NOW)


@pytest.mark.usefixtures("clock")
class TestPrunable:
    """Of entries whose files have other names in an environment, or have not."""

    @pytest.fixture
    def root(self, tmp_path: Path) -> Path:
        return tmp_path / "store"

    def entry(
        self,
        root: Path,
        name: str,
        used: float,
        *,
        alone: int = 0,
        linked: int = 0,
        bytecode: int = 0,
    ) -> Entry:
        """Make an entry with files of so many bytes that have no other names, and that have."""
        tree = root / name / "w"
        (tree / "demo" / "sub").mkdir(parents=True)
        if alone:
            (tree / "alone").write_bytes(bytes(alone - alone // 2))
            (tree / "demo" / "sub" / "alone").write_bytes(bytes(alone // 2))
        if linked:
            (tree / "demo" / "linked").write_bytes(bytes(linked))
            os.link(tree / "demo" / "linked", root.parent / f"other-{name}")
        filename = WheelFilename.known("demo-1.0-py3-none-any.whl")
        size = alone + linked
        path = os.fspath(tree)
        return Entry(name, "0" * 64, filename, path, 3, size, used, bytecode=bytecode)

    def chosen(
        self,
        entries: list[Entry],
        unused_for: Any = None,
        max_bytes: int | None = None,
        *,
        keep_linked: bool = False,
    ) -> list[tuple[str, int | None]]:
        found = prunable(
            entries, unused_for=unused_for, max_bytes=max_bytes, keep_linked=keep_linked
        )
        return [(entry.name, entry.frees) for entry in found]

    def test_nothing_is_asked_for(self, root: Path) -> None:
        entries = [self.entry(root, ONE, 0)]
        shutil.rmtree(root)
        assert self.chosen(entries) == []

    def test_unused_for_so_long(self, root: Path) -> None:
        entries = [
            self.entry(root, ONE, NOW - 99, alone=4),
            self.entry(root, TWO, NOW - 100, alone=5),
            self.entry(root, THREE, NOW - 101, alone=6),
        ]
        assert self.chosen(entries, 100) == [(THREE, 6), (TWO, 5)]
        assert self.chosen(entries, timedelta(seconds=101)) == [(THREE, 6)]

    def test_for_times_without_end(self, root: Path) -> None:
        entries = [self.entry(root, ONE, NOW + 50, alone=4)]
        assert self.chosen(entries, math.inf) == []
        assert self.chosen(entries, 0) == []
        assert self.chosen(entries, -50) == [(ONE, 4)]
        assert self.chosen(entries, -math.inf) == [(ONE, 4)]
        assert self.chosen(entries, 1e300) == []
        assert self.chosen(entries, -1e300) == [(ONE, 4)]

    def test_too_many_bytes(self, root: Path) -> None:
        entries = [
            self.entry(root, ONE, 30, alone=4),
            self.entry(root, TWO, 20, alone=2, bytecode=3),
            self.entry(root, THREE, 10, alone=6),
        ]
        (root / TWO / "bytecode").mkdir()
        assert self.chosen(entries, max_bytes=15) == []
        assert self.chosen(entries, max_bytes=14) == [(THREE, 6)]
        assert self.chosen(entries, max_bytes=9) == [(THREE, 6)]
        assert self.chosen(entries, max_bytes=8) == [(THREE, 6), (TWO, 5)]
        assert self.chosen(entries, max_bytes=0) == [(THREE, 6), (TWO, 5), (ONE, 4)]

    def test_those_that_free_nothing_go_last(self, root: Path) -> None:
        entries = [
            self.entry(root, ONE, 10, alone=1, linked=4),
            self.entry(root, TWO, 30, alone=5),
            self.entry(root, THREE, 20, alone=5),
        ]
        assert self.chosen(entries, max_bytes=10) == [(THREE, 5)]
        assert self.chosen(entries, max_bytes=4) == [(THREE, 5), (TWO, 5), (ONE, 1)]
        kept = self.chosen(entries, max_bytes=0, keep_linked=True)
        assert kept == [(THREE, 5), (TWO, 5)]

    def test_those_that_environments_have_may_stay(self, root: Path) -> None:
        entries = [self.entry(root, ONE, 0, alone=3, linked=4), self.entry(root, TWO, 1, alone=1)]
        assert self.chosen(entries, 0) == [(ONE, 3), (TWO, 1)]
        assert self.chosen(entries, 0, keep_linked=True) == [(TWO, 1)]

    def test_both(self, root: Path) -> None:
        entries = [
            self.entry(root, ONE, 0, alone=3),
            self.entry(root, TWO, NOW - 1, alone=4),
            self.entry(root, THREE, NOW, alone=5),
        ]
        assert self.chosen(entries, 100, 9) == [(ONE, 3)]
        assert self.chosen(entries, 100, 8) == [(ONE, 3), (TWO, 4)]

    def test_files_that_were_edited_free_no_more_than_there_was(self, root: Path) -> None:
        entry = self.entry(root, ONE, 0, alone=3, linked=4)
        (root / ONE / "w" / "alone").write_bytes(bytes(100))
        assert self.chosen([entry], 0) == [(ONE, 6)]

    def test_bytecode_counts(self, root: Path) -> None:
        entry = self.entry(root, ONE, 0, alone=3, bytecode=7)
        for name, size in (("one", 2), ("two", 5)):
            made = make_entry(root / ONE / "bytecode", name, {"x.pyc": bytes(size)})
            if name == "two":
                os.link(made / "w" / "x.pyc", root / "other")
        assert self.chosen([entry], 0) == [(ONE, 5)]
        assert self.chosen([entry], 0, keep_linked=True) == []
        # It is not looked for where there is none.
        assert self.chosen([entry._replace(bytecode=0)], 0) == [(ONE, 3)]

    def test_what_cannot_be_measured(self, root: Path) -> None:
        entry = self.entry(root, ONE, 0, alone=3)
        shutil.rmtree(root / ONE)
        assert self.chosen([entry], 0, keep_linked=True) == [(ONE, None)]

    def test_what_goes_meanwhile(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        entry = self.entry(root, ONE, 0, alone=4)
        real = Folder.listdir
        monkeypatch.setattr(Folder, "listdir", lambda one: ["gone", *real(one)])
        assert self.chosen([entry._replace(size=9)], 0) == [(ONE, 9)]
        os.link(root / ONE / "w" / "alone", root / "other")
        assert self.chosen([entry._replace(size=9)], 0) == [(ONE, 2)]


class TestTimes:
    @pytest.fixture
    def path(self, tmp_path: Path) -> str:
        (tmp_path / "entry").touch()
        return os.fspath(tmp_path / "entry")

    def after(self, paths: list[str]) -> float:
        correct_times(paths)
        return os.stat(paths[-1]).st_mtime

    def test_in_the_future(
        self, path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Both of its times: the clock was wrong, and set right since."""
        os.utime(path, (1, 4_000_000_000))
        monkeypatch.setattr(time, "time", lambda: 1_000_000_000)
        assert self.after([os.fspath(tmp_path / "none"), path]) < 4_000_000_000

    def test_set_to_the_future(self, path: str) -> None:
        os.utime(path, (1, 4_000_000_000))
        assert self.after([path]) == 4_000_000_000

    def test_in_the_past(self, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
        os.utime(path, (1, 1_000_000_000))
        monkeypatch.setattr(time, "time", lambda: 1_000_000_000)
        assert self.after([path]) == 1_000_000_000

    @pytest.mark.skipif(FOLLOW_FOR_TIMES, reason="this platform follows symlinks there")
    def test_of_symlinks(self, path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "link").symlink_to(path)
        os.utime(tmp_path / "link", (1, 4_000_000_000), follow_symlinks=False)
        os.utime(path, (1, 4_000_000_000))
        monkeypatch.setattr(time, "time", lambda: 1_000_000_000)
        correct_times([os.fspath(tmp_path / "link")])
        assert os.stat(path).st_mtime == 4_000_000_000
        assert os.lstat(tmp_path / "link").st_mtime < 4_000_000_000


class TestPrune:
    @pytest.fixture
    def session(self, tmp_path: Path) -> Iterator[Session]:
        for name, used in ((ONE, 1000), (TWO, 2000), (THREE, 3000)):
            made = make_entry(tmp_path, name, {"demo.py": b"12345"})
            os.utime(made / "entry", (used, used))
        session = Session(Layout(os.fspath(tmp_path)))
        session.open()
        (tmp_path / ".store" / "symlinked").write_text(f"{ONE}\n{TWO}\n")
        lines = [f"\n1 2 3 4 /{name}\t{'0' * 64} {name}\n" for name in (ONE, TWO)]
        (tmp_path / ".store" / "index").write_bytes("".join(lines).encode())
        yield session
        session.close()

    def pruned(
        self,
        session: Session,
        unused_for: float | None = None,
        max_bytes: int | None = None,
        *,
        keep_linked: bool = False,
    ) -> tuple[list[str], list[str]]:
        """Prune; return what was removed, and what was said."""
        said: list[str] = []
        with telling(said.append):
            removed = prune(
                session, unused_for=unused_for, max_bytes=max_bytes, keep_linked=keep_linked
            )
        return [entry.name for entry in removed], said

    @pytest.mark.parametrize(
        ("used_until", "max_bytes"), [(None, 10), (1500, None)], ids=["for room", "for age"]
    )
    def test_all_is_noted(
        self, session: Session, tmp_path: Path, used_until: float | None, max_bytes: int | None
    ) -> None:
        # The age is reckoned here: the file may have been read a quarter of an hour ago.
        unused_for = None if used_until is None else time.time() - used_until
        removed, (message,) = self.pruned(session, unused_for, max_bytes)
        assert removed == [ONE]
        assert ONE in message
        assert not (tmp_path / ONE).exists()
        control = tmp_path / ".store"
        assert (control / "pruned").exists()
        assert (control / "symlinked").read_bytes() == f"{TWO}\n".encode()
        index = f"\n1 2 3 4 /{TWO}\t{'0' * 64} {TWO}\n"
        assert (control / "index").read_bytes() == index.encode()

    @pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such bits")
    def test_notes_are_for_all_who_share_the_store(
        self, session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        standing = session.standing._replace(shared=True)
        monkeypatch.setattr(Session, "standing", property(lambda _: standing))
        before = os.umask(0o077)
        try:
            self.pruned(session, None, 10)
        finally:
            os.umask(before)
        for name in ("pruned", "symlinked", "index"):
            assert (tmp_path / ".store" / name).stat().st_mode & 0o777 == 0o660, name

    def test_without_a_wish_what_cannot_be_used_is_removed(
        self, session: Session, tmp_path: Path
    ) -> None:
        (tmp_path / TWO / "entry").write_bytes(b"")
        removed, said = self.pruned(session)
        assert (removed, len(said)) == ([TWO], 1)
        assert not (tmp_path / ".store" / "pruned").exists()

    def test_those_of_environments_stay(self, session: Session, tmp_path: Path) -> None:
        os.link(tmp_path / ONE / "w" / "demo.py", tmp_path / "other.py")
        assert self.pruned(session, None, 0, keep_linked=True)[0] == [TWO, THREE]
        assert self.pruned(session, None, 0)[0] == [ONE]

    def test_what_is_in_use_stays(self, session: Session) -> None:
        with session.looking_at(ONE):
            assert self.pruned(session, None, 0)[0] == [TWO, THREE]

    def test_what_was_used_by_a_wrong_clock_was_used_now(
        self, session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        real = time.time
        monkeypatch.setattr(time, "time", lambda: 1_000_000_000)
        os.utime(tmp_path / ONE / "entry", (1, 4_000_000_000))
        self.pruned(session)
        monkeypatch.setattr(time, "time", real)
        entry = read_entry(session.layout, ONE)
        assert entry is not None
        assert entry.used == (tmp_path / ONE / "entry").stat().st_mtime < 4_000_000_000

    def test_what_killed_processes_left_is_removed(self, session: Session, tmp_path: Path) -> None:
        litter = tmp_path / ".store" / "staging" / ".wheel_linker-0123456789abcdef"
        litter.mkdir()
        (litter / "owner").touch()
        self.pruned(session)
        assert not litter.exists()
