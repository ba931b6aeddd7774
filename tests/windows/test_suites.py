"""Which tests run on Windows: what is named is there, and nothing is both chosen and left out."""

from __future__ import annotations

import pytest

from windows import suites
from windows.machine import HERE

ROOT = HERE.parent.parent


@pytest.mark.parametrize("path", [*suites.CHOSEN, *suites.LEFT_OUT])
def test_what_is_named_is_there(path: str) -> None:
    found = ROOT / path
    assert found.is_dir() if path.endswith("/") else found.exists()


def test_everything_is_kept_or_left_out_with_a_reason() -> None:
    kept = set(suites.everything())
    files = {path.relative_to(ROOT).as_posix() for path in suites.TESTS.rglob("test_*.py")}
    left = {file for file in files if file.startswith(tuple(suites.LEFT_OUT))}
    assert kept == files - left
    assert kept & left == set()
    for path, reason in suites.LEFT_OUT.items():
        assert any(file.startswith(path) for file in left), path
        assert f"{path} ({reason})" in suites.left_out()


def test_what_is_chosen_is_among_them() -> None:
    kept = suites.everything()
    for path in suites.CHOSEN:
        assert any(file.startswith(path) for file in kept)
