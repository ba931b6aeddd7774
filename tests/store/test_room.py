"""Making room: on a full disk, in a layer of an image, with few descriptors, and by what frees some."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

import wheel_linker
from store.archives import FILES, NAME, files_below, with_record, write_wheel
from store.conftest import entry_names, litter
from wheel_linker import LinkError, link_wheel_files, link_wheels
from wheel_linker._fs.folder import Folder
from wheel_linker._fs.remove_tree import remove_tree
from wheel_linker.install import Layout, install_wheels
from wheel_linker.store import WheelStore, symlinked

if TYPE_CHECKING:
    from collections.abc import Callable

    from wheel_linker.store import StoredWheel

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="about POSIX systems")
FEW_DESCRIPTORS: Final = """
import resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
from wheel_linker import link_wheels
from wheel_linker.store import WheelStore
root, site, *wheels = sys.argv[1:]
with WheelStore(root, jobs=64) as store:
    stored = store.add_all(wheels)
    link_wheels(site, stored, mode="copy", jobs=64)
    assert store.verify(deep=True) == []
with WheelStore(root) as store:
    assert len(store.prune(unused_for=0)) == len(wheels)
"""


@pytest.fixture
def two(store: WheelStore, tmp_path: Path) -> list[StoredWheel]:
    """Two entries of the same size, the first of them not used for longer."""
    made = [
        store.add(write_wheel(tmp_path / str(n) / NAME, {"data.bin": bytes([n]) * 500_000}))
        for n in range(2)
    ]
    used_before(store, made[0], 20)
    used_before(store, made[1], 10)
    return made


def used_before(store: WheelStore, stored: StoredWheel, seconds: float) -> None:
    """Pretend that an entry was used so long ago."""
    then = time.time() - seconds
    os.utime(os.path.join(store.root, stored.entry, "entry"), (then, then))


class TestWhatFreesSpaceGoesFirst:
    def test_what_is_linked_stays(
        self, store: WheelStore, two: list[StoredWheel], site: Path
    ) -> None:
        link_wheels(site, [two[0]], mode="hardlink")
        used_before(store, two[0], 20)
        (removed,) = store.prune(max_bytes=800_000)
        assert removed.name == two[1].entry
        assert removed.frees == removed.size

    def test_the_oldest_of_what_is_not_linked_goes(
        self, store: WheelStore, two: list[StoredWheel]
    ) -> None:
        (removed,) = store.prune(max_bytes=800_000)
        assert removed.name == two[0].entry

    def test_until_nothing_else_is_left(
        self, store: WheelStore, two: list[StoredWheel], site: Path
    ) -> None:
        link_wheels(site, [two[0]], mode="hardlink")
        used_before(store, two[0], 20)
        removed = store.prune(max_bytes=0)
        assert [entry.name for entry in removed] == [two[1].entry, two[0].entry]
        assert removed[1].frees is not None
        assert removed[1].frees < 500_000

    def test_if_it_is_not_to_be_kept(
        self, store: WheelStore, two: list[StoredWheel], site: Path
    ) -> None:
        link_wheels(site, [two[0]], mode="hardlink")
        removed = store.prune(max_bytes=0, unused_for=0, keep_linked=True)
        assert [entry.name for entry in removed] == [two[1].entry]
        shutil.rmtree(site)
        removed = store.prune(unused_for=0, keep_linked=True)
        assert [entry.name for entry in removed] == [two[0].entry]


class TestTimesInTheFuture:
    def test_do_not_make_it_young(self, store: WheelStore, two: list[StoredWheel]) -> None:
        used_before(store, two[0], -5_000_000)
        assert store.entries()[0].used <= time.time()
        assert len(store.prune(unused_for=0)) == 2

    def test_do_not_change_the_order(self, store: WheelStore, two: list[StoredWheel]) -> None:
        used_before(store, two[0], -5_000_000)
        time.sleep(0.05)
        used_before(store, two[1], 0)
        (removed,) = store.prune(max_bytes=800_000)
        assert removed.name == two[0].entry

    def test_even_if_the_clock_was_wrong(
        self, store: WheelStore, two: list[StoredWheel], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The clock is set back an hour: everything was used in the future, as far as can be known."""
        used_before(store, two[0], -10)
        used_before(store, two[1], -10)
        now = time.time
        monkeypatch.setattr(time, "time", lambda: now() - 3600)
        assert store.prune(unused_for=60) == []
        assert all(entry.used <= time.time() for entry in store.entries())


