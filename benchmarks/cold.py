"""The first time: nine large wheels, and one that is larger than all of them."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

from benchmarks.contenders import Context, Family, UnavailableError
from benchmarks.part import Part
from benchmarks.results import COLD
from benchmarks.store import FAST, Load, adding, check_fast, cold_uv
from benchmarks.tables import Rival

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from benchmarks.contenders import Contender

LARGEST = 9
NINE, ONE = "nine wheels", "one wheel"
INTRODUCTION = """\
## The first time, with large wheels

*{nine}* are the nine largest files of the corpus, *{one}* is another one, of more than 200 MB; both are unpacked from
the page cache into an empty directory. What `wheel_linker`, the extra `fast` and `uv` do is said under *Unpacking and
verifying*. On tmpfs nobody waits for a disk.

![Seconds to unpack large wheels](benchmarks-unpack.svg)
"""


def files_in(wheels: list[Path]) -> int:
    """How many files wheel files hold."""
    total = 0
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            total += sum(not info.is_dir() for info in archive.infolist())
    return total


def loads(context: Context) -> list[Load]:
    """The nine, and the one."""
    if context.large is None:
        raise UnavailableError("the large wheel is not there")
    files = sorted((wheel.file for wheel in context.wheels), key=lambda file: file.stat().st_size)
    nine = files[-LARGEST:]
    return [
        Load(NINE, nine, files_in(nine)),
        Load(ONE, [context.large], files_in([context.large])),
    ]


def wheel_linker(context: Context) -> Iterator[Contender]:
    """The store, without the extra."""
    for load in loads(context):
        for threads in context.threads:
            yield adding(context, load, "wheel_linker", threads)


def quick(context: Context) -> Iterator[Contender]:
    """The store, with the extra."""
    check_fast()
    yield from (adding(context, load, FAST, max(context.threads)) for load in loads(context))


def uv(context: Context) -> Iterator[Contender]:
    """Uv's cache."""
    yield from (cold_uv(context, load) for load in loads(context))


FAMILIES: dict[str, Family] = {"wheel_linker": wheel_linker, "fast": quick, "uv": uv}
PART = Part(
    COLD,
    FAMILIES,
    "unpacking large wheels",
    INTRODUCTION.format(nine=NINE, one=ONE),
    "Large wheels on",
    (Rival("x uv", "uv"),),
    ("tmpfs", "xfs"),
    what="wheels",
)
