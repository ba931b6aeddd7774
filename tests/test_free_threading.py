"""Threads without the interpreter's lock: it stays off, and what threads share is changed by one at a time."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import threading
from typing import TYPE_CHECKING, Final

import pytest

from wheel_linker import Locks, WheelFilename
from wheel_linker._fs.folder import Folder
from wheel_linker._wheel.conflicts import Supplier

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

THREADS: Final = 8
ROUNDS: Final = 100
IMPORTS: Final = """
import importlib, pkgutil, sys
import wheel_linker
for module in pkgutil.walk_packages(wheel_linker.__path__, "wheel_linker."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
assert not sys._is_gil_enabled()
"""


@pytest.mark.skipif(
    not sysconfig.get_config_var("Py_GIL_DISABLED"), reason="this interpreter has its lock always"
)
def test_the_lock_of_the_interpreter_stays_off() -> None:
    """No module that is imported turns it on again."""
    subprocess.run([sys.executable, "-W", "error", "-c", IMPORTS], check=True)


@pytest.fixture
def switching() -> Iterator[None]:
    """Change threads all the time, where there is a lock to change hands."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(interval)


def in_threads(work: Callable[[int], None]) -> None:
    """Call ``work`` in many threads at once, with the number of each."""
    together = threading.Barrier(THREADS)
    failures: list[BaseException] = []

    def run(number: int) -> None:
        try:
            together.wait(60)
            work(number)
        except BaseException as error:  # noqa: BLE001 - raised below
            failures.append(error)

    threads = [threading.Thread(target=run, args=(n,), daemon=True) for n in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
        assert not thread.is_alive(), "a deadlock"
    if failures:
        raise failures[0]


@pytest.mark.usefixtures("switching")
def test_turns_are_taken_one_after_the_other(tmp_path: Path) -> None:
    locks = Locks()
    places = [tmp_path / name for name in "ab"]
    counts = dict.fromkeys(places, 0)
    for place in places:
        place.mkdir()

    def work(number: int) -> None:
        # Half of them name the two in the other order.
        mine = places if number % 2 else places[::-1]
        for round_ in range(ROUNDS):
            wanted = mine[: 1 + round_ % 2]
            folders = [Folder.open(str(place)) for place in wanted]
            with locks.turns(folders):
                for place in wanted:
                    seen = counts[place]
                    place.stat()
                    counts[place] = seen + 1
            for folder in folders:
                folder.close()

    in_threads(work)
    assert sum(counts.values()) == THREADS * ROUNDS * 3 // 2
    assert not locks._turns


@pytest.mark.usefixtures("switching")
def test_what_was_linked_is_remembered_whatever_others_do(site: Path) -> None:
    locks = Locks()

    def work(number: int) -> None:
        with Folder.open(str(site)) as folder:
            identity = folder.identity()
            for round_ in range(ROUNDS):
                kept, going = (
                    WheelFilename.parse(f"w{number}_{what}{round_}-1.0-py3-none-any.whl")
                    for what in "kg"
                )
                for wheel in (kept, going):
                    locks.record(folder, identity, [Supplier(wheel, str(site), (str(wheel),), ())])
                if round_ % 10 == 0:
                    assert locks.find_package_conflicts() == ()
                locks.forget(folder, identity, {going.name})

    in_threads(work)
    [suppliers] = locks._suppliers.values()
    assert len(suppliers) == THREADS * ROUNDS
