"""Say which links of the pages lead nowhere, and which could not be tried from this machine.

``python docs/check_links.py OUTPUT``: the ``output.json`` of sphinx-build -b linkcheck. A server that answers "not
found" ends it with an error; without a network nothing answers, and each page that was not reached is named.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# What the builder writes of a server that answered; all else is of a server that was not reached.
_ANSWERED: Final = re.compile(r"\b[45]\d\d (Client|Server) Error\b|^Anchor ")
_FINE: Final = frozenset({"working", "redirected", "ignored", "unchecked", "local"})


def sorted_out(rows: Iterable[Mapping[str, object]]) -> tuple[list[str], list[str]]:
    """Return the links that lead nowhere and those that were not reached, a line for each."""
    broken, not_reached = [], []
    for row in rows:
        if row["status"] in _FINE:
            continue
        line = f"{row['filename']}:{row['lineno']}: {row['uri']}"
        if _ANSWERED.search(str(row["info"])):
            broken.append(f"{line}: {row['info']}")
        else:
            not_reached.append(line)
    return broken, not_reached


def main(output: Path) -> None:
    """Print what was found; end with an error if a link leads nowhere."""
    text = output.read_text(encoding="utf-8")
    rows = [json.loads(line) for line in text.splitlines()]
    if not rows:
        sys.exit(f"{output} names no link")
    broken, not_reached = sorted_out(rows)
    for line in not_reached:
        print(f"not reached: {line}")
    for line in broken:
        print(f"leads nowhere: {line}")
    print(f"{len(rows)} links, {len(broken)} lead nowhere, {len(not_reached)} were not reached")
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
