"""A plugin for pytest that knows where wine is not Windows: what it gets wrong is mended, or skipped by name.

What Windows does and wine does not is in ``proof.windows``, which runs everywhere.
"""

from __future__ import annotations

import errno
import json
import os
import sys
import traceback
from collections import Counter
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

RESULT: Final = "WHEEL_LINKER_RESULT"
"""The environment variable that says where the figures are to be written."""


class Fault(NamedTuple):
    """What wine gets wrong, and the tests that see it."""

    reason: str
    tests: Sequence[str]


NO_SYMLINKS: Final = "wine makes no symlinks, so that the bed refuses them"
PRIVILEGE_NOT_HELD: Final = 1314  # winerror.h
FAULTS: Final = (
    Fault(NO_SYMLINKS, ("*symlink*", "*::test_links_are_links")),
    Fault("wine clears the read-only attribute in os.utime", ()),
    Fault("wine renames a directory with an open file below it", ()),
)


class Figures:
    """What became of the tests, for the line that is printed at the end."""

    def __init__(self) -> None:
        self.outcomes: Counter[str] = Counter()
        self.skipped: Counter[str] = Counter()
        self.failed: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.outcomes["failed"] += 1
            self.failed.append(f"{report.nodeid} ({report.when})")
        elif report.skipped:
            self.outcomes["skipped"] += 1
            self.skipped[_reason(report)] += 1
        elif report.when == "call":
            self.outcomes["passed"] += 1

    def pytest_sessionfinish(self) -> None:
        figures = {
            "python": sys.version.partition(" ")[0],
            **self.outcomes,
            "reasons": dict(self.skipped.most_common()),
            "failures": self.failed,
        }
        Path(os.environ[RESULT]).write_text(json.dumps(figures), encoding="utf-8")


def _reason(report: pytest.TestReport) -> str:
    if isinstance(report.longrepr, tuple):
        return str(report.longrepr[2]).removeprefix("Skipped: ")
    return str(report.longrepr)


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Figures())
    _mend_locking()


def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    for item in items:
        for fault in FAULTS:
            if any(fnmatchcase(item.nodeid, pattern) for pattern in fault.tests):
                item.add_marker(pytest.mark.skip(reason=fault.reason))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None, Any, Any]:
    """Skip a test that makes a symlink itself. What the library makes of the refusal is the library's."""
    try:
        return (yield)
    except OSError as error:
        if getattr(error, "winerror", None) == PRIVILEGE_NOT_HELD and not _is_librarys(error):
            pytest.skip(NO_SYMLINKS)
        raise


def _is_librarys(error: BaseException) -> bool:
    frames = traceback.walk_tb(error.__traceback__)
    return any(
        frame.f_globals.get("__name__", "").partition(".")[0] == "wheel_linker"
        for frame, _ in frames
    )


def _mend_locking() -> None:
    """Have ``msvcrt.locking`` say EACCES of what another holds, as Windows does; wine leaves the number at 0."""
    if sys.platform != "win32":
        return
    import msvcrt

    real = msvcrt.locking

    def locking(*arguments: Any) -> None:
        try:
            real(*arguments)
        except OSError as error:
            if error.errno == 0:
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES)) from None
            raise

    msvcrt.locking = locking
