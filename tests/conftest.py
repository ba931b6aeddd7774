"""Fixtures that all tests share."""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import sys
import tempfile
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from filesystems import LOCAL, FileSystems, is_required, places
from images import Unavailable, unmount
from standins import FakeClonefile
from wheels import sample_wheel

import wheel_linker
from wheel_linker._fs import folder

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

pytest_plugins = ["left_out", "proof.plugin"]
# Before any test imports it: those of other directories do, too.
pytest.register_assert_rewrite("install.kit")

NOBODY = 65534


def pytest_configure() -> None:
    """Keep the command line's default store out of the user's own cache."""
    cache = tempfile.mkdtemp(prefix="wheel_linker-tests-cache-")
    os.environ["XDG_CACHE_HOME"] = cache
    atexit.register(shutil.rmtree, cache, ignore_errors=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the proof: the files that take longest shall not be what the last worker is alone with."""
    items.sort(key=lambda item: not item.nodeid.startswith("tests/proof/"))


@contextmanager
def _unavailable_is_a_skip() -> Iterator[None]:
    try:
        yield
    except Unavailable as error:
        if is_required(os.environ):
            pytest.fail(str(error))
        pytest.skip(str(error))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup() -> Generator[None]:
    """Skip a test whose fixtures need a file system that cannot be had; fail it where they are required."""
    with _unavailable_is_a_skip():
        yield


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None]:
    """Do the same for a test that needs one itself."""
    with _unavailable_is_a_skip():
        yield


@pytest.fixture(scope="session")
def filesystems() -> Iterator[FileSystems]:
    """The file systems of this session."""
    with FileSystems(os.environ) as made:
        yield made


@pytest.fixture
def on_filesystem(filesystems: FileSystems, tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Return a function that makes a fresh directory on a file system, by its name."""
    made: list[Path] = []

    def make(name: str) -> Path:
        if name == LOCAL:
            # Not tmp_path itself, where tests write the wheels that they link.
            return Path(tempfile.mkdtemp(prefix="place-", dir=tmp_path))
        made.append(Path(tempfile.mkdtemp(dir=filesystems.directory(name))))
        return made[-1]

    yield make
    for directory in made:
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(params=places(os.environ))
def place(request: pytest.FixtureRequest, on_filesystem: Callable[[str], Path]) -> Path:
    """A fresh directory, on each file system in turn, or on those that were asked for."""
    return on_filesystem(request.param)


@pytest.fixture
def make_small_tmpfs(filesystems: FileSystems) -> Iterator[Callable[[str], Path]]:
    """Return a function that mounts a tmpfs with options, such as ``size=1m``, to be filled."""
    made: list[Path] = []

    def make(options: str) -> Path:
        made.append(filesystems.small_tmpfs(f"small-{os.urandom(4).hex()}", options))
        return made[-1]

    yield make
    for point in made:
        unmount(point)
        point.rmdir()


@pytest.fixture(params=["descriptor", "portable"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways through a tree: by directory descriptor, and by path as on Windows."""
    if request.param == "portable":
        monkeypatch.setattr(folder, "BY_DESCRIPTOR", False)
    elif not folder.BY_DESCRIPTOR:
        pytest.skip("this platform has no calls relative to a directory descriptor")
    return str(request.param)


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    """The sample wheel, unpacked in this machine's temporary directory."""
    return sample_wheel(tmp_path / "cache" / "demo")


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """An empty ``site-packages`` beside it."""
    directory = tmp_path / "site-packages"
    directory.mkdir()
    return directory


@pytest.fixture(autouse=True)
def quiet_fallbacks() -> Iterator[None]:
    """Leave the warning, which is given once per process, to the tests that are about it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", wheel_linker.LinkFallbackWarning)
        yield


@pytest.fixture(scope="session")
def fake_clonefile_library(tmp_path_factory: pytest.TempPathFactory) -> FakeClonefile:
    """The stand-in for macOS's ``clonefile``, compiled."""
    compiler = shutil.which("cc")
    if compiler is None or sys.platform == "win32":
        pytest.skip("needs a C compiler on a POSIX system")
    built = tmp_path_factory.mktemp("fake") / "fake_clonefile.so"
    source = Path(__file__).with_name("fake_clonefile.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-o", built, source], check=True)
    return FakeClonefile(built)


@pytest.fixture
def fake_clonefile(fake_clonefile_library: FakeClonefile) -> Iterator[FakeClonefile]:
    """The same, working, and with its counter at zero."""
    fake_clonefile_library.fail(0)
    fake_clonefile_library.calls()
    yield fake_clonefile_library
    fake_clonefile_library.fail(0)


@pytest.fixture
def nobody(tmp_path: Path) -> Iterator[Path]:
    """Be an ordinary user for the length of a test; gives a directory of theirs."""
    if sys.platform == "win32":
        pytest.skip("Windows permissions are another matter")
    if os.geteuid() != 0:
        yield tmp_path
        return
    _load_everything(tmp_path)
    directory = Path(tempfile.mkdtemp())
    os.chown(directory, NOBODY, NOBODY)
    os.setegid(NOBODY)
    os.seteuid(NOBODY)
    try:
        yield directory
    finally:
        os.seteuid(0)
        os.setegid(0)
        shutil.rmtree(directory)


def _load_everything(scratch: Path) -> None:
    """Import what is imported late while the interpreter's own files can still be read."""
    source = sample_wheel(scratch / "load" / "wheel")
    wheel_linker.link_wheels(scratch / "load" / "site", [source, source], jobs=2)
    with pytest.raises(wheel_linker.LinkError):
        wheel_linker.link_wheel_files(source / "single.py", source)
