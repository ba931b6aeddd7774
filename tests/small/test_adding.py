"""Wheel files are added, and new entries put into place, step by step; tests/store/test_adding.py has whole stores."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import sys
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from store.archives import FILES, NAME, RECORD, record_of, sha256_of, write_archive, write_wheel
from store.conftest import settle

from small.made import OPTIONS, make_entry
from wheel_linker import InvalidWheelError, LinkError, ProgressBar, RecordWarning
from wheel_linker._archive.wheel_file import WheelFile
from wheel_linker._fs.folder import Folder
from wheel_linker._wheel.filename import WheelFilename
from wheel_linker._wheel.progress import Progress
from wheel_linker.store._adding import batch
from wheel_linker.store._adding.batch import Batch, unpack_all
from wheel_linker.store._adding.placing import entry_name, place
from wheel_linker.store._adding.wanted import Wanted
from wheel_linker.store._entry.making import unpack_entry
from wheel_linker.store._entry.options import Kept
from wheel_linker.store.adding import add_all
from wheel_linker.store.entries import read_entries
from wheel_linker.store.index import Known
from wheel_linker.store.layout import Layout
from wheel_linker.store.names import names_for
from wheel_linker.store.session import Session
from wheel_linker.store.trust import Standing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from wheel_linker._fs.stage import Stage
    from wheel_linker.store._entry.making import Made

LARGE: Final = {"demo/large": bytes(range(256)) * 800}
SMALL: Final = {"demo/small": b""}
on_posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such bits or users")


def write(tmp_path: Path, name: str, changes: dict[str, bytes] | None = None) -> str:
    """Write a wheel file in a directory of its own."""
    return os.fspath(write_wheel(tmp_path / name / NAME, changes))


def write_bad(tmp_path: Path, name: str, *more: str) -> str:
    """Write a wheel file whose RECORD is of other files."""
    files = {**FILES, RECORD: record_of({**FILES, "single.py": b"other"})}
    files.update((path, b"more") for path in more)
    return os.fspath(write_archive(tmp_path / name / NAME, files))


def wanted(*paths: str) -> list[Wanted]:
    return [Wanted(position, path, None) for position, path in enumerate(paths)]


def digests(session: Session) -> set[str]:
    """Return what is in a store."""
    return {entry.digest for entry in read_entries(session.layout)}


def litter(session: Session) -> list[str]:
    return os.listdir(os.path.join(session.layout.control, "staging"))


class Bar(ProgressBar):
    """Notes what it is told."""

    def __init__(self) -> None:
        self.totals: list[tuple[int, int]] = []
        self.files = 0
        self.is_put_back = 0

    def __call__(self, files: int, /) -> None:
        self.files += files

    def total(self, files: int, size: int, /) -> None:
        self.totals.append((files, size))

    def putting_back(self) -> None:
        self.is_put_back += 1


class TestUnpackAll:
    def test_by_position(self, session: Session, tmp_path: Path) -> None:
        paths = [write(tmp_path, "a"), write(tmp_path, "b", LARGE), write(tmp_path, "c", SMALL)]
        ones = [Wanted(4, paths[0], None), Wanted(2, paths[1], None), Wanted(7, paths[2], None)]
        added = unpack_all(session, OPTIONS._replace(jobs=2), ones)
        assert {position: wheel.digest for position, wheel in added.items()} == {
            one.position: sha256_of(Path(one.path)) for one in ones
        }
        for one in ones:
            wheel = added[one.position]
            assert wheel.file() == one.path
            assert wheel.filename == WheelFilename.known(NAME)
            assert wheel.entry == next(names_for(wheel.digest))
            assert wheel.record_problems() == ()
            assert not wheel.looks_late
        assert digests(session) == {wheel.digest for wheel in added.values()}
        assert litter(session) == []

    def test_the_largest_comes_first(self, session: Session, tmp_path: Path) -> None:
        good = write(tmp_path, "good", LARGE)
        bad = tmp_path / NAME
        bad.write_bytes(b"no wheel")
        with pytest.raises(InvalidWheelError, match="cannot use"):
            unpack_all(session, OPTIONS, wanted(os.fspath(bad), good))
        # It was ready before the other was refused.
        assert digests(session) == {sha256_of(Path(good))}
        assert litter(session) == []
        bad.write_bytes(bytes(10**6))
        other = write(tmp_path, "other")
        with pytest.raises(InvalidWheelError):
            unpack_all(session, OPTIONS, wanted(other, os.fspath(bad)))
        assert digests(session) == {sha256_of(Path(good))}

    def test_what_is_missing_counts_as_empty(self, session: Session, tmp_path: Path) -> None:
        empty, missing = tmp_path / NAME, os.fspath(tmp_path / "none" / NAME)
        empty.touch()
        for paths, path in (((empty, missing), empty), ((missing, empty), missing)):
            with pytest.raises(InvalidWheelError) as caught:
                unpack_all(session, OPTIONS, wanted(*[os.fspath(each) for each in paths]))
            assert os.fspath(path) in str(caught.value)

    def test_how_much_there_is_to_do(self, session: Session, tmp_path: Path) -> None:
        bar = Bar()
        options = OPTIONS._replace(progress=Progress(bar))
        unpack_all(session, options, wanted(write(tmp_path, "a"), write(tmp_path, "b", LARGE)))
        files = 2 * len(FILES) + 3
        size = sum(entry.size for entry in read_entries(session.layout))
        assert bar.totals == [(files, size)]
        assert bar.files == files
        assert bar.is_put_back == 0

    def test_how_much_there_is_to_do_where_one_cannot_be_read(
        self, session: Session, tmp_path: Path
    ) -> None:
        bar = Bar()
        bad = tmp_path / NAME
        bad.write_bytes(b"no wheel")
        missing = os.fspath(tmp_path / "none" / NAME)
        options = OPTIONS._replace(progress=Progress(bar))
        good = write(tmp_path, "good")
        with pytest.raises(InvalidWheelError):
            unpack_all(session, options, wanted(os.fspath(bad), missing, good))
        (entry,) = read_entries(session.layout)
        assert bar.totals == [(len(FILES) + 1, entry.size)]
        assert bar.is_put_back == 1

    def test_more_entries_than_a_wheel_may_have(self, session: Session, tmp_path: Path) -> None:
        bar = Bar()
        limits = OPTIONS.limits._replace(entries=len(FILES))
        options = OPTIONS._replace(progress=Progress(bar), limits=limits)
        with pytest.raises(InvalidWheelError, match="entries"):
            unpack_all(session, options, wanted(write(tmp_path, "a")))
        assert bar.totals == []

    def test_what_is_wrong_about_records(self, session: Session, tmp_path: Path) -> None:
        bad, more = write_bad(tmp_path, "bad"), write_bad(tmp_path, "more", "demo/extra")
        good = write(tmp_path, "good")
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            added = unpack_all(session, OPTIONS, wanted(bad, good, more))
        said = [str(each.message) for each in caught if each.category is RecordWarning]
        assert len(said) == 2
        assert all(
            each.startswith(f"{NAME} is used though its RECORD is not right") for each in said
        )
        # They come in the order of the wheels.
        assert ["demo/extra" in each for each in said] == [False, True]
        assert {problem.path for problem in added[0].record_problems()} == {"single.py"}
        assert added[1].record_problems() == ()

    def test_another_digest_is_expected(self, session: Session, tmp_path: Path) -> None:
        path = write(tmp_path, "a")
        digest = sha256_of(Path(path))
        with pytest.raises(InvalidWheelError) as caught:
            unpack_all(session, OPTIONS, [Wanted(0, path, "5e" * 32)])
        said = f"the wheel {path!r} has the SHA-256 {digest} and should have {'5e' * 32}: "
        assert str(caught.value).startswith(said)
        assert digests(session) == set()
        assert unpack_all(session, OPTIONS, [Wanted(0, path, digest)])[0].digest == digest


class TestBatch:
    @pytest.fixture
    def stage(self, session: Session) -> Iterator[Stage]:
        with session.stage() as made:
            yield made

    def test_is_published_at_once(self, session: Session, stage: Stage, tmp_path: Path) -> None:
        some = Batch(session, stage, OPTIONS)
        some.publish()
        for one in wanted(write(tmp_path, "a"), write(tmp_path, "b", LARGE)):
            some.add(one)
        assert digests(session) == set()
        assert some.added == {}
        some.publish()
        assert digests(session) == {wheel.digest for wheel in some.added.values()}
        assert sorted(some.added) == [0, 1]
        assert some.problems == {0: (), 1: ()}
        some.publish()

    def test_is_published_when_there_is_enough(
        self, session: Session, stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ones = wanted(*(write(tmp_path, name, {f"demo/{name}": b""}) for name in "abcde"))
        some = Batch(session, stage, OPTIONS)
        some.add(ones[0])
        some.publish()
        (entry,) = read_entries(session.layout)
        for most, seen in ((2 * entry.size, [1, 3]), (2 * entry.size + 2, [3, 3])):
            monkeypatch.setattr(batch, "_ENOUGH", most)
            some = Batch(session, stage, OPTIONS)
            for one in ones[1:3] if most == 2 * entry.size else ones[3:]:
                some.add(one)
                assert len(digests(session)) == seen.pop(0)
        some.publish()
        assert len(digests(session)) == 5

    def test_what_the_system_refuses(
        self, session: Session, stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        some = Batch(session, stage, OPTIONS)
        path = write(tmp_path, "a")
        (tmp_path / "store" / ".store" / "staging").rename(tmp_path / "elsewhere")
        shutil.rmtree(tmp_path / "elsewhere")
        with pytest.raises(LinkError) as caught:
            some.add(Wanted(0, path, None))
        root = session.layout.root
        assert str(caught.value).startswith(
            f"cannot unpack the wheel {path!r} into the store {root!r}"
        )
        assert (caught.value.source, caught.value.destination) == (path, root)

    @on_posix
    def test_gets_the_permissions_of_a_shared_store(
        self, session: Session, stage: Stage, tmp_path: Path
    ) -> None:
        session.open().standing = Standing(shared=True)
        some = Batch(session, stage, OPTIONS)
        for one in wanted(write(tmp_path, "a"), write(tmp_path, "b", LARGE)):
            some.add(one)
        some.publish()
        for wheel in some.added.values():
            assert stat.S_IMODE(os.stat(os.path.dirname(wheel.path)).st_mode) & 0o070 == 0o070

    @pytest.mark.parametrize("durable", [False, True])
    def test_is_on_the_disk_if_that_is_wanted(
        self,
        session: Session,
        stage: Stage,
        tmp_path: Path,
        durable: bool,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        seen: list[set[str]] = []

        def on_disk(folder: Folder, paths: Iterator[str]) -> bool:
            seen.append({path.partition("/")[0] for path in paths})
            assert folder is stage.folder
            return True

        monkeypatch.setattr("wheel_linker.store._entry.making.on_disk", on_disk)
        some = Batch(session, stage, OPTIONS._replace(durable=durable))
        for one in wanted(write(tmp_path, "a"), write(tmp_path, "b", LARGE)):
            some.add(one)
        some.publish()
        assert seen == ([{"0", "1"}] if durable else [])
        for wheel in some.added.values():
            assert os.path.exists(session.layout.boot(wheel.entry)) is not durable

    def test_is_known_by_the_index(self, session: Session, stage: Stage, tmp_path: Path) -> None:
        path = os.fspath(settle(Path(write(tmp_path, "a"))))
        fresh = write(tmp_path, "b", LARGE)
        os.utime(fresh, (2**31, 2**31))
        some = Batch(session, stage, OPTIONS)
        for one in wanted(path, fresh):
            some.add(one)
        some.publish()
        known = Known(some.added[0].digest, some.added[0].entry)
        assert session.index.find(path, os.stat(path)) == known
        assert session.index.find(fresh, os.stat(fresh)) is None

    def test_what_changed_meanwhile_is_not(
        self, session: Session, stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = os.fspath(settle(Path(write(tmp_path, "a"))))
        before = os.stat(path)
        real = unpack_entry

        def unpack(*arguments: Any) -> Any:
            made = real(*arguments)
            os.utime(path, (1, 1))
            return made

        monkeypatch.setattr(batch, "unpack_entry", unpack)
        some = Batch(session, stage, OPTIONS)
        some.add(Wanted(0, path, None))
        some.publish()
        assert session.index.find(path, before) is None

    def test_is_kept_as_long_as_the_call(
        self, session: Session, stage: Stage, tmp_path: Path
    ) -> None:
        with Kept() as kept:
            some = Batch(session, stage, OPTIONS._replace(kept=kept))
            some.add(Wanted(0, write(tmp_path, "a"), None))
            some.publish()
            assert session._used() == {some.added[0].entry}
        assert session._used() == set()

    @pytest.mark.parametrize("check", [None, "hash"])
    def test_what_is_damaged_is_mended(
        self, session: Session, stage: Stage, tmp_path: Path, check: Any
    ) -> None:
        ones = wanted(write(tmp_path, "a"))
        some = Batch(session, stage, OPTIONS)
        some.add(ones[0])
        some.publish()
        file = Path(some.added[0].path, "single.py")
        when = file.stat()
        for data in (b"SINGLE = 2\n", b"longer than that"):
            file.write_bytes(data)
            os.utime(file, ns=(when.st_atime_ns, when.st_mtime_ns))
            with session.stage() as other:
                again = Batch(session, other, OPTIONS._replace(check=check))
                again.add(ones[0])
                again.publish()
            assert again.added == some.added
            # By default, another size shows what is damaged, and nothing is read.
            is_mended = check == "hash" or len(data) > 11
            assert file.read_bytes() == (FILES["single.py"] if is_mended else data)


class TestEntryName:
    def test_is_the_first_that_is_free_or_its_own(self, tmp_path: Path) -> None:
        layout = Layout(os.fspath(tmp_path))
        digest, names = "5e" * 32, list(names_for("5e" * 32))
        assert entry_name(layout, digest) == names[0]
        make_entry(tmp_path, names[0], {"x": b""}, digest=digest)
        assert entry_name(layout, digest) == names[0]
        make_entry(tmp_path, "other", {"x": b""}, digest="5f" * 32)
        shutil.rmtree(tmp_path / names[0])
        for number, name in enumerate(names):
            assert entry_name(layout, digest) == name
            make_entry(tmp_path, name, {"x": b""}, digest="5f" * 32)
            assert number < 4
        with pytest.raises(FileExistsError) as caught:
            entry_name(layout, digest)
        said = f"the store {layout.root!r} has entries of every name for {digest}"
        assert str(caught.value) == said

    def test_of_what_cannot_be_read_is_taken(self, tmp_path: Path) -> None:
        name = next(names_for("5e" * 32))
        (make_entry(tmp_path, name, {"x": b""}) / "entry").write_bytes(b"")
        assert entry_name(Layout(os.fspath(tmp_path)), "5e" * 32) == name


class TestPlace:
    @pytest.fixture
    def path(self, tmp_path: Path) -> str:
        return write(tmp_path, "a")

    @pytest.fixture
    def stage(self, session: Session) -> Iterator[Stage]:
        with session.stage() as made:
            yield made

    @pytest.fixture
    def make(self, stage: Stage, path: str) -> Callable[[], Made]:
        """Return a function that unpacks the wheel once more."""
        count = iter(range(9))

        def unpack() -> Made:
            with WheelFile(path) as file:
                name, filename = f"n{next(count)}", WheelFilename.known(NAME)
                return unpack_entry(stage.folder, name, file, filename, OPTIONS)

        return unpack

    @pytest.fixture
    def name(self, path: str) -> str:
        return next(names_for(sha256_of(Path(path))))

    def test_a_new_one(
        self, session: Session, stage: Stage, make: Callable[[], Made], name: str
    ) -> None:
        assert place(session, stage, make(), "size") == name
        assert session._held == {name}
        assert Path(session.layout.tree(name), "single.py").exists()
        assert sorted(os.listdir(stage.folder.path)) == ["old", "owner"]
        assert not os.path.exists(session.layout.boot(name))

    def test_one_that_is_there(
        self, session: Session, stage: Stage, make: Callable[[], Made], name: str
    ) -> None:
        place(session, stage, make(), "size")
        before = os.stat(session.layout.tree(name)).st_ino
        session.close()
        assert place(session, stage, make(), "size") == name
        assert os.stat(session.layout.tree(name)).st_ino == before
        assert session._held == {name}
        assert session._used() == set()

    def test_something_else_in_its_place(
        self, session: Session, stage: Stage, make: Callable[[], Made], name: str
    ) -> None:
        Path(session.layout.entry(name)).write_bytes(b"somebody's")
        assert place(session, stage, make(), "size") == name
        assert Path(session.layout.tree(name), "single.py").exists()
        assert Path(stage.old.path, name).read_bytes() == b"somebody's"

    def test_an_empty_directory_in_its_place(
        self, session: Session, stage: Stage, make: Callable[[], Made], name: str
    ) -> None:
        os.mkdir(session.layout.entry(name))
        assert place(session, stage, make(), "size") == name
        assert Path(session.layout.tree(name), "single.py").read_bytes() == FILES["single.py"]
        assert sha256_entry(session) == [name]

    @pytest.mark.parametrize("what", ["entry", "file", "empty directory"])
    def test_another_process_is_faster(
        self,
        session: Session,
        stage: Stage,
        make: Callable[[], Made],
        name: str,
        what: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        first, second = make(), make()
        real = Session.coming
        entry = session.layout.entry(name)
        came: list[str] = []

        @contextmanager
        def coming(one: Session, wanted: str) -> Iterator[None]:
            with real(one, wanted):
                came.append(wanted)
                if len(came) == 1:
                    if what == "entry":
                        os.rename(os.path.join(stage.folder.path, first.name), entry)
                    elif what == "file":
                        Path(entry).touch()
                    else:
                        os.mkdir(entry)
                yield

        monkeypatch.setattr(Session, "coming", coming)
        assert place(session, stage, second, "size") == name
        assert Path(session.layout.tree(name), "single.py").read_bytes() == FILES["single.py"]
        # What was there in time stays.
        assert os.path.exists(os.path.join(stage.folder.path, second.name)) is (what != "file")

    def test_one_that_is_removed_meanwhile(
        self,
        session: Session,
        stage: Stage,
        make: Callable[[], Made],
        name: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        first, second = make(), make()
        place(session, stage, first, "size")
        session.close()
        real = Session.keeping
        entry = session.layout.entry(name)

        @contextmanager
        def keeping(one: Session, wanted: str, *, damaged: bool = False) -> Iterator[None]:
            if os.path.exists(entry):
                shutil.rmtree(entry)
            with real(one, wanted, damaged=damaged):
                yield

        monkeypatch.setattr(Session, "keeping", keeping)
        assert place(session, stage, second, "size") == name
        assert session._held == {name}
        assert os.path.isdir(entry)

    @on_posix
    def test_one_that_is_anothers(
        self, session: Session, stage: Stage, make: Callable[[], Made], name: str
    ) -> None:
        place(session, stage, make(), "size")
        session.open().standing = Standing("it is theirs", False, mine=frozenset())
        with pytest.raises(LinkError, match="not trusted: it is theirs"):
            place(session, stage, make(), "size")

    @pytest.mark.parametrize("check", ["size", "hash"])
    def test_one_that_is_damaged(
        self, session: Session, stage: Stage, make: Callable[[], Made], name: str, check: Any
    ) -> None:
        place(session, stage, make(), "size")
        file = Path(session.layout.tree(name), "single.py")
        when = file.stat()
        file.write_bytes(b"SINGLE = 2\n")
        os.utime(file, ns=(when.st_atime_ns, when.st_mtime_ns))
        place(session, stage, make(), check)
        assert file.read_bytes() == (FILES["single.py"] if check == "hash" else b"SINGLE = 2\n")

    def test_one_whose_description_is_gone(
        self, session: Session, stage: Stage, make: Callable[[], Made], name: str
    ) -> None:
        place(session, stage, make(), "size")
        os.unlink(session.layout.manifest(name))
        assert place(session, stage, make(), "size") == name
        assert sha256_entry(session) == [name]

    def test_one_that_was_copied_is_read_once(
        self, session: Session, stage: Stage, make: Callable[[], Made], name: str
    ) -> None:
        place(session, stage, make(), "size")
        tree = Path(session.layout.tree(name))
        for path in tree.rglob("*.py"):
            os.utime(path, (5, 5))
        (tree / "single.py").write_bytes(b"other")
        place(session, stage, make(), "size")
        assert os.path.exists(session.layout.times(name))

    def test_nothing_can_be_written(
        self,
        session: Session,
        stage: Stage,
        make: Callable[[], Made],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        made = make()
        monkeypatch.setattr(Folder, "move", refuse(errno.ENOSPC))
        with pytest.raises(OSError, match="No space") as caught:
            place(session, stage, made, "size")
        assert caught.value.errno == errno.ENOSPC

    @pytest.mark.parametrize("has_boot", [False, True])
    def test_nothing_can_be_renamed(
        self,
        session: Session,
        stage: Stage,
        make: Callable[[], Made],
        name: str,
        has_boot: bool,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        made = make()
        if has_boot:
            Path(stage.folder.path, made.name, "boot").write_bytes(b"a boot")
        real = Folder.move

        def move(one: Folder, source: str, other: Folder, target: str, **more: Any) -> None:
            if one.path != other.path:
                raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
            real(one, source, other, target, **more)

        monkeypatch.setattr(Folder, "move", move)
        assert place(session, stage, made, "size") == name
        assert Path(session.layout.tree(name), "single.py").read_bytes() == FILES["single.py"]
        # The copy is not on the disk yet.
        boot = Path(session.layout.boot(name)).read_bytes()
        assert (boot == b"a boot") is has_boot


def refuse(number: int) -> Callable[..., Any]:
    def refusing(*_: object, **__: object) -> Any:
        raise OSError(number, os.strerror(number))

    return refusing


def sha256_entry(session: Session) -> list[str]:
    return [entry.name for entry in read_entries(session.layout)]


class TestAddAll:
    def test_what_is_there_and_what_is_not(self, session: Session, tmp_path: Path) -> None:
        paths = [write(tmp_path, name, {f"demo/{name}": name.encode()}) for name in "abcd"]
        digests = [sha256_of(Path(path)) for path in paths]
        first = add_all(session, OPTIONS, wanted(*paths[1:3]))
        assert [wheel.digest for wheel in first] == digests[1:3]
        again = add_all(session, OPTIONS._replace(jobs=2), wanted(*paths))
        assert [wheel.digest for wheel in again] == digests
        assert [wheel.file() for wheel in again] == paths
        assert again[1:3] == first
        # Nothing is in use when the call is through.
        assert session._used() == set()
        assert session._held == {wheel.entry for wheel in again}

    def test_what_the_index_knows(
        self, session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = os.fspath(settle(Path(write(tmp_path, "a"))))
        first = add_all(session, OPTIONS, wanted(path))
        monkeypatch.setattr(WheelFile, "digest", refuse(errno.EIO))
        assert add_all(session, OPTIONS, wanted(path, path)) == first * 2
        monkeypatch.undo()
        with pytest.raises(InvalidWheelError, match="and should have 5e5e"):
            add_all(session, OPTIONS, [Wanted(0, path, "5e" * 32)])

    def test_what_is_read_to_be_found(
        self, session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = os.fspath(settle(Path(write(tmp_path, "a"))))
        first = add_all(session, OPTIONS, wanted(path))
        copies = [
            shutil.copy(path, os.fspath(tmp_path / f"demo-1.0-{n}-py3-none-any.whl")) for n in "12"
        ]
        monkeypatch.setattr(batch, "unpack_all", refuse(errno.EIO))
        again = add_all(session, OPTIONS, wanted(*copies))
        assert [wheel.entry for wheel in again] == [first[0].entry] * 2
        assert [wheel.file() for wheel in again] == copies
        for copy in copies:
            with pytest.raises(InvalidWheelError, match="and should have 5e5e"):
                add_all(session, OPTIONS, [Wanted(0, copy, "5e" * 32)])

    def test_is_kept_by_who_called(self, session: Session, tmp_path: Path) -> None:
        paths = [write(tmp_path, name, {f"demo/{name}": b""}) for name in "ab"]
        (known,) = add_all(session, OPTIONS, wanted(paths[0]))
        with Kept() as kept:
            wheels = add_all(session, OPTIONS._replace(kept=kept), wanted(*paths))
            assert session._used() == {wheel.entry for wheel in wheels}
            assert known in wheels
        assert session._used() == set()

    def test_below(self, session: Session, tmp_path: Path) -> None:
        base = Session(Layout(os.fspath(tmp_path / "base")))
        base.open()
        paths = [write(tmp_path, name, {f"demo/{name}": name.encode()}) for name in "abc"]
        below = add_all(base, OPTIONS, wanted(paths[1]))
        (own,) = add_all(session, OPTIONS, wanted(paths[2]))
        wheels = add_all(session, OPTIONS, wanted(*paths), [base])
        assert wheels[1:] == [below[0], own]
        assert os.fspath(wheels[0].path).startswith(session.layout.root)
        assert [wheel.file() for wheel in wheels] == paths
        assert len(read_entries(session.layout)) == 2
        with pytest.raises(InvalidWheelError, match="and should have 5e5e"):
            add_all(session, OPTIONS, [Wanted(0, paths[1], "5e" * 32)], [base])
        with pytest.raises(InvalidWheelError, match="and should have 5e5e"):
            add_all(session, OPTIONS, [Wanted(0, paths[2], "5e" * 32)], [base])
        base.close()

    @pytest.mark.parametrize("layered", [False, True])
    def test_what_the_system_refuses(self, session: Session, tmp_path: Path, layered: bool) -> None:
        path = os.fspath(tmp_path / ("x" * 300))
        with pytest.raises(LinkError) as caught:
            add_all(session, OPTIONS, wanted(path), [session] if layered else [])
        said = f"cannot add the wheel {path!r} to the store {session.layout.root!r}: "
        assert str(caught.value).startswith(said)
        assert (caught.value.errno, caught.value.source) == (errno.ENAMETOOLONG, path)

    @pytest.mark.filterwarnings("ignore::wheel_linker.RecordWarning")
    def test_what_was_added_when_nobody_was_strict(self, session: Session, tmp_path: Path) -> None:
        bad = os.fspath(settle(Path(write_bad(tmp_path, "bad"))))
        good = write(tmp_path, "good")
        strictly = OPTIONS._replace(strict=True)
        add_all(session, OPTIONS, wanted(bad))
        assert len(add_all(session, strictly, wanted(good))) == 1
        with pytest.raises(InvalidWheelError) as caught:
            add_all(session, strictly, wanted(good, bad))
        said = f"cannot use {bad!r}: its RECORD is not right: 'single.py' "
        assert str(caught.value).startswith(said)
        assert str(caught.value).endswith("; get the wheel from elsewhere, or build it again")

    @pytest.mark.filterwarnings("error::wheel_linker.RecordWarning")
    def test_what_is_harmless_is_no_reason(self, session: Session, tmp_path: Path) -> None:
        files = {**FILES, RECORD: record_of(FILES).replace(b"\n", b"\r\n")}
        path = os.fspath(write_archive(tmp_path / NAME, files))
        (wheel,) = add_all(session, OPTIONS, wanted(path))
        assert {problem.kind for problem in wheel.record_problems()} == {"crlf"}
        assert add_all(session, OPTIONS._replace(strict=True), wanted(path)) == [wheel]
