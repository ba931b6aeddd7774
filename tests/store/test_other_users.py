"""A store that other users can reach, write to, or own."""

from __future__ import annotations

import os
import shutil
import stat
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from store.archives import FILES, NAME, files_below, sha256_of, with_record, write_wheel
from store.conftest import entry_names, settle
from wheel_linker import InvalidWheelError, LinkError, link_wheels
from wheel_linker._cli.main import main
from wheel_linker._fs.folder import Folder
from wheel_linker._fs.stage import PREFIX, sweep
from wheel_linker.install.asking import kept_answer, kept_in
from wheel_linker.integrations._filling.user_store import open_store
from wheel_linker.store import WheelStore
from wheel_linker.store._entry.seal import sealed, unsealed

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="about POSIX users")

ONE: Final = 61501
TWO: Final = 61502
GROUP: Final = 62000
EVIL: Final = b"EVIL = 1\n"


@contextmanager
def user(number: int, *groups: int, umask: int = 0o022) -> Iterator[None]:
    """Be another user for the length of a block."""
    if sys.platform == "win32":
        pytest.skip("POSIX only")
    before = os.getgroups()
    old = os.umask(umask)
    os.setgroups(groups)
    os.setegid(number)
    os.seteuid(number)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(before)
        os.umask(old)


@pytest.fixture
def common(tmp_path: Path) -> Iterator[Path]:
    """A directory that every user can reach, as root."""
    if sys.platform == "win32" or os.geteuid() != 0:
        pytest.skip("only root can be several users")
    # What is imported late, while the interpreter's own files can be read.
    with WheelStore(tmp_path / "load") as store:
        stored = store.add(write_wheel(tmp_path / "load-it" / NAME))
        link_wheels(tmp_path / "load-into", [stored, stored], jobs=2, mode="copy")
        store.verify(deep=True)
        store.prune(unused_for=0)
    directory = Path(tempfile.mkdtemp())
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory)


@pytest.fixture
def wheels(common: Path) -> list[Path]:
    """Two wheel files that everybody can read."""
    made = [
        settle(write_wheel(common / "dist" / str(number) / NAME, {f"n{number}.py": b"#"}))
        for number in range(2)
    ]
    for path in made:
        path.chmod(0o644)
    return made


@pytest.fixture
def home(common: Path) -> Path:
    """A directory of an ordinary user."""
    directory = common / "home"
    directory.mkdir()
    os.chown(directory, ONE, ONE)  # type: ignore[attr-defined,unused-ignore]
    return directory


def owners(root: Path) -> set[int]:
    """Return who owns anything in a directory."""
    return {path.lstat().st_uid for path in [root, *root.rglob("*")]}


NOTES: Final = ("boot", "times", "interpreters")
"""What is not made with an entry, but after it."""


def note_all(root: Path, wheels: list[Path], *, trusted: bool = False) -> list[Path]:
    """Have every note made, and return where they are."""
    with WheelStore(root, trusted=trusted) as store:
        entry = root / store.add(wheels[0]).entry
        ask(store)
    for path in (entry / "w").rglob("*.py"):
        os.utime(path, (10**9, 10**9))
    with WheelStore(root, durable=False, trusted=trusted) as store:
        store.add_all(wheels)
    made = [path for path in root.rglob("*") if {path.name, path.parent.name}.intersection(NOTES)]
    assert len(made) == len(NOTES) + 1
    return made


def ask(store: WheelStore) -> list[str]:
    """Ask an interpreter something, and keep its answer in a store; return that."""
    # No Python: the one that runs this may lie where other users cannot get.
    interpreter = Path(store.root).parent / "interpreter"
    if not interpreter.exists():
        interpreter.write_text("#!/bin/sh\nprintf 'answer\\0right'\n")
        interpreter.chmod(0o755)
    return kept_answer(str(interpreter), "", (), "word", kept_in(store))


