"""The public calls, and what they accept."""

from __future__ import annotations

from typing import TYPE_CHECKING, overload

from wheel_linker._api import link_options
from wheel_linker._fs.timestamps import refuse_no_time
from wheel_linker._link.locks import Locks
from wheel_linker._wheel.bytecode import level
from wheel_linker._wheel.conflicts import refuse_unknown
from wheel_linker._wheel.record_problems import refuse_unknown_record
from wheel_linker._wheel.unpacked import listed
from wheel_linker.install._changes.given import notes_for, with_unpacked
from wheel_linker.install.installing import InstallOptions, change
from wheel_linker.install.plan import Notes

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from wheel_linker._link.options import LinkOptions, MustCopy
    from wheel_linker._wheel.conflicts import OnConflict
    from wheel_linker._wheel.record_problems import RecordMode
    from wheel_linker._wheel.unpacked import UnpackedWheel, WheelLike
    from wheel_linker.backends import Backend
    from wheel_linker.install.layout import Layout
    from wheel_linker.install.report import InstallReport, UninstallReport
    from wheel_linker.mode import Modes
    from wheel_linker.store import WheelStore


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
    optimize: int = 0,
    must_copy: MustCopy | None = None,
    record: RecordMode = "lenient",
    backend: Backend | None = None,
    native_mode: Modes = None,
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
    :param compile_bytecode: whether the sources come with bytecode, which ``RECORD`` names. A store has the
        environment's interpreter make it once and keeps it; it is placed like other files then, unless files get a
        ``timestamp``. Without a store the interpreter compiles the sources after they are in place.
    :param optimize: the level of optimization of the bytecode: 0, 1 as for ``python -O``, or 2 as for ``python -OO``.
    :param must_copy: called with each linked file's path relative to the wheel: whether it will be edited, and so needs
        a copy of its own where others are hard links or symlinks.
    :param record: what it means that the wheel's ``RECORD`` is not right: ``"lenient"`` notes it in the report, warns,
        and installs what is there; ``"strict"`` refuses the wheel.
    :param backend: how to clone; the platform's own by default.
    :param native_mode: as ``mode``, for native libraries and files that are executable, as for
        :func:`~wheel_linker.link_wheel_files`.
    :returns: what became of it.
    :raises InvalidWheelError: if it is no wheel that can be installed. Nothing has been touched then.
    :raises NoRecordError: if a version that is there has no ``RECORD``. Nothing has been touched then.
    :raises LinkError: if the file system refuses something, or another thread or process changes the environment for
        too long (:exc:`~wheel_linker.LockTimeoutError`). The environment is as it was before then, with one exception:
        it stays changed if the interpreter cannot be run to compile, or ``RECORD`` cannot be written with the bytecode.
    :raises ValueError: for an unknown mode, an empty chain, an unknown ``record``, or another level of optimization.
    """
    refuse_unknown_record(record)
    how = link_options(mode, locks, must_copy, 1, None, backend, native_mode)
    notes = Notes(installer, requested, direct_url)
    options = InstallOptions(
        lambda _: notes, "ignore", compile_bytecode, record, optimize=level(optimize)
    )
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
    progress: Callable[[int], object] | None = None,
    installer: str = "wheel-linker",
    requested: bool | Collection[str] = False,
    direct_urls: Mapping[str, Mapping[str, object]] | None = None,
    compile_bytecode: bool = False,
    optimize: int = 0,
    must_copy: MustCopy | None = None,
    record: RecordMode = "lenient",
    backend: Backend | None = None,
    native_mode: Modes = None,
    check_tags: bool = False,
    timestamp: int | None = None,
    durable: bool = False,
    dry_run: bool = False,
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
    :param progress: called with the number of files unpacked or linked since the last call, in whichever thread did so,
        one call at a time; a :class:`~wheel_linker.ProgressBar` is told the total and more. An exception that it
        raises ends the call, and the environment is as it was before. It must not be an :exc:`OSError`.
    :param installer: as for :func:`install_wheel`.
    :param requested: whether the user asked for these distributions, or the names of those that are asked for.
    :param direct_urls: by the distribution's name, what ``direct_url.json`` says.
    :param compile_bytecode: as for :func:`install_wheel`.
    :param optimize: as for :func:`install_wheel`.
    :param must_copy: as for :func:`install_wheel`.
    :param record: as for :func:`install_wheel`.
    :param backend: as for :func:`install_wheel`.
    :param native_mode: as for :func:`install_wheel`.
    :param check_tags: whether wheels are refused whose tags the environment's interpreter does not support, or whose
        ``Requires-Python`` excludes it.
    :param timestamp: the time, in seconds since 1970, that files and directories get which are not links into a cache;
        ``SOURCE_DATE_EPOCH`` for images that are to be the same each time. A process that runs in the environment
        meanwhile may need :func:`importlib.invalidate_caches`.
    :param durable: whether a ``*.dist-info`` appears only when everything else is on the disk, so that not even a power
        cut makes an incomplete installation look complete.
    :param dry_run: whether nothing is touched, and the reports say what would become of each wheel, as far as that is
        known before it is tried: the mode is the first of the chain.
    :returns: what became of each wheel, in the order given.
    :raises PackageConflictError: if ``on_conflict`` is ``"error"`` and there are conflicts. Nothing has been touched
        then.
    :raises InvalidWheelError: as for :func:`install_wheel`, or if two are of the same distribution.
    :raises NoRecordError: as for :func:`install_wheel`.
    :raises LinkError: as for :func:`install_wheel`.
    :raises ValueError: for an unknown mode, an empty chain, fewer than one job, an unknown ``on_conflict`` or
        ``record``, another level of optimization, or a ``timestamp`` that no file can have.
    """
    refuse_unknown(on_conflict)
    refuse_unknown_record(record)
    refuse_no_time(timestamp)
    how = link_options(mode, locks, must_copy, jobs, progress, backend, native_mode)
    options = InstallOptions(
        notes_for(installer, requested, direct_urls or {}),
        on_conflict,
        compile_bytecode,
        record,
        dry_run=dry_run,
        durable=durable,
        check_tags=check_tags,
        timestamp=timestamp,
        optimize=level(optimize),
    )
    return _install(listed(wheels), layout, store, how, options)


