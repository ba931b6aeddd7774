"""Listing, removing, pruning, verifying and repairing."""

from __future__ import annotations

import errno
import gc
import os
import shutil
import sys
import threading
import time
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from store.archives import (
    EXECUTABLES,
    FILES,
    NAME,
    files_below,
    record_of,
    sha256_of,
    with_record,
    write_archive,
    write_wheel,
)
from store.conftest import entry_names, litter, settle
from wheel_linker import InvalidWheelError, LinkError, LinkMode, WheelFilename, link_wheels
from wheel_linker.install import Layout, install_wheels
from wheel_linker.store import StoredWheel, WheelStore
from wheel_linker.store.layout import Layout as StoreLayout
from wheel_linker.store.session import Session

if TYPE_CHECKING:
    from collections.abc import Iterator

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="about POSIX permissions")


def unused_since(root: Path, stored: StoredWheel, seconds: float) -> None:
    """Pretend that an entry was used so long ago."""
    then = time.time() - seconds
    os.utime(root / stored.entry / "entry", (then, then))


@pytest.fixture
def three(store: WheelStore, tmp_path: Path) -> list[StoredWheel]:
    """Three entries of different sizes."""
    return [
        store.add(write_wheel(tmp_path / str(number) / NAME, {"n.bin": b"#" * 1000 * number}))
        for number in (1, 2, 3)
    ]


class TestEntries:
    def test_of_nothing(self, store: WheelStore, root: Path) -> None:
        assert store.entries() == []
        assert not root.exists()

    def test_say_what_there_is(self, store: WheelStore, stored: StoredWheel) -> None:
        (entry,) = store.entries()
        assert entry.name == stored.entry
        assert entry.digest == stored.digest
        assert entry.filename == WheelFilename.parse(NAME)
        assert entry.path == stored.path
        assert entry.files == len(with_record(FILES))
        assert entry.size == sum(map(len, with_record(FILES).values()))
        assert abs(entry.used - time.time()) < 60

    def test_leave_out_what_is_none(
        self, store: WheelStore, stored: StoredWheel, root: Path
    ) -> None:
        (root / "abcdefghij").mkdir()
        (root / "bcdefghijk").mkdir()
        (root / "bcdefghijk" / "entry").write_text("something else\n")
        (root / "notes.txt").write_text("")
        assert [entry.name for entry in store.entries()] == [stored.entry]


