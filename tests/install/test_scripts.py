"""Scripts and launchers, really run."""

from __future__ import annotations

import io
import os
import subprocess
import time
import venv
import zipfile
from pathlib import Path

import pytest

from install.kit import EXE, FILES, check_record, files_in, make, pure, root_of
from wheel_linker import InvalidWheelError, LinkMode
from wheel_linker.install import Layout, install_wheel

posix_only = pytest.mark.skipif(os.name != "posix", reason="runs POSIX scripts")
PLACES = ("env", "an  env with spaces, 'quotes' & $HOME", "n" * 100 + "/" + "m" * 100)
SCRIPTS = ("demo", "demo-extra", "demo-gui", "python.py")
ENTRY_POINTS = "demo-1.0.dist-info/entry_points.txt"


@pytest.fixture(scope="module", params=PLACES, ids=["plain", "spaces", "200 characters"])
def real(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Layout:
    """A virtual environment at a place that is easy, or not, to name in a first line."""
    where = tmp_path_factory.mktemp("real") / request.param
    venv.create(where, symlinks=True, with_pip=False)
    return Layout.for_python(where / "bin" / "python")


@posix_only
def test_they_run(real: Layout, older: Path, mode: LinkMode) -> None:
    install_wheel(older, real, mode=mode)
    for name in SCRIPTS:
        path = os.path.join(real.schemes["scripts"], name)
        done = subprocess.run([path, "a b", "$c"], check=False, capture_output=True, text=True)
        assert (done.returncode, done.stdout, done.stderr) == (7, "demo a b $c\n", "")
    plain = os.path.join(real.schemes["scripts"], "plain.sh")
    assert subprocess.check_output([plain]) == b"plain\n"
    check_record(real)


@pytest.mark.parametrize("launcher", ["win-amd64", "win-ia32", "win-arm64"])
def test_windows_launchers(layout: Layout, older: Path, launcher: str) -> None:
    """A program that has the interpreter's path and a zip file at its end; GUI scripts start pythonw."""
    python = r"C:\with spaces\python.exe" if os.name == "nt" else "/with spaces/python.exe"
    windows = layout._replace(os_name="nt", launcher=launcher, python=python)
    install_wheel(older, windows)
    scripts = Path(layout.schemes["scripts"])
    console, gui = ((scripts / f"{name}.exe").read_bytes() for name in ("demo", "demo-gui"))
    for data in (console, gui):
        assert data.startswith(b"MZ")
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            assert b"from demo.main import run" in archive.read("__main__.py")
    assert b"#!" + python.encode() + b"\n" in console
    assert b"#!" + python.replace("python.exe", "pythonw.exe").encode() + b"\n" in gui
    assert (scripts / "python.py").read_bytes().startswith(b"#!" + python.encode() + b"\n")
    check_record(layout)


@pytest.mark.parametrize(
    ("first", "rest"),
    [
        (b"#!python", b"\nx = 1\n"),
        (b"#!python3 -sE", b"\r\nx = 1\r\n"),
        (b"#!python", b""),
        (b"#!pythonw", b"\nx = 1\n"),
    ],
)
def test_first_lines(layout: Layout, tmp_path: Path, first: bytes, rest: bytes) -> None:
    wheel = make(tmp_path / "w", {"demo-1.0.data/scripts/s": first + rest})
    install_wheel(wheel, layout._replace(python="/python"), mode=LinkMode.SYMLINK)
    made = Path(layout.schemes["scripts"]) / "s"
    assert made.read_bytes() == b"#!/python" + rest.replace(b"\r\n", b"\n", 1).replace(
        b"\nx = 1\n", b"\nx = 1" + rest[-2:] if rest.endswith(b"\r\n") else b"\nx = 1\n"
    )
    assert (wheel / "demo-1.0.data/scripts/s").read_bytes() == first + rest
    check_record(layout)


@pytest.mark.parametrize("first", [b"#!/usr/bin/env python\n", b"#! python\n", b"", b"\x7fELF"])
def test_other_scripts_stay_as_they_are(layout: Layout, tmp_path: Path, first: bytes) -> None:
    wheel = make(tmp_path / "w", {"demo-1.0.data/scripts/s": first})
    install_wheel(wheel, layout, mode=LinkMode.HARDLINK)
    assert (Path(layout.schemes["scripts"]) / "s").read_bytes() == first
    check_record(layout)


def test_windows_launchers_are_always_the_same(
    layout: Layout, older: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their archive bears no date of its own, so that installs are reproducible."""
    windows = layout._replace(os_name="nt", launcher="win-amd64")
    launcher = Path(layout.schemes["scripts"]) / "demo.exe"
    seen = set()
    for seconds in (1_000_000_000, 1_700_000_000):
        monkeypatch.setattr(time, "time", lambda seconds=seconds: float(seconds))
        install_wheel(older, windows)
        seen.add(launcher.read_bytes())
    assert len(seen) == 1
    with zipfile.ZipFile(launcher) as archive:
        assert archive.infolist()[0].date_time == (1980, 1, 1, 0, 0, 0)


@pytest.mark.parametrize("system", ["posix", "nt"])
def test_launcher_takes_the_place_of_a_script_of_its_name(
    layout: Layout, tmp_path: Path, system: str
) -> None:
    layout = layout._replace(os_name=system, launcher="win-amd64" if system == "nt" else "posix")
    files = {
        **FILES,
        "demo-1.0.data/scripts/demo": b"#!python\n",
        "demo-1.0.data/scripts/demo-gui": b"",
    }
    install_wheel(make(tmp_path / "w", files), layout)
    scripts = Path(layout.schemes["scripts"])
    if system == "nt":
        assert {path.name for path in scripts.iterdir()} >= {"demo.exe", "demo-gui.exe"}
        with zipfile.ZipFile(scripts / "demo.exe") as archive:
            launcher = archive.read("__main__.py")
        # Windows would take it for a file that it knows no program for.
        assert not (scripts / "demo").exists()
    else:
        launcher = (scripts / "demo").read_bytes()
    assert b"from demo.main import run" in launcher
    check_record(layout)


def test_launcher_takes_the_place_of_a_script_that_could_not_be_run(
    layout: Layout, tmp_path: Path
) -> None:
    """It is neither executable nor rewritten, so that it would have been made executable."""
    files = {
        **FILES,
        "demo-1.0.data/scripts/demo": b"#!/usr/bin/env python\n",
        "demo-1.0.data/scripts/demo-script.py": b"1\n",
        "demo-1.0.data/scripts/other": b"#!/bin/sh\n",
    }
    install_wheel(make(tmp_path / "w", files), layout)
    scripts = Path(layout.schemes["scripts"])
    if os.name == "nt":
        with zipfile.ZipFile(scripts / "demo.exe") as archive:
            launcher = archive.read("__main__.py")
    else:
        launcher = (scripts / "demo").read_bytes()
    assert b"from demo.main import run" in launcher
    assert not (scripts / "demo-script.py").exists()
    assert os.access(scripts / "other", os.X_OK)
    check_record(layout)


HOSTILE = (
    *("../evil", "/evil", "a/b", "..", ".", "sub/../../evil", "C:evil"),
    *(("a\\b",) if os.name == "nt" else ("..\\evil",)),
    *("a\x1b[2Jb", "\u202egnp.evil", "a\u200fb", "a\u2066b"),
)


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("section", ["console_scripts", "gui_scripts"])
def test_hostile_names(layout: Layout, tmp_path: Path, name: str, section: str) -> None:
    text = f"[{section}]\n{name} = demo.main:run\n".encode()
    wheel = make(tmp_path / "w", {ENTRY_POINTS: text})
    with pytest.raises(InvalidWheelError, match="which is no file name"):
        install_wheel(wheel, layout)
    assert not root_of(layout).exists()
    assert files_in(tmp_path) == {f"w/{path}" for path in files_in(tmp_path / "w")}


BAD = (
    *(
        b"[console_scripts]\nx\n",
        b"[console_scripts]\nx = y\n",
        b"\xff",
        b"[console_scripts]\nx =\n",
    ),
    *(b"[other]\nx\n", b"[console_scripts]\nx = y:a b;import os\n"),
    b"[console_scripts]\nx = os;evil:z\n",
)


@pytest.mark.parametrize("text", BAD)
def test_bad_entry_points(layout: Layout, tmp_path: Path, text: bytes) -> None:
    with pytest.raises(InvalidWheelError, match=r"entry_points\.txt"):
        install_wheel(make(tmp_path / "w", {ENTRY_POINTS: text}), layout)
    assert not root_of(layout).exists()


@pytest.mark.parametrize(
    "text",
    [
        b"[console_scripts]\nx = " + b"m" * 1_000_000,
        b"[console_scripts]\n" + b"x" * 1_000_000,
        b"[console_scripts]\nx = m:f" + b"\n m" * 1_300_000,
        b"[console_scripts]\n" + b"\n" * 50_000_000,
    ],
    ids=["long value", "long name", "many lines", "large"],
)
def test_entry_points_without_end(layout: Layout, tmp_path: Path, text: bytes) -> None:
    """As few bytes of an archive unpack to. The time for a value that goes on must not grow with its square."""
    wheel = make(tmp_path / "wheel", {"demo-1.0.dist-info/entry_points.txt": text})
    with pytest.raises(InvalidWheelError, match=r"entry_points\.txt") as raised:
        install_wheel(wheel, layout)
    assert len(str(raised.value)) < 1000
    assert files_in(root_of(layout)) == set()


def test_metadata_without_end(layout: Layout, tmp_path: Path) -> None:
    said = b"Name: " + b"x" * 1_000_000 + b"\nVersion: 1.0\n"
    wheel = make(tmp_path / "wheel", {"demo-1.0.dist-info/METADATA": said})
    with pytest.raises(InvalidWheelError, match="METADATA says") as raised:
        install_wheel(wheel, layout)
    assert len(str(raised.value)) < 1000


def test_entry_points_without_scripts(layout: Layout, tmp_path: Path) -> None:
    report = install_wheel(make(tmp_path / "w", {ENTRY_POINTS: b"[x]\na = b\n"}), layout)
    assert report.scripts == ()
    assert not Path(layout.schemes["scripts"]).exists()


def test_interpreter_is_the_layouts(tmp_path: Path, older: Path) -> None:
    layout = Layout.for_target(tmp_path / "env")
    install_wheel(older, layout)
    done = subprocess.run(
        [os.fspath(tmp_path / f"env/bin/demo{EXE}")],
        check=False,
        env={**os.environ, "PYTHONPATH": os.fspath(pure(layout))},
    )
    assert done.returncode == 7
