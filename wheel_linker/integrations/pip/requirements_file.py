"""Reading requirements files in which everything is pinned and has hashes."""

from __future__ import annotations

import codecs
import locale
import os
import re
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from wheel_linker._wheel.filename import normalised
from wheel_linker.errors import WheelLinkerError
from wheel_linker.integrations.pip.wanted import SHA256, Lock, NotLockedError, Wanted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from packaging.requirements import Requirement

    from wheel_linker.install.interpreter import Interpreter

_REQUIRE_HASHES: Final = "--require-hashes"
_EDITABLE: Final = re.compile(r"(?:-e|--editable)[\s=]*")
HASH: Final = re.compile(r"\s--hash[=\s]\s*(\S+)")
"""A hash in a line."""
# What most lines of a lock are. All others take the package packaging, whose import takes longer than reading them.
_PINNED: Final = re.compile(r"([A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?)\s*==\s*([\w.!+-]+)", re.ASCII)
_FIND_LINKS: Final = re.compile(r"(?:-f|--find-links)[=\s]*(.+)")
NAMING: Final = ("-r", "-c", "-e", "--requirement", "--constraint", "--editable")
"""How lines begin that name other files, or projects in place."""
_EXACT: Final = ("==", "===")
_COMMENT: Final = re.compile(r"(?:^|\s+)#.*")
# What PowerShell writes begins with a mark. That of UTF-32 begins with that of UTF-16.
_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_ENCODING: Final = re.compile(rb"#.*coding[:=]\s*([-\w.]+)")


def read_requirements(path: str, interpreter: Interpreter) -> Lock:
    """Return what a requirements file names for the interpreter.

    Directories of projects may stand beside requirements that have hashes, as in what uv exports. Alone, such a
    project is no lock, since nothing says what it requires.
    """
    found = Lock([], [], [])
    named, has_hashes = [], False
    for line in read_lines(path):
        project = _project(line)
        if project is not None:
            named.append(line)
            found.projects.append(project)
            continue
        if line.startswith("-"):
            found.options.append(_option(line, path))
            continue
        one = _requirement(line, path, interpreter)
        has_hashes = True
        if one is not None:
            found.wanted.append(one)
    if found.projects and (not has_hashes or _REQUIRE_HASHES in found.options):
        raise _unlocked(named[0], path)
    return found


def in_place(directory: str) -> str:
    """Return the line of a requirements file that has pip install a project in place."""
    from shlex import quote

    return f"-e {quote(directory)}"


def _project(line: str) -> str | None:
    """Return a line that names the directory of a project, the path made absolute; None if it does not."""
    option = _EDITABLE.match(line)
    word = _only_word(line[option.end() :]) if option else line
    name, at, address = word.rpartition(" @ ")
    path = address.removeprefix("file://").partition("[")[0]
    looks_like_path = "/" in path or os.sep in path or path.startswith(os.curdir)
    if not (option or at or looks_like_path) or not os.path.isdir(path):
        return None
    if option:
        return in_place(os.path.abspath(path))
    from pathlib import Path

    return f"{name} @ {Path(os.path.abspath(path)).as_uri()}" if at else os.path.abspath(path)


def read_lines(path: str) -> Iterator[str]:
    """Yield the lines of a requirements file, continued ones joined, without comments.

    :raises WheelLinkerError: if it cannot be read, or its text not be decoded.
    """
    try:
        with open(path, "rb") as file:
            text = _decoded(file.read())
    except (LookupError, OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise WheelLinkerError(f"cannot read the requirements {path!r}: {reason}") from error
    for line in _joined(text.splitlines()):
        kept = _COMMENT.sub("", line).strip()
        if kept:
            yield kept


def _decoded(data: bytes) -> str:
    """Decode a file of requirements as pip does: by its mark of byte order, by what its first lines name, or as UTF-8.

    What is not in UTF-8 is in the encoding of the user's locale.

    :raises LookupError: if they name an encoding that is unknown.
    :raises ValueError: if it is in none of these.
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding)
    for line in data.split(b"\n", 2)[:2]:
        named = _ENCODING.match(line)
        if named is not None:
            return data.decode(named[1].decode())
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode(locale.getpreferredencoding(do_setlocale=False))


def _joined(lines: Iterable[str]) -> Iterator[str]:
    """Yield lines, those together that a backslash joins. It joins nothing to a comment, as with pip."""
    begun = ""
    for line in lines:
        if line.endswith("\\") and not _COMMENT.match(line):
            begun += line[:-1] + " "
        else:
            yield begun + line
            begun = ""
    yield begun


def _option(line: str, path: str) -> str:
    if line.startswith(NAMING):
        raise _unlocked(line, path)
    return readable_elsewhere(line, path)


def _only_word(text: str) -> str:
    """Return the one word of a text, without quotation marks; nothing if there are several."""
    import shlex

    try:
        words = shlex.split(text)
    except ValueError:  # a quotation that does not end
        return ""
    return words[0] if len(words) == 1 else ""


def _unlocked(line: str, path: str) -> NotLockedError:
    return NotLockedError(f"{path!r} has {line!r}, which is not locked: pip has to resolve it")


def readable_elsewhere(line: str, path: str) -> str:
    """Return an option of a requirements file as a file in another directory may have it."""
    found = _FIND_LINKS.fullmatch(line)
    if found is None:
        return line
    # pip looks for it beside the file.
    beside = os.path.join(os.path.dirname(os.path.abspath(path)), found[1])
    return f"--find-links={beside}" if os.path.exists(beside) else line


def _requirement(line: str, path: str, interpreter: Interpreter) -> Wanted | None:
    text = HASH.sub("", line).strip()
    digests = tuple(
        each.partition(":")[2] for each in HASH.findall(line) if each.startswith(SHA256 + ":")
    )
    pinned = _PINNED.fullmatch(text)
    if pinned is not None and digests:
        return Wanted(normalised(pinned[1]), digests, line, pinned[2])
    from packaging.requirements import Requirement

    try:
        requirement = Requirement(text)
        applies = _applies(requirement, interpreter)
    except (ValueError, RecursionError) as error:
        # It is none, compares what cannot be compared, or has thousands of digits or parentheses.
        raise NotLockedError(f"{line!r} in {path!r} is not locked: {error}") from error
    exact = [one.version for one in requirement.specifier if one.operator in _EXACT]
    if not digests or not (exact or requirement.url):
        raise NotLockedError(
            f"{text!r} in {path!r} is not locked: it needs == and a --hash={SHA256}:..."
        )
    if not applies:
        return None
    if requirement.url and not urlsplit(requirement.url).path.endswith(".whl"):
        digests = ()
    is_pinned = len(requirement.specifier) == 1 and not exact[0].endswith(".*")
    return Wanted(
        normalised(requirement.name),
        digests,
        line,
        exact[0] if is_pinned else None,
        tuple(sorted(requirement.extras)),
    )


def _applies(requirement: Requirement, interpreter: Interpreter) -> bool:
    marker = requirement.marker
    return marker is None or marker.evaluate(dict(interpreter.environment))
