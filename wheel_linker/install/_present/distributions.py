"""Which distributions are installed in an environment, by the directories that installers have left there.

Format: "Recording installed projects", https://packaging.python.org/specifications/recording-installed-packages/
"""

from __future__ import annotations

import os
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from wheel_linker._compat.named_tuple import NamedTuple
from wheel_linker._fs.reading import read_followed
from wheel_linker._wheel.dist_info import DIST_INFO
from wheel_linker._wheel.filename import normalised
from wheel_linker._wheel.record import NOTES, RECORD
from wheel_linker.errors import LinkError, WheelLinkerError, printable
from wheel_linker.install._present.said import read_said

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from wheel_linker.install.layout import Layout

_LEGACY: Final = (".egg-info", ".egg-link", ".egg")
# These may be among the files of a wheel. An *.egg-link is written by a tool alone.
_MAYBE_PARTS: Final = (".egg-info", ".egg")
_METADATA: Final = "METADATA"
_INSTALLER: Final = NOTES[0]
_LONGEST_NOTE: Final = 1 << 10
_LONGEST_RECORD: Final = 1 << 28


class NotInstalledError(WheelLinkerError, LookupError):
    """There is no distribution of that name in the environment."""


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


def find_distributions(
    layout: Layout, known: Mapping[tuple[str, str], Distribution] = MappingProxyType({})
) -> list[Distribution]:
    """Return everything that is installed, by name, but for what is a part of another distribution.

    Some wheels have an ``*.egg-info`` among their files. What it belongs to can be removed, and it goes along.

    :param known: by library and entry, distributions that need not be read again.
    :raises LinkError: if a directory cannot be read.
    """
    found = find_entries(layout, known)
    older = [one for one in found if one.entry.endswith(_MAYBE_PARTS)]
    if not older:
        return found
    records = [(one.library, _record_of(one)) for one in found if one.entry.endswith(DIST_INFO)]
    parts = {
        one
        for one in older
        if any(
            library == one.library and _has_rows_of(one.entry, record)
            for library, record in records
        )
    }
    return [one for one in found if one not in parts]


def _record_of(one: Distribution) -> bytes:
    """Return what the ``RECORD`` of a distribution has; nothing if it cannot be read."""
    if one.known_record is not None:
        return one.known_record
    try:
        return read_followed(one.recorded, _LONGEST_RECORD)
    except OSError:
        return b""


def _has_rows_of(entry: str, record: bytes) -> bool:
    """Tell whether a ``RECORD`` names a file of the library, or something in a directory there."""
    import re  # few environments have such entries

    name = re.escape(os.fsencode(entry))
    return re.search(rb'^"?' + name + rb'(?:[/\\]|"?,)', record, re.MULTILINE) is not None


def find_entries(
    layout: Layout, known: Mapping[tuple[str, str], Distribution] = MappingProxyType({})
) -> list[Distribution]:
    """Return all that says that something is installed. Parameters and errors are :func:`find_distributions`'."""
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
    # An egg is called NAME-VERSION-pyX.Y.
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
    return is_remnant(one) and bool(names_in(one))


def is_remnant(one: Distribution) -> bool:
    """Tell whether nothing, or nothing but others' files, is left of a ``*.dist-info``: nothing is installed by it."""
    if not one.entry.endswith(DIST_INFO):
        return False
    try:
        return {_METADATA, RECORD}.isdisjoint(os.listdir(one.path))
    except OSError:  # nobody knows what is in it
        return False


def names_in(one: Distribution) -> set[str]:
    try:
        return set(os.listdir(one.path))
    except OSError:
        return set()


def read_installer(one: Distribution) -> str:
    """Return what a distribution's ``INSTALLER`` says; nothing if there is none."""
    try:
        data = read_followed(os.path.join(one.path, _INSTALLER), _LONGEST_NOTE)
    except OSError:
        return ""
    name = data.decode("utf-8", "replace").strip()
    return name if name.isprintable() else ""
