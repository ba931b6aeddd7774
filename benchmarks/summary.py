"""The few figures that the README shows, written between its markers."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from benchmarks.results import PlaceResult, Results, Row

START = "<!-- bench:start -->\n"
END = "<!-- bench:end -->"
MODES = ("hardlink", "clone", "copy", "unpack")
INTRODUCTION = """\
{wheels:,} real wheels, {files:,} files, into an empty directory; median seconds, sources in the page cache,
{cpus} CPUs. `wheel_linker`, C and `cp` start from unpacked wheels, `uv` from its hot cache, `installer` and
`pip` from the wheel files. *C program* is the least that the job takes: no staging, no rollback.

"""
INSTALL_INTRODUCTION = """
The same wheels installed into a new virtual environment, metadata checked, launchers and `RECORD` written:
`wheel_linker` is `install_wheels` from a store that has them, `uv` has a hot cache, `pip` starts from the wheel
files.

"""


def best(place: PlaceResult) -> Iterator[Row]:
    """The rows to show: of each contender and mode the one with the most threads."""
    names = dict.fromkeys((row.contender, row.mode) for row in place.rows if row.mode in MODES)
    for contender, mode in names:
        row = place.find(contender, mode)
        if row:
            yield row


def places_table(results: list[PlaceResult]) -> str:
    """A table with a column for each place."""
    figures: dict[tuple[str, str], dict[str, float]] = {}
    for place in results:
        for row in best(place):
            figures.setdefault((row.mode, row.contender), {})[place.name] = row.median
    places = [place.name for place in results]
    lines = [
        f"| mode | | {' | '.join(places)} |",
        f"|:--|:--|{'--:|' * len(places)}",
    ]
    for (mode, contender), medians in sorted(figures.items(), key=lambda item: order(*item)):
        cells = [f"{medians[place]:.2f}" if place in medians else "" for place in places]
        lines.append(f"| {mode} | {contender} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def summary(results: Results) -> str:
    """Linking, and installing if that was measured."""
    corpus = dict(results.corpus)
    text = INTRODUCTION.format(**corpus, cpus=results.machine["processors usable"])
    text += places_table(results.places)
    if results.install:
        text += INSTALL_INTRODUCTION + places_table(results.install)
    return text


def order(key: tuple[str, str], medians: dict[str, float]) -> tuple[int, float]:
    """By mode, and then the fastest first."""
    return MODES.index(key[0]), min(medians.values())


def fill(readme: Path, text: str) -> None:
    """Put `text` between the markers of a README that has them."""
    before, start, rest = readme.read_text(encoding="utf-8").partition(START)
    _, end, after = rest.partition(END)
    if start and end:
        readme.write_text(before + start + text + end + after, encoding="utf-8")