class TestSymlinks:
    """What they point to may be pruned: that is said."""

    @pytest.fixture(autouse=True)
    def nobody_was_told(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(symlinked, "_told", set())

    def test_pruning_says_so(
        self,
        store: WheelStore,
        two: list[StoredWheel],
        site: Path,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        link_wheels(site, [two[0]], mode="symlink")
        link_wheels(site, [two[0]], mode="symlink")
        store.close()
        assert len(store.prune(unused_for=0)) == 2
        told = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
        assert len(told) == 1
        assert two[0].entry in told[0]
        assert two[1].entry not in told[0]
        assert store.prune(unused_for=0) == []
        assert len(caplog.records) == 1

    def test_symlinking_says_so_once(
        self,
        store: WheelStore,
        two: list[StoredWheel],
        site: Path,
        root: Path,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        link_wheels(site, two, mode="symlink")
        assert store.prune() == []
        link_wheels(site, two, mode="symlink")
        assert caplog.records == []
        store.prune(max_bytes=10**9)
        link_wheels(site, two, mode="copy")
        assert caplog.records == []
        link_wheels(site, two, mode="symlink")
        link_wheels(site, two, mode="symlink")
        (told,) = caplog.records
        assert f"the store {root}, which is pruned" in told.getMessage()

    @pytest.mark.parametrize("given", [False, True])
    @pytest.mark.parametrize("install", [False, True])
    def test_native_files_count(
        self, store: WheelStore, root: Path, tmp_path: Path, given: bool, install: bool
    ) -> None:
        files = {"demo/_core.so": b"so", "demo/a.py": b"a"}
        stored = store.add(write_wheel(tmp_path / "dist" / NAME, files))
        native_mode = "symlink" if given else "copy"
        if install:
            layout = Layout.for_target(tmp_path / "site")
            install_wheels([stored], layout, mode="copy", native_mode=native_mode)
        else:
            link_wheels(tmp_path / "site", [stored], mode="copy", native_mode=native_mode)
        noted = [path.read_text() for path in root.rglob("symlinked")]
        assert noted == ([f"{stored.entry}\n"] if given else [])

    @pytest.mark.parametrize("filename", ["another-2.0-py3-none-any.whl", None])
    def test_a_stored_wheel_is_that_by_another_name(
        self, two: list[StoredWheel], site: Path, root: Path, filename: str | None
    ) -> None:
        Path(two[0].path).chmod(0o755)
        (Path(two[0].path) / "added.py").write_bytes(b"added since")
        report = link_wheel_files(site, two[0], filename=filename, mode="symlink")
        assert str(report.wheel) == (filename or NAME)
        assert not (site / "added.py").exists()
        assert [path.read_text() for path in root.rglob("symlinked")] == [f"{two[0].entry}\n"]


def fill(place: Path) -> None:
    """Write to a file system until nothing more goes onto it."""
    for size in (1 << 16, 4096, 1):
        with contextlib.suppress(OSError):
            for number in range(100_000):
                with (place / f"fill-{size}-{number}").open("xb", buffering=0) as file:
                    file.write(b"x" * size)
    if sys.platform != "win32" and os.statvfs(place).f_ffree > 100_000:
        return  # no number of directories fills that, since they take no room
    with contextlib.suppress(OSError):
        for number in range(100_000):
            (place / f"directory-{number}").mkdir()


@posix_only
@pytest.mark.parametrize("options", ["size=2m,nr_inodes=200", "size=1m"])
class TestFullDisk:
    @pytest.fixture
    def full(self, options: str, make_small_tmpfs: Callable[[str], Path], wheel_file: Path) -> Path:
        place = make_small_tmpfs(options)
        with WheelStore(place / "store") as store:
            store.add(wheel_file)
        fill(place)
        return place / "store"

    def test_a_new_store_says_why_it_cannot_be(
        self, full: Path, options: str, wheel_file: Path
    ) -> None:
        with WheelStore(full.parent / "other") as store:
            assert store.entries() == []
            with pytest.raises(LinkError, match="No space left") as caught:
                store.add(wheel_file)
            assert caught.value.errno == errno.ENOSPC

    def test_what_is_there_can_be_linked(
        self, full: Path, options: str, wheel_file: Path, site: Path
    ) -> None:
        with WheelStore(full) as store:
            link_wheels(site, [store.add(wheel_file)], mode="copy")
            assert store.verify(deep=True) == []
        assert files_below(site) == with_record(FILES)

    def test_can_be_pruned(self, full: Path, options: str) -> None:
        with WheelStore(full) as store:
            assert len(store.prune(unused_for=0)) == 1
        assert entry_names(full) == set()
        assert litter(full) == []

    def test_entries_can_be_removed(self, full: Path, options: str) -> None:
        with WheelStore(full) as store:
            store.remove(*store.entries())
        assert entry_names(full) == set()

    def test_not_what_others_use(self, full: Path, options: str, wheel_file: Path) -> None:
        with WheelStore(full) as store:
            kept = store.add(wheel_file)
            with WheelStore(full) as other:
                assert other.prune(unused_for=0) == []
            assert os.path.isdir(kept.path)


@posix_only
@pytest.mark.parametrize("call", ["prune", "remove"])
def test_full_disk_lets_a_store_only_be_read(
    make_small_tmpfs: Callable[[str], Path], wheel_file: Path, call: str
) -> None:
    place = make_small_tmpfs("size=2m,nr_inodes=200")
    with WheelStore(place / "store") as store:
        store.add(wheel_file)
        entries = store.entries()
    shutil.rmtree(place / "store" / ".store")
    fill(place)
    with WheelStore(place / "store") as store:
        calls: dict[str, Callable[[], object]] = {
            "prune": lambda: store.prune(unused_for=0),
            "remove": lambda: store.remove(*entries),
        }
        with pytest.raises(LinkError, match="No space left") as caught:
            calls[call]()
        assert caught.value.errno == errno.ENOSPC
        assert store.entries() == entries


@posix_only
def test_store_in_a_layer_of_an_image(
    on_filesystem: Callable[[str], Path], wheel_file: Path, tmp_path: Path, way: str
) -> None:
    """overlayfs renames no directory of a lower layer: EXDEV."""
    base = on_filesystem("tmpfs")
    for name in ("lower", "upper", "work", "merged"):
        (base / name).mkdir()
    others = [write_wheel(tmp_path / str(n) / NAME, {f"n{n}.py": b"#"}) for n in range(2)]
    with WheelStore(base / "lower" / "store") as store:
        names = [stored.entry for stored in store.add_all([wheel_file, *others])]
    layers = ",".join(f"{kind}dir={base / kind}" for kind in ("lower", "upper", "work"))
    command = ["mount", "-t", "overlay", "overlay", "-o", layers, str(base / "merged")]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("no overlayfs")
    root = base / "merged" / "store"
    try:
        with WheelStore(root) as store:
            store.remove(names[0])
        (root / names[1] / "entry").unlink()
        with WheelStore(root) as store:
            assert store.add(others[0]).entry == names[1]
        with WheelStore(root) as store:
            assert len(store.prune(unused_for=0)) == 2
        assert entry_names(root) == set()
        assert litter(root) == []
    finally:
        subprocess.run(["umount", str(base / "merged")], check=True)


@posix_only
def test_mending_in_a_layer_of_an_image(
    on_filesystem: Callable[[str], Path], wheel_file: Path, tmp_path: Path
) -> None:
    """Directories that are in the way, and bytecode, are removed in place."""
    base = on_filesystem("tmpfs")
    for name in ("lower", "upper", "work", "merged"):
        (base / name).mkdir()
    layout = Layout.for_target(tmp_path / "site")
    with WheelStore(base / "lower" / "store") as store:
        stored = store.add(wheel_file)
        store.compile([stored], layout)
    tree = base / "lower" / "store" / stored.entry / "w"
    (tree / "single.py").unlink()
    (tree / "single.py" / "deep").mkdir(parents=True)
    (tree / "single.py" / "deep" / "x.py").write_bytes(b"")
    layers = ",".join(f"{kind}dir={base / kind}" for kind in ("lower", "upper", "work"))
    command = ["mount", "-t", "overlay", "overlay", "-o", layers, str(base / "merged")]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("no overlayfs")
    root = base / "merged" / "store"
    try:
        with WheelStore(root) as store:
            install_wheels([wheel_file], layout, store=store, compile_bytecode=True)
            assert store.verify(deep=True) == []
            (root / stored.entry / "w" / "demo" / "__init__.py").write_bytes(b"damaged\n")
            store.repair(stored.entry, wheel_file)
            assert store.verify(deep=True) == []
        assert litter(root) == []
    finally:
        subprocess.run(["umount", str(base / "merged")], check=True)


def test_an_entry_is_no_entry_before_it_is_removed_in_place(
    store: WheelStore, stored: StoredWheel, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise SystemExit

    monkeypatch.setattr(Folder, "move", refuse_to_move)
    monkeypatch.setattr("wheel_linker.store.removing.remove_tree", killed)
    with pytest.raises(SystemExit):
        store.remove(stored)
    assert store.entries() == []


def refuse_to_move(*_: object, **__: object) -> None:
    """Answer as overlayfs does."""
    raise OSError(18, os.strerror(18))


class TestRemovingTrees:
    @pytest.mark.parametrize("deep", [1, 19, 20, 21, 300])
    def test_of_any_depth(self, tmp_path: Path, way: str, deep: int) -> None:
        path = tmp_path / "top"
        for level in range(deep):
            path = path / str(level % 10)
        path.mkdir(parents=True)
        (path / "file").write_bytes(b"")
        with Folder.open(str(tmp_path)) as parent:
            remove_tree(parent, "top")
        assert not (tmp_path / "top").exists()

    @posix_only
    def test_where_no_directory_can_be_moved(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "top" / "/".join("abcdefgh" * 12) / "leaf").mkdir(parents=True)
        monkeypatch.setattr(Folder, "move", refuse_to_move)
        with Folder.open(str(tmp_path)) as parent:
            remove_tree(parent, "top")
        assert not (tmp_path / "top").exists()

    def test_takes_as_many_calls_as_there_are_directories(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        calls = []
        lstat = Folder.lstat

        def counted(self: Folder, name: str) -> os.stat_result | None:
            calls.append(name)
            return lstat(self, name)

        monkeypatch.setattr(Folder, "lstat", counted)
        for number in range(300):
            (tmp_path / "top" / "all" / str(number)).mkdir(parents=True)
        with Folder.open(str(tmp_path)) as parent:
            remove_tree(parent, "top")
        assert len(calls) < 2 * 300


@posix_only
def test_few_descriptors_and_many_jobs(root: Path, site: Path, tmp_path: Path) -> None:
    wheels = [
        write_wheel(
            tmp_path / str(n) / NAME,
            {f"p{n}/{'/'.join('abcdefghij')}/{k}.py": b"#" * 5000 for k in range(5)},
        )
        for n in range(40)
    ]
    environment = {**os.environ, "PYTHONPATH": str(Path(wheel_linker.__file__).parent.parent)}
    command = [sys.executable, "-W", "ignore", "-c", FEW_DESCRIPTORS, str(root), str(site)]
    ended = subprocess.run(
        [*command, *map(str, wheels)], capture_output=True, text=True, check=False, env=environment
    )
    assert (ended.returncode, ended.stderr) == (0, "")
