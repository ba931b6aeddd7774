"""The results as a Markdown page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.scaling import exponent
from benchmarks.targets import all_targets

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from benchmarks.results import PlaceResult, Results, Row, Scaling

INTRODUCTION = """\
# Benchmarks

Everybody below puts the same {wheels:,} wheels into an empty directory: {files:,} files,
{directories:,} directories, {megabytes:,.0f} MB. Seconds are medians of {rounds} rounds, in each of
which every contender runs once, in changing order; slow ones run less often. Sources are in the page
cache and on the same file system as the destination, which is removed and synced, untimed, after each run.

`wheel_linker` is the time of one `link_wheels` call in a fresh process, strict, so that
a fallback cannot pass for a link; the column *process* has the whole process,
interpreter start and import included. `shutil.copytree` and `installer` are timed likewise. The
rest is whole processes. *C program* is
[`least.c`](https://github.com/wheel-linker/wheel-linker/blob/main/benchmarks/least.c), which does
the least possible: no staging, no rollback, no report. `uv` is `uv pip install --offline --no-deps`
with a hot cache. `installer` and `pip` unpack the wheel files.
*x C* compares with the C program at the same number of threads, or at the most where a contender does
not say how many it uses; *x uv* with uv in the same mode.
On XFS and btrfs a copy may share blocks as well: `copy_file_range`, which the C program uses, clones
there.
"""


def table(head: list[str], rows: Iterable[list[str]], left: int = 1) -> str:
    """A Markdown table whose first `left` columns are text and the others numbers."""
    rule = [":--" if column < left else "--:" for column in range(len(head))]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [head, rule, *rows]) + "\n"


def ratio(row: Row, rival: Row | None) -> str:
    """How many times as long; a dash without rival."""
    return f"{row.median / rival.median:.2f}" if rival and rival is not row else "-"


def cells(place: PlaceResult, row: Row) -> list[str]:
    """One row of a place's table; without threads of its own, against C with the most."""
    seconds = [f"{row.median:.3f}", f"{min(row.seconds):.3f} to {max(row.seconds):.3f}"]
    process = sorted(row.process)[len(row.process) // 2]
    apart = f"{process:.3f}" if row.process != row.seconds else "-"
    least = place.find("C program", row.mode, row.threads)
    ratios = [ratio(row, least), ratio(row, place.find("uv", row.mode))]
    name = f"**{row.contender}**" if row.contender == "wheel_linker" else row.contender
    return [row.mode, name, str(row.threads or "-"), *seconds, apart, *ratios]


def place_section(place: PlaceResult) -> Iterator[str]:
    """A place's heading, plot, table and absentees."""
    yield f"## {place.name} ({place.filesystem})\n"
    yield f"![Seconds on {place.name}](benchmarks-{place.name}.svg)\n"
    head = ["mode", "contender", "threads", "median s", "min to max", "process s", "x C", "x uv"]
    modes = list(dict.fromkeys(row.mode for row in place.rows))
    rows = sorted(place.rows, key=lambda row: (modes.index(row.mode), row.median))
    yield table(head, (cells(place, row) for row in rows), left=2)
    for who, why in place.skipped.items():
        yield f"Not measured: {who}, because {why}.\n"


def targets_section(results: Results) -> Iterator[str]:
    """The targets and whether the figures of this page meet them."""
    yield "## Targets\n"
    head = ["target", "place", "measured", "at most", "met"]
    rows = (
        [
            t.what,
            t.where,
            f"{t.figure:.2f} {t.unit}",
            f"{t.limit:g} {t.unit}",
            "yes" if t.met else "**no**",
        ]
        for t in all_targets(results)
    )
    yield table(head, rows, left=2)


def scaling_section(scaling: Scaling) -> Iterator[str]:
    """Time and memory against the number of files."""
    yield "## From few files to many\n"
    yield (
        f"One synthetic wheel on {scaling.filesystem}, {scaling.threads} threads. Memory is the peak of "
        "the process less that of the same process that links nothing.\n"
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


def markdown(results: Results) -> str:
    """The whole page."""
    corpus = dict(results.corpus)
    parts = [INTRODUCTION.format(**corpus, megabytes=corpus["bytes"] / 1e6, rounds=results.rounds)]
    parts += targets_section(results)
    for place in results.places:
        parts += place_section(place)
    if results.scaling:
        parts += scaling_section(results.scaling)
    parts += machine_section(results)
    return "\n".join(parts)


def write(results: Results, directory: Path) -> None:
    """The page and the raw figures."""
    directory.mkdir(parents=True, exist_ok=True)
    results.save(directory / "benchmarks.json")
    (directory / "benchmarks.md").write_text(markdown(results))
