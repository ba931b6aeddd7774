"""The description of an entry is read once by a store object, and again whenever it may be another."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest

from store.archives import NAME, write_wheel
from wheel_linker._fs.timestamps import unsettled_for
from wheel_linker.store._entry import descriptions, manifest
from wheel_linker.store._entry.descriptions import Descriptions
from wheel_linker.store._entry.errors import BrokenManifestError

if TYPE_CHECKING:
    from collections.abc import Callable

    from wheel_linker.store import StoredWheel, WheelStore
    from wheel_linker.store._entry.manifest import Description


@pytest.fixture
def description(stored: StoredWheel) -> str:
    path = os.path.join(os.path.dirname(stored.path), "entry")
    time.sleep(unsettled_for(os.stat(path)))
    return path


def test_is_read_once(description: str) -> None:
    known = Descriptions()
    assert known.read(description) is known.read(description)


def test_is_read_again_when_it_was_just_written(description: str) -> None:
    os.utime(description)
    known = Descriptions()
    assert known.read(description) is not known.read(description)


@pytest.mark.parametrize("destroyed", [lambda data: bytes(len(data)), lambda _: b""])
def test_one_that_was_destroyed_since_is_seen(
    description: str, destroyed: Callable[[bytes], bytes]
) -> None:
    known = Descriptions()
    known.read(description)
    Path(description).write_bytes(destroyed(Path(description).read_bytes()))
    with pytest.raises(BrokenManifestError):
        known.read(description)


def test_one_that_has_gone_is_seen(description: str) -> None:
    known = Descriptions()
    known.read(description)
    os.unlink(description)
    with pytest.raises(FileNotFoundError):
        known.read(description)


def test_what_is_too_much_is_forgotten(description: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(descriptions, "_MOST", 1)
    known = Descriptions()
    assert known.read(description) is not known.read(description)


def test_each_is_counted_once(
    store: WheelStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To count all of them at each look would take longer than the looks."""
    paths = []
    for number in range(5):
        wheel = write_wheel(tmp_path / str(number) / NAME, {"number.py": b"%d\n" % number})
        paths.append(os.path.join(os.path.dirname(store.add(wheel).path), "entry"))
    time.sleep(max(unsettled_for(os.stat(path)) for path in paths))
    counted: list[object] = []
    real = descriptions._size

    def size(one: Description) -> int:
        counted.append(one)
        return real(one)

    monkeypatch.setattr(descriptions, "_size", size)
    known = Descriptions()
    for path in paths * 3:
        known.read(path)
    assert len(counted) == len(paths)


def test_what_it_says_of_files_is_not_read_again(
    store: WheelStore,
    stored: StoredWheel,
    wheel_file: Path,
    description: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(path: str) -> NoReturn:
        raise AssertionError(f"{path} is read again")

    assert stored.path == store.add(wheel_file).path
    monkeypatch.setattr(manifest, "_content", refuse)
    rows = store.add(wheel_file).known_rows()
    assert rows["demo/__init__.py"].size == os.stat(f"{stored.path}/demo/__init__.py").st_size
    assert os.path.exists(description)


def test_a_file_that_was_cut_short_since_is_mended(
    store: WheelStore, stored: StoredWheel, wheel_file: Path, description: str
) -> None:
    path = Path(stored.path, "demo", "__init__.py")
    whole = path.read_bytes()
    for _ in range(2):
        store.add(wheel_file)  # the description is known from here on
        path.write_bytes(whole + b"\n")
        store.add(wheel_file)
        assert path.read_bytes() == whole
    assert os.path.exists(description)
