"""Whatever is wrong with a ``.whl`` file, the error names the file that was given, and no place that has gone."""

from __future__ import annotations

import os
import re
import stat
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pytest
from store.archives import FILES as STORED
from store.archives import NAME, RECORD, info, record_of, with_record, write_archive

from install.kit import no_litter, pure, root_of
from wheel_linker import (
    InvalidWheelError,
    LinkError,
    LinkFallbackWarning,
    LinkMode,
    PackageConflictError,
    WheelLinkerError,
)
from wheel_linker._link import fallback
from wheel_linker.backends.unsupported import UnsupportedBackend
from wheel_linker.install import Layout, install_wheel, install_wheels, plan_install, sync_wheels
from wheel_linker.store import WheelStore

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

INFO: Final = "demo-1.0.dist-info"
WHEEL: Final = b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\n"
CONSOLE: Final = b"[console_scripts]\n"


class Wrong(NamedTuple):
    """One way in which a wheel cannot be installed."""

    changes: Mapping[str, bytes] = {}
    without: tuple[str, ...] = ()
    options: Mapping[str, Any] = {}
    name: str = NAME
    there: tuple[str, ...] = ()
    """Directories in the library, or files if they end in a hyphen."""
    error: type[WheelLinkerError] = InvalidWheelError


METADATA: Final[Mapping[str, Wrong]] = {
    "no METADATA": Wrong(without=(f"{INFO}/METADATA",)),
    "METADATA of another": Wrong({f"{INFO}/METADATA": b"Name: other\nVersion: 1.0\n"}),
    "METADATA not UTF-8": Wrong({f"{INFO}/METADATA": b"Name: demo\xff\nVersion: 1.0\n"}),
    "METADATA is a directory": Wrong({f"{INFO}/METADATA/x": b""}, without=(f"{INFO}/METADATA",)),
    "no WHEEL": Wrong(without=(f"{INFO}/WHEEL",)),
    "WHEEL is a directory": Wrong({f"{INFO}/WHEEL/x": b""}, without=(f"{INFO}/WHEEL",)),
    "WHEEL of the future": Wrong({f"{INFO}/WHEEL": b"Wheel-Version: 2.0\n"}),
    "WHEEL without a version": Wrong({f"{INFO}/WHEEL": b"Root-Is-Purelib: true\n"}),
    "no RECORD": Wrong(without=(RECORD,)),
    "RECORD is a directory": Wrong({f"{RECORD}/x": b""}, without=(RECORD,)),
    "RECORD is huge": Wrong({RECORD: b"x,,\n" * 1_000_000}),
    "RECORD is wrong": Wrong({"single.py": b"edited"}, options={"record": "strict"}),
    "RECORD lacks a file": Wrong({"more.py": b""}, options={"record": "strict"}),
    "two distributions": Wrong({"other-1.0.dist-info/METADATA": b""}),
    "another name": Wrong(name="other-1.0-py3-none-any.whl"),
    "another version": Wrong(name="demo-2.0-py3-none-any.whl"),
    "no wheel's name": Wrong(name="demo.whl"),
}
SCRIPTS: Final[Mapping[str, Wrong]] = {
    "no object": Wrong({f"{INFO}/entry_points.txt": CONSOLE + b"x = demo\n"}),
    "no value": Wrong({f"{INFO}/entry_points.txt": CONSOLE + b"x =\n"}),
    "in a directory": Wrong({f"{INFO}/entry_points.txt": CONSOLE + b"a/b = demo:x\n"}),
    "not UTF-8": Wrong({f"{INFO}/entry_points.txt": CONSOLE + b"\xff = demo:x\n"}),
    "called python": Wrong({f"{INFO}/entry_points.txt": CONSOLE + b"python = demo:x\n"}),
    "script called python3": Wrong({"demo-1.0.data/scripts/python3": b"#!python\n"}),
    "data for pyvenv.cfg": Wrong({"demo-1.0.data/data/pyvenv.cfg": b""}),
}
PLACES: Final[Mapping[str, Wrong]] = {
    "unknown scheme": Wrong({"demo-1.0.data/nowhere/x": b""}),
    "scheme that is a file": Wrong({"demo-1.0.data/purelib": b""}),
    "two of them": Wrong({"demo-1.0.data/data/x": b"", "Demo-1.0.data/data/y": b""}),
    "a stage": Wrong({".wheel_linker-1234567890abcdef/x": b""}),
    "a stage in data": Wrong({"demo-1.0.data/purelib/.wheel_linker-1234567890abcdef/x": b""}),
    "a directory in the way": Wrong(there=("single.py",), error=LinkError),
    "a file in the way": Wrong({"in_the-/x": b""}, there=("in_the-",), error=LinkError),
    "a directory in the way of data": Wrong(
        {"demo-1.0.data/purelib/more.py": b""}, there=("more.py",), error=LinkError
    ),
}
TARGETS: Final[Mapping[str, Wrong]] = {
    "other platform": Wrong(name="demo-1.0-cp27-none-win32.whl", options={"check_tags": True}),
    "other Python": Wrong(
        {f"{INFO}/METADATA": b"Name: demo\nVersion: 1.0\nRequires-Python: <3\n"},
        options={"check_tags": True},
    ),
    "mode that is refused": Wrong(
        options={"mode": (LinkMode.CLONE,), "backend": UnsupportedBackend()}, error=LinkError
    ),
    "mode that is refused for data": Wrong(
        {"demo-1.0.data/data/share/x": b""},
        without=tuple(STORED)[:-2],
        options={"mode": (LinkMode.CLONE,), "backend": UnsupportedBackend()},
        error=LinkError,
    ),
}
TABLE: Final = {**METADATA, **SCRIPTS, **PLACES, **TARGETS}


