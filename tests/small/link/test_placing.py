"""The loops that place files: what each mode makes, where it stops, and what may have a second name."""

from __future__ import annotations

import errno
import os
import stat
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from wheel_linker import LinkMode
from wheel_linker._compat.override import override
from wheel_linker._fs import sharing
from wheel_linker._fs.copying import TIMES_BY_DESCRIPTOR, copy_content, create_from
from wheel_linker._fs.folder import Folder
from wheel_linker._fs.sharing import NotSharedError
from wheel_linker._link import placing as module
from wheel_linker._link.placing import Loops, placing
from wheel_linker.backends import Backend
from wheel_linker.backends import linux as linux_backend
from wheel_linker.backends.linux import LinuxBackend

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MODES = list(LinkMode)
CLONE, COPY, HARDLINK, SYMLINK = (
    LinkMode.CLONE,
    LinkMode.COPY,
    LinkMode.HARDLINK,
    LinkMode.SYMLINK,
)
NAMES = ["a.py", "b.txt", "c.py"]
STAMP = 10**18 + 123_456_700
THIRD = 54_321


class Copying(Backend):
    """Stands in for a file system that clones: it copies, and the new file has the present time."""

    @override
    def clone_file(
        self,
        source: str,
        destination: str,
        *,
        source_dir: int | None = None,
        destination_dir: int | None = None,
    ) -> None:
        create_from(copy_content, source, destination, source_dir, destination_dir)


class CopyingOnLinux(LinuxBackend):
    """The same, by one who has changed the library's own."""

    clone_file = Copying.clone_file


class Ends(NamedTuple):
    """Where files come from and go to, by path and opened."""

    here: Path
    there: Path
    source: Folder
    target: Folder

    def place(self, mode: LinkMode, *names: str, **how: Any) -> tuple[int, OSError | None]:
        """Have files placed."""
        place = placing(mode, how.pop("backend", Copying()), **how)
        return place(names or NAMES, self.source, self.target)


@pytest.fixture
def ends(tmp_path: Path, way: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ends]:
    here, there = tmp_path / "source", tmp_path / "target"
    # Where a name would be looked for without a directory.
    monkeypatch.chdir(tmp_path)
    there.mkdir()
    here.mkdir(mode=0o755)
    for name in NAMES:
        (here / name).write_text(f"content of {name}")
        os.utime(here / name, ns=(STAMP, STAMP))
    with Folder.open(os.fspath(here)) as source, Folder.open(os.fspath(there)) as target:
        yield Ends(here, there, source, target)


def make_foreign(path: Path) -> None:
    """Give a file to a third user."""
    if sys.platform == "win32" or os.geteuid() != 0:
        pytest.skip("only root can give files away")
    os.chown(path, THIRD, THIRD)


def make_set_id(path: Path) -> None:
    if os.name == "nt":
        pytest.skip("there are no such bits here")
    path.chmod(0o4755)


def link(path: Path, target: Path) -> None:
    try:
        path.symlink_to(target)
    except OSError:
        pytest.skip("no symlinks here")


@pytest.fixture
def flags(monkeypatch: pytest.MonkeyPatch) -> set[int]:
    """The inodes of files that have flags, on a system where files have such."""
    flagged: set[int] = set()
    monkeypatch.setattr(sharing, "HAS_FLAGS", True)
    monkeypatch.setattr(
        sharing, "harmful", lambda status: stat.UF_HIDDEN if status.st_ino in flagged else 0
    )
    return flagged


@pytest.mark.parametrize("trusted", [True, False])
class TestEachMode:
    @pytest.mark.parametrize("keeps_times", [True, False])
    @pytest.mark.parametrize("mode", MODES)
    def test_places_files(
        self, ends: Ends, mode: LinkMode, trusted: bool, keeps_times: bool
    ) -> None:
        assert ends.place(mode, trusted=trusted, keeps_times=keeps_times) == (3, None)
        for name in NAMES:
            here, there = ends.here / name, ends.there / name
            assert there.read_text() == f"content of {name}"
            assert there.is_symlink() == (mode is SYMLINK)
            same = mode in (HARDLINK, SYMLINK)
            assert os.path.samefile(here, there) == same
            if mode is SYMLINK:
                assert os.readlink(there) == os.fspath(here)
            if not same:
                kept = keeps_times and name.endswith(".py")
                assert (there.stat().st_mtime_ns == STAMP) == kept

    @pytest.mark.parametrize("keeps_times", [True, False])
    @pytest.mark.parametrize("mode", MODES)
    def test_stops_where_a_file_is_refused(
        self, ends: Ends, mode: LinkMode, trusted: bool, keeps_times: bool
    ) -> None:
        (ends.there / "c.py").write_text("in the way")
        os.utime(ends.there / "c.py", ns=(1, 1))
        names = ["a.py", "b.txt", "c.py", "d.py"]
        (ends.here / "d.py").write_text("d")
        done, error = ends.place(mode, *names, trusted=trusted, keeps_times=keeps_times)
        assert done == 2
        assert isinstance(error, FileExistsError)
        assert sorted(os.listdir(ends.there)) == NAMES
        assert (ends.there / "c.py").read_text() == "in the way"
        assert (ends.there / "c.py").stat().st_mtime_ns == 1

    def test_no_file(self, ends: Ends, trusted: bool) -> None:
        for mode in MODES:
            assert placing(mode, Copying(), trusted=trusted)((), ends.source, ends.target) == (
                0,
                None,
            )


