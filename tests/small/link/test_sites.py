"""The directories that one call changes: opened and given stages before the first is changed, and put back together."""

from __future__ import annotations

import errno
import os
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from small.descriptors import open_descriptors
from wheel_linker import LinkError, Locks, LockTimeoutError, _threads
from wheel_linker._fs import durable
from wheel_linker._fs.folder import Folder
from wheel_linker._fs.stage import PREFIX
from wheel_linker._link import sites as module
from wheel_linker._link.sites import Sites, opened_sites, sweep_all
from wheel_linker._link.transaction import Transaction
from wheel_linker._threads import COMPLETE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from wheel_linker._fs.stage import Stage
    from wheel_linker._link.sites import Site

ATTEMPTS = 10


@pytest.fixture
def kept() -> Iterator[ExitStack]:
    """What keeps the directories open."""
    with ExitStack() as kept:
        yield kept


@pytest.fixture
def sites(kept: ExitStack) -> Iterator[Sites]:
    sites = Sites(kept)
    yield sites
    sites.close()


@pytest.fixture
def at(tmp_path: Path) -> str:
    """A directory to be changed, its path with symlinks resolved."""
    (tmp_path / "one").mkdir()
    return os.path.realpath(tmp_path / "one")


@pytest.fixture
def other(tmp_path: Path) -> str:
    """Another one."""
    (tmp_path / "two").mkdir()
    return os.path.realpath(tmp_path / "two")


def stages(path: str) -> list[str]:
    return [name for name in os.listdir(path) if name.startswith(PREFIX)]


def put(site: Site, name: str) -> None:
    """Change a directory: put a file there."""
    with site.stage.folder.make("0") as staged:
        with open(os.path.join(staged.path, name), "w") as file:
            file.write("new")
        site.transaction.add(staged, ("0",), site.folder, (), name)


def fail_after(*sites: Site) -> None:
    """Change directories, and then fail as a caller may."""
    for site in sites:
        put(site, "a.py")
    raise ZeroDivisionError


def alias(path: str) -> str:
    """Return another path of a directory."""
    try:
        os.symlink(path, f"{path}-alias", target_is_directory=True)
    except OSError:
        pytest.skip("no symlinks here")
    return f"{path}-alias"


def is_locked(path: str) -> bool:
    """Tell whether others have to wait before they change a directory."""
    try:
        with Folder.open(path) as folder, Locks(timeout=0).turns([folder]):
            return False
    except LockTimeoutError:
        return True


class TestPrepare:
    def test_makes_a_stage(self, sites: Sites, at: str) -> None:
        site = sites.prepare(at)
        assert stages(at) == [os.path.basename(site.stage.folder.path)]
        assert site.folder.path == at
        status = os.stat(at)
        assert site.identity == (status.st_dev, status.st_ino)
        assert site.transaction.site is site.folder
        assert site.transaction.stage is site.stage

    def test_makes_it_once(self, sites: Sites, at: str, other: str) -> None:
        site = sites.prepare(at)
        assert not sites.has(other)
        two = sites.prepare(other)
        assert sites.prepare(at) is sites.at(at) is site
        assert sites.at(other) is two
        assert sites.has(at)
        assert sites.has(other)
        assert len(stages(at)) == len(stages(other)) == 1

    def test_makes_a_missing_directory(self, kept: ExitStack, sites: Sites, at: str) -> None:
        sites.prepare(os.path.join(at, "new", "one"))
        assert len(stages(os.path.join(at, "new", "one"))) == 1

    def test_a_directory_of_two_paths_has_one_stage(self, sites: Sites, at: str) -> None:
        site = sites.prepare(at)
        second = alias(at)
        before = open_descriptors()
        assert sites.prepare(second) is site
        assert sites.at(second) is site
        assert open_descriptors() == before
        assert len(stages(at)) == 1

    def test_remembers_the_time_before_the_stage_was_made(self, sites: Sites, at: str) -> None:
        os.utime(at, ns=(1, 10**15))
        assert sites.prepare(at).transaction._touched == {(): 10**15}

    def test_removes_litter(self, sites: Sites, at: str) -> None:
        litter = os.path.join(at, f"{PREFIX}dead")
        os.mkdir(litter)
        sites.prepare(at)
        assert not os.path.exists(litter)

    def test_what_is_no_directory(self, sites: Sites, at: str) -> None:
        path = os.path.join(at, "file")
        with open(path, "w"):
            pass
        with pytest.raises(LinkError, match="it is not a directory"):
            sites.prepare(path)
        assert not sites.has(path)

    def test_the_directory_stays_open(self, kept: ExitStack, at: str) -> None:
        sites = Sites(kept)
        site = sites.prepare(at)
        assert site.folder.listdir()
        sites.close()
        before = open_descriptors()
        kept.close()
        if site.folder.fd is not None:
            assert len(before - open_descriptors()) == 1


