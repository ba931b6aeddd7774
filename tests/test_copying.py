"""What becomes of content: holes, names and targets that are too long, and few descriptors."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from wheels import contents, make_wheel, zip_wheel

from wheel_linker import LinkError, LinkMode, link_wheel_files
from wheel_linker._fs import copying
from wheel_linker.backends.linux import LinuxBackend

if TYPE_CHECKING:
    from collections.abc import Callable

if sys.platform == "win32":
    pytest.skip("files with holes and limits of descriptors are POSIX", allow_module_level=True)

MEBIBYTE: Final = 1024 * 1024
LONGEST_PATH: Final = 4095
FEW_DESCRIPTORS: Final = """
import resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
from wheel_linker.install import Layout, install_wheels, uninstall
target, *wheels = sys.argv[1:]
for mode in ("copy", "hardlink"):
    install_wheels(wheels, Layout.for_target(target), mode=mode, jobs=64)
uninstall("demo0", Layout.for_target(target))
"""


def make_sparse(path: Path, parts: dict[int, bytes], size: int) -> None:
    """Write a file that has data at some places, and holes elsewhere."""
    with path.open("r+b") as file:
        for start, data in parts.items():
            file.seek(start)
            file.write(data)
        file.truncate(size)
        os.fsync(file.fileno())  # until then some file systems do not tell


def used(path: Path) -> int:
    """Return how many bytes of disk a file takes."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
    return path.stat().st_blocks * 512


@pytest.mark.parametrize("name", ["ext4", "xfs", "btrfs", "tmpfs", "local"])
@pytest.mark.parametrize("in_kernel", [True, False])
@pytest.mark.parametrize(
    "parts",
    [
        {},
        {0: b"start"},
        {5 * MEBIBYTE: b"x" * 9000},
        {8 * MEBIBYTE - 3: b"end"},
        {1: b"a", MEBIBYTE: b"b"},
    ],
    ids=["nothing", "start", "middle", "end", "two"],
)
def test_holes_stay_holes(
    on_filesystem: Callable[[str], Path],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    in_kernel: bool,
    parts: dict[int, bytes],
) -> None:
    place = on_filesystem(name)
    monkeypatch.setattr(copying, "_COPIES_IN_KERNEL", in_kernel and copying._COPIES_IN_KERNEL)
    source = make_wheel(place / "w", {"demo/sparse.bin": b""})
    make_sparse(source / "demo/sparse.bin", parts, 8 * MEBIBYTE)
    if used(source / "demo/sparse.bin") > MEBIBYTE:
        pytest.skip("this file system has no holes")
    link_wheel_files(place / "site", source, mode="copy")
    made = place / "site/demo/sparse.bin"
    assert made.read_bytes() == (source / "demo/sparse.bin").read_bytes()
    assert used(made) <= MEBIBYTE


def test_a_file_system_that_tells_of_no_holes_has_all_bytes_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = make_wheel(tmp_path / "w", {"demo/sparse.bin": b""})
    make_sparse(source / "demo/sparse.bin", {MEBIBYTE: b"data"}, 2 * MEBIBYTE)
    lseek = os.lseek

    def refuse(fd: int, position: int, how: int) -> int:
        if how == copying._SEEK_DATA:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        return lseek(fd, position, how)

    monkeypatch.setattr(os, "lseek", refuse)
    link_wheel_files(tmp_path / "site", source, mode="copy")
    monkeypatch.undo()
    made = tmp_path / "site/demo/sparse.bin"
    assert made.read_bytes() == (source / "demo/sparse.bin").read_bytes()


@pytest.mark.parametrize("name", ["ext4", "xfs", "btrfs", "tmpfs", "local"])
@pytest.mark.parametrize("seen_with", ["SEEK_DATA", "SEEK_HOLE"])
@pytest.mark.parametrize("left", [0, 5 * MEBIBYTE, 8 * MEBIBYTE - 4096])
def test_a_sparse_file_that_is_cut_short_meanwhile_is_not_filled_with_zeros(
    on_filesystem: Callable[[str], Path],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    seen_with: str,
    left: int,
) -> None:
    place = on_filesystem(name)
    source = make_wheel(place / "w", {"demo/sparse.bin": b""})
    file = source / "demo/sparse.bin"
    make_sparse(file, {0: b"start", 8 * MEBIBYTE - 5: b"end"}, 8 * MEBIBYTE)
    if used(file) > MEBIBYTE:
        pytest.skip("this file system has no holes")
    lseek, how = os.lseek, getattr(copying, f"_{seen_with}")

    def cut_short_first(fd: int, position: int, whence: int) -> int:
        if whence == how and position == 0 and file.stat().st_size != left:
            os.truncate(file, left)
        return lseek(fd, position, whence)

    monkeypatch.setattr(os, "lseek", cut_short_first)
    with pytest.raises(LinkError, match="became shorter") as caught:
        link_wheel_files(place / "site", source, mode="copy")
    assert caught.value.errno == errno.EIO
    assert not (place / "site").exists()


