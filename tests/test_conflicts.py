"""What counts as a conflict between wheels, and what ``on_conflict`` makes of it."""

from __future__ import annotations

import os
import unicodedata
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest
from wheels import contents, make_wheel, names

from wheel_linker import (
    Locks,
    PackageConflict,
    PackageConflictError,
    PackageConflictWarning,
    link_wheels,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Build = Callable[..., list[Path]]


@pytest.fixture
def build(tmp_path: Path) -> Build:
    """Return a function that makes a wheel of each mapping of files: ``w0``, ``w1``, ..."""

    def make(*wheels: Mapping[str, bytes]) -> list[Path]:
        return [
            make_wheel(tmp_path / "cache" / f"w{n}", files, name=f"w{n}")
            for n, files in enumerate(wheels)
        ]

    return make


def found(site: Path, sources: list[Path], *, exact: bool = False) -> tuple[PackageConflict, ...]:
    locks = Locks()
    link_wheels(site, sources, locks=locks)
    return locks.find_package_conflicts(exact=exact)


def described(conflicts: tuple[PackageConflict, ...]) -> dict[str, list[str]]:
    return {
        conflict.path: sorted(wheel.name for wheel in conflict.wheels) for conflict in conflicts
    }


@pytest.mark.parametrize(
    ("one", "two", "path"),
    [
        ({"p/m.py": b"1"}, {"p/m.py": b"22"}, "p/m.py"),
        ({"m.py": b"1"}, {"m.py": b"22"}, "m.py"),
        ({"p/a/b/c/m.py": b"1"}, {"p/a/b/c/m.py": b"22"}, "p/a/b/c/m.py"),
        ({"p/__init__.py": b""}, {"p/__init__.py": b"x"}, "p/__init__.py"),
    ],
)
def test_different_contents_conflict(
    site: Path, build: Build, one: Mapping[str, bytes], two: Mapping[str, bytes], path: str
) -> None:
    assert described(found(site, build(one, two))) == {path: ["w0", "w1"]}


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ({"p/one.py": b"1"}, {"p/two.py": b"22"}),
        ({"p/m.py": b"1"}, {"q/m.py": b"22"}),
        ({"p/__init__.py": b"", "p/one.py": b""}, {"p/__init__.py": b"", "p/two.py": b""}),
        ({"p/__init__.py": b"x = 1\n"}, {"p/__init__.py": b"x = 1\n"}),
    ],
)
def test_different_paths_and_identical_files_do_not(
    site: Path, build: Build, one: Mapping[str, bytes], two: Mapping[str, bytes]
) -> None:
    assert found(site, build(one, two)) == ()
    assert found(site, build(), exact=True) == ()


def test_equal_size_counts_as_equal_unless_exact(site: Path, build: Build) -> None:
    sources = build({"p/m.py": b"one"}, {"p/m.py": b"two"})
    assert found(site, sources) == ()
    assert described(found(site, sources, exact=True)) == {"p/m.py": ["w0", "w1"]}


def test_a_difference_at_the_end_of_a_large_file_is_exact(site: Path, build: Build) -> None:
    data = bytes(3_000_000)
    sources = build({"p/m": data + b"1"}, {"p/m": data + b"2"}, {"q/m": data}, {"q/m": data})
    assert described(found(site, sources, exact=True)) == {"p/m": ["w0", "w1"]}


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("where", ["", "p/", "p/q/"])
def test_a_file_in_one_and_a_directory_in_another_conflict(
    site: Path, build: Build, order: int, where: str
) -> None:
    sources = build({f"{where}thing": b""}, {f"{where}thing/x.py": b""})[::order]
    with pytest.raises(PackageConflictError) as caught:
        link_wheels(site, sources, on_conflict="error")
    assert described(caught.value.conflicts) == {f"{where}thing": ["w0", "w1"]}
    assert names(site) == set()


def test_at_most_one_report_for_each_top_level_name(site: Path, build: Build) -> None:
    files = {f"{top}/m{n}.py": b"" for top in "pqr" for n in range(4)}
    conflicts = found(site, build(files, dict.fromkeys(files, b"x")))
    assert sorted(conflict.path.partition("/")[0] for conflict in conflicts) == ["p", "q", "r"]


def test_all_wheels_that_supply_it_are_named(site: Path, build: Build) -> None:
    sources = build({"p/m.py": b"1"}, {"p/m.py": b"22"}, {"p/n.py": b""}, {"p/m.py": b"333"})
    assert described(found(site, sources)) == {"p/m.py": ["w0", "w1", "w3"]}


def test_the_order_of_wheels_does_not_matter_for_what_is_found(site: Path, build: Build) -> None:
    sources = build(*({"p/m.py": b"x" * n, f"p/{n}.py": b"", "q.py": b"x" * n} for n in range(4)))
    conflicts = {frozenset(described(found(site, sources[::order]))) for order in (1, -1)}
    assert conflicts == {frozenset({"p/m.py", "q.py"})}


