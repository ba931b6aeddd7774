"""An entry of which something is destroyed: it is seen, never linked in silence, and every way out works."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from install.kit import check_record

from store.archives import (
    FILES,
    NAME,
    files_below,
    record_of,
    with_record,
    write_archive,
    write_wheel,
)
from store.conftest import entry_names, litter, settle
from wheel_linker import InvalidWheelError, LinkError, link_wheels
from wheel_linker.install import Layout, install_wheels
from wheel_linker.store import WheelStore
from wheel_linker.store._entry import checking

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from wheel_linker.store import StoredWheel
    from wheel_linker.store._entry.checking import Check

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="about POSIX kinds of files")
RECORD = "demo-1.0.dist-info/RECORD"


def empty(path: Path) -> None:
    path.write_bytes(b"")


def zeros(path: Path) -> None:
    """Leave what a power cut leaves: the size and the times, and nothing else."""
    status = path.stat()
    path.write_bytes(bytes(status.st_size))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def flipped(path: Path) -> None:
    """Change one bit, and nothing that a look at the file shows."""
    status, data = path.stat(), bytearray(path.read_bytes())
    data[len(data) // 3] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def gone(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink()


def fifo(path: Path) -> None:
    if sys.platform == "win32":
        pytest.skip("POSIX only")
    gone(path)
    os.mkfifo(path)


def device(path: Path) -> None:
    if sys.platform == "win32":
        pytest.skip("POSIX only")
    gone(path)
    path.symlink_to("/dev/zero")


def leading_nowhere(path: Path) -> None:
    if sys.platform == "win32":
        pytest.skip("POSIX only")
    gone(path)
    path.symlink_to("/dev/null/nowhere")


def leading_to_itself(path: Path) -> None:
    if sys.platform == "win32":
        pytest.skip("POSIX only")
    gone(path)
    path.symlink_to(path.name)


def moved(path: Path) -> None:
    """Leave a symlink to the same files, as somebody does who needs room."""
    if sys.platform == "win32":
        pytest.skip("POSIX only")
    elsewhere = next(above for above in path.parents if above.name == "store").with_name("moved")
    path.rename(elsewhere)
    path.symlink_to(elsewhere)


def directory(path: Path) -> None:
    gone(path)
    path.mkdir()


SEEN_BY_ADDING = [
    *(("entry", how) for how in (empty, zeros, half, gone, fifo, device, directory)),
    *(("rows", how) for how in (empty, gone, device)),
    *((f"w/{RECORD}", how) for how in (empty, gone)),
    *(("w/single.py", how) for how in (half, fifo, device, directory)),
    *(("w", how) for how in (gone, directory, fifo, device)),
    *((path, leading_nowhere) for path in ("w", "w/demo", "w/single.py")),
    *((path, leading_to_itself) for path in ("w", "w/demo", "w/single.py")),
    *((path, moved) for path in ("w", "w/single.py")),
]
ONLY_DESCRIPTION = [("entry", how) for how in (empty, zeros, gone, fifo)]


def named(case: tuple[str, Callable[[Path], None]]) -> str:
    return f"{case[0]} {case[1].__name__}"


@pytest.fixture(params=SEEN_BY_ADDING, ids=named)
def damaged(request: pytest.FixtureRequest, root: Path, wheel_file: Path) -> str:
    """Damage the one entry of a store; return its name."""
    with WheelStore(root) as store:
        name = store.add(wheel_file).entry
    path, damage = request.param
    damage(root / name / path)
    return name


@pytest.fixture
def opened(root: Path, damaged: str) -> Iterator[WheelStore]:
    """A store with a damaged entry."""
    with WheelStore(root) as store:
        yield store


def is_sound(root: Path, site: Path, wheel_file: Path) -> bool:
    """Link and install from a store, and tell whether the result is the wheel."""
    with WheelStore(root) as store:
        link_wheels(site, [store.add(wheel_file)], mode="copy")
        layout = Layout.for_target(site.parent / "env")
        install_wheels([wheel_file], layout, store=store, mode="copy")
        assert store.verify(deep=True) == []
    record = (site.parent / "env" / RECORD).read_text()
    assert all(path in record for path in FILES)
    assert litter(root) == []
    return files_below(site) == with_record(FILES)


@pytest.mark.parametrize("known", [True, False], ids=["index", "no-index"])
def test_adding_mends(
    opened: WheelStore, root: Path, site: Path, wheel_file: Path, known: bool
) -> None:
    if not known:
        (root / ".store" / "index").unlink()
    opened.add(wheel_file)
    opened.close()
    assert is_sound(root, site, wheel_file)


def test_is_seen_and_repaired(
    opened: WheelStore, damaged: str, root: Path, wheel_file: Path
) -> None:
    seen = opened.verify()
    assert {damage.entry.name for damage in seen} == {damaged}
    for found in (opened.verify(deep=True), opened.verify(damaged)):
        assert [damage[1:] for damage in found] == [damage[1:] for damage in seen]
    assert opened.repair(damaged, wheel_file)
    assert opened.verify(deep=True) == []
    assert opened.repair(damaged, wheel_file) == []
    opened.remove(damaged)
    assert entry_names(root) == set()


def test_can_be_removed(opened: WheelStore, damaged: str, root: Path, wheel_file: Path) -> None:
    opened.remove(damaged)
    assert entry_names(root) == set()
    assert files_below(opened.add(wheel_file).path) == with_record(FILES)


@pytest.mark.parametrize("case", ONLY_DESCRIPTION, ids=named)
class TestBrokenDescription:
    def damage(self, case: tuple[str, Callable[[Path], None]], root: Path, name: str) -> None:
        case[1](root / name / case[0])

    def test_is_removed_by_digest(
        self, case: tuple[str, Callable[[Path], None]], root: Path, wheel_file: Path
    ) -> None:
        with WheelStore(root) as store:
            stored = store.add(wheel_file)
            self.damage(case, root, stored.entry)
            (damage,) = store.verify(stored.digest)
            assert (damage.path, damage.entry.name) == ("../entry", stored.entry)
            store.remove(stored.digest)
        assert entry_names(root) == set()

    def test_is_pruned(
        self, case: tuple[str, Callable[[Path], None]], root: Path, wheel_file: Path
    ) -> None:
        with WheelStore(root) as store:
            stored = store.add(wheel_file)
            self.damage(case, root, stored.entry)
            store.close()
            assert [entry.name for entry in store.prune()] == [stored.entry]
        assert entry_names(root) == set()

    def test_is_not_linked(
        self, case: tuple[str, Callable[[Path], None]], root: Path, wheel_file: Path, site: Path
    ) -> None:
        with WheelStore(root) as store:
            stored = store.add(wheel_file)
        self.damage(case, root, stored.entry)
        with pytest.raises(InvalidWheelError, match=r"repair the entry|add the wheel again$"):
            link_wheels(site, [stored])
        assert os.listdir(site) == []


@pytest.mark.parametrize("check", ["size", "hash"])
def test_adding_looks_once_before_it_unpacks(
    root: Path, wheel_file: Path, monkeypatch: pytest.MonkeyPatch, check: Check
) -> None:
    """And once more when the entry is kept from others, who may have mended it meanwhile."""
    with WheelStore(root, check=check) as store:
        entry = store.add(wheel_file).entry
    empty(root / entry / "w" / "single.py")
    looks: list[str] = []
    look = checking._is_intact

    def noting(*arguments: Any) -> bool:
        looks.append(arguments[1])
        return look(*arguments)

    monkeypatch.setattr(checking, "_is_intact", noting)
    monkeypatch.setattr("wheel_linker.store._adding.batch.unpack_entry", lambda *_: 1 / 0)
    with WheelStore(root, check=check) as store:
        with pytest.raises(ZeroDivisionError):
            store.add(wheel_file)
        assert looks == [entry]
        monkeypatch.undo()
        assert files_below(store.add(wheel_file).path) == with_record(FILES)


def test_repair_with_another_wheel(root: Path, wheel_file: Path, tmp_path: Path) -> None:
    other = write_wheel(tmp_path / "other" / NAME, {"x.py": b""})
    with WheelStore(root) as store:
        stored = store.add(wheel_file)
        empty(root / stored.entry / "entry")
        with pytest.raises(InvalidWheelError, match="not the wheel"):
            store.repair(stored.entry, other)
        assert store.repair(stored.digest, wheel_file)
        assert store.verify(deep=True) == []


def test_somebody_elses_directory_is_left_alone(root: Path, wheel_file: Path) -> None:
    (root / "downloads2" / "mine").mkdir(parents=True)
    with WheelStore(root) as store:
        store.add(wheel_file)
        assert store.verify() == []
        assert store.prune() == []
        store.remove("downloads2")
    assert (root / "downloads2" / "mine").is_dir()


class TestRows:
    def test_of_the_right_size_are_not_believed(
        self, root: Path, site: Path, wheel_file: Path
    ) -> None:
        with WheelStore(root) as store:
            zeros(root / store.add(wheel_file).entry / "rows")
            assert [damage.path for damage in store.verify()] == ["../rows"]
            install_wheels([wheel_file], Layout.for_target(site), store=store)
            assert store.verify(deep=True) == []
        record = (site / RECORD).read_text()
        assert all(path in record for path in FILES)

    @pytest.mark.parametrize("deep", [True, False])
    def test_are_seen_when_they_are_read(
        self, root: Path, site: Path, wheel_file: Path, deep: bool
    ) -> None:
        """Whoever holds the wheel has them made of what was unpacked; adding it makes the entry anew."""
        with WheelStore(root) as store:
            stored = store.add(wheel_file)
            rows = root / stored.entry / "rows"
            flipped(rows)
            assert [damage.path for damage in store.verify(deep=deep)] == ["../rows"]
            install_wheels([stored], Layout.for_target(site))
            check_record(Layout.for_target(site))
            assert [damage.path for damage in store.verify(deep=deep)] == ["../rows"]
            assert store.find(stored.digest) is None
            store.add(wheel_file)
            assert store.verify(deep=True) == []

    def test_in_a_store_that_is_only_read(self, root: Path, site: Path, wheel_file: Path) -> None:
        with WheelStore(root) as store:
            rows = root / store.add(wheel_file).entry / "rows"
        flipped(rows)
        before = rows.read_bytes()
        with WheelStore(root.with_name("own"), bases=[root]) as store:
            install_wheels([wheel_file], Layout.for_target(site), store=store)
        check_record(Layout.for_target(site))
        assert rows.read_bytes() == before

    def test_and_record_destroyed(self, root: Path, site: Path, wheel_file: Path) -> None:
        with WheelStore(root) as store:
            stored = store.add(wheel_file)
            zeros(root / stored.entry / "rows")
            zeros(root / stored.entry / "w" / RECORD)
            install_wheels([stored], Layout.for_target(site))
        assert all(path in (site / RECORD).read_text() for path in FILES)


class TestProblems:
    """What was not right about the wheel's ``RECORD``, which is kept beside what was unpacked."""

    @pytest.fixture
    def odd_file(self, tmp_path: Path) -> Path:
        record = record_of({path: data for path, data in FILES.items() if path != "single.py"})
        return settle(write_archive(tmp_path / "odd" / NAME, {**FILES, RECORD: record}))

    @pytest.mark.filterwarnings("ignore::wheel_linker.RecordWarning")
    @pytest.mark.parametrize("destroy", [zeros, flipped, empty, half])
    def test_destroyed(
        self, root: Path, site: Path, odd_file: Path, destroy: Callable[[Path], None]
    ) -> None:
        with WheelStore(root) as store:
            stored = store.add(odd_file)
            known = stored.record_problems()
            assert known
            kept = root / stored.entry / "problems"
            destroy(kept)
            assert [damage.path for damage in store.verify()] == ["../rows"]
            install_wheels([odd_file], Layout.for_target(site), store=store)
            assert store.verify(deep=True) == []
            assert store.record_problems(stored) == known

    @pytest.mark.filterwarnings("ignore::wheel_linker.RecordWarning")
    def test_destroyed_where_they_matter(self, root: Path, odd_file: Path) -> None:
        with WheelStore(root) as store:
            kept = root / store.add(odd_file).entry / "problems"
        zeros(kept)
        with WheelStore(root) as store:
            for _ in range(2):
                with pytest.raises(InvalidWheelError, match=r"no hash of: 'single\.py'"):
                    store.add(odd_file, record="strict")
            store.add(odd_file)
            assert store.verify(deep=True) == []

    @pytest.mark.filterwarnings("ignore::wheel_linker.RecordWarning")
    @pytest.mark.parametrize("destroy", [zeros, flipped, empty, half])
    def test_destroyed_before_it_is_added_again(
        self, root: Path, site: Path, odd_file: Path, destroy: Callable[[Path], None]
    ) -> None:
        """The wheel file is at hand: nobody has to be asked for it."""
        with WheelStore(root) as store:
            stored = store.add(odd_file)
        destroy(root / stored.entry / "problems")
        with WheelStore(root) as store:
            link_wheels(site, [store.add(odd_file)])
            assert store.verify(deep=True) == []

    @pytest.mark.filterwarnings("ignore::wheel_linker.RecordWarning")
    def test_destroyed_since_it_was_added(self, root: Path, site: Path, odd_file: Path) -> None:
        with WheelStore(root) as store:
            stored = store.add(odd_file)
            found = store.find(stored.digest)
            assert found is not None
            zeros(root / stored.entry / "problems")
            assert store.find(stored.digest) is None
            with pytest.raises(InvalidWheelError, match="add the wheel again"):
                link_wheels(site, [found])
            link_wheels(site, [store.add(odd_file)])


