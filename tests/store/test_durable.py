"""Entries are published when their files are on the disk; where that is not so, they are read after the next start."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from store.archives import FILES, NAME, files_below, with_record, write_wheel
from store.conftest import entry_names, litter, settle
from store.test_damaged_entries import zeros
from wheel_linker import LinkError
from wheel_linker._fs import durable
from wheel_linker._fs.folder import Folder
from wheel_linker.install import Layout, install_wheels
from wheel_linker.store import WheelStore

if TYPE_CHECKING:
    from collections.abc import Iterable


CANNOT_FILTER = 77
# seccomp(2): a program of four instructions that gives syncfs, number 306, an error.
WITHOUT_SYNCFS = f"""
import ctypes, os, struct, sys
number, path = int(sys.argv[1]), sys.argv[2]
def step(code, true, false, value):
    return struct.pack("HBBI", code, true, false, value)
steps = (
    step(0x20, 0, 0, 0)  # load the number of the call
    + step(0x15, 0, 1, 306)  # JEQ
    + step(0x06, 0, 0, 0x00050000 | number)  # SECCOMP_RET_ERRNO
    + step(0x06, 0, 0, 0x7FFF0000)  # SECCOMP_RET_ALLOW
)
program = ctypes.create_string_buffer(steps, len(steps))
filter = ctypes.create_string_buffer(struct.pack("HxxxxxxP", 4, ctypes.addressof(program)), 16)
prctl = ctypes.CDLL(None, use_errno=True).prctl
prctl.argtypes = [ctypes.c_int, ctypes.c_ulong, ctypes.c_void_p, ctypes.c_ulong, ctypes.c_ulong]
if prctl(38, 1, None, 0, 0) or prctl(22, 2, ctypes.addressof(filter), 0, 0):
    sys.exit({CANNOT_FILTER})
from wheel_linker._fs import durable
from wheel_linker._fs.folder import Folder
flushed, fsync = [], os.fsync
def flush(fd):
    flushed.append(os.path.relpath(os.readlink(f"/proc/self/fd/{{fd}}"), os.path.realpath(path)))
    fsync(fd)
os.fsync = flush
with Folder.open(path) as folder:
    try:
        print(durable.on_disk(folder), sorted(flushed))
    except OSError as error:
        print("OSError", error.errno)
