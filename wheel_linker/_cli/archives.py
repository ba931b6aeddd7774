"""Wheel files given on the command line, unpacked."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from wheel_linker._archive.wheel_file import is_archive

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from wheel_linker._wheel.progress import Progress
    from wheel_linker._wheel.record_problems import RecordMode
    from wheel_linker._wheel.unpacked import WheelLike
    from wheel_linker.store import WheelStore


@contextmanager
def unpacked_archives(
    wheels: Sequence[str],
    place: str,
    jobs: int,
    record: RecordMode = "lenient",
    progress: Progress | None = None,
) -> Iterator[list[WheelLike]]:
    """Unpack those of the wheels that are ``.whl`` files into a store of their own at ``place``.

    Yields the wheels in their order, all unpacked. At the end nothing of the store is open: Windows would not let it
    be removed.

    :param jobs: how many threads do so.
    :param record: what a ``RECORD`` that is not right means.
    :param progress: what shows how much is unpacked.
    :raises InvalidWheelError: as for :meth:`~wheel_linker.store.WheelStore.add`.
    :raises LinkError: as for :meth:`~wheel_linker.store.WheelStore.add`.
    """
    from wheel_linker.store import WheelStore

    with WheelStore(place, jobs=jobs) as store:
        yield add_archives(store, wheels, record, progress)


def add_archives(
    store: WheelStore,
    wheels: Sequence[str],
    record: RecordMode = "lenient",
    progress: Progress | None = None,
) -> list[WheelLike]:
    """Return the wheels in their order, with those that are ``.whl`` files added to the store.

    The errors are those of ``add_all``.
    """
    archives = [wheel for wheel in wheels if is_archive(wheel)]
    stored = iter(store.add_all(archives, record=record, progress=progress))
    return [next(stored) if is_archive(wheel) else wheel for wheel in wheels]
