"""Write what the tests found out about file systems into ``platforms.md``.

``python docs/generate_filesystems.py REPORT``, after ``pytest --proof-report=REPORT tests/proof``.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

PAGE: Final = Path(__file__).with_name("platforms.md")

_START: Final = "<!-- filesystems:start -->"
_END: Final = "<!-- filesystems:end -->"
_STRICT: Final = " (strict)"
_ASKED: Final = ("clone", "hardlink", "symlink", "copy", "auto")

Outcomes = dict[str, tuple[str, str]]
"""Mode asked for to the mode that resulted and the error, of one place."""


def main(report: Path) -> None:
    """Replace the table in the page."""
    rows = json.loads(report.read_text(encoding="utf-8"))["filesystems"]
    page = PAGE.read_text(encoding="utf-8")
    before, start, rest = page.partition(_START)
    _, end, after = rest.partition(_END)
    if not (start and end and rows):
        sys.exit(f"{PAGE.name} needs both markers, and {report} the rows of a run of the proof")
    table = "\n".join(_table(_by_place(rows)))
    PAGE.write_text(f"{before}{start}\n{table}\n{end}{after}", encoding="utf-8")


def _by_place(rows: Iterable[Mapping[str, str]]) -> dict[str, Outcomes]:
    places: dict[str, Outcomes] = {}
    for row in rows:
        places.setdefault(row["place"], {})[row["asked"]] = row["resulted"], row["error"]
    return places


def _table(places: Mapping[str, Outcomes]) -> Iterator[str]:
    yield _line("", *_ASKED)
    yield "|---" * (1 + len(_ASKED)) + "|"
    for place, outcomes in places.items():
        yield _line(place, *(_cell(asked, outcomes) for asked in _ASKED))


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(asked: str, outcomes: Outcomes) -> str:
    """Say what resulted, and with which error the mode alone fails."""
    resulted, error = outcomes[asked]
    if not resulted:
        return f"fails: `{error}`"
    strict = outcomes.get(asked + _STRICT)
    return resulted if strict is None or strict[0] else f"{resulted} (`{strict[1]}`)"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
