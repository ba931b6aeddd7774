"""Where a wheel lies unpacked."""

from __future__ import annotations

import os
from contextlib import nullcontext
from typing import TYPE_CHECKING, TypeVar

from wheel_linker._compat.named_tuple import NamedTuple
from wheel_linker.errors import InvalidWheelError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from contextlib import AbstractContextManager

    from wheel_linker._fs.folder import Parts
    from wheel_linker._wheel.filename import WheelFilename
    from wheel_linker._wheel.record import Row
    from wheel_linker._wheel.record_problems import RecordProblem
    from wheel_linker._wheel.tree import Tree


class UnpackedWheel(NamedTuple):
    """Where a wheel lies unpacked, and what its file was called.

    :ivar path: the root of the unpacked wheel.
    :ivar filename: the name of the wheel file; None if the wheel has its one ``*.dist-info``, which says it.
    """

    path: str | os.PathLike[str]
    filename: WheelFilename | str | None = None

    def renamed(self, filename: WheelFilename | str) -> UnpackedWheel:
        """Return the same wheel under another file name."""
        return UnpackedWheel(self.path, filename)

    def file(self) -> str | None:
        """Return the path of the ``.whl`` file that it was unpacked from, for messages; None if nobody told."""
        return None

    @property
    def trusted(self) -> bool:
        """Whether nobody but the caller and root can have written its files, or the caller trusts who could."""
        return False

    @property
    def shares_all(self) -> bool:
        """Whether its files are hard-linked and symlinked without a look at their owners and bits.

        Otherwise those of a third user, and those with set-id bits, are cloned or copied.
        """
        return self.trusted

    @property
    def verified(self) -> bool:
        """Whether what is in it was checked when it was unpacked, so that it is unlikely to be refused now."""
        return False

    @property
    def looks_late(self) -> bool:
        """Whether its files are looked at when they are linked, since nobody has done so since they were unpacked."""
        return False

    def hold(self) -> AbstractContextManager[object]:
        """Keep it in place while it is linked; that of a store is kept from being removed from there.

        :raises InvalidWheelError: when entered, if it was removed before.
        """
        return nullcontext()

    def note_symlinks(self) -> None:
        """Take note that symlinks to its files have been made."""

    def known_tree(self) -> Tree | None:
        """Return what is in it, where that is known without a look; None where it has to be scanned."""
        return None

    def known_rows(
        self,
        below: Collection[Parts] | None = None,  # noqa: ARG002 - for stores
    ) -> Mapping[str, Row] | None:
        """Return what an installed ``RECORD`` says of each file, where that is known; None where it is not.

        :param below: the first two names of the directories whose files are asked for; all by default.
        """
        return None

    def carried_rows(self) -> bytes | None:
        """Return the rows of an installed ``RECORD`` that are the same everywhere, where they are known."""
        return None

    def record_problems(self) -> tuple[RecordProblem, ...]:
        """Return what is known not to be right about its ``RECORD``."""
        return ()


_Given = TypeVar("_Given")

WheelLike = str | os.PathLike[str] | UnpackedWheel
"""What is accepted as an unpacked wheel: its root directory, with or without its file name."""


def unpacked(wheel: WheelLike) -> UnpackedWheel:
    """Return ``wheel`` as an :class:`UnpackedWheel`."""
    return wheel if isinstance(wheel, UnpackedWheel) else UnpackedWheel(wheel)


def listed(wheels: Iterable[_Given]) -> list[_Given]:
    """Return the wheels as a list.

    :raises InvalidWheelError: if one path was given, whose characters would be taken for wheels.
    """
    if isinstance(wheels, (str, bytes, os.PathLike, UnpackedWheel)):
        raise InvalidWheelError(
            f"{wheels!r} is one wheel and not several: give a list, [{wheels!r}]"
        )
    return list(wheels)
