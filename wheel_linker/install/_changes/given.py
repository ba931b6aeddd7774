"""What the calls are given: wheels, packed or not, and what to note of each."""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, TypeVar

from wheel_linker._archive.wheel_file import is_archive, wanted_at
from wheel_linker._log import WarningOnce, log
from wheel_linker._threads import telling_of_completion
from wheel_linker._wheel.dist_info import only_dist_info
from wheel_linker._wheel.filename import WheelFilename, normalised
from wheel_linker._wheel.tree import NotAsUnpackedError
from wheel_linker._wheel.unpacked import UnpackedWheel, unpacked
from wheel_linker.errors import LinkError, refused
from wheel_linker.install._changes.naming import adding_archives, archives_of, naming_archives
from wheel_linker.install.plan import Notes
from wheel_linker.mode import LinkMode

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from wheel_linker._link.options import LinkOptions
    from wheel_linker._wheel.progress import Progress
    from wheel_linker._wheel.record_problems import RecordMode
    from wheel_linker._wheel.unpacked import WheelLike
    from wheel_linker.install.layout import Layout
    from wheel_linker.store import WheelStore

_Outcome = TypeVar("_Outcome")


def own_filename(wheel: UnpackedWheel) -> WheelFilename:
    """Return what a wheel is called, by its file name or its one ``*.dist-info``.

    :raises InvalidWheelError: if it has neither.
    """
    if isinstance(wheel.filename, WheelFilename):
        return wheel.filename
    if wheel.filename is not None:
        return WheelFilename.parse(wheel.filename)
    path = os.fsdecode(wheel.path)
    with refused(f"read the unpacked wheel {path!r}", source=path):
        names = os.listdir(path)
    remedy = "give the wheel's file name"
    return WheelFilename.from_dist_info(
        only_dist_info(names, f"the unpacked wheel {path!r}", remedy)
    )


def notes_for(
    installer: str,
    requested: bool | Collection[str],
    direct_urls: Mapping[str, Mapping[str, object]],
) -> Callable[[str], Notes]:
    """Return what tells the notes for a distribution by its normalised name."""
    everything = requested is True
    names = set() if isinstance(requested, bool) else set(map(normalised, requested))
    urls = {normalised(name): url for name, url in direct_urls.items()}

    def notes(name: str) -> Notes:
        return Notes(installer, everything or name in names, urls.get(normalised(name)))

    return notes


def with_unpacked(
    wheels: Sequence[WheelLike],
    layout: Layout,
    store: WheelStore | None,
    how: LinkOptions,
    record: RecordMode,
    change: Callable[[list[UnpackedWheel]], _Outcome],
    *,
    dry_run: bool = False,
) -> _Outcome:
    """Change an environment with wheels that are unpacked, as long as that takes, and return the outcome.

    Files that a store has are looked at when they are linked. If one of them is not as it was unpacked, nothing has
    been changed yet. Then all files are looked at first, which mends what can be mended, and the change is begun anew.

    :param change: called with the wheels; a second time if it ends with :exc:`NotAsUnpackedError`.
    :param dry_run: as for :func:`all_unpacked`.
    """
    done: list[_Outcome] = []
    # An interrupt may come when everything is done: to remove what was unpacked for the moment may take long.
    with WarningOnce(), telling_of_completion(lambda: bool(done) and not dry_run):
        if store is not None and not how.clones_whole():
            try:
                with all_unpacked(
                    wheels, layout, store, how, record, dry_run=dry_run, looks_late=True
                ) as given:
                    done.append(change(given))
            except NotAsUnpackedError as error:
                log("%s: looking at all files of these wheels, and beginning anew", error)
                how.progress.begin_anew()
        if not done:
            with all_unpacked(wheels, layout, store, how, record, dry_run=dry_run) as given:
                done.append(change(given))
    return done[0]


@contextmanager
def all_unpacked(
    wheels: Sequence[WheelLike],
    layout: Layout,
    store: WheelStore | None,
    how: LinkOptions,
    record: RecordMode,
    *,
    dry_run: bool = False,
    looks_late: bool = False,
) -> Iterator[list[UnpackedWheel]]:
    """Have every wheel unpacked, as long as it takes to install them.

    :param dry_run: whether nothing may be written to the environment, either.
    :param looks_late: whether what lies in the store already is looked at when it is linked, and not before.
    """
    for wheel in wheels:
        _refuse_missing(_path_of(wheel))
    if store is not None:
        from wheel_linker.store.wheel_store import for_one_call, looking_late  # loaded already

        with for_one_call(store) as kept, adding_archives() as given:
            of_call = looking_late(kept) if looks_late else kept
            given.extend(_unpacked(wheels, of_call, record, how.progress))
            yield given
        return
    archives = [path for path in map(_path_of, wheels) if is_archive(path)]
    if not archives:
        yield _unpacked(wheels, store, record, how.progress)
        return
    if LinkMode.SYMLINK in how.modes() and not dry_run:
        raise LinkError(
            f"cannot symlink {archives[0]!r}: the symlinks would point to a temporary place; give a store, or choose "
            "other modes"
        )
    from tempfile import gettempdir

    from wheel_linker._fs.temporary import private_directory
    from wheel_linker.store.wheel_store import TemporaryStore

    library = gettempdir() if dry_run else layout.schemes["purelib"]
    with (
        private_directory(library) as place,
        naming_archives(place, library) as files,
        TemporaryStore(place, jobs=how.jobs) as temporary,
    ):
        given = _unpacked(wheels, temporary, record, how.progress)
        files.update(archives_of(given))
        yield given


def _unpacked(
    wheels: Sequence[WheelLike],
    store: WheelStore | None,
    record: RecordMode,
    progress: Progress,
) -> list[UnpackedWheel]:
    if store is None:
        return [unpacked(wheel) for wheel in wheels]
    # Wheels that are unpacked already are kept as objects, which may know more than a path.
    paths = [_path_of(wheel) for wheel in wheels]
    packed = [is_archive(path) for path in paths]
    archives = [path for path, is_packed in zip(paths, packed) if is_packed]
    stored = iter(store.add_all(archives, record=record, progress=progress))
    return [
        next(stored) if is_packed else unpacked(wheel) for wheel, is_packed in zip(wheels, packed)
    ]


def _refuse_missing(path: str) -> None:
    """Refuse a path where there is nothing, and say what may be given. Later errors know of one kind of wheel only."""
    # For any other error, the function that reads the wheel says why it fails.
    with (
        suppress(OSError),
        wanted_at(path, "a .whl file, or the directory that one was unpacked into"),
    ):
        os.stat(path)


def _path_of(wheel: WheelLike) -> str:
    return os.fsdecode(wheel.path if isinstance(wheel, UnpackedWheel) else wheel)
