"""The description of an entry, letter by letter: a newer version has to read what an older one has written."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, Final

import pytest

from wheel_linker._archive.stored_file import StoredFile
from wheel_linker._fs.folder import Folder
from wheel_linker._fs.permissions import FOLLOW_FOR_TIMES
from wheel_linker.store._entry import manifest
from wheel_linker.store._entry.errors import BrokenManifestError
from wheel_linker.store._entry.manifest import Manifest, read, read_description, read_files, touch
from wheel_linker.store._entry.seal import sealed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from wheel_linker._wheel.tree import Directory

FACTS: Final = Manifest("5e" * 32, "demo-1.0-py3-none-any.whl", 99, 6, 33, 1_700_000_000, 45)
INIT: Final = StoredFile("demo/__init__.py", 10, False, "sha256=init")
TOOL: Final = StoredFile("demo/tool.sh", 11, True, "sha256=tool")
DEEP: Final = StoredFile("demo/sub/deep/caf\u00e9 x.py", 0, False, "sha512=deep")
METADATA: Final = StoredFile("demo-1.0.dist-info/METADATA", 12, False, "sha256=meta")
LINK: Final = StoredFile("demo/link", 0, False, "", "sub//deep")
OTHER: Final = StoredFile("other", 0, False, "", "demo/tool.sh")
FILES: Final = (METADATA, DEEP, LINK, INIT, OTHER, TOOL)
TEXT: Final = f"""\
wheel_linker store entry 3
digest {"5e" * 32}
filename demo-1.0-py3-none-any.whl
archive 99
files 6
size 33
stamp 1700000000
rows 45

//
//other/demo/tool.sh
demo//__init__.py/tool.sh
//link/sub//deep
demo/sub//
demo/sub/deep//caf\u00e9 x.py
demo-1.0.dist-info//METADATA

.
. 10 11
.
. 0
. 12

