"""Paths that several wheels supply with different contents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

from wheel_linker._compat.named_tuple import NamedTuple
from wheel_linker.errors import WheelLinkerError, printable

if TYPE_CHECKING:
    from wheel_linker._wheel.filename import WheelFilename


OnConflict = Literal["ignore", "warn", "error"]
"""What to do about conflicts: nothing, a warning for each, or an error before anything is touched."""


class PackageConflict(NamedTuple):
    """One path that several wheels supply with different contents."""

    path: str
    """The path relative to ``site_packages``, with forward slashes."""
    wheels: tuple[WheelFilename, ...]
    """The wheels that supply it."""

    def __str__(self) -> str:
        return (
            f"The file `{printable(self.path)}` is provided by more than one package, with different contents. Only "
            f"one of them can be there, which can result in a broken module. {_listed(self)}"
        )


class Supplier(NamedTuple):
    """A wheel and what is in its root."""

    wheel: WheelFilename
    path: str
    files: tuple[str, ...]
    directories: tuple[str, ...]
    left_out: frozenset[str] = frozenset()
    """What is there and not supplied, by its path in the wheel, with forward slashes; of a directory everything."""


def as_race(conflict: PackageConflict) -> str:
    """Describe a conflict among wheels of several calls: which of them comes last is a matter of luck."""
    return (
        f"The file `{printable(conflict.path)}` is provided by more than one package, which causes an install race "
        f"condition and can result in a broken module. {_listed(conflict)}"
    )


def _listed(conflict: PackageConflict) -> str:
    wheels = "\n".join(printable(f"* {wheel.name} ({wheel})") for wheel in conflict.wheels)
    return f"Packages containing the file:\n{wheels}"


class PackageConflictError(WheelLinkerError):
    """Several wheels supply the same path with different contents.

    :ivar conflicts: what was found, a tuple of :class:`~wheel_linker.PackageConflict`.

    :param conflicts: what was found.
    """

    def __init__(self, conflicts: tuple[PackageConflict, ...]) -> None:
        super().__init__(conflicts)
        self.conflicts = conflicts

    def __str__(self) -> str:
        return "\n".join(str(conflict) for conflict in self.conflicts)


def refuse_unknown(on_conflict: str) -> None:
    """Check what to do about conflicts.

    :raises ValueError: if it is none of the accepted words.
    """
    words = get_args(OnConflict)
    if on_conflict not in words:
        raise ValueError(f"unknown on_conflict {on_conflict!r}: use one of {', '.join(words)}")
