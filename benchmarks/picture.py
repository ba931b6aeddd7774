"""The README's picture: seconds to fill an environment, the first time and again, for light and dark pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from benchmarks.contenders import PIP, UNPACK
from benchmarks.results import INSTALL, STORE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from benchmarks.results import PlaceResult, Results

OURS = "wheel_linker"
THEMES = {
    "light": {"text": "#1f2328", "ours": "#1f6fd0", "others": "#7d8792"},
    "dark": {"text": "#e6edf3", "ours": "#58a6ff", "others": "#98a2ad"},
}
WIDTH, LEFT, RIGHT = 760, 118, 80
ROW, BAR, TOP = 27, 17, 50


class Bar(NamedTuple):
    """One bar: seconds to unpack, and then to install."""

    contender: str
    unpack: float
    install: float

    @property
    def seconds(self) -> float:
        """Both parts."""
        return self.unpack + self.install


def place_of(results: Results) -> tuple[PlaceResult, PlaceResult] | None:
    """The first place where both installing and unpacking were measured."""
    stores = {place.name: place for place in results.of(STORE)}
    for place in results.of(INSTALL):
        if place.name in stores and median(place, PIP, UNPACK):
            return place, stores[place.name]
    return None


def median(place: PlaceResult, contender: str, mode: str) -> float:
    """The median of the row with the most threads; 0 if there is none."""
    row = place.find(contender, mode)
    return row.median if row else 0.0


def groups(installed: PlaceResult, unpacked: PlaceResult) -> dict[str, list[Bar]]:
    """The bars of the first time and of the next ones; pip does the same work each time."""
    pip = Bar("pip", 0.0, median(installed, PIP, UNPACK))
    linked = {name: median(installed, name, "hardlink") for name in ("uv", OURS)}
    first = [Bar(name, median(unpacked, name, UNPACK), again) for name, again in linked.items()]
    later = [Bar(name, 0.0, again) for name, again in linked.items()]
    return {"the first time": [pip, *first], "each time after that": [pip, *later]}


def escaped(text: str) -> str:
    """Text for SVG."""
    return text.replace("&", "&amp;").replace("<", "&lt;")


def draw_bar(bar: Bar, y: int, scale: float, colour: str) -> Iterator[str]:
    """A name, the two parts, and the sum."""
    middle = y + BAR - 4
    weight = ' font-weight="600"' if bar.contender == OURS else ""
    yield f'<text x="{LEFT - 10}" y="{middle}" text-anchor="end"{weight}>{escaped(bar.contender)}</text>'
    unpack, install = bar.unpack * scale, bar.install * scale
    if unpack:
        yield (
            f'<rect x="{LEFT}" y="{y}" width="{unpack:.1f}" height="{BAR}" fill="{colour}" fill-opacity="0.45"/>'
        )
    yield f'<rect x="{LEFT + unpack:.1f}" y="{y}" width="{install:.1f}" height="{BAR}" fill="{colour}"/>'
    end = LEFT + unpack + install + 7
    yield f'<text x="{end:.1f}" y="{middle}"{weight}>{bar.seconds:.2f} s</text>'


def drawn(results: Results, theme: str) -> str | None:
    """The picture as SVG, or None if what it takes was not measured."""
    places = place_of(results)
    if places is None:
        return None
    colours = THEMES[theme]
    shown = groups(*places)
    scale = (WIDTH - LEFT - RIGHT) / max(bar.seconds for bars in shown.values() for bar in bars)
    lines: list[str] = []
    y = TOP
    for title, bars in shown.items():
        lines.append(f'<text x="{LEFT}" y="{y}" font-style="italic">{title}</text>')
        y += 9
        for bar in bars:
            colour = colours["ours" if bar.contender == OURS else "others"]
            lines.extend(draw_bar(bar, y, scale, colour))
            y += ROW
        y += 22
    title = f"Seconds to install {results.corpus['wheels']:,} wheels into a new environment"
    note = "faint: unpacking into the store or cache; full: installing; pip does both each time"
    start = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y}" width="{WIDTH}" height="{y}" '
        f'role="img" font-family="system-ui, sans-serif" font-size="14" fill="{colours["text"]}">'
    )
    head = f'<text x="{LEFT}" y="20" font-size="16" font-weight="600">{title}</text>'
    foot = f'<text x="{LEFT}" y="{y - 8}" font-size="12">{note}</text>'
    return "\n".join(
        [start, f"<title>{alternative(results)}</title>", head, *lines, foot, "</svg>\n"]
    )


def alternative(results: Results) -> str:
    """The picture in words."""
    places = place_of(results)
    assert places
    told = [
        f"{title}: {', '.join(f'{bar.contender} {bar.seconds:.2f}' for bar in bars)}"
        for title, bars in groups(*places).items()
    ]
    return f"Seconds to install {results.corpus['wheels']:,} wheels; {'; '.join(told)}"


def write(results: Results, directory: Path) -> None:
    """Both files."""
    for theme in THEMES:
        if text := drawn(results, theme):
            (directory / f"seconds-{theme}.svg").write_text(text, encoding="utf-8")
