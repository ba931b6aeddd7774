"""Going through a wheel's directories, and making those for its files."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from small.descriptors import open_descriptors
from wheel_linker import InvalidWheelError, LinkError
from wheel_linker._fs.folder import LONGEST_RELATIVE, Folder, Parts
from wheel_linker._link.walk import _Targets, explore, unchanged_root, walk
from wheel_linker._wheel.tree import Directory

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from wheel_linker._fs.folder import Identity

pytestmark = pytest.mark.usefixtures("way")
TREE = ["a/deep", "b"]
FILES = {"x": "0", "a/y": "1", "a/deep/z": "22", "b/w": "333", "b/v": "4"}


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    root = tmp_path / "wheel"
    for name in TREE:
        (root / name).mkdir(parents=True)
    for name, content in FILES.items():
        (root / name).write_text(content)
    return root


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Folder]:
    (tmp_path / "target").mkdir()
    with Folder.open(os.fspath(tmp_path / "target")) as folder:
        yield folder


def identity_of(path: Path) -> Identity:
    with Folder.open(os.fspath(path)) as folder:
        return folder.identity()


class Seen(list[tuple[str, int]]):
    """Takes down which directories were met, with the number of their files, and writes into those made for them."""

    def __call__(self, directory: Directory, source: Folder, target: Folder) -> None:
        self.append(("/".join(directory.parts), len(directory.files)))
        assert source.lstat(directory.files[0]) is not None
        name = "seen-" + (directory.parts[-1] if directory.parts else "root")
        os.close(
            os.open(target.prefix + name, os.O_CREAT | os.O_EXCL | os.O_WRONLY, dir_fd=target.fd)
        )


def known(*directories: Parts) -> list[Directory]:
    """Return directories, each with a file that is in it."""
    first = {(): "x", ("a",): "y", ("a", "deep"): "z", ("b",): "w"}
    return [Directory(parts, [first[parts]], []) for parts in directories]


def placed(target: Folder) -> set[str]:
    return {
        os.path.relpath(os.path.join(directory, name), target.path).replace(os.sep, "/")
        for directory, _, names in os.walk(target.path)
        for name in names
    }


EVERYWHERE = {"seen-root", "a/seen-a", "a/deep/seen-deep", "b/seen-b"}


class Swapping(Seen):
    """Has another directory take the wheel's place when its first directory is met."""

    def __init__(self, wheel: Path) -> None:
        self._wheel = wheel

    def __call__(self, directory: Directory, source: Folder, target: Folder) -> None:
        super().__call__(directory, source, target)
        if len(self) == 1:
            self._wheel.rename(self._wheel.with_name("old"))
            (self._wheel / "a/deep").mkdir(parents=True)


class TestAnother:
    """Another directory takes the wheel's place."""

    def test_before(self, wheel: Path, target: Folder, tmp_path: Path) -> None:
        """It is not entered."""
        elsewhere = identity_of(tmp_path)
        seen, found = Seen(), list[Directory]()
        root = os.fspath(wheel)
        with pytest.raises(LinkError) as caught:
            walk(root, elsewhere, target, known((), ("a",)), seen)
        assert str(caught.value) == (
            f"another directory took the place of the unpacked wheel {root!r} while it was being linked: "
            "keep it unchanged until the call returns"
        )
        assert caught.value.source == root
        with pytest.raises(LinkError, match="another directory"):
            explore(root, elsewhere, target, [()], found, seen, 9)
        assert (seen, found) == ([], [])

    @pytest.mark.parametrize("reading", [True, False])
    def test_meanwhile(self, wheel: Path, target: Folder, way: str, reading: bool) -> None:
        """By descriptor it is not seen, and does no harm; by path that is found out in the end."""
        seen = Swapping(wheel)

        def go() -> None:
            path, identity = os.fspath(wheel), identity_of(wheel)
            if reading:
                explore(path, identity, target, [()], [], seen, 1)
            else:
                walk(path, identity, target, known(()), seen)

        if way == "descriptor":
            go()
        else:
            with pytest.raises(LinkError, match="another directory"):
                go()
        assert seen == [("", 1)]


