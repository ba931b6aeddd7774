"""Filling environments from a store: files are looked at when they are linked, and damaged ones are fetched anew."""

from __future__ import annotations

import hashlib
import os
import venv
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from examples.kit import write_wheel

from wheel_linker.integrations._filling.filling import Filling, Means
from wheel_linker.integrations._filling.memory import Memory
from wheel_linker.integrations.pip.locked import obtain_with_projects
from wheel_linker.store import WheelStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def index(tmp_path: Path) -> Path:
    directory = tmp_path / "index"
    directory.mkdir()
    for name, requires in (("top-1.0", ["base"]), ("base-1.0", [])):
        module = name.partition("-")[0]
        path = directory / f"{name}-py3-none-any.whl"
        write_wheel(path, {f"{module}.py": f"NAME = {name!r}\n"}, requires=requires)
    return directory


@pytest.fixture
def store(tmp_path: Path) -> Iterator[WheelStore]:
    with WheelStore(tmp_path / "store") as made:
        yield made


@pytest.fixture
def filling(tmp_path: Path, store: WheelStore) -> Callable[[str], Filling]:
    """Return a function that makes what fills a new environment; all have one memory."""
    memory = Memory()

    def make(name: str) -> Filling:
        root = tmp_path / name
        venv.EnvBuilder(symlinks=os.name != "nt").create(root)
        python = root / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
        return Filling(os.fspath(python), os.fspath(root / "note.json"), Means(store, memory))

    return make


def asked(index: Path) -> list[str]:
    return ["--no-index", "--find-links", os.fspath(index), "top"]


def texts(filling: Filling) -> dict[str, str]:
    library = Path(filling.layout.schemes["purelib"])
    return {path.name: path.read_text(encoding="utf-8") for path in library.glob("*.py")}


def damage(store: WheelStore, name: str) -> None:
    (path,) = Path(store.root).glob(f"**/{name}")
    path.chmod(0o644)
    path.write_text("", encoding="utf-8")


WHOLE = {"top.py": "NAME = 'top-1.0'\n", "base.py": "NAME = 'base-1.0'\n"}


def test_nothing_is_looked_at_twice(
    index: Path, filling: Callable[[str], Filling], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert filling("first").require("deps", asked(index))

    def look(*_: object) -> None:
        raise AssertionError("all of an entry is looked at before it is linked")

    monkeypatch.setattr("wheel_linker.store.finding.whole_entry", look)
    second = filling("second")
    assert second.require("deps", asked(index))
    assert texts(second) == WHOLE


def test_what_is_damaged_is_fetched_anew(
    tmp_path: Path, index: Path, store: WheelStore, filling: Callable[[str], Filling]
) -> None:
    filling("first").require("deps", asked(index))
    damage(store, "base.py")
    second = filling("second")
    assert second.require("deps", asked(index))
    assert texts(second) == WHOLE
    again = Filling(second.layout.python, os.fspath(tmp_path / "second/note.json"), second.means)
    assert not again.require("deps", asked(index))


@pytest.mark.parametrize("is_there", [False, True], ids=["new", "incomplete"])
def test_a_damaged_one_of_a_lock_is_fetched_anew(
    tmp_path: Path,
    index: Path,
    store: WheelStore,
    filling: Callable[[str], Filling],
    is_there: bool,
) -> None:
    lock = tmp_path / "lock.txt"
    lines = [f"--no-index\n--find-links {index}\n"]
    for name in ("top", "base"):
        digest = hashlib.sha256((index / f"{name}-1.0-py3-none-any.whl").read_bytes()).hexdigest()
        lines.append(f"{name}==1.0 --hash=sha256:{digest}\n")
    lock.write_text("".join(lines), encoding="utf-8")
    first = filling("first")

    def require(filled: Filling) -> bool:
        python = filled.layout.python
        return filled.require(
            "sync",
            ["-r", os.fspath(lock)],
            locked=lambda used: obtain_with_projects(lock, python=python, store=used),
            exact=True,
        )

    require(first)
    damage(store, "base.py")
    if is_there:
        # What the environment has lost comes from the store again.
        (record,) = Path(first.layout.schemes["purelib"]).glob("base-1.0.dist-info/RECORD")
        record.write_text("", encoding="utf-8")
        again = Filling(first.layout.python, os.fspath(tmp_path / "first/note.json"), first.means)
    else:
        again = filling("second")
    assert require(again)
    assert texts(again) == WHOLE


def test_what_pip_is_told_by_a_file_is_part_of_what_is_asked_for(
    tmp_path: Path,
    index: Path,
    filling: Callable[[str], Filling],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    configuration = tmp_path / "settings"
    configuration.write_text("[install]\nno-deps = yes\n", encoding="utf-8")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.fspath(configuration))
    first = filling("first")
    assert first.require("deps", asked(index))
    assert set(texts(first)) == {"top.py"}
    # Neither what was found for these words nor what the environment has is right any more.
    configuration.write_text("[install]\nno-deps = no\n", encoding="utf-8")
    again = Filling(first.layout.python, os.fspath(tmp_path / "first/note.json"), first.means)
    assert again.require("deps", asked(index))
    second = filling("second")
    assert second.require("deps", asked(index))
    assert texts(again) == texts(second) == WHOLE
