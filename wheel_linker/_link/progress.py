"""Telling the caller how far the work is."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Progress:
    """Tells the caller how many files are done, one thread at a time."""

    def __init__(self, callback: Callable[[int], None] | None) -> None:
        self._callback = callback
        self._lock = threading.Lock()

    def add(self, files: int) -> None:
        """Count files that have been placed."""
        if self._callback is not None and files:
            with self._lock:
                self._callback(files)
