"""A wheel file with everything in it that the format knows."""

from __future__ import annotations

import stat
import zipfile
from typing import TYPE_CHECKING, Final

from store.archives import claim, info

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

NAME: Final = "every_thing-1.0-py3-none-any.whl"
_INFO: Final = "every_thing-1.0.dist-info"
_DATA: Final = "every_thing-1.0.data"
_MAIN: Final = b"import every_single\nprint('main')\n"
_ENTRY_POINTS: Final = b"""\
[console_scripts]
every-main = every:main
every-extra = every.sub.deep:Holder.main [fancy]

[gui_scripts]
every-window = every:main

[every.plugins]
one = every.sub.deep
"""
_PACKAGE: Final = b"""\
import sys

def main():
    print("every", *sys.argv[1:])
    return 3
"""
_DEEP: Final = b"""\
class Holder:
    @staticmethod
    def main():
        print("deep")
"""
FILES: Final[Mapping[str, bytes]] = {
    "every/__init__.py": _PACKAGE,
    "every/sub/__init__.py": b"",
    "every/sub/deep.py": _DEEP,
    "every/empty": b"",
    "every/data/large.bin": bytes(range(256)) * 4000,
    "every/data/comma, space.txt": b"a comma\n",
    "every/data/caf\u00e9.txt": "caf\u00e9\n".encode(),
    "every/tool.sh": b"#!/bin/sh\necho tool\n",
    "every/template.py": b"this is {{ no }} Python\n",
    "every.libs/libevery.so.1": b"\x7fELF\x02",
    "every_namespace/part/one.py": b"ONE = 1\n",
    "every_single.py": b"SINGLE = 1\n",
    "every.pth": b"import every_single\n",
    f"{_DATA}/purelib/every_pure/__init__.py": b"PURE = True\n",
    f"{_DATA}/platlib/every_plat.py": b"PLAT = True\n",
    f"{_DATA}/headers/every.h": b"#define EVERY 1\n",
    f"{_DATA}/headers/sub/deep.h": b"#define DEEP 1\n",
    f"{_DATA}/data/share/every/data.txt": b"data\n",
    f"{_DATA}/data/share/man/man1/every.1": b".TH every\n",
    f"{_DATA}/data/etc/every.conf": b"[every]\n",
    f"{_DATA}/scripts/every-python": b"#!python\n" + _MAIN,
    f"{_DATA}/scripts/every-flags": b"#!python -E\n" + _MAIN,
    f"{_DATA}/scripts/every-shell": b"#!/bin/sh\necho shell\n",
    f"{_DATA}/scripts/every-binary": b"\x7fELF\x00\xff\xfe" * 1000,
    f"{_INFO}/METADATA": b"Metadata-Version: 2.1\nName: Every.Thing\nVersion: 1.0\nRequires-Dist: nowhere\n",
    f"{_INFO}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    f"{_INFO}/entry_points.txt": _ENTRY_POINTS,
    f"{_INFO}/licenses/LICENSE": b"As you like.\n",
    f"{_INFO}/licenses/vendored/other/LICENSE": b"As they like.\n",
    f"{_INFO}/sboms/every.cdx.json": b"{}\n",
}
EXECUTABLES: Final = frozenset({"every/tool.sh", f"{_DATA}/scripts/every-shell"})


def write_everything(directory: Path) -> Path:
    """Write that wheel file."""
    path = directory / NAME
    rows = [f'"{name}",{claim(data)},{len(data)}\n' for name, data in FILES.items()]
    record = "".join([*rows, f"{_INFO}/RECORD,,\n"]).encode()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in {**FILES, f"{_INFO}/RECORD": record}.items():
            entry = info(name, stat.S_IFREG | (0o755 if name in EXECUTABLES else 0o644))
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, data)
    return path
