"""The public calls, and what they accept."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from wheel_linker._api import link_options
from wheel_linker._archive.wheel_file import is_archive
from wheel_linker._fs.temporary import private_directory
from wheel_linker._link.locks import Locks
from wheel_linker._wheel.conflicts import refuse_unknown
from wheel_linker._wheel.filename import normalised
from wheel_linker._wheel.record_problems import refuse_unknown_record
from wheel_linker._wheel.unpacked import UnpackedWheel, unpacked
from wheel_linker.errors import InvalidWheelError, LinkError
from wheel_linker.install.installing import InstallOptions, install
from wheel_linker.install.plan import Notes
from wheel_linker.install.uninstalling import remove
from wheel_linker.mode import LinkMode
from wheel_linker.store import WheelStore

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from wheel_linker._link.options import LinkOptions, MustCopy
    from wheel_linker._wheel.conflicts import OnConflict
    from wheel_linker._wheel.record_problems import RecordMode
    from wheel_linker._wheel.unpacked import WheelLike
    from wheel_linker.backends import Backend
    from wheel_linker.install.layout import Layout
    from wheel_linker.install.report import InstallReport, UninstallReport
    from wheel_linker.mode import Modes


def install_wheel(
    wheel: WheelLike,
    layout: Layout,
    *,
    store: WheelStore | None = None,
    mode: Modes = None,
    locks: Locks | None = None,
    installer: str = "wheel-linker",
    requested: bool = False,
    direct_url: Mapping[str, object] | None = None,
    compile_bytecode: bool = False,
    must_copy: MustCopy | None = None,
    record: RecordMode = "lenient",
    backend: Backend | None = None,
) -> InstallReport:
    """Install one wheel into an environment, completely or not at all.

    A version of the same distribution that is there is replaced: files that the new one lacks go, unless another
    distribution has them too.

    :param wheel: a ``.whl`` file, or the root of an unpacked wheel, as a path or an
        :class:`~wheel_linker.UnpackedWheel`.
    :param layout: the environment.
    :param store: where a ``.whl`` file is unpacked, and kept for the next time; by default in a temporary place on
        the environment's file system.
    :param mode: one mode, a fallback chain, ``"auto"``, or None for the platform's default.
    :param locks: what threads that install into the same environment share.
    :param installer: what ``INSTALLER`` says.
    :param requested: whether the user asked for this distribution, which ``REQUESTED`` says (PEP 376); else it is there
        for others.
    :param direct_url: what ``direct_url.json`` says (PEP 610): where the distribution came from, if not from an index.
    :param compile_bytecode: whether the environment's interpreter compiles the sources, after they are in place.
    :param must_copy: called with each linked file's path relative to the wheel: whether it will be edited, and so needs
        a copy of its own where others are hard links or symlinks.
    :param record: what it means that the wheel's ``RECORD`` is not right: ``"lenient"`` notes it in the report, warns,
        and installs what is there; ``"strict"`` refuses the wheel.
    :param backend: how to clone; the platform's own by default.
    :returns: what became of it.
    :raises InvalidWheelError: if it is no wheel that can be installed. Nothing has been touched then.
    :raises NoRecordError: if a version that is there has no ``RECORD``. Nothing has been touched then.
    :raises LinkError: if the file system refuses something. The environment is as it was before then, unless it is only
        the interpreter that cannot be run to compile.
    :raises ValueError: for an unknown mode or an empty chain.
    """
    refuse_unknown_record(record)
    how = link_options(mode, locks, must_copy, 1, None, backend)
    notes = Notes(installer, requested, direct_url)
    options = InstallOptions(lambda _: notes, "ignore", compile_bytecode, record)
    (report,) = _install([wheel], layout, store, how, options)
    return report


def install_wheels(
    wheels: Iterable[WheelLike],
    layout: Layout,
    *,
    store: WheelStore | None = None,
    mode: Modes = None,
    locks: Locks | None = None,
    jobs: int | None = None,
    on_conflict: OnConflict = "ignore",
    progress: Callable[[int], None] | None = None,
    installer: str = "wheel-linker",
    requested: bool | Collection[str] = False,
    direct_urls: Mapping[str, Mapping[str, object]] | None = None,
    compile_bytecode: bool = False,
    must_copy: MustCopy | None = None,
    record: RecordMode = "lenient",
    durable: bool = False,
    backend: Backend | None = None,
) -> list[InstallReport]:
    """Install many wheels into an environment, in parallel: all of them completely, or none.

    Where two wheels supply the same path the later one wins, whatever the number of threads.

    :param wheels: as for :func:`install_wheel`; no two of the same distribution.
    :param layout: the environment.
    :param store: as for :func:`install_wheel`.
    :param mode: as for :func:`install_wheel`.
    :param locks: as for :func:`install_wheel`.
    :param jobs: how many threads, the caller's included; by default as many as this process may use CPUs. Helper
        processes as for :func:`~wheel_linker.link_wheel_files`.
    :param on_conflict: what to do if wheels supply the same path with different contents, or a distribution that is
        installed and stays does: ``"ignore"``, ``"warn"`` (one
        :class:`~wheel_linker.PackageConflictWarning` for each) or ``"error"``.
    :param progress: called with the number of files linked since the last call, in whichever thread did so, one call
        at a time.
    :param installer: as for :func:`install_wheel`.
    :param requested: whether the user asked for these distributions, or the names of those that are asked for.
    :param direct_urls: by the distribution's name, what ``direct_url.json`` says.
    :param compile_bytecode: as for :func:`install_wheel`.
    :param must_copy: as for :func:`install_wheel`.
    :param record: as for :func:`install_wheel`.
    :param durable: whether all files are on the disk before a name of them can be seen, so that after a power cut there
        is a ``*.dist-info`` only if everything before it is there, too. It takes as long as the disk does for what
        was written lately, by others as well.
    :param backend: as for :func:`install_wheel`.
    :returns: what became of each wheel, in the order given.
    :raises PackageConflictError: if ``on_conflict`` is ``"error"`` and there are conflicts. Nothing has been touched
        then.
    :raises InvalidWheelError: as for :func:`install_wheel`, or if two are of the same distribution.
    :raises NoRecordError: as for :func:`install_wheel`.
    :raises LinkError: as for :func:`install_wheel`.
    :raises ValueError: for an unknown mode, an empty chain, fewer than one job, or an unknown ``on_conflict``.
    """
    refuse_unknown(on_conflict)
    refuse_unknown_record(record)
    how = link_options(mode, locks, must_copy, jobs, progress, backend)
    notes = _notes(installer, requested, direct_urls or {})
    options = InstallOptions(notes, on_conflict, compile_bytecode, record, durable)
    return _install(list(wheels), layout, store, how, options)


def uninstall(name: str, layout: Layout, *, locks: Locks | None = None) -> UninstallReport:
    """Remove a distribution from an environment, completely or not at all, whichever tool installed it.

    What goes is what its ``RECORD`` names, with the bytecode of its sources and the directories that are empty then.
    Files outside of the environment's directories, and those that another distribution has too, stay. Of an editable
    install the environment's part goes, its ``.pth`` file included, and the project's own directory is left alone.

    :param name: the distribution's name, however it is written.
    :param layout: the environment.
    :param locks: what threads that install into the same environment share.
    :returns: what was removed, and what was kept.
    :raises NotInstalledError: if there is no such distribution. Nothing has been touched then.
    :raises NoRecordError: if it has no ``RECORD``. Nothing has been touched then.
    :raises LinkError: if the file system refuses something. The environment is as it was before then.
    """
    return remove(name, layout, Locks() if locks is None else locks)


def _notes(
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


def _install(
    wheels: Sequence[WheelLike],
    layout: Layout,
    store: WheelStore | None,
    how: LinkOptions,
    options: InstallOptions,
) -> list[InstallReport]:
    with _all_unpacked(wheels, layout, store, how, options.record) as given:
        return install(given, layout, how, options)


@contextmanager
def _all_unpacked(
    wheels: Sequence[WheelLike],
    layout: Layout,
    store: WheelStore | None,
    how: LinkOptions,
    record: RecordMode,
) -> Iterator[list[UnpackedWheel]]:
    """Have every wheel unpacked, as long as it takes to install them."""
    for wheel in wheels:
        _refuse_missing(_path_of(wheel))
    if store is not None:
        yield _unpacked(wheels, store, record)
        return
    archives = [path for path in map(_path_of, wheels) if is_archive(path)]
    if not archives:
        yield _unpacked(wheels, store, record)
        return
    if LinkMode.SYMLINK in how.chain:
        raise LinkError(
            f"cannot symlink {archives[0]!r}: the symlinks would point to a temporary place; give a store, or choose "
            "other modes"
        )
    with (
        private_directory(layout.schemes["purelib"]) as place,
        WheelStore(place, jobs=how.jobs) as temporary,
    ):
        yield _unpacked(wheels, temporary, record)


def _unpacked(
    wheels: Sequence[WheelLike], store: WheelStore | None, record: RecordMode
) -> list[UnpackedWheel]:
    if store is None:
        return [unpacked(wheel) for wheel in wheels]
    # Those unpacked already keep what is known of them besides their paths.
    paths = [_path_of(wheel) for wheel in wheels]
    packed = [is_archive(path) for path in paths]
    archives = [path for path, is_packed in zip(paths, packed) if is_packed]
    stored = iter(store.add_all(archives, record=record))
    return [
        next(stored) if is_packed else unpacked(wheel) for wheel, is_packed in zip(wheels, packed)
    ]


def _refuse_missing(path: str) -> None:
    """Say what was wanted where there is nothing: what comes later knows of one kind of wheel only."""
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError, ValueError) as error:
        raise InvalidWheelError(
            f"no wheel at {path!r}: give a .whl file, or the directory that one was unpacked into"
        ) from error
    except OSError:
        return  # whoever reads it says why that fails


def _path_of(wheel: WheelLike) -> str:
    return os.fsdecode(wheel.path if isinstance(wheel, UnpackedWheel) else wheel)