class TestAnothersStore:
    @pytest.fixture
    def theirs(self, home: Path, wheels: list[Path]) -> Path:
        with user(ONE), WheelStore(home / "store") as store:
            store.add(wheels[0])
        return home / "store"

    def test_nothing_is_taken_from_it(self, theirs: Path, wheels: list[Path]) -> None:
        with WheelStore(theirs) as store:
            with pytest.raises(LinkError, match="trusted=True, on the command line --trust-store"):
                store.add(wheels[0])
            with pytest.raises(LinkError, match=f"another user .number {ONE}"):
                store.add(wheels[0], sha256=sha256_of(wheels[0]))

    def test_unless_it_is_trusted(self, theirs: Path, wheels: list[Path], common: Path) -> None:
        with WheelStore(theirs, trusted=True) as store:
            link_wheels(common / "site", [store.add(wheels[0])], mode="copy")
        assert "n0.py" in files_below(common / "site")

    def test_nor_by_a_third_user(self, theirs: Path, wheels: list[Path]) -> None:
        with user(TWO), WheelStore(theirs) as store, pytest.raises(LinkError, match="not trusted"):
            store.add(wheels[0])

    def test_what_root_adds_is_not_linked(
        self, theirs: Path, wheels: list[Path], common: Path
    ) -> None:
        """Its owner could put something else in its place at any moment."""
        with WheelStore(theirs) as store:
            stored = store.add(wheels[1])
            with pytest.raises(LinkError, match="not trusted"):
                link_wheels(common / "site", [stored])
        assert not (common / "site").exists()

    @pytest.mark.parametrize("umask", [0o022, 0o077])
    def test_root_leaves_a_store_that_works(
        self, theirs: Path, wheels: list[Path], home: Path, umask: int
    ) -> None:
        old = os.umask(umask)
        try:
            with WheelStore(theirs) as store:
                store.add(wheels[1])
                assert store.verify(deep=True) == []
            with WheelStore(theirs) as store:
                store.prune(unused_for=3600)
        finally:
            os.umask(old)
        assert owners(theirs) == {ONE}
        with user(ONE):
            with WheelStore(theirs) as store:
                stored = store.add_all(wheels)
                link_wheels(home / "site", stored, mode="hardlink")
                assert store.verify(deep=True) == []
            with WheelStore(theirs) as store:
                assert len(store.prune(unused_for=0)) == 2
        assert entry_names(theirs) == set()

    def test_root_leaves_no_notes_of_its_own(self, home: Path, wheels: list[Path]) -> None:
        (home / "store").mkdir()
        os.chown(home / "store", ONE, ONE)  # type: ignore[attr-defined,unused-ignore]
        note_all(home / "store", wheels, trusted=True)
        assert owners(home / "store") == {ONE}

    def test_a_foreign_entry_spoils_nothing(self, theirs: Path, wheels: list[Path]) -> None:
        with user(ONE), WheelStore(theirs) as store:
            name = store.add(wheels[1]).entry
        for path in (theirs / name, theirs / name / "w"):
            os.chown(path, 0, 0)  # type: ignore[attr-defined,unused-ignore]
        (theirs / name / "w").chmod(0o700)
        with user(ONE), WheelStore(theirs) as store:
            assert len(store.entries()) == 2
            assert store.verify(deep=True) == []
            assert len(store.prune(unused_for=0)) == 1
            (theirs / name / "entry").chmod(0o644)
        (theirs / name).chmod(0o700)
        with user(ONE), WheelStore(theirs) as store:
            store.add(wheels[0])
            assert len(store.entries()) == 1
            assert store.verify(deep=True) == []


class TestEverybodysStore:
    def test_is_not_used(self, root: Path, wheel_file: Path, tmp_path: Path) -> None:
        with WheelStore(root) as store:
            stored = store.add(wheel_file)
        root.chmod(0o777)
        with WheelStore(root) as store, pytest.raises(LinkError, match="everybody may write"):
            link_wheels(tmp_path / "site", [store.add(wheel_file)])
        with WheelStore(root, trusted=True) as store:
            assert store.add(wheel_file) == stored

    def test_is_not_made(self, root: Path, wheel_file: Path) -> None:
        old = os.umask(0)
        try:
            with WheelStore(root / "deep" / "store") as store:
                store.add(wheel_file)
                store.prune()
        finally:
            os.umask(old)
        everything = [root, *root.rglob("*")]
        assert [path for path in everything if path.lstat().st_mode & stat.S_IWOTH] == []

    def test_nor_are_notes_that_everybody_may_write(self, root: Path, wheel_file: Path) -> None:
        other = write_wheel(root.parent / "other" / NAME, {"other.py": b"#"})
        old = os.umask(0)
        try:
            made = note_all(root, [wheel_file, other])
        finally:
            os.umask(old)
        assert [path for path in made if path.lstat().st_mode & stat.S_IWOTH] == []


