"""Which files belong to an installed distribution, by its ``RECORD``.

Format: "Recording installed projects", https://packaging.python.org/specifications/recording-installed-packages/
"""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING, Final

from wheel_linker._compat.named_tuple import NamedTuple
from wheel_linker._fs.reading import NOT_READABLE, read_followed
from wheel_linker._wheel.dist_info import DIST_INFO
from wheel_linker.errors import LinkError, WheelLinkerError
from wheel_linker.install._present.distributions import names_in, read_installer
from wheel_linker.install._present.spelling import in_own_spelling
from wheel_linker.install._present.unfinished import is_unfinished

if TYPE_CHECKING:
    from wheel_linker.install._present.distributions import Distribution

# Bytes: the rows of a million files have 150 million.
_LONGEST: Final = 1 << 28
# Digits. No file has a size of more than these; Python reads no number of more than 4,300.
_MOST_DIGITS: Final = 19
_COLUMNS: Final = 3
# The installer that this library notes unless it is told another one.
_OWN_NAME: Final = "wheel-linker"
# Characters of the shortest digest with its algorithm: an MD5, which some tools have written.
_SHORTEST_DIGEST: Final = 26


class NoRecordError(WheelLinkerError):
    """Nothing says which files belong to a distribution, so that they cannot be removed."""


class IncompleteInstallationError(NoRecordError):
    """A distribution's ``RECORD`` is empty or damaged, as a power cut leaves it. Installing it again mends that."""


class Recorded(NamedTuple):
    """One row of a ``RECORD``."""

    path: str
    """Where the file really is: its absolute path, symlinks on the way resolved."""
    named: str
    """Where ``RECORD`` says that the file is: an absolute path without ``..``."""


class Row(NamedTuple):
    """What a ``RECORD`` says of one file."""

    path: str
    """The absolute path of the file."""
    algorithm: str
    """The algorithm of the digest; empty without one."""
    digest: str
    """The digest in URL-safe base 64 without padding."""
    size: int | None
    """How many bytes the file has, if the row says so."""
    is_damaged: bool
    """Whether it has something in the place of a size that is none, or of a hash."""


def read_record(distribution: Distribution) -> list[Recorded]:
    """Return what belongs to a distribution, its ``RECORD`` included.

    :raises NoRecordError: if it has no ``RECORD``.
    :raises LinkError: if that cannot be read, or its ``*.dist-info`` is somewhere else.
    """
    if os.path.islink(distribution.path):
        raise LinkError(
            f"{distribution.path!r} is a symlink to {os.path.realpath(distribution.path)!r}: nothing is removed "
            "through it; remove it with the tool that made it",
            errno=errno.ELOOP,
            destination=distribution.path,
        )
    text = read_text(distribution)
    _refuse_cut_short(distribution, text)
    rows = rows_in(distribution, text)
    given = in_own_spelling([path for path, _ in rows], distribution.library, distribution.entry)
    paths = dict.fromkeys([*given, distribution.recorded])
    known = {distribution.library: distribution.library}
    return [
        Recorded(os.path.join(_real(os.path.dirname(path), known), os.path.basename(path)), path)
        for path in paths
    ]


def read_rows(one: Distribution) -> list[Row]:
    """Return what a distribution's ``RECORD`` says of each file. The errors are those of :func:`read_record`.

    :raises IncompleteInstallationError: also if somebody is changing it, or was killed over that.
    """
    found = []
    text = read_text(one)
    if is_unfinished(text.encode()):
        raise IncompleteInstallationError(
            f"{one} is an incomplete installation: {one.recorded!r} says that it is being changed, as when whoever "
            "did so was killed; install it again, in this version or another, which replaces what is left of it"
        )
    _refuse_cut_short(one, text)
    for row in _parsed(one, text):
        path, given, said, *_ = (*row, "", "")
        algorithm, _, digest = given.partition("=")
        size = int(said) if said.isdecimal() and len(said) <= _MOST_DIGITS else None
        damaged = (said != "" and size is None) or (given != "" and not digest)
        found.append(Row(_absolute(path, one), algorithm, digest.rstrip("="), size, damaged))
    return found


