"""One line at the end that says what a run of the tests left out, for want of what, and what to install."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pytest


class Want(NamedTuple):
    """What a machine may lack."""

    pattern: str
    """What the reasons for skipping say of it."""
    needs: str
    remedy: str


FILE_SYSTEM_TOOLS: Final = (
    *("btrfs-progs", "e2fsprogs", "exfat-fuse", "exfatprogs", "mount"),
    *("ntfs-3g", "squashfs-tools", "xfsprogs"),
)
WANTS: Final = (
    Want(
        "mounting needs root|needs a read-only mount|nothing can be mounted",
        "mount file systems",
        "run as root",
    ),
    Want("needs root|only root", "are about what root may do", "run as root"),
    Want(
        "is not installed$|failed: .*mount", "need tools", f"install {' '.join(FILE_SYSTEM_TOOLS)}"
    ),
    Want("C compiler", "compile stand-ins", "install gcc libc6-dev"),
    Want("needs fusepy", "are about names that fold", "pip install fusepy, and libfuse2"),
    Want("cannot be downloaded", "compare published wheels", "let pip reach a package index"),
)
_OTHERS: Final = Want("", "are about other systems or interpreters", "pytest -rs lists them")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the line, if anything was left out."""
    reports = terminalreporter.stats.get("skipped", [])
    if reports:
        terminalreporter.write_line(sentence(map(_reason, reports)))


def sentence(reasons: Iterable[str]) -> str:
    """Return the line for some reasons, one for each test."""
    counts = Counter(map(_want, reasons))
    parts = [f"{count:,} {want.needs} ({want.remedy})" for want, count in counts.most_common()]
    tests = "test" if counts.total() == 1 else "tests"
    return f"left out {counts.total():,} {tests}: {'; '.join(parts)}"


def _want(reason: str) -> Want:
    return next((want for want in WANTS if re.search(want.pattern, reason)), _OTHERS)


def _reason(report: pytest.TestReport) -> str:
    where = report.longrepr
    return str(where[2]).removeprefix("Skipped: ") if isinstance(where, tuple) else str(where)
