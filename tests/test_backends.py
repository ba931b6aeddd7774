"""What is particular to one backend, and that all of them are there on every system."""

from __future__ import annotations

import errno
import importlib
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from filesystems import LOCAL
from standins import FakeReflink, reflink_refusal, windows_error
from wheels import contents, sample_wheel, snapshot

from wheel_linker import LinkError, LinkMode, link_wheel_files
from wheel_linker._fs.copying import copy_content, create_from
from wheel_linker.backends import Backend, default_backend
from wheel_linker.backends.linux import LinuxBackend
from wheel_linker.backends.macos import MacOSBackend
from wheel_linker.backends.unsupported import UnsupportedBackend
from wheel_linker.backends.windows import WindowsBackend

if TYPE_CHECKING:
    from collections.abc import Callable

    from standins import FakeClonefile

CLONE_NOOWNERCOPY = 0x0002
STRICT_CLONE = (LinkMode.CLONE,)


@pytest.fixture
def macos(fake_clonefile: FakeClonefile) -> MacOSBackend:
    return MacOSBackend(library=fake_clonefile.library)


@pytest.mark.parametrize("name", ["linux", "macos", "windows", "unsupported"])
def test_every_module_imports_everywhere(name: str) -> None:
    importlib.import_module(f"wheel_linker.backends.{name}")


