"""What the examples need: wheel files as reproducible builds make them, and the real tools."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING, Final

from store.archives import record_of, write_archive
from wheels import REPRODUCIBLE

import wheel_linker

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

EXAMPLES: Final = Path(__file__).resolve().parents[2] / "docs" / "examples"


def write_wheel(
    path: Path,
    files: Mapping[str, str],
    *,
    scripts: Mapping[str, str] | None = None,
    requires: Iterable[str] = (),
    requires_python: str | None = None,
) -> Path:
    """Write a wheel file, or replace it by another one, with 1980 on it as well as in it."""
    name, version, *_ = path.name.split("-")
    info = f"{name}-{version}.dist-info"
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    lines += [f"Requires-Dist: {one}" for one in requires]
    lines += [] if requires_python is None else [f"Requires-Python: {requires_python}"]
    entry_points = "".join(f"{key} = {value}\n" for key, value in (scripts or {}).items())
    texts = {
        **files,
        f"{info}/METADATA": "\n".join([*lines, ""]),
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": f"[console_scripts]\n{entry_points}",
    }
    data = {key: text.encode() for key, text in texts.items()}
    record = f"{info}/RECORD"
    new = path.with_name(path.name + ".new")
    # Not compressed: as long as the texts are as long as before, so is the wheel.
    write_archive(new, {**data, record: record_of(data, record)}, compression=0)
    os.utime(new, (REPRODUCIBLE, REPRODUCIBLE))
    return new.replace(path)


def write_hello(path: Path, greeting: str) -> Path:
    """Write a wheel with a module and a command that says something; greetings of one length make one size."""
    module = f"GREETING = {greeting!r}\ndef main(): print(GREETING)\n"
    return write_wheel(path, {"hello/__init__.py": module}, scripts={"hello": "hello:main"})


def example(name: str, directory: Path) -> Path:
    """Put an example where it can be run."""
    return Path(shutil.copytree(EXAMPLES / name, directory / name))


def entry_points(directory: Path) -> Path:
    """Return a directory that, on the path, makes this library's plugins known, installed or not."""
    text = (EXAMPLES.parents[1] / "pyproject.toml").read_text(encoding="utf-8")
    found = re.findall(r"^\[project\.entry-points\.(.+)\]\n((?:.+ = .+\n)+)", text, re.MULTILINE)
    info = directory / "wheel_linker-0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Name: wheel-linker\nVersion: 0\n", encoding="utf-8")
    groups = [f"[{name.strip(chr(34))}]\n{lines.replace(chr(34), '')}" for name, lines in found]
    (info / "entry_points.txt").write_text("\n".join(groups), encoding="utf-8")
    return directory


def not_installed() -> Path | None:
    """Return where this library is found, if it is not installed.

    What else lies beside an installed one would be taken for a part of each environment.
    """
    found = Path(wheel_linker.__file__).parents[1]
    installed = {Path(sysconfig.get_path(scheme)).resolve() for scheme in ("purelib", "platlib")}
    return None if found.resolve() in installed else found


def run(
    command: Iterable[str],
    directory: Path,
    *,
    fails: bool = False,
    path: Path | None = None,
    variables: Mapping[str, str] | None = None,
) -> str:
    """Run one of the real tools, by the name of its module, and return what it says.

    :param path: what is put on the path besides this library.
    """
    hidden = (
        "COVERAGE",
        "FORCE_COLOR",
        "NOX",
        "PIP_",
        "PYTEST",
        "PYTHON",
        "TOX",
        "VIRTUAL_ENV",
        "_TOX",
    )
    environment = {key: os.environ[key] for key in os.environ if not key.startswith(hidden)}
    done = subprocess.run(
        [sys.executable, *command],
        cwd=directory,
        env={
            **environment,
            "NO_COLOR": "1",
            "PYTHONPATH": os.pathsep.join(str(one) for one in (not_installed(), path) if one),
            # No network: whatever tries it anyway fails at once.
            "PIP_NO_INDEX": "1",
            "VIRTUALENV_OVERRIDE_APP_DATA": str(directory / "app-data"),
            **(variables or {}),
        },
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        encoding="utf-8",
        timeout=120,
    )
    assert (done.returncode != 0) == fails, done.stdout
    return done.stdout


def written(root: Path) -> dict[str, tuple[int, int]]:
    """Return which file is at which path below a directory, and since when; bytecode is left out."""
    found = {}
    for path in root.rglob("*"):
        if path.is_file() and path.suffix != ".pyc":
            status = path.stat()
            found[path.relative_to(root).as_posix()] = (status.st_ino, status.st_mtime_ns)
    return found
