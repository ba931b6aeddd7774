"""Windows's rules for files that are open, read-only or run, and for directories without locks."""

from __future__ import annotations

import errno
import os
import stat
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from install.kit import layout_in, make, pure
from store.archives import write_wheel
from store.conftest import settle
from wheels import contents, make_wheel, names, write_tree

from proof.windows import ACCESS_DENIED, Windows
from wheel_linker import (
    InvalidWheelError,
    LinkError,
    LinkMode,
    LockTimeoutError,
    link_wheel_files,
    link_wheels,
)
from wheel_linker._cli.archives import unpacked_archives
from wheel_linker._fs import locking
from wheel_linker._fs.copying import copy_content, create_from
from wheel_linker._fs.folder import Folder
from wheel_linker._fs.locking import LOCK_FILE, exclusive
from wheel_linker._fs.patience import Patience
from wheel_linker._fs.temporary import temporary_directory
from wheel_linker.install import install_wheel, install_wheels, uninstall
from wheel_linker.store import WheelStore

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(os.name != "posix", reason="Windows keeps its rules itself")

READ_ONLY: Final = 0o444
MODES: Final = (LinkMode.COPY, LinkMode.HARDLINK)


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch) -> Windows:
    return Windows(monkeypatch)


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    return make_wheel(
        tmp_path / "cache" / "1", {"pkg/a.py": b"1", "pkg/b.pyd": b"1", "one.py": b"1"}
    )


@pytest.fixture
def newer(tmp_path: Path) -> Path:
    files = {"pkg/a.py": b"22", "pkg/b.pyd": b"22", "one.py": b"22"}
    return make_wheel(tmp_path / "cache" / "2", files, version="2.0")


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return settle(write_wheel(tmp_path / "demo-1.0-py3-none-any.whl"))


def hidden(site: Path) -> set[str]:
    return {name for name in names(site) if "wheel_linker" in name}


class TestReadOnlyFiles:
    @pytest.mark.parametrize("mode", MODES)
    def test_are_replaced(
        self, tmp_path: Path, wheel: Path, newer: Path, windows: Windows, mode: LinkMode
    ) -> None:
        for source in (wheel, newer):
            for name in ("pkg/a.py", "one.py"):
                (source / name).chmod(READ_ONLY)
        site = tmp_path / "site"
        for source in (wheel, newer, wheel, newer):
            link_wheel_files(site, source, mode=mode)
            assert hidden(site) == set()
        assert {**contents(site), **contents(newer)} == contents(site)
        for source in (wheel, newer):
            assert stat.S_IMODE((source / "one.py").stat().st_mode) == READ_ONLY

    @pytest.mark.parametrize("mode", MODES)
    def test_are_put_back(
        self, tmp_path: Path, wheel: Path, newer: Path, windows: Windows, mode: LinkMode
    ) -> None:
        for source in (wheel, newer):
            (source / "pkg/a.py").chmod(READ_ONLY)
        site = tmp_path / "site"
        link_wheel_files(site, wheel, mode=mode)
        before = contents(site)
        windows.hold(site / "pkg" / "b.pyd")
        with pytest.raises(LinkError):
            link_wheel_files(site, newer, mode=mode)
        assert contents(site) == before
        assert hidden(site) == set()

    def test_of_a_protected_store(self, tmp_path: Path, archive: Path, windows: Windows) -> None:
        with WheelStore(tmp_path / "store", protect=True) as store:
            stored = store.add(archive)
            for _ in range(2):
                link_wheel_files(tmp_path / "site", stored, mode=LinkMode.HARDLINK)
            assert hidden(tmp_path / "site") == set()
            store.remove(*store.entries())
            assert os.listdir(tmp_path / "store" / ".store" / "staging") == []
        assert windows.removed_read_only


