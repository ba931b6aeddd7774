"""What of an environment has to go when wheels are installed: most often nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from wheel_linker._compat.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from wheel_linker.install._present.distributions import Distribution


class Outdated(NamedTuple):
    """What has to go."""

    distributions: Sequence[Distribution]
    """What the new wheels take the place of."""
    files: Sequence[str]
    """The absolute paths of files that no new wheel has, those in :attr:`notes` left out."""
    notes: Sequence[str]
    """The files in old ``*.dist-info`` directories, those in :attr:`records` left out."""
    records: Sequence[str]
    """The ``RECORD`` files there: as long as one is there, it tells what is left."""
    names: Mapping[str, str]
    """The distribution's name, by path, for all of them."""
    kept: Mapping[str, Sequence[str]]
    """The files that no new wheel has and that stay all the same, by the name of the distribution that has them."""


NOTHING: Final = Outdated((), (), (), (), {}, {})