@pytest.mark.skipif(sys.platform == "win32", reason="blocks modules that Windows lacks anyway")
def test_modules_of_other_systems_import_without_fcntl_and_ctypes() -> None:
    script = (
        "import sys\n"
        "sys.modules.update(fcntl=None, ctypes=None, reflink_copy=None)\n"
        "import wheel_linker, wheel_linker.backends.linux, wheel_linker.backends.macos\n"
        "import wheel_linker.backends.windows, wheel_linker.backends.unsupported\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


@pytest.mark.parametrize(
    ("platform", "expected"),
    [("linux", LinuxBackend), ("win32", WindowsBackend), ("freebsd14", UnsupportedBackend)],
)
def test_the_platform_chooses(
    monkeypatch: pytest.MonkeyPatch, platform: str, expected: type[object]
) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    assert type(default_backend()) is expected


@pytest.mark.parametrize(
    "backend",
    [LinuxBackend(), WindowsBackend(), UnsupportedBackend()],
    ids=lambda b: type(b).__name__,
)
def test_only_macos_clones_directories(backend: Backend, tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    assert not backend.clones_directories
    with pytest.raises(OSError, match=r".") as caught:
        backend.clone_directory(str(tmp_path / "source"), str(tmp_path / "copy"))
    assert caught.value.errno == errno.ENOTSUP
    assert not (tmp_path / "copy").exists()


class OnlyFiles(Backend):
    """A caller's own, with the one method that there has to be."""

    def clone_file(
        self,
        source: str,
        destination: str,
        *,
        source_dir: int | None = None,
        destination_dir: int | None = None,
    ) -> None:
        create_from(copy_content, source, destination, source_dir, destination_dir)


def test_a_backend_of_ones_own_has_one_method(site: Path, wheel: Path) -> None:
    report = link_wheel_files(site, wheel, mode=(LinkMode.CLONE,), backend=OnlyFiles())
    assert report.mode is LinkMode.CLONE
    assert contents(site) == contents(wheel)


class TestCloneFile:
    """Every backend that clones: one file, by path and by descriptor."""

    @pytest.fixture(params=["linux", "macos", "windows"])
    def backend(self, request: pytest.FixtureRequest) -> Backend:
        if request.param == "linux":
            return LinuxBackend()
        if request.param == "windows":
            return WindowsBackend(reflink=FakeReflink())
        library = request.getfixturevalue("fake_clonefile").library
        return MacOSBackend(library=library)

    @pytest.fixture
    def here(self, on_filesystem: Callable[[str], Path], backend: Backend) -> Path:
        place = on_filesystem("xfs" if isinstance(backend, LinuxBackend) else LOCAL)
        (place / "source").write_bytes(b"content")
        (place / "source").chmod(0o751)
        return place

    def test_content_and_permissions_arrive(self, backend: Backend, here: Path) -> None:
        backend.clone_file(str(here / "source"), str(here / "copy"))
        assert (here / "copy").read_bytes() == b"content"
        if not isinstance(backend, WindowsBackend):
            current = os.umask(0o077)
            os.umask(current)
            assert stat.S_IMODE((here / "copy").stat().st_mode) == 0o777 & ~current

    def test_an_existing_target_is_kept(self, backend: Backend, here: Path) -> None:
        (here / "copy").write_bytes(b"mine")
        with pytest.raises(FileExistsError):
            backend.clone_file(str(here / "source"), str(here / "copy"))
        assert (here / "copy").read_bytes() == b"mine"

    def test_a_missing_source_is_enoent_and_leaves_nothing(
        self, backend: Backend, here: Path
    ) -> None:
        with pytest.raises(OSError, match=r".") as caught:
            backend.clone_file(str(here / "missing"), str(here / "copy"))
        assert caught.value.errno == errno.ENOENT
        assert not (here / "copy").exists()

    def test_descriptors_replace_paths(self, backend: Backend, here: Path) -> None:
        if isinstance(backend, WindowsBackend) or os.open not in os.supports_dir_fd:
            pytest.skip("no directory descriptors there")
        directory = os.open(here, os.O_RDONLY)
        try:
            backend.clone_file("source", "copy", source_dir=directory, destination_dir=directory)
        finally:
            os.close(directory)
        assert (here / "copy").read_bytes() == b"content"


class TestMacOS:
    def test_a_wheel_is_one_call_without_the_owner(
        self, macos: MacOSBackend, fake_clonefile: FakeClonefile, wheel: Path, site: Path
    ) -> None:
        report = link_wheel_files(site, wheel, mode=STRICT_CLONE, backend=macos)
        assert fake_clonefile.calls() == 1
        assert fake_clonefile.flags() & CLONE_NOOWNERCOPY
        assert report.used == {LinkMode.CLONE: report.files}

    def test_the_parent_keeps_its_time_but_the_package_is_seen(
        self, macos: MacOSBackend, wheel: Path, site: Path
    ) -> None:
        before = site.stat().st_mtime
        link_wheel_files(site, wheel, mode=STRICT_CLONE, backend=macos)
        assert site.stat().st_mtime != before

    @pytest.mark.parametrize("number", [errno.ENOTSUP, errno.EXDEV, errno.EPERM, errno.ENOSYS])
    def test_where_it_is_not_supported_the_chain_goes_on(
        self,
        macos: MacOSBackend,
        fake_clonefile: FakeClonefile,
        wheel: Path,
        site: Path,
        number: int,
    ) -> None:
        fake_clonefile.fail(number)
        report = link_wheel_files(site, wheel, mode="clone", backend=macos)
        assert report.mode is LinkMode.COPY
        assert {fall.error.errno for fall in report.fallbacks} == {number}
        assert contents(site) == contents(wheel)
        assert fake_clonefile.calls() < 5

    @pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EROFS, errno.EDQUOT])
    def test_a_fault_is_an_error_at_once(
        self,
        macos: MacOSBackend,
        fake_clonefile: FakeClonefile,
        wheel: Path,
        site: Path,
        number: int,
    ) -> None:
        fake_clonefile.fail(number)
        with pytest.raises(LinkError) as caught:
            link_wheel_files(site, wheel, mode="clone", backend=macos)
        assert (caught.value.errno, caught.value.mode) == (number, LinkMode.CLONE)
        assert list(site.iterdir()) == []

    def test_files_are_cloned_one_by_one_where_a_directory_cannot(
        self, macos: MacOSBackend, wheel: Path, site: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*_: object, **__: object) -> None:
            raise OSError(errno.ENOTSUP, "directories cannot be cloned")

        monkeypatch.setattr(macos, "clone_directory", refuse)
        report = link_wheel_files(site, wheel, mode=STRICT_CLONE, backend=macos)
        assert report.mode is LinkMode.CLONE
        assert contents(site) == contents(wheel)

    def test_a_clone_of_a_read_only_wheel_can_be_replaced(
        self, macos: MacOSBackend, nobody: Path
    ) -> None:
        source = sample_wheel(nobody / "cache")
        for path in [source, *source.rglob("*")]:
            path.chmod(0o555 if path.is_dir() else 0o444)
        before = snapshot(source, directory_times=True)
        for _ in range(2):
            link_wheel_files(nobody / "site", source, mode=STRICT_CLONE, backend=macos)
        assert contents(nobody / "site") == contents(source)
        assert snapshot(source, directory_times=True) == before

    def test_what_cannot_be_given_its_bits_is_not_left_behind(
        self, macos: MacOSBackend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "file").write_bytes(b"content")

        def refuse(*_: object) -> None:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

        monkeypatch.setattr("wheel_linker.backends.macos.follow_umask", refuse)
        with pytest.raises(OSError, match=os.strerror(errno.EIO)):
            macos.clone_file(str(tmp_path / "file"), str(tmp_path / "copy"))
        assert not (tmp_path / "copy").exists()

    def test_without_the_library_the_error_is_one_of_the_system(self) -> None:
        if sys.platform == "darwin":
            pytest.skip("it is there")
        with pytest.raises(OSError, match=r"libSystem|No such file"):
            MacOSBackend()


