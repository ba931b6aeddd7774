"""What parent and child agree on: the job, the answer and how memory is read."""

from __future__ import annotations

import importlib
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.memory import peak_in


@dataclass(frozen=True)
class Job:
    """One run: `wheels` holds pairs of unpacked root and wheel file name; `store` is one that knows them.

    `bytecode` asks for bytecode, `fast` lets the extra of that name be used.
    """

    destination: str
    wheels: list[tuple[str, str]]
    mode: str = ""
    threads: int = 1
    store: str = ""
    bytecode: bool = False
    fast: bool = False

    @classmethod
    def read(cls) -> Job:
        """The job given on standard input."""
        return cls(**json.load(sys.stdin))

    def dump(self) -> str:
        """The text that `read` understands."""
        return json.dumps(asdict(self))


@dataclass(frozen=True)
class Answer:
    """Seconds of the call alone, peak memory in bytes."""

    seconds: float
    peak: int

    @classmethod
    def parse(cls, text: str) -> Answer:
        """Read what `give` printed."""
        return cls(**json.loads(text))

    def give(self) -> None:
        """Print the answer for the parent."""
        json.dump(asdict(self), sys.stdout)


LINKING = (
    "wheel_linker._link.locks",
    "wheel_linker._link.pipeline",
    "wheel_linker._link.helper.process",
    "wheel_linker._wheel.scan",
    "wheel_linker.backends.linux",
)
"""What linking imports when it is called."""
INSTALLING = (
    *LINKING,
    "wheel_linker.install._scripts.pieces",
    "wheel_linker.store.adding",
    "wheel_linker.store._entry.checking",
)
"""What installing from a store does, besides."""


def preload(names: tuple[str, ...]) -> None:
    """Import now what the library imports late, so that it counts where the start of a process counts."""
    for name in names:
        importlib.import_module(name)


def peak_memory() -> int:
    """Peak resident bytes of this program."""
    peak = peak_in(Path("/proc/self/status").read_text())
    if not peak:
        raise LookupError("/proc/self/status has no VmHWM line")
    return peak
