"""Wheels damaged at random: an error of ours or the very content, and nothing left behind."""

from __future__ import annotations

import tempfile
import zipfile
from pathlib import Path
from typing import Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from store.archives import FILES, NAME, files_below, sha256_of, with_record, write_wheel
from store.conftest import entry_names, litter
from wheel_linker import InvalidWheelError
from wheel_linker.store import Limits, WheelStore

SETTINGS: Final = settings(
    max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
SMALL: Final = Limits(total_size=10_000_000)


@pytest.fixture(params=[zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED], ids=["stored", "deflated"])
def original(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return write_wheel(tmp_path / NAME, compression=request.param)


def add_damaged(data: bytes, digest: str | None) -> None:
    """Add a wheel; it must be refused, or be none the worse."""
    with tempfile.TemporaryDirectory() as scratch:
        wheel, root = Path(scratch, NAME), Path(scratch, "store")
        wheel.write_bytes(data)
        with WheelStore(root, limits=SMALL, jobs=2) as store:
            try:
                stored = store.add(wheel, sha256=digest)
            except InvalidWheelError:
                assert entry_names(root) == set()
            else:
                assert digest is None
                assert files_below(stored.path) == with_record(FILES)
            assert litter(root) == []


@given(data=st.data())
@SETTINGS
def test_bytes_changed(original: Path, data: st.DataObject) -> None:
    damaged = bytearray(original.read_bytes())
    # The structure is at the beginning of each member and at the end.
    places = st.one_of(st.integers(0, len(damaged) - 1), st.integers(-900, -1), st.integers(0, 300))
    for place, value in data.draw(
        st.dictionaries(places, st.integers(0, 255), min_size=1, max_size=4)
    ).items():
        damaged[place] = value
    add_damaged(bytes(damaged), None)


@given(data=st.data())
@SETTINGS
def test_bytes_changed_against_a_digest(original: Path, data: st.DataObject) -> None:
    damaged = bytearray(original.read_bytes())
    place = data.draw(st.integers(0, len(damaged) - 1))
    damaged[place] ^= data.draw(st.integers(1, 255))
    add_damaged(bytes(damaged), sha256_of(original))


@given(data=st.data())
@SETTINGS
def test_truncated(original: Path, data: st.DataObject) -> None:
    content = original.read_bytes()
    length = data.draw(st.integers(0, len(content) - 1))
    with pytest.raises(InvalidWheelError):
        raise_if_added(content[:length])


@given(data=st.data())
@SETTINGS
def test_part_taken_out_or_repeated(original: Path, data: st.DataObject) -> None:
    content = original.read_bytes()
    start = data.draw(st.integers(0, len(content) - 1))
    length = data.draw(st.integers(1, 200))
    repeated = data.draw(st.booleans())
    middle = content[start : start + length] * (2 if repeated else 0)
    add_damaged(content[:start] + middle + content[start + length :], sha256_of(original))


def raise_if_added(data: bytes) -> None:
    """Raise what adding raises, and look for litter."""
    with tempfile.TemporaryDirectory() as scratch:
        wheel, root = Path(scratch, NAME), Path(scratch, "store")
        wheel.write_bytes(data)
        try:
            with WheelStore(root, limits=SMALL) as store:
                store.add(wheel)
        finally:
            assert entry_names(root) == set()
            assert litter(root) == []
