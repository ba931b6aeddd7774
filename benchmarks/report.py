"""The results as a Markdown page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks import picture
from benchmarks.filesystems import MOUNTED, TMPFS
from benchmarks.results import LINK
from benchmarks.scaling import exponent
from benchmarks.sections import PARTS
from benchmarks.tables import Rival, place_table, table
from benchmarks.targets import all_targets

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from benchmarks.part import Part
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
All figures come from one command, `nox -s bench`. Results come first, one file system after the other; how they compare
with the project's targets is [at the end](#targets).

## What is measured

Everybody below puts the same {wheels:,} wheels into an empty directory: {files:,} files,
{directories:,} directories, {megabytes:,.0f} MB. Seconds are medians of {rounds} rounds, in each of
which every contender runs once, in changing order; slow ones run less often. Sources are in the page
cache and on the same file system as the destination, which is removed and synced, untimed, after each run.

One rule for the whole page: what is a Python library is timed by its call, in a fresh process that has
imported what the call needs, and the column *process* has that process from start to end, interpreter start
and import included; what is a program is timed as a whole process. `wheel_linker` is one `link_wheels`
call, strict, so that a fallback cannot pass for a link; `shutil.copytree` and `installer` are libraries as
well. *C program* is
[`least.c`](https://github.com/wheel-linker/wheel-linker/blob/main/benchmarks/least.c), which does
the least possible: no staging, no rollback, no report. `uv` is `uv pip install --offline --no-deps`
with a hot cache. `installer` and `pip` unpack the wheel files.
*x C* compares with the C program at the same number of threads. If a contender does not say how many threads it
uses, it is compared with the C program at its largest number. *x uv* compares with uv in the same mode. On Linux,
`wheel_linker` starts a helper process for each thread but the first.
On XFS and btrfs a copy may share blocks as well: `copy_file_range`, which the C program uses, clones
there.
"""


def place_section(place: PlaceResult) -> Iterator[str]:
    """A place's heading, plot, table and absentees; without threads of its own, against C with the most."""
    yield f"## Linking on {place.title}\n"
    yield f"![Seconds on {place.name}](benchmarks-{place.name}.svg)\n"
    yield place_table(place, Rival("x C", "C program", same_threads=True), Rival("x uv", "uv"))
    yield from absentees(place)


def absentees(place: PlaceResult) -> Iterator[str]:
    """What is not in a place's table."""
    for who, why in place.skipped.items():
        yield f"Not measured: {who}, because {why}.\n"


def part_section(part: Part, places: list[PlaceResult]) -> Iterator[str]:
    """A part beside linking, place by place."""
    yield part.introduction
    for place in places:
        yield f"### {part.heading} {place.title}\n"
        yield place_table(place, *part.rivals, what=part.what, unit=part.unit)
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
            f"{t.limit:.3g} {t.unit}",
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
    facts = {**results.machine, "places": places_of(results)}
    yield table(["", ""], ([key, value] for key, value in facts.items()), left=2)


def places_of(results: Results) -> str:
    """Each place with its file system and where that lies."""
    found = {place.name: place.filesystem for places in results.parts.values() for place in places}
    return "; ".join(f"{name}: {kind_of(name, system)}" for name, system in found.items()) or "-"


def kind_of(name: str, filesystem: str) -> str:
    """What a place is made of."""
    if name == TMPFS:
        return "tmpfs, in memory"
    if name in MOUNTED:
        return f"{filesystem}, made anew in a file on a loop device"
    return f"{filesystem}, a directory of the machine's own"


def stamps_section(results: Results) -> Iterator[str]:
    """When each part was measured, and what was different from the machine above."""
    yield "## When\n"
    head = ["part", "place", "measured", "rounds", "different from above"]
    rows = (
        [s.part, s.place or "-", s.when, str(s.rounds), differences(s.machine, results.machine)]
        for s in results.stamps
    )
    yield table(head, rows, left=5)
    if unknown := results.unstamped():
        yield f"Measured before such notes were kept, on the machine above: {', '.join(unknown)}.\n"


def differences(machine: dict[str, str], other: dict[str, str]) -> str:
    """Facts that are not the same, as far as they were noted; a dash if all are."""
    found = [f"{name} {fact}" for name, fact in machine.items() if fact != other.get(name)]
    return ", ".join(found) or "-"


def markdown(results: Results) -> str:
    """The whole page."""
    corpus = dict(results.corpus)
    parts = ["# Benchmarks\n"]
    if picture.place_of(results):
        parts.append(PICTURE.format(alternative=picture.alternative(results)))
    parts.append(
        INTRODUCTION.format(**corpus, megabytes=corpus["bytes"] / 1e6, rounds=results.rounds)
    )
    for place in results.of(LINK):
        parts += place_section(place)
    for part in PARTS:
        if places := results.of(part.name):
            parts += part_section(part, places)
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
