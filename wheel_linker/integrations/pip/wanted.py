"""What a lock asks for."""

from __future__ import annotations

from typing import Final

from wheel_linker._compat.named_tuple import NamedTuple
from wheel_linker.errors import WheelLinkerError

SHA256: Final = "sha256"


class NotLockedError(WheelLinkerError):
    """A file of requirements does not say of each one which file it is; pip has to resolve it."""


class Wanted(NamedTuple):
    """One distribution of a lock."""

    name: str
    digests: tuple[str, ...]
    """The SHA-256 of each file that would do."""
    line: str
    """The line of a requirements file that has pip fetch it."""
    version: str | None = None
    """The one version that it is pinned to; None where that is said in another way."""
    extras: tuple[str, ...] = ()
    """Which of its extras are wanted, too."""


class Lock(NamedTuple):
    """What a lock names for an interpreter."""

    wanted: list[Wanted]
    options: list[str]
    """Lines of a requirements file that are options for pip."""
    projects: list[str]
    """Lines of what has no file with a SHA-256, such as a directory: pip builds it, or installs it in place."""
