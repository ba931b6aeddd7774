"""What is installed, as callers see it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from wheel_linker._compat.named_tuple import NamedTuple
from wheel_linker._fs.reading import read_followed
from wheel_linker._log import log
from wheel_linker._wheel.record import NOTES
from wheel_linker.install._present.distributions import (
    find_distributions,
    is_remnant,
    read_installer,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wheel_linker.install._present.distributions import Distribution
    from wheel_linker.install.layout import Layout

_DIRECT_URL: Final = NOTES[2]
_MUCH: Final = 1 << 20


class InstalledDistribution(NamedTuple):
    """One distribution that is installed, whichever tool installed it."""

    name: str
    """Its normalised name."""
    version: str
    """Its version, as the name of its ``*.dist-info`` has it; empty if that does not say."""
    path: str
    """The absolute path of its ``*.dist-info``, or of what older tools leave in its place."""
    installer: str | None
    """Which tool installed it, if it says so."""
    direct_url: Mapping[str, object] | None
    """What ``direct_url.json`` says (PEP 610): where it came from, if not from an index."""
    editable: bool
    """Whether it is imported from its project's own directory."""


def installed(layout: Layout) -> list[InstalledDistribution]:
    """Return what is installed in an environment, by name.

    :param layout: the environment.
    :raises LinkError: if one of its directories cannot be read.
    """
    return [described(one) for one in find_distributions(layout) if not is_remnant(one)]


def described(one: Distribution) -> InstalledDistribution:
    """Return a distribution with what its notes say."""
    url = _direct_url(one)
    information = url.get("dir_info") if url else None
    editable = isinstance(information, dict) and information.get("editable") is True
    return InstalledDistribution(
        one.name,
        one.version,
        one.path,
        read_installer(one) or None,
        url,
        editable or one.entry.endswith(".egg-link"),
    )


def _direct_url(one: Distribution) -> Mapping[str, object] | None:
    path = os.path.join(one.path, _DIRECT_URL)
    try:
        data = read_followed(path, _MUCH)
        import json  # few distributions have any

        said = json.loads(data)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        log("cannot read %s: %s", path, error)
        return None
    return said if isinstance(said, dict) else None