class TestLinksAndPipesInIt:
    """What another user could put there while the store was theirs to write."""

    @pytest.fixture
    def victim(self, tmp_path: Path) -> Path:
        directory = tmp_path / "victim"
        (directory / "0123456789ab").mkdir(parents=True)
        (directory / "abcdefabcdef").write_bytes(b"precious")
        (directory / f"{PREFIX}0123").mkdir()
        (directory / f"{PREFIX}0123" / "precious").write_bytes(b"")
        return directory

    @pytest.mark.parametrize("name", ["leases", "staging", "index", "index.new", "lock", "readers"])
    def test_are_not_followed(
        self, root: Path, wheel_file: Path, victim: Path, name: str, way: str
    ) -> None:
        with WheelStore(root) as store:
            store.add(wheel_file)
        path = root / ".store" / name
        shutil.rmtree(path, ignore_errors=True)
        path.unlink(missing_ok=True)
        path.symlink_to(victim if name in {"leases", "staging"} else victim / "abcdefabcdef")
        before = files_below(victim)
        with WheelStore(root) as store:
            try:
                store.add(wheel_file)
                store.add(write_wheel(wheel_file.parent / "two" / NAME, {"n.py": b""}))
                store.prune(unused_for=0)
            except LinkError as error:
                assert str(root) in str(error)  # noqa: PT017 - some of them do no harm
        assert files_below(victim) == before
        assert (victim / f"{PREFIX}0123").is_dir()

    @pytest.mark.parametrize("name", ["index", "lock", "readers", "leases/0123456789ab"])
    def test_are_not_waited_for(self, root: Path, wheel_file: Path, name: str) -> None:
        if sys.platform == "win32":
            pytest.skip("no FIFOs")
        with WheelStore(root) as store:
            store.add(wheel_file)
        path = root / ".store" / name
        path.unlink(missing_ok=True)
        os.mkfifo(path)
        with WheelStore(root) as store:
            if name.startswith("leases"):
                assert len(store.prune(unused_for=0)) == 1
            else:
                with pytest.raises(LinkError, match=f"at '{path}': it is no regular file"):
                    store.prune(unused_for=0)

    def test_answers_are_not_kept_through_them(
        self, root: Path, wheel_file: Path, victim: Path, way: str
    ) -> None:
        with WheelStore(root) as store:
            store.add(wheel_file)
            (root / ".store" / "interpreters").symlink_to(victim)
            before = files_below(victim)
            assert ask(store) == ["right"]
        assert files_below(victim) == before

    def test_sweeping_makes_nothing_through_them(self, tmp_path: Path) -> None:
        litter = tmp_path / "site" / f"{PREFIX}0123"
        litter.mkdir(parents=True)
        (litter / "owner").symlink_to(tmp_path / "made")
        with Folder.open(str(tmp_path / "site")) as site:
            sweep(site)
        assert not (tmp_path / "made").exists()


class TestGroup:
    @pytest.fixture
    def shared(self, common: Path) -> Path:
        directory = common / "shared"
        directory.mkdir()
        os.chown(directory, 0, GROUP)  # type: ignore[attr-defined,unused-ignore]
        directory.chmod(0o2775)
        return directory

    @pytest.mark.parametrize("umask", [0o077, 0o022, 0o002])
    @pytest.mark.parametrize("made_by", [0, ONE])
    def test_works_for_each_of_them(
        self, shared: Path, wheels: list[Path], common: Path, umask: int, made_by: int
    ) -> None:
        os.chown(shared, made_by, GROUP)  # type: ignore[attr-defined,unused-ignore]
        shared.chmod(0o2775)
        (common / "sites").mkdir()
        (common / "sites").chmod(0o777)
        with user(ONE, GROUP, umask=umask), WheelStore(shared) as store:
            store.add(wheels[0])
        with user(TWO, GROUP, umask=umask), WheelStore(shared) as store:
            stored = store.add_all(wheels)
            link_wheels(common / "sites" / "two", stored, mode="copy")
            assert store.verify(deep=True) == []
        with user(ONE, GROUP, umask=umask):
            with WheelStore(shared) as store:
                link_wheels(common / "sites" / "one", store.add_all(wheels), mode="copy")
            with WheelStore(shared) as store:
                assert len(store.prune(unused_for=0)) == 2
        assert entry_names(shared) == set()

    @pytest.mark.parametrize("umask", [0o077, 0o022, 0o002])
    def test_notes_can_be_read_by_each_of_them(
        self, shared: Path, wheels: list[Path], umask: int
    ) -> None:
        shared.parent.chmod(0o777)
        with user(ONE, GROUP, umask=umask):
            made = note_all(shared, wheels)
        assert [path for path in made if not path.stat().st_mode & stat.S_IRGRP] == []

    def test_what_another_says_of_an_interpreter_is_not_believed(
        self, shared: Path, wheels: list[Path]
    ) -> None:
        """It says where files go, and what starts scripts."""
        shared.parent.chmod(0o777)
        with user(ONE, GROUP), WheelStore(shared) as store:
            store.add(wheels[0])
            ask(store)
        (note,) = (shared / ".store" / "interpreters").iterdir()
        text = note.read_bytes()
        note.write_bytes(sealed(unsealed(text).replace(b"\0right", b"\0wrong")))
        assert b"wrong" in note.read_bytes()
        with user(TWO, GROUP), WheelStore(shared) as store:
            assert ask(store) == ["right"]
        # One's own answer is kept in the place of the other.
        assert b"wrong" not in note.read_bytes()

    def test_what_was_forged_is_not_installed_if_it_is_known_what_should_be(
        self, shared: Path, wheels: list[Path]
    ) -> None:
        with user(ONE, GROUP), WheelStore(shared) as store:
            path = Path(store.add(wheels[0]).path)
            (path / "n0.py").write_bytes(b"!")
        with user(TWO, GROUP), WheelStore(shared) as store:
            with pytest.raises(InvalidWheelError, match=r"does not hold what .*n0\.py is changed"):
                store.add(wheels[0], sha256=sha256_of(wheels[0]))
            assert not store.add(wheels[1], sha256=sha256_of(wheels[1])).trusted
            assert not store.add(wheels[1], sha256=sha256_of(wheels[1])).trusted