class TestRemove:
    @pytest.mark.parametrize("how", ["entry", "wheel", "name", "digest"])
    def test_by(self, store: WheelStore, stored: StoredWheel, root: Path, how: str) -> None:
        (entry,) = store.entries()
        given = {"entry": entry, "wheel": stored, "name": entry.name, "digest": entry.digest}
        store.remove(given[how])  # type: ignore[arg-type]
        assert entry_names(root) == set()
        assert litter(root) == []

    def test_of_what_is_gone(self, store: WheelStore, stored: StoredWheel) -> None:
        store.remove(stored, stored)
        store.remove(stored)

    def test_of_nonsense(self, store: WheelStore) -> None:
        with pytest.raises(ValueError, match="neither"):
            store.remove("../../etc")

    def test_added_again(self, store: WheelStore, stored: StoredWheel, wheel_file: Path) -> None:
        store.remove(stored)
        again = store.add(wheel_file)
        assert files_below(again.path) == with_record(FILES)

    @pytest.mark.parametrize("how", ["removed", "pruned"])
    def test_then_linked(
        self, store: WheelStore, stored: StoredWheel, site: Path, wheel_file: Path, how: str
    ) -> None:
        if how == "removed":
            store.remove(stored)
        else:
            store.prune(unused_for=0)
        why = "through the store object that it is from; add the wheel again"
        with pytest.raises(InvalidWheelError, match=why):
            link_wheels(site, [stored])
        link_wheels(site, [store.add(wheel_file)])

    @pytest.mark.parametrize("old_first", [True, False], ids=["old-first", "new-first"])
    @pytest.mark.parametrize("call", ["add_all", "install_wheels"])
    def test_of_what_the_same_call_has_found(
        self, store: WheelStore, wheel_file: Path, tmp_path: Path, call: str, old_first: bool
    ) -> None:
        """Another thread prunes through the same object, while a call unpacks one wheel and has another one."""
        info = "other-1.0.dist-info"
        files = {
            "other.py": b"",
            f"{info}/METADATA": b"Metadata-Version: 2.1\nName: other\nVersion: 1.0\n",
            f"{info}/WHEEL": FILES["demo-1.0.dist-info/WHEEL"],
        }
        path = tmp_path / "more" / "other-1.0-py3-none-any.whl"
        files[f"{info}/RECORD"] = record_of(files).replace(b"demo-1.0", b"other-1.0")
        other = write_archive(path, files)
        store.add(wheel_file)
        pruned: list[object] = []

        def prune(_: int) -> None:
            if not pruned:
                thread = threading.Thread(target=lambda: pruned.append(store.prune(unused_for=0)))
                thread.start()
                thread.join()

        wheels = [wheel_file, other] if old_first else [other, wheel_file]
        if call == "add_all":
            added = store.add_all(wheels, progress=prune)
            assert all(os.path.isdir(each.path) for each in added)
        else:
            layout = Layout.for_target(tmp_path / "target")
            reports = install_wheels(wheels, layout, store=store, progress=prune)
            assert len(reports) == 2
        assert pruned == [[]]
        assert len(store.prune(unused_for=0)) == 2  # nothing is kept after the call

    def test_of_what_another_uses(
        self, store: WheelStore, stored: StoredWheel, root: Path, wheel_file: Path
    ) -> None:
        other = WheelStore(root)
        with pytest.raises(LinkError, match="in use"):
            other.remove(stored.entry)
        store.close()
        other.remove(stored.entry)
        assert entry_names(root) == set()

    def test_of_what_is_being_linked(self, store: WheelStore, stored: StoredWheel) -> None:
        with stored.hold(), pytest.raises(LinkError, match="in use"):
            store.remove(stored)
        store.remove(stored)

    def test_while_linking(self, store: WheelStore, stored: StoredWheel, site: Path) -> None:
        def remove(_: int) -> None:
            with pytest.raises(LinkError, match="in use"):
                store.remove(stored)
            assert store.prune(unused_for=0) == []

        link_wheels(site, [stored], mode="copy", progress=remove)
        assert files_below(site) == with_record(FILES)

    def test_when_the_wheel_is_dropped(self, root: Path, wheel_file: Path) -> None:
        stored = WheelStore(root).add(wheel_file)
        other = WheelStore(root)
        with pytest.raises(LinkError, match="in use"):
            other.remove(stored.entry)
        name = stored.entry
        del stored
        gc.collect()
        other.remove(name)
        assert entry_names(root) == set()


