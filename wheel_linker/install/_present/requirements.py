"""Requirements of what is installed that nothing installed fulfils."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from wheel_linker._compat.named_tuple import NamedTuple
from wheel_linker._fs.reading import read_followed
from wheel_linker._log import log
from wheel_linker._wheel.dist_info import DIST_INFO
from wheel_linker._wheel.filename import normalised
from wheel_linker.install._present.distributions import (
    find_distributions,
    find_entries,
    is_remnant,
)
from wheel_linker.install.report import MissingRequirement

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from packaging.requirements import Requirement
    from packaging.version import Version

    from wheel_linker.install._present.distributions import Distribution
    from wheel_linker.install.layout import Layout

_MUCH: Final = 1 << 24
_FIELD: Final = "requires-dist"
_PYTHON: Final = "requires-python"


def missing_requirements(
    layout: Layout, environment: Mapping[str, str]
) -> list[MissingRequirement]:
    """Return what is missing, by the distribution that needs it; extras are looked at where somebody asks for them.

    :param environment: the interpreter's environment markers.
    """
    present = [one for one in find_distributions(layout) if not is_remnant(one)]
    # What is a part of another distribution fulfils requirements, too: tools take it for one of its own.
    entries = [one for one in find_entries(layout) if not is_remnant(one)]
    versions = {one.name: one.version for one in (*entries, *present)}
    wanted = {one.name: list(_requirements(one)) for one in present}
    found = {
        MissingRequirement(name, str(requirement), versions.get(normalised(requirement.name)))
        for name, extras in _asked_for(wanted, environment).items()
        for requirement in wanted[name]
        if _applies(requirement, environment, extras) and not _is_fulfilled(requirement, versions)
    }
    return sorted(found)


def _asked_for(
    wanted: Mapping[str, Sequence[Requirement]], environment: Mapping[str, str]
) -> dict[str, set[str]]:
    """Return by name the extras that others ask for; the empty one is always there."""
    extras: dict[str, set[str]] = {name: {""} for name in wanted}
    changed = True
    while changed:
        changed = False
        for name in wanted:
            for requirement in wanted[name]:
                other = extras.get(normalised(requirement.name))
                if (
                    other is not None
                    and not requirement.extras <= other
                    and _applies(requirement, environment, extras[name])
                ):
                    other |= requirement.extras
                    changed = True
    return extras


def _applies(requirement: Requirement, environment: Mapping[str, str], extras: set[str]) -> bool:
    marker = requirement.marker
    try:
        return marker is None or any(
            marker.evaluate({**environment, "extra": extra}) for extra in extras
        )
    except ValueError as error:
        # It compares what cannot be compared, such as a kernel's release with a version.
        log("cannot tell whether %s applies: %s", requirement, error)
        return False


def _is_fulfilled(requirement: Requirement, versions: Mapping[str, str]) -> bool:
    there = versions.get(normalised(requirement.name))
    if there is None:
        return False
    version = _version(there)
    try:
        return version is None or requirement.specifier.contains(version, prereleases=True)
    except ValueError as error:  # a version with thousands of digits, which Python does not read
        log("cannot tell whether %s is fulfilled: %s", requirement, error)
        return True


def _version(text: str) -> Version | None:
    from packaging.version import Version

    try:
        return Version(text)
    except ValueError:  # InvalidVersion, or thousands of digits
        return None


def _requirements(one: Distribution) -> Iterator[Requirement]:
    from packaging.requirements import Requirement

    if not one.entry.endswith(DIST_INFO):
        return
    path = os.path.join(one.path, "METADATA")
    try:
        fields = read_fields(path)
    except OSError as error:
        log("cannot read %s: %s", path, error)
        return
    for text in fields.requires_dist:
        try:
            yield Requirement(text)
        except (ValueError, RecursionError) as error:  # it is none, or has thousands of parentheses
            log("%s: %s", path, error)


class Fields(NamedTuple):
    """What a distribution requires, as its ``METADATA`` says it."""

    requires_dist: tuple[str, ...]
    requires_python: str | None


def read_fields(path: str) -> Fields:
    """Read what a ``METADATA`` file says of requirements.

    :raises OSError: if it cannot be read.
    """
    text = read_followed(path, _MUCH).decode("utf-8", "replace")
    python: str | None = None
    requires = []
    for line in text.splitlines():
        if not line:
            break  # the description follows
        key, _, value = line.partition(":")
        field = key.lower()
        if field == _FIELD:
            requires.append(value.strip())
        elif field == _PYTHON:
            python = value.strip()
    return Fields(tuple(requires), python)
