"""Guarantee 1: a call that fails or is interrupted leaves ``site-packages`` as it was."""

from __future__ import annotations

import errno
import gc
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import pytest
from conftest import NOBODY
from wheels import (
    SAMPLE,
    Entry,
    contents,
    make_wheel,
    names,
    sample_wheel,
    set_times,
    snapshot,
    write_tree,
)

from wheel_linker import LinkError, LinkMode, link_wheel_files, link_wheels
from wheel_linker._link import staging

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MODES = list(LinkMode)
pytestmark = pytest.mark.usefixtures("way")

OVERLAP = {
    "demo/__init__.py": b"VALUE = 0  # the old one\n",
    "demo/__pycache__/__init__.cpython-311.pyc": b"bytecode",
    "demo/data/large.bin": b"small",
    "demo/mine.py": b"mine",
    "single.py": b"SINGLE = 0\n",
    "demo.pth": b"import old\n",
    "demo-1.0.dist-info/RECORD": b"old record",
    "other/__init__.py": b"",
}


@pytest.fixture
def target(place: Path) -> Path:
    """A ``site-packages`` that already holds another version of much of the sample."""
    directory = write_tree(place / "site-packages", OVERLAP)
    set_times(directory, 1e9)
    return directory


@pytest.fixture
def cached(place: Path) -> Path:
    return sample_wheel(place / "cache" / "demo")


@pytest.fixture
def untouched(target: Path, cached: Path) -> Iterator[dict[str, Entry]]:
    """Check after the test that both trees are what they were before it."""
    before, source = snapshot(target), snapshot(cached, directory_times=True)
    yield before
    assert snapshot(target) == before
    assert snapshot(cached, directory_times=True) == source


def directory_for_file(target: Path) -> None:
    (target / "demo/sub/deep/er/still/leaf.py").mkdir(parents=True)


def file_for_directory(target: Path) -> None:
    write_tree(target, {"demo/sub/deep/er/still": b"a file"})


def fifo_for_directory(target: Path) -> None:
    if sys.platform == "win32":
        pytest.skip("is about POSIX systems")
    (target / "demo/sub/deep/er").mkdir(parents=True)
    os.mkfifo(target / "demo/sub/deep/er/still")


def directory_for_record(target: Path) -> None:
    (target / "demo-1.0.dist-info/METADATA").mkdir()


def directory_for_pth(target: Path) -> None:
    (target / "demo.pth").unlink()
    write_tree(target, {"demo.pth/x": b""})


@pytest.mark.skipif(os.name != "posix", reason="one of the causes is a FIFO")
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "obstruct",
    [
        directory_for_file,
        file_for_directory,
        fifo_for_directory,
        directory_for_record,
        directory_for_pth,
    ],
)
def test_what_is_in_the_way_deep_in_a_merge(
    target: Path, cached: Path, obstruct: Callable[[Path], None], mode: LinkMode
) -> None:
    obstruct(target)
    set_times(target, 1e9)
    before, source = snapshot(target), snapshot(cached, directory_times=True)
    with pytest.raises(LinkError):
        link_wheel_files(target, cached, mode=mode)
    assert snapshot(target) == before
    assert snapshot(cached, directory_times=True) == source


@pytest.mark.parametrize("mode", MODES)
def test_one_bad_wheel_undoes_all_of_the_call(place: Path, mode: LinkMode) -> None:
    target = write_tree(place / "site", {"demo/__init__.py": b"old", "third/x.py/in the way": b""})
    first = sample_wheel(place / "first")
    second = make_wheel(place / "second", {"demo/extra.py": b""}, name="second")
    third = make_wheel(place / "third", {"third/x.py": b""}, name="third")
    before = snapshot(target)
    with pytest.raises(LinkError):
        link_wheels(target, [first, second, third], mode=mode, jobs=3)
    assert snapshot(target) == before


