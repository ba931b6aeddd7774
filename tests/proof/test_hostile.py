"""Wheels that mean no good: nothing outside is ever written, nothing outside is ever read into an environment."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import stat
import time
from functools import partial
from typing import TYPE_CHECKING, Final, get_args

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from store.archives import NAME, files_below, write_wheel
from store.conftest import entry_names
from store.conftest import litter as store_litter
from wheels import POSIX_BYTES, make_wheel, write_tree

from proof.kit import MODES, exact, litter
from proof.processes import finish, start
from wheel_linker import (
    InvalidWheelError,
    LinkError,
    LinkMode,
    UnpackedWheel,
    WheelFilename,
    link_wheel_files,
)
from wheel_linker._fs import folder
from wheel_linker._fs.remove_tree import remove_tree
from wheel_linker._wheel.names import fault
from wheel_linker._wheel.record_problems import RecordMode
from wheel_linker.store import WheelStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from proof.plugin import Figures

SWAPS: Final = 100
"""Calls for each kind of swap and mode, while another process swaps."""

SECRET: Final = b"nobody's business"
NAMES: Final = ("one.py", "two.py", "three.py", "four.txt")
needs_processes = pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked")
needs_descriptors = pytest.mark.skipif(
    not folder.BY_DESCRIPTOR, reason="by path there is no such protection"
)


@pytest.fixture(params=MODES)
def mode(request: pytest.FixtureRequest) -> LinkMode:
    return LinkMode(request.param)


@pytest.fixture
def place(mode: LinkMode, place_for: Callable[[LinkMode], Path]) -> Path:
    return place_for(mode)


@pytest.fixture
def outside(place: Path) -> Path:
    """A directory that is nobody's business, with the very names that the wheel has."""
    directory = write_tree(place / "outside", dict.fromkeys(NAMES, SECRET))
    return write_tree(
        directory, {"__pycache__/one.cpython-311.pyc": SECRET, "inner/one.py": SECRET}
    )


@pytest.fixture
def wheel(place: Path) -> Path:
    files = {
        f"pkg/{directory}{name}": b"fine"
        for directory in ("", "inner/", "zinner/")
        for name in NAMES
    }
    return make_wheel(place / "cache" / "demo", files)


@contextlib.contextmanager
def swapping(victim: Path, target: Path) -> Iterator[None]:
    """Have another process put a symlink to ``target`` in the place of something, and back, again and again."""
    aside = victim.with_name(f"{victim.name}.aside")

    def swap() -> None:
        stopped = False

        def stop(*_: object) -> None:
            nonlocal stopped
            stopped = True

        signal.signal(signal.SIGTERM, stop)
        while not stopped:
            # What takes the victim's place meanwhile is a rival in the race, not a fault.
            with contextlib.suppress(OSError):
                victim.rename(aside)
                victim.symlink_to(target)
                time.sleep(0.0001)
            with contextlib.suppress(OSError):
                victim.unlink()
            with contextlib.suppress(OSError):
                aside.rename(victim)
            time.sleep(0.0002)

    child = start(swap)
    try:
        yield
    finally:
        os.kill(child, signal.SIGTERM)
        assert finish(child) == 0


def entries(tree: Path) -> Iterator[os.DirEntry[str]]:
    """Yield everything below a directory; links are not followed."""
    pending = [os.fspath(tree)]
    while pending:
        with os.scandir(pending.pop()) as found:
            for entry in found:
                yield entry
                if entry.is_dir(follow_symlinks=False):
                    pending.append(entry.path)


def check_contained(site: Path, wheel: Path, mode: LinkMode) -> None:
    """Nothing from outside may be in the destination."""
    for entry in entries(site):
        if entry.is_symlink():
            # A symlink that took a file's place may be linked itself: that reads nothing.
            assert mode is LinkMode.HARDLINK or os.readlink(entry.path).startswith(
                f"{wheel}{os.sep}"
            )
        elif entry.is_file():
            with open(entry.path, "rb") as file:
                assert SECRET not in file.read()