class TestPrune:
    def test_nothing(self, store: WheelStore, three: list[StoredWheel]) -> None:
        assert store.prune() == []
        assert len(store.entries()) == 3

    @pytest.mark.parametrize("given", [3600, 3600.5, timedelta(hours=1)])
    def test_unused(
        self, store: WheelStore, three: list[StoredWheel], root: Path, given: float | timedelta
    ) -> None:
        unused_since(root, three[1], 4000)
        assert [entry.name for entry in store.prune(unused_for=given)] == [three[1].entry]
        assert entry_names(root) == {three[0].entry, three[2].entry}

    def test_everything(self, store: WheelStore, three: list[StoredWheel], root: Path) -> None:
        assert len(store.prune(unused_for=0)) == 3
        assert entry_names(root) == set()

    def test_down_to_a_size(self, store: WheelStore, three: list[StoredWheel], root: Path) -> None:
        for age, stored in zip((30, 10, 20), three):
            unused_since(root, stored, age)
        sizes = {entry.name: entry.size for entry in store.entries()}
        store.prune(max_bytes=sizes[three[1].entry] + sizes[three[2].entry])
        assert entry_names(root) == {three[1].entry, three[2].entry}
        store.prune(max_bytes=sizes[three[1].entry])
        assert entry_names(root) == {three[1].entry}

    def test_adding_again_is_use(
        self, store: WheelStore, stored: StoredWheel, root: Path, wheel_file: Path
    ) -> None:
        unused_since(root, stored, 4000)
        with WheelStore(root) as other:
            other.add(wheel_file)
        assert store.prune(unused_for=3600) == []

    def test_not_what_others_use(
        self, store: WheelStore, three: list[StoredWheel], root: Path
    ) -> None:
        assert WheelStore(root).prune(unused_for=0, max_bytes=0) == []
        assert len(store.entries()) == 3

    def test_forgets_wheel_files(
        self, store: WheelStore, stored: StoredWheel, root: Path, wheel_file: Path
    ) -> None:
        index = root / ".store" / "index"
        assert str(wheel_file) in index.read_text()
        store.prune(unused_for=0)
        assert index.read_text() == ""
        assert files_below(store.add(wheel_file).path) == with_record(FILES)

    def test_keeps_one_line_for_a_file(
        self, store: WheelStore, stored: StoredWheel, root: Path, wheel_file: Path
    ) -> None:
        os.utime(wheel_file, (1, 1))
        time.sleep(0.06)
        store.add(wheel_file)
        index = root / ".store" / "index"
        assert index.read_text().count(str(wheel_file)) == 2
        store.prune()
        assert index.read_text().count(str(wheel_file)) == 1

    def test_torn_line_does_not_matter(
        self, store: WheelStore, stored: StoredWheel, root: Path, wheel_file: Path
    ) -> None:
        index = root / ".store" / "index"
        index.write_bytes(index.read_bytes()[:-30])
        with WheelStore(root) as other:
            assert other.add(wheel_file) == stored
        with WheelStore(root) as other:
            assert other.add(wheel_file) == stored


class TestBrokenEntry:
    @pytest.mark.parametrize("broken", ["missing", "empty", "garbage", "cut"])
    def test_is_replaced(
        self, store: WheelStore, stored: StoredWheel, root: Path, wheel_file: Path, broken: str
    ) -> None:
        manifest = root / stored.entry / "entry"
        text = manifest.read_text()
        if broken == "missing":
            manifest.unlink()
        else:
            manifest.write_text({"empty": "", "garbage": "\0\n" * 20, "cut": text[:90]}[broken])
        store.close()
        (root / ".store" / "index").unlink()
        again = store.add(wheel_file)
        assert again.entry == stored.entry
        assert manifest.read_text().count("\n") == text.count("\n")
        assert litter(root) == []