@pytest.mark.parametrize("parents", [0, 3])
def test_a_site_packages_that_was_missing_is_missing_again(
    tmp_path: Path, wheel: Path, parents: int
) -> None:
    before = snapshot(tmp_path)
    target = tmp_path.joinpath(*["new"] * parents, "site-packages")

    def interrupt(_: PurePosixPath) -> bool:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        link_wheel_files(target, wheel, must_copy=interrupt)
    assert snapshot(tmp_path) == before


class TestDiskFull:
    SOME = 64 * 1024

    @pytest.fixture
    def full(self, make_small_tmpfs: Callable[[str], Path]) -> Path:
        return make_small_tmpfs("size=1m,mode=755")

    @pytest.mark.parametrize("overlap", [False, True])
    def test_no_blocks_left(self, full: Path, tmp_path: Path, overlap: bool) -> None:
        files = {f"big/part{n}.bin": bytes([n]) * self.SOME for n in range(30)}
        source = make_wheel(tmp_path / "big", files)
        target = full / "site"
        target.mkdir()
        if overlap:
            write_tree(target, dict.fromkeys(files, b"old"))
        before = snapshot(target)
        with pytest.raises(LinkError) as caught:
            link_wheel_files(target, source, mode=LinkMode.COPY, jobs=2)
        assert (caught.value.errno, caught.value.mode) == (errno.ENOSPC, LinkMode.COPY)
        assert snapshot(target) == before

    @pytest.mark.parametrize("mode", [LinkMode.COPY, LinkMode.SYMLINK])
    @pytest.mark.parametrize("inodes", range(2, 50, 4))
    def test_no_inodes_left(
        self,
        make_small_tmpfs: Callable[[str], Path],
        tmp_path: Path,
        mode: LinkMode,
        inodes: int,
    ) -> None:
        files = {f"many/{n % 4}/part{n}.py": b"" for n in range(40)}
        source = make_wheel(tmp_path / "many", files)
        target = make_small_tmpfs(f"size=1m,nr_inodes={inodes}")
        before = snapshot(target)
        with pytest.raises(LinkError) as caught:
            link_wheel_files(target, source, mode=mode)
        assert caught.value.errno == errno.ENOSPC
        assert snapshot(target) == before

    def test_room_for_the_new_but_not_for_both(self, full: Path, tmp_path: Path) -> None:
        """Old and new files exist side by side until the call is done."""
        files = {f"big/part{n}.bin": bytes([n]) * self.SOME for n in range(9)}
        target = write_tree(full / "site", files)
        newer = make_wheel(
            tmp_path / "big", {path: data[::-1] + b"!" for path, data in files.items()}
        )
        before = snapshot(target)
        with pytest.raises(LinkError):
            link_wheel_files(target, newer, mode=LinkMode.COPY)
        assert snapshot(target) == before


@pytest.mark.parametrize("mode", MODES)
def test_a_source_that_vanishes(target: Path, cached: Path, mode: LinkMode) -> None:
    before = snapshot(target)

    def vanish(path: PurePosixPath) -> bool:
        shutil.rmtree(cached, ignore_errors=True)
        return path.suffix == ".py"

    with pytest.raises(LinkError) as caught:
        link_wheel_files(target, cached, mode=mode, must_copy=vanish)
    assert caught.value.errno == errno.ENOENT
    assert snapshot(target) == before


