"""Finding out which modes work between two directories."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest

from wheel_linker import LinkError, LinkMode
from wheel_linker._fs.folder import Folder
from wheel_linker._fs.stage import Stage
from wheel_linker._link import probe as module
from wheel_linker._link.probe import probe

if TYPE_CHECKING:
    from pathlib import Path

COPY, HARDLINK = LinkMode.COPY, LinkMode.HARDLINK


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "source").mkdir()
    return tmp_path / "source"


def no_stage_in(monkeypatch: pytest.MonkeyPatch, directory: Path, error: OSError) -> None:
    """Let nothing be made in a directory."""
    make = Stage.make

    def refuse(self: Stage) -> None:
        if self._site.path == os.path.realpath(directory):
            raise error
        make(self)

    monkeypatch.setattr(Stage, "make", refuse)


def test_each_mode_is_tried(source: Path, site: Path) -> None:
    found = probe(source, os.fspath(site))
    assert list(found) == list(LinkMode)
    assert found[COPY] is None
    assert os.listdir(source) == os.listdir(site) == []


def test_what_was_tried(source: Path, site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of a few bytes, each mode in a directory of its own."""
    seen: list[tuple[LinkMode, str, bytes, str]] = []

    def noting(mode: LinkMode, backend: object) -> object:
        def place(names: tuple[str, ...], origin: Folder, target: Folder) -> tuple[int, None]:
            with open(os.path.join(origin.path, names[0]), "rb") as file:
                seen.append((mode, names[0], file.read(), os.path.basename(target.path)))
            return 1, None

        return place

    monkeypatch.setattr(module, "placing", noting)
    assert probe(source, site) == dict.fromkeys(LinkMode)
    assert seen == [(mode, "file", b"wheel_linker", mode.value) for mode in LinkMode]


def test_the_source_is_opened_to_be_listed(
    source: Path, site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file in it is looked for if nothing can be made there."""
    asked: list[tuple[str, bool]] = []
    opened = Folder.open

    def noting(path: str, *, listing: bool = False) -> Folder:
        asked.append((path, listing))
        return opened(path, listing=listing)

    monkeypatch.setattr(Folder, "open", noting)
    probe(source, site)
    assert asked[:2] == [(os.path.realpath(source), True), (os.path.realpath(site), False)]


def test_what_is_refused(source: Path, site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EMLINK, "refused here")

    monkeypatch.setattr(os, "link", refuse)
    found = probe(source, site)
    error = found[HARDLINK]
    assert isinstance(error, OSError)
    assert error.errno == errno.EMLINK
    assert found[COPY] is None


def test_a_mode_that_cannot_be_tried(
    source: Path, site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others are."""
    make = Folder.make

    def refuse(self: Folder, name: str) -> Folder:
        if name == HARDLINK.value:
            raise OSError(errno.ENOSPC, "refused here")
        return make(self, name)

    monkeypatch.setattr(Folder, "make", refuse)
    found = probe(source, site)
    assert str(found[HARDLINK]) == f"[Errno {errno.ENOSPC}] refused here"
    assert found[COPY] is None


@pytest.mark.skipif(os.name == "nt", reason="files have no such bits")
def test_nobody_else_reads_the_file(
    source: Path, site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bits: list[int] = []

    def look(path: str, stage: Stage) -> dict[LinkMode, OSError | None]:
        bits.append(os.stat(path).st_mode & 0o777)
        return {}

    monkeypatch.setattr(module, "_try_file", look)
    before = os.umask(0)
    try:
        assert probe(source, site) == {}
    finally:
        os.umask(before)
    assert bits == [0o600]


@pytest.mark.parametrize("place", ["source", "site-packages"])
def test_a_directory_is_missing(tmp_path: Path, source: Path, site: Path, place: str) -> None:
    (tmp_path / place).rmdir()
    paths = [os.path.realpath(each) for each in (source, site)]
    with pytest.raises(LinkError) as caught:
        probe(os.fsencode(source), site)  # type: ignore[arg-type]
    assert str(caught.value).startswith(
        f"cannot try link modes between {paths[0]!r} and {paths[1]!r}: "
    )
    assert [caught.value.source, caught.value.destination] == paths
    assert not any(directory.exists() and os.listdir(directory) for directory in (source, site))


@pytest.mark.parametrize("faulty", [0, 1])
def test_an_impossible_path(source: Path, site: Path, faulty: int) -> None:
    paths = [os.fspath(source), os.fspath(site)]
    paths[faulty] += "\0"
    with pytest.raises((LinkError, ValueError), match="cannot try link modes"):
        probe(*paths)


def test_symlinks_are_followed(tmp_path: Path, source: Path, site: Path) -> None:
    try:
        (tmp_path / "link").symlink_to(source, target_is_directory=True)
    except OSError:
        pytest.skip("no symlinks here")
    source.rmdir()
    with pytest.raises(LinkError) as caught:
        probe(tmp_path / "link", site)
    assert caught.value.source == os.path.realpath(source)


class TestReadOnly:
    """Nothing can be made where the wheels are: a file that is there is tried."""

    ERROR = PermissionError(errno.EACCES, "refused here")

    def test_a_file_below(self, source: Path, site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (source / "a/b").mkdir(parents=True)
        try:
            (source / "a/link").symlink_to("none")
        except OSError:
            pass
        (source / "a/b/file.txt").write_text("x")
        no_stage_in(monkeypatch, source, self.ERROR)
        tried: list[str] = []
        try_file = module._try_file

        def noting(path: str, stage: Stage) -> dict[LinkMode, OSError | None]:
            tried.append(path)
            return try_file(path, stage)

        monkeypatch.setattr(module, "_try_file", noting)
        assert probe(source, site)[COPY] is None
        assert tried == [os.path.join(os.path.realpath(source), "a", "b", "file.txt")]
        assert os.listdir(site) == []

    @pytest.mark.parametrize("number", [errno.EROFS, None])
    def test_no_file(
        self, source: Path, site: Path, number: int | None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (source / "a").mkdir()
        error = OSError(number, "refused here")
        no_stage_in(monkeypatch, source, error)
        with pytest.raises(LinkError) as caught:
            probe(source, site)
        assert "refused here, and there is no file to try with" in str(caught.value)
        cause = caught.value.__cause__
        assert isinstance(cause, OSError)
        assert (cause.errno, cause.filename) == (number or errno.EACCES, os.path.realpath(source))
        assert os.listdir(site) == []

    def test_the_destination(
        self, source: Path, site: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        no_stage_in(monkeypatch, site, self.ERROR)
        with pytest.raises(LinkError, match="refused here"):
            probe(source, site)
        assert os.listdir(source) == os.listdir(site) == []