def test_only_shared_directories_are_read_and_each_once(
    site: Path, build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = build(
        {"p/sub/m.py": b"", "own0/x/y.py": b""},
        {"p/sub/n.py": b"", "p/alone/m.py": b"", "own1/y.py": b""},
        {"own2/x.py": b""},
    )
    locks = Locks()
    link_wheels(site, sources, locks=locks)
    read: list[str] = []
    real = os.scandir

    def scandir(path: str) -> object:
        read.append(os.path.relpath(os.path.realpath(path), sources[0].parent))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    assert locks.find_package_conflicts() == ()
    expected = [os.path.join(w, *p) for w in ("w0", "w1") for p in (("p",), ("p", "sub"))]
    assert sorted(read) == sorted(expected)


class TestFoldedNames:
    """Names that are one where the file system folds them; elsewhere they are two."""

    DECOMPOSED = unicodedata.normalize("NFD", "caf\u00e9.py")

    def test_elsewhere_they_are_two(self, site: Path, build: Build) -> None:
        (site / "probe").touch()
        if (site / "PROBE").exists():
            pytest.skip("this file system folds case")
        sources = build(
            {"p/M.py": b"1", "caf\u00e9.py": b"1"}, {"p/m.py": b"22", self.DECOMPOSED: b"22"}
        )
        assert found(site, sources) == ()
        assert names(site) >= {"p", "caf\u00e9.py", self.DECOMPOSED, "probe"}

    @pytest.mark.parametrize(
        ("one", "two"),
        [
            ({"p/M.py": b"1"}, {"p/m.py": b"22"}),
            ({"P/m.py": b"1"}, {"p/m.py": b"22"}),
            ({"caf\u00e9.py": b"1"}, {DECOMPOSED: b"22"}),
            ({"Thing": b"1"}, {"thing/x.py": b"22"}),
        ],
    )
    def test_where_they_are_folded_they_conflict(
        self,
        site: Path,
        build: Build,
        monkeypatch: pytest.MonkeyPatch,
        one: Mapping[str, bytes],
        two: Mapping[str, bytes],
    ) -> None:
        monkeypatch.setattr("wheel_linker._wheel.conflict_search.are_one_name", lambda *_: True)
        sources = build(one, two)
        with pytest.raises(PackageConflictError) as caught:
            link_wheels(site, sources, on_conflict="error")
        (conflict,) = caught.value.conflicts
        assert sorted(wheel.name for wheel in conflict.wheels) == ["w0", "w1"]


class TestOnConflict:
    @pytest.fixture
    def sources(self, build: Build) -> list[Path]:
        return build({"p/m.py": b"1", "q.py": b"1"}, {"p/m.py": b"22", "q.py": b"22"})

    def test_ignore_is_the_default(self, site: Path, sources: list[Path]) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            link_wheels(site, sources)
            link_wheels(site, sources, on_conflict="ignore")
        assert contents(site)["p/m.py"] == b"22"

    def test_warn_warns_once_for_each(self, site: Path, sources: list[Path]) -> None:
        with pytest.warns(PackageConflictWarning) as caught:
            link_wheels(site, sources, on_conflict="warn")
        assert len(caught) == 2
        assert {os.path.basename(warning.filename) for warning in caught} == {
            os.path.basename(__file__)
        }
        assert contents(site)["p/m.py"] == b"22"

    def test_nothing_is_said_of_a_race(self, tmp_path: Path, sources: list[Path]) -> None:
        """Within one call the order of the wheels decides, not luck."""
        with pytest.warns(PackageConflictWarning) as caught:
            link_wheels(tmp_path / "warned", sources, on_conflict="warn")
        with pytest.raises(PackageConflictError) as raised:
            link_wheels(tmp_path / "refused", sources, on_conflict="error")
        for text in (*(str(each.message) for each in caught), str(raised.value)):
            assert "is provided by more than one package" in text
            assert "* w0 (w0-1.0-py3-none-any.whl)\n* w1 (w1-1.0-py3-none-any.whl)" in text
            assert "race" not in text

    def test_warnings_that_are_errors_leave_site_packages_alone(
        self, tmp_path: Path, sources: list[Path]
    ) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("error", PackageConflictWarning)
            with pytest.raises(PackageConflictWarning):
                link_wheels(tmp_path / "new", sources, on_conflict="warn")
        assert not (tmp_path / "new").exists()

    def test_error_is_raised_before_anything_is_touched(
        self, tmp_path: Path, sources: list[Path]
    ) -> None:
        with pytest.raises(PackageConflictError, match=r"p/m\.py") as caught:
            link_wheels(tmp_path / "new", sources, on_conflict="error")
        assert described(caught.value.conflicts) == {"p/m.py": ["w0", "w1"], "q.py": ["w0", "w1"]}
        assert not (tmp_path / "new").exists()

    def test_an_unknown_word_is_a_value_error(self, tmp_path: Path, sources: list[Path]) -> None:
        with pytest.raises(ValueError, match=r"ignore.*warn.*error"):
            link_wheels(tmp_path / "new", sources, on_conflict="shout")  # type: ignore[arg-type]
        assert not (tmp_path / "new").exists()

    def test_no_conflict_no_noise(self, site: Path, build: Build) -> None:
        sources = build({"p/one.py": b""}, {"p/two.py": b""})
        words: tuple[Literal["warn", "error"], ...] = ("warn", "error")
        for word in words:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                link_wheels(site, sources, on_conflict=word)


def test_what_was_there_before_is_no_conflict(site: Path, build: Build) -> None:
    (site / "m.py").write_bytes(b"old and long")
    assert found(site, build({"m.py": b"1"})) == ()