class TestProgramsThatRun:
    @pytest.mark.parametrize("mode", MODES)
    def test_are_replaced_at_once(
        self, tmp_path: Path, wheel: Path, newer: Path, windows: Windows, mode: LinkMode
    ) -> None:
        """The old file stays in the stage until the program has ended."""
        site = tmp_path / "site"
        link_wheel_files(site, wheel, mode=mode)
        windows.run(site / "pkg" / "b.pyd")
        link_wheel_files(site, newer, mode=mode)
        assert (site / "pkg" / "b.pyd").read_bytes() == b"22"
        windows.let_go()
        link_wheel_files(site, newer, mode=mode)
        assert hidden(site) == set()

    def test_are_put_back(self, tmp_path: Path, wheel: Path, newer: Path, windows: Windows) -> None:
        site = tmp_path / "site"
        link_wheel_files(site, wheel)
        windows.run(site / "pkg" / "b.pyd")
        windows.hold(site / "one.py")
        before = contents(site)
        with pytest.raises(LinkError):
            link_wheel_files(site, newer)
        found = {name: what for name, what in contents(site).items() if "wheel_linker" not in name}
        assert found == before

    def test_stay_if_there_is_nothing_to_replace_them(
        self, tmp_path: Path, windows: Windows, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The old file was moved aside; no real disk fails at just that moment."""
        write_tree(tmp_path, {"stage/b.pyd": b"2", "site/b.pyd": b"1"})
        windows.run(tmp_path / "site" / "b.pyd")
        real = os.replace

        def replace(source: str, target: str, **keywords: int) -> None:
            if source.endswith("stage/b.pyd") and not os.path.exists(target):
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            real(source, target, **keywords)

        monkeypatch.setattr(os, "replace", replace)
        with (
            Folder.open(f"{tmp_path}/stage") as stage,
            Folder.open(f"{tmp_path}/site") as site,
            pytest.raises(OSError, match=os.strerror(errno.EIO)),
        ):
            stage.move("b.pyd", site, "b.pyd")
        assert contents(tmp_path / "site") == {"b.pyd": b"1"}
        assert contents(tmp_path / "stage") == {"b.pyd": b"2"}

    def test_are_uninstalled(self, tmp_path: Path, windows: Windows) -> None:
        layout = layout_in(tmp_path / "env")
        install_wheel(make(tmp_path / "wheel", {"pkg/b.pyd": b"1"}), layout)
        windows.run(pure(layout) / "pkg" / "b.pyd")
        uninstall("demo", layout)
        assert not (pure(layout) / "pkg").exists()


def test_a_directory_that_somebody_works_in_is_left(tmp_path: Path, windows: Windows) -> None:
    layout = layout_in(tmp_path / "env")
    install_wheel(make(tmp_path / "wheel", {"pkg/a.py": b"1"}), layout)
    windows.hold(pure(layout) / "pkg" / "somebody")
    report = uninstall("demo", layout)
    assert report.removed
    assert os.listdir(pure(layout) / "pkg") == []


def test_what_is_in_use_is_said_to_be(
    tmp_path: Path, wheel: Path, newer: Path, windows: Windows
) -> None:
    link_wheel_files(tmp_path / "site", wheel)
    windows.hold(tmp_path / "site" / "one.py")
    with pytest.raises(LinkError, match="a program has it open"):
        link_wheel_files(tmp_path / "site", newer)


@pytest.mark.parametrize("mode", MODES)
def test_a_file_that_somebody_reads_is_never_missing(
    tmp_path: Path,
    wheel: Path,
    newer: Path,
    windows: Windows,
    mode: LinkMode,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is not moved aside, as one that runs is: its next reader would find nothing."""
    read = tmp_path / "site" / "one.py"
    link_wheel_files(tmp_path / "site", wheel, mode=mode)
    windows.hold(read, 1, ACCESS_DENIED)
    real, seen = os.replace, []

    def replace(source: str, target: str, **keywords: int) -> None:
        real(source, target, **keywords)
        seen.append(read.exists())

    monkeypatch.setattr(os, "replace", replace)
    link_wheel_files(tmp_path / "site", newer, mode=mode)
    assert read.read_bytes() == b"22"
    assert seen
    assert all(seen)
    assert len(windows.pauses) == 1


class TestTheLockOfADirectory:
    @pytest.fixture
    def taken(self, tmp_path: Path) -> Iterator[list[int]]:
        """The lock that another process holds, until the list is emptied."""
        (tmp_path / "site").mkdir()
        fds = [os.open(tmp_path / "site" / LOCK_FILE, os.O_RDWR | os.O_CREAT)]
        assert locking.claim(fds[0])
        yield fds
        for fd in fds:
            os.close(fd)

    def test_keeps_others_out(
        self, tmp_path: Path, wheel: Path, windows: Windows, taken: list[int]
    ) -> None:
        site = os.fspath(tmp_path / "site")
        with pytest.raises(LockTimeoutError), exclusive(site, Patience(site, 0.2)):
            pass
        assert names(tmp_path / "site") == {LOCK_FILE}
        os.close(taken.pop())
        link_wheel_files(site, wheel)
        assert names(tmp_path / "site") == names(wheel)

    def test_is_waited_for(
        self, tmp_path: Path, wheel: Path, taken: list[int], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        Windows(monkeypatch, sleep=True)
        thread = threading.Thread(target=link_wheel_files, args=(tmp_path / "site", wheel))
        thread.start()
        thread.join(0.3)
        assert thread.is_alive()
        assert not (tmp_path / "site" / "one.py").exists()
        os.close(taken.pop())
        thread.join(30)
        assert names(tmp_path / "site") == names(wheel)

    def test_threads_without_common_locks(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Of wheels that supply the same files one ends up complete."""
        Windows(monkeypatch, sleep=True)
        wheels = [
            make_wheel(tmp_path / f"{n}", {f"pkg/m{k}.py": b"%d" % n for k in range(20)})
            for n in range(3)
        ]
        site = tmp_path / "site"
        for _ in range(4):
            threads = [
                threading.Thread(target=link_wheel_files, args=(site, each)) for each in wheels
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert len({path.read_bytes() for path in (site / "pkg").iterdir()}) == 1
            assert hidden(site) == set()


class TestStages:
    def test_what_cannot_be_put_back_is_kept(
        self,
        tmp_path: Path,
        wheel: Path,
        newer: Path,
        windows: Windows,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """In a place that no later call sweeps, although the lock of the stage is open in it."""
        site = tmp_path / "site"
        link_wheel_files(site, wheel)
        real = os.replace

        def replace(source: str, target: str, **keywords: int) -> None:
            if target.endswith("b.pyd"):
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            if source.endswith(f"old{os.sep}1") or (target.endswith("a.py") and "old" in source):
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            real(source, target, **keywords)

        monkeypatch.setattr(os, "replace", replace)
        with pytest.raises(LinkError, match="rescued"):
            link_wheel_files(site, newer)
        monkeypatch.setattr(os, "replace", real)
        (rescued,) = hidden(site)
        assert b"1" in contents(site / rescued).values()
        link_wheel_files(site, newer)
        assert hidden(site) == {rescued}
        assert b"1" in contents(site / rescued).values()

    def test_are_locked_while_they_are_swept(
        self, tmp_path: Path, wheel: Path, windows: Windows, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        litter = write_tree(tmp_path / "site" / ".wheel_linker-1", {"owner": b"", "0/old.py": b""})
        real, claims = os.rmdir, []

        def rmdir(path: str, **where: int) -> None:
            if (litter / "owner").exists():
                fd = os.open(litter / "owner", os.O_RDWR)
                claims.append(locking.claim(fd))
                os.close(fd)
            real(path, **where)

        monkeypatch.setattr(os, "rmdir", rmdir)
        link_wheel_files(tmp_path / "site", wheel)
        assert claims == [False]
        assert hidden(tmp_path / "site") == set()

    def test_with_a_file_in_use_go_when_it_is_free(
        self, tmp_path: Path, wheel: Path, newer: Path, windows: Windows
    ) -> None:
        """The pauses for all files together are those for one."""
        site = tmp_path / "site"
        litter = write_tree(site / ".wheel_linker-1", {"owner": b"", "0/a": b"", "0/b": b""})
        windows.hold(litter / "0" / "a", 3)
        link_wheel_files(site, wheel)
        assert hidden(site) == set()
        write_tree(site / ".wheel_linker-2", {"owner": b"", "0/a": b"", "0/b": b""})
        windows.pauses.clear()
        for name in "ab":
            windows.hold(site / ".wheel_linker-2" / "0" / name)
        link_wheel_files(site, newer)
        assert sum(windows.pauses) < 2.1
        windows.let_go()
        link_wheel_files(site, newer)
        assert hidden(site) == set()


class TestJunctions:
    def test_of_a_wheel_are_refused(self, tmp_path: Path, wheel: Path, windows: Windows) -> None:
        outside = write_tree(tmp_path / "outside", {"precious": b"precious"})
        windows.junction(wheel / "pkg" / "sub", outside)
        with pytest.raises(InvalidWheelError, match="junctions"):
            link_wheel_files(tmp_path / "site", wheel)

    def test_of_a_destination_are_not_followed(
        self, tmp_path: Path, wheel: Path, windows: Windows
    ) -> None:
        outside = write_tree(tmp_path / "outside", {"precious": b"precious"})
        (tmp_path / "site").mkdir()
        windows.junction(tmp_path / "site" / "pkg", outside)
        with pytest.raises(LinkError, match="outside"):
            link_wheel_files(tmp_path / "site", wheel)
        assert contents(outside) == {"precious": b"precious"}

    def test_in_a_stage_are_removed_alone(
        self, tmp_path: Path, wheel: Path, windows: Windows
    ) -> None:
        outside = write_tree(tmp_path / "outside", {"precious": b"precious"})
        litter = write_tree(tmp_path / "site" / ".wheel_linker-1", {"owner": b"", "0/old.py": b""})
        windows.junction(litter / "0" / "sub", outside)
        link_wheel_files(tmp_path / "site", wheel)
        assert contents(outside) == {"precious": b"precious"}
        assert hidden(tmp_path / "site") == set()


class TestStore:
    def test_times_are_what_was_wanted(
        self, tmp_path: Path, archive: Path, windows: Windows
    ) -> None:
        """A time that is set before a file is closed is overwritten, and each verify would read every file."""
        with WheelStore(tmp_path / "store") as store:
            stored = store.add(archive)
            files = [path for path in Path(stored.path).rglob("*") if path.is_file()]
            (time,) = {path.stat().st_mtime_ns for path in files}
            assert time % 100 == 0, "that of the system, not the one that was set"
            assert store.verify() == []

    @pytest.mark.usefixtures("windows")
    def test_times_of_copies_are_those_of_the_store(self, tmp_path: Path) -> None:
        """Bytecode that the store keeps names them."""
        source, copy = tmp_path / "source.py", tmp_path / "copy.py"
        source.write_bytes(b"1")
        os.utime(source, ns=(1, 1_700_000_000_123_456_700))
        create_from(copy_content, os.fspath(source), os.fspath(copy), keep_time=True)
        assert copy.stat().st_mtime_ns == source.stat().st_mtime_ns

    def test_leases_of_the_dead_go(self, tmp_path: Path, archive: Path, windows: Windows) -> None:
        with WheelStore(tmp_path / "store") as store:
            store.add(archive)
            leases = next((tmp_path / "store").rglob("leases"))
            dead = leases / "0123456789ab"
            dead.write_bytes(b"abcdefghij\n")
            store.prune()
            assert not dead.exists()
            assert len(os.listdir(leases)) == 1

    def test_an_entry_in_use_is_no_hindrance(
        self, tmp_path: Path, archive: Path, windows: Windows
    ) -> None:
        """It is left, at once: the store is locked meanwhile."""
        other = write_wheel(tmp_path / "2" / archive.name, {"single.py": b"2"})
        with WheelStore(tmp_path / "store") as store:
            for each in (archive, other):
                store.add(each)
        with WheelStore(tmp_path / "store") as store:
            first, second = store.entries()
            windows.hold(Path(first.path) / "single.py")
            assert [entry.name for entry in store.prune(unused_for=0)] == [second.name]
            assert windows.pauses == []
            with pytest.raises(LinkError, match="a program has it open"):
                store.remove(first)
            windows.let_go()
            assert [entry.name for entry in store.prune(unused_for=0)] == [first.name]

    @pytest.mark.parametrize("attempts", [3, 1_000_000])
    def test_an_index_that_is_read_is_no_hindrance(
        self, tmp_path: Path, archive: Path, windows: Windows, attempts: int
    ) -> None:
        with WheelStore(tmp_path / "store") as store:
            store.add(archive)
            (index,) = (path for path in (tmp_path / "store").rglob("index") if path.is_file())
            windows.hold(index, attempts)
            assert store.prune() == []
        assert sorted(path.name for path in index.parent.iterdir() if "index" in path.name) == [
            "index"
        ]


def test_archives_that_are_unpacked_for_a_while(
    tmp_path: Path, archive: Path, windows: Windows
) -> None:
    """Nothing of their store is open when it is removed, though they were linked from it."""
    with temporary_directory() as place, unpacked_archives([str(archive)], place, 1) as wheels:
        link_wheels(tmp_path / "site", wheels)
    assert not os.path.exists(place)


class TestOddNames:
    @pytest.mark.parametrize("name", ["demo>=1", "demo\0", 'de"mo', "demo|1"])
    def test_are_no_wheels(self, tmp_path: Path, windows: Windows, name: str) -> None:
        """What was meant as a requirement, say."""
        windows.forbid_names()
        for given in (name, tmp_path / name):
            with pytest.raises(InvalidWheelError, match="no unpacked wheel at"):
                link_wheels(tmp_path / "site", [given])
        assert not (tmp_path / "site").exists()

    @pytest.mark.parametrize("name", ["demo>=1", "demo\0", "demo>=1.whl", "demo\0.whl"])
    @pytest.mark.parametrize("with_store", [False, True])
    def test_are_not_installed(
        self, tmp_path: Path, windows: Windows, name: str, with_store: bool
    ) -> None:
        """The advice is what may be given there: not of permissions, nor of directories alone."""
        layout = layout_in(tmp_path)
        windows.forbid_names()
        store = WheelStore(tmp_path / "store") if with_store else None
        for given in (name, tmp_path / name):
            with pytest.raises(
                InvalidWheelError, match=r"no wheel at .*: give a \.whl file"
            ) as caught:
                install_wheels([given], layout, store=store)
            assert repr(os.fspath(given)) in str(caught.value)

    @pytest.mark.parametrize("name", ["demo>=1.whl", "demo\0.whl"])
    def test_are_not_added(self, tmp_path: Path, windows: Windows, name: str) -> None:
        windows.forbid_names()
        with (
            WheelStore(tmp_path / "store") as store,
            pytest.raises(InvalidWheelError, match=r"no wheel at .*: give a \.whl file"),
        ):
            store.add(tmp_path / name)

    def test_are_no_place_to_link_into(self, tmp_path: Path, wheel: Path, windows: Windows) -> None:
        windows.forbid_names()
        with pytest.raises(LinkError, match="cannot link into"):
            link_wheel_files(tmp_path / "site\0", wheel)