class TestStageThatCannotBeMade:
    def refuse(
        self, monkeypatch: pytest.MonkeyPatch, number: int, times: int, at: str | None = None
    ) -> list[str]:
        """Let stages be refused some times, or have the directory gone; return the attempts."""
        attempts: list[str] = []
        make = module.make_stage

        def make_stage(folder: Folder, stage: Stage) -> None:
            attempts.append(folder.path)
            if len(attempts) > times:
                return make(folder, stage)
            if at is not None:
                os.rmdir(at)
                return make(folder, stage)
            raise LinkError("refused here", errno=number)

        monkeypatch.setattr(module, "make_stage", make_stage)
        return attempts

    @pytest.mark.skipif(os.name == "nt", reason="an open directory cannot be removed here")
    @pytest.mark.parametrize("times", [1, ATTEMPTS - 1])
    def test_the_directory_vanished(
        self, sites: Sites, at: str, times: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """An uninstall has removed it, since it was empty: it is made again."""
        attempts = self.refuse(monkeypatch, 0, times, at)
        site = sites.prepare(at)
        assert len(attempts) == times + 1
        assert len(stages(at)) == 1
        assert sites.prepare(at) is site

    def test_it_vanishes_each_time(
        self, sites: Sites, at: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        attempts = self.refuse(monkeypatch, errno.ENOENT, ATTEMPTS)
        with pytest.raises(LinkError) as caught:
            sites.prepare(at)
        assert caught.value.errno == errno.ENOENT
        assert len(attempts) == ATTEMPTS

    def test_another_error(self, sites: Sites, at: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """It is not tried again by itself; the caller may."""
        attempts = self.refuse(monkeypatch, errno.EACCES, 1)
        with pytest.raises(LinkError, match="refused here"):
            sites.prepare(at)
        assert len(attempts) == 1
        assert not sites.has(at)
        sites.prepare(at)
        assert len(stages(at)) == 1

    def test_nothing_of_it_stays(
        self, kept: ExitStack, at: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refused(folder: Folder, name: str) -> Folder:
            raise OSError(errno.EIO, "refused here")

        before = open_descriptors()
        monkeypatch.setattr(Folder, "make", refused)
        sites = Sites(kept)
        with pytest.raises(LinkError) as caught:
            sites.prepare(at)
        assert str(caught.value).startswith(f"cannot write to the directory {at!r}: refused here")
        assert caught.value.destination == at
        assert stages(at) == []
        kept.close()
        assert open_descriptors() == before

    def test_a_directory_that_is_not_writable(self, sites: Sites, nobody: Path) -> None:
        path = os.path.realpath(nobody)
        os.chmod(path, 0o555)
        with pytest.raises(LinkError) as caught:
            sites.prepare(path)
        os.chmod(path, 0o755)
        assert str(caught.value).startswith(f"cannot write to the directory {path!r}: ")
        assert (caught.value.errno, caught.value.destination) == (errno.EACCES, path)
        assert len(stages(path)) == 0


class TestProtect:
    def test_before_and_afterwards(self, sites: Sites, at: str, other: str) -> None:
        """Nothing is written to any of the wheels that lie there."""
        wheels = [os.path.join(path, name) for path in (at, other) for name in "ab"]
        for path in wheels:
            os.mkdir(path)
        one = sites.prepare(at)
        sites.protect([wheels[0], wheels[2]])
        sites.protect([wheels[1], wheels[3]])
        two = sites.prepare(other)
        for site in (one, two):
            for name in "ab":
                with pytest.raises(LinkError, match="is part of the unpacked wheel"):
                    site.transaction.containment.enter(site.folder, name)


class TestCommitting:
    def test_is_alone(self, sites: Sites, at: str, other: str) -> None:
        site = sites.prepare(at)
        sites.prepare(other)
        with sites.committing([at], Locks()):
            put(site, "a.py")
            assert is_locked(at)
            assert not is_locked(other)
            assert not sites.is_complete()
        assert sites.is_complete()
        assert not is_locked(at)
        assert os.listdir(at) == ["a.py"]
        assert stages(other) == []

    def test_waits_as_long_as_asked(self, sites: Sites, at: str) -> None:
        site = sites.prepare(at)
        committing = sites.committing([at], Locks(timeout=0))
        with Locks().turns([site.folder]), pytest.raises(LockTimeoutError), committing:
            put(site, "a.py")
        assert os.listdir(at) == [os.path.basename(site.stage.folder.path)]

    def test_a_failure(
        self, sites: Sites, at: str, other: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """All is put back, and nobody else changes the directory before."""
        one, two = sites.prepare(at), sites.prepare(other)
        roll_back = Transaction.roll_back
        seen: list[bool] = []

        def noting(transaction: Transaction) -> None:
            seen.append(is_locked(at))
            roll_back(transaction)

        monkeypatch.setattr(Transaction, "roll_back", noting)
        with pytest.raises(ZeroDivisionError), sites.committing([at, other], Locks()):
            fail_after(one, two)
        assert seen == [True, True]
        assert not sites.is_complete()
        assert os.listdir(at) == stages(at)
        assert os.listdir(other) == stages(other)

    def test_an_interrupt_at_the_end(
        self, sites: Sites, at: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What was begun there is done to its end."""
        finish = Transaction.finish
        interrupts = [KeyboardInterrupt(), KeyboardInterrupt()]

        def interrupted(transaction: Transaction) -> None:
            if interrupts:
                raise interrupts.pop()
            finish(transaction)

        site = sites.prepare(at)
        monkeypatch.setattr(Transaction, "finish", interrupted)
        with pytest.raises(KeyboardInterrupt), sites.committing([at], Locks()):
            put(site, "a.py")
        assert os.listdir(at) == ["a.py"]

    def test_an_interrupt_on_the_way_back(
        self, sites: Sites, at: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        roll_back = Transaction.roll_back
        interrupts = [KeyboardInterrupt()]

        def interrupted(transaction: Transaction) -> None:
            if interrupts:
                raise interrupts.pop()
            roll_back(transaction)

        site = sites.prepare(at)
        monkeypatch.setattr(Transaction, "roll_back", interrupted)
        with pytest.raises(KeyboardInterrupt), sites.committing([at], Locks()):
            fail_after(site)
        assert os.listdir(at) == stages(at)


class TestSettle:
    @pytest.mark.parametrize("settled", [True, False])
    def test_has_what_is_staged_on_the_disk(
        self,
        sites: Sites,
        at: str,
        other: str,
        settled: bool,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        both = [sites.prepare(path).stage.folder for path in (at, other)]
        asked: list[Folder] = []

        def on_disk(folder: Folder) -> bool:
            asked.append(folder)
            return settled

        monkeypatch.setattr(durable, "on_disk", on_disk)
        caplog.set_level("DEBUG")
        sites.settle()
        assert asked == both
        assert len(caplog.messages) == (0 if settled else 2)


class TestFinish:
    def test_gives_up_the_way_back_everywhere_first(
        self, sites: Sites, at: str, other: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Nothing is put back in one directory when that is not possible in another any more."""
        both = [sites.prepare(path) for path in (at, other)]
        for site in both:
            put(site, "a.py")

        def interrupted(transaction: Transaction) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patched:
            patched.setattr(Transaction, "finish", interrupted)
            with pytest.raises(KeyboardInterrupt):
                sites.finish()
        sites.roll_back()
        for path in (at, other):
            assert sorted(os.listdir(path)) == [*stages(path), "a.py"]
        sites.finish()
        assert os.listdir(at) == os.listdir(other) == ["a.py"]

    def test_is_complete_as_soon_as_one_is(self, sites: Sites, at: str, other: str) -> None:
        assert not sites.is_complete()
        one = sites.prepare(at)
        sites.prepare(other)
        assert not sites.is_complete()
        one.transaction.give_up_the_way_back()
        assert sites.is_complete()


class TestRollBack:
    @pytest.mark.parametrize("how", ["roll_back", "close"])
    def test_goes_on_after_a_failure(
        self, sites: Sites, tmp_path: Path, how: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The last that was changed is the first that is put back; its error is raised, when all others are."""
        paths = [os.path.realpath(tmp_path / name) for name in "abc"]
        for path in paths:
            put(sites.prepare(path), "new")
        act = getattr(Transaction, how)
        order: list[str] = []

        def refused(transaction: Transaction) -> None:
            order.append(transaction.site.path)
            if len(order) < 3:
                raise LinkError(f"refused in {transaction.site.path}")
            act(transaction)

        with monkeypatch.context() as patched:
            patched.setattr(Transaction, how, refused)
            with pytest.raises(LinkError, match="refused in") as caught:
                getattr(sites, how)()
        assert order == paths[::-1]
        assert str(caught.value) == f"refused in {paths[-1]}"
        assert not (tmp_path / "a/new").exists()
        sites.roll_back()
        assert not (tmp_path / "c/new").exists()

    def test_keeps_the_stages(self, sites: Sites, at: str) -> None:
        put(sites.prepare(at), "a.py")
        sites.roll_back()
        assert os.listdir(at) == stages(at) != []

    def test_close_removes_them(self, sites: Sites, at: str) -> None:
        put(sites.prepare(at), "a.py")
        sites.close()
        assert os.listdir(at) == []
        sites.close()

    def test_a_forked_process_leaves_them_alone(self, sites: Sites, at: str) -> None:
        if sys.platform == "win32":
            pytest.skip("no process is copied here")
        put(sites.prepare(at), "a.py")
        if (child := os.fork()) == 0:
            sites.close()
            os._exit(0)
        os.waitpid(child, 0)
        assert sorted(os.listdir(at)) == [*stages(at), "a.py"]


class TestOpenedSites:
    def test_puts_back(self, at: str) -> None:
        before = open_descriptors()
        new = os.path.join(at, "new")
        with pytest.raises(ZeroDivisionError), opened_sites() as sites:
            fail_after(sites.prepare(new), sites.prepare(at))
        assert os.listdir(at) == []
        assert open_descriptors() == before

    def test_keeps_what_is_finished(self, at: str) -> None:
        before = open_descriptors()
        with opened_sites() as sites:
            put(sites.prepare(at), "b.py")
            sites.finish()
        assert os.listdir(at) == ["b.py"]
        assert open_descriptors() == before

    @pytest.mark.parametrize("finished", [True, False])
    def test_an_interrupt_says_whether_all_is_in_place(self, at: str, finished: bool) -> None:
        def interrupted(sites: Sites) -> None:
            put(sites.prepare(at), "b.py")
            if finished:
                sites.finish()
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt) as caught, opened_sites() as sites:
            interrupted(sites)
        assert caught.value.args == ((COMPLETE,) if finished else ())
        assert os.listdir(at) == (["b.py"] if finished else [])

    def test_an_interrupt_as_the_end_begins(self, at: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """It came before the first call could heed it: the second puts back."""
        interrupts = [KeyboardInterrupt()]

        def uninterrupted(action: Any) -> None:
            if interrupts:
                raise interrupts.pop()
            _threads.uninterrupted(action)

        monkeypatch.setattr(module, "uninterrupted", uninterrupted)
        with pytest.raises(KeyboardInterrupt), opened_sites() as sites:
            put(sites.prepare(at), "b.py")
        assert os.listdir(at) == []

    def test_removes_litter(self, at: str, other: str) -> None:
        os.mkdir(os.path.join(other, f"{PREFIX}dead"))
        with opened_sites([other]):
            assert os.listdir(other) == []

    def test_without_litter(self) -> None:
        with opened_sites() as sites:
            assert not sites.is_complete()


class TestSweepAll:
    def test_leaves_what_cannot_be_swept(
        self, at: str, other: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        for path in (at, other):
            os.mkdir(os.path.join(path, f"{PREFIX}dead"))
        before = open_descriptors()
        caplog.set_level("DEBUG")
        sweep_all([at, os.path.join(at, "missing"), other])
        assert os.listdir(at) == os.listdir(other) == []
        assert open_descriptors() == before
        assert len(caplog.messages) == 1
