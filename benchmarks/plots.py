"""The results as SVG plots."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes

    from benchmarks.results import PlaceResult, Results, Row, Scaling

OURS, C_PROGRAM, OTHERS = "#2563a8", "#8c8c8c", "#c9ced6"
MODE_COLOURS = {"hardlink": "#2563a8", "clone": "#d9702b"}
STYLE: Any = {
    "svg.hashsalt": "wheel_linker",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def colour(row: Row) -> str:
    """Ours, the yardstick, or somebody else."""
    return {"wheel_linker": OURS, "C program": C_PROGRAM}.get(row.contender, OTHERS)


def label(row: Row) -> str:
    """Name and threads."""
    return f"{row.contender}, {row.threads} thr." if row.threads else row.contender


def draw_mode(axes: Axes, mode: str, rows: list[Row]) -> None:
    """Bars of one mode, quickest on top, with the range of the rounds."""
    rows = sorted(rows, key=lambda row: row.median)
    low = [row.median - min(row.seconds) for row in rows]
    high = [max(row.seconds) - row.median for row in rows]
    bars = axes.barh(
        [label(row) for row in rows],
        [row.median for row in rows],
        xerr=[low, high],
        color=[colour(row) for row in rows],
        error_kw={"elinewidth": 0.8, "ecolor": "#444444"},
    )
    axes.bar_label(bars, [f"{row.median:.2f}" for row in rows], padding=4)
    axes.invert_yaxis()
    axes.margins(x=0.15)
    axes.set_title(mode, loc="left", fontweight="bold")


def plot_place(place: PlaceResult, path: Path) -> None:
    """One panel per mode."""
    import matplotlib.pyplot as plt

    modes = list(dict.fromkeys(row.mode for row in place.rows))
    groups = [[row for row in place.rows if row.mode == mode] for mode in modes]
    heights = [len(rows) + 1.6 for rows in groups]
    size = (7.5, 0.27 * sum(heights) + 0.6)
    figure, grid = plt.subplots(
        len(modes), 1, squeeze=False, figsize=size, height_ratios=heights, layout="constrained"
    )
    for axes, mode, rows in zip(grid[:, 0], modes, groups):
        draw_mode(axes, mode, rows)
    grid[-1, 0].set_xlabel("seconds (median; lines from fastest to slowest round)")
    figure.suptitle(f"{place.name}: shorter is better")
    save(figure, path)


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
        for place in results.places:
            if place.rows:
                plot_place(place, directory / f"benchmarks-{place.name}.svg")
        if results.scaling and results.scaling.points:
            plot_scaling(results.scaling, directory / "benchmarks-scaling.svg")
