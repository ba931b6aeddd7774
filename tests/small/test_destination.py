"""Opening a directory that may be missing, and what is left of it if that was for nothing."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from wheel_linker import LinkError
from wheel_linker._fs import destination
from wheel_linker._fs.destination import leading_to, opened, resolved
from wheel_linker._fs.folder import Identity

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def here(tmp_path: Path) -> str:
    """A directory, by its real path."""
    return os.path.realpath(tmp_path)


def fail_after(path: str, action: Callable[[], None]) -> None:
    with opened(path):
        action()
        raise KeyError


class TestResolved:
    def test_any_kind_of_path(self, here: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(here)
        wanted = os.path.join(here, "a", "b")
        for path in ("a/b", Path("a/b"), os.path.join(here, "a", "c", "..", "b")):
            assert resolved(path) == wanted
        assert resolved(Path(here)) == here

    def test_through_symlinks(self, here: str) -> None:
        os.mkdir(os.path.join(here, "real"))
        try:
            os.symlink(
                os.path.join(here, "real"), os.path.join(here, "link"), target_is_directory=True
            )
        except OSError:
            pytest.skip("the user may make no symlinks")
        assert resolved(os.path.join(here, "link", "a")) == os.path.join(here, "real", "a")

    @pytest.mark.parametrize(
        ("path", "reason"),
        [
            ("", "the path is empty; the current directory is '.'"),
            ("a\0b", "embedded null byte"),
        ],
    )
    def test_what_can_be_no_path(self, path: str, reason: str) -> None:
        with pytest.raises(LinkError) as caught:
            resolved(path)
        assert str(caught.value) == f"cannot link into {path!r}: {reason}"
        assert caught.value.errno == errno.EINVAL
        assert isinstance(caught.value.__cause__, ValueError)

    def test_a_symlink_that_vanishes_meanwhile(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def vanish(_: str) -> str:
            raise FileNotFoundError(errno.ENOENT, "it vanished")

        monkeypatch.setattr(destination, "real_path", vanish)
        with pytest.raises(LinkError) as caught:
            resolved("link")
        assert str(caught.value) == "cannot link into 'link': it vanished"
        assert caught.value.errno == errno.ENOENT


class TestLeadingTo:
    @staticmethod
    def identity(path: str) -> Identity:
        status = os.stat(path)
        return Identity(status.st_dev, status.st_ino)

    def test_all_that_is_there(self, here: str) -> None:
        os.mkdir(os.path.join(here, "a"))
        found = leading_to(os.path.join(here, "a", "none", "neither"))
        assert found[self.identity(os.path.join(here, "a"))] == os.path.join(here, "a")
        assert found[self.identity(here)] == here
        assert found[self.identity(os.path.dirname(here))] == os.path.dirname(here)
        assert os.path.join(here, "a", "none") not in found.values()

    def test_the_lowest_path_of_each(self, here: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """A directory may be mounted below itself."""
        known: Any = SimpleNamespace(st_dev=3, st_ino=5)
        monkeypatch.setattr(os, "stat", lambda _: known)
        assert leading_to(here) == {Identity(3, 5): here}

    def test_where_there_are_no_numbers(self, here: str, monkeypatch: pytest.MonkeyPatch) -> None:
        known: Any = SimpleNamespace(st_dev=3, st_ino=0)
        monkeypatch.setattr(os, "stat", lambda _: known)
        assert leading_to(here) == {}


class TestOpened:
    def test_what_is_there(self, here: str) -> None:
        with opened(here) as folder:
            assert os.path.samestat(folder.stat(), os.stat(here))
            assert folder.path == here

    def test_what_is_missing_is_made(self, here: str) -> None:
        path = os.path.join(here, "a", "b", "c")
        with opened(path) as folder:
            assert os.path.samestat(folder.stat(), os.stat(path))
        assert os.path.isdir(path)

    def test_what_was_made_for_nothing_is_removed(self, here: str) -> None:
        os.mkdir(os.path.join(here, "a"))
        with pytest.raises(KeyError), opened(os.path.join(here, "a", "b", "c")):
            raise KeyError
        assert os.listdir(here) == ["a"]
        assert os.listdir(os.path.join(here, "a")) == []

    def test_what_was_there_stays(self, here: str) -> None:
        path = os.path.join(here, "a")
        os.mkdir(path)
        with pytest.raises(KeyError), opened(path):
            raise KeyError
        assert os.listdir(here) == ["a"]

    def test_what_others_use_by_now_stays(self, here: str) -> None:
        path = os.path.join(here, "a", "b", "c")
        with pytest.raises(KeyError):
            fail_after(path, lambda: os.mkdir(os.path.join(here, "a", "other")))
        assert os.listdir(os.path.join(here, "a")) == ["other"]

    def test_what_another_has_removed_meanwhile(self, here: str) -> None:
        path = os.path.join(here, "a", "b", "c")
        with pytest.raises(KeyError):
            fail_after(path, lambda: os.rmdir(path))
        assert os.listdir(here) == []

    def test_what_another_makes_at_the_same_time_is_the_others(
        self, here: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        mkdir = os.mkdir

        def overtaken(path: str) -> None:
            mkdir(path)
            if path.endswith("a"):
                raise FileExistsError(errno.EEXIST, "it is there", path)

        monkeypatch.setattr(os, "mkdir", overtaken)
        with pytest.raises(KeyError), opened(os.path.join(here, "a", "b")):
            raise KeyError
        assert os.listdir(here) == ["a"]
        assert os.listdir(os.path.join(here, "a")) == []

    @pytest.mark.parametrize("names", [("file",), ("file", "a", "b")])
    def test_a_file_in_its_place(self, here: str, names: tuple[str, ...]) -> None:
        file = os.path.join(here, "file")
        Path(file).touch()
        path = os.path.join(here, *names)
        with pytest.raises(LinkError) as caught, opened(path):
            pass
        assert str(caught.value) == f"cannot link into '{path}' at '{file}': it is not a directory"
        assert isinstance(caught.value, NotADirectoryError)
        assert (caught.value.errno, caught.value.destination) == (errno.ENOTDIR, path)
        assert isinstance(caught.value.__cause__, FileExistsError)
        assert os.listdir(here) == ["file"]

    def test_a_refusal(self, here: str, monkeypatch: pytest.MonkeyPatch) -> None:
        path = os.path.join(here, "a", "b")
        mkdir = os.mkdir

        def refuse(directory: str) -> None:
            if directory == path:
                raise OSError(errno.EIO, "refused here", directory)
            mkdir(directory)

        monkeypatch.setattr(os, "mkdir", refuse)
        with pytest.raises(LinkError) as caught, opened(path):
            pass
        assert str(caught.value) == (
            f"cannot open or make the directory '{path}': refused here; check the disk"
        )
        assert (caught.value.errno, caught.value.destination) == (errno.EIO, path)
        assert os.listdir(here) == []


class TestRemoved:
    def test_the_lowest_first_and_the_rest_stays_noted(
        self, here: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """If Ctrl-C comes, the removal is begun anew."""
        made = [os.path.join(here, *names) for names in (("a",), ("a", "b"), ("a", "b", "c"))]
        for path in made:
            os.mkdir(path)
        rmdir, calls = os.rmdir, []

        def interrupt(path: str) -> None:
            calls.append(path)
            if len(calls) == 2:
                raise KeyboardInterrupt
            rmdir(path)

        monkeypatch.setattr(os, "rmdir", interrupt)
        noted = list(made)
        with pytest.raises(KeyboardInterrupt):
            destination._remove(noted)
        assert noted == made[:2]
        destination._remove(noted)
        assert noted == []
        assert calls == [made[2], made[1], made[1], made[0]]
        assert os.listdir(here) == []


@pytest.mark.skipif(sys.platform == "win32", reason="there times past 2038 can be read")
class TestTimesThatCannotBeRead:
    """As on systems of 32 bits, whose ``time_t`` ends in 2038."""

    @pytest.fixture
    def unreadable(self, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
        stat, utime = os.stat, os.utime
        is_set: list[str] = []

        def refuse(path: str, **keywords: Any) -> os.stat_result:
            if not is_set:
                raise OSError(errno.EOVERFLOW, "value too large", path)
            return stat(path, **keywords)

        def set_time(path: str) -> None:
            utime(path)
            is_set.append(path)

        def begin() -> None:
            monkeypatch.setattr(os, "stat", refuse)
            monkeypatch.setattr(os, "utime", set_time)

        return begin

    def test_are_set(self, here: str, unreadable: Callable[[], None]) -> None:
        os.utime(here, (1, 1))
        unreadable()
        assert destination._is_directory(here) is True
        assert os.stat(here).st_mtime > 1

    def test_a_files_are_not(self, here: str, unreadable: Callable[[], None]) -> None:
        path = os.path.join(here, "file")
        Path(path).touch()
        os.utime(path, (1, 1))
        unreadable()
        with pytest.raises(NotADirectoryError):
            destination._is_directory(path)
        with open(path, "rb") as file:
            assert os.fstat(file.fileno()).st_mtime == 1
