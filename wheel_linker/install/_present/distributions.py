"""What is installed in an environment, by what installers have noted there.

Format: "Recording installed projects", https://packaging.python.org/specifications/recording-installed-packages/
"""

from __future__ import annotations

import errno
import os
import stat
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from wheel_linker._compat.named_tuple import NamedTuple
from wheel_linker._fs.reading import NOT_READABLE, read_followed
from wheel_linker._wheel.dist_info import DIST_INFO
from wheel_linker._wheel.filename import normalised
from wheel_linker._wheel.record import NOTES, RECORD
from wheel_linker.errors import LinkError, WheelLinkerError, printable
from wheel_linker.install._present.said import read_said
from wheel_linker.install._present.spelling import by_key, in_own_spelling, is_one_file, key_for
from wheel_linker.install._present.unfinished import is_unfinished

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from wheel_linker._fs.folder import Parts
    from wheel_linker.install.layout import Layout

_LEGACY: Final = (".egg-info", ".egg-link", ".egg")
_METADATA: Final = "METADATA"
_INSTALLER: Final = NOTES[0]
_MOST_HINTS: Final = 40
# In bytes: a million files' rows have 150 million.
_LONGEST: Final = 1 << 28
# More than any file has bytes; Python reads no more than 4,300.
_MOST_DIGITS: Final = 19
_COLUMNS: Final = 3
# In characters: that of an MD5, which some tools have written, with its name.
_SHORTEST_DIGEST: Final = 26
_LONGEST_NOTE: Final = 1 << 10


class NotInstalledError(WheelLinkerError, LookupError):
    """There is no distribution of that name in the environment."""


class NoRecordError(WheelLinkerError):
    """Nothing says which files belong to a distribution, so that they cannot be removed."""


class IncompleteInstallationError(NoRecordError):
    """A distribution's ``RECORD`` is empty or damaged, as a power cut leaves it. Installing it again mends that."""


class Distribution(NamedTuple):
    """One installed distribution."""

    name: str
    """Its normalised name."""
    version: str
    """Its version, as the name of its directory has it."""
    library: str
    """The directory that it is in, symlinks resolved."""
    named_library: str
    """The same directory, by the path that the environment has for it."""
    entry: str
    """The name of its ``*.dist-info`` there, or of what older tools leave."""
    known_record: bytes | None = None
    """What its ``RECORD`` has, if that was read before and need not be read again."""

    @property
    def path(self) -> str:
        """The absolute path of its ``*.dist-info``."""
        return os.path.join(self.library, self.entry)

    @property
    def recorded(self) -> str:
        """The absolute path of its ``RECORD``."""
        return os.path.join(self.path, RECORD)

    def __str__(self) -> str:
        return printable(f"{self.name} {self.version}".rstrip())


class Recorded(NamedTuple):
    """One row of a ``RECORD``."""

    path: str
    """Absolute, symlinks on the way resolved: where the file really is."""
    named: str
    """Absolute, without ``..``: where ``RECORD`` says that it is."""


class Row(NamedTuple):
    """What a ``RECORD`` says of one file."""

    path: str
    """Absolute."""
    algorithm: str
    """Of the digest; empty without one."""
    digest: str
    """URL-safe base 64 without padding."""
    size: int | None
    """In bytes, if it says so."""
    is_damaged: bool
    """Whether it has something in the place of a size that is none, or of a hash."""


def find_distributions(
    layout: Layout, known: Mapping[tuple[str, str], Distribution] = MappingProxyType({})
) -> list[Distribution]:
    """Return everything that is installed, by name.

    :param known: by library and entry, distributions that need not be read again.
    :raises LinkError: if a directory cannot be read.
    """
    found = []
    for library, spelt in layout.named_libraries().items():
        try:
            names = os.listdir(library)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            doing = f"read what is installed in {library!r}"
            raise LinkError.from_os_error(error, doing, destination=library) from error
        found += [
            one
            for one in (
                known.get((library, name)) or _distribution(library, spelt, name) for name in names
            )
            if one is not None
        ]
    return sorted(found)


def _distribution(library: str, spelt: str, entry: str) -> Distribution | None:
    stem, suffix = os.path.splitext(entry)
    if suffix != DIST_INFO and suffix not in _LEGACY:
        return None
    said = read_said(os.path.join(library, entry), suffix)
    name, version = _name_and_version(stem)
    if suffix == ".egg-link":  # called like its project, by which alone it can be found
        return Distribution(normalised(stem), "", library, spelt, entry)
    if said.name and normalised(said.name) != normalised(name):
        name, version = said.name, said.version
    # Of an egg: NAME-VERSION-pyX.Y.
    return Distribution(normalised(name), version.partition("-")[0], library, spelt, entry)


def _name_and_version(stem: str) -> tuple[str, str]:
    """Split what is called NAME-VERSION, or NAME alone.

    A name may have hyphens, which tools that build wheels write as underscores and others do not.
    """
    hyphen = stem.find("-", 1)
    while hyphen >= 0 and not stem[hyphen + 1 : hyphen + 2].isdecimal():
        hyphen = stem.find("-", hyphen + 1)
    return (stem, "") if hyphen < 0 else (stem[:hyphen], stem[hyphen + 1 :])


def named(distributions: Iterable[Distribution], names: Collection[str]) -> list[Distribution]:
    """Return the distributions that have one of these normalised names."""
    return [one for one in distributions if one.name in names and not is_left_over(one)]


def is_left_over(one: Distribution) -> bool:
    """Tell whether nothing but others' files is left of a ``*.dist-info``."""
    return is_remnant(one) and bool(_names_in(one))


