"""Where things lie in a store: a newer version has to find what an older one has written."""

from __future__ import annotations

import os

import pytest

from wheel_linker.store.layout import CONTROL, INDEX, LOCK, STAGING, Layout
from wheel_linker.store.names import is_digest, is_entry_name, may_be_of, names_for

# Of no bytes at all, in hexadecimal digits and, by RFC 4648, in Base32.
EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
BASE32 = "4oymiquy7qobjgx36tejs35zeqt24qpemsnzgtfeswmrw6csxbkq"


def test_names_are_the_beginning_of_the_digest() -> None:
    assert list(names_for(EMPTY)) == [BASE32[:10], BASE32[:16], BASE32[:26], BASE32]
    assert all(is_entry_name(name) for name in names_for(EMPTY))
    assert may_be_of(BASE32[:16], EMPTY)
    assert not may_be_of(BASE32[:17], EMPTY)
    assert not may_be_of("abcdefghij", EMPTY)


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("abcdefghi", False),
        ("abcdefghij", True),
        ("a2b3c4d5e6f7" * 4 + "abcd", True),
        ("a2b3c4d5e6f7" * 4 + "abcde", False),
        ("abcdefghi1", False),
        ("abcdefghi8", False),
        ("ABCDEFGHIJ", False),
        ("abcdefghij\n", False),
        ("../abcdefghij", False),
        (".store", False),
    ],
)
def test_names_of_entries(name: str, is_one: bool) -> None:
    assert is_entry_name(name) is is_one


@pytest.mark.parametrize(
    ("text", "is_one"),
    [(EMPTY, True), (EMPTY[:-1], False), (EMPTY + "0", False), (EMPTY.upper(), False)]
    + [(f"{EMPTY[:-1]}{letter}", False) for letter in "g /X"]
    + [(letter * 64, True) for letter in "0123456789abcdef"],
)
def test_digests(text: str, is_one: bool) -> None:
    assert is_digest(text) is is_one


def test_paths() -> None:
    layout = Layout("root")
    own = ["readers", "leases"]
    assert layout.root == "root"
    assert layout.control == os.path.join("root", ".store")
    assert [getattr(layout, name) for name in own] == [
        os.path.join("root", ".store", name) for name in own
    ]
    assert [CONTROL, INDEX, LOCK, STAGING] == [".store", "index", "lock", "staging"]
    assert layout.entry("abc") == os.path.join("root", "abc")
    below = {
        "tree": "w",
        "manifest": "entry",
        "boot": "boot",
        "times": "times",
        "rows": "rows",
        "bytecode": "bytecode",
        "problems": "problems",
    }
    for method, name in below.items():
        assert getattr(layout, method)("abc") == os.path.join("root", "abc", name)