class TestWindows:
    @pytest.fixture(autouse=True)
    def _as_on_windows(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("wheel_linker._fs.folder.BY_DESCRIPTOR", False)

    @pytest.mark.parametrize("make", [reflink_refusal, windows_error])
    @pytest.mark.parametrize(
        ("number", "for_the_whole_wheel"),
        [*((n, True) for n in (1, 17, 50, 1314)), *((n, False) for n in (347, 396, 1142))],
    )
    def test_refusals_move_on_to_copies(
        self,
        wheel: Path,
        site: Path,
        make: Callable[[int], OSError],
        number: int,
        for_the_whole_wheel: bool,
    ) -> None:
        reflink = FakeReflink()
        reflink.refusal = make(number)
        report = link_wheel_files(
            site, wheel, mode="clone", backend=WindowsBackend(reflink=reflink)
        )
        assert report.mode is LinkMode.COPY
        assert contents(site) == contents(wheel)
        if for_the_whole_wheel:
            assert reflink.calls <= 2  # RECORD may be tried on its own
        else:
            assert reflink.calls == report.files

    @pytest.mark.parametrize(
        "refusal",
        [
            reflink_refusal(87),  # two volumes, both of ReFS
            reflink_refusal(5),
            reflink_refusal(234),
            OSError("reflink is not supported on this volume"),
            PermissionError("Access is denied. (os error 5)"),
        ],
        ids=str,
    )
    def test_whatever_else_the_package_says_moves_on_too(
        self, wheel: Path, site: Path, refusal: OSError
    ) -> None:
        reflink = FakeReflink()
        reflink.refusal = refusal
        report = link_wheel_files(site, wheel, mode="auto", backend=WindowsBackend(reflink=reflink))
        assert report.used.keys() == {LinkMode.HARDLINK, LinkMode.COPY}
        assert reflink.calls <= 2
        assert contents(site) == contents(wheel)

    @pytest.mark.parametrize("number", [errno.EIO, errno.EPERM])
    def test_what_cannot_be_given_its_bits(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
    ) -> None:
        """A broken disk is an error, and nothing is left behind; a file system without bits is none."""

        (tmp_path / "file").write_bytes(b"content")

        def refuse(*_: object, **__: object) -> None:
            raise OSError(number, os.strerror(number))

        backend = WindowsBackend(reflink=FakeReflink())
        monkeypatch.setattr(os, "chmod", refuse)
        if number == errno.EPERM:
            backend.clone_file(str(tmp_path / "file"), str(tmp_path / "copy"))
            assert (tmp_path / "copy").read_bytes() == b"content"
            return
        with pytest.raises(OSError, match=os.strerror(number)):
            backend.clone_file(str(tmp_path / "file"), str(tmp_path / "copy"))
        assert not (tmp_path / "copy").exists()

    @pytest.mark.parametrize("make", [reflink_refusal, windows_error])
    @pytest.mark.parametrize("number", [39, 112, 1295])
    def test_a_full_disk_is_an_error(
        self, wheel: Path, site: Path, make: Callable[[int], OSError], number: int
    ) -> None:
        reflink = FakeReflink()
        reflink.refusal = make(number)
        with pytest.raises(LinkError):
            link_wheel_files(site, wheel, mode="clone", backend=WindowsBackend(reflink=reflink))
        assert list(site.iterdir()) == []

    @pytest.mark.parametrize(
        ("number", "kind"),
        [
            *((n, FileNotFoundError) for n in (2, 3)),
            *((n, FileExistsError) for n in (80, 183)),
        ],
    )
    def test_what_is_missing_or_there_already_is_an_error(
        self, wheel: Path, tmp_path: Path, number: int, kind: type[OSError]
    ) -> None:
        """A copy would hide that somebody changes the wheel, or the stage, meanwhile."""
        reflink = FakeReflink()
        reflink.refusal = reflink_refusal(number)
        with pytest.raises(kind):
            WindowsBackend(reflink).clone_file(
                os.fspath(wheel / "single.py"), os.fspath(tmp_path / "new")
            )

    # I/O device error, file corrupt: EINVAL is what Python says of numbers that it does not know.
    @pytest.mark.parametrize("make", [reflink_refusal, windows_error])
    @pytest.mark.parametrize("number", [1117, 1392])
    def test_other_numbers_are_errors(
        self, wheel: Path, site: Path, make: Callable[[int], OSError], number: int
    ) -> None:
        reflink = FakeReflink()
        reflink.refusal = make(number)
        with pytest.raises(LinkError):
            link_wheel_files(site, wheel, mode="clone", backend=WindowsBackend(reflink=reflink))
        assert list(site.iterdir()) == []
