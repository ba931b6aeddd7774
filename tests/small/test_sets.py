"""The sets of bytecode that an entry keeps, by hand; tests/store/test_bytecode.py has what interpreters make."""

from __future__ import annotations

import os
import struct
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

import pytest
from wheels import write_tree

from small.descriptors import open_descriptors
from small.made import DIGEST, STAMP, make_entry
from wheel_linker import LinkError
from wheel_linker._fs.folder import Folder
from wheel_linker._wheel.tree import Unpacked
from wheel_linker.store import Damage
from wheel_linker.store._bytecode.damage import damaged_bytecode, remove_sets
from wheel_linker.store._bytecode.sets import (
    find_set,
    find_set_late,
    is_set_name,
    names_of_sets,
    never,
    set_name,
    sets_of,
    size_of_sets,
    sources_in,
    tree_of,
)
from wheel_linker.store._entry.descriptions import Descriptions
from wheel_linker.store._entry.manifest import read_description
from wheel_linker.store.entries import read_entry
from wheel_linker.store.layout import Layout
from wheel_linker.store.trust import Standing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wheel_linker.store import Entry

ENTRY, SET = "aaaaaaaaaa", "cpython-311-a70d0d0a-0"
SOURCES: Final = {
    "demo/__init__.py": b"init",
    "demo/module.py": b"module",
    "demo/sub/deep.py": b"deep",
    "single.py": b"",
}
INIT: Final = "demo/__pycache__/__init__.cpython-311.pyc"
SECONDS: Final = STAMP // 10**9
on_posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows says other things")


def compiled(size: int, time: int = SECONDS) -> bytes:
    """Return bytecode that says of its source how large and how old it is."""
    return b"\xa7\x0d\x0d\x0a" + struct.pack("<III", 0, time, size) + b"code"


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    make_entry(tmp_path, ENTRY, SOURCES)
    return Layout(os.fspath(tmp_path))


def make_set(layout: Layout, files: Mapping[str, bytes], name: str = SET, **more: Any) -> Path:
    return make_entry(Path(layout.bytecode(ENTRY)), name, files, **more)


class TestNames:
    def named(self, tag: str | None, optimize: int) -> str | None:
        interpreter: Any = SimpleNamespace(python="/bin/python", bytecode_tag=lambda: tag)
        return set_name(interpreter, optimize)

    def test_of_an_interpreter(self) -> None:
        assert self.named("cpython-311-a70d0d0a", 0) == SET
        assert self.named("pypy", 2) == "pypy-2"

    def test_of_one_that_keeps_none(self) -> None:
        assert self.named(None, 1) is None

    def test_of_no_level(self) -> None:
        for tag in ("cpython", None, "../up"):
            with pytest.raises(ValueError, match="optimize is 3"):
                self.named(tag, 3)

    def test_of_no_interpreter(self) -> None:
        with pytest.raises(LinkError) as caught:
            self.named("../up", 0)
        assert str(caught.value) == "cannot keep the bytecode of '/bin/python': its tag is '../up'"

    @pytest.mark.parametrize(
        ("name", "is_one"),
        [(SET, True), ("_a.B-9", True), (".a", False), ("-a", False), ("a/b", False), ("", False)],
    )
    def test_that_may_be_one(self, name: str, is_one: bool) -> None:
        assert is_set_name(name) is is_one


class TestSets:
    def test_of_an_entry(self, layout: Layout) -> None:
        for name, data in (("two", b"22"), ("one", b"1"), (".none", b"333")):
            make_set(layout, {"x.pyc": data}, name)
        assert sets_of(layout, ENTRY).root == layout.bytecode(ENTRY)
        assert names_of_sets(layout, ENTRY) == ["one", "two"]
        assert size_of_sets(layout, ENTRY) == 3

    def test_of_one_without_any(self, layout: Layout) -> None:
        assert names_of_sets(layout, ENTRY) == []
        assert size_of_sets(layout, ENTRY) == 0

    @on_posix
    def test_where_there_is_no_directory(self, layout: Layout, tmp_path: Path) -> None:
        (tmp_path / ENTRY / "bytecode").touch()
        assert names_of_sets(layout, ENTRY) == []

    @on_posix
    def test_that_cannot_be_listed(self, layout: Layout) -> None:
        with pytest.raises(OSError, match="xxx"):
            names_of_sets(layout, "x" * 300)

    def test_that_cannot_be_used_count_nothing(self, layout: Layout) -> None:
        (make_set(layout, {"x.pyc": b"1"}, "a") / "entry").write_bytes(b"")
        (make_set(layout, {"x.pyc": b"22"}, "b") / "entry").unlink()
        write_tree(make_set(layout, {"x.pyc": b"333"}, "d").parent, {"c": b""})
        assert size_of_sets(layout, ENTRY) == 3

    def test_have_no_execute_bits(self) -> None:
        assert never() is False