def is_remnant(one: Distribution) -> bool:
    """Tell whether nothing, or nothing but others' files, is left of a ``*.dist-info``: nothing is installed by it."""
    if not one.entry.endswith(DIST_INFO):
        return False
    try:
        return {_METADATA, RECORD}.isdisjoint(os.listdir(one.path))
    except OSError:  # nobody knows what is in it
        return False


def _names_in(one: Distribution) -> set[str]:
    try:
        return set(os.listdir(one.path))
    except OSError:
        return set()


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
    rows = _rows(distribution, text)
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
    for row in _parsed(one, text):
        path, given, said, *_ = (*row, "", "")
        algorithm, _, digest = given.partition("=")
        size = int(said) if said.isdecimal() and len(said) <= _MOST_DIGITS else None
        damaged = (said != "" and size is None) or (given != "" and not digest)
        found.append(Row(_absolute(path, one), algorithm, digest.rstrip("="), size, damaged))
    return found


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


def read_text(one: Distribution) -> str:
    """Return the text of a ``RECORD``; nothing if whoever removed the distribution was killed before the very end.

    Errors as for :func:`read_record`, but that it may be in a ``*.dist-info`` somewhere else.
    """
    path = one.recorded
    try:
        data = _content(path) if one.known_record is None else one.known_record
    except (FileNotFoundError, NotADirectoryError) as error:
        if one.entry.endswith(DIST_INFO) and os.path.isdir(one.path) and not _names_in(one):
            return ""
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


def _content(path: str) -> bytes:
    """Return what a ``RECORD`` has; the disk is asked twice, because much hangs on what it says."""
    try:
        return read_followed(path, _LONGEST)
    except OSError as error:
        if error.errno != errno.EIO:
            raise
    return read_followed(path, _LONGEST)


def _tool(one: Distribution) -> str:
    """Return which tool has installed a distribution, as far as it says so."""
    name = read_installer(one)
    return f"{name}, which installed it" if name else "the tool that installed it"


def is_empty(one: Distribution) -> bool:
    """Tell whether a ``RECORD`` is a file with nothing in it."""
    try:
        status = os.stat(one.recorded)
    except OSError:
        return False
    return stat.S_ISREG(status.st_mode) and not status.st_size


def read_installer(one: Distribution) -> str:
    """Return what a distribution's ``INSTALLER`` says; nothing if there is none."""
    try:
        data = read_followed(os.path.join(one.path, _INSTALLER), _LONGEST_NOTE)
    except OSError:
        return ""
    name = data.decode("utf-8", "replace").strip()
    return name if name.isprintable() else ""


def _rows(one: Distribution, text: str) -> list[tuple[str, str]]:
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


def _absolute(path: str, one: Distribution) -> str:
    # Most rows need no more than this; normpath would take as long as all the rest.
    if ".." not in path and "//" not in path and "./" not in path and os.sep == "/":
        return path if path.startswith("/") else f"{one.library}/{path}"
    named = os.path.normpath(os.path.join(one.named_library, path))
    if one.named_library == one.library or os.path.lexists(named):
        return named
    # Some tools take ".." from where a symlink leads to, others from where it lies.
    return os.path.normpath(os.path.join(one.library, path))


def owners_of(
    distributions: Iterable[Distribution], paths: Iterable[str]
) -> Mapping[str, list[tuple[Distribution, str]]]:
    """Return whose ``RECORD`` has which of these absolute paths, and with which digest.

    Where the file system folds names, those that spell a path otherwise have it, too.

    :returns: by :func:`os.path.normcase` of the path.
    """
    asked = list(distributions)
    wanted = set(map(os.path.normcase, paths))
    key_of = key_for((one.library, one.entry) for one in asked)
    folded = by_key(wanted, key_of)
    hints: dict[str, Collection[str]] = {}
    listings: dict[str, frozenset[str]] = {}
    owners: dict[str, list[tuple[Distribution, str]]] = {}
    for one in asked:
        if one.library not in hints:
            hints[one.library] = _hints(folded or wanted, key_of(one.library))
        for path, digest in _rows_with(one, hints[one.library], key_of):
            key = os.path.normcase(path)
            if key in wanted:
                owners.setdefault(key, []).append((one, digest))
            for other in folded.get(key_of(path), ()) if folded else ():
                if other != key and is_one_file(other, path, listings):
                    owners.setdefault(other, []).append((one, digest))
    return owners


def _rows_with(
    one: Distribution, hints: Collection[str], key_of: Callable[[str], str]
) -> list[tuple[str, str]]:
    """Return the rows of a ``RECORD``, unless it has none of the hints anywhere, as most have not."""
    try:
        text = read_text(one)
        # Looking for many would take longer than reading the rows.
        if len(hints) <= _MOST_HINTS:
            searched = key_of(text)
            if not any(hint in searched for hint in hints):
                return []
        return _rows(one, text)
    except NoRecordError:
        return []


def _hints(wanted: Iterable[str], library: str) -> Collection[str]:
    """Return names of which a ``RECORD`` in ``library`` has one, however it is written, if it has one of the paths.

    :param wanted: the paths, folded like ``library``.
    """
    prefix = os.path.join(library, "")
    names = {
        path[len(prefix) :].partition(os.sep)[0]
        if path.startswith(prefix)
        else os.path.basename(path)
        for path in wanted
    }
    # CSV doubles quotation marks.
    return {name.partition('"')[0] for name in names}


def root_of(path: str, roots: Iterable[str]) -> tuple[str, Parts] | None:
    """Return the deepest of an environment's directories that a file lies in, and where; None if it lies outside.

    :param roots: the deepest first.
    """
    for root in roots:
        prefix = os.path.join(root, "")
        if os.path.normcase(path).startswith(os.path.normcase(prefix)):
            return root, tuple(path[len(prefix) :].split(os.sep))
    return None
