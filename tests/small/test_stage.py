"""A private directory from its making to its end, call by call; tests/test_stage.py kills processes."""

from __future__ import annotations

import errno
import os
import re
import shutil
import stat
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import pytest
from standins import windows_error

from small.descriptors import is_open, open_descriptors
from wheel_linker._fs import locking, windows
from wheel_linker._fs import stage as stages
from wheel_linker._fs.folder import Folder
from wheel_linker._fs.remove_tree import remove_tree
from wheel_linker._fs.stage import PREFIX, Stage, staged, sweep

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(os.name != "posix", reason="Windows removes nothing that is open")

NAME: Final = PREFIX + "0123456789abcdef"


@pytest.fixture
def site(tmp_path: Path, way: str) -> Iterator[Folder]:
    assert way
    (tmp_path / "site").mkdir()
    with Folder.open(os.fspath(tmp_path / "site")) as folder:
        yield folder


@pytest.fixture
def stage(site: Folder) -> Iterator[Stage]:
    made = Stage(site)
    yield made
    made.remove()


@pytest.fixture(autouse=True)
def few_attempts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a stage that can never be made be an error, instead of an endless loop."""
    urandom, left = os.urandom, [50]

    def counting(size: int) -> bytes:
        left[0] -= 1
        if left[0] < 0:
            pytest.fail("a stage is made again and again")
        return urandom(size)

    monkeypatch.setattr(os, "urandom", counting)


@pytest.fixture
def no_umask() -> Iterator[None]:
    previous = os.umask(0)
    yield
    os.umask(previous)


def bits(path: str) -> int:
    return stat.S_IMODE(os.lstat(path).st_mode)


def make_litter(site: Folder, name: str = NAME, *, owner: bool = True) -> str:
    """Make what a killed process leaves; return its path."""
    path = os.path.join(site.path, name)
    os.makedirs(os.path.join(path, "0", "package"))
    if owner:
        os.close(os.open(os.path.join(path, "owner"), os.O_WRONLY | os.O_CREAT, 0o600))
    return path


@contextmanager
def in_use(path: str) -> Iterator[None]:
    """Be the owner of a stage."""
    lock = os.open(os.path.join(path, "owner"), os.O_RDWR)
    try:
        assert locking.claim(lock) is True
        yield
    finally:
        os.close(lock)


def refusing(action: Callable[..., Any], times: int, number: int) -> Callable[..., Any]:
    """Return what does something, and then says for a number of times that it has not."""
    left = [times]

    def refuse(*arguments: Any, **keywords: Any) -> Any:
        result = action(*arguments, **keywords)
        if left[0]:
            left[0] -= 1
            raise OSError(number, "refused here")
        return result

    return refuse


class TestMake:
    def test_what_is_in_it(self, stage: Stage, site: Folder) -> None:
        stage.make()
        (name,) = os.listdir(site.path)
        assert re.fullmatch(re.escape(PREFIX) + "[0-9a-f]{16}", name)
        assert stage.folder.path == os.path.join(site.path, name)
        assert stage.old.path == os.path.join(site.path, name, "old")
        assert sorted(stage.folder.listdir()) == ["old", "owner"]
        assert stage.old.listdir() == []

    @pytest.mark.usefixtures("no_umask")
    def test_nobody_else_may_look(self, stage: Stage) -> None:
        stage.make()
        assert bits(stage.folder.path) == 0o700
        assert bits(os.path.join(stage.folder.path, "owner")) == 0o600

    def test_its_lock_is_held(self, stage: Stage) -> None:
        assert stage.locks() == []
        stage.make()
        (lock,) = stage.locks()
        owner = os.path.join(stage.folder.path, "owner")
        assert os.path.samestat(os.fstat(lock), os.stat(owner))
        with open(owner, "rb+") as file:
            assert locking.claim(file.fileno()) is False

    def test_each_has_a_name_of_its_own(self, site: Folder) -> None:
        with staged(site) as one, staged(site) as other:
            assert one.folder.path != other.folder.path

    def test_one_that_was_taken_for_litter_is_made_anew(
        self, stage: Stage, site: Folder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        make = stages._make
        tried: list[str] = []

        def too_late(folder: Folder, name: str) -> int | None:
            tried.append(name)
            return make(folder, name) if len(tried) == 2 else None

        monkeypatch.setattr(stages, "_make", too_late)
        stage.make()
        assert len(set(tried)) == 2
        assert os.listdir(site.path) == tried[1:]

    def test_room_for_the_way_back(self, stage: Stage, way: str) -> None:
        before = open_descriptors()
        stage.make()
        assert stage._room is not None
        assert len(stage._room) == 1 << 19
        # The lock, the two directories, and the reserve.
        assert len(open_descriptors() - before) == (1 + 2 + 3 if way == "descriptor" else 1)
        for _ in range(2):
            stage.release_reserve()
            assert stage._room is None
            assert len(open_descriptors() - before) == (1 + 2 if way == "descriptor" else 1)


class TestRemove:
    def test_with_all_that_is_in_it(self, stage: Stage, site: Folder) -> None:
        before = open_descriptors()
        stage.make()
        stage.folder.make("0").close()
        stage.remove()
        assert os.listdir(site.path) == []
        assert open_descriptors() == before
        assert stage.locks() == []

    def test_once(self, stage: Stage, site: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
        stage.make()
        stage.remove()

        def again(*_: object) -> bool:
            pytest.fail("it was removed")

        monkeypatch.setattr(stages, "_try_to_remove", again)
        for each in (stage, Stage(site)):
            each.remove()

    def test_what_could_not_be_removed_is_tried_again(
        self, stage: Stage, site: Folder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def nothing(*_: object, **__: object) -> None:
            pass

        monkeypatch.setattr(stages, "remove_tree", refusing(nothing, 1, errno.EIO))
        stage.make()
        stage.remove()
        assert len(os.listdir(site.path)) == 1
        assert stage.locks() == []
        monkeypatch.undo()
        # Which is done by the next call.
        sweep(site)
        assert os.listdir(site.path) == []

    @pytest.mark.parametrize("times", [1, 2])
    def test_where_its_open_lock_stays_under_another_name(
        self, stage: Stage, site: Folder, times: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As FUSE and NFS have it: the directory can be removed once the lock is closed."""
        kept: list[str] = []

        def all_but_the_directory(folder: Folder, name: str, **keywords: Any) -> None:
            if times == 2 or kept:
                assert keywords == {"last": "owner", "before_last": None}
            kept.append(name)
            for inside in ("old", "owner"):
                path = os.path.join(folder.path, name, inside)
                if os.path.isdir(path):
                    os.rmdir(path)
                elif os.path.exists(path):
                    os.unlink(path)

        monkeypatch.setattr(
            stages, "remove_tree", refusing(all_but_the_directory, times, errno.ENOTEMPTY)
        )
        stage.make()
        (name,) = os.listdir(site.path)
        stage.remove()
        assert kept == [name] * 2
        # The second time there was nothing wrong, so that nothing more is done.
        assert os.listdir(site.path) == ([name] if times == 1 else [])

    @pytest.mark.parametrize("attempts", [1, 2])
    def test_the_lock_is_closed_first_on_windows(
        self, stage: Stage, site: Folder, attempts: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(windows, "WINDOWS", True)
        stage.make()
        (lock,) = stage.locks()
        seen: list[tuple[str, bool]] = []
        tried: list[object] = []
        unlink = os.unlink

        def noting(path: str, *, dir_fd: int | None = None) -> None:
            seen.append((os.path.basename(path), is_open(lock)))
            unlink(path, dir_fd=dir_fd)

        def at_last(*arguments: Any, **keywords: Any) -> None:
            tried.append(arguments)
            if len(tried) < attempts:
                raise OSError(errno.EIO, "refused here")
            remove_tree(*arguments, **keywords)

        monkeypatch.setattr(os, "unlink", noting)
        monkeypatch.setattr(stages, "remove_tree", at_last)
        with open(os.path.join(stage.folder.path, "file"), "wb"):
            pass
        stage.remove()
        assert seen == [("file", True), ("owner", False)]
        assert os.listdir(site.path) == []
        assert len(tried) == attempts

    def test_elsewhere_afterwards(self, stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
        """Whoever sweeps must not find it unlocked as long as there is something of it."""
        stage.make()
        (lock,) = stage.locks()
        seen: list[bool] = []
        unlink = os.unlink

        def noting(path: str, *, dir_fd: int | None = None) -> None:
            seen.append(is_open(lock))
            unlink(path, dir_fd=dir_fd)

        monkeypatch.setattr(os, "unlink", noting)
        stage.remove()
        assert seen == [True]
        assert not is_open(lock)

    def test_to_the_end_if_it_is_interrupted(
        self, stage: Stage, site: Folder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        stage.make()
        calls: list[object] = []

        def interrupted(*arguments: Any, **keywords: Any) -> None:
            calls.append(arguments)
            if len(calls) == 1:
                raise KeyboardInterrupt
            remove_tree(*arguments, **keywords)

        monkeypatch.setattr(stages, "remove_tree", interrupted)
        with pytest.raises(KeyboardInterrupt):
            stage.remove()
        assert os.listdir(site.path) == []


class TestStaged:
    def test_it_is_there_as_long_as_it_is_used(self, site: Folder) -> None:
        with staged(site) as stage:
            assert os.listdir(site.path) == [os.path.basename(stage.folder.path)]
        assert os.listdir(site.path) == []

    def test_an_error_takes_it_away(self, site: Folder) -> None:
        with pytest.raises(KeyError), staged(site):
            raise KeyError
        assert os.listdir(site.path) == []

    def test_so_does_one_while_it_is_made(
        self, site: Folder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before = open_descriptors()

        def refuse(*_: object) -> Folder:
            raise OSError(errno.ENOSPC, "no room")

        monkeypatch.setattr(Folder, "make", refuse)
        with pytest.raises(OSError, match="no room"), staged(site):
            pass
        assert os.listdir(site.path) == []
        assert open_descriptors() == before


class TestRescue:
    @pytest.fixture
    def rescued(self, stage: Stage) -> str:
        """The path that what could not be put back gets."""
        stage.make()
        with open(os.path.join(stage.old.path, "kept"), "wb"):
            pass
        parent, name = os.path.split(stage.folder.path)
        return os.path.join(parent, "wheel_linker-rescued-" + name[len(PREFIX) :])

    def test_it_gets_another_place(self, stage: Stage, site: Folder, rescued: str) -> None:
        assert stage.rescue() == rescued
        stage.remove()
        sweep(site)
        assert os.listdir(site.path) == [os.path.basename(rescued)]
        assert os.listdir(rescued) == ["kept"]

    def test_where_nothing_is_renamed_between_directories(
        self, stage: Stage, rescued: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(os, "rename", refusing(lambda *_, **__: None, 1, errno.EXDEV))
        assert stage.rescue() == rescued
        assert os.listdir(rescued) == ["kept"]
        assert os.listdir(stage.folder.path) == ["owner"]

    def test_a_refusal(self, stage: Stage, rescued: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(os, "rename", refusing(lambda *_, **__: None, 1, errno.EIO))
        with pytest.raises(OSError, match="refused here"):
            stage.rescue()
        assert not os.path.exists(rescued)
        assert stage.old.listdir() == ["kept"]

    def test_with_patience(
        self, stage: Stage, rescued: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        rename, left = os.rename, [windows_error(32)]
        naps: list[float] = []

        def busy(*arguments: Any, **keywords: Any) -> None:
            if left:
                raise left.pop()
            rename(*arguments, **keywords)

        monkeypatch.setattr(os, "rename", busy)
        monkeypatch.setattr(time, "sleep", naps.append)
        assert stage.rescue() == rescued
        assert os.listdir(rescued) == ["kept"]
        assert len(naps) == 1


class TestMakeAndLock:
    def test_a_lock(self, site: Folder) -> None:
        lock = stages._make(site, NAME)
        assert lock is not None
        with open(os.path.join(site.path, NAME, "owner"), "rb+") as file:
            assert locking.claim(file.fileno()) is False
            os.close(lock)
            assert locking.claim(file.fileno()) is True

    def test_it_is_a_file_of_its_own(self, site: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
        flags: list[int] = []
        opened = os.open

        def noting(path: str, flag: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
            if os.path.basename(path) == "owner":
                flags.append(flag)
            return opened(path, flag, mode, dir_fd=dir_fd)

        monkeypatch.setattr(os, "open", noting)
        lock = stages._make(site, NAME)
        assert lock is not None
        os.close(lock)
        assert flags == [os.O_RDWR | os.O_CREAT | os.O_EXCL]

    @pytest.mark.parametrize("meanwhile", ["it is swept", "it is locked"])
    def test_another_who_sweeps_meanwhile(
        self, site: Folder, meanwhile: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        mkdir = os.mkdir

        def overtaken(path: str, mode: int, *, dir_fd: int | None = None) -> None:
            mkdir(path, mode, dir_fd=dir_fd)
            if meanwhile == "it is swept":
                os.rmdir(path, dir_fd=dir_fd)
            else:
                with open(os.path.join(site.path, NAME, "owner"), "wb"):
                    pass

        monkeypatch.setattr(os, "mkdir", overtaken)
        before = open_descriptors()
        assert stages._make(site, NAME) is None
        assert open_descriptors() == before

    def test_another_who_has_the_lock(self, site: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(stages, "_claim", lambda *_: False)
        before = open_descriptors()
        assert stages._make(site, NAME) is None
        assert open_descriptors() == before

    def test_where_there_are_no_locks(self, site: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(locking, "claim", lambda _: None)
        lock = stages._make(site, NAME)
        assert lock is not None
        os.close(lock)

    def test_an_error_is_one(self, site: Folder) -> None:
        os.mkdir(os.path.join(site.path, NAME))
        with pytest.raises(FileExistsError):
            stages._make(site, NAME)


class TestClaim:
    @pytest.fixture
    def lock(self, site: Folder) -> Iterator[int]:
        fd = os.open(os.path.join(site.path, "owner"), os.O_RDWR | os.O_CREAT)
        yield fd
        if is_open(fd):
            os.close(fd)

    def test_is_ours(self, site: Folder, lock: int) -> None:
        assert stages._claim(lock, site) is True

    def test_is_anothers(self, site: Folder, lock: int) -> None:
        with in_use(site.path):
            assert stages._claim(lock, site) is False
        assert is_open(lock)

    def test_where_there_are_no_locks(
        self, site: Folder, lock: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(locking, "claim", lambda _: None)
        assert stages._claim(lock, site) is None

    def test_a_file_that_is_gone(self, site: Folder, lock: int) -> None:
        os.unlink(os.path.join(site.path, "owner"))
        assert stages._claim(lock, site) is False

    def test_a_file_that_is_another(self, site: Folder, lock: int) -> None:
        os.unlink(os.path.join(site.path, "owner"))
        with open(os.path.join(site.path, "owner"), "wb"):
            pass
        assert stages._claim(lock, site) is False

    def test_an_error_closes_it(
        self, site: Folder, lock: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(_: int) -> bool:
            raise OSError(errno.EIO, "broken")

        monkeypatch.setattr(locking, "claim", fail)
        with pytest.raises(OSError, match="broken"):
            stages._claim(lock, site)
        assert not is_open(lock)


class TestSweep:
    @pytest.mark.parametrize("owner", [True, False])
    def test_litter_is_removed(self, site: Folder, owner: bool) -> None:
        make_litter(site, owner=owner)
        before = open_descriptors()
        sweep(site)
        assert os.listdir(site.path) == []
        assert open_descriptors() == before

    def test_what_is_in_use_stays(self, site: Folder) -> None:
        path = make_litter(site)
        before = open_descriptors()
        with in_use(path):
            sweep(site)
        assert sorted(os.listdir(path)) == ["0", "owner"]
        assert open_descriptors() == before
        sweep(site)
        assert os.listdir(site.path) == []

    def test_where_there_are_no_locks_all_stays(
        self, site: Folder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = make_litter(site)
        monkeypatch.setattr(locking, "claim", lambda _: None)
        sweep(site)
        assert sorted(os.listdir(path)) == ["0", "owner"]

    def test_other_names_stay(self, site: Folder) -> None:
        names = ["wheel_linker-0123456789abcdef", ".wheel_linker_0123", ".other", "package"]
        for name in names:
            make_litter(site, name)
        sweep(site)
        assert sorted(os.listdir(site.path)) == sorted(names)

    def test_what_is_no_directory_stays(self, site: Folder, tmp_path: Path) -> None:
        (tmp_path / "outside").mkdir()
        with open(os.path.join(site.path, NAME), "wb"):
            pass
        os.symlink(tmp_path / "outside", os.path.join(site.path, PREFIX + "link"))
        for name in (NAME, PREFIX + "link"):
            stages._sweep_one(site, name)
        assert len(os.listdir(site.path)) == 2
        assert os.listdir(tmp_path / "outside") == []

    def test_what_has_vanished_meanwhile(self, site: Folder) -> None:
        stages._sweep_one(site, NAME)
        assert os.listdir(site.path) == []

    def test_what_cannot_be_swept_keeps_nothing_else(
        self, site: Folder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        names = [PREFIX + letter for letter in "abc"]
        for name in names:
            make_litter(site, name)
        enter = Folder.enter
        # Another user may have put it there.
        monkeypatch.setattr(
            Folder,
            "enter",
            lambda folder, name: (refusing(enter, 1, errno.EACCES) if name == names[1] else enter)(
                folder, name
            ),
        )
        sweep(site)
        assert os.listdir(site.path) == [names[1]]

    @pytest.mark.usefixtures("no_umask")
    def test_a_lock_that_it_makes_is_its_own(
        self, site: Folder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = make_litter(site, owner=False)
        monkeypatch.setattr(stages, "_claim", lambda *_: False)
        sweep(site)
        assert bits(os.path.join(path, "owner")) == 0o600

    @pytest.mark.parametrize("leads_to", ["symlink", "fifo"])
    def test_a_lock_that_another_user_put_there(
        self, site: Folder, tmp_path: Path, leads_to: str
    ) -> None:
        path = make_litter(site, owner=False)
        if leads_to == "symlink":
            os.symlink(tmp_path / "outside", os.path.join(path, "owner"))
        else:
            os.mkfifo(os.path.join(path, "owner"))  # type: ignore[attr-defined,unused-ignore]
        sweep(site)
        assert not (tmp_path / "outside").exists()

    def test_once_only_and_closed_before_the_directory_goes(
        self, site: Folder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = make_litter(site)
        seen: list[Any] = []

        def all_but_the_directory(folder: Folder, name: str, **keywords: Any) -> None:
            seen.append((folder, name, keywords))
            shutil.rmtree(os.path.join(path, "0"))
            os.unlink(os.path.join(path, "owner"))

        monkeypatch.setattr(
            stages, "remove_tree", refusing(all_but_the_directory, 1, errno.ENOTEMPTY)
        )
        before = open_descriptors()
        rmdir = os.rmdir

        def noting(name: str, *, dir_fd: int | None = None) -> None:
            if os.path.basename(name) == NAME:
                seen.append(len(open_descriptors() - before))
            rmdir(name, dir_fd=dir_fd)

        monkeypatch.setattr(os, "rmdir", noting)
        sweep(site)
        assert seen == [(site, NAME, {"last": "owner", "before_last": None}), 0]
        assert os.listdir(site.path) == []

    def test_what_another_makes_there_meanwhile_stays(
        self, site: Folder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = make_litter(site)
        monkeypatch.setattr(
            stages, "remove_tree", refusing(lambda *_, **__: None, 1, errno.ENOTEMPTY)
        )
        sweep(site)
        assert sorted(os.listdir(path)) == ["0", "owner"]

    def test_an_error_closes_the_lock(self, site: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
        make_litter(site)

        def fail(*_: object, **__: object) -> None:
            raise KeyError

        monkeypatch.setattr(stages, "remove_tree", fail)
        before = open_descriptors()
        with pytest.raises(KeyError):
            sweep(site)
        assert open_descriptors() == before

    def test_the_lock_is_closed_first_on_windows(
        self, site: Folder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(windows, "WINDOWS", True)
        make_litter(site)
        before = open_descriptors()
        seen: list[tuple[str, int]] = []
        unlink = os.unlink

        def noting(path: str, *, dir_fd: int | None = None) -> None:
            seen.append((os.path.basename(path), len(open_descriptors() - before)))
            unlink(path, dir_fd=dir_fd)

        monkeypatch.setattr(os, "unlink", noting)
        sweep(site)
        assert os.listdir(site.path) == []
        assert [name for name, _ in seen] == ["owner"]
        # That of the directory it is in, if at all.
        assert seen[0][1] == (site.fd is not None)
