"""Which directories may be entered to be written to, and how they are reached when there is nothing left."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Any

import pytest

from wheel_linker import LinkError
from wheel_linker._fs.descent import Descent
from wheel_linker._fs.folder import Folder
from wheel_linker._link.containment import Containment

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from wheel_linker._fs.folder import Parts

pytestmark = pytest.mark.usefixtures("way")


@pytest.fixture
def folder(site: Path, way: str) -> Any:
    with Folder.open(os.path.realpath(site)) as folder:
        yield folder


@pytest.fixture
def containment(folder: Folder) -> Containment:
    return Containment(folder)


@pytest.fixture
def link(site: Path) -> Callable[[str, object], None]:
    """Return a function that makes a symlink to a directory in the destination."""

    def link(name: str, target: object) -> None:
        try:
            (site / name).symlink_to(str(target), target_is_directory=True)
        except OSError:
            pytest.skip("no symlinks here")

    return link


def is_open(folder: Folder) -> bool:
    """Tell whether a folder can be used; by path it always can."""
    try:
        folder.lstat("none")
    except OSError:
        return False
    return True


@pytest.fixture
def entered(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> list[Folder]:
    """The directories that are opened from now on."""
    if folder.fd is None:
        pytest.skip("nothing is opened")
    entered: list[Folder] = []
    enter = Folder.enter

    def noting(folder: Folder, name: str, *, listing: bool = False) -> Folder:
        entered.append(enter(folder, name, listing=listing))
        return entered[-1]

    monkeypatch.setattr(Folder, "enter", noting)
    return entered


class TestEnter:
    def test_a_directory(self, containment: Containment, site: Path, folder: Folder) -> None:
        (site / "pkg").mkdir()
        with containment.enter(folder, "pkg") as entered:
            assert entered.path == os.path.join(folder.path, "pkg")
            assert entered.listdir() == []

    def test_what_is_missing(self, containment: Containment, folder: Folder) -> None:
        with pytest.raises(FileNotFoundError):
            containment.enter(folder, "pkg")

    def test_a_file(self, containment: Containment, site: Path, folder: Folder) -> None:
        (site / "pkg").touch()
        with pytest.raises(NotADirectoryError) as caught:
            containment.enter(folder, "pkg")
        assert not isinstance(caught.value, LinkError)

    def test_a_symlink_within(
        self,
        containment: Containment,
        site: Path,
        folder: Folder,
        link: Callable[[str, object], None],
    ) -> None:
        """The path is the real one."""
        (site / "real one/deep").mkdir(parents=True)
        (site / "pkg").mkdir()
        (site / "real one/deep/x").touch()
        link("a", "real one")
        link("pkg/b", "../real one/deep")
        with containment.enter(folder, "a") as entered:
            assert entered.path == os.path.join(folder.path, "real one")
            assert entered.listdir() == ["deep"]
        with (
            containment.enter(folder, "pkg") as above,
            containment.enter(above, "b") as entered,
        ):
            assert entered.path == os.path.join(folder.path, "real one", "deep")
            assert entered.listdir() == ["x"]

    def test_two_descriptors_are_enough_for_a_symlink(
        self,
        containment: Containment,
        site: Path,
        folder: Folder,
        link: Callable[[str, object], None],
        entered: list[Folder],
    ) -> None:
        (site / "a/b/c/d").mkdir(parents=True)
        link("link", "a/b/c/d")
        opened: list[int] = []
        enter = Folder.enter
        with pytest.MonkeyPatch.context() as patch:

            def counting(folder: Folder, name: str, *, listing: bool = False) -> Folder:
                inner = enter(folder, name, listing=listing)
                opened.append(sum(map(is_open, entered)))
                return inner

            patch.setattr(Folder, "enter", counting)
            containment.enter(folder, "link").close()
        assert opened == [1, 2, 2, 2]

    def test_a_symlink_that_leads_nowhere(
        self, containment: Containment, folder: Folder, link: Callable[[str, object], None]
    ) -> None:
        link("a", "none/deep")
        with pytest.raises(FileNotFoundError):
            containment.enter(folder, "a")

    def test_a_symlink_to_the_outside(
        self,
        containment: Containment,
        folder: Folder,
        tmp_path: Path,
        link: Callable[[str, object], None],
    ) -> None:
        elsewhere = os.path.realpath(tmp_path / "elsewhere")
        os.mkdir(elsewhere)
        link("a", elsewhere)
        path = os.path.join(folder.path, "a")
        with pytest.raises(LinkError) as caught:
            containment.enter(folder, "a")
        assert str(caught.value) == (
            f"{path!r} is a symlink to {elsewhere!r}, outside of {folder.path!r}: nothing is written through it; "
            "replace it by a directory, or remove it"
        )
        assert (caught.value.errno, caught.value.destination) == (errno.ELOOP, path)

    @pytest.mark.parametrize("number", [errno.EACCES, errno.ENOMEM])
    def test_a_symlink_that_cannot_be_looked_at(
        self,
        containment: Containment,
        site: Path,
        folder: Folder,
        link: Callable[[str, object], None],
        number: int,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """Whatever else the system says of a symlink, it is not followed."""
        (site / "real").mkdir()
        link("a", "real")

        def refuse(folder: Folder, name: str, *, listing: bool = False) -> Folder:
            raise OSError(number, "refused here")

        monkeypatch.setattr(Folder, "enter", refuse)
        with pytest.raises(OSError, match="refused here"):
            containment.enter(folder, "a")

    def test_a_directory_that_vanishes(
        self, containment: Containment, folder: Folder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(folder: Folder, name: str, *, listing: bool = False) -> Folder:
            raise NotADirectoryError(errno.ENOTDIR, "refused here")

        monkeypatch.setattr(Folder, "enter", refuse)
        with pytest.raises(OSError, match="refused here"):
            containment.enter(folder, "none")


class TestProtect:
    def test_wheels_in_the_destination(
        self, containment: Containment, site: Path, folder: Folder, tmp_path: Path
    ) -> None:
        for name in ("wheels/one", "two", "wheels/three"):
            (site / name).mkdir(parents=True)
        one, two = (
            os.path.join(folder.path, name) for name in (os.path.join("wheels", "one"), "two")
        )
        containment.protect([one, os.fspath(tmp_path)])
        containment.protect([two])
        with containment.enter(folder, "wheels") as above:
            containment.enter(above, "three").close()
            with pytest.raises(LinkError) as caught:
                containment.enter(above, "one")
        assert str(caught.value) == (
            f"{one!r} is part of the unpacked wheel {one!r} itself: keep unpacked wheels outside site-packages"
        )
        assert caught.value.destination == one
        with pytest.raises(LinkError, match="is part of the unpacked wheel"):
            containment.enter(folder, "two")

    def test_a_symlink_to_one(
        self,
        containment: Containment,
        site: Path,
        folder: Folder,
        link: Callable[[str, object], None],
    ) -> None:
        """The path is that of the symlink."""
        (site / "wheels/one").mkdir(parents=True)
        link("a", "wheels/one")
        one = os.path.join(folder.path, "wheels", "one")
        containment.protect([one])
        with pytest.raises(LinkError) as caught:
            containment.enter(folder, "a")
        assert caught.value.destination == os.path.join(folder.path, "a")

    def test_nothing_stays_open(
        self, containment: Containment, site: Path, folder: Folder, entered: list[Folder]
    ) -> None:
        (site / "one").mkdir()
        containment.protect([os.path.join(folder.path, "one")])
        with pytest.raises(LinkError):
            containment.enter(folder, "one")
        assert [is_open(each) for each in entered] == [False]


class TestReach:
    @pytest.fixture
    def refusing(self, monkeypatch: pytest.MonkeyPatch) -> Callable[[OSError], None]:
        """Return a function that lets no directory be opened."""

        def begin(error: OSError) -> None:
            def refuse(descent: Descent, parts: Parts) -> Folder:
                raise error

            monkeypatch.setattr(Descent, "go", refuse)

        return begin

    def reach(self, containment: Containment, folder: Folder, *parts: str) -> Folder:
        with Descent(folder, containment.enter) as folders:
            return containment.reach(folders, parts)

    def test_by_opening_it(self, containment: Containment, site: Path, folder: Folder) -> None:
        (site / "a/b").mkdir(parents=True)
        (site / "a/b/x").touch()
        with Descent(folder, containment.enter) as folders:
            reached = containment.reach(folders, ("a", "b"))
            assert reached.listdir() == ["x"]
            assert folders._parts == ("a", "b")

    @pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EIO])
    def test_by_its_path(
        self,
        containment: Containment,
        site: Path,
        folder: Folder,
        refusing: Callable[[OSError], None],
        number: int,
    ) -> None:
        (site / "a/b").mkdir(parents=True)
        (site / "a/b/x").touch()
        refusing(OSError(number, "refused here"))
        reached = self.reach(containment, folder, "a", "b")
        assert reached.path == os.path.join(folder.path, "a", "b")
        assert reached.fd == folder.fd
        assert reached.lstat("x") is not None

    @pytest.mark.parametrize(
        "error",
        [
            OSError(errno.EACCES, "refused here"),
            OSError(errno.ENOENT, "refused here"),
            LinkError("refused here", errno=errno.EIO),
        ],
    )
    def test_not_if_it_is_refused_otherwise(
        self,
        containment: Containment,
        site: Path,
        folder: Folder,
        refusing: Callable[[OSError], None],
        error: OSError,
    ) -> None:
        (site / "a").mkdir()
        refusing(error)
        with pytest.raises(OSError, match="refused here"):
            self.reach(containment, folder, "a")

    def test_not_the_destination_itself(
        self, containment: Containment, folder: Folder, refusing: Callable[[OSError], None]
    ) -> None:
        refusing(OSError(errno.EIO, "refused here"))
        with pytest.raises(OSError, match="refused here"):
            self.reach(containment, folder)

    @pytest.mark.parametrize("names", ["link", "link/b", "a/link", "a/link/c"])
    def test_not_through_symlinks(
        self,
        containment: Containment,
        site: Path,
        folder: Folder,
        refusing: Callable[[OSError], None],
        link: Callable[[str, object], None],
        names: str,
    ) -> None:
        (site / "a/b/c").mkdir(parents=True)
        link("link", "a")
        link("a/link", "b")
        refusing(OSError(errno.EIO, "refused here"))
        with pytest.raises(OSError, match="refused here"):
            self.reach(containment, folder, *names.split("/"))

    @pytest.mark.parametrize("names", ["none", "a/none", "a/file"])
    def test_not_what_is_no_directory(
        self,
        containment: Containment,
        site: Path,
        folder: Folder,
        refusing: Callable[[OSError], None],
        names: str,
    ) -> None:
        (site / "a").mkdir()
        (site / "a/file").touch()
        refusing(OSError(errno.EIO, "refused here"))
        with pytest.raises(OSError, match="refused here"):
            self.reach(containment, folder, *names.split("/"))
