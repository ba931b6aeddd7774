"""The results as a Markdown page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks import picture
from benchmarks.contenders import PIP, UNPACK
from benchmarks.results import IMPORT, PLACE_PARTS, SCALING
from benchmarks.scaling import exponent
from benchmarks.store import ZIPFILE
from benchmarks.tables import Rival, place_table, table
from benchmarks.targets import all_targets

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from benchmarks.results import PlaceResult, Results, Scaling

PICTURE = """\
```{{image}} seconds-light.svg
:class: only-light
:alt: "{alternative}"
```

```{{image}} seconds-dark.svg
:class: only-dark
:alt: "{alternative}"
```

"""

INTRODUCTION = """\
All figures come from one command, `nox -s bench`. Results come first, place by place; how they compare with the
project's targets is [at the end](#targets).

## What is measured

Everybody below puts the same {wheels:,} wheels into an empty directory: {files:,} files,
{directories:,} directories, {megabytes:,.0f} MB. Seconds are medians of {rounds} rounds, in each of
which every contender runs once, in changing order; slow ones run less often. Sources are in the page
cache and on the same file system as the destination, which is removed and synced, untimed, after each run.

One rule for the whole page: what is a Python library is timed by its call, in a fresh process, and the
column *process* has that process from start to end, interpreter start and import included; what is a
program is timed as a whole process. `wheel_linker` is one `link_wheels` call, strict, so that a fallback
cannot pass for a link; `shutil.copytree` and `installer` are libraries as well. *C program* is
[`least.c`](https://github.com/wheel-linker/wheel-linker/blob/main/benchmarks/least.c), which does
the least possible: no staging, no rollback, no report. `uv` is `uv pip install --offline --no-deps`
with a hot cache. `installer` and `pip` unpack the wheel files.
*x C* compares with the C program at the same number of threads. If a contender does not say how many threads it
uses, it is compared with the C program at its largest number. *x uv* compares with uv in the same mode. On Linux,
`wheel_linker` starts a helper process for each thread but the first.
On XFS and btrfs a copy may share blocks as well: `copy_file_range`, which the C program uses, clones
there.
"""

INSTALL_INTRODUCTION = """\
## Installing

The same wheels into a new virtual environment, which is made before the time begins. `wheel_linker` is
`Layout.for_python`, which asks the environment's interpreter for its directories, opening a `WheelStore`
that has the wheels, and `install_wheels` of the wheel files, strict: metadata checked, launchers and
`RECORD` written. `uv` is `uv pip install --offline --no-deps` with a hot cache, which asks the same
interpreter. Store and cache are on the file system of the environment. `pip` is `pip --python ENVIRONMENT
install --no-index --no-deps --no-compile` of the wheel files. Nobody compiles bytecode.

![Seconds to install](benchmarks-install.svg)
"""

STORE_INTRODUCTION = """\
## Unpacking and verifying

The same wheel files, from the page cache, into an empty directory. In mode *unpack* `wheel_linker` is
`WheelStore.add_all` in an empty store, which checks every file against `RECORD`; `zipfile` is the module,
in one process, and `python -m zipfile -e` the program, once for each wheel, its processes added up: both
write what is there, checked by CRC-32. `uv` has no command that does only that: it is a cold
`uv pip install` of the files by hard links less a hot one. `wheel_linker` waits until everything is on the disk, and
nobody else here does; with `--no-durable`, where that was measured, it does not wait either. In mode *again*
`wheel_linker` is opening a store that has the wheels and `WheelStore.add` of each.

![Seconds to unpack](benchmarks-store.svg)
"""


def place_section(place: PlaceResult) -> Iterator[str]:
    """A place's heading, plot, table and absentees; without threads of its own, against C with the most."""
    yield f"## {place.name} ({place.filesystem})\n"
    yield f"![Seconds on {place.name}](benchmarks-{place.name}.svg)\n"
    yield place_table(place, Rival("x C", "C program", same_threads=True), Rival("x uv", "uv"))
    yield from absentees(place)


def absentees(place: PlaceResult) -> Iterator[str]:
    """What is not in a place's table."""
    for who, why in place.skipped.items():
        yield f"Not measured: {who}, because {why}.\n"


def install_section(places: list[PlaceResult]) -> Iterator[str]:
    """Installing into an environment, place by place."""
    yield INSTALL_INTRODUCTION
    for place in places:
        yield f"### Installing on {place.name} ({place.filesystem})\n"
        yield place_table(place, Rival("x uv", "uv"), Rival("x pip", PIP, UNPACK))
        yield from absentees(place)


def store_section(places: list[PlaceResult]) -> Iterator[str]:
    """Filling a store, place by place."""
    yield STORE_INTRODUCTION
    for place in places:
        yield f"### Unpacking on {place.name} ({place.filesystem})\n"
        yield place_table(place, Rival("x zipfile -e", ZIPFILE), Rival("x uv", "uv"))
        yield from absentees(place)


def targets_section(results: Results) -> Iterator[str]:
    """The targets and whether the figures of this page meet them."""
    targets = all_targets(results)
    met = sum(target.met for target in targets)
    yield f"## Targets\n\n{met} of {len(targets)} are met.\n"
    head = ["target", "place", "measured", "at most", "met"]
    rows = (
        [
            t.what,
            t.where,
            f"{t.figure:.{2 if t.limit >= 0.1 else 3}f} {t.unit}",
            f"{t.limit:g} {t.unit}",
            "yes" if t.met else "**no**",
        ]
        for t in targets
    )
    yield table(head, rows, left=2)


def scaling_section(scaling: Scaling) -> Iterator[str]:
    """Time and memory against the number of files."""
    yield "## From few files to many\n"
    yield (
        f"One synthetic wheel on {scaling.filesystem}, {scaling.threads} threads. Memory is the peak of "
        "the process, and that of its helper process, less that of the same process that links nothing.\n"
    )
    yield "![Time and memory against files](benchmarks-scaling.svg)\n"
    head = ["mode", "files", "seconds", "µs per file", "memory, MB"]
    points = [point for mode in scaling.modes() for point in scaling.of(mode)]
    rows = (
        [
            p.mode,
            f"{p.files:,}",
            f"{p.seconds:.3f}",
            f"{p.seconds / p.files * 1e6:.1f}",
            f"{p.memory / 1e6:.1f}",
        ]
        for p in points
    )
    yield table(head, rows)
    for mode in scaling.modes():
        yield f"Fitted to {mode}: time grows as files to the power of {exponent(scaling.of(mode)):.2f}.\n"


def machine_section(results: Results) -> Iterator[str]:
    """What the figures were measured on."""
    yield "## Machine\n"
    yield table(["", ""], ([key, value] for key, value in results.machine.items()), left=2)


def stamps_section(results: Results) -> Iterator[str]:
    """When each part was measured, and what was different from the machine above."""
    yield "## When\n"
    head = ["part", "place", "measured", "rounds", "different from above"]
    rows = (
        [s.part, s.place or "-", s.when, str(s.rounds), differences(s.machine, results.machine)]
        for s in results.stamps
    )
    yield table(head, rows, left=5)
    if unknown := unstamped(results):
        yield f"Measured before such notes were kept, on the machine above: {', '.join(unknown)}.\n"


def differences(machine: dict[str, str], other: dict[str, str]) -> str:
    """Facts that are not the same; a dash if all are."""
    found = [
        f"{name} {machine.get(name, 'unknown')}"
        for name in dict.fromkeys([*machine, *other])
        if machine.get(name) != other.get(name)
    ]
    return ", ".join(found) or "-"


def unstamped(results: Results) -> list[str]:
    """Parts and places that came from a file without stamps."""
    there = [
        (part, place.name)
        for part, places in zip(PLACE_PARTS, (results.places, results.install, results.store))
        for place in places
    ]
    stamped = {(stamp.part, stamp.place) for stamp in results.stamps}
    found = [f"{part} on {place}" for part, place in there if (part, place) not in stamped]
    once = {SCALING: results.scaling, IMPORT: results.import_time}
    known = {stamp.part for stamp in results.stamps}
    return [*found, *(part for part, figures in once.items() if figures and part not in known)]


def markdown(results: Results) -> str:
    """The whole page."""
    corpus = dict(results.corpus)
    parts = ["# Benchmarks\n"]
    if picture.place_of(results):
        parts.append(PICTURE.format(alternative=picture.alternative(results)))
    parts.append(
        INTRODUCTION.format(**corpus, megabytes=corpus["bytes"] / 1e6, rounds=results.rounds)
    )
    for place in results.places:
        parts += place_section(place)
    if results.install:
        parts += install_section(results.install)
    if results.store:
        parts += store_section(results.store)
    if results.scaling:
        parts += scaling_section(results.scaling)
    parts += targets_section(results)
    parts += machine_section(results)
    if results.stamps:
        parts += stamps_section(results)
    return "\n".join(parts)


def write(results: Results, directory: Path) -> None:
    """The page and the raw figures."""
    directory.mkdir(parents=True, exist_ok=True)
    results.save(directory / "benchmarks.json")
    (directory / "benchmarks.md").write_text(markdown(results))