@needs_processes
@needs_descriptors
@pytest.mark.parametrize("victim", ["pkg", "pkg/inner", "pkg/inner/one.py", "."])
def test_source_swapped_for_a_symlink(
    place: Path, wheel: Path, outside: Path, mode: LinkMode, victim: str, figures: Figures
) -> None:
    """Between scan and link: a directory, the root, a file."""
    before = exact(outside)
    wheel = wheel.resolve()
    target = outside / "one.py" if victim.endswith(".py") else outside
    linked = 0
    with swapping(wheel / victim if victim != "." else wheel, target):
        for _ in range(SWAPS):
            site = place / "site"
            with contextlib.suppress(LinkError, InvalidWheelError):
                link_wheel_files(site, wheel, mode=mode)
                linked += 1
            if site.exists():
                check_contained(site, wheel, mode)
                assert litter(site) == []
                shutil.rmtree(site)
    assert exact(outside) == before
    figures.add("hostile wheels", calls_with_a_swapped_source=SWAPS, of_them_linked=linked)


@needs_processes
@needs_descriptors
@pytest.mark.parametrize("victim", ["pkg", "pkg/inner", "pkg/__pycache__"])
def test_destination_swapped_for_a_symlink(
    place: Path, wheel: Path, outside: Path, mode: LinkMode, victim: str, figures: Figures
) -> None:
    """While the wheel is merged into what is there."""
    site = write_tree(
        place / "site", dict.fromkeys((f"pkg/inner/{name}" for name in NAMES), b"old")
    )
    write_tree(site, {"pkg/__pycache__/one.cpython-311.pyc": b"old", "pkg/one.py": b"old"})
    before = exact(outside)
    linked = 0
    with swapping(site / victim, outside / "__pycache__" if "cache" in victim else outside):
        for _ in range(SWAPS):
            with contextlib.suppress(LinkError):
                link_wheel_files(site, wheel, mode=mode)
                linked += 1
    assert exact(outside) == before
    figures.add("hostile wheels", calls_with_a_swapped_destination=SWAPS, of_them_linked=linked)


DEEP: Final = {
    "500 deep": ["d"] * 500,
    "2,000 deep": ["d"] * 2000,
    "names of 255 bytes": ["n" * 255] * 10,
    "paths over 4,096 bytes": ["n" * 255] * 40,
}


