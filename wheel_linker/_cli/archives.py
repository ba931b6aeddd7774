"""Wheel files given on the command line, unpacked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wheel_linker._archive.wheel_file import is_archive

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wheel_linker._wheel.record_problems import RecordMode
    from wheel_linker._wheel.unpacked import WheelLike
    from wheel_linker.store import WheelStore


def unpack_archives(
    wheels: Sequence[str], place: str, jobs: int, record: RecordMode = "lenient"
) -> list[WheelLike]:
    """Unpack those of the wheels that are ``.whl`` files into a store of their own at ``place``.

    :param jobs: how many threads do so.
    :param record: what a ``RECORD`` that is not right means.
    :returns: the wheels in their order, all unpacked.
    :raises InvalidWheelError: as for :meth:`~wheel_linker.store.WheelStore.add`.
    :raises LinkError: as for :meth:`~wheel_linker.store.WheelStore.add`.
    """
    from wheel_linker.store import WheelStore

    with WheelStore(place, jobs=jobs) as store:
        return add_archives(store, wheels, record)


def add_archives(
    store: WheelStore, wheels: Sequence[str], record: RecordMode = "lenient"
) -> list[WheelLike]:
    """Return the wheels in their order, with those that are ``.whl`` files added to the store; errors as there."""
    archives = [wheel for wheel in wheels if is_archive(wheel)]
    stored = iter(store.add_all(archives, record=record))
    return [next(stored) if is_archive(wheel) else wheel for wheel in wheels]