class TestVerify:
    def test_nothing_wrong(self, store: WheelStore, three: list[StoredWheel]) -> None:
        assert store.verify() == []
        assert store.verify(deep=True) == []
        assert store.verify(three[0]) == []

    def test_is_no_use(self, root: Path, wheel_file: Path) -> None:
        """Who verifies every night could never prune what was not used for a month."""
        with WheelStore(root) as other:
            stored = other.add(wheel_file)
            unused_since(root, stored, 7200)
        with WheelStore(root) as store:
            assert store.verify(deep=True) == []
            assert store.entries()[0].used < time.time() - 7000
            with WheelStore(root) as another:  # while this one looks
                assert another.prune(unused_for=3600) == []
            assert store.find(stored.digest) is not None
            assert store.entries()[0].used > time.time() - 60

    def test_of_what_is_not_there(self, store: WheelStore) -> None:
        assert store.verify("abcdefghij") == []

    def test_after_linking(self, store: WheelStore, stored: StoredWheel, site: Path) -> None:
        link_wheels(site, [stored], mode="hardlink")
        link_wheels(site, [stored], mode="copy")
        assert store.verify(deep=True) == []
        assert store.verify() == []

    @pytest.mark.parametrize("deep", [False, True])
    @pytest.mark.parametrize("same_size", [False, True])
    def test_edit_through_a_hard_link(
        self, store: WheelStore, stored: StoredWheel, site: Path, deep: bool, same_size: bool
    ) -> None:
        link_wheels(site, [stored], mode=(LinkMode.HARDLINK,))
        with (site / "single.py").open("r+b" if same_size else "ab") as file:
            file.write(b"EDITED = 1\n")
        (damage,) = store.verify(stored, deep=deep)
        assert (damage.path, damage.kind) == ("single.py", "changed")
        assert "demo-1.0" in str(damage)

    def test_edit_with_the_time_set_back(self, store: WheelStore, stored: StoredWheel) -> None:
        path = Path(stored.path, "single.py")
        times = path.stat()
        path.write_bytes(b"EDITED = 1\n")
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
        assert store.verify() == []
        assert [damage.path for damage in store.verify(deep=True)] == ["single.py"]

    def test_missing_and_added(self, store: WheelStore, stored: StoredWheel) -> None:
        root = Path(stored.path)
        (root / "single.py").unlink()
        shutil.rmtree(root / "demo" / "sub")
        (root / "demo" / "new").mkdir()
        (root / "demo" / "new" / "file.py").write_bytes(b"")
        (root / "demo" / "empty").unlink()
        (root / "demo" / "empty").mkdir()
        (root / "demo" / "empty" / "x").write_bytes(b"")
        found = {(damage.path, damage.kind) for damage in store.verify()}
        assert found == {
            ("single.py", "missing"),
            ("demo/sub/deep/er/leaf.py", "missing"),
            ("demo/new/file.py", "added"),
            ("demo/empty", "missing"),
            ("demo/empty/x", "added"),
        }

    @posix_only
    def test_links_and_modes(self, store: WheelStore, stored: StoredWheel) -> None:
        root = Path(stored.path)
        (root / "single.py").unlink()
        (root / "single.py").symlink_to("demo.py")
        (root / "demo/tool.sh").chmod(0o644)
        (root / "demo/link").symlink_to("/etc")
        assert {(damage.path, damage.kind) for damage in store.verify(deep=True)} == {
            ("single.py", "changed"),
            ("demo/tool.sh", "changed"),
            ("demo/link", "added"),
        }


class TestRepair:
    @pytest.fixture(autouse=True)
    def damaged(self, stored: StoredWheel, site: Path) -> None:
        link_wheels(site, [stored], mode="hardlink")
        (site / "single.py").write_bytes(b"EDITED = 1\n")
        root = Path(stored.path)
        shutil.rmtree(root / "demo" / "sub")
        (root / "demo" / "new").mkdir()
        (root / "demo" / "new" / "file.py").write_bytes(b"")
        (root / "demo" / "empty").unlink()
        (root / "demo" / "empty").mkdir()
        (root / "demo" / "empty" / "x").write_bytes(b"")

    def test_makes_it_what_it_was(
        self, store: WheelStore, stored: StoredWheel, wheel_file: Path, root: Path, way: str
    ) -> None:
        mended = store.repair(stored, wheel_file)
        assert {damage.path for damage in mended} >= {"single.py", "demo/new/file.py", "demo/empty"}
        assert store.verify() == []
        assert store.verify(deep=True) == []
        assert files_below(stored.path) == with_record(FILES)
        assert litter(root) == []

    def test_leaves_environments_alone(
        self, store: WheelStore, stored: StoredWheel, wheel_file: Path, site: Path
    ) -> None:
        store.repair(stored.digest, wheel_file)
        assert (site / "single.py").read_bytes() == b"EDITED = 1\n"
        link_wheels(site, [stored], mode="hardlink")
        assert (site / "single.py").read_bytes() == FILES["single.py"]

    def test_from_another_wheel(
        self, store: WheelStore, stored: StoredWheel, tmp_path: Path, root: Path
    ) -> None:
        other = write_wheel(tmp_path / "other" / NAME, {"x.py": b""})
        with pytest.raises(InvalidWheelError, match=sha256_of(other)):
            store.repair(stored, other)
        assert litter(root) == []

    def test_of_what_is_not_there(self, store: WheelStore, wheel_file: Path) -> None:
        with pytest.raises(InvalidWheelError, match="no such entry"):
            store.repair("abcdefghij", wheel_file)

    def test_again_is_nothing(
        self, store: WheelStore, stored: StoredWheel, wheel_file: Path
    ) -> None:
        store.repair(stored, wheel_file)
        assert store.repair(stored, wheel_file) == []


