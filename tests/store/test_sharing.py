"""One store object used by several threads, by a child of fork(2), and beside a process that does not go on."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import pytest

import wheel_linker
from store.archives import NAME, write_wheel
from wheel_linker import InvalidWheelError, LockTimeoutError, link_wheels
from wheel_linker.store import WheelStore
from wheel_linker.store._entry.options import Kept
from wheel_linker.store.entries import named
from wheel_linker.store.layout import Layout
from wheel_linker.store.session import Session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SECONDS = 1.0
HOLD = """
import fcntl, os, sys
fd = os.open(sys.argv[1], os.O_RDWR)
fcntl.flock(fd, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""
STORE_IN_GLOBALS = """
import sys
from wheel_linker.store import WheelStore
store = WheelStore(sys.argv[1])
stored = store.add(sys.argv[2])
"""


@pytest.fixture
def wheels(tmp_path: Path) -> list[Path]:
    """A few small wheels."""
    return [write_wheel(tmp_path / str(n) / NAME, {f"n{n}.py": b"#"}) for n in range(3)]


def forever(
    action: Callable[[], object], failures: list[BaseException], over: threading.Event
) -> None:
    """Do something again and again, until it fails or time is over."""
    try:
        while not over.is_set():
            action()
    except BaseException as error:  # noqa: BLE001 - looked at by the test
        failures.append(error)
        over.set()


def all_at_once(*actions: Callable[[], object]) -> list[BaseException]:
    """Have threads do different things for a while; return what went wrong."""
    failures: list[BaseException] = []
    over = threading.Event()
    threads = [
        threading.Thread(target=forever, args=(action, failures, over)) for action in actions
    ]
    for thread in threads:
        thread.start()
    over.wait(SECONDS)
    over.set()
    for thread in threads:
        thread.join()
    return failures


class TestThreads:
    def test_adding_and_pruning(self, store: WheelStore, wheels: list[Path]) -> None:
        assert (
            all_at_once(
                lambda: store.add(wheels[0]),
                lambda: store.add_all(wheels),
                lambda: store.prune(unused_for=0),
            )
            == []
        )

    def test_adding_and_removing(self, store: WheelStore, wheels: list[Path]) -> None:
        def remove() -> None:
            for entry in store.entries():
                try:
                    store.remove(entry)
                except wheel_linker.LinkError as error:
                    assert "in use" in str(error)  # noqa: PT017 - it may or may not be

        assert (
            all_at_once(
                lambda: store.add(wheels[0]), lambda: store.add(wheels[1]), remove, store.verify
            )
            == []
        )

    def test_adding_and_closing(self, store: WheelStore, wheels: list[Path]) -> None:
        assert (
            all_at_once(
                lambda: store.add_all(wheels), store.close, lambda: store.prune(unused_for=0)
            )
            == []
        )

    def test_linking_and_removing(
        self, store: WheelStore, wheels: list[Path], tmp_path: Path
    ) -> None:
        def link() -> None:
            try:
                link_wheels(tmp_path / "site", [store.add(wheels[0])], mode="copy")
            except InvalidWheelError as error:
                assert "add the wheel again" in str(error)  # noqa: PT017 - it may have been removed

        assert all_at_once(link, link, lambda: store.prune(unused_for=0)) == []

    def test_what_is_linked_stays_though_the_store_is_closed(
        self, root: Path, store: WheelStore, wheels: list[Path]
    ) -> None:
        """Closing lets others remove entries, but not under the hands of a thread that links from them."""
        stored = store.add(wheels[0])
        removed: list[int] = []

        def close_and_prune(_: object) -> bool:
            store.close()
            with WheelStore(root) as other:
                removed.append(len(other.prune(unused_for=0)))
            return False

        site = root.parent / "site"
        link_wheels(site, [stored], must_copy=close_and_prune)
        assert (site / "n0.py").read_bytes() == b"#"
        assert set(removed) == {0}
        with WheelStore(root) as other:
            assert len(other.prune(unused_for=0)) == 1

    def test_what_is_added_cannot_be_pruned_before_it_is_returned(
        self, store: WheelStore, wheels: list[Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Held still in the last step of adding, by what writes it into the index."""
        session = store._session()
        note = session.note
        pruned: list[object] = []

        def prune_first(*arguments: object) -> None:
            thread = threading.Thread(target=lambda: pruned.extend(store.prune(unused_for=0)))
            thread.start()
            thread.join()
            note(*arguments)  # type: ignore[arg-type]

        monkeypatch.setattr(session, "note", prune_first)
        monkeypatch.setattr("wheel_linker.store.finding.unsettled_for", lambda _: 0)
        stored = store.add(wheels[0])
        assert pruned == []
        assert os.path.isdir(stored.path)
        assert len(store.prune(unused_for=0)) == 1


def test_repairing_what_another_has_just_removed(
    root: Path, wheels: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    with WheelStore(root) as store:
        name = store.add(wheels[0]).entry

    def named_then_removed(*arguments: object) -> object:
        found = named(*arguments)  # type: ignore[arg-type]
        with WheelStore(root) as other:
            other.remove(name)
        return found

    monkeypatch.setattr("wheel_linker.store.repairing.named", named_then_removed)
    with WheelStore(root) as store, pytest.raises(InvalidWheelError, match="no such entry"):
        store.repair(name, wheels[0])


def test_a_closed_store_can_be_used_again(
    store: WheelStore, wheels: list[Path], tmp_path: Path
) -> None:
    stored = store.add(wheels[0])
    store.close()
    link_wheels(tmp_path / "site", [stored], mode="copy")
    store.close()
    assert store.add(wheels[0]) == stored


@pytest.fixture
def holder(root: Path, store: WheelStore, wheels: list[Path]) -> Iterator[subprocess.Popen[str]]:
    """Another process, which has the store locked and does not go on."""
    if sys.platform == "win32":
        pytest.skip("flock(2)")
    store.add(wheels[0])
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(root / ".store" / "lock")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    assert process.stdout.readline() == "held\n"
    yield process
    process.communicate()


def test_waiting_has_a_limit(root: Path, wheels: list[Path], holder: subprocess.Popen[str]) -> None:
    begin = time.monotonic()
    with pytest.raises(LockTimeoutError, match=f"waited 0.3 seconds for {str(root)!r}"):
        WheelStore(root, timeout=0.3).add(wheels[0])
    assert time.monotonic() - begin < 10


def test_waiting_without_limit(
    root: Path, wheels: list[Path], holder: subprocess.Popen[str]
) -> None:
    timer = threading.Timer(0.3, holder.communicate)
    timer.start()
    try:
        WheelStore(root, timeout=None).add(wheels[0])
    finally:
        timer.join()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="about fork(2)")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_child_of_fork_while_others_are_at_work(
    store: WheelStore, wheels: list[Path], tmp_path: Path
) -> None:
    if sys.platform == "win32":
        pytest.skip("POSIX only")
    stored = store.add(wheels[0])

    def use() -> None:
        store.add_all(wheels)
        link_wheels(tmp_path / f"site-{os.getpid()}", [stored], mode="copy")

    def fork() -> None:
        pid = os.fork()
        if pid == 0:  # pragma: no cover - in the child
            signal.alarm(20)
            status = 1
            try:
                use()
                status = 0
            finally:
                os._exit(status)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0

    def busy() -> None:
        for wheel in wheels:
            os.utime(wheel)
            store.add(wheel)

    assert all_at_once(busy, busy, fork) == []


@contextmanager
def _using(session: Session, entry: str, how: str) -> Iterator[None]:
    """Have an entry in use, as a call has it."""
    with ExitStack() as using:
        if how == "linking":
            using.enter_context(session.keeping(entry))
        elif how == "looking":
            using.enter_context(session.looking_at(entry))
        else:
            kept = using.enter_context(Kept()) if how == "found" else None
            with session.adding(kept):
                session.hold(entry)
                if how == "adding":
                    yield
                    return
        yield


@pytest.mark.skipif(not hasattr(os, "fork"), reason="about fork(2)")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("how", ["linking", "looking", "adding", "found"])
def test_child_of_fork_leaves_the_call_that_it_came_from(
    root: Path, store: WheelStore, wheels: list[Path], how: str
) -> None:
    """What the child uses afterwards stays as long as it does so."""
    if sys.platform == "win32":
        pytest.skip("POSIX only")
    entry = store.add(wheels[0]).entry
    store.close()
    session = Session(Layout(str(root)))
    reading, writing = os.pipe()
    call = _using(session, entry, how)
    call.__enter__()
    pid = os.fork()
    if pid == 0:  # pragma: no cover - in the child
        signal.alarm(20)
        status = 1
        try:
            os.read(reading, 1)  # the parent uses it no more then
            call.__exit__(None, None, None)
            with _using(session, entry, how), session.going() as used:
                assert used == {entry}
            with session.going() as used:
                assert used == set()
            status = 0
        finally:
            os._exit(status)
    call.__exit__(None, None, None)
    session.close()
    os.write(writing, b"x")
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    os.close(reading)
    os.close(writing)


def test_a_store_in_a_modules_globals_ends_quietly(root: Path, wheels: list[Path]) -> None:
    command = [sys.executable, "-c", STORE_IN_GLOBALS, str(root), str(wheels[0])]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert os.listdir(root / ".store" / "leases") == []


@contextmanager
def turn_of_another_thread(store: WheelStore) -> Iterator[None]:
    """Have another thread hold the turn of a store object, as one does that removes much."""
    has, over = threading.Event(), threading.Event()

    def hold() -> None:
        with store._session().turn():
            has.set()
            over.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    has.wait()
    try:
        yield
    finally:
        over.set()
        thread.join()


def test_closing_does_not_wait_for_ever(root: Path, wheels: list[Path]) -> None:
    store = WheelStore(root, timeout=0.2)
    store.add(wheels[0])
    with (
        turn_of_another_thread(store),
        pytest.raises(LockTimeoutError, match=r"waited 0\.2 seconds .*another thread"),
    ):
        store.close()
    assert store.find(sha256_of(wheels[0])) is not None
    store.close()


def test_who_ends_using_an_entry_does_not_wait(root: Path, wheels: list[Path]) -> None:
    with WheelStore(root, timeout=0.2) as store:
        stored = store.add(wheels[0])
        begun, ended = threading.Event(), threading.Event()
        going_on = threading.Event()

        def use() -> None:
            with stored.hold():
                begun.set()
                going_on.wait()
            with store._session().adding():
                pass
            ended.set()

        thread = threading.Thread(target=use)
        thread.start()
        begun.wait()
        with turn_of_another_thread(store):
            going_on.set()
            assert ended.wait(10)
        thread.join()
        store.remove(stored)
        assert store.entries() == []


def sha256_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
