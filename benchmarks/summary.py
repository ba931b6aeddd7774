"""What the README shows of the figures, written between its markers: the picture, and what it was measured on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks import picture

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.results import Results

START = "<!-- bench:start -->\n"
END = "<!-- bench:end -->"
# Absolute, for the page on PyPI, which has no other files of the project.
FILES = "https://raw.githubusercontent.com/wheel-linker/wheel-linker/main/docs"
PAGE = "https://wheel-linker.readthedocs.io/en/latest/benchmarks.html"
TEXT = """\
<picture>
  <source media="(prefers-color-scheme: dark)" srcset="{files}/seconds-dark.svg">
  <img alt="{alternative}" src="{files}/seconds-light.svg">
</picture>

Medians, {wheels:,} real wheels with {files_linked:,} files, {cpus} CPUs, {filesystem}, hard links, no bytecode
compiled. The first time is unpacking and installing, measured apart and added. Clones and copies take longer, and
a C program that only links takes less: [all figures]({page}).
"""


def summary(results: Results) -> str:
    """The picture and a paragraph; nothing if what the picture takes was not measured."""
    places = picture.place_of(results)
    if places is None:
        return ""
    return TEXT.format(
        files=FILES,
        page=PAGE,
        alternative=picture.alternative(results),
        wheels=results.corpus["wheels"],
        files_linked=results.corpus["files"],
        cpus=results.machine["processors usable"],
        filesystem={"xfs": "XFS"}.get(places[0].filesystem, places[0].filesystem),
    )


def fill(readme: Path, text: str) -> None:
    """Put `text` between the markers of a README that has them; an empty one leaves it as it is."""
    before, start, rest = readme.read_text(encoding="utf-8").partition(START)
    _, end, after = rest.partition(END)
    if text and start and end:
        readme.write_text(before + start + text + end + after, encoding="utf-8")
