"""What came of the tests in a system: counted from the report that pytest writes for machines."""

from __future__ import annotations

import datetime as dt
import re
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING, Final, NamedTuple

from filesystems import NAMES
from left_out import sentence

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MORE_FILE_SYSTEMS: Final = ("exfat",)


class Outcome(NamedTuple):
    """What came of one run of the tests."""

    passed: int
    failed: tuple[str, ...]
    """The names of the tests that failed."""
    reasons: tuple[str, ...]
    """Why tests were skipped, one for each."""
    file_systems: tuple[str, ...]
    """Those that tests have passed on, beside that of the temporary directory."""

    def line(self) -> str:
        """Return the line that says it."""
        counts = (
            f"{self.passed:,} passed, {len(self.failed):,} failed, {len(self.reasons):,} skipped"
        )
        return f"{counts} ({sentence(self.reasons)})" if self.reasons else counts


def read(report: Path) -> Outcome:
    """Read the report that ``--junitxml`` has written."""
    passed, failed, reasons, names = 0, [], [], set()
    for case, kind, message in _cases(report):
        if kind == "skipped":
            reasons.append(message)
        elif kind:
            failed.append(case)
        else:
            passed += 1
            names.update(re.findall(r"[a-z0-9]+", case.partition("::")[2]))
    seen = tuple(name for name in (*NAMES, *MORE_FILE_SYSTEMS) if name in names)
    return Outcome(passed, tuple(failed), tuple(reasons), seen)


def _cases(report: Path) -> Iterator[tuple[str, str, str]]:
    """Give the name of each test, what became of it (nothing if it passed), and the first line of why."""
    for case in ET.parse(report).iter("testcase"):
        kind, message = "", ""
        for child in case:
            if child.tag in {"skipped", "failure", "error"}:
                kind, message = child.tag, child.get("message", "")
        yield f"{case.get('classname')}::{case.get('name')}", kind, message


TEMPORARY: Final = "that of `/tmp`"
"""What the table calls the file system that tests use for themselves."""


class Row(NamedTuple):
    """One row of the table in the documentation."""

    system: str
    interpreter: str
    user: str
    file_systems: tuple[str, ...]
    passed: int
    skipped: int
    date: str
    temporary: str = TEMPORARY
    """The file system that the tests use for themselves."""

    @classmethod
    def of(cls, outcome: Outcome, system: str, interpreter: str, user: str) -> Row:
        """Make one that was seen today."""
        seen, skipped = outcome.file_systems, len(outcome.reasons)
        return cls(system, interpreter, user, seen, outcome.passed, skipped, today())


def today() -> str:
    """Return the date as the table has it."""
    return dt.datetime.now(dt.timezone.utc).date().isoformat()
