"""The ways a file can be put in place, and the order in which they are tried."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from enum import Enum
from typing import Final

_ALIASES: Final = {"reflink": "clone"}
_AUTO: Final = "auto"


class LinkMode(str, Enum):
    """How the files of a wheel get into an environment.

    ``LinkMode("reflink")`` is :attr:`CLONE`.

    :raises ValueError: for an unknown word; the message lists the accepted ones.
    """

    CLONE = "clone"
    """A copy-on-write copy: shares its blocks with the source until one of the two is changed."""

    COPY = "copy"
    """A plain copy."""

    HARDLINK = "hardlink"
    """A second name of the same inode: an edit in the environment is an edit of the source."""

    SYMLINK = "symlink"
    """A symbolic link to the source, which must therefore stay where it is."""

    @classmethod
    def default(cls) -> LinkMode:
        """Return the platform's mode: CLONE on macOS and iOS, HARDLINK elsewhere."""
        return cls.CLONE if sys.platform in ("darwin", "ios") else cls.HARDLINK

    def is_symlink(self) -> bool:
        """Tell whether files placed in this mode need their source to stay in place."""
        return self is LinkMode.SYMLINK

    @classmethod
    def _missing_(cls, value: object) -> LinkMode:
        word = _ALIASES.get(value) if isinstance(value, str) else None
        if word is None:
            accepted = ", ".join([*(mode.value for mode in cls), *_ALIASES])
            raise ValueError(f"unknown link mode {value!r}: use one of {accepted}")
        return cls(word)

    def __str__(self) -> str:
        # Enum's formatting of mixed-in strings changed in Python 3.12; say the word in all of them.
        return self.value

    def __format__(self, spec: str) -> str:
        return format(self.value, spec)


AUTO: Final[tuple[LinkMode, ...]] = (LinkMode.CLONE, LinkMode.HARDLINK, LinkMode.COPY)
"""The chain that shares the data where that can be done, and copies where it cannot; the word ``"auto"`` means it."""
# No part is a text: typing would compile it, and the first that is compiled in a process takes a millisecond.
Modes = LinkMode | str | Sequence[LinkMode | str] | None
"""What is accepted wherever a mode is asked for: one mode, a fallback chain, or None."""


def fallback_chain(modes: Modes) -> tuple[LinkMode, ...]:
    """Return the modes to try, in order.

    :param modes: one mode ``m``, which means ``(m, COPY)``; a sequence, taken as it is (one element is
        *strict*); ``"auto"`` for :data:`AUTO`; None for the platform's default mode.
    :raises ValueError: for an unknown word, an empty sequence, or ``"auto"`` in one.
    """
    if modes is None:
        modes = LinkMode.default()
    if isinstance(modes, str):
        if modes == _AUTO:
            return AUTO
        try:
            modes = (LinkMode(modes), LinkMode.COPY)
        except ValueError as error:
            raise ValueError(f"{error}, {_AUTO}") from None
    modes = list(modes)
    if _AUTO in modes:
        raise ValueError(f"{_AUTO!r} is a chain of its own: give the word alone, not among others")
    chain = tuple(dict.fromkeys(map(LinkMode, modes)))
    if not chain:
        raise ValueError("the chain of link modes is empty: name at least one mode")
    return chain
