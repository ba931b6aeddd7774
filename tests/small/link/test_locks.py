"""What threads that link into the same environment share, call by call."""

from __future__ import annotations

import os
import threading
import warnings
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest
from wheels import write_tree

from wheel_linker import Locks, LockTimeoutError, PackageConflictWarning, Preview
from wheel_linker._fs import locking
from wheel_linker._fs.folder import Folder, Identity
from wheel_linker._fs.patience import TIMEOUT, Patience
from wheel_linker._link import locks as module
from wheel_linker._wheel.conflicts import Supplier
from wheel_linker._wheel.filename import WheelFilename

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

IDENTITY = Identity(1, 2)


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Folder]:
    """Another destination."""
    (tmp_path / "other").mkdir()
    with Folder.open(os.path.realpath(tmp_path / "other")) as folder:
        yield folder


def supplier(directory: Path, content: str, package: str = "pkg") -> Supplier:
    """Return a wheel, named after its directory, with a package of one file."""
    write_tree(directory, {f"{package}/a.py": content.encode()})
    name = WheelFilename.parse(f"{directory.name}-1.0-py3-none-any.whl")
    return Supplier(name, os.fspath(directory), (), (package,))


def found(locks: Locks, **how: Any) -> list[tuple[str, list[str]]]:
    return [
        (conflict.path, [str(wheel) for wheel in conflict.wheels])
        for conflict in locks.find_package_conflicts(**how)
    ]


class TestParameters:
    def test_are_attributes(self) -> None:
        locks = Locks()
        assert (locks.preview, locks.timeout) == (Preview.NONE, TIMEOUT)
        locks = Locks(preview=Preview.DETECT_MODULE_CONFLICTS, timeout=0)
        assert (locks.preview, locks.timeout) == (Preview.DETECT_MODULE_CONFLICTS, 0)
        assert Locks(timeout=None).timeout is None

    @pytest.mark.parametrize("timeout", [-1, float("nan")])
    def test_time_is_no_less_than_none(self, timeout: float) -> None:
        with pytest.raises(ValueError, match=f"timeout is {timeout}: give seconds"):
            Locks(timeout=timeout)


