"""What a call costs grows with what there is to do, not with its square. Calls of the system are counted, not timed."""

from __future__ import annotations

import os
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from wheels import make_wheel

from wheel_linker import link_wheel_files, link_wheels

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="counts POSIX calls")

FEW: Final = 40
MANY: Final = 4 * FEW
MOST: Final = 4.6
"""How many times as much four times as much may cost."""
_COUNTED: Final = ("open", "stat", "lstat", "mkdir", "rmdir", "unlink", "link", "rename", "replace")


@pytest.fixture
def count(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], int]:
    """Return what counts the calls that something makes."""

    def counted(action: Callable[[], object]) -> int:
        calls: Counter[str] = Counter()

        def wrap(name: str) -> None:
            real = getattr(os, name)

            def call(*arguments: Any, **options: Any) -> Any:
                calls[name] += 1
                return real(*arguments, **options)

            for functions in (os.supports_dir_fd, os.supports_fd, os.supports_follow_symlinks):
                if real in functions:
                    monkeypatch.setattr(os, name, call)
                    functions.add(call)
            monkeypatch.setattr(os, name, call)

        for name in _COUNTED:
            wrap(name)
        try:
            action()
        finally:
            monkeypatch.undo()
        return calls.total() if hasattr(calls, "total") else sum(calls.values())

    return counted


def siblings(root: Path, number: int) -> Path:
    return make_wheel(root, {f"many/all/p{n}/m.py": b"" for n in range(number)})


class Stop(Exception):
    """What a callback ends a call with."""


@pytest.fixture
def check(
    count: Callable[[Callable[[], object]], int],
) -> Callable[[Callable[[int], Callable[[], object]]], None]:
    """Return what compares what few and many cost, by a function of a number that makes the action ready."""

    def compared(make_ready: Callable[[int], Callable[[], object]]) -> None:
        few, many = (count(make_ready(number)) for number in (FEW, MANY))
        assert many < MOST * few

    return compared


def test_undoing_sibling_directories(
    tmp_path: Path, check: Callable[[Callable[[int], Callable[[], object]]], None]
) -> None:
    def make_ready(number: int) -> Callable[[], object]:
        wheel = siblings(tmp_path / f"wheel{number}", number)
        seen: list[int] = []

        def stop(files: int) -> None:
            seen.append(files)
            if sum(seen) > number:
                raise Stop

        def fail() -> None:
            with pytest.raises(Stop):
                link_wheel_files(tmp_path / "site", wheel, progress=stop)

        return fail

    check(make_ready)


def test_putting_replaced_files_back(
    tmp_path: Path, check: Callable[[Callable[[int], Callable[[], object]]], None]
) -> None:
    def make_ready(number: int) -> Callable[[], object]:
        site = tmp_path / f"site{number}"
        link_wheel_files(site, siblings(tmp_path / f"old{number}", number))
        (site / "zz.py").mkdir()
        bad = make_wheel(tmp_path / f"bad{number}", {"zz.py": b""}, name="bad")
        new = siblings(tmp_path / f"new{number}", number)

        def fail() -> None:
            with pytest.raises(IsADirectoryError):
                link_wheels(site, [new, bad], jobs=1)

        return fail

    check(make_ready)


def test_installing_again_what_is_installed(
    tmp_path: Path, check: Callable[[Callable[[int], Callable[[], object]]], None]
) -> None:
    """Half of it, beside the others that stay."""
    pytest.importorskip("installer")
    from wheel_linker.install import Layout, install_wheels

    def make_ready(number: int) -> Callable[[], object]:
        layout = Layout.for_target(tmp_path / f"env{number}")

        def wheels(version: str, number: int) -> list[Path]:
            root = tmp_path / f"{version}-{number}"
            return [
                make_wheel(
                    root / str(n), {f"p{n}/m{version}.py": b""}, name=f"p{n}", version=version
                )
                for n in range(number)
            ]

        install_wheels(wheels("1.0", number), layout, jobs=1)
        new = wheels("2.0", number // 2)
        return lambda: install_wheels(new, layout, jobs=1)

    check(make_ready)