def test_sources(tmp_path: Path) -> None:
    files = {
        "one.py": b"1",
        "two.txt": b"",
        "demo/three.py": b"333",
        "demo/a.data/four.py": b"4444",
        "demo-1.0.data/purelib/five.py": b"55555",
        "demo-1.0.data/platlib/sub/six.py": b"666666",
        "demo-1.0.data/scripts/seven.py": b"7777777",
        "demo-1.0.data/eight.py": b"",
        "demo-1.0.dist-info/nine.py": b"999999999",
    }
    description = read_description(os.fspath(make_entry(tmp_path, ENTRY, files) / "entry"))
    assert sorted(sources_in(description)) == sorted(
        (path, len(data))
        for path, data in files.items()
        if path not in {"two.txt", "demo-1.0.data/scripts/seven.py", "demo-1.0.data/eight.py"}
    )


class TestFind:
    def found(
        self, layout: Layout, check: Any = None, *, digest: str = DIGEST, notes: Any = None
    ) -> bool:
        session: Any = SimpleNamespace(layout=layout, notes=notes)
        found = find_set(session, ENTRY, digest, SET, check)
        assert found is None or found.facts == read_description(self.description(layout)).facts
        return found is not None

    def found_late(self, layout: Layout) -> Unpacked | None:
        session: Any = SimpleNamespace(layout=layout, descriptions=Descriptions())
        found = find_set_late(session, ENTRY, SET)
        if found is None:
            return None
        assert found[0].facts == read_description(self.description(layout)).facts
        return found[1]

    def description(self, layout: Layout) -> str:
        return sets_of(layout, ENTRY).manifest(SET)

    def test_as_it_was_made(self, layout: Layout) -> None:
        make_set(layout, {INIT: compiled(4), "__pycache__/single.cpython-311.pyc": compiled(0)})
        for check in (None, "size", "hash"):
            assert self.found(layout, check)
        assert self.found_late(layout) == Unpacked(STAMP, 0)

    def test_of_another_wheel(self, layout: Layout) -> None:
        make_set(layout, {INIT: compiled(4)}, digest="5f" * 32)
        assert not self.found(layout)
        assert self.found(layout, digest="5f" * 32)
        assert self.found_late(layout) is None

    def test_that_is_missing(self, layout: Layout) -> None:
        assert not self.found(layout)
        assert self.found_late(layout) is None

    def test_whose_files_were_changed(self, layout: Layout) -> None:
        path = make_set(layout, {INIT: compiled(4)}) / "w" / INIT
        path.write_bytes(compiled(4)[:-1] + b"x")
        os.utime(path, ns=(STAMP, STAMP))
        assert self.found(layout)
        assert not self.found(layout, "hash")
        path.write_bytes(compiled(4) + b"x")
        os.utime(path, ns=(STAMP, STAMP))
        assert not self.found(layout)
        # They are looked at when they are placed.
        assert self.found_late(layout) is not None

    @on_posix
    def test_without_execute_bits(self, layout: Layout) -> None:
        made = make_set(layout, {INIT: compiled(4)}, executables=[INIT])
        (made / "w" / INIT).chmod(0o644)
        assert self.found(layout)

    def test_is_noted_to_be_on_the_disk(self, layout: Layout) -> None:
        made = make_set(layout, {INIT: compiled(4)})
        (made / "boot").write_bytes(b"another")
        assert self.found_late(layout) is None
        assert self.found(layout)
        assert (made / "boot").exists()
        assert self.found(layout, notes=Standing())
        assert not (made / "boot").exists()

    def test_of_an_entry_that_is_damaged(self, layout: Layout, tmp_path: Path) -> None:
        make_set(layout, {INIT: compiled(4)})
        (tmp_path / ENTRY / "entry").write_bytes(b"")
        assert self.found_late(layout) is None
        (tmp_path / ENTRY / "entry").unlink()
        with pytest.raises(FileNotFoundError):
            self.found_late(layout)