"""


class Disk:
    """Stands for the disk: what it was asked to write, and what could be seen of it then."""

    def __init__(self, seen: Path, answer: bool | OSError = True) -> None:
        self.asked: list[list[str]] = []
        self._seen = seen
        self._answer = answer

    def __call__(self, folder: Folder, paths: Iterable[str] | None = None) -> bool:
        self.asked.append(list(paths or ()))
        assert entry_names(self._seen) == set()
        if isinstance(self._answer, OSError):
            raise self._answer
        return self._answer


@pytest.fixture
def wheels(tmp_path: Path) -> list[Path]:
    """Some wheel files."""
    return [settle(write_wheel(tmp_path / str(n) / NAME, {"n.py": b"#" * n})) for n in range(4)]


def stand_in(monkeypatch: pytest.MonkeyPatch, disk: Disk) -> Disk:
    monkeypatch.setattr("wheel_linker.store._entry.making.on_disk", disk)
    return disk


def test_once_for_all_and_before_anything_is_seen(
    root: Path, wheels: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = stand_in(monkeypatch, Disk(root))
    with WheelStore(root) as store:
        stored = store.add_all(wheels)
        assert len(disk.asked) == 1
        assert len(disk.asked[0]) == sum(2 + len(files_below(wheel.path)) for wheel in stored)
        assert entry_names(root) == {wheel.entry for wheel in stored}
        assert not list(root.glob("*/boot"))
        store.add_all(wheels)
    assert len(disk.asked) == 1


def test_not_if_nobody_wants_it(
    root: Path, wheels: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = stand_in(monkeypatch, Disk(root))
    with WheelStore(root, durable=False) as store:
        store.add_all(wheels)
    assert disk.asked == []
    assert len(list(root.glob("*/boot"))) == len(wheels)


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC])
def test_broken_disk_is_an_error(
    root: Path, wheels: list[Path], monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    stand_in(monkeypatch, Disk(root, OSError(number, os.strerror(number))))
    with WheelStore(root) as store, pytest.raises(LinkError, match=r"store") as raised:
        store.add_all(wheels)
    assert raised.value.errno == number
    assert entry_names(root) == set()
    assert litter(root) == []


@pytest.mark.parametrize("wanted", [True, False])
@pytest.mark.parametrize("destroyed", [True, False])
def test_read_once_after_the_next_start(
    root: Path, wheel_file: Path, monkeypatch: pytest.MonkeyPatch, wanted: bool, destroyed: bool
) -> None:
    stand_in(monkeypatch, Disk(root, answer=False))
    with WheelStore(root, durable=wanted) as store:
        stored = store.add(wheel_file)
    note = root / stored.entry / "boot"
    assert note.is_file()
    if destroyed:
        zeros(root / stored.entry / "w" / "single.py")
    monkeypatch.setattr("wheel_linker.store._entry.checking.boot_id", lambda: "another one")
    monkeypatch.setattr("wheel_linker.store._entry.making.on_disk", lambda *_: False)
    with WheelStore(root, durable=wanted) as store:
        assert files_below(store.add(wheel_file).path) == with_record(FILES)
        assert store.verify(deep=True) == []
    # What was made anew just now has to stand the next start, too.
    assert note.exists() == destroyed


def test_verifying_reads_what_may_have_been_lost(root: Path, wheel_file: Path) -> None:
    """A power cut leaves files of the right size and time with nothing but zeros in them."""
    with WheelStore(root, durable=False) as store:
        stored = store.add(wheel_file)
        assert store.verify() == []
    zeros(root / stored.entry / "w" / "single.py")
    with WheelStore(root, durable=False) as store:
        assert store.verify() == []
    (root / stored.entry / "boot").write_bytes(b"another start")
    with WheelStore(root, durable=False) as store:
        assert [damage.path for damage in store.verify()] == ["single.py"]
        assert [damage.path for damage in store.verify(stored)] == ["single.py"]


def test_a_system_that_does_not_tell_its_start_may_have_been_started_since(
    root: Path, wheel_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a container that hides it: two starts that are not told look alike."""
    monkeypatch.setattr("wheel_linker.store._entry.checking.boot_id", lambda: None)
    with WheelStore(root, durable=False) as store:
        stored = store.add(wheel_file)
    zeros(root / stored.entry / "w" / "single.py")
    with WheelStore(root, durable=False) as store:
        assert files_below(store.add(wheel_file).path) == with_record(FILES)


def test_destroyed_note_is_another_start(root: Path, wheel_file: Path) -> None:
    with WheelStore(root, durable=False) as store:
        stored = store.add(wheel_file)
    zeros(root / stored.entry / "boot")
    zeros(root / stored.entry / "w" / "single.py")
    with WheelStore(root) as store:
        assert files_below(store.add(wheel_file).path) == with_record(FILES)


def test_wheels_that_are_ready_are_kept_when_another_is_refused(
    root: Path, wheels: list[Path], tmp_path: Path
) -> None:
    bad = tmp_path / "bad" / NAME
    bad.parent.mkdir()
    bad.write_bytes(b"nothing")
    with WheelStore(root, jobs=1) as store:
        with pytest.raises(ValueError, match="bad"):
            store.add_all([*wheels, bad])
        assert len(store.entries()) == len(wheels)
    assert litter(root) == []


