"""From requirements and lock files to wheels, by pip's command line: nothing of pip is imported."""

from __future__ import annotations

from wheel_linker.integrations.pip.locked import obtain_locked
from wheel_linker.integrations.pip.resolved import Resolved, gather, obtain, resolve
from wheel_linker.integrations.pip.running import PipError
from wheel_linker.integrations.pip.wanted import NotLockedError

__all__ = [
    "NotLockedError",
    "PipError",
    "Resolved",
    "gather",
    "obtain",
    "obtain_locked",
    "resolve",
]
