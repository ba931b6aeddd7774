"""Guarantee 3: a reader sees the old file or the new one, whole."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from wheels import contents, make_wheel, names

from wheel_linker import LinkMode, link_wheel_files, link_wheels

MODES = list(LinkMode)
OLD, NEW = b"a" * 300_000, b"b" * 200_000
PATHS = ("package/module.py", "single.py")
# Seconds between two looks. Windows replaces no file that is open: one that is opened over and over it never does.
PAUSE = 0.05 if os.name == "nt" else 0
pytestmark = pytest.mark.usefixtures("way")


@pytest.fixture
def versions(place: Path) -> tuple[Path, Path]:
    """Two wheels with the same names in them."""
    old = make_wheel(place / "old", dict.fromkeys(PATHS, OLD))
    new = make_wheel(place / "new", dict.fromkeys(PATHS, NEW))
    return old, new


class Readers:
    """Threads that read files over and over, and keep what was not one of two contents."""

    def __init__(self, *paths: Path) -> None:
        self.reads = 0
        self.wrong: list[str] = []
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._read, args=(path,)) for path in paths]

    def __enter__(self) -> Readers:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _read(self, path: Path) -> None:
        while not self._stop.is_set():
            try:
                found = path.read_bytes()
            except OSError as error:
                # Windows lets nobody in while it replaces a file.
                if os.name != "nt" or not isinstance(error, PermissionError):
                    self.wrong.append(repr(error))
            else:
                self.reads += 1
                if found not in (OLD, NEW):
                    self.wrong.append(f"{len(found)} bytes")
            if PAUSE:
                time.sleep(PAUSE)


@pytest.mark.parametrize("mode", MODES)
def test_a_reader_sees_the_old_or_the_new_file(
    place: Path, versions: tuple[Path, Path], mode: LinkMode
) -> None:
    target = place / "site"
    link_wheel_files(target, versions[0], mode=mode)
    with Readers(*(target / path for path in PATHS)) as readers:
        for number in range(20):
            report = link_wheel_files(target, versions[(number + 1) % 2], mode=mode)
            assert set(report.replaced) >= set(PATHS)
    assert readers.wrong == []
    assert readers.reads


@pytest.mark.parametrize("mode", MODES)
def test_changing_the_mode_is_atomic_too(
    place: Path, versions: tuple[Path, Path], mode: LinkMode
) -> None:
    target = place / "site"
    link_wheel_files(target, versions[0], mode="copy")
    with Readers(target / PATHS[0]) as readers:
        for round_ in (mode, LinkMode.SYMLINK, mode, LinkMode.HARDLINK, mode, LinkMode.COPY):
            link_wheel_files(target, versions[0], mode=round_)
    assert readers.wrong == []


@pytest.mark.skipif(os.name != "posix", reason="Windows keeps open files where they are")
@pytest.mark.parametrize("mode", MODES)
def test_an_open_file_goes_on(place: Path, versions: tuple[Path, Path], mode: LinkMode) -> None:
    target = place / "site"
    link_wheel_files(target, versions[0], mode=mode)
    with (target / PATHS[0]).open("rb") as file:
        start = file.read(1000)
        link_wheel_files(target, versions[1], mode=mode)
        assert start + file.read() == OLD
    assert (target / PATHS[0]).read_bytes() == NEW


@pytest.mark.skipif(sys.platform != "linux", reason="runs a copy of a system program")
@pytest.mark.parametrize("mode", MODES)
def test_a_running_program_is_replaced(place: Path, mode: LinkMode) -> None:
    program = Path(shutil.which("sleep") or "/bin/sleep").read_bytes()
    source = make_wheel(place / "w", {"bin/tool": program}, executables=["bin/tool"])
    target = place / "site"
    link_wheel_files(target, source, mode=mode)
    running = subprocess.Popen([target / "bin/tool", "60"])
    try:
        newer = make_wheel(place / "n", {"bin/tool": b"#!/bin/sh\n"}, executables=["bin/tool"])
        link_wheel_files(target, newer, mode=mode)
        assert running.poll() is None
    finally:
        running.kill()
        running.wait()
    assert (target / "bin/tool").read_bytes() == b"#!/bin/sh\n"


@pytest.mark.parametrize("mode", MODES)
def test_linking_the_same_again_leaves_nothing_behind(place: Path, mode: LinkMode) -> None:
    """rename(2) does nothing where both names are the same file, and leaves the one to be moved."""
    source = make_wheel(place / "w", {"package/module.py": b"", "single.py": b""})
    target = place / "site"
    for _ in range(3):
        link_wheel_files(target, source, mode=(mode, LinkMode.COPY))
    assert names(target) == names(source)
    assert contents(target) == contents(source)


@pytest.mark.parametrize("mode", MODES)
def test_two_threads_never_interleave_one_package(place: Path, mode: LinkMode) -> None:
    """Without shared locks, too: either wheel's package is complete, none is a mixture."""
    paths = [f"package/m{n}.py" for n in range(20)]
    sources = [
        make_wheel(place / text, dict.fromkeys(paths, text.encode()), name=text)
        for text in ("one", "two")
    ]
    target = place / "site"
    for _ in range(5):
        with Running(target, sources, mode):
            pass
        found = {contents(target)[path] for path in paths}
        assert found in ({b"one"}, {b"two"})
    assert not [name for name in names(target) if name.startswith(".")]


class Running:
    """One thread per wheel, each with a call of its own."""

    def __init__(self, target: Path, sources: list[Path], mode: LinkMode) -> None:
        self._errors: list[BaseException] = []
        self._threads = [
            threading.Thread(target=self._link, args=(target, source, mode)) for source in sources
        ]

    def _link(self, target: Path, source: Path, mode: LinkMode) -> None:
        try:
            link_wheels(target, [source], mode=mode)
        except BaseException as error:  # noqa: BLE001 - shown by the thread that waits
            self._errors.append(error)

    def __enter__(self) -> Running:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for thread in self._threads:
            thread.join()
        if self._errors:
            raise self._errors[0]
