"""A reader who does what the pages say, in an empty directory and with nothing prepared, sees what they show."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING, Final

import pytest
from cli.kit import ENVIRONMENT

if TYPE_CHECKING:
    from collections.abc import Sequence

DOCS: Final = Path(__file__).resolve().parents[2] / "docs"
# These say that they use what the tutorial's script makes.
PAGES: Final = (
    "tutorial.md",
    "how-to/cache-unpacked-wheels.md",
    "how-to/containers-and-mounted-caches.md",
    "how-to/installer-library.md",
    "how-to/layers-and-images.md",
    "how-to/many-wheels.md",
    "how-to/report-and-warning.md",
    "how-to/strict-mode.md",
)
# What a session of an interpreter would show is compared with what the page shows.
FOLLOW: Final = """
import doctest, sys
failed, tried = doctest.testfile(sys.argv[1], module_relative=False, encoding="utf-8")
print(tried)
sys.exit(failed > 0)
"""


def run(place: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    command: Sequence[str] = [sys.executable, *map(str, arguments)]
    return subprocess.run(
        command, cwd=place, capture_output=True, text=True, check=False, env=ENVIRONMENT
    )


@pytest.mark.parametrize("page", PAGES)
def test_followed_literally(tmp_path: Path, page: str) -> None:
    text = (DOCS / page).read_text(encoding="utf-8")
    script = re.search(r"\{download\}`wheels\.py <(.*?)>`", text)
    assert script is not None
    made = run(tmp_path, (DOCS / page).parent / script[1])
    assert made.returncode == 0, made.stderr
    blocks = re.findall(r"```\{(doctest|testcode|testoutput)\}\n(.*?)```", text, re.DOTALL)
    session = [
        f">>> exec({dedent(code)!r})\n" if kind == "testcode" else code for kind, code in blocks
    ]
    # What code without a prompt prints is shown right below it.
    (tmp_path / "session.txt").write_text("".join(session), encoding="utf-8")
    done = run(tmp_path, "-W", "ignore", "-c", FOLLOW, "session.txt")
    assert done.returncode == 0, done.stdout
    assert int(done.stdout) >= sum(kind != "testoutput" for kind, _ in blocks) > 0


def test_the_script_makes_what_the_tutorials_show(tmp_path: Path) -> None:
    made = run(tmp_path, DOCS / "examples" / "wheels.py")
    assert made.returncode == 0, made.stderr
    for page, below in (("tutorial.md", "cache"), ("tutorial-tox-plugin.md", "wheels")):
        tree = re.search(
            rf"```text\n.*?^ *{below}/\n(.*?)```",
            (DOCS / page).read_text("utf-8"),
            re.DOTALL | re.MULTILINE,
        )
        assert tree is not None
        shown = re.findall(r"^ *(\S+)", tree[1], re.MULTILINE)
        assert len(shown) > 1
        top = ""
        for name in shown:
            if name == "...":
                continue
            here = tmp_path / below
            if name.endswith(("/", ".whl")):
                top = name
                assert (here / top).exists()
            else:
                assert (here / top / name).is_file()


def test_the_script_can_be_run_again(tmp_path: Path) -> None:
    for _ in range(2):
        made = run(tmp_path, DOCS / "examples" / "wheels.py")
        assert made.returncode == 0, made.stderr
