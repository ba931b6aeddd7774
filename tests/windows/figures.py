"""What came of the tests on that Windows: the line that is printed, and the row of the documentation's table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from systems.outcome import Row, today

if TYPE_CHECKING:
    from collections.abc import Mapping


def line(figures: Mapping[str, Any], demonstrated: int) -> str:
    """Return the line.

    :param demonstrated: the exit status of the demonstration.
    """
    demo = "the demonstration fails" if demonstrated else "the demonstration passes"
    counts = ", ".join(f"{figures.get(name, 0)} {name}" for name in ("passed", "failed", "skipped"))
    reasons = "; ".join(f"{count}: {reason}" for reason, count in figures["reasons"].items())
    return (
        f"Windows (CPython {figures['python']} under wine): {demo}, {counts} ({reasons or 'none'})"
    )


def row(figures: Mapping[str, Any], wine_version: str) -> Row:
    """Return what the table says of a run; it says that it was wine.

    :param figures: what :class:`windows.wine.Figures` has written.
    :param wine_version: such as ``wine 10.0``.
    """
    return Row(
        system=f"Windows, as {wine_version} plays it",
        interpreter=f"CPython {figures['python']}",
        user="root",
        file_systems=(),
        passed=figures.get("passed", 0),
        skipped=figures.get("skipped", 0),
        date=today(),
        temporary="wine's drive `C:`",
    )
