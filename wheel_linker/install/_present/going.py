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
    """Absolute paths of files that no new wheel has, but for :attr:`notes`."""
    notes: Sequence[str]
    """Those in old ``*.dist-info`` directories, but for :attr:`records`."""
    records: Sequence[str]
    """The ``RECORD`` files there: as long as one is there, it tells what is left."""
    names: Mapping[str, str]
    """The distribution's name, by path, for all of them."""
    kept: Mapping[str, Sequence[str]]
    """By the distribution's name, what it has and no new wheel, and what stays all the same."""


NOTHING: Final = Outdated((), (), (), (), {}, {})