class TestWalk:
    def test_each_directory(self, wheel: Path, target: Folder) -> None:
        seen = Seen()
        directories = known((), ("a",), ("a", "deep"), ("b",))
        walk(os.fspath(wheel), identity_of(wheel), target, directories, seen)
        assert seen == [("", 1), ("a", 1), ("a/deep", 1), ("b", 1)]
        assert placed(target) == EVERYWHERE

    def test_some_of_them(self, wheel: Path, target: Folder) -> None:
        """Another thread is to make the others."""
        walk(os.fspath(wheel), identity_of(wheel), target, known(("a", "deep")), Seen())
        assert placed(target) == {"a/deep/seen-deep"}
        walk(os.fspath(wheel), identity_of(wheel), target, known(("a",)), Seen())
        assert placed(target) == {"a/seen-a", "a/deep/seen-deep"}

    def test_symlinks_are_not_entered(self, wheel: Path, target: Folder, tmp_path: Path) -> None:
        (wheel / "a").rename(tmp_path / "elsewhere")
        try:
            (wheel / "a").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
        except OSError:
            pytest.skip("no symlinks here")
        with pytest.raises(OSError):  # noqa: PT011 - ELOOP or ENOTDIR
            walk(os.fspath(wheel), identity_of(wheel), target, known(("a",)), Seen())
        with pytest.raises(OSError):  # noqa: PT011 - ELOOP or ENOTDIR
            explore(os.fspath(wheel), identity_of(wheel), target, [("a",)], [], Seen(), 9)

    def test_nothing_stays_open(self, wheel: Path, target: Folder, tmp_path: Path) -> None:
        before = open_descriptors()
        walk(os.fspath(wheel), identity_of(wheel), target, known(("a", "deep")), Seen())
        explore(os.fspath(wheel), identity_of(wheel), target, [("b",)], [], Seen(), 9)
        with pytest.raises(LinkError):
            unchanged_root(os.fspath(wheel), identity_of(tmp_path))
        assert open_descriptors() == before


class TestExplore:
    def test_everything(self, wheel: Path, target: Folder) -> None:
        seen, found, unread = Seen(), list[Directory](), list[Parts]([()])
        explore(os.fspath(wheel), identity_of(wheel), target, unread, found, seen, 100)
        assert seen == [("", 1), ("a", 1), ("a/deep", 1), ("b", 2)]
        assert [(each.parts, sorted(each.files)) for each in found] == [
            ((), ["x"]),
            (("a",), ["y"]),
            (("a", "deep"), ["z"]),
            (("b",), ["v", "w"]),
        ]
        assert unread == []
        assert placed(target) == EVERYWHERE

    @pytest.mark.parametrize(
        ("most", "read", "left"),
        [
            (0, 0, [()]),
            (1, 1, [("b",), ("a",)]),
            (2, 1, [("b",), ("a",)]),
            (3, 2, [("b",), ("a", "deep")]),
            (4, 2, [("b",), ("a", "deep")]),
            (6, 3, [("b",)]),
            (7, 4, []),
        ],
    )
    def test_as_much_as_is_enough(
        self, wheel: Path, target: Folder, most: int, read: int, left: list[Parts]
    ) -> None:
        """A directory counts as one entry more than it has files."""
        found, unread = list[Directory](), list[Parts]([()])
        explore(os.fspath(wheel), identity_of(wheel), target, unread, found, Seen(), most)
        assert (len(found), unread) == (read, left)

    def test_where_it_begins(self, wheel: Path, target: Folder) -> None:
        unread: list[Parts] = [("b",), ("a", "deep")]
        explore(os.fspath(wheel), identity_of(wheel), target, unread, [], Seen(), 2)
        assert unread == [("b",)]
        assert placed(target) == {"a/deep/seen-deep"}

    def test_what_is_refused_has_been_found(self, wheel: Path, target: Folder) -> None:
        """It is known to those who go on from there, and not to be read again."""
        found, unread = list[Directory](), list[Parts]([()])

        def refuse(directory: Directory, source: Folder, target: Folder) -> None:
            if directory.parts:
                raise OSError("no")

        with pytest.raises(OSError, match="no"):
            explore(os.fspath(wheel), identity_of(wheel), target, unread, found, refuse, 9)
        assert [each.parts for each in found] == [(), ("a",)]
        assert unread == [("b",), ("a", "deep")]

    def test_what_has_no_place_in_an_environment(self, wheel: Path, target: Folder) -> None:
        if not hasattr(os, "mkfifo"):
            pytest.skip("there are no pipes here")
        os.mkfifo(wheel / "a/pipe")
        unread: list[Parts] = [()]
        with pytest.raises(InvalidWheelError):
            explore(os.fspath(wheel), identity_of(wheel), target, unread, [], Seen(), 9)
        assert unread == [("b",), ("a",)]


