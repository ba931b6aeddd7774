"""Names in archives: which are refused, here or on Windows only, and which are one path."""

from __future__ import annotations

from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wheel_linker import InvalidWheelError
from wheel_linker._wheel.names import Names, fault, fold

GOOD: Final = (
    "demo.py",
    "demo/__init__.py",
    "demo/",
    "...demo",
    ".hidden/..x",
    "with space/a b.py",
    "caf\u00e9/\U0001f40d.py",
    "console.py",
    "com10.py",
    "auxiliary/nullable.py",
)
BAD: Final = (
    "",
    "/",
    "/etc/passwd",
    "//server/share/x",
    "a//b",
    "a//",
    ".",
    "./a",
    "a/./b",
    "..",
    "../a",
    "a/../../b",
    "a/..",
    "a/../",
    "..\\a",
    "a\\b",
    "C:/a",
    "C:a",
    "a\0b",
    "a\nb",
    "a\n",
    "a\x1b[31mb",
    "a\x7f",
    "a\x9b",
)
BAD_ON_WINDOWS: Final = (
    "a/b:stream",
    "what?",
    "a|b",
    "<a>",
    'quo"te',
    "star*",
    "...",
    "a./b",
    "a ",
    "a/b.",
    "a /b",
    "nul",
    "CON",
    "con/x.py",
    "a/aux.py",
    "Aux.tar.gz",
    "com1",
    "a/LPT9.txt",
    "com\u00b9.txt",
    "CONIN$",
    "prn .txt",
    "aux/",
    "a./",
)


class TestFault:
    @pytest.mark.parametrize("windows", [False, True])
    @pytest.mark.parametrize("name", GOOD)
    def test_of_good_names(self, name: str, windows: bool) -> None:
        assert fault(name, windows=windows) is None

    @pytest.mark.parametrize("windows", [False, True])
    @pytest.mark.parametrize("name", BAD)
    def test_of_names_that_are_bad_everywhere(self, name: str, windows: bool) -> None:
        assert fault(name, windows=windows)

    @pytest.mark.parametrize("name", BAD_ON_WINDOWS)
    def test_of_names_that_windows_cannot_write(self, name: str) -> None:
        assert fault(name, windows=True) == "cannot be written on Windows"
        assert fault(name, windows=False) is None

    def test_of_names_that_are_too_long(self) -> None:
        assert fault("d/" * 2040 + "leaf.py", windows=True) is None
        assert "more than a path" in str(fault("d/" * 2048 + "leaf.py"))

    @given(st.text(alphabet=st.sampled_from("ab./\\ :*\0\n\u00e9Aux1")))
    def test_of_names_that_do_not_stay_below(self, name: str) -> None:
        parts = name.removesuffix("/").split("/")
        if {"", ".", ".."} & set(parts) or set("\\\0\n") & set(name):
            assert fault(name, windows=False)
        if any(part.endswith((".", " ")) for part in parts) or set(":*") & set(name):
            assert fault(name, windows=True)


class TestNames:
    def test_know_the_directories(self) -> None:
        names = Names()
        names.add_directory("empty")
        for name in ("a/b/x.py", "a/y.py", "top.py", "a/c/d/z.py"):
            names.add_file(name)
        assert list(names.directories) == ["a", "a/b", "a/c", "a/c/d"]

    def test_may_be_deeper_than_python_recurses(self) -> None:
        names = Names()
        names.add_file("d/" * 2000 + "leaf.py")
        assert len(names.directories) == 2000

    @pytest.mark.parametrize("other", ["a/b", "A/B", "a/b/c/d.py", "a/B/x.py"])
    def test_that_take_a_directory(self, other: str) -> None:
        names = Names()
        names.add_file("a/b/c")
        with pytest.raises(InvalidWheelError, match="one path"):
            names.add_file(other)


class TestFold:
    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ("Demo.py", "dEMO.PY"),
            ("caf\u00e9", "CAFE\u0301"),
            ("stra\u00dfe", "STRASSE"),
            ("\u212b", "\u00e5"),
            ("\u1fb4", "\u03b1\u0345\u0301"),
        ],
    )
    def test_is_the_same(self, one: str, other: str) -> None:
        assert fold(one) == fold(other)

    @pytest.mark.parametrize(("one", "other"), [("a", "b"), ("cafe", "caf\u00e9"), ("a", "a ")])
    def test_is_another(self, one: str, other: str) -> None:
        assert fold(one) != fold(other)

    @given(st.text())
    def test_of_itself_is_the_same(self, name: str) -> None:
        assert fold(fold(name)) == fold(name)


def test_more_directories_than_memory_should_hold_are_refused() -> None:
    names = Names()

    def add_all() -> None:
        for number in range(100):
            names.add_file(f"{number}/" + "d/" * 2000 + "f")

    with pytest.raises(InvalidWheelError, match="deeper directories"):
        add_all()
    assert sum(map(len, names.directories)) < 20_000_000
