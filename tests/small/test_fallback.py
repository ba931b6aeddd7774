"""The fallback chain as a state machine, and what its warning says."""

from __future__ import annotations

import errno
import os
import warnings
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import pytest
from standins import windows_error

from wheel_linker import AUTO, LinkFallbackWarning, LinkMode, Locks
from wheel_linker._fs.copying import LeftBehindError
from wheel_linker._link import fallback
from wheel_linker._link.fallback import Cause, Ladder, classify, warn_of_fallbacks
from wheel_linker._link.options import LinkOptions, excluding
from wheel_linker._link.report import Fallback
from wheel_linker.backends import default_backend

if TYPE_CHECKING:
    from collections.abc import Sequence

CLONE, COPY, HARDLINK, SYMLINK = LinkMode.CLONE, LinkMode.COPY, LinkMode.HARDLINK, LinkMode.SYMLINK


class TestLadder:
    def test_begins_with_the_first(self) -> None:
        ladder = Ladder([CLONE, HARDLINK, COPY])
        assert (ladder.modes, ladder.mode) == ((CLONE, HARDLINK, COPY), CLONE)

    def test_goes_down_at_the_first_file(self) -> None:
        ladder = Ladder(AUTO)
        assert ladder.refused(CLONE, Cause.NOT_SUPPORTED) is HARDLINK
        assert ladder.mode is HARDLINK
        assert ladder.refused(HARDLINK, Cause.NOT_SUPPORTED) is COPY
        assert ladder.mode is COPY
        assert ladder.refused(COPY, Cause.NOT_SUPPORTED) is None
        assert ladder.mode is COPY

    def test_stays_where_one_file_was_placed(self) -> None:
        ladder = Ladder((CLONE, SYMLINK))
        ladder.placed(CLONE)
        assert ladder.refused(CLONE, Cause.NOT_SUPPORTED) is SYMLINK
        assert ladder.mode is CLONE

    def test_a_mode_that_has_fallen_back_stays_so(self) -> None:
        """A slower thread may report a file of before."""
        ladder = Ladder((CLONE, COPY))
        ladder.refused(CLONE, Cause.NOT_SUPPORTED)
        ladder.placed(CLONE)
        ladder.refused(COPY, Cause.NOT_THIS_FILE)
        assert ladder.mode is COPY

    def test_one_file_says_nothing_of_the_next(self) -> None:
        ladder = Ladder((CLONE, COPY))
        assert ladder.refused(CLONE, Cause.NOT_THIS_FILE) is COPY
        assert ladder.mode is CLONE
        assert ladder.refused(CLONE, Cause.NOT_SUPPORTED) is COPY
        assert ladder.mode is COPY

    def test_a_fault_ends_it_and_changes_nothing(self) -> None:
        ladder = Ladder((CLONE, COPY))
        assert ladder.refused(CLONE, Cause.FATAL) is None
        assert ladder.mode is CLONE

    def test_a_middle_mode_that_fell_back_is_left_out(self) -> None:
        ladder = Ladder(AUTO)
        ladder.refused(HARDLINK, Cause.NOT_SUPPORTED)
        assert ladder.mode is CLONE
        ladder.refused(CLONE, Cause.NOT_SUPPORTED)
        assert ladder.mode is COPY


class TestClassify:
    def test_a_name_that_is_taken_is_fatal(self) -> None:
        assert classify(LeftBehindError(errno.EXDEV, "left behind")) is Cause.FATAL

    def test_numbers_of_windows_that_python_does_not_know(self) -> None:
        assert classify(windows_error(4711, errno.EINVAL)) is Cause.FATAL
        assert classify(windows_error(4711, errno.EXDEV)) is Cause.NOT_SUPPORTED
        assert classify(windows_error(4711, errno.EMLINK)) is Cause.NOT_THIS_FILE
        assert classify(windows_error(0, errno.EINVAL)) is Cause.NOT_SUPPORTED


@pytest.fixture
def nothing_warned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fallback, "_warned", set())


