"""Which directories are opened on the way to another one, and which stay open, for each two of a tree."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Final

import pytest

from wheel_linker._fs import folder as folders
from wheel_linker._fs.descent import Descent
from wheel_linker._fs.folder import Folder

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

pytestmark = pytest.mark.skipif(not folders.BY_DESCRIPTOR, reason="about descriptors")

Parts = tuple[str, ...]
TREE: Final[Sequence[Parts]] = [
    tuple(path.split("/"))
    for path in ("a", "a/b", "a/b/c", "a/b/c/d", "a/b/c/e", "a/b/f", "a/g", "h", "h/b", "h/b/c")
]
PLACES: Final[Sequence[Parts]] = [(), *TREE]
ENOUGH: Final = 9


class Ways:
    """What opens directories, and notes which, and refuses to if too many are open.

    :ivar entered: the directories that were opened since that was asked last.
    """

    def __init__(self, root: Folder) -> None:
        self.root = root
        self.room = 99
        self.refusal = errno.EMFILE
        self._entered: list[str] = []
        self._made: list[Folder] = []

    def enter(self, parent: Folder, name: str) -> Folder:
        if len(self.open()) >= self.room:
            raise OSError(self.refusal, "too many are open")
        folder = parent.enter(name)
        self._entered.append(self._relative(folder))
        self._made.append(folder)
        return folder

    def entered(self) -> list[str]:
        """Return what was opened since this was called last."""
        found, self._entered = self._entered, []
        return found

    def open(self) -> list[str]:
        """Return what is open."""
        self._made = [folder for folder in self._made if folder.fd != -1]
        return sorted(map(self._relative, self._made))

    def _relative(self, folder: Folder) -> str:
        return os.path.relpath(folder.path, self.root.path)


@pytest.fixture
def ways(tmp_path: Path) -> Iterator[Ways]:
    for parts in TREE:
        tmp_path.joinpath(*parts).mkdir()
    with Folder.open(os.fspath(tmp_path)) as root:
        yield Ways(root)


def prefixes(parts: Parts) -> list[str]:
    """Return the directories on the way to one, itself the last."""
    return ["/".join(parts[: level + 1]) for level in range(len(parts))]


def common(one: Parts, other: Parts) -> int:
    """Return how many levels two ways have in common."""
    differing = (level for level, names in enumerate(zip(one, other)) if len(set(names)) > 1)
    return next(differing, min(len(one), len(other)))


def steps(begin: Parts, end: Parts, levels: int) -> list[str]:
    """Return what has to be opened to get from one directory to another, if so many levels stay open."""
    shared = common(begin, end)
    if 0 < shared == len(end) < len(begin) <= levels:
        # It is taken for a sibling.
        return prefixes(end)[-1:]
    if shared == len(begin):
        return prefixes(end)[shared:]
    return prefixes(end)[min(shared, levels) :]


def held(parts: Parts, levels: int) -> list[str]:
    """Return what stays open in a directory."""
    return sorted({*prefixes(parts)[:levels], *prefixes(parts)[-1:]})


def is_there(folder: Folder, ways: Ways, parts: Parts) -> bool:
    return os.path.samestat(folder.stat(), os.stat(os.path.join(ways.root.path, *parts)))


@pytest.mark.parametrize("levels", [0, 1, 2, 3, ENOUGH])
def test_from_each_directory_to_each(ways: Ways, levels: int) -> None:
    before: Parts = ()
    with Descent(ways.root, ways.enter, levels) as descent:
        for begin in PLACES:
            for end in PLACES:
                for parts in (begin, end):
                    assert is_there(descent.go(parts), ways, parts)
                    assert ways.entered() == steps(before, parts, levels), (before, parts)
                    assert ways.open() == held(parts, levels)
                    before = parts
    assert ways.open() == []
    assert ways.root.listdir() != []


def test_forty_levels_stay_open_if_nobody_says_otherwise(ways: Ways, tmp_path: Path) -> None:
    parts: Parts = ("x",) * 42
    tmp_path.joinpath(*parts).mkdir(parents=True)
    with Descent(ways.root, ways.enter) as descent:
        for depth in range(1, 43):
            descent.go(parts[:depth])
            assert len(ways.open()) == min(depth, 41)
        descent.go(parts[:-1])
        assert ways.open() == held(parts[:-1], 40)


@pytest.mark.parametrize("levels", [0, 2, ENOUGH])
def test_after_it_was_closed_it_begins_anew(ways: Ways, levels: int) -> None:
    descent = Descent(ways.root, ways.enter, levels)
    parts = ("a", "b", "c")
    for _ in range(2):
        descent.go(parts)
        assert ways.entered() == prefixes(parts)
        descent.close()
        assert ways.open() == []
    assert is_there(descent.go(()), ways, ())


@pytest.mark.parametrize("levels", [1, ENOUGH])
@pytest.mark.parametrize("where", [("a",), ("a", "b"), ("a", "b", "c")])
def test_what_is_missing_leaves_all_else(ways: Ways, levels: int, where: Parts) -> None:
    with Descent(ways.root, ways.enter, levels) as descent:
        descent.go(where)
        with pytest.raises(FileNotFoundError):
            descent.go((*where, "none"))
        ways.entered()
        assert is_there(descent.go(where), ways, where)
        assert ways.entered() == []
        for parts in (("none", "neither"), ("h", "none"), ("h", "b", "none")):
            for _ in range(2):
                with pytest.raises(FileNotFoundError):
                    descent.go(parts)
        assert is_there(descent.go(where), ways, where)
        assert ways.open() == held(where, levels)


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE])
class TestFewDescriptors:
    @pytest.mark.parametrize("room", [2, 3, 4])
    def test_two_do(self, ways: Ways, number: int, room: int) -> None:
        """Once it was refused one, no more than the lowest directory stays open."""
        ways.room, ways.refusal = room, number
        levels = ENOUGH
        before: Parts = ()
        with Descent(ways.root, ways.enter, ENOUGH) as descent:
            for begin in PLACES:
                for end in PLACES:
                    for parts in (begin, end):
                        assert is_there(descent.go(parts), ways, parts)
                        if levels and len(held(parts, levels)) > room:
                            levels = 0
                            ways.entered()
                        else:
                            assert ways.entered() == steps(before, parts, levels)
                        assert ways.open() == held(parts, levels)
                        before = parts
        assert (levels == 0) is (room < 4)

    @pytest.mark.parametrize("step_by_step", [False, True])
    def test_the_way_begins_anew(self, ways: Ways, number: int, step_by_step: bool) -> None:
        ways.room, ways.refusal = 2, number
        parts = ("a", "b", "c")
        with Descent(ways.root, ways.enter, ENOUGH) as descent:
            if step_by_step:
                descent.go(parts[:2])
                ways.entered()
                descent.go(parts)
                assert ways.entered() == prefixes(parts)
            else:
                descent.go(parts)
                assert ways.entered() == [*prefixes(parts[:2]), *prefixes(parts)]
            assert ways.open() == ["a/b/c"]

    def test_one_does_not(self, ways: Ways, number: int) -> None:
        ways.room, ways.refusal = 1, number
        with Descent(ways.root, ways.enter, ENOUGH) as descent:
            assert is_there(descent.go(("a",)), ways, ("a",))
            with pytest.raises(OSError, match="too many are open"):
                descent.go(("a", "b"))
            ways.entered()
            with pytest.raises(OSError, match="too many are open"):
                descent.go(("h", "b"))
            # It is not tried again.
            assert ways.entered() == ["h"]
        assert ways.open() == []

    def test_another_refusal_is_an_error(self, ways: Ways, number: int) -> None:
        ways.room, ways.refusal = 2, errno.EIO if number == errno.EMFILE else errno.EACCES
        with Descent(ways.root, ways.enter, ENOUGH) as descent:
            for parts in (("a", "b"), ("h", "b")):
                descent.go(parts)
                ways.entered()
                with pytest.raises(OSError, match="too many are open"):
                    descent.go((*parts, "c"))
                assert ways.entered() == []
                assert ways.open() == held(parts, ENOUGH)
            descent.close()
            with pytest.raises(OSError, match="too many are open"):
                descent.go(("a", "b", "c"))
            assert ways.entered() == ["a", "a/b"]


class TestListing:
    @pytest.fixture
    def listing(self, ways: Ways, monkeypatch: pytest.MonkeyPatch) -> list[int]:
        """How many may be open when one is listed, and what it is refused with otherwise."""
        listdir = Folder.listdir
        limit = [99, errno.EMFILE]

        def list_it(folder: Folder) -> list[str]:
            if len(ways.open()) > limit[0]:
                raise OSError(limit[1], "no more")
            return sorted(listdir(folder))

        monkeypatch.setattr(Folder, "listdir", list_it)
        return limit

    @pytest.mark.usefixtures("listing")
    def test_names(self, ways: Ways) -> None:
        with Descent(ways.root, ways.enter) as descent:
            folder, names = descent.list_at(("a", "b"))
            assert is_there(folder, ways, ("a", "b"))
            assert names == ["c", "f"]
            assert ways.open() == ["a", "a/b"]

    @pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE])
    def test_after_the_last_descriptor(self, ways: Ways, listing: list[int], number: int) -> None:
        listing[:] = 1, number
        with Descent(ways.root, ways.enter) as descent:
            folder, names = descent.list_at(("a", "b"))
            assert is_there(folder, ways, ("a", "b"))
            assert names == ["c", "f"]
            assert ways.open() == ["a/b"]
            assert ways.entered() == ["a", "a/b", "a", "a/b"]
            assert descent.list_at(("a", "b", "c"))[1] == ["d", "e"]
            assert ways.open() == ["a/b/c"]

    def test_without_any(self, ways: Ways, listing: list[int]) -> None:
        listing[:] = 0, errno.EMFILE
        with Descent(ways.root, ways.enter) as descent:
            with pytest.raises(OSError, match="no more"):
                descent.list_at(("a",))
            assert ways.entered() == ["a", "a"]
            with pytest.raises(OSError, match="no more"):
                descent.list_at(("h",))
            assert ways.entered() == ["h"]

    def test_another_refusal_is_an_error(self, ways: Ways, listing: list[int]) -> None:
        listing[:] = 0, errno.EACCES
        with Descent(ways.root, ways.enter) as descent:
            with pytest.raises(OSError, match="no more"):
                descent.list_at(("a",))
            assert ways.entered() == ["a"]