@posix_only
class TestProtect:
    @pytest.fixture
    def protected(self, root: Path, wheel_file: Path) -> Iterator[StoredWheel]:
        with WheelStore(root, protect=True) as store:
            yield store.add(wheel_file)

    def test_files_are_read_only(self, protected: StoredWheel) -> None:
        root = Path(protected.path)
        modes = {name: (root / name).stat().st_mode & 0o777 for name in with_record(FILES)}
        assert not any(mode & 0o222 for mode in modes.values())
        assert {name for name, mode in modes.items() if mode & 0o111} == EXECUTABLES

    def test_edit_through_a_hard_link_fails(self, nobody: Path) -> None:
        path = write_wheel(nobody / NAME)
        with WheelStore(nobody / "store", protect=True) as store:
            stored = store.add(path)
            link_wheels(nobody / "site", [stored], mode="hardlink")
            with pytest.raises(PermissionError):
                (nobody / "site" / "single.py").write_bytes(b"")
            assert store.verify() == []
            assert len(store.prune(unused_for=0)) == 1

    def test_repair_keeps_it(self, protected: StoredWheel, root: Path, wheel_file: Path) -> None:
        path = Path(protected.path, "demo/__init__.py")
        path.unlink()
        with WheelStore(root) as store:
            store.repair(protected.entry, wheel_file)
        assert path.stat().st_mode & 0o777 == 0o444


@posix_only
class TestForeignStore:
    """A store that another user, or nobody, can write to."""

    @pytest.fixture
    def wheel(self, nobody: Path) -> Path:
        if sys.platform == "win32":
            pytest.skip("POSIX only")
        if os.geteuid() == os.getuid():
            pytest.skip("needs another user's store")
        return settle(write_wheel(nobody / NAME))

    @pytest.fixture
    def foreign(self, wheel: Path, nobody: Path) -> Iterator[Path]:
        with as_root(), WheelStore(nobody / "store") as store:
            store.add(wheel)
        yield nobody / "store"
        with as_root():
            shutil.rmtree(nobody / "store")

    def test_can_be_linked_from(self, foreign: Path, wheel: Path, nobody: Path) -> None:
        with WheelStore(foreign) as store:
            stored = store.add(wheel)
            link_wheels(nobody / "site", [stored], mode="symlink")
            assert store.verify(deep=True) == []
        assert files_below(nobody / "site") == with_record(FILES)

    def test_knows_other_paths_by_content(self, foreign: Path, nobody: Path) -> None:
        copy = write_wheel(nobody / "copy" / NAME)
        with WheelStore(foreign) as store:
            assert store.add(copy).entry == store.entries()[0].name

    def test_cannot_be_added_to(self, foreign: Path, nobody: Path) -> None:
        with WheelStore(foreign) as store:
            with pytest.raises(LinkError, match="permissions"):
                store.add(write_wheel(nobody / NAME, {"x.py": b""}))
            with pytest.raises(LinkError):
                store.prune(unused_for=0)
            with pytest.raises(LinkError):
                store.remove(store.entries()[0])

    def test_keeps_what_is_read(self, foreign: Path, wheel: Path) -> None:
        reader = WheelStore(foreign)
        stored = reader.add(wheel)
        with as_root():
            owner = WheelStore(foreign)
            assert owner.prune(unused_for=0) == []
            reader.close()
            assert [entry.name for entry in owner.prune(unused_for=0)] == [stored.entry]


