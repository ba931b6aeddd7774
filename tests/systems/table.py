"""The table of the documentation that says where the tests have passed; nothing else says more."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from systems.outcome import Row
from systems.room import TREE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PAGE: Final = TREE / "docs" / "verified-on.md"
ROWS: Final = TREE / "docs" / "verified-on.json"

_START: Final = "<!-- rows:start -->"
_END: Final = "<!-- rows:end -->"


def add(rows: Iterable[Row]) -> None:
    """Put rows in the place of those that say of the same system, interpreter and user."""
    known = {_key(row): row for row in (*_kept(), *rows)}
    kept = [known[key] for key in sorted(known)]
    data = [row._asdict() for row in kept]
    ROWS.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
    page = PAGE.read_text(encoding="utf-8")
    before, start, rest = page.partition(_START)
    _, end, after = rest.partition(_END)
    table = "\n".join(lines(kept))
    PAGE.write_text(f"{before}{start}\n{table}\n{end}{after}", encoding="utf-8")


def _kept() -> Iterator[Row]:
    if not ROWS.exists():
        return
    for row in json.loads(ROWS.read_text(encoding="utf-8")):
        yield Row(**{**row, "file_systems": tuple(row["file_systems"])})


def _key(row: Row) -> tuple[str, str, str]:
    return row.system, row.interpreter, row.user


def lines(rows: Iterable[Row]) -> Iterator[str]:
    """Give the lines of the table."""
    yield "| system | interpreter | as | file systems | passed | skipped | date |"
    yield "|:--|:--|:--|:--|--:|--:|:--|"
    for row in rows:
        places = ", ".join((*row.file_systems, row.temporary))
        user = "root" if row.user == "root" else "a user"
        cells = (
            row.system,
            row.interpreter,
            user,
            places,
            f"{row.passed:,}",
            f"{row.skipped:,}",
            row.date,
        )
        yield f"| {' | '.join(cells)} |"