# A str is a collection of str, too.
@overload
def uninstall(  # type: ignore[overload-overlap]
    name: str, layout: Layout, *, locks: Locks | None = None, dry_run: bool = False
) -> UninstallReport: ...


@overload
def uninstall(
    name: Collection[str], layout: Layout, *, locks: Locks | None = None, dry_run: bool = False
) -> list[UninstallReport]: ...


def uninstall(
    name: str | Collection[str],
    layout: Layout,
    *,
    locks: Locks | None = None,
    dry_run: bool = False,
) -> UninstallReport | list[UninstallReport]:
    """Remove a distribution from an environment, completely or not at all, whichever tool installed it.

    Of several names all are removed, or none.

    What goes is what its ``RECORD`` names, with the bytecode of its sources and the directories that are empty then.
    Files outside of the environment's directories, and those that another distribution has too, stay. Of an editable
    install the environment's part goes, its ``.pth`` file included, and the project's own directory is left alone.

    :param name: the distribution's name, however it is written, or several names.
    :param layout: the environment.
    :param locks: what threads that install into the same environment share.
    :param dry_run: whether nothing is touched, and the report says what would be removed.
    :returns: what was removed, and what was kept; a list for several names, in their order.
    :raises NotInstalledError: if there is no such distribution. Nothing has been touched then.
    :raises NoRecordError: if it has no ``RECORD``, or one that names nothing in its own ``*.dist-info``. Nothing has
        been touched then.
    :raises LinkError: if the file system refuses something, or another thread or process changes the environment for
        too long (:exc:`~wheel_linker.LockTimeoutError`). The environment is as it was before then.
    """
    from wheel_linker.install.uninstalling import remove

    used = Locks() if locks is None else locks
    if isinstance(name, str):
        return remove([name], layout, used, dry_run=dry_run)[0]
    return remove(list(name), layout, used, dry_run=dry_run)


def _install(
    wheels: Sequence[WheelLike],
    layout: Layout,
    store: WheelStore | None,
    how: LinkOptions,
    options: InstallOptions,
) -> list[InstallReport]:
    def install(given: Sequence[UnpackedWheel]) -> list[InstallReport]:
        return list(change(given, layout, how, options).installed)

    return with_unpacked(
        wheels, layout, store, how, options.record, install, dry_run=options.dry_run
    )
