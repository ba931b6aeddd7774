"""Writing to the disk, call by call; tests/store/test_durable.py has what becomes of a store's entries."""

from __future__ import annotations

import ctypes
import errno
import os
import stat
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from small.descriptors import open_descriptors
from wheel_linker._fs import durable
from wheel_linker._fs.folder import BY_DESCRIPTOR, LIST, Folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(os.name != "posix", reason="calls what POSIX systems have")


@pytest.fixture
def folder(tmp_path: Path, way: str) -> Iterator[Folder]:
    assert way
    (tmp_path / "here").mkdir()
    with Folder.open(os.fspath(tmp_path / "here")) as opened:
        yield opened


def on(system: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(durable, "sys", SimpleNamespace(platform=system))


def where(fd: int, folder: Folder) -> str:
    """Return the file that is open, as seen from the directory."""
    status = os.fstat(fd)
    names = ["."]
    for above, directories, files in os.walk(folder.path):
        names += [os.path.relpath(os.path.join(above, each), folder.path) for each in directories]
        names += [os.path.relpath(os.path.join(above, each), folder.path) for each in files]
    return next(
        name
        for name in names
        if os.path.samestat(os.lstat(os.path.join(folder.path, name)), status)
    )


@pytest.fixture
def flushed(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was flushed."""
    seen: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda fd: seen.append(where(fd, folder)))
    return seen


class TestOnDisk:
    @pytest.fixture
    def calls(self, monkeypatch: pytest.MonkeyPatch) -> list[tuple[object, ...]]:
        """What was done, without doing it."""
        seen: list[tuple[object, ...]] = []

        def noting(name: str, answer: object) -> Callable[..., object]:
            def note(*arguments: object) -> object:
                seen.append((name, *arguments))
                return answer

            return note

        on("linux", monkeypatch)
        for name, answer in (
            ("_is_fuse", False),
            ("_sync_file_system", True),
            ("_files_below", ["all"]),
            ("_flush_each", None),
        ):
            monkeypatch.setattr(durable, name, noting(name, answer))
        return seen

    def test_by_one_call(self, folder: Folder, calls: list[tuple[object, ...]]) -> None:
        assert durable.on_disk(folder, ["a"]) is True
        assert calls == [("_is_fuse", folder), ("_sync_file_system", folder)]

    @pytest.mark.parametrize("reason", ["another system", "FUSE", "not allowed"])
    @pytest.mark.parametrize("paths", [None, ["a", "b/"]])
    def test_file_by_file(
        self,
        folder: Folder,
        calls: list[tuple[object, ...]],
        reason: str,
        paths: list[str] | None,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        if reason == "another system":
            on("darwin", monkeypatch)
        elif reason == "FUSE":
            monkeypatch.setattr(durable, "_is_fuse", lambda _: True)
        else:
            monkeypatch.setattr(durable, "_sync_file_system", lambda _: False)
        assert durable.on_disk(folder, paths) is True
        tried = [] if reason != "not allowed" else [("_is_fuse", folder)]
        if paths is None:
            assert calls == [*tried, ("_files_below", folder), ("_flush_each", folder, ["all"])]
        else:
            assert calls == [*tried, ("_flush_each", folder, paths)]

    @pytest.mark.usefixtures("calls")
    @pytest.mark.parametrize("number", sorted(durable._UNSUPPORTED), ids=str)
    def test_what_cannot_be_had(
        self, folder: Folder, number: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*_: object) -> None:
            raise OSError(number, "refused here")

        monkeypatch.setattr(durable, "_sync_file_system", lambda _: False)
        monkeypatch.setattr(durable, "_flush_each", refuse)
        assert durable.on_disk(folder) is False

    @pytest.mark.usefixtures("calls")
    @pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
    def test_a_fault_is_raised(
        self, folder: Folder, number: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*_: object) -> None:
            raise OSError(number, "broken")

        monkeypatch.setattr(durable, "_sync_file_system", fail)
        with pytest.raises(OSError, match="broken"):
            durable.on_disk(folder)

    def test_in_earnest(self, folder: Folder, tmp_path: Path) -> None:
        (tmp_path / "here/file").write_bytes(b"1")
        before = open_descriptors()
        assert durable.on_disk(folder) is True
        assert open_descriptors() == before


class TestSyncFileSystem:
    @pytest.fixture
    def way(self) -> str:
        """Linux has calls relative to a directory descriptor."""
        if not BY_DESCRIPTOR:
            pytest.skip("this platform has no calls relative to a directory descriptor")
        return "descriptor"

    @pytest.fixture
    def system(self, folder: Folder, monkeypatch: pytest.MonkeyPatch) -> Any:
        """What the C library is, and what it was asked for."""
        asked: list[tuple[object, ...]] = []

        class Function:
            answer = 0
            argtypes: object = None
            restype: object = None

            def __call__(self, fd: int) -> int:
                asked.append((where(fd, folder), os.listdir(fd)))
                return self.answer

        made = SimpleNamespace(asked=asked, number=0, syncfs=Function())

        def load(*arguments: object, **keywords: object) -> object:
            asked.append((*arguments, keywords))
            return made

        monkeypatch.setattr(ctypes, "CDLL", load)
        monkeypatch.setattr(ctypes, "get_errno", lambda: made.number)
        return made

    def test_is_called(self, tmp_path: Path, folder: Folder, system: Any) -> None:
        (tmp_path / "here/file").touch()
        before = open_descriptors()
        assert durable._sync_file_system(folder) is True
        assert system.asked == [(None, {"use_errno": True}), (".", ["file"])]
        assert (system.syncfs.argtypes, system.syncfs.restype) == ([ctypes.c_int], ctypes.c_int)
        assert open_descriptors() == before

    @pytest.mark.parametrize("answer", [-1, 1])
    @pytest.mark.parametrize("number", [errno.ENOSYS, errno.EPERM])
    def test_is_not_allowed(self, folder: Folder, system: Any, answer: int, number: int) -> None:
        before = open_descriptors()
        system.syncfs.answer, system.number = answer, number
        assert durable._sync_file_system(folder) is False
        assert open_descriptors() == before

    def test_a_broken_disk(self, folder: Folder, system: Any) -> None:
        before = open_descriptors()
        system.syncfs.answer, system.number = -1, errno.EIO
        with pytest.raises(OSError, match=os.strerror(errno.EIO)) as caught:
            durable._sync_file_system(folder)
        assert (caught.value.errno, caught.value.filename) == (errno.EIO, folder.path)
        assert caught.value.strerror == os.strerror(errno.EIO)
        assert open_descriptors() == before

    @pytest.mark.parametrize("reason", ["no ctypes", "no syncfs", "no library"])
    def test_what_this_python_lacks(
        self, folder: Folder, system: Any, reason: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        if reason == "no ctypes":
            monkeypatch.setitem(sys.modules, "ctypes", None)
        elif reason == "no syncfs":
            del system.syncfs
        else:

            def refuse(*_: object, **__: object) -> None:
                raise OSError("cannot open shared object file")

            monkeypatch.setattr(ctypes, "CDLL", refuse)
        assert durable._sync_file_system(folder) is False


class TestFuse:
    @pytest.fixture
    def mounts(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """What stands for /proc/self/mountinfo, with the directory being on the device 11:29."""
        known: Any = SimpleNamespace(st_dev=os.makedev(11, 29))  # type: ignore[attr-defined,unused-ignore]
        monkeypatch.setattr(Folder, "stat", lambda _: known)
        monkeypatch.setattr(durable, "_MOUNTS", os.fspath(tmp_path / "mountinfo"))
        return tmp_path / "mountinfo"

    @pytest.mark.parametrize(
        ("lines", "fuse"),
        [
            (["36 35 11:29 / /mnt rw,noatime master:1 - fuse /dev/root rw"], True),
            (["36 35 11:29 / /mnt rw,noatime - fuse.sshfs host:/there rw"], True),
            (["36 35 11:29 / /mnt rw,noatime - fuseblk - rw"], True),
            (["36 35 11:29 / /mnt rw - ext4 /dev/root rw"], False),
            (["36 35 11:29 / /mnt rw - ext4 fuse fuse"], False),
            (["36 35 29:11 / /mnt rw - fuse /dev/root rw"], False),
            (["36 35 11:290 / /mnt rw - fuse /dev/root rw"], False),
            (["36 11:29 8:1 / /mnt rw - fuse /dev/root rw"], False),
            (
                [
                    "35 1 8:1 / / rw - ext4 /dev/root rw",
                    "36 35 11:29 /\xff /mnt rw - fuse /dev/root rw",
                ],
                True,
            ),
            (
                [
                    "35 1 8:1 / / rw - fuse /dev/root rw",
                    "36 35 11:29 / /mnt rw - xfs /dev/root rw",
                    "36 35 11:29 / /mnt rw - fuse /dev/root rw",
                ],
                False,
            ),
            ([], False),
        ],
    )
    def test_is_told_by_the_mount(
        self, folder: Folder, mounts: Path, lines: list[str], fuse: bool
    ) -> None:
        mounts.write_bytes("".join(f"{line}\n" for line in lines).encode("latin-1"))
        assert durable._is_fuse(folder) is fuse

    def test_is_not_told(self, folder: Folder, mounts: Path) -> None:
        assert not mounts.exists()
        assert durable._is_fuse(folder) is False

    def test_not_on_windows(
        self, folder: Folder, mounts: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        mounts.write_text("36 35 11:29 / /mnt rw - fuse /dev/root rw\n")
        on("win32", monkeypatch)
        assert durable._is_fuse(folder) is False


def test_files_of_any_depth(tmp_path: Path, folder: Folder) -> None:
    deep = tmp_path / "here/a/b/c"
    deep.mkdir(parents=True)
    (tmp_path / "here/empty").mkdir()
    for name in ("one", "a/two", "a/b/c/three", "a/b/c/four"):
        (tmp_path / "here" / name).touch()
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/five").touch()
    (tmp_path / "here/a/link").symlink_to(tmp_path / "outside")
    (tmp_path / "here/a/file").symlink_to(tmp_path / "outside/five")
    before = open_descriptors()
    wanted = ["a/b/c/four", "a/b/c/three", "a/two", "one"]
    assert sorted(durable._files_below(folder)) == wanted
    assert open_descriptors() == before


class TestFlushEach:
    @pytest.fixture
    def calls(self, monkeypatch: pytest.MonkeyPatch) -> list[tuple[object, ...]]:
        """What was flushed, and how, without doing it."""
        seen: list[tuple[object, ...]] = []
        monkeypatch.setattr(durable, "_flush", lambda *given: seen.append(("file", *given)))
        monkeypatch.setattr(durable, "_flush_drive", lambda *given: seen.append(("drive", *given)))
        on("linux", monkeypatch)
        return seen

    def test_files_and_then_directories(
        self, folder: Folder, calls: list[tuple[object, ...]]
    ) -> None:
        durable._flush_each(folder, ["one", "a/b/c/two", "d/", "a/three", "e/f/"])
        files = [("file", folder, name, durable._FLUSH) for name in ("one", "a/b/c/two", "a/three")]
        assert calls[:3] == files
        names = [".", "a", "a/b", "a/b/c", "d", "e", "e/f"]
        assert sorted(calls[3:], key=str) == sorted(
            (("file", folder, name, LIST) for name in names), key=str
        )

    def test_no_directories_on_windows(
        self,
        folder: Folder,
        calls: list[tuple[object, ...]],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(durable, "os", SimpleNamespace(name="nt"))
        on("darwin", monkeypatch)
        durable._flush_each(folder, ["a/one"])
        assert calls == [("file", folder, "a/one", durable._FLUSH)]

    @pytest.mark.parametrize(
        ("paths", "last"), [(["a/one", "two", "b/"], "two"), (["b/"], None), ([], None)]
    )
    def test_the_drive_of_macos_at_the_end(
        self,
        folder: Folder,
        calls: list[tuple[object, ...]],
        paths: list[str],
        last: str | None,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        on("darwin", monkeypatch)
        durable._flush_each(folder, paths)
        drives = [call for call in calls if call[0] == "drive"]
        assert drives == ([("drive", folder, last)] if last else [])
        assert calls[-1][0] == ("drive" if last else "file")


class TestFlush:
    def test_a_file(self, tmp_path: Path, folder: Folder, flushed: list[str]) -> None:
        (tmp_path / "here/a").mkdir()
        (tmp_path / "here/a/file").touch()
        before = open_descriptors()
        durable._flush(folder, "a/file", durable._FLUSH)
        durable._flush(folder, "a", LIST)
        durable._flush(folder, ".", LIST)
        assert flushed == ["a/file", "a", "."]
        assert open_descriptors() == before

    def test_a_symlink_in_its_place(self, tmp_path: Path, folder: Folder) -> None:
        (tmp_path / "here/file").symlink_to(tmp_path)
        with pytest.raises(OSError, match="file") as caught:
            durable._flush(folder, "file", durable._FLUSH)
        assert caught.value.errno in {errno.ELOOP, errno.EMLINK}

    def test_an_error_closes_it(
        self, tmp_path: Path, folder: Folder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "here/file").touch()

        def fail(_: int) -> None:
            raise OSError(errno.EIO, "broken")

        monkeypatch.setattr(os, "fsync", fail)
        before = open_descriptors()
        with pytest.raises(OSError, match="broken"):
            durable._flush(folder, "file", durable._FLUSH)
        assert open_descriptors() == before

    @pytest.mark.parametrize("system", ["nt", "posix"])
    def test_a_file_that_nobody_may_open(
        self, folder: Folder, system: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked: list[tuple[object, ...]] = []

        def refuse(name: str, flags: int, *, dir_fd: int | None) -> int:
            asked.append((name, flags, dir_fd))
            raise PermissionError(errno.EACCES, "refused here")

        monkeypatch.setattr(durable, "os", SimpleNamespace(name=system, open=refuse))
        monkeypatch.setattr(durable, "_flush_read_only", lambda *given: asked.append(given))
        wanted: list[tuple[object, ...]] = [(folder.prefix + "a/b", 42, folder.fd)]
        if system == "nt":
            durable._flush(folder, "a/b", 42)
            assert asked == [*wanted, (folder.prefix + "a/b", 42)]
        else:
            with pytest.raises(PermissionError, match="refused here"):
                durable._flush(folder, "a/b", 42)
            assert asked == wanted


class TestFlushReadOnly:
    @pytest.fixture
    def file(self, tmp_path: Path) -> Path:
        path = tmp_path / "here/file"
        path.touch()
        path.chmod(0o444)
        return path

    @pytest.fixture(autouse=True)
    def place(self, folder: Folder) -> Folder:
        return folder

    def test_it_may_be_written_meanwhile(self, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        seen: list[tuple[bool, int]] = []

        def note(fd: int) -> None:
            status = os.fstat(fd)
            same = os.path.samestat(status, file.stat())
            seen.append((same, stat.S_IMODE(status.st_mode)))
            assert os.write(fd, b"1") == 1

        monkeypatch.setattr(os, "fsync", note)
        before = open_descriptors()
        durable._flush_read_only(os.fspath(file), os.O_RDWR)
        assert seen == [(True, 0o600)]
        assert stat.S_IMODE(file.stat().st_mode) == 0o400
        assert open_descriptors() == before

    def test_and_not_afterwards_whatever_happens(
        self, file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(_: int) -> None:
            raise OSError(errno.EIO, "broken")

        monkeypatch.setattr(os, "fsync", fail)
        before = open_descriptors()
        with pytest.raises(OSError, match="broken"):
            durable._flush_read_only(os.fspath(file), os.O_RDONLY)
        assert stat.S_IMODE(file.stat().st_mode) == 0o400
        assert open_descriptors() == before


def test_the_drive_is_asked_by_a_file(
    tmp_path: Path, folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[object, ...]] = []
    (tmp_path / "here/file").touch()
    monkeypatch.setattr(
        "fcntl.fcntl", lambda fd, command: asked.append((where(fd, folder), command))
    )
    before = open_descriptors()
    durable._flush_drive(folder, "file")
    assert asked == [("file", 51)]
    assert open_descriptors() == before
    (tmp_path / "here/link").symlink_to("file")
    with pytest.raises(OSError, match="link"):
        durable._flush_drive(folder, "link")


class TestBoot:
    @pytest.fixture(autouse=True)
    def file(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """What stands for that of /proc."""
        on("linux", monkeypatch)
        monkeypatch.setattr(durable, "_BOOT_ID", os.fspath(tmp_path / "boot_id"))
        return tmp_path / "boot_id"

    @pytest.mark.parametrize(
        ("text", "known"),
        [(b"0b-1d\n", "0b-1d"), (b"\n", None), (b"", None), (b"\xc3\xa9\n", None)],
    )
    def test_of_linux(self, file: Path, text: bytes, known: str | None) -> None:
        file.write_bytes(text)
        assert durable.boot_id() == known

    def test_where_it_is_missing(self) -> None:
        assert durable.boot_id() is None

    @pytest.fixture
    def macos(self, monkeypatch: pytest.MonkeyPatch) -> Any:
        """What the C library is there, and what it answers."""
        on("darwin", monkeypatch)
        system = SimpleNamespace(answer=0, text=b"A1-B2", asked=[])

        def sysctl(name: bytes, text: Any, size: Any, new: object, length: Any) -> int:
            system.asked.append((name, ctypes.sizeof(text), size._obj.value, new, length.value))
            assert isinstance(size._obj, ctypes.c_size_t)
            text.value = system.text
            return int(system.answer)

        system.sysctlbyname = sysctl

        def load(*arguments: object, **keywords: object) -> Any:
            system.asked.append((*arguments, keywords))
            return system

        monkeypatch.setattr(ctypes, "CDLL", load)
        return system

    @pytest.mark.parametrize(
        ("text", "known"), [(b"A1-B2", "A1-B2"), (b"", None), (b"A\xff", "A\ufffd")]
    )
    def test_of_macos(self, macos: Any, text: bytes, known: str | None) -> None:
        macos.text = text
        assert durable.boot_id() == known
        assert macos.asked == [
            (None, {"use_errno": True}),
            (b"kern.bootsessionuuid", 37, 37, None, 0),
        ]

    @pytest.mark.parametrize("answer", [-1, 1])
    def test_that_macos_does_not_tell(self, macos: Any, answer: int) -> None:
        macos.answer = answer
        assert durable.boot_id() is None

    @pytest.mark.parametrize("reason", ["no ctypes", "no sysctlbyname", "no library"])
    def test_that_this_python_cannot_ask_for(
        self, macos: Any, reason: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        if reason == "no ctypes":
            monkeypatch.setitem(sys.modules, "ctypes", None)
        elif reason == "no sysctlbyname":
            del macos.sysctlbyname
        else:

            def refuse(*_: object, **__: object) -> None:
                raise OSError("cannot open shared object file")

            monkeypatch.setattr(ctypes, "CDLL", refuse)
        assert durable.boot_id() is None