class TestDefaultStore:
    """``sudo`` that keeps HOME: the default store of the command line is another user's."""

    @pytest.fixture
    def cache(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        pytest.importorskip("platformdirs")
        monkeypatch.setenv("XDG_CACHE_HOME", str(home))
        return home / "wheel-linker" / "store"

    @pytest.mark.parametrize("command", ["link", "install", "sync"])
    @pytest.mark.parametrize("made_before", [False, True])
    def test_is_not_used(
        self,
        cache: Path,
        wheels: list[Path],
        common: Path,
        capsys: pytest.CaptureFixture[str],
        made_before: bool,
        command: str,
    ) -> None:
        if made_before:
            with user(ONE), WheelStore(cache) as store:
                Path(store.add(wheels[0]).path, "n0.py").write_bytes(EVIL)
        where = ["--into" if command == "link" else "--target", str(common / "site")]
        assert main([command, *where, str(wheels[0])]) == 0
        told = capsys.readouterr().err
        assert told.count("\n") == 1
        assert f"{str(cache)!r} belongs to another user (number {ONE}, not 0)" in told
        assert "a temporary one is used" in told
        assert (common / "site" / "n0.py").read_bytes() == b"#"
        assert owners(common / "site") == {0}
        assert owners(cache.parent.parent) == {ONE}

    def test_is_not_used_by_other_tools(
        self, cache: Path, wheels: list[Path], caplog: pytest.LogCaptureFixture
    ) -> None:
        with open_store() as store:
            assert store.add(wheels[0]).trusted
            assert not Path(store.root).is_relative_to(cache.parent)
        (told,) = caplog.messages
        assert f"{str(cache)!r} belongs to another user (number {ONE}, not 0)" in told
        assert "a temporary one is used" in told
        assert owners(cache.parent.parent) == {ONE}

    def test_that_cannot_be_made_is_no_error(
        self,
        wheels: list[Path],
        common: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        pytest.importorskip("platformdirs")
        monkeypatch.setenv("XDG_CACHE_HOME", os.devnull)
        command = ["sync", str(wheels[0]), "--target", str(common / "site")]
        assert main([*command, "--mode", "symlink"]) == 2
        assert "temporary" in capsys.readouterr().err
        assert main(command) == 0
        assert (common / "site" / "n0.py").read_bytes() == b"#"

    def test_is_not_looked_after(
        self, cache: Path, wheels: list[Path], capsys: pytest.CaptureFixture[str]
    ) -> None:
        with user(ONE), WheelStore(cache) as store:
            store.add(wheels[0])
        assert main(["store", "list"]) == 1
        assert "or --trust-store to use it" in capsys.readouterr().err
        assert main(["store", "list", "--trust-store"]) == 0
        assert NAME in capsys.readouterr().out

    def test_that_is_named_is_not_used_either(
        self, cache: Path, wheels: list[Path], common: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with user(ONE), WheelStore(cache) as store:
            store.add(wheels[0])
        command = ["link", "--into", str(common / "site"), str(wheels[0]), "--store", str(cache)]
        assert main(command) == 1
        assert "--trust-store" in capsys.readouterr().err
        assert main([*command, "--trust-store"]) == 0


def test_own_store_is_trusted(store: WheelStore, wheel_file: Path, root: Path) -> None:
    assert store.add(wheel_file).trusted
    assert files_below(store.add(wheel_file).path) == with_record(FILES)
