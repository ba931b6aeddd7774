"""Which environment the command line takes, and which it leaves alone."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import venv
from typing import TYPE_CHECKING

import pytest
from examples.kit import write_wheel

from cli.kit import ENVIRONMENT
from wheel_linker import WheelLinkerError
from wheel_linker._cli import main
from wheel_linker._cli.environment import chosen_python, layout_to_change
from wheel_linker.install import Layout

if TYPE_CHECKING:
    from pathlib import Path

INTERPRETER = os.path.join("Scripts", "python.exe") if os.name == "nt" else "bin/python"


def environment(root: Path) -> Path:
    """Make what looks like a virtual environment."""
    (root / INTERPRETER).parent.mkdir(parents=True)
    (root / INTERPRETER).touch()
    (root / "pyvenv.cfg").touch()
    return root


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Be in a directory without an environment in or above it."""
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)
    (tmp_path / "project" / "below").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "project" / "below")
    return tmp_path


def test_an_environments_directory(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even if a program on PATH has its name."""
    made = environment(nowhere / "env")
    monkeypatch.chdir(nowhere)
    monkeypatch.setenv("PATH", str(nowhere))
    for given in ("env", "./env", str(made)):
        assert os.path.samefile(chosen_python(given), made / INTERPRETER)


@pytest.mark.skipif(os.name == "nt", reason="paths of Windows are Unicode")
def test_paths_in_another_encoding_than_that_of_the_interpreter_that_is_asked(
    nowhere: Path,
) -> None:
    made = nowhere / "\u00e9"
    venv.EnvBuilder(symlinks=True).create(made)
    for utf8 in ("0", "1"):
        done = subprocess.run(
            [sys.executable, "-m", "wheel_linker", "list", "--python", made],
            check=False,
            capture_output=True,
            env={**os.environ, "LC_ALL": "C", "PYTHONUTF8": utf8},
            timeout=60,
        )
        assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("version", ["3", "3.12", "3.13t"])
def test_a_version_is_looked_for_on_path(version: str) -> None:
    assert chosen_python(version) == f"python{version}"


@pytest.mark.parametrize("given", ["python3.12", "/usr/bin/python3", "pypy3"])
def test_anything_else_is_an_interpreter(given: str) -> None:
    assert chosen_python(given) == given


def test_by_default_the_active_one(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    environment(nowhere / "project" / ".venv")
    active = environment(nowhere / "active")
    monkeypatch.setenv("VIRTUAL_ENV", str(active))
    assert os.path.samefile(chosen_python(None), active / INTERPRETER)


def test_else_the_nearest_one_above(nowhere: Path) -> None:
    environment(nowhere / ".venv")
    nearest = environment(nowhere / "project" / ".venv")
    assert os.path.samefile(chosen_python(None), nearest / INTERPRETER)


def test_the_active_one_may_be_gone(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIRTUAL_ENV", str(nowhere / "gone"))
    with pytest.raises(WheelLinkerError, match="VIRTUAL_ENV names an environment, and there is no"):
        chosen_python(None)


def test_a_directory_without_an_interpreter(nowhere: Path) -> None:
    (nowhere / "env").mkdir()
    with pytest.raises(WheelLinkerError, match="there is no interpreter in") as caught:
        chosen_python(str(nowhere / "env"))
    assert str(nowhere / "env") in str(caught.value)


def test_none_at_all_says_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    if os.path.exists(os.path.join(os.sep, ".venv")):
        pytest.skip("the machine has an environment in its root directory")
    assert main.main(["uninstall", "x"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "give --python ENVIRONMENT, or make one" in line


def test_what_another_package_manager_looks_after(monkeypatch: pytest.MonkeyPatch) -> None:
    real = Layout.for_python(sys.executable)
    managed = real._replace(externally_managed="/usr/lib/python3/EXTERNALLY-MANAGED")
    monkeypatch.setattr(Layout, "for_python", lambda *_, **__: managed)
    arguments = argparse.Namespace(python="3", target=None, break_system_packages=False)
    with pytest.raises(WheelLinkerError, match=r"EXTERNALLY-MANAGED.*--break-system-packages"):
        layout_to_change(arguments)
    arguments.break_system_packages = True
    assert layout_to_change(arguments) is managed


def test_an_interpreter_says_who_manages_it(nowhere: Path) -> None:
    """A virtual environment is the user's own, whatever its base is."""
    import sysconfig

    note = os.path.join(sysconfig.get_path("stdlib"), "EXTERNALLY-MANAGED")
    expected = note if os.path.exists(note) and sys.prefix == sys.base_prefix else None
    assert Layout.for_python(sys.executable).externally_managed == expected


def test_a_missing_wheel_file_says_so(nowhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    missing = str(nowhere / "x-1.0-py3-none-any.whl")
    assert main.main(["install", missing, "--target", str(nowhere / "target")]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "no wheel at" in line
    assert "give a .whl file" in line
    assert not (nowhere / "target").exists()


@pytest.mark.parametrize("option", [["-q"], ["--quiet"], []])
def test_quiet(nowhere: Path, capsys: pytest.CaptureFixture[str], option: list[str]) -> None:
    path = write_wheel(nowhere / "q-1.0-py3-none-any.whl", {"q.py": ""})
    store = str(nowhere / "store")
    command = ["install", str(path), "--target", str(nowhere / "t"), "--store", store, *option]
    assert main.main(command) == 0
    out, err = capsys.readouterr()
    assert (out == "", err) == (bool(option), "")


def test_wrong_usage_names_the_commands_own_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["install", "--bogus", "x"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "--bogus" in line
    assert line.endswith("(see: wheel-linker install --help)")


@pytest.mark.skipif(os.name != "posix", reason="pipes as on POSIX")
def test_a_reader_that_has_gone_is_no_failure(nowhere: Path) -> None:
    import subprocess

    path = write_wheel(nowhere / "q-1.0-py3-none-any.whl", {"q.py": ""})
    reading, writing = os.pipe()
    os.close(reading)
    given = ["install", path, "--target", nowhere / "t", "--store", nowhere / "store"]
    command = [sys.executable, "-m", "wheel_linker", *map(str, given)]
    with open(writing, "w", encoding="utf-8") as closed:
        done = subprocess.run(command, stdout=closed, stderr=subprocess.PIPE, check=False)
    # On a machine that is busy, lines say how far it is.
    others = [one for one in done.stderr.splitlines() if not one.endswith((b"linked", b"unpacked"))]
    assert (done.returncode, others) == (0, [])
    assert (nowhere / "t" / "q.py").exists()


@pytest.mark.skipif(os.name != "posix", reason="pipes as on POSIX")
def test_a_reader_of_a_table_that_has_gone_is_no_failure(nowhere: Path) -> None:
    import subprocess

    pytest.importorskip("rich")
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "wheel_linker", "list", "--target", os.fspath(nowhere)]
    with open(writing, "w", encoding="utf-8") as closed:
        done = subprocess.run(command, stdout=closed, stderr=subprocess.PIPE, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a full device")
@pytest.mark.parametrize("color", ["auto", "always"])
def test_output_that_cannot_be_written_is_told_as_such(nowhere: Path, color: str) -> None:
    """Nobody may take it for the disk that something was to be installed on."""
    if color == "always":
        pytest.importorskip("rich")
    command = [sys.executable, "-m", "wheel_linker"]
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = subprocess.run(
            [*command, "probe", str(nowhere), str(nowhere), "--color", color],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            env=ENVIRONMENT,
        )
    line = "wheel-linker: error: cannot write to standard output: No space left on device\n"
    assert (done.returncode, done.stderr) == (1, line)


def test_what_is_wrong_is_said_after_what_was_found(nowhere: Path) -> None:
    wheel = write_wheel(nowhere / "one-1.0-py3-none-any.whl", {"one.py": "1"})
    target = nowhere / "target"
    words = ["--target", str(target), "--store", str(nowhere / "store")]
    assert main.main(["install", str(wheel), *words]) == 0
    (target / "one.py").unlink()
    done = subprocess.run(
        [sys.executable, "-m", "wheel_linker", "check", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        env={**ENVIRONMENT, "PYTHONUNBUFFERED": ""},
    )
    found, error = done.stdout.splitlines()
    assert found.endswith("one.py: missing")
    assert error.startswith("wheel-linker: error: ")


@pytest.mark.skipif(
    os.name != "posix", reason="a directory that is used cannot be removed elsewhere"
)
def test_the_directory_that_it_was_started_in_may_be_gone(
    nowhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (nowhere / "project" / "below").rmdir()
    assert main.main(["list"]) == 1
    assert "the directory that this was started in is not there any more" in capsys.readouterr().err


@pytest.mark.skipif(os.name != "posix", reason="runs a program of POSIX")
def test_what_is_no_python_is_not_quoted_at_length(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """``ls`` takes the question for the name of a file, and repeats it."""
    assert main.main(["list", "--python", "/bin/ls"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "give the path of a Python" in line
    assert len(line) < 300


def test_several_that_are_not_installed(nowhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["uninstall", "one", "two", "--target", str(nowhere)]) == 1
    assert "'one', 'two' are not installed in " in capsys.readouterr().err


@pytest.mark.parametrize("name", ["requirements.txt", "pylock.toml"])
def test_a_lock_that_is_missing(
    nowhere: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("packaging.pylock")
    words = ["--target", str(nowhere / "target"), "--store", str(nowhere / "store")]
    assert main.main(["sync", str(nowhere / name), *words]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith(": No such file or directory")
    assert "Errno" not in line


def test_what_the_library_notes_is_told_as_everything_is(
    nowhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who sets up no log gets bare lines from Python otherwise."""
    wheel = write_wheel(nowhere / "one-1.0-py3-none-any.whl", {"one.py": "1"})
    words = ["--target", str(nowhere / "target")]
    assert main.main(["install", str(wheel), *words, "--store", str(nowhere / "store")]) == 0
    (nowhere / "target" / "one-1.0.dist-info" / "RECORD").write_bytes(b"")
    capsys.readouterr()
    assert main.main(["uninstall", "one", *words]) == 0
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("wheel-linker: note: one 1.0 is an incomplete installation, ")


@pytest.mark.parametrize(
    ("words", "code", "has_table"),
    [
        (["-v", "list"], 0, True),
        (["-q", "list"], 0, False),
        (["--color", "never", "--quiet", "list"], 0, False),
        (["--color=always", "store", "list"], 0, True),
        (["-v", "-q", "list"], 2, False),
        (["--color", "list"], 2, False),
        (["-q", "lists"], 2, False),
        (["-q"], 2, False),
    ],
)
def test_what_every_command_takes_may_come_before_it(
    nowhere: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    code: int,
    has_table: bool,
) -> None:
    monkeypatch.setenv("VIRTUAL_ENV", sys.prefix)
    store = ["--store", str(nowhere / "store")] if "store" in words else []
    assert main.main([*words, *store]) == code
    printed = capsys.readouterr()
    assert bool(printed.out) == has_table
    assert bool(printed.err) == bool(code)
