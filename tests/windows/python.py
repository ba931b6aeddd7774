"""A CPython for Windows, put together from public packages: there is no installer that runs without a desktop.

The wheel of panda3d for Windows carries what python.org ships: ``python313.dll``, the extension modules and their
libraries. The standard library, pure Python, is that of Debian's source package of the same minor version.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from windows.machine import HERE

if TYPE_CHECKING:
    from windows.machine import Machine

WINE: Final = ("wine", "wine64")
PYTHON: Final = "/opt/prefix/drive_c/Python313"
EXECUTABLE: Final = f"{PYTHON}/python.exe"
# What of Debian's is needed to build it, and no longer.
_COMPILER: Final = "gcc-mingw-w64-x86-64-win32"
_SOURCES: Final = "/var/tmp/build"
_WINE_LIBRARIES: Final = "/usr/lib/x86_64-linux-gnu/wine/x86_64-windows"
_TARGET: Final = "x86_64-w64-mingw32"
_LIBRARIES: Final = "panda3d==1.10.16"
_PACKAGES: Final = (
    "build",
    "colorama",
    "hatchling",
    "hypothesis",
    "installer",
    "packaging",
    "pip",
    "platformdirs",
    "pytest",
    "pytest-timeout",
    "reflink-copy",
    "rich",
)
_FOR_WINDOWS: Final = (
    *("--no-deps", "--only-binary", ":all:"),
    *("--platform", "win_amd64", "--python-version", "313", "--implementation", "cp"),
)
_WITH_DEPENDENCIES: Final = tuple(word for word in _FOR_WINDOWS if word != "--no-deps")
_EXTENSIONS: Final = re.compile(
    r"[a-z_]+\.pyd|lib(crypto|ssl|ffi)-\d+\.dll|sqlite3\.dll|zlib1\.dll"
)
_RUNTIME: Final = re.compile(r"python\d+\.dll|vcruntime\w+\.dll", re.IGNORECASE)
_LEFT_OUT: Final = frozenset({"idlelib", "test", "tkinter", "turtledemo"})
_EXPORT: Final = re.compile(r"^\t\[ *\d+\] \+base\[ *\d+\] +[0-9a-f]+ (\w+)$", re.MULTILINE)
_FORWARDER: Final = "int DllMainCRTStartup(void *a, unsigned b, void *c) { return 1; }\n"


def make(machine: Machine) -> None:
    """Put wine and Python into a machine."""
    machine.run(["apt-get", "update", "-qq"])
    machine.install(*WINE, _COMPILER)
    machine.run(["sh", "-euc", _without_debug_symbols()])
    # wineserver writes the registry down when it ends, and only then.
    machine.run(
        ["sh", "-euc", "wineboot --init; wineserver --kill --wait; wineserver --wait"], capture=True
    )
    python = machine.inside(PYTHON)
    with tempfile.TemporaryDirectory() as scratch:
        _add_libraries(python, Path(scratch))
    _add_standard_library(machine, python)
    _compile(machine, python)
    _add_packages(python)
    machine.run(["apt-get", "purge", "-qq", "--yes", "--autoremove", _COMPILER], capture=True)


def _without_debug_symbols() -> str:
    return (
        f"cd {_WINE_LIBRARIES}; for file in *; do "
        f'if [ -f "$file" ]; then {_TARGET}-strip --strip-debug "$file" 2>/dev/null || :; fi; done'
    )


def _pip(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "pip", "--quiet", "--quiet", *arguments], check=True)


def _add_libraries(python: Path, scratch: Path) -> None:
    _pip("download", *_FOR_WINDOWS, "--dest", str(scratch), _LIBRARIES)
    (python / "DLLs").mkdir(parents=True)
    with zipfile.ZipFile(next(scratch.glob("*.whl"))) as wheel:
        for member in wheel.namelist():
            directory, _, name = member.partition("/")
            if directory != "deploy_libs":
                continue
            if _RUNTIME.fullmatch(name):
                (python / name.lower()).write_bytes(wheel.read(member))
            elif _EXTENSIONS.fullmatch(name):
                (python / "DLLs" / name).write_bytes(wheel.read(member))


def _add_standard_library(machine: Machine, python: Path) -> None:
    fetch = f"mkdir {_SOURCES}; cd {_SOURCES}; apt-get source -qq --tar-only python3.13"
    machine.run(["sh", "-euc", fetch], capture=True)
    (archive,) = machine.inside(_SOURCES).glob("python3.13_*.orig.tar.xz")
    with tarfile.open(archive) as tar:
        for member in tar:
            _, *parts = Path(member.name).parts
            if member.isfile() and parts[:1] == ["Lib"] and not _LEFT_OUT & set(parts[1:2]):
                file = tar.extractfile(member)
                assert file is not None
                target = python.joinpath(*parts)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(file.read())
    archive.unlink()


def _compile(machine: Machine, python: Path) -> None:
    """Make ``python.exe``, venv's launchers, and ``python3.dll``, by which extensions for any Python 3 are bound."""
    sources = machine.inside(_SOURCES)
    for name in ("python.c", "venvlauncher.c"):
        (sources / name).write_bytes((HERE / name).read_bytes())
    exports = machine.run(
        [f"{_TARGET}-objdump", "--private-headers", f"{PYTHON}/python313.dll"], capture=True
    )
    names = "".join(f"  {name} = python313.{name}\n" for name in _EXPORT.findall(exports))
    (sources / "python3.def").write_text(f"LIBRARY python3.dll\nEXPORTS\n{names}")
    (sources / "python3.c").write_text(_FORWARDER)
    nt = f"{PYTHON}/Lib/venv/scripts/nt"
    for arguments in (
        ["-municode", "-o", EXECUTABLE, "python.c", f"{PYTHON}/python313.dll"],
        ["-municode", "-o", f"{nt}/venvlauncher.exe", "venvlauncher.c"],
        ["-municode", "-o", f"{nt}/venvwlauncher.exe", "venvlauncher.c"],
        ["-shared", "-nostdlib", "-o", f"{PYTHON}/python3.dll", "python3.c", "python3.def"],
    ):
        machine.run([f"{_TARGET}-gcc", "-O1", "-s", *arguments], directory=_SOURCES)


def _add_packages(python: Path) -> None:
    target = str(python / "Lib/site-packages")
    _pip("install", *_WITH_DEPENDENCIES, "--target", target, *_PACKAGES)
