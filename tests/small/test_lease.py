"""Leases one by one, all within one process; tests/store/test_processes.py has several."""

from __future__ import annotations

import errno
import gc
import os
import stat
import sys
from typing import TYPE_CHECKING, Any, Final, NoReturn

import pytest

from small.descriptors import open_descriptors
from wheel_linker import LockTimeoutError
from wheel_linker._fs import locking, windows
from wheel_linker._fs.folder import Folder
from wheel_linker._fs.patience import Patience
from wheel_linker._log import telling
from wheel_linker.store import lease as module
from wheel_linker.store.control import open_file
from wheel_linker.store.layout import Layout
from wheel_linker.store.lease import Lease, leased
from wheel_linker.store.trust import Proof

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

ONE, TWO = "aaaaaaaaaa", "bbbbbbbbbb"
NAMED: Final = "0123456789ab"
on_posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such bits or calls")


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    (tmp_path / ".store" / "leases").mkdir(parents=True)
    (tmp_path / ".store" / "readers").touch()
    return Layout(os.fspath(tmp_path))


@pytest.fixture
def leases(tmp_path: Path) -> Path:
    return tmp_path / ".store" / "leases"


@pytest.fixture
def umask() -> Iterator[Callable[[int], int]]:
    before = os.umask(0)
    yield os.umask
    os.umask(before)


def soon() -> Patience:
    return Patience("the store", 0.05)


def take(layout: Layout) -> Lease:
    return Lease.take(layout, soon())


def refuse(number: int) -> Callable[..., NoReturn]:
    def refusing(*_: object, **__: object) -> NoReturn:
        raise OSError(number, os.strerror(number))

    return refusing


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "open_file", _full(open_file))


def _full(real: Any) -> Any:
    def opening(folder: Folder, name: str, flags: int, *more: int) -> Any:
        if flags & os.O_CREAT:
            refuse(errno.ENOSPC)()
        return real(folder, name, flags, *more)

    return opening


@pytest.fixture
def removing(layout: Layout) -> Iterator[None]:
    """Another process is removing entries, and keeps readers out."""
    fd = os.open(layout.readers, os.O_RDWR)
    assert locking.claim(fd)
    yield
    os.close(fd)


def is_free(layout: Layout) -> bool:
    """Tell whether nobody locks ``readers``."""
    fd = os.open(layout.readers, os.O_RDWR)
    try:
        return locking.claim(fd) is True
    finally:
        os.close(fd)