def read_text(one: Distribution) -> str:
    """Return the text of a ``RECORD``; nothing if whoever removed the distribution was killed before the very end.

    The errors are those of :func:`read_record`, but the ``*.dist-info`` may be a symlink.
    """
    path = one.recorded
    try:
        data = _content(path) if one.known_record is None else one.known_record
    except (FileNotFoundError, NotADirectoryError) as error:
        if one.entry.endswith(DIST_INFO) and os.path.isdir(one.path) and not names_in(one):
            return ""
        if read_installer(one) == _OWN_NAME:
            # Then no other tool knows more.
            raise _unreadable(one, "it is missing") from error
        raise NoRecordError(
            f"cannot tell which files belong to {one} ({one.path!r}): it has no RECORD; remove it with "
            f"{_tool(one)}"
        ) from error
    except OSError as error:
        if error.errno in NOT_READABLE:
            raise _unreadable(one, error.strerror or str(error)) from error
        raise LinkError.from_os_error(error, f"read {path!r}", source=path) from error
    if not data.strip():
        raise _unreadable(one, "it is empty")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _unreadable(one, error) from error


def is_empty(one: Distribution) -> bool:
    """Tell whether a ``RECORD`` is a file with nothing in it."""
    try:
        status = os.stat(one.recorded)
    except OSError:
        return False
    return stat.S_ISREG(status.st_mode) and not status.st_size


def _real(directory: str, known: dict[str, str]) -> str:
    """Return a directory's path with symlinks resolved, each of those that lead to it being looked at once."""
    unknown: list[str] = []
    while directory not in known:
        parent = os.path.dirname(directory)
        if parent == directory:
            known[directory] = directory
        else:
            unknown.append(directory)
            directory = parent
    for path in reversed(unknown):
        real = os.path.join(known[os.path.dirname(path)], os.path.basename(path))
        known[path] = os.path.realpath(real) if os.path.islink(real) else real
    return known[unknown[0]] if unknown else known[directory]


def _content(path: str) -> bytes:
    """Return what a ``RECORD`` has; the disk is asked twice, because much hangs on what it says."""
    try:
        return read_followed(path, _LONGEST)
    except OSError as error:
        if error.errno != errno.EIO:
            raise
    return read_followed(path, _LONGEST)


def rows_in(one: Distribution, text: str) -> list[tuple[str, str]]:
    """Return the absolute path and the hash, if there is one, of each row of a ``RECORD``."""
    rows = _parsed(one, text)
    return [(_absolute(row[0], one), row[1] if len(row) > 1 else "") for row in rows]


def _parsed(one: Distribution, text: str) -> list[list[str]]:
    if "\0" in text:
        raise _unreadable(one, "it has a NUL byte")
    import csv
    from io import StringIO

    try:
        return [row for row in csv.reader(StringIO(text, newline=""), strict=True) if row]
    except csv.Error as error:
        raise _unreadable(one, error) from error


def _refuse_cut_short(one: Distribution, text: str) -> None:
    """Refuse a ``RECORD`` that ends within a row, as a power cut may leave it: what followed is not known."""
    if not text or text.endswith(("\n", "\r")):
        return
    columns = text.rpartition("\n")[2].rsplit(",", 2)
    if len(columns) < _COLUMNS or 0 < len(columns[1]) < _SHORTEST_DIGEST:
        raise _unreadable(one, "it ends within a row")


def _unreadable(one: Distribution, reason: object) -> IncompleteInstallationError:
    return IncompleteInstallationError(
        f"{one} is an incomplete installation: {one.recorded!r} cannot be read ({reason}), as after a power cut; "
        "install it again, in this version or another, which replaces what is left of it"
    )


def _tool(one: Distribution) -> str:
    """Return which tool has installed a distribution, as far as it says so."""
    name = read_installer(one)
    return f"{name}, which installed it" if name else "the tool that installed it"


def _absolute(path: str, one: Distribution) -> str:
    # Most rows need no more than this; normpath would take as long as all the rest.
    if ".." not in path and "//" not in path and "./" not in path and os.sep == "/":
        return path if path.startswith("/") else f"{one.library}/{path}"
    named = os.path.normpath(os.path.join(one.named_library, path))
    if one.named_library == one.library or os.path.lexists(named):
        return named
    # Some tools take ".." from where a symlink leads to, others from where it lies.
    return os.path.normpath(os.path.join(one.library, path))
