"""The rows of a wheel's ``RECORD`` that the ``RECORD`` of what is installed has letter by letter.

They depend on nothing but the wheel, so that a store keeps them ready.

Format: "Recording installed projects", https://packaging.python.org/specifications/recording-installed-packages/
"""

from __future__ import annotations

import csv
from io import StringIO
from typing import TYPE_CHECKING, Final

from wheel_linker.store.record import RECORD

if TYPE_CHECKING:
    from collections.abc import Sequence

NOTES: Final = ("INSTALLER", "REQUESTED", "direct_url.json")
"""What an installer writes into the ``*.dist-info``, besides ``RECORD``."""


def carried_rows(text: str, dist_info: str) -> tuple[str, list[str]]:
    """Return the rows that stay as they are, and the paths of those without a size, or without a hash too.

    Signatures of ``RECORD`` have no hash there. What is in the data directory goes elsewhere, and has other rows.

    :param text: the wheel's ``RECORD``.
    :param dist_info: the directory that it lies in.
    """
    data = f"{dist_info.removesuffix('.dist-info')}.data/"
    own = [f"{dist_info}/{name}" for name in (RECORD, *NOTES)]
    replaced = (*(f"{path}," for path in own), data)
    gone = (*replaced, *(f'"{path}' for path in (*own, data)))
    lines = [line for line in _lines(text) if line and not line.startswith(gone)]
    kept = "".join([f"{line}\n" for line in lines])
    if ",\n" not in kept:  # as in nearly every wheel, and told faster than row by row
        return kept, []
    without = [line for line in lines if line.endswith(",")]
    kept = "".join(f"{line}\n" for line in lines if not line.endswith(","))
    return kept, [next(csv.reader([line]))[0] for line in without]


def _lines(text: str) -> Sequence[str]:
    """Return each row as it is written, one that is quoted or has a CR anew: its path may have a line end."""
    if '"' not in text:
        text = text.replace("\r\n", "\n")
        if "\r" not in text:
            return text.split("\n")
    lines = []
    for row in csv.reader(StringIO(text, newline="")):
        line = StringIO()
        csv.writer(line, lineterminator="").writerow(row)
        lines.append(line.getvalue())
    return lines