class TestTake:
    def test_is_a_locked_file(self, layout: Layout, leases: Path) -> None:
        lease = take(layout)
        assert lease.name is not None
        assert os.listdir(leases) == [lease.name]
        assert len(lease.name) == 12
        assert leased(layout, None) == set()
        assert os.listdir(leases) == [lease.name]
        assert is_free(layout)
        lease.end()

    @on_posix
    @pytest.mark.parametrize("mask", [0, 0o022, 0o077, 0o777])
    def test_others_can_read_it(
        self, layout: Layout, leases: Path, umask: Callable[[int], int], mask: int
    ) -> None:
        umask(mask)
        lease = take(layout)
        assert lease.name is not None
        assert stat.S_IMODE((leases / lease.name).stat().st_mode) == 0o644
        lease.end()

    @on_posix
    def test_where_bits_are_right_they_are_not_set(
        self, layout: Layout, umask: Callable[[int], int], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        umask(0)
        monkeypatch.setattr(os, "fchmod", None)
        take(layout).end()

    @on_posix
    def test_where_bits_cannot_be_set_it_is_one_all_the_same(
        self, layout: Layout, umask: Callable[[int], int], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        umask(0o077)
        monkeypatch.setattr(os, "fchmod", refuse(errno.EPERM))
        lease = take(layout)
        assert lease.name is not None
        lease.end()

    @on_posix
    def test_proves_whose_files_are(self, layout: Layout, tmp_path: Path) -> None:
        lease = take(layout)
        assert lease.proof == Proof(os.geteuid(), True)  # type: ignore[attr-defined,unused-ignore]
        lease.end()
        (tmp_path / "file").touch()
        (tmp_path / "file").chmod(0o646)
        fd = os.open(tmp_path / "file", os.O_RDONLY)
        assert Lease(layout, None, fd).proof is None
        fd = os.open(tmp_path / "file", os.O_RDONLY)
        assert Lease(layout, NAMED, fd).proof == Proof(os.geteuid(), False)  # type: ignore[attr-defined,unused-ignore]

    def test_of_no_file_proves_nothing(self, layout: Layout) -> None:
        lease = Lease(layout, NAMED)
        assert (lease.name, lease.proof) == (NAMED, None)
        assert Lease(layout).name is None
        assert Lease(layout).proof is None

    def test_a_name_that_is_taken(
        self, layout: Layout, leases: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (leases / "000000000000").touch()
        random = [bytes(6), b"\x01" * 6]
        monkeypatch.setattr(os, "urandom", lambda number: random.pop(0)[:number])
        lease = take(layout)
        assert lease.name == "010101010101"
        lease.end()

    @pytest.mark.parametrize("removes", [False, True])
    def test_a_sweep_comes_between(
        self, layout: Layout, leases: Path, monkeypatch: pytest.MonkeyPatch, removes: bool
    ) -> None:
        """It locks the new lease, or removes it."""
        if removes and sys.platform == "win32":
            pytest.skip("Windows removes no file that is open")
        real = locking.claim
        swept: list[str] = []

        def claim(fd: int) -> bool | None:
            if swept:
                return real(fd)
            swept.extend(os.listdir(leases))
            if removes:
                (leases / swept[0]).unlink()
            return removes

        monkeypatch.setattr(locking, "claim", claim)
        before = open_descriptors()
        lease = take(layout)
        assert lease.name is not None
        assert lease.name not in swept
        lease.end()
        assert open_descriptors() == before

    def test_where_there_are_no_locks(
        self, layout: Layout, leases: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(locking, "claim", lambda _: None)
        lease = take(layout)
        lease.add(ONE, soon())
        assert lease.name is not None
        assert leased(layout, None) == {ONE}
        assert os.listdir(leases) == [lease.name]
        with lease.no_readers(soon()) as alone:
            assert alone is True
        lease.keep_all(soon())
        with lease.no_readers(soon()) as alone:
            assert alone is True
        lease.end()

    @pytest.mark.usefixtures("full_disk")
    def test_on_a_full_disk_everything_is_kept(self, layout: Layout, leases: Path) -> None:
        lease = take(layout)
        assert (lease.name, lease.proof) == (None, None)
        assert os.listdir(leases) == []
        assert not is_free(layout)
        lease.add(ONE, soon())
        lease.end()
        assert is_free(layout)

    @pytest.mark.usefixtures("full_disk", "removing")
    def test_on_a_full_disk_it_waits_for_its_turn(self, layout: Layout) -> None:
        with pytest.raises(LockTimeoutError):
            take(layout)

    def test_elsewhere_it_is_an_error(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError):
            take(Layout(os.fspath(tmp_path / "none")))


class TestAdd:
    def test_has_a_line_for_each(self, layout: Layout, leases: Path) -> None:
        lease = take(layout)
        lease.add(ONE, soon())
        lease.add(TWO, soon())
        assert lease.name is not None
        assert (leases / lease.name).read_bytes() == f"{ONE}\n{TWO}\n".encode()
        assert leased(layout, None) == {ONE, TWO}
        assert leased(layout, lease.name) == set()
        assert is_free(layout)
        lease.end()

    def test_nothing_to_what_ended(self, layout: Layout) -> None:
        lease = take(layout)
        lease.end()
        lease.add(ONE, soon())
        Lease(layout).add(ONE, soon())
        Lease(layout, NAMED).add(ONE, soon())

    def test_without_room_everything_is_kept(
        self, layout: Layout, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        lease = take(layout)
        with monkeypatch.context() as patched:
            patched.setattr(os, "write", refuse(errno.ENOSPC))
            lease.add(ONE, soon())
        assert not is_free(layout)
        lease.end()
        assert is_free(layout)

    @pytest.mark.usefixtures("removing")
    def test_without_room_it_waits_for_its_turn(
        self, layout: Layout, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        lease = take(layout)
        with monkeypatch.context() as patched:
            patched.setattr(os, "write", refuse(errno.ENOSPC))
            with pytest.raises(LockTimeoutError):
                lease.add(ONE, soon())

    def test_on_a_broken_disk_it_is_an_error(
        self, layout: Layout, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        lease = take(layout)
        with monkeypatch.context() as patched:
            patched.setattr(os, "write", refuse(errno.EIO))
            with pytest.raises(OSError, match=os.strerror(errno.EIO)):
                lease.add(ONE, soon())
        assert is_free(layout)
        lease.end()


class TestEnd:
    def test_removes_it(self, layout: Layout, leases: Path) -> None:
        before = open_descriptors()
        lease = take(layout)
        lease.keep_all(soon())
        lease.end()
        lease.end()
        assert os.listdir(leases) == []
        assert open_descriptors() == before

    def test_comes_with_the_object(self, layout: Layout, leases: Path) -> None:
        before = open_descriptors()
        lease = take(layout)
        lease.keep_all(soon())
        del lease
        gc.collect()
        assert os.listdir(leases) == []
        assert is_free(layout)
        assert open_descriptors() == before

    def test_a_child_does_not_take_it_from_its_parent(self, layout: Layout, leases: Path) -> None:
        (leases / NAMED).touch()
        fd = os.open(leases / NAMED, os.O_RDONLY)
        module._end(layout, NAMED, fd, os.getpid() + 1)
        assert os.listdir(leases) == [NAMED]
        with pytest.raises(OSError, match=os.strerror(errno.EBADF)):
            os.fstat(fd)
        module._end(layout, None, None, os.getpid())
        assert os.listdir(leases) == [NAMED]
        module._end(layout, NAMED, None, os.getpid())
        assert os.listdir(leases) == []

    def test_of_a_store_that_has_gone(self, layout: Layout, leases: Path) -> None:
        leases.rmdir()
        Lease(layout, NAMED).end()


class TestKeepAll:
    def test_several_may(self, layout: Layout) -> None:
        one, two = Lease(layout), Lease(layout)
        one.keep_all(soon())
        two.keep_all(soon())
        one.end()
        assert not is_free(layout)
        two.end()
        assert is_free(layout)

    @pytest.mark.usefixtures("removing")
    def test_waits_for_its_turn(self, layout: Layout) -> None:
        with pytest.raises(LockTimeoutError):
            Lease(layout).keep_all(soon())

    def test_twice_is_once(self, layout: Layout) -> None:
        before = open_descriptors()
        lease = Lease(layout)
        lease.keep_all(soon())
        lease.keep_all(soon())
        lease.end()
        assert open_descriptors() == before

    def test_where_there_is_nothing_to_lock(self, layout: Layout) -> None:
        os.unlink(layout.readers)
        lease = Lease(layout)
        lease.keep_all(soon())
        assert not os.path.exists(layout.readers)
        lease.end()

    @on_posix
    def test_takes_no_writing(self, nobody: Path) -> None:
        (nobody / ".store").mkdir()
        (nobody / ".store" / "readers").touch()
        (nobody / ".store" / "readers").chmod(0o444)
        lease = Lease(Layout(os.fspath(nobody)))
        lease.keep_all(soon())
        fd = os.open(nobody / ".store" / "readers", os.O_RDONLY)
        assert locking.claim(fd) is False
        lease.end()
        assert locking.claim(fd) is True
        os.close(fd)


class TestNoReaders:
    @pytest.mark.parametrize("own", [False, True])
    def test_there_are_none(self, layout: Layout, own: bool) -> None:
        before = open_descriptors()
        lease = take(layout)
        if own:
            lease.keep_all(soon())
        with lease.no_readers(soon()) as alone:
            assert alone is True
            assert not is_free(layout)
            other = os.open(layout.readers, os.O_RDONLY)
            assert locking._try(other, shared=True) is False
            os.close(other)
        assert is_free(layout) is not own
        other = os.open(layout.readers, os.O_RDONLY)
        assert locking._try(other, shared=True) is True
        os.close(other)
        lease.end()
        assert open_descriptors() == before

    @pytest.mark.parametrize("own", [False, True])
    def test_there_is_one(self, layout: Layout, own: bool) -> None:
        reader, lease = Lease(layout), take(layout)
        reader.keep_all(soon())
        if own:
            lease.keep_all(soon())
        with lease.no_readers(soon()) as alone:
            assert alone is False
        reader.end()
        assert is_free(layout) is not own
        lease.end()

    def test_the_file_is_made(self, layout: Layout) -> None:
        os.unlink(layout.readers)
        with take(layout).no_readers(soon()) as alone:
            assert alone is True
        assert os.path.exists(layout.readers)

    def test_what_was_kept_waits_for_its_turn(self, layout: Layout) -> None:
        lease = take(layout)
        lease.keep_all(soon())
        assert lease._all is not None
        body = lease.no_readers(soon())
        assert body.__enter__()
        locking._unlock(lease._all)
        fd = os.open(layout.readers, os.O_RDWR)
        assert locking.claim(fd)
        with pytest.raises(LockTimeoutError):
            body.__exit__(None, None, None)
        os.close(fd)
        lease.end()

    def test_an_error_ends_it_as_well(self, layout: Layout) -> None:
        lease = take(layout)
        with pytest.raises(ValueError, match="x"), lease.no_readers(soon()):
            raise ValueError("x")
        assert is_free(layout)
        lease.keep_all(soon())
        with pytest.raises(ValueError, match="x"), lease.no_readers(soon()):
            raise ValueError("x")
        other = os.open(layout.readers, os.O_RDONLY)
        assert locking._try(other, shared=True) is True
        os.close(other)
        lease.end()


class TestLeased:
    @pytest.fixture
    def listed(self, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
        """Return a function that says in which order names are listed."""

        def set_order(*names: str) -> None:
            monkeypatch.setattr(Folder, "listdir", lambda _: list(names))

        return set_order

    def test_of_several(self, layout: Layout) -> None:
        leases = [take(layout) for _ in range(3)]
        for number, lease in enumerate(leases):
            lease.add(f"{number}" * 10, soon())
        assert leased(layout, leases[1].name) == {"0" * 10, "2" * 10}
        for lease in leases:
            lease.end()

    @pytest.mark.parametrize(
        "strange", ["notes", "0123456789a", "0123456789abc", "0123456789aX", "0123456789AB"]
    )
    def test_other_files_are_none(
        self, layout: Layout, leases: Path, listed: Callable[..., None], strange: str
    ) -> None:
        (leases / strange).write_text(TWO)
        one, two = take(layout), take(layout)
        one.add(ONE, soon())
        listed(strange, two.name, one.name)
        assert leased(layout, two.name) == {ONE}
        assert (leases / strange).exists()
        one.end()
        two.end()

    def test_those_of_the_dead_are_removed(self, layout: Layout, leases: Path) -> None:
        (leases / NAMED).write_text(f"{ONE}\n")
        lease = take(layout)
        before = open_descriptors()
        assert leased(layout, lease.name) == set()
        assert open_descriptors() == before
        assert os.listdir(leases) == [lease.name]
        lease.end()

    def test_those_of_the_dead_are_removed_as_on_windows(
        self, layout: Layout, leases: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (leases / NAMED).write_text(f"{ONE}\n")
        monkeypatch.setattr(windows, "WINDOWS", True)
        assert leased(layout, None) == set()
        assert os.listdir(leases) == []

    def test_one_that_goes_meanwhile(self, layout: Layout, listed: Callable[..., None]) -> None:
        lease = take(layout)
        lease.add(ONE, soon())
        listed(NAMED, lease.name)
        assert leased(layout, None) == {ONE}
        lease.end()

    def test_of_strange_content(self, layout: Layout, leases: Path) -> None:
        lease = take(layout)
        assert lease.name is not None
        assert lease._fd is not None
        os.write(lease._fd, b"\xff\n")
        lease.add(ONE, soon())
        assert leased(layout, None) == {"\ufffd", ONE}
        lease.end()

    @on_posix
    def test_of_no_file(self, layout: Layout, leases: Path) -> None:
        (leases / NAMED).symlink_to("elsewhere")
        assert leased(layout, None) == set()
        assert os.listdir(leases) == [NAMED]

    @on_posix
    def test_that_cannot_be_read(self, nobody: Path) -> None:
        leases = nobody / ".store" / "leases"
        leases.mkdir(parents=True)
        (leases / NAMED).touch()
        (leases / NAMED).chmod(0)
        said: list[str] = []
        with telling(said.append):
            assert leased(Layout(os.fspath(nobody)), None) is None
        (message,) = said
        assert message.startswith("nothing is removed, because a lease cannot be read: ")
        assert NAMED in message

    def test_that_cannot_be_listed(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError):
            leased(Layout(os.fspath(tmp_path)), None)
