"""Whether versions keep to files of constraints, as far as that is plain without pip."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from wheel_linker._log import log
from wheel_linker._wheel.filename import normalised
from wheel_linker.errors import WheelLinkerError
from wheel_linker.integrations.pip.requirements_file import read_lines

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

_NAMED: Final = re.compile(r"([A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?)\s*(.*)", re.ASCII)


def keep_to(paths: Iterable[str], versions: Mapping[str, Collection[str]]) -> bool:
    """Tell whether what is constrained is of a version that it may be; what cannot be told counts as not so.

    :param paths: the files of constraints.
    :param versions: those of each distribution, by its normalised name.
    """
    try:
        return all(_is_kept(line, versions) for path in paths for line in read_lines(path))
    except (ValueError, WheelLinkerError) as error:
        # ValueError: what follows a name is no specifier, or has more digits than Python reads.
        log("cannot tell what is constrained: %s", error)
        return False


def _is_kept(line: str, versions: Mapping[str, Collection[str]]) -> bool:
    named = _NAMED.fullmatch(line)
    if named is None:  # an option, an address or a path
        return False
    there = versions.get(normalised(named[1]), ())
    if not there:
        return True
    from packaging.specifiers import SpecifierSet

    # It takes neither markers, hashes nor addresses.
    allowed = SpecifierSet(named[2])
    return all(allowed.contains(version, prereleases=True) for version in there)
