"""Places that are there as long as one command runs."""

from __future__ import annotations

import errno
import os
import re
import stat
import tempfile
from typing import TYPE_CHECKING

import pytest

from wheel_linker import LinkError
from wheel_linker._fs import temporary
from wheel_linker._fs.folder import Folder
from wheel_linker._fs.temporary import private_directory, temporary_directory

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("way")


@pytest.fixture
def here(tmp_path: Path) -> str:
    """A directory, by its real path."""
    return os.path.realpath(tmp_path)


@pytest.fixture
def no_umask() -> Iterator[None]:
    previous = os.umask(0)
    yield
    os.umask(previous)


class TestPrivateDirectory:
    @pytest.mark.parametrize("names", [(), ("a",), ("a", "b")])
    def test_is_there_as_long_as_it_is_used(self, here: str, names: tuple[str, ...]) -> None:
        site = os.path.join(here, *names)
        with private_directory(site) as path:
            parent, name = os.path.split(path)
            assert parent == site
            assert os.listdir(site) == [name]
            assert sorted(os.listdir(path)) == ["old", "owner"]
        assert os.listdir(site) == []

    def test_an_error_takes_it_away(self, here: str) -> None:
        with pytest.raises(KeyError), private_directory(os.path.join(here, "a", "b")):
            raise KeyError
        assert os.listdir(here) == []

    def test_where_a_symlink_leads_to(self, here: str) -> None:
        os.mkdir(os.path.join(here, "real"))
        try:
            os.symlink("real", os.path.join(here, "link"), target_is_directory=True)
        except OSError:
            pytest.skip("the user may make no symlinks")
        with private_directory(os.path.join(here, "link")) as path:
            assert os.path.dirname(path) == os.path.join(here, "real")

    def test_importers_notice_what_has_changed(
        self, here: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        told: list[tuple[str, int, list[str]]] = []

        def noting(folder: Folder, before: int) -> None:
            told.append((folder.path, before, os.listdir(here)))

        monkeypatch.setattr(temporary, "refresh", noting)
        with private_directory(here):
            os.utime(here, ns=(3_000_000_000, 5_000_000_000))
        assert told == [(here, 5_000_000_000, [])]

    def test_where_nothing_can_be_made(self, here: str, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*_: object) -> int:
            raise OSError(errno.EIO, "refused here")

        monkeypatch.setattr("wheel_linker._fs.stage._make", refuse)
        with pytest.raises(LinkError) as caught, private_directory(here):
            pass
        assert str(caught.value) == (
            f"cannot write to the directory '{here}': refused here; check the disk"
        )
        assert (caught.value.errno, caught.value.destination) == (errno.EIO, here)
        assert os.listdir(here) == []


class TestTemporaryDirectory:
    @pytest.fixture(autouse=True)
    def place(self, here: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """Where this machine keeps temporary files."""
        monkeypatch.setattr(tempfile, "tempdir", here)

    def test_is_there_as_long_as_it_is_used(self, here: str) -> None:
        with temporary_directory() as path, temporary_directory() as other:
            parent, name = os.path.split(path)
            assert parent == here
            assert re.fullmatch("wheel_linker-[0-9a-f]{16}", name)
            assert other != path
            os.makedirs(os.path.join(path, "a", "b"))
            assert len(os.listdir(here)) == 2
        assert os.listdir(here) == []

    @pytest.mark.skipif(os.name != "posix", reason="Windows has no permission bits")
    @pytest.mark.usefixtures("no_umask")
    def test_nobody_else_may_look(self) -> None:
        with temporary_directory() as path:
            assert stat.S_IMODE(os.stat(path).st_mode) == 0o700

    def test_an_error_takes_it_away(self, here: str) -> None:
        with pytest.raises(KeyError), temporary_directory():
            raise KeyError
        assert os.listdir(here) == []

    def test_an_interrupt_takes_it_away(self, here: str, monkeypatch: pytest.MonkeyPatch) -> None:
        remove_directory = Folder.remove_directory
        interrupts = [KeyboardInterrupt()]

        def interrupted(folder: Folder, name: str) -> None:
            if interrupts:
                raise interrupts.pop()
            remove_directory(folder, name)

        monkeypatch.setattr(Folder, "remove_directory", interrupted)
        with pytest.raises(KeyboardInterrupt), temporary_directory():
            pass
        assert os.listdir(here) == []

    def test_hard_links_keep_their_bits(self, here: str, tmp_path: Path) -> None:
        """Of which tempfile's own removal would take that which forbids to write."""
        os.mkdir(os.path.join(here, "cache"))
        kept = tmp_path / "cache/file"
        kept.touch()
        kept.chmod(0o444)
        before = kept.stat().st_mode
        with temporary_directory() as path:
            try:
                os.link(kept, os.path.join(path, "file"))
            except OSError:
                pytest.skip("there are no hard links here")
        assert kept.stat().st_mode == before
        assert os.listdir(here) == ["cache"]
        kept.chmod(0o644)