class TestOfSources:
    """Whether the first file of bytecode says of its source what that is."""

    def is_so(self, layout: Layout, files: Mapping[str, bytes]) -> bool:
        make_set(layout, files)
        find = TestFind()
        found = find.found(layout)
        assert (find.found_late(layout) is not None) is found
        return found

    @pytest.mark.parametrize(
        ("data", "right"),
        [
            (compiled(4), True),
            (compiled(5), False),
            (compiled(4, SECONDS + 1), False),
            (compiled(4)[:16], True),
            (compiled(4)[:15], False),
            (b"", False),
        ],
    )
    def test_of_its_header(self, layout: Layout, data: bytes, right: bool) -> None:
        assert self.is_so(layout, {INIT: data}) is right

    def test_the_first_stands_for_all(self, layout: Layout) -> None:
        assert self.is_so(
            layout,
            {INIT: compiled(4), "demo/__pycache__/module.cpython-311.opt-1.pyc": compiled(1)},
        )

    def test_the_first_may_be_deep(self, layout: Layout) -> None:
        files = {
            "a/__pycache__/b/notes": b"",
            "b/notes": b"",
            "demo/__pycache__/module.cpython-311.opt-1.pyc": compiled(1),
        }
        assert not self.is_so(layout, files)

    @pytest.mark.parametrize("above", ["", "demo/sub/"])
    def test_it_may_lie_at_any_depth(self, layout: Layout, above: str) -> None:
        name = "deep" if above else "single"
        assert not self.is_so(layout, {f"{above}__pycache__/{name}.cpython-311.pyc": compiled(9)})

    def test_there_is_none(self, layout: Layout) -> None:
        assert self.is_so(layout, {"demo/notes.pyc": b""})
        assert not TestFind().found(layout, digest="5f" * 32)

    def test_one_whose_source_is_not_known(self, layout: Layout) -> None:
        assert self.is_so(layout, {"demo/__pycache__/a.b.cpython-311.pyc": b""})

    def test_one_whose_source_is_no_file(self, layout: Layout, tmp_path: Path) -> None:
        source = tmp_path / ENTRY / "w" / "demo" / "__init__.py"
        source.unlink()
        source.mkdir()
        os.utime(source, ns=(STAMP, STAMP))
        assert not self.is_so(layout, {INIT: compiled(source.lstat().st_size)})

    @on_posix
    def test_one_whose_source_is_a_symlink(self, layout: Layout, tmp_path: Path) -> None:
        source = tmp_path / ENTRY / "w" / "demo" / "__init__.py"
        source.unlink()
        source.symlink_to("x" * 4)
        os.utime(source, ns=(STAMP, STAMP), follow_symlinks=False)
        assert not self.is_so(layout, {INIT: compiled(4)})

    @on_posix
    def test_numbers_of_more_than_four_bytes(self, layout: Layout, tmp_path: Path) -> None:
        source = tmp_path / ENTRY / "w" / "demo" / "__init__.py"
        os.truncate(source, 2**32 + 4)
        os.utime(source, (-5, -5))
        assert self.is_so(layout, {INIT: compiled(4, 2**32 - 5)})

    @on_posix
    def test_nothing_stays_open(self, layout: Layout) -> None:
        before = open_descriptors()
        self.is_so(layout, {INIT: compiled(4)})
        assert open_descriptors() == before


