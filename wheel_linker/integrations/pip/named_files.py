"""What the files say that pip's arguments name: requirements, constraints and dependency groups."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Final

from wheel_linker._log import log
from wheel_linker.errors import WheelLinkerError
from wheel_linker.integrations.pip.requirements_file import (
    HASH,
    NAMING,
    read_lines,
    readable_elsewhere,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_NAMING: Final = ("-r", "-c", "--requirement", "--constraint")
_GROUP: Final = "--group"
_REQUIRE_HASHES: Final = "--require-hashes"
_PYPROJECT: Final = "pyproject.toml"
_EDITABLE: Final = re.compile(r"(?:-e|--editable)[\s=]*")
# pip takes whatever follows such a word for options of the requirement before it.
_OPTIONS: Final = re.compile(r"\s+(?=-)")


def lines_of(given: Sequence[str], directory: str = os.curdir) -> list[str]:
    """Return the lines of all files that are named, also by one another.

    What cannot be read is left out: pip says so.

    :param given: arguments of pip.
    :param directory: what paths are relative to.
    """
    return [line for _, lines in _files_of(given, directory) for line in lines]


def options_of(given: Sequence[str], directory: str = os.curdir) -> list[str]:
    """Return the lines that are options for pip, such as ``--index-url``, as a file in any directory may have them.

    :param given: as for :func:`lines_of`.
    :param directory: as for :func:`lines_of`.
    """
    return [
        readable_elsewhere(line, path)
        for path, lines in _files_of(given, directory)
        if not _is_toml(path)
        for line in lines
        if line.startswith("-") and not line.startswith(NAMING)
    ]


def settings_in_lines(given: Sequence[str], directory: str = os.curdir) -> list[tuple[str, str]]:
    """Return what files say of single requirements, such as ``--config-settings``; hashes are left out.

    :param given: as for :func:`lines_of`.
    :param directory: as for :func:`lines_of`.
    :returns: pairs of a requirement, or what is editable, and its options.
    """
    found = []
    for line in lines_of(given, directory):
        text = _EDITABLE.sub("", line, count=1) if line.startswith("-") else line
        requirement, *following = _OPTIONS.split(text, maxsplit=1)
        settings = HASH.sub("", " " + "".join(following)).strip()
        if settings and not requirement.startswith("-"):
            found.append((requirement.strip(), settings))
    return found


def editable_beside_hashes(given: Sequence[str], directory: str = os.curdir) -> str | None:
    """Return a line that is editable in files that have hashes, for which pip refuses it; those of constraints count.

    :param given: as for :func:`lines_of`.
    :param directory: as for :func:`lines_of`.
    :returns: the line; None if there is none, or if a marker may leave it out.
    """
    lines = lines_of(given, directory)
    if not any(line == _REQUIRE_HASHES or HASH.search(line) for line in lines):
        return None
    return next((line for line in lines if _EDITABLE.match(line) and ";" not in line), None)


def _files_of(given: Sequence[str], directory: str) -> Iterator[tuple[str, list[str]]]:
    waiting = [os.path.join(directory, path) for path in _named(given)]
    seen = set()
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        lines = _read(path)
        yield path, lines
        if not _is_toml(path):
            words = [word for line in lines for word in line.split()]
            waiting += [os.path.join(os.path.dirname(path), one) for one in _named(words)]


def _is_toml(path: str) -> bool:
    return path.endswith(".toml")


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
        return list(read_lines(path))
    except WheelLinkerError as error:
        log("cannot read what pip is given: %s", error)
        return []
