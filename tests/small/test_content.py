"""One stored file: how large it is, and whether it has the bytes that were unpacked."""

from __future__ import annotations

import errno
import os
import sys
from typing import TYPE_CHECKING

import pytest
from store.archives import claim

from wheel_linker._archive.stored_file import StoredFile
from wheel_linker._fs.folder import Folder
from wheel_linker.store._entry import content
from wheel_linker.store._entry.content import NOT_THERE, has_content, leads_to, size_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

needs_symlinks = pytest.mark.skipif(
    sys.platform == "win32", reason="Windows lets administrators alone make symlinks"
)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "a.py").write_bytes(b"abc")
    with Folder.open(os.fspath(tmp_path)) as opened:
        yield opened


class TestSize:
    def test_of_a_file(self, tmp_path: Path, folder: Folder) -> None:
        assert size_of(os.path.join(folder.path, "demo", "a.py")) == 3
        (tmp_path / "empty").touch()
        assert size_of(os.fspath(tmp_path / "empty")) == 0

    def test_of_nothing(self, folder: Folder) -> None:
        assert NOT_THERE == -1
        assert size_of(os.path.join(folder.path, "demo", "none")) == -1

    @needs_symlinks
    def test_of_nothing_below_a_file(self, folder: Folder) -> None:
        assert size_of(os.path.join(folder.path, "demo", "a.py", "none")) == -1

    def test_of_a_directory(self, folder: Folder) -> None:
        assert size_of(folder.path) == -2

    @needs_symlinks
    def test_of_a_symlink(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_bytes(b"abc")
        (tmp_path / "link").symlink_to("file")
        assert size_of(os.fspath(tmp_path / "link")) == -2

    @pytest.mark.skipif(sys.platform == "win32", reason="Windows says that nothing is there")
    def test_that_cannot_be_told(self, tmp_path: Path) -> None:
        with pytest.raises(OSError, match="x") as caught:
            size_of(os.fspath(tmp_path / ("x" * 300)))
        assert caught.value.errno == errno.ENAMETOOLONG


@needs_symlinks
class TestSymlinks:
    def test_lead_where_they_should(self, tmp_path: Path, folder: Folder) -> None:
        (tmp_path / "demo" / "link").symlink_to("../demo/a.py")
        assert leads_to(folder, "demo/link", "../demo/a.py") is True
        assert leads_to(folder, "demo/link", "a.py") is False
        file = StoredFile("demo/link", 0, False, "", "../demo/a.py")
        assert has_content(folder, "demo/link", file)
        assert not has_content(folder, "demo/link", file._replace(target="a.py"))

    def test_files_are_none(self, folder: Folder) -> None:
        assert leads_to(folder, "demo/a.py", "a.py") is False

    def test_missing_ones(self, folder: Folder) -> None:
        with pytest.raises(FileNotFoundError):
            leads_to(folder, "demo/link", "a.py")


class TestContent:
    @pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
    @pytest.mark.parametrize("data", [b"", b"abc", b"x" * 1000])
    def test_as_it_was(self, tmp_path: Path, folder: Folder, algorithm: str, data: bytes) -> None:
        (tmp_path / "demo" / "file").write_bytes(data)
        file = StoredFile("other", len(data), False, claim(data, algorithm))
        assert has_content(folder, "demo/file", file) is True

    def test_in_pieces(self, folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(content, "_CHUNK", 2)
        assert has_content(folder, "demo/a.py", StoredFile("", 3, False, claim(b"abc")))

    def test_of_other_bytes(self, folder: Folder) -> None:
        file = StoredFile("demo/a.py", 3, False, claim(b"abd"))
        assert has_content(folder, "demo/a.py", file) is False

    def test_of_another_size(self, folder: Folder) -> None:
        file = StoredFile("demo/a.py", 4, False, claim(b"abc"))
        assert has_content(folder, "demo/a.py", file) is False

    def test_that_is_missing(self, folder: Folder) -> None:
        with pytest.raises(FileNotFoundError):
            has_content(folder, "demo/none", StoredFile("demo/a.py", 3, False, claim(b"abc")))

    @pytest.mark.skipif(sys.platform == "win32", reason="Windows refuses to open a directory")
    def test_of_no_file(self, folder: Folder) -> None:
        with pytest.raises(OSError, match="regular") as caught:
            has_content(folder, "demo", StoredFile("", 3, False, claim(b"abc")))
        assert (caught.value.errno, caught.value.filename) == (errno.EINVAL, "demo")