@contextlib.contextmanager
def deep_tree(root: Path, parts: list[str]) -> Iterator[None]:
    """Have a file below so many directories; they are removed afterwards, as no ``rmtree`` could."""
    root.mkdir(parents=True)
    fd = os.open(root, os.O_RDONLY)
    for part in parts:
        os.mkdir(part, dir_fd=fd)
        below = os.open(part, os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = below
    leaf = os.open("leaf.py", os.O_WRONLY | os.O_CREAT, 0o644, dir_fd=fd)
    os.write(leaf, b"LEAF = 1\n")
    os.close(leaf)
    os.close(fd)
    try:
        yield
    finally:
        remove(root)


def remove(tree: Path) -> None:
    """Remove a tree of any depth."""
    with folder.Folder.open(os.fspath(tree.parent)) as parent:
        remove_tree(parent, tree.name)


def read_leaf(root: Path, parts: list[str]) -> bytes:
    """Read the file below so many directories."""
    fd = os.open(root, os.O_RDONLY)
    for part in parts:
        below = os.open(part, os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = below
    try:
        leaf = os.open("leaf.py", os.O_RDONLY, dir_fd=fd)
        try:
            return os.read(leaf, 100)
        finally:
            os.close(leaf)
    finally:
        os.close(fd)


@needs_descriptors
@pytest.mark.parametrize("merged", [False, True])
@pytest.mark.parametrize("shape", DEEP)
def test_deep_trees(
    place: Path, mode: LinkMode, shape: str, merged: bool, way: str, figures: Figures
) -> None:
    """No recursion and no path too long: it works, or is refused and leaves nothing."""
    parts = DEEP[shape]
    source, site = place / "cache" / "deep", place / "site"
    with deep_tree(source, parts), contextlib.ExitStack() as stack:
        if merged:
            stack.enter_context(deep_tree(site, parts))
        else:
            site.mkdir()
        wheel = UnpackedWheel(source, "deep-1.0-py3-none-any.whl")
        try:
            link_wheel_files(site, wheel, mode=mode)
            if mode is not LinkMode.SYMLINK:
                assert read_leaf(site, parts) == b"LEAF = 1\n"
        except LinkError as error:
            # By path, and in the target of a symlink, the system ends at 4,096 bytes.
            assert way == "portable" or mode is LinkMode.SYMLINK, error  # noqa: PT017
            assert len("/".join(parts)) > 3900
            assert os.listdir(site) == (parts[:1] if merged else [])
        assert litter(site) == []
        if not merged:
            remove(site)
    figures.add("hostile wheels", deep_trees=1)


ODD_NAMES: Final = (
    "new\nline.py",
    "\x01\x1b[31m.py",
    "\x7f",
    " ",
    "...",
    "trailing.",
    "trailing ",
    "CON",
    "aux.py",
    "C:evil.py",
    "..\\up.py",
    "\\root.py",
    "-rf",
    "~",
    "*",
    "$(id)",
    "%s%n",
    "\u202egnp.py",
    "\U0001f40d.py",
    "x" * 255,
    *(["\udcff\udcfe.py"] if POSIX_BYTES else []),
)


@pytest.mark.skipif(
    os.name != "posix", reason="Windows refuses such names when the wheel is unpacked"
)
@pytest.mark.parametrize("kind", ["file", "directory"])
def test_odd_names(place: Path, mode: LinkMode, kind: str, way: str, figures: Figures) -> None:
    """What POSIX takes for names like any other are just that."""
    paths = [name if kind == "file" else f"{name}/x.py" for name in ODD_NAMES]
    wheel = make_wheel(place / "cache" / "odd", dict.fromkeys(paths, b"fine"))
    for _ in range(2):
        link_wheel_files(place / "site", wheel, mode=mode)
        assert {path: (place / "site" / path).read_bytes() for path in paths} == dict.fromkeys(
            paths, b"fine"
        )
    assert set(os.listdir(place)) == {"cache", "site"}
    figures.add("hostile wheels", odd_names=len(paths))


BAD_FILENAMES: Final = (
    "",
    ".whl",
    "../demo-1.0-py3-none-any.whl",
    "/demo-1.0-py3-none-any.whl",
    "a/b-1.0-py3-none-any.whl",
    "demo-../../1.0-py3-none-any.whl",
    "demo-1.0-py3-none-any.whl/..",
    "demo\n-1.0-py3-none-any.whl",
    "demo\0-1.0-py3-none-any.whl",
    "demo-1.0.zip",
    "demo.whl",
    "demo-one-py3-none-any.whl",
    "-" * 10_000,
)


@pytest.mark.parametrize("filename", BAD_FILENAMES)
def test_bad_filenames(tmp_path: Path, filename: str, figures: Figures) -> None:
    """They are refused before anything is touched."""
    wheel = make_wheel(tmp_path / "cache", {"x.py": b""})
    with pytest.raises(InvalidWheelError):
        link_wheel_files(tmp_path / "site", wheel, filename=filename)
    with pytest.raises(InvalidWheelError):
        WheelFilename.parse(filename)
    assert os.listdir(tmp_path) == ["cache"]
    figures.add("hostile wheels", wheel_file_names=1)


BAD_MEMBERS: Final = (
    "../up.py",
    "pkg/../../up.py",
    "/absolute.py",
    "//host/share.py",
    "C:/drive.py",
    "C:drive.py",
    "..\\up.py",
    "pkg\\..\\..\\up.py",
    "pkg//double.py",
    "./here.py",
    "pkg/./here.py",
    "pkg/new\nline.py",
    "pkg/\x01.py",
    "pkg/x.py/under-a-file.py",
    "PKG/X.PY",
)
WINDOWS_MEMBERS: Final = (
    "pkg/trailing./x.py",
    "pkg/trailing /x.py",
    "pkg/con",
    "pkg/aux.py",
    "pkg/file.py:stream",
)
"""What is a name like any other, but not on Windows."""


def check_refused(archive: Path, root: Path) -> None:
    """Nothing may be unpacked of an archive, nor left in the store."""
    with pytest.MonkeyPatch.context() as patch, WheelStore(root) as store:
        # Refused by what is in it, before anything is written: nothing can be unpacked here.
        patch.setattr("wheel_linker.store._entry.making.unpack", None)
        for record in get_args(RecordMode):
            with pytest.raises(InvalidWheelError):
                store.add(archive, record=record)
    assert entry_names(root) == set()
    assert store_litter(root) == []
    assert set(os.listdir(root.parent)) == {archive.name, root.name}


@pytest.mark.parametrize("name", BAD_MEMBERS)
def test_bad_names_in_archives(tmp_path: Path, name: str, figures: Figures) -> None:
    """They are refused before anything is written."""
    archive = write_wheel(tmp_path / NAME, {"pkg/x.py": b"", name: b"evil"})
    check_refused(archive, tmp_path / "store")
    figures.add("hostile wheels", names_in_archives=1)


@pytest.mark.parametrize("name", WINDOWS_MEMBERS)
def test_names_for_windows_in_archives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, figures: Figures
) -> None:
    """There they are refused; elsewhere they lead to where they say."""
    root = tmp_path / "store"
    archive = write_wheel(tmp_path / NAME, {"pkg/x.py": b"", name: b"fine"})
    if os.name == "posix":
        with WheelStore(root) as store:
            assert files_below(store.add(archive).path)[name] == b"fine"
        with WheelStore(root) as store:
            store.prune(unused_for=0)
        assert set(os.listdir(tmp_path)) == {archive.name, root.name}
    monkeypatch.setattr("wheel_linker._archive.checks.fault", partial(fault, windows=True))
    check_refused(archive, root)
    figures.add("hostile wheels", names_in_archives=1)


PIECES: Final = st.sampled_from(["..", ".", "a", "b", "c", "", "/", "l0", "l1", "l2"])
TARGETS: Final = st.lists(PIECES, min_size=1, max_size=6).map("/".join).filter(bool)
SPOTS: Final = st.sampled_from(["", "a/", "a/b/", "c/"])


@pytest.mark.skipif(os.name != "posix", reason="Windows needs a privilege for symlinks")
@given(links=st.lists(st.tuples(SPOTS, TARGETS), min_size=1, max_size=3))
@settings(max_examples=200, deadline=None, derandomize=True, phases=set(Phase) - {Phase.explain})
def test_symlinks_that_are_let_through_stay_inside(
    tmp_path_factory: pytest.TempPathFactory, figures: Figures, links: list[tuple[str, str]]
) -> None:
    """Whatever they say: those that come out lead nowhere else than into the environment."""
    place = tmp_path_factory.mktemp("links")
    wheel = make_wheel(place / "cache", {"a/b/x.py": b"", "c/y.py": b""})
    for number, (spot, target) in enumerate(links):
        (wheel / f"{spot}l{number}").symlink_to(target)
    site = (place / "site").resolve()
    with contextlib.suppress(InvalidWheelError):
        link_wheel_files(site, wheel, mode=LinkMode.COPY)
        for entry in entries(site):
            if stat.S_ISLNK(entry.stat(follow_symlinks=False).st_mode):
                real = os.path.realpath(entry.path)
                assert os.path.commonpath([real, site]) == os.fspath(site)
        figures.add("hostile wheels", sets_of_symlinks_let_through=1)
    figures.add("hostile wheels", sets_of_symlinks=1)
    shutil.rmtree(place)
