"""Litter: what a killed process leaves is removed by the next call, never while its owner lives."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import pytest
from proof.faults import few_descriptors
from wheels import SAMPLE, contents, make_wheel, names, sample_wheel, snapshot, write_tree

from wheel_linker import LinkMode, link_wheel_files, link_wheels
from wheel_linker._fs import locking
from wheel_linker._fs.folder import Folder
from wheel_linker._fs.remove_tree import remove_tree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MODES = list(LinkMode)
pytestmark = pytest.mark.skipif(os.name != "posix", reason="kills processes by signal")

STUCK = """
import sys, time, wheel_linker
site, wheel, mode, wanted = sys.argv[1:]
seen = 0
def stop_there(path):
    global seen
    seen += 1
    if seen == int(wanted):
        print("stuck", flush=True)
        time.sleep(600)
    return False
wheel_linker.link_wheel_files(site, wheel, mode=mode, must_copy=stop_there)
"""

NO_MEMORY = """
import os, resource, sys
from wheel_linker._fs.folder import Folder
from wheel_linker._fs.stage import staged

def take_all():
    with open("/proc/self/statm") as file:
        used = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used, used))
    size = 1 << 20
    while size >= 16:
        try:
            held.append(bytes(size))
        except MemoryError:
            size //= 2
    raise MemoryError

held = []
try:
    with Folder.open(sys.argv[1]) as site, staged(site) as stage:
        with stage.folder.make("0") as folder:
            folder.make("package").close()
        take_all()
except MemoryError:
    held.clear()
    print("no memory")
"""

FOREVER = """
import sys, wheel_linker
site, mode, *wheels = sys.argv[1:]
print("ready", flush=True)
while True:
    for wheel in wheels:
        wheel_linker.link_wheels(site, [wheel], mode=mode)
"""


def start(script: str, *arguments: object) -> subprocess.Popen[bytes]:
    """Start a process, and wait until it has said a line."""
    child = subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)], stdout=subprocess.PIPE
    )
    assert child.stdout is not None
    assert child.stdout.readline().strip()
    return child


def kill(child: subprocess.Popen[bytes]) -> None:
    child.kill()
    child.wait()
    assert child.stdout is not None
    child.stdout.close()


@pytest.fixture
def stuck(site: Path, wheel: Path) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Return a function that starts a process that stands still in the middle of linking."""
    children: list[subprocess.Popen[bytes]] = []

    def begin(mode: LinkMode = LinkMode.COPY, after: int = 5) -> subprocess.Popen[bytes]:
        children.append(start(STUCK, site, wheel, mode.value, after))
        return children[-1]

    yield begin
    for child in children:
        if child.poll() is None:
            kill(child)


def hidden(site: Path) -> set[str]:
    return {name for name in names(site) if name.startswith(".")}


@pytest.mark.parametrize("mode", MODES)
def test_litter_of_the_dead_is_swept(
    site: Path, wheel: Path, stuck: Callable[..., subprocess.Popen[bytes]], mode: LinkMode
) -> None:
    for child in [stuck(mode, after) for after in (1, 6)]:
        kill(child)
    assert len(hidden(site)) == 2
    assert names(site) == hidden(site), "nothing else was there before the commit"
    other = make_wheel(wheel.parent / "other", {"x.py": b""}, name="other")
    link_wheel_files(site, other, mode=mode)
    assert names(site) == names(other)
    assert contents(wheel) == {**contents(wheel), **SAMPLE}


def test_the_staging_of_a_living_process_stays(
    site: Path, wheel: Path, stuck: Callable[..., subprocess.Popen[bytes]]
) -> None:
    stuck()
    (living,) = hidden(site)
    before = snapshot(site / living)
    for _ in range(3):
        link_wheel_files(site, wheel)
    assert hidden(site) == {living}
    assert snapshot(site / living) == before


def test_the_staging_of_a_living_thread_stays(site: Path, wheel: Path, tmp_path: Path) -> None:
    reached, go_on = threading.Event(), threading.Event()

    def wait(path: PurePosixPath) -> bool:
        reached.set()
        assert go_on.wait(30)
        return False

    other = make_wheel(tmp_path / "other", {"x.py": b"", "y.py": b""}, name="other")
    thread = threading.Thread(
        target=link_wheel_files, args=(site, other), kwargs={"must_copy": wait}
    )
    thread.start()
    try:
        assert reached.wait(30)
        link_wheel_files(site, wheel)
        assert len(hidden(site)) == 1
    finally:
        go_on.set()
        thread.join()
    assert names(site) == names(wheel) | names(other)


