"""Memory of the processes that a running program has started."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path


class Children:
    """The peaks of a program's own child processes, seen by looking at them again and again."""

    def __init__(self) -> None:
        self._peaks: dict[int, int] = {}

    def look(self, program: int) -> None:
        """Note the peaks until now of the children that there are."""
        tasks = Path(f"/proc/{program}/task")
        # Each may end while it is looked at.
        with suppress(OSError):
            for task in tasks.iterdir():
                for child in map(int, (task / "children").read_text().split()):
                    status = Path(f"/proc/{child}/status").read_text()
                    self._peaks[child] = max(self._peaks.get(child, 0), peak_in(status))

    def total(self) -> int:
        """The sum of their peaks, in bytes."""
        return sum(self._peaks.values())


def peak_in(status: str) -> int:
    """Peak resident bytes as `/proc/PID/status` has them; 0 of a process that is ending.

    Not `ru_maxrss`: Linux carries that over `exec` from the process that forked.
    """
    for line in status.splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0
