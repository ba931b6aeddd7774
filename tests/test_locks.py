"""``Locks``: threads that link into one environment, and what they have put there."""

from __future__ import annotations

import os
import threading
import warnings
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from proof.processes import finish, start
from wheels import contents, make_wheel

from wheel_linker import (
    LinkMode,
    Locks,
    LockTimeoutError,
    PackageConflict,
    PackageConflictWarning,
    Preview,
    link_wheel_files,
    link_wheels,
)
from wheel_linker._fs.folder import Folder
from wheel_linker._fs.patience import TIMEOUT

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def rivals(tmp_path: Path) -> list[Path]:
    """Wheels that all supply the same package, of many files."""
    paths = [f"package/{a}/m{b}.py" for a in "ab" for b in range(10)]
    return [
        make_wheel(tmp_path / f"r{n}", dict.fromkeys(paths, b"%d" % n * (n + 1)), name=f"r{n}")
        for n in range(6)
    ]


def in_threads(*calls: Callable[[], object]) -> None:
    errors: list[BaseException] = []
    start = threading.Barrier(len(calls))

    def run(call: Callable[[], object]) -> None:
        try:
            start.wait()
            call()
        except BaseException as error:  # noqa: BLE001 - raised below
            errors.append(error)

    threads = [threading.Thread(target=run, args=(call,), daemon=True) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive(), "deadlock"
    if errors:
        raise errors[0]


@pytest.mark.parametrize("mode", list(LinkMode))
@pytest.mark.parametrize("shared", [True, False])
def test_of_several_wheels_with_one_package_one_ends_up_complete(
    tmp_path: Path, rivals: list[Path], mode: LinkMode, shared: bool
) -> None:
    for round_ in range(8):
        site = tmp_path / "envs" / str(round_)
        locks = Locks() if shared else None
        in_threads(
            *(partial(link_wheel_files, site, source, mode=mode, locks=locks) for source in rivals)
        )
        found = contents(site)
        assert (
            len({data for path, data in found.items() if path.startswith("package/") and data}) == 1
        )
        assert {f"r{n}-1.0.dist-info/RECORD" for n in range(6)} <= set(found)


def test_locks_do_not_grow_with_what_is_done(tmp_path: Path, rivals: list[Path]) -> None:
    locks = Locks()
    for number in range(5):
        link_wheels(tmp_path / str(number), rivals, locks=locks)
    tables = [value for value in vars(locks).values() if isinstance(value, dict)]
    assert any(len(table) == 0 for table in tables)  # the locks themselves


class TestConflicts:
    @pytest.fixture
    def locks(self, site: Path, rivals: list[Path]) -> Locks:
        locks = Locks(preview=Preview.DETECT_MODULE_CONFLICTS)
        link_wheels(site, rivals[:2], locks=locks)
        return locks

    def test_they_are_found_and_warned_of(self, locks: Locks) -> None:
        with pytest.warns(PackageConflictWarning) as caught:
            conflicts = locks.warn_package_conflicts()
        (conflict,) = conflicts
        assert isinstance(conflict, PackageConflict)
        assert conflict.path.startswith("package/")
        assert [wheel.name for wheel in conflict.wheels] == ["r0", "r1"]
        (warning,) = caught.list
        text = str(warning.message)
        assert f"The file `{conflict.path}` is provided by more than one package" in text
        assert "install race condition" in text
        assert [line for line in text.splitlines() if line.startswith("* ")] == [
            f"* {wheel.name} ({wheel})" for wheel in conflict.wheels
        ]
        assert os.path.samefile(warning.filename, __file__)

    def test_they_are_found_without_warning(self, locks: Locks) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert len(locks.find_package_conflicts()) == 1

    def test_without_the_preview_nothing_is_warned_of_or_read(
        self, site: Path, rivals: list[Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        locks = Locks()
        link_wheels(site, rivals[:2], locks=locks)

        def fail(*_: object, **__: object) -> None:
            raise AssertionError("a file was touched")

        with monkeypatch.context() as patched:
            for name in ("scandir", "open", "stat", "lstat", "listdir"):
                patched.setattr(os, name, fail)
            assert locks.warn_package_conflicts() == ()
        assert len(locks.find_package_conflicts()) == 1

    def test_wheels_of_several_calls_count(self, site: Path, rivals: list[Path]) -> None:
        locks = Locks()
        in_threads(*(partial(link_wheel_files, site, source, locks=locks) for source in rivals[:3]))
        (conflict,) = locks.find_package_conflicts()
        assert sorted(wheel.name for wheel in conflict.wheels) == ["r0", "r1", "r2"]

    def test_a_failed_call_supplies_nothing(self, site: Path, rivals: list[Path]) -> None:
        locks = Locks()
        link_wheel_files(site, rivals[0], locks=locks)
        with pytest.raises(ZeroDivisionError):
            link_wheel_files(site, rivals[1], locks=locks, must_copy=lambda path: bool(1 // 0))
        assert locks.find_package_conflicts() == ()

    def test_other_environments_do_not_conflict(self, tmp_path: Path, rivals: list[Path]) -> None:
        locks = Locks()
        for number, source in enumerate(rivals):
            link_wheel_files(tmp_path / str(number), source, locks=locks)
        assert locks.find_package_conflicts() == ()

    def test_linking_one_wheel_twice_is_no_conflict(self, site: Path, rivals: list[Path]) -> None:
        locks = Locks()
        link_wheels(site, [rivals[0], rivals[0]], locks=locks)
        link_wheel_files(site, rivals[0], locks=locks)
        assert locks.find_package_conflicts() == ()


class TestWaiting:
    def test_a_limit_is_kept(self, site: Path, wheel: Path) -> None:
        locks, entered, leave = Locks(timeout=0.2), threading.Event(), threading.Event()
        link_wheel_files(site, wheel)
        thread = threading.Thread(target=hold, args=(locks, site, entered, leave))
        thread.start()
        assert entered.wait(20)
        before = contents(site)
        with pytest.raises(LockTimeoutError, match=r"waited 0\.2 seconds"):
            link_wheel_files(site, wheel, locks=locks)
        leave.set()
        thread.join()
        assert contents(site) == before
        link_wheel_files(site, wheel, locks=locks)

    @pytest.mark.parametrize("timeout", [-1, float("nan")])
    def test_a_limit_has_to_be_one(self, timeout: float) -> None:
        with pytest.raises(ValueError, match="timeout"):
            Locks(timeout=timeout)

    def test_there_is_one_unless_asked_otherwise(self) -> None:
        assert Locks().timeout == TIMEOUT
        assert Locks(timeout=None).timeout is None


def hold(locks: Locks, site: Path, entered: threading.Event, leave: threading.Event) -> None:
    """Have the turn of a directory until told otherwise."""
    with Folder.open(os.fspath(site)) as folder, locks.turns([folder]):
        entered.set()
        leave.wait(60)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork(2)")
# Python says so from 3.12 on whenever there are threads.
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_child_can_link_while_a_thread_of_its_parent_has_the_turn(
    tmp_path: Path, site: Path, wheel: Path
) -> None:
    """The directory's own lock is let go of by the parent; the turn among threads never would be in the child."""
    locks, entered, leave = Locks(timeout=10), threading.Event(), threading.Event()
    link_wheel_files(site, wheel)
    thread = threading.Thread(target=hold, args=(locks, site, entered, leave))
    thread.start()
    assert entered.wait(20)

    def link() -> None:
        link_wheel_files(site, wheel, locks=locks)

    child = start(link)
    leave.set()
    thread.join()
    assert finish(child) == 0
