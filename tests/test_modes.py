"""Link modes, and what is accepted as a fallback chain."""

from __future__ import annotations

import copy
import pickle
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from wheel_linker import AUTO, LinkMode, link_wheel_files, link_wheels
from wheel_linker.mode import fallback_chain

if TYPE_CHECKING:
    from collections.abc import Sequence

C, F, H, S = LinkMode.CLONE, LinkMode.COPY, LinkMode.HARDLINK, LinkMode.SYMLINK


def test_the_modes_are_their_words() -> None:
    words = {mode.name: mode.value for mode in LinkMode}
    assert words == {"CLONE": "clone", "COPY": "copy", "HARDLINK": "hardlink", "SYMLINK": "symlink"}
    assert all(mode == mode.value and isinstance(mode, str) for mode in LinkMode)


def test_reflink_is_an_alias_of_clone() -> None:
    assert LinkMode("reflink") is LinkMode.CLONE
    assert LinkMode("clone") is LinkMode.CLONE


@pytest.mark.parametrize("word", ["", "CLONE", "hard-link", "auto", 3, None])
def test_an_unknown_word_lists_the_accepted_ones(word: object) -> None:
    with pytest.raises(ValueError, match=r"(?s)(?=.*clone)(?=.*copy)(?=.*hardlink)(?=.*symlink)"):
        LinkMode(word)


@pytest.mark.parametrize(
    ("platform", "expected"),
    [("darwin", C), ("ios", C), ("linux", H), ("win32", H), ("freebsd14", H), ("emscripten", H)],
)
def test_the_default_depends_on_the_platform(
    monkeypatch: pytest.MonkeyPatch, platform: str, expected: LinkMode
) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    assert LinkMode.default() is expected


def test_only_symlink_is_symlink() -> None:
    assert [mode for mode in LinkMode if mode.is_symlink()] == [S]


def test_a_mode_survives_copying_and_pickling() -> None:
    assert all(pickle.loads(pickle.dumps(mode)) is mode for mode in LinkMode)
    assert copy.deepcopy(list(LinkMode)) == list(LinkMode)


def test_auto_is_a_constant_chain() -> None:
    assert AUTO == (C, H, F)


@pytest.mark.parametrize(
    ("asked", "chain"),
    [
        (C, (C, F)),
        (H, (H, F)),
        (S, (S, F)),
        (F, (F,)),
        ("hardlink", (H, F)),
        ("reflink", (C, F)),
        ("copy", (F,)),
        (None, (LinkMode.default(), F)),
        (AUTO, (C, H, F)),
        ("auto", (C, H, F)),
        ((H,), (H,)),
        ([S, H], (S, H)),
        (["reflink", "copy"], (C, F)),
        (("symlink", H, "copy"), (S, H, F)),
    ],
)
def test_what_is_asked_becomes_a_chain(
    site: Path, wheel: Path, asked: LinkMode | str | Sequence[LinkMode | str] | None, chain: object
) -> None:
    if chain == (C, F) or asked is None:
        (report,) = link_wheels(site, [wheel], mode=asked)
    else:
        report = link_wheel_files(site, wheel, mode=asked)
    assert report.requested == chain


@pytest.mark.parametrize("asked", ["", "hard", "clone,copy", ("clone", "nonsense"), (), []])
def test_a_bad_chain_is_a_value_error_and_nothing_changes(
    tmp_path: Path, wheel: Path, asked: str | Sequence[str]
) -> None:
    with pytest.raises(ValueError, match=r"mode"):
        link_wheel_files(tmp_path / "new", wheel, mode=asked)
    with pytest.raises(ValueError, match=r"mode"):
        link_wheels(tmp_path / "new", [wheel], mode=asked)
    assert not (tmp_path / "new").exists()


def test_an_unknown_word_names_the_accepted_ones_auto_included(site: Path, wheel: Path) -> None:
    with pytest.raises(ValueError, match=r"(?s)nonsense.*clone.*auto"):
        link_wheel_files(site, wheel, mode="nonsense")


@pytest.mark.parametrize("chain", [["auto"], ("auto", "copy"), ["copy", "auto"]])
def test_auto_stands_alone(chain: list[str]) -> None:
    with pytest.raises(ValueError, match="alone") as caught:
        fallback_chain(chain)
    assert "unknown" not in str(caught.value)


def test_auto_is_not_offered_for_a_chain() -> None:
    with pytest.raises(ValueError, match="unknown link mode 'nonsense'") as caught:
        fallback_chain(["nonsense"])
    assert "auto" not in str(caught.value)
