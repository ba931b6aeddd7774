"""What a call tells its caller: counting, and adding up what was counted."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, cast

import pytest

from wheel_linker import LinkMode
from wheel_linker._fs.copying import LeftBehindError
from wheel_linker._link.report import (
    Fallback,
    Fallbacks,
    LinkReport,
    Tally,
    combined,
    note_symlinks,
)
from wheel_linker._wheel.filename import WheelFilename
from wheel_linker._wheel.record_problems import RecordProblem

if TYPE_CHECKING:
    from wheel_linker._wheel.unpacked import UnpackedWheel

CLONE, COPY, HARDLINK, SYMLINK = LinkMode.CLONE, LinkMode.COPY, LinkMode.HARDLINK, LinkMode.SYMLINK
WHEEL = WheelFilename.parse("demo-1.0-py3-none-any.whl")
PROBLEM = RecordProblem("extra", "a.py", "has no row")


def report(used: dict[LinkMode, int], *fallbacks: Fallback, count: int = 0) -> LinkReport:
    """Return what is said of one part of the wheel."""
    files = sum(used.values())
    return LinkReport(WHEEL, (HARDLINK, COPY), HARDLINK, files, used, fallbacks, count, ("x",))


class TestCombined:
    def test_adds_up(self) -> None:
        falls = [
            Fallback(name, HARDLINK, COPY, OSError(errno.EMLINK, "too many")) for name in "abc"
        ]
        parts = [
            report({HARDLINK: 3, COPY: 2}, falls[0], falls[1], count=2),
            report({SYMLINK: 1}),
            report({COPY: 5, HARDLINK: 10}, falls[2], count=4),
        ]
        assert combined(parts, COPY, ["b", "a"]) == LinkReport(
            wheel=WHEEL,
            requested=(HARDLINK, COPY),
            mode=COPY,
            files=21,
            used={HARDLINK: 13, COPY: 7, SYMLINK: 1},
            fallbacks=tuple(falls),
            fallback_count=6,
            replaced=("a", "b"),
        )

    def test_the_rest_is_that_of_the_first(self) -> None:
        first = report({COPY: 1})._replace(requested=(COPY,), record_problems=(PROBLEM,))
        made = combined([first, report({COPY: 1})], COPY, [])
        assert (made.requested, made.record_problems) == ((COPY,), (PROBLEM,))


class TestFallbacks:
    def test_nothing_is_noted(self) -> None:
        assert Fallbacks().noted() == ()

    def test_three_for_each_mode_and_cause(self) -> None:
        errors = [
            (CLONE, OSError(errno.EXDEV, "x")),
            (HARDLINK, OSError(errno.EXDEV, "x")),
            (HARDLINK, OSError(errno.EMLINK, "x")),
            (HARDLINK, LeftBehindError(errno.EMLINK, "x")),
        ]
        noted = Fallbacks()
        for name in "abcd":
            noted.note(name, errors, COPY)
        assert noted.noted() == tuple(
            Fallback(name, mode, COPY, error) for mode, error in errors for name in "abc"
        )


class TestTally:
    def test_counts(self) -> None:
        tally = Tally(None)
        tally.add(COPY, 2)
        tally.add(HARDLINK, 5)
        tally.add(COPY, 1)
        assert tally.sums() == {CLONE: 0, COPY: 3, HARDLINK: 5, SYMLINK: 0}

    @pytest.mark.parametrize("noting", [True, False])
    def test_counts_what_was_refused(self, noting: bool) -> None:
        """Whatever could not be chosen is no fallback."""
        fallbacks = Fallbacks()
        tally = Tally(fallbacks if noting else None)
        error = OSError(errno.EXDEV, "x")
        tally.add_refused("a", [(CLONE, error)], COPY)
        assert tally.sums() == {CLONE: 0, COPY: 1, HARDLINK: 0, SYMLINK: 0}
        expected = (Fallback("a", CLONE, COPY, error),)
        assert fallbacks.noted() == (expected if noting else ())


class Stored:
    """A wheel that knows whether symlinks to it were noted."""

    noted = False

    def note_symlinks(self) -> None:
        self.noted = True


class TestSymlinks:
    def noted(self, modes: tuple[LinkMode, ...], *used: dict[LinkMode, int]) -> list[bool]:
        wheels = [Stored() for _ in used]
        given = [cast("UnpackedWheel", wheel) for wheel in wheels]
        note_symlinks(given, map(report, used), modes)
        return [wheel.noted for wheel in wheels]

    def test_are_noted_where_they_were_made(self) -> None:
        assert self.noted((SYMLINK, COPY), {COPY: 1}, {SYMLINK: 1}) == [False, True]

    def test_a_wheels_own_are_no_links_to_it(self) -> None:
        assert self.noted((HARDLINK, COPY), {SYMLINK: 1, COPY: 2}) == [False]