@pytest.mark.parametrize("mode", [mode for mode in MODES if not mode.is_symlink()])
@pytest.mark.parametrize("jobs", [1, 3])
@pytest.mark.parametrize("per_unit", [400, 50], ids=["one unit", "several"])
def test_a_source_that_another_takes_the_place_of(
    tmp_path: Path, mode: LinkMode, jobs: int, per_unit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was checked is not what would be linked from then on; symlinks always lead to what is there."""
    monkeypatch.setattr(staging, "_ENTRIES_PER_UNIT", per_unit)
    count = 150
    files = {f"big/p{n % 50}/m{n}.py": b"checked" for n in range(count)}
    source = make_wheel(tmp_path / "cache" / "big", files)
    other = make_wheel(tmp_path / "other", dict.fromkeys(files, b"not checked"))
    target = write_tree(tmp_path / "site", OVERLAP)
    before = snapshot(target)
    once = threading.Lock()

    def swap(_: PurePosixPath) -> bool:
        with once:  # threads ask at the same time
            if other.exists():
                source.rename(tmp_path / "gone")
                other.rename(source)
        return False

    try:
        link_wheel_files(target, source, mode=mode, jobs=jobs, must_copy=swap)
    except LinkError:
        assert snapshot(target) == before
    else:  # every directory had been opened before
        found = contents(target)
        assert {found[path] for path in files} == {b"checked"}


def test_an_unreadable_source(nobody: Path) -> None:
    source = sample_wheel(nobody / "cache")
    target = write_tree(nobody / "site", OVERLAP)
    (source / "demo/data/large.bin").chmod(0)
    before = snapshot(target)
    with pytest.raises(LinkError, match=r"large\.bin") as caught:
        link_wheel_files(target, source, mode="copy")
    assert caught.value.errno == errno.EACCES
    assert snapshot(target) == before


class TestWithoutHardLinks:
    """What is replaced is kept by a hard link; where there are none, as on exFAT, by a copy."""

    @pytest.fixture(params=[errno.EPERM, errno.ENOTSUP, errno.EMLINK])
    def _no_links(self, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*_: object, **__: object) -> None:
            raise OSError(request.param, os.strerror(request.param))

        monkeypatch.setattr(os, "link", refuse)

    @pytest.fixture
    def kinds(self, target: Path) -> Path:
        """Existing entries of each kind that can be replaced."""
        for path, link in (("demo/module.py", "mine.py"), ("space/names/one.py", "/nowhere")):
            (target / path).parent.mkdir(parents=True, exist_ok=True)
            (target / path).symlink_to(link)
        (target / "single.py").chmod(0o640)
        return target

    @pytest.mark.usefixtures("_no_links")
    @pytest.mark.parametrize("mode", [LinkMode.COPY, LinkMode.SYMLINK])
    def test_replacing(self, kinds: Path, cached: Path, mode: LinkMode) -> None:
        report = link_wheel_files(kinds, cached, mode=mode)
        assert len(report.replaced) == 7
        assert {path: contents(kinds)[path] for path in contents(cached)} == contents(cached)
        assert names(kinds) == names(cached) | {"other"}

    @pytest.mark.usefixtures("_no_links")
    def test_going_back(self, kinds: Path, cached: Path) -> None:
        directory_for_record(kinds)
        before = snapshot(kinds)
        with pytest.raises(LinkError):
            link_wheel_files(kinds, cached, mode="copy")
        assert without_link_times(snapshot(kinds)) == without_link_times(before)

    def test_a_file_of_another_owner(self, nobody: Path) -> None:
        """Where fs.protected_hardlinks is set, its link is refused, but not its replacement."""
        source = sample_wheel(nobody / "cache")
        target = write_tree(nobody / "site", OVERLAP)
        give_to_root(target / "single.py")
        before = snapshot(target)
        directory_for_record(target)
        with pytest.raises(LinkError):
            link_wheel_files(target, source, mode="copy")
        (target / "demo-1.0.dist-info/METADATA").rmdir()
        assert snapshot(target) == before
        link_wheel_files(target, source, mode="copy")
        assert (target / "single.py").read_bytes() == SAMPLE["single.py"]


def without_link_times(tree: dict[str, Entry]) -> dict[str, Entry]:
    """A symlink that was made again is a new one."""
    return {
        path: entry._replace(mtime=None) if entry.kind == "l" else entry
        for path, entry in tree.items()
    }


def give_to_root(path: Path) -> None:
    """Give a file away, as only a root that plays nobody can."""
    if sys.platform == "win32" or os.getuid() != 0:
        pytest.skip("only root can give files away")
    os.seteuid(0)
    try:
        os.chown(path, 0, 0)
    finally:
        os.seteuid(NOBODY)


@pytest.mark.parametrize("works", [0, 3, 9])
def test_if_the_way_back_fails_too_the_old_files_are_kept(
    target: Path, cached: Path, works: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No real disk fails at a chosen moment: from some call on, nothing can be moved any more."""
    real = os.replace
    left = iter(range(works))

    def replace(*arguments: Any, **options: Any) -> None:
        if next(left, None) is None:
            raise OSError(errno.EIO, "Input/output error")
        real(*arguments, **options)

    before = {path: data for path, data in contents(target).items() if data is not None}
    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", replace)
        with pytest.raises(LinkError) as caught:
            link_wheel_files(target, cached, mode="copy")
    if works == 0:
        assert {**contents(target), **before} == contents(target)
        return
    (rescued,) = (
        path for path in target.iterdir() if path.name.startswith("wheel_linker-rescued-")
    )
    assert os.fspath(rescued) in str(caught.value)
    assert set(before.values()) <= set(contents(target).values())
    link_wheel_files(target, cached, mode="copy")
    assert rescued.exists()


@pytest.mark.usefixtures("untouched")
class TestInterrupts:
    @pytest.mark.parametrize("mode", MODES)
    @pytest.mark.parametrize("jobs", [1, 3])
    def test_from_the_progress_callback(
        self, target: Path, cached: Path, untouched: dict[str, Entry], mode: LinkMode, jobs: int
    ) -> None:
        calls: list[int] = []
        link_wheel_files(
            target.parent / "count", cached, mode=mode, jobs=jobs, progress=calls.append
        )
        for fatal in range(len(calls)):
            with pytest.raises(KeyboardInterrupt):
                link_wheel_files(
                    target,
                    cached,
                    mode=mode,
                    jobs=jobs,
                    progress=interrupt_at(fatal),
                )
            assert snapshot(target) == untouched

    @pytest.mark.parametrize("mode", MODES)
    @pytest.mark.parametrize("fatal", range(0, len(SAMPLE), 3))
    def test_from_the_must_copy_callback(
        self, target: Path, cached: Path, mode: LinkMode, fatal: int
    ) -> None:
        with pytest.raises(KeyboardInterrupt):
            link_wheel_files(target, cached, mode=mode, must_copy=interrupt_at(fatal))

    @pytest.mark.parametrize("error", [ZeroDivisionError, SystemExit, MemoryError])
    def test_any_exception_of_a_callback_is_passed_on(
        self, target: Path, cached: Path, error: type[BaseException]
    ) -> None:
        def fail(_: PurePosixPath) -> bool:
            raise error

        with pytest.raises(error):
            link_wheels(target, [cached], jobs=2, must_copy=fail)


def interrupt_at(call: int) -> Callable[[object], Any]:
    """Return a callback that raises ``KeyboardInterrupt`` at the call of that number."""
    left = iter(range(call))

    def callback(_: object) -> bool:
        if next(left, None) is None:
            raise KeyboardInterrupt
        return False

    return callback


# An interrupt between the call that opens and the statement that closes is the interpreter's to mend.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs a timer signal")
# The one that ends tests which take too long is that signal by default.
@pytest.mark.timeout(method="thread")
# PyPy heeds a signal between taking a lock and entering the block that gives it back, so that it stays taken.
@pytest.mark.skipif(sys.implementation.name == "pypy", reason="PyPy's locks outlive an interrupt")
@pytest.mark.parametrize("mode", MODES)
def test_signals_at_any_moment(on_filesystem: Callable[[str], Path], mode: LinkMode) -> None:
    """Ctrl-C after more and more microseconds: each time all of the new, or all of the old."""
    if sys.platform == "win32":
        pytest.skip("is about POSIX systems")
    place = on_filesystem("tmpfs")
    target = write_tree(place / "site", OVERLAP)
    set_times(target, 1e9)
    before = snapshot(target)
    cached = sample_wheel(place / "cache")
    source = snapshot(cached, directory_times=True)
    link_wheel_files(place / "complete", cached, mode=mode)
    complete = contents(place / "complete")
    previous = signal.signal(signal.SIGALRM, signal.default_int_handler)
    undone = finished = 0
    delay = 0.0001
    try:
        while finished < 5:
            interrupted = False
            try:
                signal.setitimer(signal.ITIMER_REAL, delay)
                link_wheel_files(target, cached, mode=mode)
                signal.setitimer(signal.ITIMER_REAL, 0)
            except KeyboardInterrupt:
                interrupted = True
            if snapshot(target) == before:
                assert interrupted
                undone += 1
            else:
                # At the very end the interrupt comes too late to undo anything.
                assert names(target) == names(cached) | {"other"}
                assert {path: contents(target)[path] for path in complete} == complete
                finished += 1
                shutil.rmtree(target)
                write_tree(target, OVERLAP)
                set_times(target, 1e9)
            delay *= 1.04
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
        gc.collect()
    assert undone
    assert finished
    assert snapshot(cached, directory_times=True) == source


# Python loses an interrupt that comes while it tells others of an object's end, a thread's for one; it reports it only.
LINK_FOREVER = """
import signal, sys, wheel_linker
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
site, wheel, mode = sys.argv[1:]
wheel_linker.link_wheels(site, [wheel], mode=mode, jobs=2)  # imports what is imported late
lost = []
sys.unraisablehook = lambda report: lost.append(report.exc_type)
try:
    print("ready", flush=True)
    while not lost:
        wheel_linker.link_wheels(site, [wheel], mode=mode, jobs=2)
except KeyboardInterrupt:
    sys.exit(3)
sys.exit(3 if lost == [KeyboardInterrupt] else 4)
"""


@pytest.mark.skipif(os.name != "posix", reason="Windows has no SIGINT for one process")
@pytest.mark.parametrize("mode", MODES)
def test_a_real_ctrl_c_leaves_no_litter(tmp_path: Path, wheel: Path, mode: LinkMode) -> None:
    before = snapshot(wheel, directory_times=True)
    target = tmp_path / "site"
    for round_ in range(4):
        command = [sys.executable, "-c", LINK_FOREVER, str(target), str(wheel), mode]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
            try:
                assert child.stdout is not None
                assert child.stdout.readline() == b"ready\n"
                time.sleep(0.05 + round_ * 0.013)
                child.send_signal(signal.SIGINT)
                assert child.wait(20) == 3
            finally:
                child.kill()
        assert contents(target) == contents(wheel)
    assert snapshot(wheel, directory_times=True) == before


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs a list of open descriptors")
@pytest.mark.parametrize("mode", MODES)
def test_no_descriptor_outlives_a_failed_call(target: Path, cached: Path, mode: LinkMode) -> None:
    directory_for_file(target)
    before = os.listdir("/proc/self/fd")
    for fatal in range(0, 12, 2):
        with pytest.raises(KeyboardInterrupt):
            link_wheel_files(target, cached, mode=mode, must_copy=interrupt_at(fatal))
        with pytest.raises(LinkError):
            link_wheel_files(target, cached, mode=mode)
    assert len(os.listdir("/proc/self/fd")) == len(before)


def test_no_thread_outlives_a_failed_call(tmp_path: Path, site: Path) -> None:
    sources = [
        make_wheel(tmp_path / f"w{n}", {f"p{n}/m{k}.py": b"" for k in range(30)}, name=f"p{n}")
        for n in range(6)
    ]
    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        link_wheels(site, sources, jobs=4, must_copy=interrupt_at(50))
    assert threading.active_count() == before
    assert names(site) == set()
