"""Whether distributions, and what is installed, have all that these distributions require: what pip would look at."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from wheel_linker._compat.named_tuple import NamedTuple
from wheel_linker._log import log
from wheel_linker._wheel.filename import normalised
from wheel_linker.install._present.requirements import read_fields

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from collections.abc import Set as AbstractSet

    from packaging.requirements import Requirement

# Most requirements are of extras that nobody asks for. Parsing them would take longer than linking a small wheel.
_OF_AN_EXTRA: Final = re.compile(r"""(?:^|\band\b)[\s(]*extra\s*==\s*(?:"[^"]+"|'[^']+')[\s)]*$""")
_OR: Final = re.compile(r"\bor\b")
_NO_EXTRA: Final = ""


class Known(NamedTuple):
    """A distribution that will be there."""

    version: str
    metadata: str
    """The path of its ``METADATA``."""
    is_new: bool
    """Whether it is installed now, so that the interpreter has to be one that it is for."""


def is_closed(
    asked: Mapping[str, Iterable[str]],
    known: Callable[[str], Known | None],
    environment: Mapping[str, str],
) -> bool:
    """Tell whether all that is required is there, and all that is new is for the interpreter.

    What cannot be decided here, such as a requirement that names an address, counts as missing.

    :param asked: the extras of each distribution that is asked for, by normalised name.
    :param known: returns what is known of a distribution, by its normalised name; None if it will not be there.
    :param environment: the interpreter's environment markers.
    """
    try:
        return not _lacking(asked, known, environment)
    except (OSError, ValueError, RecursionError) as error:
        # ValueError: it is no requirement, compares what cannot be compared, or has more digits than Python reads.
        # RecursionError: it has thousands of parentheses.
        log("what is required cannot be told: %s", error)
        return False


def _lacking(
    asked: Mapping[str, Iterable[str]],
    known: Callable[[str], Known | None],
    environment: Mapping[str, str],
) -> bool:
    waiting = [(name, frozenset(extras)) for name, extras in asked.items()]
    done: dict[str, frozenset[str]] = {}
    while waiting:
        name, extras = waiting.pop()
        seen = done.get(name)
        new = extras - seen if seen is not None else extras | {_NO_EXTRA}
        if not new:
            continue
        done[name] = new | (seen or frozenset())
        one = known(name)
        if one is None:
            return _missing(name)
        fields = read_fields(one.metadata)
        if one.is_new and not _is_for(fields.requires_python, environment):
            return _missing(name)
        for requirement in _applying(fields.requires_dist, new, environment):
            other = known(required := normalised(requirement.name))
            if other is None or requirement.url or not _is_fulfilled(requirement, other.version):
                return _missing(f"{requirement}, which {name} requires")
            waiting.append((required, frozenset(requirement.extras)))
    return False


def _missing(what: str) -> bool:
    log("not all is there: %s", what)
    return True


def _applying(
    texts: Iterable[str], extras: AbstractSet[str], environment: Mapping[str, str]
) -> Iterable[Requirement]:
    from packaging.requirements import Requirement

    for text in texts:
        marker = text.partition(";")[2]
        if not marker:
            if _NO_EXTRA in extras:
                yield Requirement(text)
        elif extras != {_NO_EXTRA} or not _OF_AN_EXTRA.search(marker) or _OR.search(marker):
            requirement = Requirement(text)
            if any(_applies(requirement, environment, extra) for extra in extras):
                yield requirement


def _applies(requirement: Requirement, environment: Mapping[str, str], extra: str) -> bool:
    marker = requirement.marker
    return marker is None or marker.evaluate({**environment, "extra": extra})


def _is_fulfilled(requirement: Requirement, version: str) -> bool:
    return not requirement.specifier or requirement.specifier.contains(version, prereleases=True)


def _is_for(requires_python: str | None, environment: Mapping[str, str]) -> bool:
    if not requires_python:
        return True
    from packaging.specifiers import SpecifierSet

    version = environment["python_full_version"]
    return SpecifierSet(requires_python).contains(version, prereleases=True)
