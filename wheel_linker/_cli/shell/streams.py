"""Files that are read only once, such as a pipe that a shell names for ``<(...)``: pip has to read them as well."""

from __future__ import annotations

import os
import stat
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from wheel_linker.errors import refused

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# What these name is another file in each process.
_OF_THIS_PROCESS: Final = ("/dev/fd/", "/dev/stdin", "/proc/self/fd/")


@contextmanager
def readable_again(paths: Iterable[str]) -> Iterator[dict[str, str]]:
    """Copy what can be read only once, or by this process only.

    :returns: for each of these paths that of its copy, which is removed in the end.
    :raises LinkError: if one cannot be read.
    """
    passing = [path for path in dict.fromkeys(paths) if _passes(path)]
    if not passing:
        yield {}
        return
    from tempfile import TemporaryDirectory

    with TemporaryDirectory(prefix="wheel_linker-pip-") as directory:
        yield {path: _copied(path, directory, number) for number, path in enumerate(passing)}


def _passes(path: str) -> bool:
    if path.startswith(_OF_THIS_PROCESS):
        return True
    try:
        return stat.S_ISFIFO(os.stat(path).st_mode)
    except (OSError, ValueError):  # whoever reads it says so
        return False


def _copied(path: str, directory: str, number: int) -> str:
    copy = os.path.join(directory, f"{number}.txt")
    with refused(f"read {path!r}", source=path), open(path, "rb") as file:
        data = file.read()
    with open(copy, "wb") as file:
        file.write(data)
    return copy
