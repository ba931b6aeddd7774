"""The options of the proof, and the figures it keeps."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable


class Row(NamedTuple):
    """What became of one mode on one kind of file system."""

    place: str
    asked: str
    resulted: str
    error: str


class Figures:
    """What the tests counted, by subject and name, and the rows of the table of file systems."""

    def __init__(self) -> None:
        self.counts: dict[str, Counter[str]] = {}
        self.rows: list[Row] = []

    def add(self, subject: str, **counts: int) -> None:
        """Add to the counts of a subject."""
        self.counts.setdefault(subject, Counter()).update(counts)

    def as_data(self) -> dict[str, Any]:
        """Return everything as what JSON has."""
        return {
            "counts": {subject: dict(counts) for subject, counts in self.counts.items()},
            "filesystems": [row._asdict() for row in self.rows],
        }

    def take(self, data: dict[str, Any]) -> None:
        """Add what another process has counted."""
        for subject, counts in data["counts"].items():
            self.add(subject, **counts)
        self.rows += [Row(**row) for row in data["filesystems"]]

    def summary(self) -> Iterable[str]:
        """Return one line for each subject."""
        for subject, counts in sorted(self.counts.items()):
            figures = ", ".join(
                f"{count:,} {name.replace('_', ' ')}" for name, count in counts.items()
            )
            yield f"{subject}: {figures}"

    def write(self, path: Path) -> None:
        """Write everything as JSON."""
        text = json.dumps(self.as_data(), indent=2, sort_keys=True)
        path.write_text(f"{text}\n", encoding="utf-8")


_HANDED: Final = "figures of the proof"
_FIGURES: Final = pytest.StashKey[Figures]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add what the proof can be asked for."""
    group = parser.getgroup("proof")
    group.addoption(
        "--long", action="store_true", help="prove everything in full, which takes its time"
    )
    group.addoption(
        "--every-call",
        action="store_true",
        help="spoil every system call, not every fifth one; --long does, too",
    )
    group.addoption(
        "--proof-report", metavar="FILE", type=Path, help="keep the figures of the proof as JSON"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Begin counting."""
    config.stash[_FIGURES] = Figures()


@pytest.fixture(scope="session")
def figures(pytestconfig: pytest.Config) -> Figures:
    """Where a test adds what it has done."""
    return pytestconfig.stash[_FIGURES]


@pytest.fixture(scope="session")
def is_long(pytestconfig: pytest.Config) -> bool:
    """Whether everything is to be done in full."""
    return bool(pytestconfig.getoption("--long"))


@pytest.fixture(scope="session")
def is_thorough(pytestconfig: pytest.Config, is_long: bool) -> bool:
    """Whether every system call is to be spoilt."""
    return is_long or bool(pytestconfig.getoption("--every-call"))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand the figures of a worker of pytest-xdist to the process that started it."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput[_HANDED] = session.config.stash[_FIGURES].as_data()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """Take them, when it has ended."""
    if error is None:
        node.config.stash[_FIGURES].take(node.workeroutput[_HANDED])


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, exitstatus: int, config: pytest.Config
) -> None:
    """Print the figures, and keep them if that was asked for."""
    figures = config.stash[_FIGURES]
    report: Path | None = config.getoption("--proof-report")
    if report is not None:
        figures.write(report)
    if figures.counts:
        terminalreporter.section("proof")
        for line in figures.summary():
            terminalreporter.write_line(line)
