"""What the files say that pip's arguments name: requirements, constraints and dependency groups."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from wheel_linker._log import log

if TYPE_CHECKING:
    from collections.abc import Sequence

_NAMING: Final = ("-r", "-c", "--requirement", "--constraint")
_GROUP: Final = "--group"
_PYPROJECT: Final = "pyproject.toml"


def lines_of(given: Sequence[str], directory: str = os.curdir) -> list[str]:
    """Return the lines of all files that are named, also by one another.

    What cannot be read is left out: pip says so.

    :param given: arguments of pip.
    :param directory: what paths are relative to.
    """
    found: list[str] = []
    waiting = [os.path.join(directory, path) for path in _named(given)]
    seen = set()
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        lines = _read(path)
        found += lines
        if not path.endswith(".toml"):
            words = [word for line in lines for word in line.split(" #")[0].split()]
            waiting += [os.path.join(os.path.dirname(path), one) for one in _named(words)]
    return found


def _named(words: Sequence[str]) -> list[str]:
    found = []
    for position, word in enumerate(words):
        following = words[position + 1] if position + 1 < len(words) else ""
        if word in _NAMING:
            found.append(following)
        elif word == _GROUP:
            found.append(following.rpartition(":")[0] or _PYPROJECT)
        elif word.startswith(_GROUP + "="):
            found.append(word.partition("=")[2].rpartition(":")[0] or _PYPROJECT)
        elif word.startswith(("--requirement=", "--constraint=")):
            found.append(word.partition("=")[2])
        elif word[:2] in _NAMING and not word.startswith("--"):
            found.append(word[2:])
    return found


def _read(path: str) -> list[str]:
    try:
        with open(path, encoding="utf-8-sig") as file:
            return file.read().replace("\\\n", " ").splitlines()
    except (OSError, ValueError) as error:
        log("cannot read what pip is given: %s", error)
        return []
