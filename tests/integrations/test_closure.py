"""Whether all is there that distributions require, as they say it: strangers have written that."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from wheel_linker.install.interpreter import describe
from wheel_linker.integrations.pip.closure import Known, is_closed

if TYPE_CHECKING:
    from pathlib import Path

MANY = 5_000  # Python reads no number of more than 4,300 digits
HEAD = "Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"


def closed(directory: Path, fields: str, version: str = "1.0") -> bool:
    """Tell whether all is there if ``top`` is asked for, which says ``fields`` of itself, and ``base`` is there."""
    top, base = directory / "top", directory / "base"
    top.write_text(HEAD.format(name="top", version="1.0") + fields)
    base.write_text(HEAD.format(name="base", version=version))
    known = {"top": Known("1.0", str(top), is_new=True), "base": Known(version, str(base), False)}
    return is_closed({"top": ()}, known.get, describe(sys.executable).environment)


def test_what_is_there_is_enough(tmp_path: Path) -> None:
    assert closed(tmp_path, "Requires-Python: >=3\nRequires-Dist: base >= 1\n")
    assert not closed(tmp_path, "Requires-Dist: base >= 2\n")
    assert not closed(tmp_path, "Requires-Dist: other\n")
    assert closed(tmp_path, "Requires-Dist: other ; python_version < '3'\n")


@pytest.mark.parametrize(
    "fields",
    [
        "Requires-Dist: base >=\n",
        "Requires-Dist: base ; platform_machine ~= '1'\n",
        f"Requires-Dist: base >= {'1' * MANY}\n",
        f"Requires-Dist: other ; python_version < '{'1' * MANY}'\n",
        f"Requires-Dist: base ; {'(' * MANY}os_name == ''{')' * MANY}\n",
        f"Requires-Python: >= {'1' * MANY}\n",
        "Requires-Python: three\n",
    ],
    ids=["none", "no order", "digits", "digits of a marker", "parentheses", "python", "word"],
)
def test_what_cannot_be_told_is_left_to_pip(tmp_path: Path, fields: str) -> None:
    assert not closed(tmp_path, fields)


def test_a_version_that_python_cannot_read_is_left_to_pip(tmp_path: Path) -> None:
    assert not closed(tmp_path, "Requires-Dist: base >= 1\n", version="1" * MANY)
