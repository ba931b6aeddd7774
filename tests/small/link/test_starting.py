"""When helper processes are worth starting, and how many."""

from __future__ import annotations

import pytest

from wheel_linker._link.helper import process, starting
from wheel_linker.backends import Backend, default_backend


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Backend]:
    """Whether there can be any here is somebody else's question; this is what was asked."""
    backends: list[Backend] = []

    def may_clone(backend: Backend) -> bool:
        backends.append(backend)
        return True

    monkeypatch.setattr(process, "may_clone", may_clone)
    return backends


@pytest.mark.parametrize(
    ("entries", "number"),
    [(0, 0), (7_999, 0), (8_000, 1), (15_999, 1), (16_000, 2), (51_890, 6)],
)
def test_more_for_more_files(asked: list[Backend], entries: int, number: int) -> None:
    """Each takes a while to start."""
    found = starting.how_many(entries, default_backend())
    assert isinstance(found, int)
    assert found == number


def test_those_who_place_few_files_do_not_ask(asked: list[Backend]) -> None:
    """To know whether there can be any, more has to be imported."""
    backend = default_backend()
    starting.how_many(7_999, backend)
    assert asked == []
    starting.how_many(8_000, backend)
    assert asked == [backend]


def test_none_where_there_can_be_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_can_be_had", lambda: False)
    assert starting.how_many(100_000, default_backend()) == 0
