"""A store is opened, made and closed, step by step; tests/store/test_refusals.py has what the system refuses of it."""

from __future__ import annotations

import errno
import os
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from small.descriptors import open_descriptors
from small.made import DIGEST
from wheel_linker import LinkError
from wheel_linker._fs.patience import Patience
from wheel_linker.store import opened as module
from wheel_linker.store.control import control_folder
from wheel_linker.store.index import Known
from wheel_linker.store.layout import Layout
from wheel_linker.store.lease import Lease, leased
from wheel_linker.store.opened import Opened, sweep_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ENTRY = "aaaaaaaaaa"
on_posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such permissions")


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(os.fspath(tmp_path / "store"))


@pytest.fixture
def opening() -> Iterator[Callable[..., Opened]]:
    """Return a function that opens a store, which is closed at the end."""
    made: list[Opened] = []

    def open_it(layout: Layout, *, trusted: bool = False, read_only: bool = False) -> Opened:
        patience = Patience(layout.root, 0.2)
        made.append(Opened(layout, patience, trusted=trusted, read_only=read_only))
        return made[-1]

    yield open_it
    for each in made:
        each.close()


def mode(path: str | Path) -> int:
    return stat.S_IMODE(os.stat(path).st_mode)


def has_readers(one: Opened, layout: Layout) -> bool:
    with one.lease.no_readers(Patience(layout.root, 0.2)) as ours:
        return not ours


def note(one: Opened, layout: Layout, wheel: Path) -> None:
    with control_folder(layout) as control:
        one.index.add(control, os.fspath(wheel), wheel.stat(), Known(DIGEST, ENTRY), one.standing)


def litter(layout: Layout) -> Path:
    """Leave what a killed process leaves."""
    made = Path(layout.control, "staging", ".wheel_linker-0123456789abcdef")
    made.mkdir()
    (made / "owner").touch()
    return made


class TestMade:
    def test_what_there_is(self, layout: Layout, opening: Callable[..., Opened]) -> None:
        one = opening(layout)
        assert sorted(os.listdir(layout.root)) == [".store"]
        assert sorted(os.listdir(layout.control)) == ["leases", "lock", "readers", "staging"]
        assert one.pid == os.getpid()
        assert one.refusal is None
        assert one.lock is not None
        assert os.path.samestat(os.fstat(one.lock), os.stat(os.path.join(layout.control, "lock")))
        assert one.standing.doubt is None
        assert os.listdir(layout.leases) == [one.lease.name]

    @on_posix
    def test_root_is_where_symlinks_lead(
        self, tmp_path: Path, layout: Layout, opening: Callable[..., Opened]
    ) -> None:
        (tmp_path / "real").mkdir()
        (tmp_path / "store").symlink_to("real")
        assert opening(layout).root == os.path.realpath(tmp_path / "real")

    @on_posix
    def test_a_shared_one_is_for_the_group(
        self, tmp_path: Path, layout: Layout, opening: Callable[..., Opened]
    ) -> None:
        (tmp_path / "store").mkdir()
        (tmp_path / "store").chmod(0o2775)
        before = os.umask(0o077)
        try:
            assert opening(layout).standing.shared
            modes = {
                name: mode(os.path.join(layout.control, name)) & 0o777
                for name in (".", "leases", "staging", "lock", "readers")
            }
            assert {name: bits & 0o070 for name, bits in modes.items()} == {
                ".": 0o070,
                "leases": 0o070,
                "staging": 0o070,
                "lock": 0o060,
                "readers": 0o060,
            }
            # What is there already is left as it is.
            for name in modes:
                os.chmod(os.path.join(layout.control, name), 0o700)
            opening(layout)
            assert {mode(os.path.join(layout.control, name)) & 0o777 for name in modes} == {0o700}
        finally:
            os.umask(before)

    @pytest.mark.parametrize("missing", ["leases", "staging", "lock", "readers"])
    def test_what_is_missing_is_made_again(
        self, layout: Layout, opening: Callable[..., Opened], missing: str
    ) -> None:
        opening(layout).close()
        path = Path(layout.control, missing)
        path.rmdir() if path.is_dir() else path.unlink()
        opening(layout)
        assert path.exists()

    def test_what_was_left_is_removed(self, layout: Layout, opening: Callable[..., Opened]) -> None:
        opening(layout).close()
        left = litter(layout)
        opening(layout)
        assert not left.exists()
        left = litter(layout)
        sweep_in(layout)
        assert not left.exists()

    def test_the_index_is_read(
        self, tmp_path: Path, layout: Layout, opening: Callable[..., Opened]
    ) -> None:
        wheel = tmp_path / "wheel"
        wheel.write_bytes(b"wheel")
        note(opening(layout), layout, wheel)
        for read_only in (False, True):
            found = opening(layout, read_only=read_only).index.find(os.fspath(wheel), wheel.stat())
            assert found == Known(DIGEST, ENTRY)

    def test_others_are_kept_from_removing(
        self, layout: Layout, opening: Callable[..., Opened]
    ) -> None:
        one, other = opening(layout), opening(layout)
        one.lease.add(ENTRY, Patience(layout.root, 0.2))
        assert leased(layout, other.lease.name) == {ENTRY}
        one.close()
        assert leased(layout, other.lease.name) == set()
        assert one.lock is None
        one.close()

    def test_nothing_stays_open(self, layout: Layout, opening: Callable[..., Opened]) -> None:
        opening(layout).close()
        for read_only in (False, True):
            before = open_descriptors()
            one = opening(layout, read_only=read_only)
            assert open_descriptors() != before
            one.close()
            assert open_descriptors() == before