class TestSuppliers:
    def test_conflict_where_they_are_of_one_directory(
        self, folder: Folder, other: Folder, tmp_path: Path
    ) -> None:
        locks = Locks()
        one, two = supplier(tmp_path / "one", "1"), supplier(tmp_path / "two", "22")
        locks.record(folder, IDENTITY, [one])
        locks.record(other, IDENTITY, [two])
        locks.record(folder, Identity(1, 3), [two])
        assert found(locks) == []
        locks.record(folder, IDENTITY, [two])
        expected = ("pkg/a.py", [str(one.wheel), str(two.wheel)])
        assert found(locks) == [expected]
        locks.record(other, IDENTITY, [one])
        assert found(locks) == [expected, expected]

    def test_come_in_the_order_of_their_names(self, folder: Folder, tmp_path: Path) -> None:
        locks = Locks()
        given = [supplier(tmp_path / name, name * 2) for name in ("c", "aa", "bbb")]
        for each in given:
            locks.record(folder, IDENTITY, [each])
        (conflict,) = locks.find_package_conflicts()
        assert [wheel.name for wheel in conflict.wheels] == ["aa", "bbb", "c"]

    def test_names_are_folded_as_their_directory_does(
        self, folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked: list[str] = []

        def fold(path: str, one: str, other: str) -> bool:
            asked.append(path)
            return True

        monkeypatch.setattr("wheel_linker._wheel.conflict_search.are_one_name", fold)
        locks = Locks()
        locks.record(folder, IDENTITY, [supplier(tmp_path / "a", "1")])
        locks.record(folder, IDENTITY, [supplier(tmp_path / "b", "22", "PKG")])
        assert len(found(locks)) == 1
        assert {*asked} == {folder.path}

    def test_are_compared_as_asked(self, folder: Folder, tmp_path: Path) -> None:
        locks = Locks()
        both = [supplier(tmp_path / name, name) for name in ("a", "b")]
        locks.record(folder, IDENTITY, both)
        assert found(locks) == found(locks, exact=False) == []
        assert len(found(locks, exact=True)) == 1

    def test_the_same_wheel_counts_once(self, folder: Folder, tmp_path: Path) -> None:
        """It was linked again from elsewhere, and that is what is there now."""
        locks = Locks()
        for number in "12":
            locks.record(folder, IDENTITY, [supplier(tmp_path / number / "demo", number * 5)])
        assert found(locks) == []
        (suppliers,) = locks._suppliers.values()
        assert [each.path for each in suppliers.values()] == [os.fspath(tmp_path / "2/demo")]

    def test_are_forgotten_by_name(self, folder: Folder, other: Folder, tmp_path: Path) -> None:
        locks = Locks()
        everybody = [supplier(tmp_path / name, name * 2) for name in ("a", "bb", "ccc")]
        locks.record(folder, IDENTITY, everybody)
        locks.forget(other, IDENTITY, ["a", "bb"])
        locks.forget(folder, Identity(1, 3), ["a", "bb"])
        ((_, wheels),) = found(locks)
        assert len(wheels) == 3
        locks.forget(folder, IDENTITY, ["a", "none"])
        ((_, wheels),) = found(locks)
        assert wheels == [str(each.wheel) for each in everybody[1:]]
        locks.forget(folder, IDENTITY, ["bb", "ccc"])
        assert found(locks) == []


class TestWarning:
    @pytest.mark.parametrize("preview", [*Preview])
    def test_if_asked_for(self, folder: Folder, tmp_path: Path, preview: Preview) -> None:
        locks = Locks(preview=preview)
        both = [supplier(tmp_path / name, name) for name in ("a", "bb")]
        locks.record(folder, IDENTITY, both)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            conflicts = locks.warn_package_conflicts()
        if preview is Preview.NONE:
            assert (conflicts, caught) == ((), [])
            return
        assert conflicts == locks.find_package_conflicts()
        (warning,) = caught
        assert warning.category is PackageConflictWarning
        assert str(warning.message) == (
            "The file `pkg/a.py` is provided by more than one package, which causes an install race condition and can "
            "result in a broken module. Packages containing the file:\n"
            "* a (a-1.0-py3-none-any.whl)\n* bb (bb-1.0-py3-none-any.whl)"
        )


class TestTurns:
    def test_one_at_a_time(self, folder: Folder) -> None:
        locks = Locks(timeout=0)
        with locks.turns([folder]):
            with pytest.raises(LockTimeoutError) as caught, locks.turns([folder]):
                raise AssertionError("it is another's turn")
            assert caught.value.destination == folder.path
            assert "another thread of this process has locked" in str(caught.value)
            assert len(locks._turns) == 1
        assert locks._turns == {}
        with locks.turns([folder]):
            assert len(locks._turns) == 1

    def test_others_wait_for_the_directorys_own_lock(self, folder: Folder) -> None:
        """They have other locks, or are other processes."""
        if os.name == "nt":
            pytest.skip("directories have no locks")
        with Locks().turns([folder]):
            with (
                pytest.raises(LockTimeoutError) as caught,
                locking.exclusive(folder.path, Patience(folder.path, 0)),
            ):
                raise AssertionError("it is another's turn")
            with pytest.raises(LockTimeoutError) as also, Locks(timeout=0).turns([folder]):
                raise AssertionError("it is another's turn")
        assert caught.value.destination == also.value.destination == folder.path
        with Locks(timeout=0).turns([folder]):
            pass

    def test_a_directory_twice(self, folder: Folder) -> None:
        with Folder.open(folder.path) as again, Locks(timeout=0).turns([folder, again]):
            pass

    def test_several(self, folder: Folder, other: Folder) -> None:
        """In the order of their identities; all are given back if one is not to be had."""
        locks = Locks(timeout=0)
        first, second = sorted([folder, other], key=Folder.identity)
        with locks.turns([second]):
            with pytest.raises(LockTimeoutError) as caught, locks.turns([second, first]):
                raise AssertionError("it is another's turn")
            assert caught.value.destination == second.path
            with locks.turns([first]):
                assert {*locks._turns} == {first.identity(), second.identity()}
        with locks.turns([second, first]):
            pass
        for one in (first, second):
            with locks.turns([one]), pytest.raises(LockTimeoutError), locks.turns([first, second]):
                raise AssertionError("it is another's turn")

    def test_in_one_order(
        self, folder: Folder, other: Folder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        taken: list[str] = []
        exclusive = locking.exclusive

        def noting(directory: str, patience: Patience) -> Any:
            taken.append(directory)
            return exclusive(directory, patience)

        monkeypatch.setattr(locking, "exclusive", noting)
        expected = [each.path for each in sorted([folder, other], key=Folder.identity)]
        for given in ([folder, other], [other, folder]):
            taken.clear()
            with Locks().turns(given):
                pass
            assert taken == expected

    def test_are_given_back_after_an_error(self, folder: Folder) -> None:
        locks = Locks(timeout=0)
        with pytest.raises(ZeroDivisionError), locks.turns([folder]):
            raise ZeroDivisionError
        assert locks._turns == {}
        with locks.turns([folder]):
            pass

    def test_the_last_one_takes_the_turn_away(self, folder: Folder) -> None:
        """One has it, two wait for it: all are about the same."""
        locks, leave = Locks(timeout=30), threading.Event()
        had: list[object] = []

        def wait() -> None:
            with locks.turns([folder]):
                had.append(locks._turns[folder.identity()])

        with ExitStack() as stack:
            stack.enter_context(locks.turns([folder]))
            turn = locks._turns[folder.identity()]
            threads = [threading.Thread(target=wait, daemon=True) for _ in range(2)]
            for thread in threads:
                thread.start()
            for _ in range(3000):
                if turn.users == 3:
                    break
                leave.wait(0.01)
            assert turn.users == 3
        for thread in threads:
            thread.join(30)
        assert had == [turn, turn]
        assert locks._turns == {}
        assert turn.users == 0

    def test_two_waiting_are_given_up(self, folder: Folder) -> None:
        """Nobody has taken the turn from under the one who has it."""
        locks = Locks(timeout=0)
        with locks.turns([folder]):
            for _ in range(2):
                with pytest.raises(LockTimeoutError), locks.turns([folder]):
                    raise AssertionError("it is another's turn")
            assert [turn.users for turn in locks._turns.values()] == [1]


class TestChild:
    """What a child of fork(2) begins with."""

    def test_nobody_has_a_turn(self, folder: Folder, tmp_path: Path) -> None:
        locks = Locks(timeout=0)
        everybody = [supplier(tmp_path / name, name) for name in ("a", "bb")]
        locks.record(folder, IDENTITY, everybody)
        guard = locks._guard
        with guard:
            module._renew_all()
            assert locks._guard is not guard
            assert len(found(locks)) == 1
        with locks.turns([folder]):
            locks.renew()
            assert locks._turns == {}

    def test_all_locks_are_known(self) -> None:
        known = [Locks() for _ in range(3)]
        assert {*known} <= {*module._all}