@pytest.mark.usefixtures("nothing_warned")
class TestWarning:
    def said(self, chain: Sequence[LinkMode], *fallbacks: Fallback) -> list[str]:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            warn_of_fallbacks("some/wheel", chain, fallbacks)
        assert {warning.category for warning in caught} <= {LinkFallbackWarning}
        return [str(warning.message) for warning in caught]

    def test_is_one_sentence_and_a_remedy(self) -> None:
        fell = Fallback("a/b.py", HARDLINK, COPY, OSError(errno.EXDEV, "other device"))
        where = repr(os.path.join("some/wheel", "a/b.py"))
        (message,) = self.said((HARDLINK, COPY), fell)
        assert message == (
            f"cannot hardlink {where}: other device; used copy instead. To silence this, ask for mode 'copy', "
            "or filter wheel_linker.LinkFallbackWarning"
        )

    def test_of_an_error_without_a_text(self) -> None:
        fell = Fallback("a", CLONE, COPY, OSError("no number at all"))
        (message,) = self.said((CLONE, COPY), fell)
        assert "no number at all; used copy" in message

    def test_once_for_each_mode_and_cause(self) -> None:
        kinds = [
            Fallback("a", CLONE, HARDLINK, OSError(errno.EXDEV, "x")),
            Fallback("b", HARDLINK, COPY, OSError(errno.EXDEV, "x")),
            Fallback("c", HARDLINK, COPY, OSError(errno.EMLINK, "x")),
            Fallback("d", HARDLINK, COPY, LeftBehindError(errno.EMLINK, "x")),
        ]
        chain = (CLONE, HARDLINK, COPY, SYMLINK)
        assert len(self.said(chain, *kinds, *kinds)) == 4
        assert self.said(chain, *kinds) == []

    def test_what_was_given_already_does_not_end_the_list(self) -> None:
        first = Fallback("a", CLONE, COPY, OSError(errno.EXDEV, "x"))
        second = Fallback("b", CLONE, COPY, OSError(errno.EPERM, "y"))
        self.said((CLONE, COPY), first)
        assert len(self.said((CLONE, COPY), first, second)) == 1

    def test_hard_links_are_what_auto_asks_for(self) -> None:
        as_asked = Fallback("a", CLONE, HARDLINK, OSError(errno.EOPNOTSUPP, "x"))
        not_so = Fallback("b", HARDLINK, COPY, OSError(errno.EXDEV, "x"))
        assert len(self.said(AUTO, as_asked, not_so)) == 1
        assert len(self.said((CLONE, HARDLINK), as_asked)) == 1

    def test_an_error_filter_makes_it_an_error_each_time(self) -> None:
        fell = Fallback("a", CLONE, COPY, OSError(errno.EXDEV, "x"))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            for _ in range(2):
                with pytest.raises(LinkFallbackWarning):
                    warn_of_fallbacks("wheel", (CLONE, COPY), [fell])
        assert len(self.said((CLONE, COPY), fell)) == 1


class TestOptions:
    def options(self, chain: tuple[LinkMode, ...], **more: Any) -> LinkOptions:
        return LinkOptions(chain, Locks(), None, 1, lambda _: None, default_backend(), **more)  # type: ignore[arg-type]

    def test_modes(self) -> None:
        assert self.options(AUTO).modes() == AUTO
        assert self.options((CLONE,), native=(HARDLINK, COPY)).modes() == (CLONE, HARDLINK, COPY)

    @pytest.mark.parametrize("whole", [False, True])
    @pytest.mark.parametrize("chain", [(CLONE, COPY), (COPY,), (HARDLINK, CLONE)])
    def test_clones_whole(
        self, whole: bool, chain: tuple[LinkMode, ...], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        options = self.options(chain)
        monkeypatch.setattr(type(options.backend), "clones_directories", whole, raising=False)
        assert options.clones_whole() is (whole and chain[0] is CLONE)

    def test_nothing_is_left_out(self) -> None:
        assert excluding(None) is None

    def test_a_callable_is_asked_for_a_path(self) -> None:
        asked: list[PurePosixPath] = []

        def exclude(path: PurePosixPath) -> bool:
            asked.append(path)
            return path.suffix == ".pyc"

        excludes = excluding(exclude)
        assert excludes is not None
        assert excludes("a/b.pyc")
        assert not excludes("a/b.py")
        assert asked == [PurePosixPath("a/b.pyc"), PurePosixPath("a/b.py")]

    @pytest.mark.parametrize("pattern", ["tests/*", ["*.pyc", "tests/*"], ("tests/*",)])
    def test_patterns_match_paths(self, pattern: str | list[str]) -> None:
        excludes = excluding(pattern)
        assert excludes is not None
        assert excludes("tests/a/b.py")
        assert not excludes("a/tests/b.py")
        assert not excludes("tests")

    def test_patterns_match_names(self) -> None:
        excludes = excluding("test_*")
        assert excludes is not None
        assert excludes("a/b/test_x.py")
        assert excludes("test_x.py")
        assert not excludes("a/b/x_test.py")
