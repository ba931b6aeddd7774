"""Wheel files given on the command line, unpacked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wheel_linker._archive.wheel_file import is_archive

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wheel_linker._wheel.unpacked import WheelLike
    from wheel_linker.store import WheelStore


def unpack_archives(wheels: Sequence[str], place: str, jobs: int) -> list[WheelLike]:
    """Unpack those of the wheels that are ``.whl`` files into a store of their own at ``place``.

    :param jobs: how many threads do so.
    :returns: the wheels in their order, all unpacked.
    :raises InvalidWheelError: as for :meth:`~wheel_linker.store.WheelStore.add`.
    :raises LinkError: as for :meth:`~wheel_linker.store.WheelStore.add`.
    """
    from wheel_linker.store import WheelStore

    with WheelStore(place, jobs=jobs) as store:
        return add_archives(store, wheels)


def add_archives(store: WheelStore, wheels: Sequence[str]) -> list[WheelLike]:
    """Return the wheels in their order, with those that are ``.whl`` files added to the store; errors as there."""
    stored = iter(store.add_all([wheel for wheel in wheels if is_archive(wheel)]))
    return [next(stored) if is_archive(wheel) else wheel for wheel in wheels]
