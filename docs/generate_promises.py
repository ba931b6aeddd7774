"""Write what the proof has counted into ``promises.md``.

``python docs/generate_promises.py REPORT``, after ``pytest --proof-report=REPORT tests/proof``.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PAGE: Final = Path(__file__).with_name("promises.md")

_START: Final = "<!-- figures:start -->"
_END: Final = "<!-- figures:end -->"


def main(report: Path) -> None:
    """Replace the table in the page."""
    counts = json.loads(report.read_text(encoding="utf-8"))["counts"]
    page = PAGE.read_text(encoding="utf-8")
    before, start, rest = page.partition(_START)
    _, end, after = rest.partition(_END)
    if not (start and end and counts):
        sys.exit(f"{PAGE.name} needs both markers, and {report} the counts of a run of the proof")
    table = "\n".join(_table(counts))
    PAGE.write_text(f"{before}{start}\n{table}\n{end}{after}", encoding="utf-8")


def _table(counts: Mapping[str, Mapping[str, int]]) -> Iterator[str]:
    yield "| | |"
    yield "|---|---|"
    for subject, figures in sorted(counts.items()):
        words = (f"{count:,} {name.replace('_', ' ')}" for name, count in figures.items())
        yield f"| {subject} | {', '.join(words)} |"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
