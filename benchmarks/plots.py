"""The results as SVG plots."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.contenders import ours
from benchmarks.results import LINK
from benchmarks.sections import PARTS

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes

    from benchmarks.part import Panels
    from benchmarks.results import PlaceResult, Results, Row, Scaling

# Of middle brightness, since the background is the page's, light or dark.
OURS, C_PROGRAM, OTHERS, TEXT = "#3b82d0", "#6e7681", "#a3abb5", "#7a828c"
MODE_COLOURS = {"hardlink": OURS, "clone": "#d9702b"}
STYLE: Any = {
    "svg.hashsalt": "wheel_linker",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "savefig.transparent": True,
    **dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor"), TEXT),
    **dict.fromkeys(("axes.titlecolor", "xtick.color", "ytick.color"), TEXT),
}


def colour(row: Row) -> str:
    """Ours, the yardstick, or somebody else."""
    if ours(row.contender):
        return OURS
    return C_PROGRAM if row.contender == "C program" else OTHERS


def label(row: Row) -> str:
    """Name and threads."""
    return f"{row.contender}, {row.threads} thr." if row.threads else row.contender


def draw_bars(axes: Axes, title: str, rows: list[Row], unit: str) -> None:
    """Bars of one panel, quickest on top, with the range of the rounds."""
    rows = sorted(rows, key=lambda row: row.median)
    factor, digits = {"s": (1, 2), "ms": (1000, 1)}[unit]
    low = [factor * (row.median - min(row.seconds)) for row in rows]
    high = [factor * (max(row.seconds) - row.median) for row in rows]
    bars = axes.barh(
        [label(row) for row in rows],
        [factor * row.median for row in rows],
        xerr=[low, high],
        color=[colour(row) for row in rows],
        error_kw={"elinewidth": 0.8, "ecolor": TEXT},
    )
    axes.bar_label(bars, [f"{factor * row.median:.{digits}f}" for row in rows], padding=4)
    axes.invert_yaxis()
    axes.margins(x=0.15)
    axes.set_title(title, loc="left", fontweight="bold")


def plot_bars(panels: Panels, title: str, path: Path, unit: str = "s") -> None:
    """Bars below each other, panel by panel."""
    import matplotlib.pyplot as plt

    heights = [len(rows) + 1.6 for rows in panels.values()]
    size = (7.5, 0.27 * sum(heights) + 0.6)
    figure, grid = plt.subplots(
        len(panels), 1, squeeze=False, figsize=size, height_ratios=heights, layout="constrained"
    )
    for axes, (name, rows) in zip(grid[:, 0], panels.items()):
        draw_bars(axes, name, rows, unit)
    name = {"s": "seconds", "ms": "milliseconds"}[unit]
    grid[-1, 0].set_xlabel(f"{name} (median; lines from fastest to slowest round)")
    figure.suptitle(f"{title}: shorter is better")
    save(figure, path)


def by_mode(place: PlaceResult) -> Panels:
    """A panel for each mode."""
    return {mode: [row for row in place.rows if row.mode == mode] for mode in place.modes()}


def draw_time(axes: Axes, scaling: Scaling) -> None:
    """Time over files, with a straight line through each mode's largest size."""
    for mode in scaling.modes():
        points = scaling.of(mode)
        files = [point.files for point in points]
        tint = MODE_COLOURS.get(mode)
        axes.plot(files, [p.seconds for p in points], "o-", color=tint, label=mode, ms=4)
        each = points[-1].seconds / points[-1].files
        axes.plot(files, [n * each for n in files], ":", color=tint, lw=1)
    axes.set(xscale="log", yscale="log", xlabel="files", ylabel="seconds")
    axes.set_title("time (dotted: straight line through the largest)", loc="left")
    axes.legend(frameon=False)


def draw_memory(axes: Axes, scaling: Scaling) -> None:
    """Memory over files."""
    for mode in scaling.modes():
        points = scaling.of(mode)
        megabytes = [point.memory / 1e6 for point in points]
        tint = MODE_COLOURS.get(mode)
        axes.plot([p.files for p in points], megabytes, "o-", color=tint, label=mode, ms=4)
    axes.set(xscale="log", xlabel="files", ylabel="MB over the bare interpreter")
    axes.set_ylim(bottom=0)
    axes.set_title("peak memory", loc="left")


def plot_scaling(scaling: Scaling, path: Path) -> None:
    """Time and memory side by side."""
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    draw_time(left, scaling)
    draw_memory(right, scaling)
    save(figure, path)


def save(figure: Any, path: Path) -> None:
    """Write without date, so that equal figures give equal files."""
    import matplotlib.pyplot as plt

    figure.savefig(path, format="svg", metadata={"Date": None})
    plt.close(figure)


def write(results: Results, directory: Path) -> None:
    """All plots."""
    import matplotlib as mpl

    mpl.use("svg")
    with mpl.rc_context(STYLE):
        for place in results.of(LINK):
            if place.rows:
                path = directory / f"benchmarks-{place.name}.svg"
                plot_bars(by_mode(place), place.name, path)
        for part in PARTS:
            if panels := part.panels(results.of(part.name)):
                path = directory / f"benchmarks-{part.name}.svg"
                plot_bars(panels, part.title, path, part.unit)
        if results.scaling and results.scaling.points:
            plot_scaling(results.scaling, directory / "benchmarks-scaling.svg")