class TestTimes:
    """Bytecode names the time of its source."""

    @pytest.mark.parametrize("backend", [Copying(), CopyingOnLinux()])
    def test_of_a_clone(self, ends: Ends, backend: Backend) -> None:
        assert ends.place(CLONE, keeps_times=True, backend=backend) == (3, None)
        for name in ("a.py", "c.py"):
            assert (ends.there / name).stat().st_mtime_ns == STAMP
        assert (ends.there / "b.txt").stat().st_mtime_ns != STAMP

    @pytest.mark.parametrize("mode", [CLONE, COPY])
    def test_are_kept_only_if_asked_for(self, ends: Ends, mode: LinkMode) -> None:
        assert ends.place(mode) == (3, None)
        assert (ends.there / "a.py").stat().st_mtime_ns != STAMP

    def test_that_cannot_be_set(self, ends: Ends, monkeypatch: pytest.MonkeyPatch) -> None:
        """Its bytecode is then made anew."""

        def refused(*_: object, **__: object) -> None:
            raise OSError(errno.EPERM, "refused here")

        monkeypatch.setattr(os, "utime", refused)
        assert ends.place(CLONE, keeps_times=True) == (3, None)
        assert len(os.listdir(ends.there)) == 3

    def test_of_what_a_swapped_file_leads_to_stays(self, ends: Ends, tmp_path: Path) -> None:
        """The time is that of the symlink that took the file's place, not of a file elsewhere."""
        (tmp_path / "elsewhere").touch()
        os.utime(tmp_path / "elsewhere", ns=(7, 7))

        class Swapped(Copying):
            @override
            def clone_file(self, source: str, destination: str, **where: Any) -> None:
                super().clone_file(source, destination, **where)
                (ends.here / "a.py").unlink()
                link(ends.here / "a.py", tmp_path / "elsewhere")

        assert ends.place(CLONE, "a.py", keeps_times=True, backend=Swapped()) == (1, None)
        assert (ends.there / "a.py").stat().st_mtime_ns != 7

    def test_of_what_is_filled_while_it_is_open(
        self, ends: Ends, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The library's own backend needs no path for the time."""
        monkeypatch.setattr(linux_backend, "share_blocks", copy_content)
        monkeypatch.setattr(module, "sys", SimpleNamespace(platform="linux"))
        set_time, files = os.utime, list[Any]()

        def noting(file: Any, **more: Any) -> None:
            files.append(file)
            set_time(file, **more)

        monkeypatch.setattr(os, "utime", noting)
        assert ends.place(CLONE, keeps_times=True, backend=LinuxBackend()) == (3, None)
        assert len(files) == 2
        if TIMES_BY_DESCRIPTOR:
            assert all(isinstance(file, int) for file in files)
        times = [(ends.there / name).stat().st_mtime_ns == STAMP for name in NAMES]
        assert times == [True, False, True]
        assert module._filling(CLONE, LinuxBackend()) is copy_content
        assert module._filling(CLONE, CopyingOnLinux()) is None
        assert module._filling(HARDLINK, LinuxBackend()) is None
        monkeypatch.setattr(module, "sys", SimpleNamespace(platform="darwin"))
        assert module._filling(CLONE, LinuxBackend()) is None


class TestSecondNames:
    """Files that have none, because that would not mean the same in every place for ever."""

    @pytest.mark.parametrize("spoil", [make_foreign, make_set_id])
    @pytest.mark.parametrize("mode", [HARDLINK, SYMLINK])
    def test_of_a_third_user_or_with_set_id_bits(
        self, ends: Ends, mode: LinkMode, spoil: Any
    ) -> None:
        spoil(ends.here / "b.txt")
        done, error = ends.place(mode)
        assert done == 1
        assert isinstance(error, NotSharedError)
        assert error.filename == "b.txt"
        assert os.listdir(ends.there) == ["a.py"]
        (ends.there / "a.py").unlink()
        assert ends.place(mode, trusted=True) == (3, None)

    @pytest.mark.parametrize("mode", [CLONE, COPY])
    def test_copies_are_another_matter(self, ends: Ends, mode: LinkMode) -> None:
        make_set_id(ends.here / "b.txt")
        assert ends.place(mode) == (3, None)
        assert stat.S_IMODE((ends.there / "b.txt").stat().st_mode) & stat.S_ISUID == 0

    @pytest.mark.parametrize("trusted", [True, False])
    def test_with_flags(self, ends: Ends, flags: set[int], trusted: bool) -> None:
        flags.add((ends.here / "b.txt").stat().st_ino)
        done, error = ends.place(HARDLINK, trusted=trusted)
        assert done == 1
        assert isinstance(error, NotSharedError)
        assert error.filename == "b.txt"
        assert os.listdir(ends.there) == ["a.py"]

    @pytest.mark.parametrize("trusted", [True, False])
    def test_without_flags(self, ends: Ends, flags: set[int], trusted: bool) -> None:
        assert ends.place(HARDLINK, trusted=trusted) == (3, None)

    def test_set_id_bits_where_files_have_flags(self, ends: Ends, flags: set[int]) -> None:
        make_set_id(ends.here / "b.txt")
        done, error = ends.place(HARDLINK)
        assert (done, type(error)) == (1, NotSharedError)
        (ends.there / "a.py").unlink()
        assert ends.place(HARDLINK, trusted=True) == (3, None)

    def test_flags_stay_behind_a_symlink(self, ends: Ends, flags: set[int]) -> None:
        flags.add((ends.here / "b.txt").stat().st_ino)
        assert ends.place(SYMLINK) == (3, None)

    @pytest.mark.parametrize("wary", [True, False])
    def test_a_symlink_in_the_place_of_a_file(self, ends: Ends, tmp_path: Path, wary: bool) -> None:
        """What it leads to gets no second name, and is not looked at."""
        if sharing.FOLLOW:
            pytest.skip("links are followed here")
        (tmp_path / "elsewhere").touch()
        make_set_id(tmp_path / "elsewhere")
        link(ends.here / "d", tmp_path / "elsewhere")
        if wary:
            ends.here.chmod(0o777)
        assert ends.place(HARDLINK, "a.py", "d") == (2, None)
        assert os.readlink(ends.there / "d") == os.fspath(tmp_path / "elsewhere")


@pytest.mark.skipif(os.name == "nt", reason="no directory says who may write to it")
class TestWhereOthersWrite:
    """They may exchange a file between a look at it and the link: so it is looked at afterwards."""

    @pytest.fixture
    def wary(self, ends: Ends) -> Ends:
        ends.here.chmod(0o777)
        return ends

    def test_places_files(self, wary: Ends) -> None:
        assert wary.place(HARDLINK) == (3, None)
        for name in NAMES:
            assert os.path.samefile(wary.here / name, wary.there / name)

    def test_stops_where_a_file_is_refused(self, wary: Ends) -> None:
        (wary.there / "c.py").write_text("in the way")
        done, error = wary.place(HARDLINK)
        assert (done, type(error)) == (2, FileExistsError)
        assert (wary.there / "c.py").read_text() == "in the way"

    @pytest.mark.parametrize("spoil", [make_foreign, make_set_id])
    def test_what_was_swapped(
        self, wary: Ends, spoil: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        make = os.link

        def swapped(source: str, *more: Any, **where: Any) -> None:
            if source.endswith("b.txt"):
                spoil(wary.here / "b.txt")
            make(source, *more, **where)

        monkeypatch.setattr(os, "link", swapped)
        done, error = wary.place(HARDLINK)
        assert done == 1
        assert isinstance(error, NotSharedError)
        assert error.filename == "b.txt"
        assert os.listdir(wary.there) == ["a.py"]

    def test_an_interrupt(self, wary: Ends, monkeypatch: pytest.MonkeyPatch) -> None:
        """A link that nobody has looked at does not stay."""

        def interrupted(*_: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(module, "refuse_to_share", interrupted)
        with pytest.raises(KeyboardInterrupt):
            wary.place(HARDLINK)
        assert os.listdir(wary.there) == []

    def test_what_has_flags(
        self, wary: Ends, flags: set[int], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A link to what is immutable could not be removed: it is not made."""
        flags.add((wary.here / "b.txt").stat().st_ino)
        monkeypatch.setattr(os, "unlink", None)
        done, error = wary.place(HARDLINK)
        assert done == 1
        assert isinstance(error, NotSharedError)
        assert error.filename == "b.txt"

    def test_those_who_are_trusted(self, wary: Ends) -> None:
        make_set_id(wary.here / "b.txt")
        assert wary.place(HARDLINK, trusted=True) == (3, None)


class TestLoops:
    def test_are_made_once(self) -> None:
        loops = Loops(Copying(), trusted=False, keeps_times=False)
        assert [loops[mode] for mode in MODES] == [loops[mode] for mode in MODES]
        assert len(loops) == len(MODES)

    @pytest.mark.parametrize("trusted", [True, False])
    def test_trust_as_told(self, ends: Ends, trusted: bool) -> None:
        make_set_id(ends.here / "b.txt")
        place = Loops(Copying(), trusted=trusted, keeps_times=False)[HARDLINK]
        assert place(NAMES, ends.source, ends.target)[0] == (3 if trusted else 1)

    @pytest.mark.parametrize("keeps_times", [True, False])
    @pytest.mark.parametrize("mode", [CLONE, COPY])
    def test_keep_times_as_told(self, ends: Ends, mode: LinkMode, keeps_times: bool) -> None:
        place = Loops(Copying(), trusted=False, keeps_times=keeps_times)[mode]
        assert place(NAMES, ends.source, ends.target) == (3, None)
        assert ((ends.there / "a.py").stat().st_mtime_ns == STAMP) == keeps_times