@pytest.fixture
def deep(tmp_path: Path) -> Path:
    """A wheel whose path leaves room for short names only."""
    above = os.fspath(tmp_path)
    while len(above) < LONGEST_PATH - 300:
        above = os.path.join(above, "d" * 200)
    above = os.path.join(above, "d" * (LONGEST_PATH - 60 - len(above)))
    return make_wheel(Path(above), {"one.py": b"1", "two.py": b"2"})


def long_name(wheel: Path) -> str:
    """Give the wheel a file whose path is too long for a symlink, and return its name."""
    name = "l" * 100 + ".py"
    fd = os.open(wheel, os.O_RDONLY)
    try:
        new = os.open(name, os.O_WRONLY | os.O_CREAT, 0o666, dir_fd=fd)
        os.write(new, b"long")
        os.close(new)
    finally:
        os.close(fd)
    return name


@pytest.mark.skipif(sys.platform != "linux", reason="paths are as long as Linux takes them")
def test_a_target_that_is_too_long_for_a_symlink_concerns_that_file_alone(
    tmp_path: Path, deep: Path
) -> None:
    name = long_name(deep)
    report = link_wheel_files(tmp_path / "site", deep, mode="symlink")
    assert {path.name for path in (tmp_path / "site").iterdir() if path.is_symlink()} == {
        "one.py",
        "two.py",
    }
    assert (tmp_path / "site" / name).read_bytes() == b"long"
    assert (report.mode, report.fallback_count) == (LinkMode.SYMLINK, 1)
    assert report.fallbacks[0].error.errno == errno.ENAMETOOLONG


@pytest.mark.skipif(sys.platform != "linux", reason="paths are as long as Linux takes them")
def test_alone_it_is_an_error(tmp_path: Path, deep: Path) -> None:
    long_name(deep)
    with pytest.raises(LinkError, match=r"symlink .*use a shorter path") as caught:
        link_wheel_files(tmp_path / "site", deep, mode=["symlink"])
    assert caught.value.errno == errno.ENAMETOOLONG
    assert not (tmp_path / "site").exists()


def test_many_threads_install_with_few_descriptors(tmp_path: Path) -> None:
    pytest.importorskip("resource")
    wheels = [
        zip_wheel(
            make_wheel(
                tmp_path / f"w{n}",
                {f"demo{n}/a/b/c/d/m{i}.py": b"x" for i in range(20)},
                name=f"demo{n}",
            ),
            tmp_path,
        )
        for n in range(12)
    ]
    command = [sys.executable, "-c", FEW_DESCRIPTORS, str(tmp_path / "env"), *map(str, wheels)]
    subprocess.run(command, check=True)
    assert {path.name for path in (tmp_path / "env").glob("demo?")} == {
        f"demo{n}" for n in range(1, 10)
    }
    assert contents(tmp_path / "env")["demo1/a/b/c/d/m0.py"] is not None


def test_what_a_clone_leaves_behind_is_not_taken_for_the_wheels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Copying instead would find the name taken, and say that the wheel has two names that are one."""
    source = make_wheel(tmp_path / "demo", {"demo.py": b"1"})

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    class Cloner(LinuxBackend):
        def clone_file(
            self,
            source: str,
            destination: str,
            *,
            source_dir: int | None = None,
            destination_dir: int | None = None,
        ) -> None:
            with monkeypatch.context() as patch:
                patch.setattr(os, "unlink", refuse)
                copying.create_from(refuse, source, destination, source_dir, destination_dir)

    with pytest.raises(LinkError) as caught:
        link_wheel_files(tmp_path / "site", source, mode="clone", backend=Cloner())
    assert caught.value.errno == errno.EACCES
    assert not (tmp_path / "site").exists()
