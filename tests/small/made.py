"""Entries written by hand, as many of them as a test wants, and what a store is asked for, without a store object."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from store.archives import claim
from wheels import write_tree

from wheel_linker._archive.crew import Crew
from wheel_linker._archive.limits import Limits
from wheel_linker._archive.stored_file import StoredFile
from wheel_linker._fs.folder import Folder
from wheel_linker.store._entry import manifest
from wheel_linker.store._entry.manifest import Manifest
from wheel_linker.store._entry.options import UnpackOptions

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

DIGEST: Final = "5e" * 32
FILENAME: Final = "demo-1.0-py3-none-any.whl"
STAMP: Final = 1_000_000_000 * 10**9


def make_entry(
    root: Path,
    name: str,
    files: Mapping[str, bytes],
    *,
    digest: str = DIGEST,
    filename: str = FILENAME,
    executables: Collection[str] = (),
) -> Path:
    """Write an entry, or a set of bytecode, that keeps no rows; return its directory."""
    made = root / name
    write_tree(made / "w", files)
    (made / "w").mkdir(parents=True, exist_ok=True)
    stored = []
    for path, data in files.items():
        (made / "w" / path).chmod(0o755 if path in executables else 0o644)
        os.utime(made / "w" / path, ns=(STAMP, STAMP))
        stored.append(StoredFile(path, len(data), path in executables, claim(data)))
    size = sum(map(len, files.values()))
    facts = Manifest(digest, filename, 1, len(files), size, STAMP, -1)
    with Folder.open(os.fspath(made)) as folder:
        manifest.write(folder, "entry", facts, stored)
    return made


# One thread, and nothing is waited for until it is on the disk.
OPTIONS: Final = UnpackOptions(Limits(), False, 1, Crew(1), durable=False, check=None)
