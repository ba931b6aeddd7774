"""Files of a store's first wheels are staged while others are still read: what is wrong about these leaves no trace."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from wheels import make_wheel, snapshot, zip_wheel

from wheel_linker import InvalidWheelError, LinkError, LinkMode, UnpackedWheel, link_wheels
from wheel_linker._fs.stage import Stage
from wheel_linker.install import Layout, install_wheels
from wheel_linker.store import WheelStore
from wheel_linker.store.layout import MANIFEST

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    Put = Callable[[Path, Sequence[UnpackedWheel]], object]


def link(site: Path, wheels: Sequence[UnpackedWheel]) -> object:
    return link_wheels(site, wheels, mode=LinkMode.COPY, jobs=2)


def install(site: Path, wheels: Sequence[UnpackedWheel]) -> object:
    return install_wheels(wheels, Layout.for_target(site), mode=LinkMode.COPY, jobs=2)


@pytest.fixture(params=[link, install])
def put(request: pytest.FixtureRequest) -> Put:
    """Return what puts wheels into a directory, on two threads."""
    made: Put = request.param
    return made


@pytest.fixture
def store(tmp_path: Path) -> Iterator[WheelStore]:
    with WheelStore(tmp_path / "store") as made:
        yield made


@pytest.fixture
def stored(store: WheelStore, tmp_path: Path) -> Callable[..., UnpackedWheel]:
    """Return what makes a wheel and adds it to the store."""

    def add(
        name: str, files: Mapping[str, bytes] | None = None, version: str = "1.0"
    ) -> UnpackedWheel:
        content = {f"{name}.py": b""} if files is None else files
        root = tmp_path / f"{name}-{version}"
        return store.add(zip_wheel(make_wheel(root, content, name=name, version=version), tmp_path))

    return add


@pytest.fixture
def used(site: Path) -> Path:
    """Return a directory with something in it."""
    make_wheel(site / "known", {"known.py": b""}, name="known")
    return site


def test_a_later_wheel_that_is_damaged(
    stored: Callable[..., UnpackedWheel], used: Path, put: Put
) -> None:
    wheels = [stored("first"), stored("second")]
    manifest = Path(wheels[1].path).parent / MANIFEST
    manifest.chmod(0o644)
    manifest.write_bytes(b"")
    before = snapshot(used)
    with pytest.raises(InvalidWheelError, match="it is damaged"):
        put(used, wheels)
    assert snapshot(used) == before


def test_a_later_wheel_that_would_replace_the_interpreter(
    stored: Callable[..., UnpackedWheel], used: Path
) -> None:
    bad = stored("bad", {"bad-1.0.data/scripts/python": b"#!python\n"})
    before = snapshot(used)
    with pytest.raises(InvalidWheelError, match="belongs to the environment"):
        install(used, [stored("first"), bad])
    assert snapshot(used) == before


def test_two_of_one_distribution(stored: Callable[..., UnpackedWheel], used: Path) -> None:
    before = snapshot(used)
    with pytest.raises(InvalidWheelError, match="at once: both are twice"):
        install(used, [stored("twice"), stored("twice", version="2.0")])
    assert snapshot(used) == before


@pytest.mark.parametrize("last", [False, True])
def test_no_stage_is_made_in_a_wheel(
    stored: Callable[..., UnpackedWheel], put: Put, monkeypatch: pytest.MonkeyPatch, last: bool
) -> None:
    """A wheel is never written to, not even for a moment."""
    around, other = stored("around", {"around/__init__.py": b""}), stored("other")
    site = os.path.join(around.path, "around")

    def refuse(_: Stage) -> None:
        raise AssertionError("a stage is made in a wheel")

    monkeypatch.setattr(Stage, "make", refuse)
    with pytest.raises(LinkError, match="lies in the unpacked wheel"):
        put(Path(site), [other, around] if last else [around, other])


def test_the_interpreter_is_asked_for_its_tag_once(
    stored: Callable[..., UnpackedWheel], used: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheels = [stored(name) for name in ("first", "second", "third")]
    layout = Layout.for_target(used)

    def compiled(where: Layout) -> set[str]:
        install_wheels(wheels, where, mode=LinkMode.COPY, jobs=2, compile_bytecode=True)
        return {path.name for path in used.glob("__pycache__/*.pyc")}

    made = compiled(layout)
    assert len(made) == len(wheels)
    shutil.rmtree(used / "__pycache__")
    asked = 0
    tag = Layout.bytecode_tag

    def counted(self: Layout) -> str | None:
        nonlocal asked
        asked += self.bytecode is None
        return tag(self)

    monkeypatch.setattr(Layout, "bytecode_tag", counted)
    assert compiled(layout._replace(bytecode=None)) == made
    assert asked == 1
