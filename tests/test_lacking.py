"""What some interpreters and systems lack: functions, locks, threads, and times past 2038."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from store.archives import record_of, write_archive
from wheels import sample_wheel

from wheel_linker import LinkError, link_wheel_files
from wheel_linker._fs import timestamps
from wheel_linker._fs.copying import create_from
from wheel_linker._fs.folder import Folder
from wheel_linker._fs.paths import named_by

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PYPY = "del os.copy_file_range"
# https://docs.python.org/3/library/os.html#os.link: not on Emscripten, nor on Android before Python 3.13.
EMSCRIPTEN = """
import _thread
for name in ("link", "copy_file_range", "fchmod", "sched_getaffinity", "process_cpu_count", "pread"):
    if hasattr(os, name):
        delattr(os, name)
for functions in (os.supports_dir_fd, os.supports_fd, os.supports_follow_symlinks):
    functions.clear()
os.cpu_count = lambda: 4
sys.modules["fcntl"] = sys.modules["_ctypes"] = None
def none(*arguments):
    raise RuntimeError("can't start new thread")
_thread.start_new_thread = none
sys.platform = "emscripten"
"""
AT_WORK = """
import importlib, pkgutil, warnings
import wheel_linker
# What these tools themselves need may not be there.
others = []
for tool in ("build", "nox", "tox", "virtualenv"):
    try:
        importlib.import_module(tool)
    except ImportError:
        others.append("wheel_linker.integrations." + tool)
def is_another_tools(name):
    return any(name == other or name.startswith(other + ".") for other in others)
def fail(name):
    if not is_another_tools(name):
        raise
for module in pkgutil.walk_packages(wheel_linker.__path__, "wheel_linker.", fail):
    if not module.name.endswith("__main__") and not is_another_tools(module.name):
        importlib.import_module(module.name)
from wheel_linker import LinkMode, link_wheels
from wheel_linker.install import Layout, install_wheels, uninstall
from wheel_linker.store import WheelStore

warnings.simplefilter("ignore")
unpacked, archive, place = sys.argv[1:]
for mode in (*LinkMode, "auto"):
    for _ in range(2):  # the second time over what is there
        link_wheels(os.path.join(place, str(mode)), [unpacked, unpacked], mode=mode, jobs=4)
schemes = ("purelib", "platlib", "headers", "scripts", "data")
layout = Layout(
    python=sys.executable,
    version=sys.version_info[:2],
    os_name="posix",
    launcher="posix",
    schemes={name: os.path.join(place, "env", name) for name in schemes},
)
with WheelStore(os.path.join(place, "store")) as store:
    for _ in range(2):
        install_wheels([archive], layout, store=store)
    assert os.path.exists(os.path.join(layout.schemes["purelib"], "hello.py"))
    uninstall("hello", layout)
    assert not os.path.exists(os.path.join(layout.schemes["purelib"], "hello.py"))
"""


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """A wheel file."""
    info = "hello-1.0.dist-info"
    files = {
        "hello.py": b"",
        f"{info}/METADATA": b"Metadata-Version: 2.1\nName: hello\nVersion: 1.0\n",
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = f"{info}/RECORD"
    path = tmp_path / "hello-1.0-py3-none-any.whl"
    write_archive(path, {**files, record: record_of(files, record)})
    return path


@pytest.mark.skipif(os.name != "posix", reason="takes POSIX functions away")
@pytest.mark.parametrize("lacking", [PYPY, EMSCRIPTEN], ids=["PyPy", "Emscripten"])
def test_everything_imports_and_places_files(lacking: str, archive: Path, tmp_path: Path) -> None:
    unpacked = sample_wheel(tmp_path / "unpacked")
    guarded = f"import os, sys\ntry:\n    {lacking}\nexcept AttributeError:\n    pass\n"
    code = (guarded if lacking is PYPY else f"import os, sys\n{lacking}") + AT_WORK
    done = subprocess.run(
        [sys.executable, "-c", code, unpacked, archive, tmp_path / "place"],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    found = {path.name for path in (tmp_path / "place").iterdir()}
    assert found == {"auto", "clone", "copy", "env", "hardlink", "store", "symlink"}
    modules = [path.read_bytes() for path in (tmp_path / "place").glob("*/single.py")]
    assert modules == [(unpacked / "single.py").read_bytes()] * 5


@pytest.mark.parametrize(
    ("named", "expected"), [(b"/a/b", "/a/b"), ("/c", "/c"), (3, "/else"), (None, "/else")]
)
def test_the_path_of_an_error_is_text(named: Any, expected: str) -> None:
    """PyPy names paths in bytes where it was given bytes or a descriptor."""
    assert named_by(OSError(errno.EIO, "broken", named), "/else") == expected


def test_a_file_goes_although_closing_it_fails_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, new = tmp_path / "source", tmp_path / "new"
    source.write_bytes(b"data")
    close = os.close

    def failing(fd: int) -> None:
        close(fd)
        raise OSError(errno.EIO, "broken")

    def fill(*_: int) -> None:
        monkeypatch.setattr(os, "close", failing)
        raise OSError(errno.EOPNOTSUPP, "refused")

    with pytest.raises(OSError, match="refused"):
        create_from(fill, os.fspath(source), os.fspath(new))
    assert not new.exists()


@pytest.fixture
def in_32_bits(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """Return a function that gives a directory a time which cannot be read until another one is set."""

    def set_time(directory: Path) -> None:
        stat, utime = os.stat, os.utime
        unreadable = [os.path.realpath(directory)]

        def refusing_stat(path: Any, **options: Any) -> os.stat_result:
            if path in unreadable:
                raise OSError(errno.EOVERFLOW, os.strerror(errno.EOVERFLOW), path)
            return stat(path, **options)

        def setting_utime(path: Any, *arguments: Any, **options: Any) -> None:
            utime(path, *arguments, **options)
            unreadable[:] = [one for one in unreadable if path != os.path.join(one, os.curdir)]

        monkeypatch.setattr(os, "stat", refusing_stat)
        monkeypatch.setattr(os, "utime", setting_utime)

    return set_time


def test_a_destination_whose_time_cannot_be_read_gets_another(
    wheel: Path, site: Path, in_32_bits: Callable[[Path], None]
) -> None:
    in_32_bits(site)
    link_wheel_files(site, wheel, mode="copy")
    assert (site / "single.py").exists()


def test_a_destination_whose_time_cannot_be_set_says_why(
    wheel: Path,
    site: Path,
    in_32_bits: Callable[[Path], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    in_32_bits(site)

    def refuse(path: Any, **_: Any) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM), path)

    monkeypatch.setattr(os, "utime", refuse)
    with pytest.raises(LinkError) as caught:
        link_wheel_files(site, wheel, mode="copy")
    assert caught.value.errno == errno.EPERM
    assert caught.value.destination == os.path.realpath(site)


def test_a_time_that_is_too_late_for_the_system_is_no_failure(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OverflowError("timestamp out of range for platform time_t")

    monkeypatch.setattr(os, "utime", refuse)
    with Folder.open(os.fspath(site)) as folder:
        timestamps.refresh(folder, 0)


def test_a_store_that_nobody_closed_says_nothing_at_the_end(archive: Path, tmp_path: Path) -> None:
    code = """if True:
        import sys
        from wheel_linker.store import WheelStore
        store = WheelStore(sys.argv[1])
        store.add(sys.argv[2])
    """
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-c", code, tmp_path / "store", archive],
        check=False,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not list((tmp_path / "store").rglob("leases/*"))