class TestTree:
    def test_of_a_set(self, layout: Layout, tmp_path: Path) -> None:
        made = make_set(layout, {INIT: compiled(4), "__pycache__/single.pyc": b""})
        description = read_description(os.fspath(made / "entry"))
        tree = tree_of(layout, ENTRY, SET, description)
        assert tree is not None
        assert tree.path == os.path.realpath(made / "w")
        with Folder.open(os.fspath(made / "w")) as folder:
            assert tree.identity == folder.identity()
        assert (tree.files, tree.directories) == (2, description.directories)

    @on_posix
    def test_behind_a_symlink(self, layout: Layout, tmp_path: Path) -> None:
        made = make_set(layout, {INIT: compiled(4)})
        (tmp_path / "link").symlink_to(tmp_path)
        description = read_description(os.fspath(made / "entry"))
        tree = tree_of(Layout(os.fspath(tmp_path / "link")), ENTRY, SET, description)
        assert tree is not None
        assert tree.path == os.path.realpath(made / "w")

    def test_of_one_that_has_gone(self, layout: Layout) -> None:
        made = make_set(layout, {})
        description = read_description(os.fspath(made / "entry"))
        (made / "w").rmdir()
        assert tree_of(layout, ENTRY, SET, description) is None
        (made / "w").touch()
        assert tree_of(layout, ENTRY, SET, description) is None
        if os.name == "posix":
            with pytest.raises(OSError, match="xxx"):
                tree_of(layout, ENTRY, "x" * 300, description)


class TestDamage:
    def entry(self, layout: Layout) -> Entry:
        entry = read_entry(layout, ENTRY)
        assert entry is not None
        return entry

    def found(self, layout: Layout, *, deep: bool = False) -> list[tuple[str, str, str]]:
        entry = self.entry(layout)
        found = list(damaged_bytecode(layout, entry, deep=deep))
        for _, damage in found:
            assert isinstance(damage, Damage)
            assert damage.entry.name == ENTRY
        return [(name, damage.path, damage.kind) for name, damage in found]

    def test_none(self, layout: Layout) -> None:
        assert self.found(layout, deep=True) == []
        make_set(layout, {INIT: compiled(4)})
        assert self.found(layout, deep=True) == []

    def test_of_descriptions(self, layout: Layout) -> None:
        made = make_set(layout, {INIT: compiled(4)}, "d")
        (made / "w" / INIT).unlink()
        write_tree(made.parent, {"c": b""})
        (make_set(layout, {INIT: compiled(4)}, "a") / "entry").write_bytes(b"")
        (make_set(layout, {INIT: compiled(4)}, "b") / "entry").unlink()
        assert self.found(layout) == [
            ("a", "../bytecode/a/entry", "changed"),
            ("b", "../bytecode/b/entry", "missing"),
            ("c", "../bytecode/c/entry", "missing"),
            ("d", f"../bytecode/d/w/{INIT}", "missing"),
        ]

    def test_of_files(self, layout: Layout) -> None:
        made = make_set(layout, {INIT: compiled(4), "__pycache__/x.pyc": b"x"})
        (made / "w" / "added").touch()
        (made / "w" / INIT).unlink()
        (made / "w" / "__pycache__" / "x.pyc").write_bytes(b"y")
        wanted = [
            (SET, f"../bytecode/{SET}/w/__pycache__/x.pyc", "changed"),
            (SET, f"../bytecode/{SET}/w/added", "added"),
            (SET, f"../bytecode/{SET}/w/{INIT}", "missing"),
        ]
        assert self.found(layout) == wanted
        os.utime(made / "w" / "__pycache__" / "x.pyc", ns=(STAMP, STAMP))
        assert self.found(layout) == wanted[1:]
        assert self.found(layout, deep=True) == wanted

    @on_posix
    def test_execute_bits_are_none(self, layout: Layout) -> None:
        made = make_set(layout, {INIT: compiled(4)}, executables=[INIT])
        (made / "w" / INIT).chmod(0o644)
        assert self.found(layout) == []

    def test_is_moved_away(self, layout: Layout, tmp_path: Path) -> None:
        for name in ("a", "b", "c"):
            make_set(layout, {INIT: compiled(4)}, name)
        (tmp_path / "waste").mkdir()
        with (
            Folder.open(os.fspath(tmp_path / "waste")) as waste,
            Folder.open(layout.entry(ENTRY)) as entry,
        ):
            remove_sets(entry, {"a", "c"}, waste)
        assert names_of_sets(layout, ENTRY) == ["b"]
        assert sorted(os.listdir(tmp_path / "waste")) == ["bytecode-a", "bytecode-c"]
        assert (tmp_path / "waste" / "bytecode-a" / "w" / INIT).exists()

    def test_where_there_is_none_nothing_is_moved(self, layout: Layout, tmp_path: Path) -> None:
        with Folder.open(layout.entry(ENTRY)) as entry:
            remove_sets(entry, set(), entry)
        assert not (tmp_path / ENTRY / "bytecode").exists()
