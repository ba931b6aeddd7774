"""Several processes in one store, and processes that are killed."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Final

import pytest

import wheel_linker
from store.archives import (
    FILES,
    NAME,
    files_below,
    record_of,
    with_record,
    write_archive,
    write_wheel,
)
from store.conftest import entry_names, litter, settle
from wheel_linker import link_wheels
from wheel_linker.store import WheelStore

ADD: Final = """
import sys
from wheel_linker.store import WheelStore
root, *wheels = sys.argv[1:]
print("ready", flush=True)
sys.stdin.readline()
for wheel in wheels:
    print(WheelStore(root).add(wheel).path, flush=True)
"""
ADD_FOREVER: Final = """
import sys
from wheel_linker.store import WheelStore
root, wheel = sys.argv[1:]
while True:
    with WheelStore(root) as store:
        store.add(wheel)
        print("added", flush=True)
        store.prune(unused_for=0)
"""
PRUNE_FOREVER: Final = """
import sys
from wheel_linker.store import WheelStore
store = WheelStore(sys.argv[1])
print("ready", flush=True)
removed = 0
while not removed or sys.argv[2] == "forever":
    removed += len(store.prune(unused_for=0))
"""
LINK: Final = """
import sys, shutil
from pathlib import Path
from wheel_linker import link_wheels
from wheel_linker.store import WheelStore
root, site, *wheels = sys.argv[1:]
for turn in range(25):
    with WheelStore(root) as store:
        stored = [store.add(wheel) for wheel in wheels]
        link_wheels(site, stored, mode="copy")
    assert len(list(Path(site).rglob("single*.py"))) == 1
    shutil.rmtree(site)
print("done")
"""
MANY: Final = 600


def start(code: str, *arguments: Path | str) -> subprocess.Popen[str]:
    """Start a Python program that can import the library."""
    environment = {**os.environ, "PYTHONPATH": str(Path(wheel_linker.__file__).parent.parent)}
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    )


def many_files(path: Path) -> Path:
    """Write a wheel that takes a moment to unpack."""
    return settle(write_wheel(path, {f"demo/many/{n}.py": b"#" * n for n in range(MANY)}))


def test_adding_one_wheel_at_once(root: Path, tmp_path: Path) -> None:
    wheel = many_files(tmp_path / NAME)
    processes = [start(ADD, root, wheel) for _ in range(4)]
    for process in processes:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
    outputs = []
    for process in processes:
        assert process.stdin
        process.stdin.write("\n")
        process.stdin.flush()
    for process in processes:
        output, _ = process.communicate(timeout=120)
        assert process.returncode == 0
        outputs.append(output)
    assert len(set(outputs)) == 1
    assert len(entry_names(root)) == 1
    assert litter(root) == []
    assert WheelStore(root).verify(deep=True) == []


def test_adding_from_many_threads(root: Path, tmp_path: Path) -> None:
    wheels = [
        write_wheel(tmp_path / str(n) / NAME, {f"n{i}.py": b"%d" % n for i in range(50)})
        for n in range(4)
    ]
    store = WheelStore(root)
    failures: list[BaseException] = []

    def add() -> None:
        try:
            for _ in range(3):
                store.add_all(wheels)
        except BaseException as error:  # noqa: BLE001 - looked at below
            failures.append(error)

    threads = [threading.Thread(target=add) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(store.entries()) == 4
    assert store.verify(deep=True) == []


def test_linking_while_others_prune(root: Path, tmp_path: Path) -> None:
    wheels = [write_wheel(tmp_path / NAME)]
    for number in range(3):
        name = f"other{number}"
        files = {f"{name}/x.py": b"x", f"{name}-1.0.dist-info/METADATA": b""}
        record = f"{name}-1.0.dist-info/RECORD"
        path = tmp_path / f"{name}-1.0-py3-none-any.whl"
        wheels.append(write_archive(path, {**files, record: record_of(files, record)}))
    settle(wheels[-1])
    pruners = [start(PRUNE_FOREVER, root, "forever") for _ in range(2)]
    linkers = [start(LINK, root, tmp_path / f"site{n}", *wheels) for n in range(2)]
    try:
        for linker in linkers:
            output, _ = linker.communicate(timeout=300)
            assert (linker.returncode, output) == (0, "done\n")
        assert [pruner.poll() for pruner in pruners] == [None, None]
    finally:
        for process in (*pruners, *linkers):
            process.kill()
            process.communicate()


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_killed_at_any_moment(root: Path, tmp_path: Path) -> None:
    wheel = many_files(tmp_path / NAME)
    expected = with_record({**FILES, **{f"demo/many/{n}.py": b"#" * n for n in range(MANY)}})
    for turn in range(12):
        process = start(ADD_FOREVER, root, wheel)
        assert process.stdout
        process.stdout.readline()
        time.sleep(turn * 0.013)
        process.kill()
        process.communicate()
        store = WheelStore(root)
        # What looks like an entry is one.
        for entry in store.entries():
            assert store.verify(entry, deep=True) == []
            assert files_below(entry.path) == expected
        store.prune()
        assert litter(root) == []
        assert entry_names(root) == {entry.name for entry in store.entries()}
        store.close()
        assert os.listdir(root / ".store" / "leases") == []
    assert files_below(WheelStore(root).add(wheel).path) == expected


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_killed_owner_keeps_nothing_in_place(root: Path, wheel_file: Path) -> None:
    process = start(ADD + "sys.stdin.readline()", root, wheel_file)
    assert process.stdin
    assert process.stdout
    process.stdin.write("\n")
    process.stdin.flush()
    assert process.stdout.readline() == "ready\n"
    assert str(root) in process.stdout.readline()
    process.kill()
    process.communicate()
    assert len(WheelStore(root).prune(unused_for=0)) == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="about fork(2)")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_child_of_fork(root: Path, wheel_file: Path, tmp_path: Path) -> None:
    store = WheelStore(root)
    stored = store.add(wheel_file)
    if sys.platform == "win32":
        pytest.skip("POSIX only")
    pid = os.fork()
    if pid == 0:  # pragma: no cover - in the child
        status = 1
        try:
            again = store.add(wheel_file)
            link_wheels(tmp_path / "child", [again], mode="copy")
            store.close()
            status = 0
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    # The child let go of what is its own only.
    assert WheelStore(root).prune(unused_for=0) == []
    assert files_below(stored.path) == with_record(FILES)