class TestRoot:
    @pytest.mark.parametrize("listing", [True, False])
    def test_is_open(self, wheel: Path, listing: bool) -> None:
        with unchanged_root(os.fspath(wheel), identity_of(wheel), listing=listing) as root:
            assert root.path == os.fspath(wheel)
            assert root.lstat("x") is not None

    def test_is_open_to_be_listed(
        self, wheel: Path, monkeypatch: pytest.MonkeyPatch, way: str
    ) -> None:
        if way == "portable":
            pytest.skip("it is not opened")
        with unchanged_root(os.fspath(wheel), identity_of(wheel), listing=True) as root:
            assert root.fd is not None
            assert sorted(os.listdir(root.fd)) == ["a", "b", "x"]

    def test_is_opened_as_cheaply_as_can_be(
        self, wheel: Path, target: Folder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Unless its names will be read."""
        asked: list[bool] = []
        opened = Folder.open

        def noting(path: str, *, listing: bool = False) -> Folder:
            asked.append(listing)
            return opened(path, listing=listing)

        identity = identity_of(wheel)
        monkeypatch.setattr(Folder, "open", noting)
        walk(os.fspath(wheel), identity, target, [], Seen())
        explore(os.fspath(wheel), identity, target, [], [], Seen(), 1)
        unchanged_root(os.fspath(wheel), identity).close()
        assert asked == [False, True, False]

    def test_is_missing(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError):
            unchanged_root(os.fspath(tmp_path / "none"), identity_of(tmp_path))


class TestTargets:
    def test_the_root_is_there(self, target: Folder) -> None:
        with _Targets(target) as targets:
            assert targets.make(()) is target

    def test_may_be_there(self, target: Folder) -> None:
        with _Targets(target) as targets:
            for _ in range(2):
                made = targets.make(("a",))
                assert made.path == os.path.join(target.path, "a")
                assert os.listdir(target.path) == ["a"]
                assert made.lstat("none") is None

    def test_parents_are_made(self, target: Folder) -> None:
        with _Targets(target) as targets:
            made = targets.make(("a", "b", "c"))
        assert made.path == os.path.join(target.path, "a", "b", "c")
        assert os.path.isdir(made.path)

    def test_the_root_is_gone(self, target: Folder) -> None:
        """It ends, with an error."""
        os.rmdir(target.path)
        with _Targets(target) as targets, pytest.raises(FileNotFoundError):
            targets.make(("a", "b"))

    def test_a_file_is_in_the_way(self, target: Folder, tmp_path: Path) -> None:
        (tmp_path / "target/a").touch()
        with _Targets(target) as targets, pytest.raises(OSError):  # noqa: PT011 - of another kind on Windows
            targets.make(("a", "b"))

    @pytest.mark.parametrize("opened", [False, True])
    def test_long_paths_are_opened(self, target: Folder, opened: bool, way: str) -> None:
        names = ["d" * 200] * 3
        last = "e" * (LONGEST_RELATIVE - len(os.path.join(*names, "")) + opened)
        parts = (*names, last)
        assert len(os.sep.join(parts)) == LONGEST_RELATIVE + opened
        with _Targets(target) as targets:
            try:
                made = targets.make(parts)
            except OSError:
                if way == "portable":
                    pytest.skip("the system takes no path so long")
                raise
            assert targets._deep._parts == (parts if opened and way == "descriptor" else ())
            assert made.path == os.path.join(target.path, *parts)
            assert os.path.isdir(made.path)

    def test_deeper_than_a_path_can_be(self, target: Folder, way: str) -> None:
        if way == "portable":
            pytest.skip("the system takes no path so long")
        parts = ("d" * 250,) * 30
        with _Targets(target) as targets:
            made = targets.make(parts)
            assert made.listdir() == []
        assert targets._deep._parts == ()
        with pytest.raises(OSError):  # noqa: PT011 - it is closed
            made.listdir()
