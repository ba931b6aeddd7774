"""Unpacking an sdist, with the filters of ``tarfile`` and, as Python 3.10.11 has it, without."""

from __future__ import annotations

import io
import os
import tarfile
from typing import TYPE_CHECKING, NoReturn

import pytest

from wheel_linker.integrations._filling.sdist import extract

if TYPE_CHECKING:
    from pathlib import Path

ESCAPES = ("../outside", "/outside", "link to nowhere", "link through a link", "fifo")


@pytest.fixture(params=["filters", "without"])
def filters(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    def old(_: tarfile.TarFile, path: str, members: None = None) -> NoReturn:
        raise AssertionError(f"{path} is unpacked without a filter")

    if request.param == "without":
        monkeypatch.delattr(tarfile, "data_filter", raising=False)
        monkeypatch.setattr(tarfile.TarFile, "extractall", old)
    elif not hasattr(tarfile, "data_filter"):
        pytest.skip("this Python has no filters")


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname = kind, link
    return made


def packed(path: Path, members: list[tarfile.TarInfo]) -> str:
    with tarfile.open(path, "w:gz") as archive:
        for one in members:
            text = b"text\n" if one.isreg() else b""
            one.size = len(text)
            archive.addfile(one, io.BytesIO(text))
    return os.fspath(path)


@pytest.mark.usefixtures("filters")
def test_everything_is_there(tmp_path: Path) -> None:
    script = member("local-1.0/bin/script")
    script.mode, script.mtime = 0o4755, 1_000_000_000
    links = [
        member("local-1.0/hard", tarfile.LNKTYPE, "local-1.0/bin/script"),
        member("local-1.0/soft", tarfile.SYMTYPE, "bin/script"),
    ]
    links[0].mode, links[0].mtime = script.mode, script.mtime
    directory = member("local-1.0/empty", tarfile.DIRTYPE)
    directory.mode = 0o755
    sdist = packed(tmp_path / "a.tar.gz", [script, directory, *links])
    root = tmp_path / "out"
    root.mkdir()
    extract(sdist, os.fspath(root))
    there = {path.relative_to(root).as_posix() for path in root.rglob("*")}
    assert there == {
        "local-1.0",
        "local-1.0/bin",
        "local-1.0/bin/script",
        "local-1.0/empty",
        "local-1.0/hard",
        "local-1.0/soft",
    }
    for name in ("bin/script", "hard", "soft"):
        assert (root / "local-1.0" / name).read_text(encoding="utf-8") == "text\n"
    status = (root / "local-1.0/bin/script").stat()
    assert status.st_mtime == 1_000_000_000
    if os.name == "posix":
        assert status.st_mode & 0o6111 == 0o111


@pytest.mark.usefixtures("filters")
@pytest.mark.parametrize("escape", ESCAPES)
def test_nothing_is_written_elsewhere(tmp_path: Path, escape: str) -> None:
    outside = tmp_path / "outside"
    members = {
        "../outside": [member("../outside")],
        "/outside": [member(os.fspath(outside))],
        "link to nowhere": [member("a/soft", tarfile.SYMTYPE, "../../outside")],
        "link through a link": [
            member("a/here", tarfile.SYMTYPE, "."),
            member("a/here/up", tarfile.SYMTYPE, "../../outside"),
            member("a/up"),
        ],
        "fifo": [member("a/fifo", tarfile.FIFOTYPE)],
    }[escape]
    sdist = packed(tmp_path / "a.tar.gz", members)
    (tmp_path / "out").mkdir()
    # By a filter, an absolute name loses its root: it goes inside.
    try:
        extract(sdist, os.fspath(tmp_path / "out"))
    except tarfile.TarError:
        assert escape
    else:
        assert escape == "/outside"
    assert {path.name for path in tmp_path.iterdir()} == {"a.tar.gz", "out"}
    assert not [path for path in tmp_path.rglob("*") if path.is_fifo()]


def test_no_archive_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.tar.gz").write_bytes(b"nothing")
    with pytest.raises(tarfile.TarError):
        extract(os.fspath(tmp_path / "a.tar.gz"), os.fspath(tmp_path))
