"""A directory that holds what the wheel holds, and nothing else."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from proof.processes import in_child
from wheels import contents, make_wheel, names, snapshot, write_tree

from wheel_linker import LinkError, LinkMode, link_wheel_files, link_wheels, write_record
from wheel_linker._fs import folder
from wheel_linker._fs.moving import move
from wheel_linker._link import pipeline, transaction

if TYPE_CHECKING:
    from pathlib import Path

    from wheel_linker._fs.folder import Folder

MODES = [LinkMode.HARDLINK, LinkMode.COPY]
FILES = {"pkg/__init__.py": b"", "pkg/a.py": b"a", "pkg/sub/b.py": b"b", "other.py": b"o"}
MORE = {
    "pkg/a.py": b"old",
    "pkg/gone.py": b"x",
    "pkg/__pycache__/gone.cpython-311.pyc": b"x",
    "pkg/sub/deep/gone.py": b"x",
    "lost/deep/x.py": b"x",
    "mine.txt": b"x",
}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return make_wheel(tmp_path / "tree", FILES)


@pytest.fixture(params=[True, False], ids=["descriptor", "portable"])
def there(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with more in it."""
    monkeypatch.setattr(folder, "BY_DESCRIPTOR", folder.BY_DESCRIPTOR and request.param)
    site = write_tree(tmp_path / "site", MORE)
    (site / "empty/deep").mkdir(parents=True)
    return site


@pytest.mark.parametrize("mode", MODES)
def test_what_the_source_lacks_goes(there: Path, tree: Path, mode: LinkMode) -> None:
    for _ in range(2):
        link_wheel_files(there, tree, mode=mode, exact=True)
        assert contents(there) == contents(tree)


def test_what_the_source_has_lost_goes(there: Path, tree: Path) -> None:
    link_wheel_files(there, tree, exact=True)
    (tree / "pkg/sub/b.py").unlink()
    (tree / "pkg/sub").rmdir()
    link_wheel_files(there, tree, exact=True)
    assert contents(there) == contents(tree)
    assert not (there / "pkg/sub").exists()


def test_without_it_everything_stays(there: Path, tree: Path) -> None:
    link_wheel_files(there, tree)
    assert set(MORE) <= set(contents(there))
    assert (there / "empty/deep").is_dir()


def test_several(there: Path, tree: Path, tmp_path: Path) -> None:
    second = make_wheel(tmp_path / "second", {"lost/deep/x.py": b"new"}, name="second")
    link_wheels(there, [tree, second], exact=True)
    assert contents(there) == {**contents(tree), **contents(second)}


def test_what_is_excluded_stays(there: Path, tree: Path) -> None:
    link_wheel_files(there, tree, exact=True, exclude=["*.txt", "lost"])
    kept = {path: data for path, data in contents(there).items() if path not in contents(tree)}
    assert {path for path, data in kept.items() if data is not None} == {
        "mine.txt",
        "lost/deep/x.py",
    }


def test_a_directory_gives_way_to_a_file_and_a_file_to_a_directory(
    tree: Path, tmp_path: Path
) -> None:
    site = write_tree(tmp_path / "site", {"other.py/x.py": b"x", "pkg/sub": b"a file"})
    link_wheel_files(site, tree, exact=True)
    assert contents(site) == contents(tree)


@pytest.mark.skipif(os.name != "posix", reason="makes symlinks")
def test_symlinks_go_and_what_they_lead_to_stays(there: Path, tree: Path, tmp_path: Path) -> None:
    outside = write_tree(tmp_path / "outside", {"kept.py": b"kept"})
    (there / "pkg/link").symlink_to(outside)
    (there / "file").symlink_to(outside / "kept.py")
    link_wheel_files(there, tree, exact=True)
    assert contents(there) == contents(tree)
    assert names(outside) == {"kept.py"}


@pytest.mark.skipif(os.name != "posix", reason="makes symlinks")
def test_a_symlink_to_a_directory_gives_way_to_a_file(
    there: Path, tree: Path, tmp_path: Path
) -> None:
    outside = write_tree(tmp_path / "outside", {"kept.py": b"kept"})
    (there / "pkg/a.py").unlink()
    (there / "pkg/a.py").symlink_to(outside)
    (there / "other.py").symlink_to("pkg/sub")
    (tree / "pkg/own").symlink_to("sub")
    for _ in range(2):
        link_wheel_files(there, tree, exact=True)
        assert contents(there) == contents(tree)
        assert not (there / "pkg/a.py").is_symlink()
        assert os.readlink(there / "pkg/own") == "sub"
    assert names(outside) == {"kept.py"}


def test_what_fails_is_undone(there: Path, tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = snapshot(there)

    def fail(source: Folder, name: str, target: Folder, new: str) -> None:
        move(source, name, target, new)
        if name == "other.py":
            raise OSError(5, "as a disk that is broken")

    monkeypatch.setattr(transaction, "move", fail)
    with pytest.raises(LinkError, match="broken"):
        link_wheel_files(there, tree, exact=True)
    assert snapshot(there) == before


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills a process that it forks")
def test_a_kill_leaves_no_record_of_what_is_gone(
    there: Path, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the removal of what is surplus and the merge of what is new."""
    link_wheel_files(there, tree, exact=True)
    (tree / "pkg/a.py").unlink()
    write_record(tree)

    def die() -> None:
        monkeypatch.setattr(pipeline, "commit", lambda *_: os._exit(9))
        link_wheel_files(there, tree, exact=True)

    assert in_child(die) == 9
    assert not (there / "pkg/a.py").exists()
    for record in there.glob("*.dist-info/RECORD"):
        rows = [row.split(",")[0] for row in record.read_text().splitlines()]
        assert [path for path in rows if not (there / path).exists()] == []
    link_wheel_files(there, tree, exact=True)
    assert contents(there) == contents(tree)
