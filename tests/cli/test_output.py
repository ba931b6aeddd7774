"""Where output goes, and what is shown while a command is at work."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import import_module
from io import StringIO
from typing import TYPE_CHECKING

import pytest
from examples.kit import write_wheel
from install.kit import no_litter

from cli.kit import ENVIRONMENT
from wheel_linker._cli import lines, main

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def install(tmp_path: Path) -> list[str]:
    """The arguments of a command that installs something."""
    path = write_wheel(tmp_path / "demo-1.0-py3-none-any.whl", {"demo.py": ""})
    return [
        *("install", str(path)),
        *("--target", str(tmp_path / "target"), "--store", str(tmp_path / "store")),
    ]


@pytest.mark.skipif(os.name != "posix", reason="closes descriptors by numbers")
@pytest.mark.parametrize("closed", [(1,), (2,), (0, 1, 2)], ids=str)
def test_closed_streams_are_no_failure(
    tmp_path: Path, install: list[str], closed: tuple[int, ...]
) -> None:
    def close() -> None:
        for descriptor in closed:
            os.close(descriptor)

    for command in (install, ["list", "--target", str(tmp_path / "target")]):
        done = subprocess.run(
            [sys.executable, "-m", "wheel_linker", *command],
            capture_output=True,
            check=False,
            env=ENVIRONMENT,
            preexec_fn=close,
        )
        assert (done.returncode, b"Traceback" in done.stderr) == (0, False)
    assert (tmp_path / "target" / "demo.py").exists()


@pytest.mark.parametrize("patience", [0.0, 3600.0])
def test_a_line_says_that_all_is_put_back(
    tmp_path: Path,
    install: list[str],
    patience: float,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("wheel_linker.install.installing._commit", interrupted)
    monkeypatch.setattr(lines, "_SECONDS_BETWEEN_LINES", patience)
    assert main.main(install) == 130
    *_, last = said = capsys.readouterr().err.splitlines()
    assert last == "wheel-linker: interrupted: everything is as it was before"
    assert ("putting everything back as it was" in said) == (not patience)
    assert not (tmp_path / "target").exists()


@pytest.mark.parametrize(
    "step",
    [
        "wheel_linker._link.transaction.refresh",
        "wheel_linker._cli.install.installed_line",
    ],
)
def test_an_interrupt_that_comes_too_late_does_not_say_that_all_is_put_back(
    tmp_path: Path,
    install: list[str],
    step: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """While what is left is cleared away, and while the command tells what it has done."""
    module, _, name = step.rpartition(".")
    real = getattr(import_module(module), name)
    interrupts = iter([KeyboardInterrupt])

    def interrupted(*arguments: object) -> object:
        for interrupt in interrupts:
            raise interrupt
        return real(*arguments)

    monkeypatch.setattr(step, interrupted)
    monkeypatch.setattr(lines, "_SECONDS_BETWEEN_LINES", 0.0)
    assert main.main(install) == 130
    *_, last = said = capsys.readouterr().err.splitlines()
    assert last == "wheel-linker: interrupted: what was asked for is done"
    assert "putting everything back as it was" not in said
    assert (tmp_path / "target" / "demo.py").exists()
    assert no_litter(tmp_path / "target")


def test_a_bar_says_that_all_is_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    console = pytest.importorskip("rich.console")
    # Whatever the tests run in: a terminal that cannot move its cursor gets no bar.
    monkeypatch.setenv("TERM", "xterm")
    from wheel_linker._cli.bar import bar

    shown = StringIO()
    with bar(console.Console(file=shown, force_terminal=True, width=100)) as told:
        told.total(10, 0)
        told(5)
        told.putting_back()
    assert "putting back" in shown.getvalue()
    assert "5/10" in shown.getvalue()
