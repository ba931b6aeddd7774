"""What is run in name spaces of its own, so that nothing of it stays: mounts a system, runs a command in it.

``python3 -m systems.within`` reads an order from standard input; :mod:`systems.room` gives it.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

_PATIENCE: Final = 5.0


def main() -> int:
    """Mount, run, say what was left behind, and return the command's exit status."""
    order: dict[str, Any] = json.load(sys.stdin)
    root = Path(order["root"])
    for arguments in order["mounts"]:
        subprocess.run(["mount", *arguments], check=True)
    before = _mounts()
    with open(order["log"], "ab") as log:
        done = subprocess.run(
            [
                *order["machine"],
                *("chroot", f"--userspec={order['user']}", root),
                *("sh", "-c", order["command"]),
            ],
            check=False,
            env=order["environment"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    left = {
        "mounts": sorted(point for number, point in _mounts().items() if number not in before),
        "processes": _processes(),
    }
    Path(order["left"]).write_text(json.dumps(left), encoding="utf-8")
    return done.returncode


def _mounts() -> dict[str, str]:
    """Return the mount points by the numbers of the mounts: proc_pid_mountinfo(5)."""
    table = Path("/proc/self/mountinfo").read_text(encoding="utf-8")
    return {fields[0]: fields[4] for fields in map(str.split, table.splitlines())}


def _processes() -> list[str]:
    """Return the command lines of what still runs, after a moment in which it may end."""
    end = time.monotonic() + _PATIENCE
    while running := _running():
        if time.monotonic() > end:
            break
        time.sleep(0.1)
    return running


def _running() -> list[str]:
    _reap()
    numbers = [int(name) for name in os.listdir("/proc") if name.isdecimal()]
    others = [number for number in numbers if number != os.getpid()]
    return [text for number in others if (text := _command_line(number))]


def _reap() -> None:
    """Take leave of orphans that have ended: this is the first process of its name space."""
    if sys.platform != "win32":
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


def _command_line(number: int) -> str:
    try:
        raw = Path(f"/proc/{number}/cmdline").read_bytes()
    except OSError:
        return ""
    return raw.replace(b"\0", b" ").decode(errors="replace").strip()


if __name__ == "__main__":
    sys.exit(main())
