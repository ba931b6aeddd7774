"""Names of files are told so that a terminal shows what they are: no escape sequences, nothing turned around."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING

import pytest
from store.archives import FILES, NAME, write_wheel
from store.conftest import settle
from wheels import make_wheel

from wheel_linker import Locks, PackageConflictError, PackageConflictWarning, Preview, link_wheels
from wheel_linker._cli import main
from wheel_linker._log import log, log_warning
from wheel_linker.errors import printable
from wheel_linker.store import WheelStore

if TYPE_CHECKING:
    from pathlib import Path

if sys.platform == "win32":
    pytest.skip("names cannot have such characters there", allow_module_level=True)

# An escape sequence, an override that turns around what follows, a line separator, a line feed, a C1 control.
ODD = "a\x1b[31m\u202eyp.\u2028b\nc\x9b.py"
SHOWN = "a\\x1b[31m\\u202eyp.\\u2028b\\nc\\x9b.py"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain/name.py", "plain/name.py"),
        ("größe ﬁ 名.py", "größe ﬁ 名.py"),
        (ODD, SHOWN),
        ("\u2066isolate\u2069", "\\u2066isolate\\u2069"),
        ("undecodable\udcff", "undecodable\\udcff"),
        ("back\\slash", "back\\slash"),
    ],
)
def test_what_is_not_seen_as_what_it_is_is_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_damage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = WheelStore(tmp_path / "store")
    stored = store.add(settle(write_wheel(tmp_path / NAME, FILES)))
    store.close()
    (tmp_path / "store" / stored.entry / "w" / ODD).write_bytes(b"")
    (damage,) = store.verify()
    assert str(damage) == f"{NAME}: {SHOWN} is added"
    assert damage.path == ODD
    assert main.main(["store", "verify", "--store", str(tmp_path / "store")]) == 1
    assert capsys.readouterr().out.splitlines() == [f"{stored.entry} {NAME}: {SHOWN} is added"]


@pytest.fixture
def wheels(tmp_path: Path) -> list[Path]:
    """Two wheels that have a file of the same odd name."""
    return [
        make_wheel(tmp_path / name, {f"pkg/{ODD}": name.encode()}, name=name)
        for name in ("one", "three")
    ]


def test_conflicts(tmp_path: Path, wheels: list[Path]) -> None:
    with pytest.raises(PackageConflictError, match="more than one") as caught:
        link_wheels(tmp_path / "site", wheels, on_conflict="error")
    assert f"`pkg/{SHOWN}`" in str(caught.value)
    assert caught.value.conflicts[0].path == f"pkg/{ODD}"
    with pytest.warns(PackageConflictWarning) as warned:
        link_wheels(tmp_path / "site", wheels, on_conflict="warn")
    assert f"`pkg/{SHOWN}`" in str(warned[0].message)
    locks = Locks(preview=Preview.DETECT_MODULE_CONFLICTS)
    for wheel in wheels:
        link_wheels(tmp_path / "again", [wheel], locks=locks)
    with pytest.warns(PackageConflictWarning) as warned:
        locks.warn_package_conflicts()
    assert f"`pkg/{SHOWN}`" in str(warned[0].message)


def test_what_the_command_line_says(
    tmp_path: Path, wheels: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["link", "--into", str(tmp_path / "site"), *map(str, wheels), "--on-conflict", "error"]
    assert main.main(words) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert f"`pkg/{SHOWN}`" in error


def test_errors_on_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main([ODD]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert error.rstrip("\n").isprintable()


def test_logs(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "wheel_linker"):
        log("cannot read %s: %s", ODD, OSError(2, "missing", ODD))
        log_warning("waiting for %s, in %d seconds", ODD, 3)
    assert caplog.messages == [
        f"cannot read {SHOWN}: [Errno 2] missing: {ODD!r}",
        f"waiting for {SHOWN}, in 3 seconds",
    ]