@contextmanager
def as_root() -> Iterator[None]:
    """Be the superuser again."""
    if sys.platform == "win32":
        pytest.skip("POSIX only")
    user = os.geteuid()
    os.seteuid(0)
    try:
        yield
    finally:
        os.seteuid(user)


@posix_only
def test_store_on_a_read_only_file_system(
    tmp_path: Path, wheel_file: Path, site: Path, filesystems: object, on_filesystem: object
) -> None:

    place = on_filesystem("tmpfs")  # type: ignore[operator]
    with WheelStore(place / "store") as store:
        store.add(wheel_file)
    view = filesystems.read_only(place, f"ro-{os.urandom(4).hex()}")  # type: ignore[attr-defined]
    with WheelStore(view / "store") as store:
        stored = store.add(wheel_file)
        link_wheels(site, [stored], mode="copy")
        assert store.verify() == []
    assert files_below(site) == with_record(FILES)


@pytest.mark.parametrize("how", ["removed", "used"])
def test_what_is_over_takes_no_room_for_ever(root: Path, wheel_file: Path, how: str) -> None:
    """A store object may live as long as a server, and remove and use entries all the time."""
    tracemalloc = pytest.importorskip("tracemalloc")
    WheelStore(root).add(wheel_file)
    session = Session(StoreLayout(str(root)))
    entries = [f"entry-{number:06}" for number in range(20_000)]
    with session.looking_at(entries[0]):  # what is needed once
        session.forget(entries[0])
    tracemalloc.start()
    try:
        for entry in entries:
            if how == "removed":
                session.forget(entry)
            else:
                with session.looking_at(entry):
                    pass
        grown, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert grown < 200_000


def test_of_what_was_removed_last_it_is_told(root: Path, wheel_file: Path) -> None:
    WheelStore(root).add(wheel_file)
    session = Session(StoreLayout(str(root)))
    entries = [f"entry-{number:06}" for number in range(20_000)]
    for entry in entries:
        session.forget(entry)
    why = "through the store object that it is from"
    with pytest.raises(InvalidWheelError, match=why), session.keeping(entries[-1]):
        pass
    gone = "not in the store any more; add"
    with pytest.raises(InvalidWheelError, match=gone), session.keeping(entries[0]):
        pass


@posix_only
@pytest.mark.parametrize("keeps_control", [True, False], ids=["whole", "without-control"])
def test_pruning_and_removing_on_a_read_only_file_system(
    tmp_path: Path,
    wheel_file: Path,
    filesystems: object,
    on_filesystem: object,
    keeps_control: bool,
) -> None:
    place = on_filesystem("tmpfs")  # type: ignore[operator]
    with WheelStore(place / "store") as store:
        store.add(wheel_file)
    if not keeps_control:
        shutil.rmtree(place / "store" / ".store")
    view = filesystems.read_only(place, f"ro-{os.urandom(4).hex()}")  # type: ignore[attr-defined]
    with WheelStore(view / "store") as store:
        with pytest.raises(LinkError, match="Read-only file system") as pruned:
            store.prune(unused_for=0)
        with pytest.raises(LinkError, match="Read-only file system") as removed:
            store.remove(*store.entries())
        assert len(store.entries()) == 1
    for raised in (pruned, removed):
        assert raised.value.errno == errno.EROFS
        assert repr(str(view / "store"))[:-1] in str(raised.value)