class TestInThePlaceOfAnEntry:
    @pytest.mark.parametrize("how", [empty, fifo, device, leading_nowhere, leading_to_itself])
    @pytest.mark.parametrize("known", [True, False], ids=["index", "no-index"])
    def test_is_no_entry(
        self,
        root: Path,
        site: Path,
        wheel_file: Path,
        how: Callable[[Path], None],
        known: bool,
    ) -> None:
        other = write_wheel(root.parent / "other" / NAME, {"other.py": b""})
        with WheelStore(root) as store:
            name = store.add(wheel_file).entry
            others = store.add(other).entry
        if how is empty:
            gone(root / name)
            (root / name).touch()
        else:
            how(root / name)
        if not known:
            (root / ".store" / "index").unlink()
        with WheelStore(root) as store:
            assert [entry.name for entry in store.entries()] == [others]
            assert store.verify(deep=True) == []
            store.remove(name)
            assert [entry.name for entry in store.prune(unused_for=0)] == [others]
        assert is_sound(root, site, wheel_file)


class TestMovedDirectory:
    """A stored directory is a symlink to what it was: a look at its files goes through, linking does not."""

    @pytest.fixture
    def moved(self, root: Path, wheel_file: Path) -> Path:
        with WheelStore(root) as store:
            path = Path(store.add(wheel_file).path, "demo")
        moved(path)
        return path

    @pytest.mark.parametrize("mode", ["hardlink", "copy", "symlink"])
    def test_is_mended_by_adding(
        self, root: Path, site: Path, wheel_file: Path, moved: Path, mode: str
    ) -> None:
        with WheelStore(root) as store:
            with pytest.raises(InvalidWheelError, match="add the wheel again"):
                link_wheels(site, [store.add(wheel_file)], mode=mode)
            assert not site.exists() or not os.listdir(site)
            link_wheels(site, [store.add(wheel_file)], mode=mode)
            assert store.verify(deep=True) == []
        assert files_below(site) == with_record(FILES)
        assert not moved.is_symlink()

    def test_is_mended_by_installing(
        self, root: Path, site: Path, wheel_file: Path, moved: Path
    ) -> None:
        with WheelStore(root) as store:
            install_wheels([wheel_file], Layout.for_target(site), store=store)
        assert not moved.is_symlink()


