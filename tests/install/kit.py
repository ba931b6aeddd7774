"""Wheels to install, environments to install them into, and what must be true of these."""

from __future__ import annotations

import csv
import hashlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from wheels import make_wheel, row_of, snapshot

from wheel_linker import LinkMode
from wheel_linker.install import Layout

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from wheels import Entry

MODES: Final = tuple(LinkMode)

make = make_wheel

EXE: Final = ".exe" if os.name == "nt" else ""
"""The end of the name of a script that was made for an entry point."""

FILES: Final[Mapping[str, bytes]] = {
    "demo/__init__.py": b"VERSION = 1\n",
    "demo/main.py": b"import sys\n\ndef run():\n    print('demo', *sys.argv[1:])\n    return 7\n",
    "demo/old/only.py": b"ONLY = 1\n",
    "demo/data.bin": bytes(range(256)) * 20,
    "single.py": b"SINGLE = 1\n",
    "demo.pth": b"# nothing\n",
    "demo-1.0.data/scripts/plain.sh": b"#!/bin/sh\necho plain\n",
    "demo-1.0.data/scripts/python.py": b"#!python\nimport demo.main, sys\nsys.exit(demo.main.run())\n",
    "demo-1.0.data/headers/demo.h": b"int demo;\n",
    "demo-1.0.data/data/share/demo/page.txt": b"page\n",
    "demo-1.0.data/purelib/demo_pure.py": b"PURE = 1\n",
    "demo-1.0.data/platlib/demo_plat.py": b"PLAT = 1\n",
    "demo-1.0.dist-info/entry_points.txt": (
        b"[console_scripts]\ndemo = demo.main:run\ndemo-extra = demo.main:run [fast]\n"
        b"[gui_scripts]\ndemo-gui = demo.main:run\n[other]\nx = y\n"
    ),
}
"""A wheel with something for every scheme."""

NEWER: Final[Mapping[str, bytes]] = {
    "demo/__init__.py": b"VERSION = 2\n",
    "demo/main.py": b"import sys\n\ndef run():\n    print('DEMO', *sys.argv[1:])\n    return 8\n",
    "demo/new/only.py": b"ONLY = 2\n",
    "demo/data.bin": bytes(range(256)) * 20,
    "demo.pth": b"# nothing new\n",
    "demo-2.0.data/headers/demo2.h": b"int demo2;\n",
    "demo-2.0.dist-info/entry_points.txt": b"[console_scripts]\ndemo = demo.main:run\n",
}
"""Its successor, which lacks some of that."""


def older_wheel(cache: Path) -> Path:
    """Write the wheel with something for every scheme."""
    return make(cache / "demo-1.0", FILES)


def newer_wheel(cache: Path) -> Path:
    """Write its successor."""
    return make(cache / "demo-2.0", NEWER, version="2.0")


def layout_in(root: Path) -> Layout:
    """Return an environment as a virtual one is laid out, with two libraries; nothing of it is made."""
    version = sys.version_info[:2]
    lib = f"python{version[0]}.{version[1]}/site-packages"
    root = root.resolve()
    schemes = {
        "purelib": root / "lib" / lib,
        "platlib": root / "lib64" / lib,
        "headers": root / "include" / "site",
        "scripts": root / "bin",
        "data": root,
    }
    return Layout(
        sys.executable,
        version,
        os.name,
        "posix" if os.name == "posix" else "win-amd64",
        {name: os.fspath(path) for name, path in schemes.items()},
    )


def pure(layout: Layout) -> Path:
    """Return an environment's ``site-packages``."""
    return Path(layout.schemes["purelib"])


def root_of(layout: Layout) -> Path:
    """Return the directory that all of an environment is in."""
    return Path(layout.schemes["data"])


def rows(layout: Layout, info: str = "demo-1.0.dist-info") -> dict[str, tuple[str, str]]:
    """Return an installed ``RECORD``: path to hash and size. It must not name anything twice."""
    text = (pure(layout) / info / "RECORD").read_text(encoding="utf-8")
    found = {path: (claim, size) for path, claim, size in csv.reader(text.splitlines())}
    assert len(found) == len(text.splitlines())
    return found


def check_record(layout: Layout, info: str = "demo-1.0.dist-info") -> set[str]:
    """Each row must be right; return the paths of the files, relative to the environment."""
    paths = set()
    for path, (claim, size) in rows(layout, info).items():
        file = Path(os.path.normpath(pure(layout) / path))
        data = file.read_bytes()
        own = path == f"{info}/RECORD"
        expected = "" if own else row_of("", data).split(",")[1]
        assert claim == expected, path
        assert size == ("" if own else str(len(data))), path
        paths.add(file.relative_to(root_of(layout)).as_posix())
    return paths


def files_in(root: Path) -> set[str]:
    """Return the paths of all files below a directory, bytecode included."""
    return {
        path.relative_to(root).as_posix()
        for path in root.rglob("*")
        if path.is_symlink() or not path.is_dir()
    }


def relative(paths: Iterable[str], root: Path) -> set[str]:
    """Return paths below a directory as :func:`files_in` gives them."""
    return {Path(path).relative_to(root).as_posix() for path in paths}


def check_recorded(layout: Layout, *infos: str) -> None:
    """All files of an environment must be in one of the ``RECORD`` files, and the reverse."""
    recorded = set[str]().union(*(check_record(layout, info) for info in infos))
    assert files_in(root_of(layout)) == recorded


def contents_of(layout: Layout) -> dict[str, tuple[str, str]]:
    """Return what an environment has, so that two can be compared: kinds and contents, links followed."""
    root = root_of(layout)
    found = {}
    for path, entry in snapshot(root).items():
        file = root / path
        if file.is_file():
            data = file.read_bytes().replace(os.fsencode(root), b"ROOT")
            found[path] = "file", hashlib.sha256(data).hexdigest()
        else:
            found[path] = entry.kind, ""
    return found


def picture(*trees: Path) -> list[dict[str, Entry]]:
    """Return exact pictures of trees, so that two moments can be compared."""
    return [snapshot(tree) for tree in trees]


def no_litter(root: Path) -> bool:
    """Tell whether the library has left nothing of its own anywhere below a directory."""
    return not [path for path in root.rglob("*") if "wheel_linker" in path.name]