def written(directory: Path, wrong: Wrong) -> Path:
    files = {
        name: data
        for name, data in {**STORED, **wrong.changes}.items()
        if name not in wrong.without and name != RECORD
    }
    if wrong.options.get("record") == "strict":
        right = {name: data for name, data in files.items() if STORED.get(name) is not None}
        everything = {**files, RECORD: record_of({**right, "single.py": STORED["single.py"]})}
    else:
        everything = with_record(files)
    if RECORD in wrong.without:
        del everything[RECORD]
    if RECORD in wrong.changes:
        everything[RECORD] = wrong.changes[RECORD]
    return write_archive(directory / wrong.name, everything)


def check(error: BaseException, archive: Path) -> None:
    """The message must name the archive; every path in it, and in the error, must be there, or be in the archive."""
    message = str(error)
    assert str(archive) in message
    assert not re.search(r"[/\\]\.wheel_linker-", message.replace(f"{archive}{os.sep}", ""))
    named = re.findall(r"'(/[^']*)'", message)
    if isinstance(error, LinkError):
        named += [path for path in (error.source, error.filename) if path]
    for path in named:
        below = path == str(archive) or path.startswith(f"{archive}{os.sep}")
        assert below or os.path.lexists(path) or str(root_parent(archive)) in path


def root_parent(archive: Path) -> Path:
    """Return where the environment is, of which paths may be named that are to be made."""
    return archive.parent.parent / "env"


@pytest.fixture(params=["temporary", "store"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[WheelStore | None]:
    """Without a store, and with one."""
    if request.param == "temporary":
        yield None
        return
    with WheelStore(tmp_path / "store") as made:
        yield made


@pytest.mark.parametrize("kind", TABLE)
def test_what_is_wrong(layout: Layout, tmp_path: Path, store: WheelStore | None, kind: str) -> None:
    wrong = TABLE[kind]
    archive = written(tmp_path / "given", wrong)
    for name in wrong.there:
        place = pure(layout) / name
        place.mkdir(parents=True)
        (place / "x.txt").touch()
        if name.endswith("-"):
            (place / "x.txt").rename(pure(layout) / "y.txt")
            place.rmdir()
            place.touch()
    # The second time a store has it already, if it takes it at all.
    for _ in range(2):
        with pytest.raises(wrong.error) as caught:
            install_wheels([archive], layout, store=store, **wrong.options)
        check(caught.value, archive)
    assert no_litter(root_of(layout))


DAMAGED: Final = ("cut short", "no archive", "empty", "flipped", "link out", "name out")


@pytest.mark.parametrize("kind", DAMAGED)
@pytest.mark.parametrize("call", [install_wheels, sync_wheels, plan_install])
def test_damaged_archives(
    layout: Layout, tmp_path: Path, store: WheelStore | None, kind: str, call: Any
) -> None:
    archive = written(tmp_path / "given", Wrong())
    data = archive.read_bytes()
    if kind == "cut short":
        archive.write_bytes(data[:-100])
    elif kind == "no archive":
        archive.write_bytes(b"nothing of that kind")
    elif kind == "empty":
        archive.write_bytes(b"")
    elif kind == "flipped":
        archive.write_bytes(data[:60] + bytes([data[60] ^ 0xFF]) + data[61:])
    else:
        with zipfile.ZipFile(archive, "a") as opened:
            if kind == "link out":
                opened.writestr(info("demo/out", stat.S_IFLNK | 0o777), "../../out")
            else:
                opened.writestr(info("../out.py"), b"")
    with pytest.raises(InvalidWheelError) as caught:
        call([archive], layout, store=store)
    check(caught.value, archive)


def test_two_of_one_distribution(layout: Layout, tmp_path: Path, store: WheelStore | None) -> None:
    first = written(tmp_path / "given", Wrong())
    second = written(tmp_path / "given", Wrong(name="demo-1.0-1-py3-none-any.whl"))
    for call in (install_wheels, sync_wheels):
        with pytest.raises(InvalidWheelError) as caught:
            call([first, second], layout, store=store)
        assert first.name in str(caught.value)
        assert second.name in str(caught.value)


def test_conflicts(layout: Layout, tmp_path: Path, store: WheelStore | None) -> None:
    first = written(tmp_path / "given", Wrong())
    files = {
        "single.py": b"another",
        "other-1.0.dist-info/METADATA": b"Name: other\nVersion: 1.0\n",
        "other-1.0.dist-info/WHEEL": WHEEL,
    }
    second = tmp_path / "given" / "other-1.0-py3-none-any.whl"
    write_archive(second, {**files, (path := "other-1.0.dist-info/RECORD"): record_of(files, path)})
    with pytest.raises(PackageConflictError) as caught:
        install_wheels([first, second], layout, store=store, on_conflict="error")
    assert first.name in str(caught.value)
    assert second.name in str(caught.value)
    assert str(tmp_path) not in str(caught.value)


def test_warnings(
    layout: Layout,
    tmp_path: Path,
    store: WheelStore | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fallback, "_warned", set())
    archive = written(tmp_path / "given", Wrong({"demo-1.0.data/data/share/x": b""}))
    with pytest.warns(LinkFallbackWarning) as caught:
        install_wheel(
            archive,
            layout,
            store=store,
            mode=(LinkMode.CLONE, LinkMode.COPY),
            backend=UnsupportedBackend(),
        )
    assert str(archive) in str(caught[0].message)
    assert ".wheel_linker-" not in str(caught[0].message)
    assert str(tmp_path / "store") not in str(caught[0].message)


def test_the_tables_wheel_is_right(layout: Layout, tmp_path: Path) -> None:
    """What is wrong is what the table changes."""
    install_wheel(written(tmp_path / "given", Wrong()), layout)
    assert (pure(layout) / "single.py").is_file()