class TestOnlyRead:
    def test_because_that_is_wanted(self, layout: Layout, opening: Callable[..., Opened]) -> None:
        first = opening(layout)
        left = litter(layout)
        one = opening(layout, read_only=True)
        assert (one.lock, one.refusal, one.lease.name) == (None, None, None)
        assert one.standing.doubt is None
        assert one.root == os.path.realpath(layout.root)
        assert left.exists()
        assert os.listdir(layout.leases) == [first.lease.name]
        # Nothing is removed as long as it is open.
        assert has_readers(first, layout)
        one.close()
        assert not has_readers(first, layout)

    def test_one_that_is_missing(self, layout: Layout, opening: Callable[..., Opened]) -> None:
        with pytest.raises(LinkError) as caught:
            opening(layout, read_only=True)
        said = f"cannot open the store {layout.root!r}: "
        assert str(caught.value).startswith(said)
        assert (caught.value.errno, caught.value.destination) == (errno.ENOENT, layout.root)
        assert not os.path.exists(layout.root)

    def test_one_that_has_nothing_of_its_own(
        self, layout: Layout, tmp_path: Path, opening: Callable[..., Opened]
    ) -> None:
        (tmp_path / "store").mkdir()
        one = opening(layout, read_only=True)
        assert os.listdir(layout.root) == []
        assert one.index.find(os.fspath(tmp_path), tmp_path.stat()) is None

    @on_posix
    def test_because_of_permissions(self, nobody: Path, opening: Callable[..., Opened]) -> None:
        layout = Layout(os.fspath(nobody / "store"))
        wheel = nobody / "wheel"
        wheel.write_bytes(b"wheel")
        first = opening(layout)
        note(first, layout, wheel)
        os.chmod(layout.leases, 0o555)
        before = open_descriptors()
        one = opening(layout)
        assert isinstance(one.refusal, PermissionError)
        assert (one.lock, one.lease.name, one.standing.doubt) == (None, None, None)
        assert one.index.find(os.fspath(wheel), wheel.stat()) == Known(DIGEST, ENTRY)
        assert has_readers(first, layout)
        # The lock is let go of: only that of the readers is open.
        assert len(open_descriptors()) == len(before) + 1
        one.close()
        assert open_descriptors() == before
        os.chmod(layout.leases, 0o755)

    @on_posix
    def test_where_it_cannot_be_made(self, nobody: Path, opening: Callable[..., Opened]) -> None:
        nobody.chmod(0o555)
        one = opening(Layout(os.fspath(nobody / "store")))
        assert isinstance(one.refusal, PermissionError)
        assert one.standing.doubt is None
        assert one.index.find("wheel", nobody.stat()) is None
        nobody.chmod(0o755)

    def test_on_a_full_disk(
        self, layout: Layout, opening: Callable[..., Opened], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first = opening(layout)
        full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        monkeypatch.setattr(module, "make_root", raising(full))
        one = opening(layout)
        assert one.refusal is full
        assert has_readers(first, layout)


def raising(error: BaseException) -> Callable[..., Any]:
    def refuse(*_: object, **__: object) -> Any:
        raise error

    return refuse


class TestRefused:
    def test_what_is_no_store(
        self, tmp_path: Path, layout: Layout, opening: Callable[..., Opened]
    ) -> None:
        (tmp_path / "store").touch()
        with pytest.raises(LinkError) as caught:
            opening(layout)
        assert str(caught.value).startswith(f"cannot open the store {layout.root!r}: ")
        assert caught.value.errno == errno.ENOTDIR
        assert caught.value.destination == layout.root

    def test_says_where(
        self, tmp_path: Path, layout: Layout, opening: Callable[..., Opened]
    ) -> None:
        lock = os.path.join(layout.control, "lock")
        os.makedirs(lock)
        with pytest.raises(LinkError) as caught:
            opening(layout)
        assert str(caught.value).startswith(f"cannot open the store {layout.root!r} at {lock!r}: ")

    @pytest.mark.parametrize("number", [errno.EIO, errno.EACCES])
    def test_what_took_too_long_is_not_only_read(
        self,
        layout: Layout,
        opening: Callable[..., Opened],
        monkeypatch: pytest.MonkeyPatch,
        number: int,
    ) -> None:
        before = open_descriptors()
        error = LinkError("it took too long", errno=number)
        monkeypatch.setattr(Lease, "take", raising(error))
        with pytest.raises(LinkError) as caught:
            opening(layout)
        assert caught.value.errno == number
        assert open_descriptors() == before

    def test_a_broken_disk(
        self, layout: Layout, opening: Callable[..., Opened], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        broken = OSError(errno.EIO, os.strerror(errno.EIO))
        monkeypatch.setattr(module, "make_root", raising(broken))
        with pytest.raises(LinkError) as caught:
            opening(layout)
        assert caught.value.errno == errno.EIO

    @pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(errno.EIO, "broken")])
    def test_nothing_stays_open(
        self,
        layout: Layout,
        opening: Callable[..., Opened],
        monkeypatch: pytest.MonkeyPatch,
        error: BaseException,
    ) -> None:
        before = open_descriptors()
        monkeypatch.setattr(module, "standing_in", raising(error))
        with pytest.raises((KeyboardInterrupt, LinkError)):
            opening(layout)
        assert open_descriptors() == before
        assert os.listdir(layout.leases) == []


