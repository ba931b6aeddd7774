"""What the tests say of themselves: the line for what was left out, and the table of what was seen."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from filesystems import NAMES, FileSystems
from images import Unavailable
from left_out import sentence
from systems import lent, outcome, rounds, table
from systems.__main__ import EVERYTHING
from systems.outcome import Outcome, Row
from systems.rounds import Spec
from windows import figures, machine

if TYPE_CHECKING:
    from collections.abc import Callable

REPORT = """<testsuites><testsuite name="pytest">
<testcase classname="tests.test_a" name="test_one[btrfs-copy]" />
<testcase classname="tests.test_a" name="test_one[xfs-copy]"><skipped message="mounting needs root; x" /></testcase>
<testcase classname="tests.test_a" name="test_two[local]"><failure message="no">trace</failure></testcase>
<testcase classname="tests.test_a" name="test_three"><error message="no">trace</error></testcase>
<testcase classname="tests.test_b" name="test_four" />
</testsuite></testsuites>"""


def test_what_is_left_out_is_one_line_with_what_helps() -> None:
    reasons = ["mounting needs root; X may name directories"] * 1200
    reasons += ["needs a C compiler on a POSIX system", "is about POSIX permissions"]
    line = sentence(reasons)
    assert "\n" not in line
    assert line.startswith("left out 1,202 tests: 1,200 mount file systems (run as root)")
    assert "gcc libc6-dev" in line


@pytest.mark.skipif(sys.platform != "linux", reason="nothing is mounted elsewhere")
def test_reasons_of_file_systems_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever keeps a file system from being mounted, the line names a remedy."""
    monkeypatch.setenv("PATH", "/nowhere")
    with FileSystems({}) as made:
        for name in NAMES:
            with pytest.raises(Unavailable) as caught:
                made.directory(name)
            assert "other systems" not in sentence([str(caught.value)])


def test_a_report_is_counted(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    report.write_text(REPORT)
    found = outcome.read(report)
    assert found.passed == 2
    assert found.failed == ("tests.test_a::test_two[local]", "tests.test_a::test_three")
    assert found.reasons == ("mounting needs root; x",)
    assert found.file_systems == ("btrfs",)
    assert found.line().startswith("2 passed, 2 failed, 1 skipped (left out 1 test: ")


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("trixie/user", Spec("trixie", "user")),
        ("sid/root/3.15", Spec("sid", "root", "3.15")),
        ("trixie-i386/root/3.13", Spec("trixie", "root", "3.13", "i386")),
    ],
)
def test_what_to_try_is_named(text: str, spec: Spec) -> None:
    assert Spec.parse(text) == spec
    assert spec.system().name.startswith(text.partition("/")[0])
    assert bool(spec.system().more) == bool(spec.interpreter)


@pytest.mark.parametrize("text", ["trixie", "trixie/me", "trixie/user/3.13/x", "../root"])
def test_nonsense_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not SUITE"):
        Spec.parse(text)


def test_the_commands_are_those_of_the_readme() -> None:
    install, test = rounds.readme_commands()
    assert install.endswith("wheel-linker demo")
    assert test.endswith("nox -s tests")


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], str]:
    """A page of its own for the table; gives its text."""
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- rows:start -->\nold\n<!-- rows:end -->\nafter\n")
    monkeypatch.setattr(table, "PAGE", page)
    monkeypatch.setattr(table, "ROWS", tmp_path / "rows.json")
    return page.read_text


def test_the_table_keeps_the_newest_of_each(page: Callable[[], str]) -> None:
    old, new = (Outcome(passed, (), ("x",), ("xfs",)) for passed in (1, 2345))
    table.add([Row.of(old, "Debian sid", "CPython 3.15.2", "root")])
    table.add([Row.of(old, "Debian sid", "CPython 3.15.2", "user")])
    table.add([Row.of(new, "Debian sid", "CPython 3.15.2", "root")])
    text = page()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    rows = [line for line in text.splitlines() if line.startswith("| Debian")]
    assert len(rows) == 2
    assert "| root | xfs, that of `/tmp` | 2,345 | 1 |" in rows[0]
    assert "| a user |" in rows[1]


def test_the_row_of_windows_says_that_it_is_wine(page: Callable[[], str]) -> None:
    """It is told from one of Microsoft's, and from the systems that it stands beside."""
    seen = {"python": "3.13.11", "passed": 1234, "skipped": 5, "reasons": {"why": 5}}
    table.add([Row.of(Outcome(1, (), (), ()), "Debian sid", "CPython 3.13.11", "root")])
    table.add([figures.row(seen, "wine 10.0")])
    table.add([figures.row(seen, "wine 10.0")])
    debian, windows = (line for line in page().splitlines() if "3.13.11" in line)
    assert "that of `/tmp`" in debian
    assert windows.startswith("| Windows, as wine 10.0 plays it | CPython 3.13.11 | root | ")
    assert "1,234 | 5 |" in windows
    assert "/tmp" not in windows


def test_every_interpreter_that_is_supported_is_tried() -> None:
    """Those that no Debian has are this machine's own."""
    tried = {Spec.parse(text).interpreter for text in EVERYTHING}
    assert {f"3.{minor}" for minor in range(10, 16)} | {"pypy3.11"} <= tried


@pytest.mark.skipif(os.name != "posix", reason="takes POSIX's executable bits")
def test_an_interpreter_of_this_machine_is_found_where_pyenv_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = tmp_path / "versions" / "3.12.1" / "bin" / "python3.12"
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/sh\necho /opt/its/own\n")
    python.chmod(0o755)
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    assert lent.prefix_of("3.12") == Path("/opt/its/own")
    assert lent.prefix_of("3.99") is None
    python.write_text("#!/bin/sh\necho /usr\n")
    assert lent.prefix_of("3.12") is None


def test_a_system_by_another_recipe_takes_the_place_of_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever an old one left behind: one that was not finished, and the lock of who has used it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(machine, "check", lambda: None)
    monkeypatch.setattr(machine, "_debootstrap", lambda root: None)
    recipe = tmp_path / "recipe"
    recipe.write_text("first")
    old = machine.kept("windows", [recipe], lambda made: made.inside("/file").touch())
    Path(f"{old.root}.lock").touch()
    Path(f"{old.root}.part").mkdir()
    recipe.write_text("second")
    new = machine.kept("windows", [recipe], lambda made: made.inside("/other").touch())
    assert [path.name for path in machine.cache().iterdir()] == [new.root.name]
    assert [path.name for path in new.root.iterdir()] == ["other"]
    again = machine.kept("windows", [recipe], lambda made: pytest.fail("it is there"))
    assert again.root == new.root
