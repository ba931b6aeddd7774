"""Which of the tests run on that Windows, and why the others do not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from windows.machine import HERE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

TESTS: Final = HERE.parent

CHOSEN: Final = (
    "tests/windows",
    "tests/install/test_archives.py",
    "tests/install/test_metadata.py",
    "tests/install/test_scripts.py",
    "tests/store/test_records.py",
    "tests/test_bad_input.py",
    "tests/test_conflicts.py",
    "tests/test_errors.py",
    "tests/test_filename.py",
    "tests/test_locking.py",
    "tests/test_modes.py",
    "tests/test_namespace.py",
    "tests/test_paths.py",
    "tests/test_stage.py",
)
"""What the gate runs: as much as there is time for, a suite of each part."""

LEFT_OUT: Final[Mapping[str, str]] = {
    "tests/examples/": "the bed has no tox, and fetches nothing to build with",
    "tests/integrations/": "the bed has no tox, nox, virtualenv or uv",
    "tests/proof/": "spoils calls of POSIX; has the rules of Windows on every other system",
    "tests/real_tools/": "compares with pip and uv, which have no index there",
    "tests/test_packaging.py": "is about the tree and its build, the same on every system",
}
"""Files, or directories with a slash at the end, and why they are in no run but one that names them."""


def everything() -> list[str]:
    """Return all files of tests but those that are left out."""
    return list(_kept())


def left_out() -> str:
    """Return what is left out, and why, for the line that is printed."""
    return "; ".join(f"{path} ({reason})" for path, reason in LEFT_OUT.items())


def _kept() -> Iterator[str]:
    for path in sorted(TESTS.rglob("test_*.py")):
        name = path.relative_to(TESTS.parent).as_posix()
        if not any(name == each or name.startswith(each) for each in LEFT_OUT):
            yield name
