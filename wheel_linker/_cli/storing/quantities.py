"""Times and sizes, as they are given on the command line and shown there."""

from __future__ import annotations

import argparse
import re
from typing import Final

from wheel_linker.errors import shortened

MIB: Final = 1024**2
_INFINITE: Final = float("inf")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_BYTES: Final = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3, "t": 1024**4}


def mib(size: int) -> str:
    """Return a number of bytes as MiB, without the unit."""
    return f"{size / MIB:,.1f}"


def age(seconds: float) -> str:
    """Return a time as the largest unit that it has some of."""
    for unit in ("d", "h", "m"):
        if seconds >= _SECONDS[unit]:
            return f"{seconds // _SECONDS[unit]:.0f} {unit}"
    return "now"


def duration(text: str) -> float:
    """Parse such as ``30d``. A number alone is refused: who means days must not get seconds."""
    return _quantity(text, _SECONDS, "a time: use such as 12h, 30d or 8w, with its unit")


def size(text: str) -> int:
    """Parse such as ``10G``; bytes without a unit."""
    return int(_quantity(text, _BYTES, "a size: use such as 500M or 10G"))


def _quantity(text: str, units: dict[str, int], what: str) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([a-z]?)(?:i?b)?", text.strip().lower(), re.ASCII)
    unit = None if match is None else units.get(match[2])
    if match is None or unit is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not {what}")
    quantity = float(match[1]) * unit
    if quantity == _INFINITE:
        raise argparse.ArgumentTypeError(f"{shortened(text)} is more than there can be")
    return quantity