class TestEdited:
    """Changed since, and of the same size."""

    def test_is_mended_by_adding(self, root: Path, site: Path, wheel_file: Path) -> None:
        with WheelStore(root) as store:
            stored = store.add(wheel_file)
            (root / stored.entry / "w" / "single.py").write_bytes(b"#" * len(FILES["single.py"]))
        assert is_sound(root, site, wheel_file)

    def test_what_was_linked_before_is_left_alone(
        self, root: Path, site: Path, wheel_file: Path
    ) -> None:
        with WheelStore(root) as store:
            link_wheels(site, [store.add(wheel_file)], mode=("hardlink",))
            (site / "single.py").write_bytes(b"EDITED\n")
            stored = store.add(wheel_file)
            assert files_below(stored.path) == with_record(FILES)
        assert (site / "single.py").read_bytes() == b"EDITED\n"


class TestCopied:
    """Archived and restored: with other times, which is no damage."""

    @pytest.fixture
    def copied(self, root: Path, wheel_file: Path, tmp_path: Path) -> Path:
        with WheelStore(root) as store:
            store.add(wheel_file)
        shutil.copytree(root, tmp_path / "copy", copy_function=shutil.copyfile)
        for path in (tmp_path / "copy").rglob("*"):
            if path.is_file():
                os.utime(path, (1_000_000_000, 1_000_000_000 + len(path.name)))
        return tmp_path / "copy"

    def test_is_not_changed(self, copied: Path, wheel_file: Path) -> None:
        with WheelStore(copied) as store:
            before = entry_files(copied)
            store.add(wheel_file)
            assert store.verify() == []
            after = entry_files(copied)
            assert {path for path in before if after[path] != before[path]} <= lost_bits(copied)

    def test_is_read_once(
        self, copied: Path, wheel_file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with WheelStore(copied) as store:
            stored = store.add(wheel_file)
        monkeypatch.setattr("wheel_linker.store._entry.checking.has_content", None)
        with WheelStore(copied) as store:
            assert store.add(wheel_file) == stored

    def test_and_edited_then_is_mended(self, copied: Path, wheel_file: Path, site: Path) -> None:
        with WheelStore(copied) as store:
            stored = store.add(wheel_file)
            path = copied / stored.entry / "w" / "single.py"
            path.write_bytes(bytes(path.stat().st_size))
            stored = store.add(wheel_file)
            link_wheels(site, [stored], mode="copy")
        assert (site / "single.py").read_bytes() == FILES["single.py"]


def lost_bits(root: Path) -> set[str]:
    """Return the files that lose a bit when they are copied without it, which adding gives them back."""
    return {str(path) for path in root.glob("*/w/demo/tool.sh") if sys.platform != "win32"}


def entry_files(root: Path) -> dict[str, tuple[int, int]]:
    found = {}
    for path in sorted(root.glob("[a-z]*/w/**/*")):
        if path.is_file():
            found[str(path)] = (path.stat().st_ino, path.stat().st_mtime_ns)
    return found


class TestCheck:
    @pytest.mark.parametrize("check", ["size", "hash"])
    @pytest.mark.parametrize("mode", ["copy", "hardlink"])
    def test_before_linking(
        self, root: Path, site: Path, wheel_file: Path, check: str, mode: str
    ) -> None:
        with WheelStore(root, check=check) as store:  # type: ignore[arg-type]
            stored = store.add(wheel_file)
            link_wheels(site, [stored], mode=mode)
            empty(root / stored.entry / "w" / "single.py")
            before = files_below(site)
            with pytest.raises(InvalidWheelError, match="repair the entry"):
                link_wheels(site, [stored], mode=mode)
            with pytest.raises(InvalidWheelError, match="repair the entry"):
                install_wheels([stored], Layout.for_target(site), mode=mode)
            if mode == "copy":
                assert files_below(site) == before
            link_wheels(site, [store.add(wheel_file)], mode=mode)
            assert files_below(site) == with_record(FILES)

    def test_of_contents(self, root: Path, site: Path, wheel_file: Path) -> None:
        for check, noticed in ((None, False), ("size", False), ("hash", True)):
            with WheelStore(root, check=check) as store:  # type: ignore[arg-type]
                stored = store.add(wheel_file)
                zeros(root / stored.entry / "w" / "single.py")
                if noticed:
                    with pytest.raises(InvalidWheelError, match="repair the entry"):
                        link_wheels(site, [stored])
                    link_wheels(site, [store.add(wheel_file)], mode="copy")
                    assert (site / "single.py").read_bytes() == FILES["single.py"]
                else:
                    link_wheels(site, [stored], mode="copy")

    def test_is_one_of_three(self, root: Path) -> None:
        with pytest.raises(ValueError, match="'size', 'hash' or None"):
            WheelStore(root, check="sizes")  # type: ignore[arg-type]


def test_linking_what_lost_its_files_says_what_to_do(
    stored: StoredWheel, site: Path, root: Path
) -> None:
    shutil.rmtree(root / stored.entry / "w")
    with pytest.raises((InvalidWheelError, LinkError), match="repair the entry"):
        link_wheels(site, [stored])


@posix_only
@pytest.mark.parametrize("known", [True, False], ids=["index", "no-index"])
def test_adding_gives_executables_their_bits_back(
    root: Path, wheel_file: Path, known: bool
) -> None:
    """As in a store that was restored from an archive without permission bits."""
    with WheelStore(root) as store:
        tool = Path(store.add(wheel_file).path, "demo/tool.sh")
    tool.chmod(0o644)
    if not known:
        (root / ".store" / "index").unlink()
    with WheelStore(root) as store:
        store.add(wheel_file)
        assert tool.stat().st_mode & 0o111 == 0o111
        assert store.verify(deep=True) == []
    assert litter(root) == []


@posix_only
def test_repairing_gives_executables_their_bits_back(root: Path, wheel_file: Path) -> None:
    with WheelStore(root) as store:
        stored = store.add(wheel_file)
        tool = Path(stored.path, "demo/tool.sh")
        tool.chmod(0o644)
        assert [damage.path for damage in store.repair(stored, wheel_file)] == ["demo/tool.sh"]
        assert tool.stat().st_mode & 0o111 == 0o111


@posix_only
@pytest.mark.parametrize("check", ["size", "hash"])
def test_lost_bits_are_seen_when_linking(
    root: Path, wheel_file: Path, site: Path, check: Check
) -> None:
    with WheelStore(root, check=check) as store:
        stored = store.add(wheel_file)
        Path(stored.path, "demo/tool.sh").chmod(0o644)
        with pytest.raises(InvalidWheelError, match="add the wheel again or repair"):
            link_wheels(site, [stored])


@posix_only
def test_bits_that_mean_nothing_are_no_damage(
    root: Path, wheel_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a FAT file system whose mount gives no file a right to be executed."""
    with WheelStore(root) as store:
        Path(store.add(wheel_file).path, "demo/tool.sh").chmod(0o644)
    monkeypatch.setattr(
        "wheel_linker.store._entry.execute_bits.keeps_execute_bits", lambda _: False
    )
    monkeypatch.setattr("wheel_linker.store._adding.batch.unpack_entry", None)
    with WheelStore(root) as store:
        store.add(wheel_file)
        assert store.verify(deep=True) == []