@on_posix
class TestTrust:
    @pytest.mark.parametrize("place", ["root", "control"])
    def test_each_place_counts(
        self, tmp_path: Path, layout: Layout, opening: Callable[..., Opened], place: str
    ) -> None:
        wheel = tmp_path / "wheel"
        wheel.write_bytes(b"wheel")
        note(opening(layout), layout, wheel)
        os.chmod(getattr(layout, place), 0o777)
        one = opening(layout)
        assert one.standing.doubt == "everybody may write to it"
        # Nor is the index believed.
        assert one.index.find(os.fspath(wheel), wheel.stat()) is None
        for read_only in (False, True):
            assert opening(layout, trusted=True, read_only=read_only).standing.doubt is None
            assert opening(layout, read_only=read_only).standing.doubt is not None
        found = opening(layout, trusted=True).index.find(os.fspath(wheel), wheel.stat())
        assert found == Known(DIGEST, ENTRY)

    def test_the_caller_is_asked_where_it_cannot_be_made(
        self, nobody: Path, opening: Callable[..., Opened]
    ) -> None:
        nobody.chmod(0o555)
        layout = Layout(os.fspath(nobody / "store"))
        assert opening(layout, trusted=True).standing.trusted
        assert not opening(layout).standing.trusted
        nobody.chmod(0o755)