class TestOnDisk:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Folder:
        (tmp_path / "sub" / "deep").mkdir(parents=True)
        (tmp_path / "one").write_bytes(b"1")
        (tmp_path / "sub" / "deep" / "two").write_bytes(b"2")
        (tmp_path / "sub" / "deep" / "two").chmod(0o444)
        return Folder.open(str(tmp_path))

    def test_real(self, folder: Folder) -> None:
        with folder:
            assert durable.on_disk(folder)

    @pytest.mark.parametrize("given", [None, ["one", "sub/deep/two"]])
    def test_file_by_file(
        self, folder: Folder, monkeypatch: pytest.MonkeyPatch, given: list[str] | None
    ) -> None:
        flushed = []

        def flush(fd: int) -> None:
            flushed.append(os.fstat(fd).st_ino)

        monkeypatch.setattr(os, "fsync", flush)
        monkeypatch.setattr(durable, "_is_fuse", lambda _: True)
        monkeypatch.setattr(durable, "_sync_file_system", lambda _: False)
        with folder:
            assert durable.on_disk(folder, given)
            below = Path(folder.path)
        files = {(below / path).stat().st_ino for path in ("one", "sub/deep/two")}
        assert files <= set(flushed)

    @pytest.mark.skipif(
        sys.platform != "linux" or os.uname().machine != "x86_64",
        reason="the filter of system calls is written for one processor",
    )
    @pytest.mark.parametrize("number", [errno.ENOSYS, errno.EPERM, errno.EINVAL, errno.EIO])
    def test_where_a_sandbox_refuses_syncfs_each_file_is_flushed(
        self, tmp_path: Path, number: int
    ) -> None:
        (tmp_path / "one").write_bytes(b"1")
        command = [sys.executable, "-c", WITHOUT_SYNCFS, str(number), str(tmp_path)]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if result.returncode == CANNOT_FILTER:
            pytest.skip("no system calls can be filtered here")
        wanted = "OSError 5" if number == errno.EIO else "True ['.', 'one']"
        assert (result.stdout.strip(), result.stderr) == (wanted, "")

    @pytest.mark.skipif(sys.platform != "linux", reason="syncfs is a call of Linux")
    @pytest.mark.parametrize("number", [errno.ENOSYS, errno.EIO])
    def test_refused(self, folder: Folder, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
        def refuse(_: Folder) -> bool:
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(durable, "_sync_file_system", refuse)
        with folder:
            if number == errno.EIO:
                with pytest.raises(OSError, match=os.strerror(number)):
                    durable.on_disk(folder)
            else:
                assert not durable.on_disk(folder)

    def test_boot(self) -> None:
        assert durable.boot_id() == durable.boot_id()
        if sys.platform == "linux":
            assert durable.boot_id() == Path("/proc/sys/kernel/random/boot_id").read_text().strip()


class TestEnvironment:
    def test_is_on_the_disk_before_it_is_seen(
        self, site: Path, wheel_file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked = []

        def look(folder: Folder, paths: Iterable[str] | None = None) -> bool:
            asked.append(folder.path)
            assert [name for name in os.listdir(site) if not name.startswith(".")] == []
            assert list(Path(folder.path).rglob("RECORD"))
            return True

        monkeypatch.setattr("wheel_linker._fs.durable.on_disk", look)
        install_wheels([wheel_file], Layout.for_target(site))
        assert asked == []
        shutil.rmtree(site)
        site.mkdir()
        install_wheels([wheel_file], Layout.for_target(site), durable=True)
        assert asked

    def test_stays_as_it_was_on_a_broken_disk(
        self, site: Path, wheel_file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def broken(*_: object) -> bool:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

        monkeypatch.setattr("wheel_linker._fs.durable.on_disk", broken)
        with pytest.raises(LinkError):
            install_wheels([wheel_file], Layout.for_target(site), durable=True)
        assert os.listdir(site) == []

    def test_for_real(self, site: Path, wheel_file: Path) -> None:
        install_wheels([settle(wheel_file)], Layout.for_target(site), durable=True)
        assert (site / "demo-1.0.dist-info" / "RECORD").read_text()
