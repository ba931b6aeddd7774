"""The state machine behind the fallback chain: what one refusal says about the files to come."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from wheel_linker.causes import Cause

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wheel_linker.mode import LinkMode


class Attempt(Enum):
    """What is known of one mode, for one wheel."""

    UNTRIED = "not tried yet"
    WORKING = "known to work"
    FALLEN_BACK = "fallen back"

    def after(self, refusal: Cause | None) -> Attempt:
        """Return what is known after one more file.

        :param refusal: why the file was refused; None if it was placed.
        """
        if self is not Attempt.UNTRIED:
            return self
        if refusal is None:
            return Attempt.WORKING
        # Only the first file may speak for the rest: later a refusal is about that file.
        return Attempt.FALLEN_BACK if refusal is Cause.NOT_SUPPORTED else self


class Ladder:
    """The modes of one fallback chain, and which of them the next file is tried with.

    Shared without a lock by the threads that link one wheel: each step is a single assignment, and
    whichever of two simultaneous verdicts stays is a right one.
    """

    __slots__ = ("_attempts", "mode", "modes")

    def __init__(self, modes: Sequence[LinkMode]) -> None:
        self.modes = tuple(modes)
        self.mode = self.modes[0]
        """The mode for the next file: the first that has not fallen back; the last never does."""
        self._attempts = dict.fromkeys(self.modes, Attempt.UNTRIED)

    def placed(self, mode: LinkMode) -> None:
        """Note that ``mode`` worked."""
        if self._attempts[mode] is Attempt.UNTRIED:
            self._attempts[mode] = Attempt.UNTRIED.after(None)

    def refused(self, mode: LinkMode, cause: Cause) -> LinkMode | None:
        """Note that ``mode`` was refused; return the next mode for that file, None if there is none."""
        if cause is Cause.FATAL:
            return None
        self._attempts[mode] = self._attempts[mode].after(cause)
        standing = [each for each in self.modes if self._attempts[each] is not Attempt.FALLEN_BACK]
        self.mode = standing[0] if standing else self.modes[-1]
        following = self.modes.index(mode) + 1
        return self.modes[following] if following < len(self.modes) else None
