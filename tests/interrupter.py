"""Ctrl-C where the interpreter may heed it: after any call."""

from __future__ import annotations

import dis
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Container
    from types import FrameType

needs_instructions = pytest.mark.skipif(
    sys.implementation.name != "cpython" or sys.version_info[:2] == (3, 12),
    reason="traces instructions, which only CPython does, and 3.12 not in every release",
)


class Interrupter:
    """Raises what Ctrl-C raises after the nth call in some modules, in the thread that it is set in.

    The interpreter looks for signals after a call, and not before it.
    """

    def __init__(self, nth: int, modules: Container[str]) -> None:
        self._left = nth
        self._modules = modules
        self._before: dict[FrameType, str] = {}
        self.has_come = False

    def __call__(self, frame: FrameType, event: str, _: object) -> Interrupter | None:
        if frame.f_globals.get("__name__") not in self._modules:
            return None
        frame.f_trace_opcodes = True
        if event == "opcode" and not self.has_come:
            before = self._before.get(frame, "CALL")
            self._before[frame] = dis.opname[frame.f_code.co_code[frame.f_lasti]]
            self._left -= before.startswith("CALL")
            if self._left == 0:
                self.has_come = True
                self._before.clear()
                raise KeyboardInterrupt
        return self
