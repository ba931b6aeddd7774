"""What was linked can be imported at once where the file system's clock goes in steps: a thousand times in a row."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import os
import sys
from typing import TYPE_CHECKING, Final

import pytest
from wheels import make_wheel

from proof import kit
from wheel_linker import LinkMode, link_wheel_files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from proof.plugin import Figures

SECOND: Final = 1_000_000_000
STEPS: Final = {"10 ms": SECOND // 100, "1 s": SECOND, "2 s": 2 * SECOND}
ROUNDS: Final = 1000

# What the ten members of the tuple have no room for; Python takes nothing else beside them.
_IN_TUPLE: Final = frozenset(
    {"st_mode", "st_ino", "st_dev", "st_nlink", "st_uid", "st_gid", "st_size"}
)
_FIELDS: Final = tuple(
    name for name in dir(os.stat_result) if name.startswith("st_") and name not in _IN_TUPLE
)


class Rounds:
    """Links wheels into one directory that this process imports from, and imports them at once."""

    def __init__(self, site: Path, wheels: Path) -> None:
        self._site = site
        self._wheels = wheels
        self._kinds = (
            self._new_package,
            self._new_module,
            self._replaced_module,
            self._replaced_in_package,
        )

    def run(self, number: int) -> None:
        """Do one round; rounds differ in what is linked, and how."""
        kind = self._kinds[number % len(self._kinds)]
        mode = list(LinkMode)[number // len(self._kinds) % len(LinkMode)]
        kind(number, mode)

    def _new_package(self, number: int, mode: LinkMode) -> None:
        name = f"clocked_{number}"
        assert not _is_there(name)
        self._link(number, mode, {f"{name}/__init__.py": b"", f"{name}/m.py": _code(number)})
        assert _number_in(f"{name}.m") == number

    def _new_module(self, number: int, mode: LinkMode) -> None:
        """One more in a package that others have begun, whose directory was listed."""
        name = f"clocked_space.sub.m{number}"
        importlib.import_module("clocked_space.sub")
        assert not _is_there(name)
        self._link(number, mode, {name.replace(".", "/") + ".py": _code(number)})
        assert _number_in(name) == number

    def _replaced_module(self, number: int, mode: LinkMode) -> None:
        self._replace("clocked_single", number, mode)

    def _replaced_in_package(self, number: int, mode: LinkMode) -> None:
        self._replace("clocked_space.sub.replaced", number, mode)

    def _replace(self, name: str, number: int, mode: LinkMode) -> None:
        """Put another module of the same size and time stamp in a module's place, whose bytecode is there."""
        assert _number_in(name) != number
        self._link(number, mode, {name.replace(".", "/") + ".py": _code(number)}, name="replacing")
        del sys.modules[name]
        assert _number_in(name) == number

    def _link(
        self, number: int, mode: LinkMode, files: dict[str, bytes], name: str | None = None
    ) -> None:
        project = name or f"clocked{number}"
        wheel = make_wheel(self._wheels / str(number), files, name=project)
        link_wheel_files(self._site, wheel, mode=mode)


@pytest.fixture
def make_rounds(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Callable[[Path], Rounds]]:
    """Return a function that has this process import from a directory, and write bytecode there."""
    known = set(sys.modules)

    def make(site: Path) -> Rounds:
        monkeypatch.syspath_prepend(site)
        monkeypatch.setattr(sys, "dont_write_bytecode", False)
        monkeypatch.setattr(sys, "pycache_prefix", None)
        first = {
            "clocked_space/__init__.py": b"",
            "clocked_space/sub/__init__.py": b"",
            "clocked_space/sub/replaced.py": _code(ROUNDS),
            "clocked_single.py": _code(ROUNDS),
        }
        link_wheel_files(site, make_wheel(tmp_path / "first", first, name="first"), mode="copy")
        return Rounds(site, tmp_path)

    yield make
    for name in set(sys.modules) - known:
        del sys.modules[name]


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
def test_a_thousand_rounds_on_a_coarse_clock(
    step: int,
    place_for: Callable[[LinkMode], Path],
    make_rounds: Callable[[Path], Rounds],
    figures: Figures,
) -> None:
    rounds = make_rounds(place_for(LinkMode.COPY))
    with _ticking_in_steps(step):
        for number in range(ROUNDS):
            rounds.run(number)
    figures.add("coarse clocks", rounds=ROUNDS, clocks=1)


def test_a_thousand_rounds_on_exfat(
    on_filesystem: Callable[[str], Path],
    make_rounds: Callable[[Path], Rounds],
    figures: Figures,
) -> None:
    site = on_filesystem("exfat")
    rounds = make_rounds(site)
    for number in range(ROUNDS):
        rounds.run(number)
    # The driver keeps seconds, and of those it writes every other one to the disk.
    assert site.stat().st_mtime_ns % SECOND == 0
    assert kit.litter(site) == []
    figures.add("coarse clocks", rounds=ROUNDS, clocks=1)


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
def test_on_such_a_clock_an_importer_misses_what_others_put_there(
    step: int,
    tmp_path: Path,
    make_rounds: Callable[[Path], Rounds],
) -> None:
    """The rounds above would not all succeed by themselves."""
    site = tmp_path / "site"
    make_rounds(site)
    missed = 0
    with _ticking_in_steps(step):
        for number in range(20):
            assert not _is_there(f"clocked_by_hand_{number}")
            (site / f"clocked_by_hand_{number}.py").write_bytes(b"")
            missed += not _is_there(f"clocked_by_hand_{number}")
    assert missed


@contextlib.contextmanager
def _ticking_in_steps(step: int) -> Iterator[None]:
    """Cut every time that this process reads or sets to whole steps, as a file system does that keeps no more.

    It ends before pytest looks at a failure: its report of one needs the real clock.
    """
    stat, utime = os.stat, os.utime

    def coarse_stat(*arguments: object, **options: object) -> os.stat_result:
        return _cut(stat(*arguments, **options), step)  # type: ignore[arg-type]

    def coarse_utime(
        path: str | int,
        times: tuple[float, float] | None = None,
        *,
        ns: tuple[int, int] | None = None,
        dir_fd: int | None = None,
    ) -> None:
        if ns is None:
            utime(path, times, dir_fd=dir_fd)
        else:
            utime(path, ns=(ns[0] // step * step, ns[1] // step * step), dir_fd=dir_fd)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "stat", coarse_stat)
        patch.setattr(os, "utime", coarse_utime)
        # What FileFinder asks for the time of a directory, and source loaders for that of a file.
        patch.setattr("importlib._bootstrap_external._path_stat", coarse_stat)
        yield


def _cut(status: os.stat_result, step: int) -> os.stat_result:
    fields = {name: getattr(status, name) for name in _FIELDS}
    for kind in ("atime", "mtime", "ctime"):
        stamp = fields[f"st_{kind}_ns"] // step * step
        seconds, rest = divmod(stamp, SECOND)
        fields[f"st_{kind}_ns"] = stamp
        fields[f"st_{kind}"] = seconds + 1e-9 * rest
    return os.stat_result(tuple(status), fields)


def _is_there(name: str) -> bool:
    """Look for a module, whereupon the listing of the directory where it would be is kept."""
    return importlib.util.find_spec(name) is not None


def _number_in(name: str) -> object:
    return importlib.import_module(name).N


def _code(number: int) -> bytes:
    return b"N = 1%04d - 10000\n" % number