class TestSweepsThatMeet:
    """Between opening a stage's lock file and locking it, others may have been there.

    No test can hit such a moment for sure: here it is made, in front of the first lock that a call takes.
    """

    @pytest.fixture
    def another_takes_over(
        self, site: Path, monkeypatch: pytest.MonkeyPatch
    ) -> Iterator[Callable[[], None]]:
        """Return a function that lets the lock file be replaced by that of a living owner, once."""
        real = locking.claim
        held: list[int] = []

        def claim(fd: int) -> bool | None:
            if not held:
                (stage,) = hidden(site)
                owner = site / stage / "owner"
                owner.unlink()
                held.append(os.open(owner, os.O_RDWR | os.O_CREAT | os.O_EXCL))
                assert real(held[0])
            return real(fd)

        yield lambda: monkeypatch.setattr(locking, "claim", claim)
        for fd in held:
            os.close(fd)

    def test_a_stage_that_was_taken_over_is_not_used(
        self, site: Path, wheel: Path, another_takes_over: Callable[[], None]
    ) -> None:
        another_takes_over()
        link_wheel_files(site, wheel)
        (theirs,) = hidden(site)
        assert names(site / theirs) == {"owner"}
        assert names(site) == names(wheel) | {theirs}

    def test_litter_that_was_taken_over_is_not_swept(
        self, site: Path, wheel: Path, another_takes_over: Callable[[], None]
    ) -> None:
        write_tree(site, {".wheel_linker-1/owner": b"", ".wheel_linker-1/0/mine.py": b""})
        another_takes_over()
        link_wheel_files(site, wheel)
        assert (site / ".wheel_linker-1/0/mine.py").exists()
        assert names(site) == names(wheel) | {".wheel_linker-1"}

    def test_litter_that_is_taken_over_while_it_is_swept(
        self, site: Path, wheel: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Emptied, it has no lock file: a second try would take the new owner's files with it."""
        litter = write_tree(site / ".wheel_linker-1", {"owner": b"", "0/old.py": b""})
        real = os.rmdir
        held: list[int] = []

        def rmdir(path: str, **where: int) -> None:
            if path.endswith(litter.name) and not held:
                held.append(os.open(litter / "owner", os.O_RDWR | os.O_CREAT | os.O_EXCL))
                assert locking.claim(held[0])
                write_tree(litter, {"0/mine.py": b""})
            real(path, **where)

        monkeypatch.setattr(os, "rmdir", rmdir)
        link_wheel_files(site, wheel)
        assert set(contents(litter)) == {"owner", "0", "0/mine.py"}
        os.close(held[0])


def test_names_that_only_look_alike_stay(site: Path, wheel: Path) -> None:
    mine = {".wheel_linker/x": b"", ".wheel_linker": b"", ".hidden/x": b"", "wheel_linker-x/y": b""}
    del mine[".wheel_linker"]
    write_tree(site, mine)
    (site / ".wheel_linker-file").write_bytes(b"a file")
    link_wheel_files(site, wheel)
    assert {**contents(site), **mine} == contents(site)
    assert (site / ".wheel_linker-file").read_bytes() == b"a file"


def test_litter_that_is_read_only_is_swept(nobody: Path) -> None:
    """As a clone of a read-only wheel is, before its directories are opened up."""
    source = sample_wheel(nobody / "cache")
    site = nobody / "site"
    link_wheel_files(site, source)
    litter = write_tree(
        site, {".wheel_linker-dead/0/p/q/m.py": b"", ".wheel_linker-dead/owner": b""}
    )
    for path in ("p/q/m.py", "p/q", "p", ""):
        (litter / ".wheel_linker-dead/0" / path).chmod(0o555)
    link_wheel_files(site, source)
    assert hidden(site) == set()


def test_litter_that_leads_outside_is_not_followed(site: Path, wheel: Path, tmp_path: Path) -> None:
    outside = write_tree(tmp_path / "outside", {"precious": b"precious"})
    write_tree(site, {".wheel_linker-dead/owner": b""})
    (site / ".wheel_linker-dead/0").symlink_to(outside)
    (site / ".wheel_linker-link").symlink_to(outside)
    link_wheel_files(site, wheel)
    assert contents(outside) == {"precious": b"precious"}


@pytest.mark.parametrize("mode", MODES)
def test_kill_at_any_moment(place: Path, mode: LinkMode) -> None:
    """Every file is absent, old or new, and metadata comes last; the next call completes and sweeps."""
    old, new = (
        make_wheel(
            place / f"v{n}",
            {f"package/m{k}.py": b"%d" % n * 3000 for k in range(30)} | {"single.py": b"%d" % n},
            version=str(n),
        )
        for n in (1, 2)
    )
    site = place / "site"
    sources = [snapshot(source, directory_times=True) for source in (old, new)]
    possible = {data for source in (old, new) for data in contents(source).values()}
    for round_ in range(6):
        if round_ % 2:
            link_wheel_files(site, old)
        child = start(FOREVER, site, mode.value, old, new)
        time.sleep(0.011 * (round_ + 1))
        kill(child)
        visible = {
            path: data
            for path, data in contents(site).items()
            if not path.startswith(".wheel_linker-")
        }
        assert set(visible.values()) <= possible
        for version in (1, 2):
            if f"demo-{version}.dist-info" in visible:
                complete = contents(place / f"v{version}")
                assert set(complete) <= set(visible)
        link_wheels(site, [old, new], mode=mode)
        assert contents(site) == {**contents(old), **contents(new)}
    assert [snapshot(source, directory_times=True) for source in (old, new)] == sources


@pytest.mark.parametrize("room", range(4, 12))
def test_a_deep_tree_goes_with_few_descriptors(tmp_path: Path, room: int) -> None:
    """The way down takes all that there are, and listing a directory takes one more."""
    deep = tmp_path / "tree" / Path(*"abcdefghij")
    deep.mkdir(parents=True)
    for directory in (deep, *deep.parents[:10]):
        (directory / "file").write_bytes(b"")
    with Folder.open(str(tmp_path)) as parent, few_descriptors() as take_the_rest:
        free = [os.dup(0) for _ in range(room)]
        take_the_rest()
        for fd in free:
            os.close(fd)
        remove_tree(parent, "tree")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(
    sys.platform != "linux" or sys.implementation.name != "cpython",
    reason="limits what the system gives to CPython's allocator",
)
def test_nothing_is_left_without_memory(tmp_path: Path) -> None:
    command = [sys.executable, "-c", NO_MEMORY, str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.stdout == "no memory\n", ended.stderr
    assert os.listdir(tmp_path) == []