- sha256=init
x sha256=tool
- sha512=deep
- sha256=meta
"""


@pytest.fixture
def path(tmp_path: Path) -> str:
    with Folder.open(os.fspath(tmp_path)) as folder:
        manifest.write(folder, "entry", FACTS, FILES)
    return os.fspath(tmp_path / "entry")


@pytest.fixture
def rewrite(tmp_path: Path) -> Callable[..., str]:
    """Return a function that writes a description in which one text stands for another."""

    def write(old: str = "", new: str = "", *, seal: Callable[[bytes], bytes] = sealed) -> str:
        assert old in TEXT
        path = tmp_path / "rewritten"
        path.write_bytes(seal(TEXT.replace(old, new, 1).encode("utf-8")))
        return os.fspath(path)

    return write


def described(directories: list[Directory]) -> list[tuple[Any, ...]]:
    return [(d.parts, d.files, d.links, d.sizes, d.end) for d in directories]


class TestFormat:
    def test_as_it_is_written(self, path: str) -> None:
        with open(path, "rb") as written:
            assert written.read() == sealed(TEXT.encode("utf-8"))

    def test_of_nothing(self, tmp_path: Path) -> None:
        facts = FACTS._replace(files=0, size=0, rows=-1)
        with Folder.open(os.fspath(tmp_path)) as folder:
            manifest.write(folder, "entry", facts, ())
        path = os.fspath(tmp_path / "entry")
        assert read_files(path) == (facts, [])
        assert described(read_description(path).directories) == [((), [], [], [], 1)]


class TestFacts:
    def test_are_read_alone(self, path: str) -> None:
        assert read(path) == FACTS

    def test_of_no_entry(self, tmp_path: Path) -> None:
        for reading in (read, read_description, read_files):
            with pytest.raises(FileNotFoundError):
                reading(os.fspath(tmp_path / "none"))

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ("entry 3", "entry 2"),
            ("wheel_linker store", "another"),
            (f"digest {'5e' * 32}\n", ""),
            ("5e5e", "5e5"),
            ("5e5e", "5E5E"),
            ("filename demo", "file demo"),
            ("filename demo", "filename\tdemo"),
            ("archive 99", "archive x"),
            ("archive 99\n", ""),
            ("files 6", "files"),
            ("size 33", "size"),
            ("stamp 1700000000\n", ""),
            ("rows 45", "rows 4.5"),
            ("rows 45", "nothing\nrows 45"),
            ("\n", "\n\n"),
        ],
    )
    def test_that_are_others(self, rewrite: Callable[..., str], old: str, new: str) -> None:
        path = rewrite(old, new)
        for reading in (read, read_description, read_files):
            with pytest.raises(BrokenManifestError) as caught:
                reading(path)
            assert caught.value.args == (path,)

    def test_may_have_blanks_and_company(self, rewrite: Callable[..., str]) -> None:
        """A newer version may know more."""
        assert read(rewrite("filename demo", "filename a b demo")).filename.startswith("a b demo-")
        assert read(rewrite("rows 45", "rows 45\nnewer fact")) == FACTS


class TestBroken:
    @pytest.mark.parametrize(
        "seal",
        [
            lambda data: b"",
            lambda data: data,
            lambda data: bytes(len(data)),
            lambda data: sealed(data)[:-1],
            lambda data: sealed(b"\xff" + data),
        ],
    )
    def test_bytes(self, rewrite: Callable[..., str], seal: Callable[[bytes], bytes]) -> None:
        path = rewrite(seal=seal)
        for reading in (read, read_description, read_files):
            with pytest.raises(BrokenManifestError) as caught:
                reading(path)
            assert caught.value.args == (path,)

    @pytest.mark.skipif(sys.platform == "win32", reason="Windows refuses to open a directory")
    def test_directory_in_its_place(self, tmp_path: Path) -> None:
        for reading in (read, read_description):
            with pytest.raises(BrokenManifestError) as caught:
                reading(os.fspath(tmp_path))
            assert caught.value.args == (os.fspath(tmp_path),)

    def test_length(self, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(manifest, "LONGEST", 20)
        with pytest.raises(BrokenManifestError):
            read(path)

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            (". 10 11", ". 10"),
            (". 10 11", ". 10 11 12"),
            (". 10 11", ". 10 x"),
            (". 12\n", ". 12\n.\n"),
            (".\n. 0", ". 0"),
            ("\n\n.", "\n."),
            ("//link/sub//deep", "//link"),
        ],
    )
    def test_names_and_sizes(self, rewrite: Callable[..., str], old: str, new: str) -> None:
        path = rewrite(old, new)
        assert read(path) == FACTS
        for reading in (read_description, read_files):
            with pytest.raises(BrokenManifestError) as caught:
                reading(path)
            assert caught.value.args == (path,)

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ("- sha256=init\n", ""),
            ("- sha256=meta\n", "- sha256=meta\n- sha256=more\n"),
            ("- sha512=deep", "sha512=deep"),
            ("- sha512=deep", "- sha512=deep more"),
            ("- sha512=deep", "-  sha512=deep"),
            ("x sha256=tool", "\nx sha256=tool"),
        ],
    )
    def test_rows(self, rewrite: Callable[..., str], old: str, new: str) -> None:
        path = rewrite(old, new)
        description = read_description(path)
        for known in (None, description):
            with pytest.raises(BrokenManifestError) as caught:
                read_files(path, known=known)
            assert caught.value.args == (path,)

    def test_why(self, rewrite: Callable[..., str]) -> None:
        with pytest.raises(BrokenManifestError) as caught:
            read_description(rewrite(". 10 11", ". 10"))
        assert str(caught.value.__cause__) == "not every file has a size"


class TestDescription:
    def test_of_everything(self, path: str) -> None:
        description = read_description(path)
        assert description.facts == FACTS
        assert description.executables == 1
        assert description.rows == TEXT.rpartition("\n\n")[2]
        assert description.status.st_ino == os.stat(path).st_ino
        assert described(description.directories) == [
            ((), [], [("other", os.path.join("demo", "tool.sh"))], [], 5),
            (
                ("demo",),
                ["__init__.py", "tool.sh"],
                [("link", f"sub{os.sep}{os.sep}deep")],
                [10, 11],
                4,
            ),
            (("demo", "sub"), [], [], [], 4),
            (("demo", "sub", "deep"), ["caf\u00e9 x.py"], [], [0], 4),
            (("demo-1.0.dist-info",), ["METADATA"], [], [12], 5),
        ]

    @pytest.mark.parametrize(
        ("old", "new", "executables"),
        [
            ("- sha256=init", "x sha256=init", 2),
            ("x sha256=tool", "- sha256=tool", 0),
            ("- sha256=init", "- x ", 1),
            ("- sha256=init", "xx sha256=init", 1),
        ],
    )
    def test_executables(
        self, rewrite: Callable[..., str], old: str, new: str, executables: int
    ) -> None:
        assert read_description(rewrite(old, new)).executables == executables

    def test_directories_without_files(self, tmp_path: Path) -> None:
        file = StoredFile("a/b/c/d/e.py", 1, False, "sha256=x")
        with Folder.open(os.fspath(tmp_path)) as folder:
            manifest.write(folder, "entry", FACTS, [file])
        path = os.fspath(tmp_path / "entry")
        found = [directory.parts for directory in read_description(path).directories]
        assert found == [tuple("abcd"[:depth]) for depth in range(5)]
        assert read_files(path) == (FACTS, [file])

    def test_files_in_the_root(self, tmp_path: Path) -> None:
        files = [StoredFile(name, 1, False, "sha256=x") for name in ("b.py", "a.py")]
        with Folder.open(os.fspath(tmp_path)) as folder:
            manifest.write(folder, "entry", FACTS, files)
        path = os.fspath(tmp_path / "entry")
        assert described(read_description(path).directories) == [
            ((), ["b.py", "a.py"], [], [1, 1], 1)
        ]
        assert read_files(path) == (FACTS, files)


class TestFiles:
    def test_all(self, path: str) -> None:
        assert read_files(path) == (FACTS, [INIT, TOOL, DEEP, METADATA, OTHER, LINK])

    def test_below(self, path: str) -> None:
        assert read_files(path, {("demo", "sub")}) == (FACTS, [DEEP])
        assert read_files(path, {("demo",)}) == (FACTS, [INIT, TOOL])
        assert read_files(path, {("demo-1.0.dist-info",)}) == (FACTS, [METADATA])
        assert read_files(path, ()) == (FACTS, [])

    def test_of_what_is_known(self, path: str) -> None:
        known = read_description(path)
        os.unlink(path)
        assert read_files(path, {("demo",)}, known=known) == (FACTS, [INIT, TOOL])


def test_touch(path: str, tmp_path: Path) -> None:
    os.utime(path, (1, 1))
    touch(path)
    assert os.stat(path).st_mtime > 1
    with pytest.raises(FileNotFoundError):
        touch(os.fspath(tmp_path / "none"))


@pytest.mark.skipif(FOLLOW_FOR_TIMES, reason="this platform follows symlinks there")
def test_touch_follows_no_symlink(path: str, tmp_path: Path) -> None:
    os.utime(path, (1, 1))
    (tmp_path / "link").symlink_to(path)
    touch(os.fspath(tmp_path / "link"))
    assert os.stat(path).st_mtime == 1
