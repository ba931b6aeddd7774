"""The public calls about an environment as a whole: keep it in step, look before it is changed, check it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from wheel_linker._api import link_options
from wheel_linker._fs.timestamps import refuse_no_time
from wheel_linker._link.locks import Locks
from wheel_linker._wheel.bytecode import is_bytecode, level
from wheel_linker._wheel.conflicts import refuse_unknown
from wheel_linker._wheel.record_problems import refuse_unknown_record
from wheel_linker._wheel.unpacked import listed
from wheel_linker.install._changes.given import all_unpacked, notes_for, with_unpacked
from wheel_linker.install._changes.looking import undisturbed
from wheel_linker.install._changes.syncing import foreseen_sync, sync
from wheel_linker.install._present.distributions import find_distributions, is_remnant
from wheel_linker.install._present.installed import described
from wheel_linker.install.installing import InstallOptions, foreseen
from wheel_linker.install.report import ChangePlan, Replacement

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from wheel_linker._link.options import LinkOptions, MustCopy
    from wheel_linker._wheel.conflicts import OnConflict
    from wheel_linker._wheel.record_problems import RecordMode
    from wheel_linker._wheel.unpacked import WheelLike
    from wheel_linker.backends import Backend
    from wheel_linker.install.installing import Change
    from wheel_linker.install.layout import Layout
    from wheel_linker.install.report import SyncReport
    from wheel_linker.mode import Modes
    from wheel_linker.store import WheelStore


def sync_wheels(
    wheels: Iterable[WheelLike],
    layout: Layout,
    *,
    keep: Collection[str] = (),
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
) -> SyncReport:
    """Make an environment hold exactly these wheels, completely, or leave it as it was.

    What is there in the same version with the same files, by the hashes in its ``RECORD``, is left alone. The rest is
    installed, replaced or removed in one step: nobody else installs in between.

    :param wheels: as for :func:`install_wheels`.
    :param layout: the environment.
    :param keep: the names of other distributions that may stay as they are, such as pip.
    :param store: as for :func:`install_wheel`; without one every ``.whl`` file is unpacked each time.
    :param mode: as for :func:`install_wheel`.
    :param locks: as for :func:`install_wheel`.
    :param jobs: as for :func:`install_wheels`.
    :param on_conflict: as for :func:`install_wheels`.
    :param progress: as for :func:`install_wheels`.
    :param installer: as for :func:`install_wheel`.
    :param requested: as for :func:`install_wheels`; what is left alone keeps its notes.
    :param direct_urls: as for :func:`install_wheels`.
    :param compile_bytecode: as for :func:`install_wheel`.
    :param optimize: as for :func:`install_wheel`.
    :param must_copy: as for :func:`install_wheel`.
    :param record: as for :func:`install_wheel`.
    :param backend: as for :func:`install_wheel`.
    :param native_mode: as for :func:`install_wheel`.
    :param check_tags: as for :func:`install_wheels`, for what has to be installed.
    :param timestamp: as for :func:`install_wheels`.
    :param durable: as for :func:`install_wheels`.
    :param dry_run: whether nothing is touched, and the report says what would become of it.
    :returns: what was done, and what was left alone.
    :raises PackageConflictError: as for :func:`install_wheels`.
    :raises InvalidWheelError: as for :func:`install_wheels`.
    :raises NoRecordError: if something that has to go has no ``RECORD``. Nothing has been touched then.
    :raises LinkError: as for :func:`install_wheels`.
    :raises ValueError: as for :func:`install_wheels`.
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
    return with_unpacked(
        listed(wheels),
        layout,
        store,
        how,
        record,
        lambda given: sync(given, layout, keep, how, options),
        dry_run=dry_run,
    )


def plan_install(
    wheels: Iterable[WheelLike],
    layout: Layout,
    *,
    store: WheelStore | None = None,
    mode: Modes = None,
    record: RecordMode = "lenient",
    check_tags: bool = False,
) -> ChangePlan:
    """Tell what :func:`install_wheels` would do, and touch nothing in the environment.

    :param wheels: as for :func:`install_wheels`.
    :param layout: the environment.
    :param store: as for :func:`install_wheel`; without one ``.whl`` files are unpacked in the system's temporary place.
    :param mode: as for :func:`install_wheel`.
    :param record: as for :func:`install_wheel`.
    :param check_tags: as for :func:`install_wheels`.
    :returns: what would be done.
    :raises InvalidWheelError: as for :func:`install_wheels`.
    :raises NoRecordError: as for :func:`install_wheels`.
    :raises LinkError: if something cannot be read.
    :raises ValueError: for an unknown mode, an empty chain, or an unknown ``record``.
    """
    how, options = _looking(mode, record, check_tags)
    with (
        all_unpacked(
            listed(wheels), layout, store, how, record, dry_run=True, looks_late=True
        ) as given,
        undisturbed(layout, how.locks),
    ):
        return _told(foreseen(given, layout, how, options), how)


def plan_sync(
    wheels: Iterable[WheelLike],
    layout: Layout,
    *,
    keep: Collection[str] = (),
    store: WheelStore | None = None,
    mode: Modes = None,
    record: RecordMode = "lenient",
    check_tags: bool = False,
) -> ChangePlan:
    """Tell what :func:`sync_wheels` would do, and touch nothing in the environment.

    :param wheels: as for :func:`sync_wheels`.
    :param layout: the environment.
    :param keep: as for :func:`sync_wheels`.
    :param store: as for :func:`plan_install`.
    :param mode: as for :func:`install_wheel`.
    :param record: as for :func:`install_wheel`.
    :param check_tags: as for :func:`install_wheels`.
    :returns: what would be done.
    :raises InvalidWheelError: as for :func:`sync_wheels`.
    :raises NoRecordError: as for :func:`sync_wheels`.
    :raises LinkError: if something cannot be read.
    :raises ValueError: as for :func:`plan_install`.
    """
    how, options = _looking(mode, record, check_tags)
    with (
        all_unpacked(
            listed(wheels), layout, store, how, record, dry_run=True, looks_late=True
        ) as given,
        undisturbed(layout, how.locks),
    ):
        return _told(foreseen_sync(given, layout, keep, how, options), how)


def plan_uninstall(name: str | Collection[str], layout: Layout) -> ChangePlan:
    """Tell what :func:`uninstall` would do, and touch nothing.

    :param name: one name or several, as for :func:`uninstall`.
    :param layout: the environment.
    :returns: what would be done.
    :raises NotInstalledError: as for :func:`uninstall`.
    :raises NoRecordError: as for :func:`uninstall`.
    :raises LinkError: if something cannot be read.
    """
    from wheel_linker.install.uninstalling import foreseen_removal

    names = [name] if isinstance(name, str) else list(name)
    with undisturbed(layout, Locks()):
        reports = foreseen_removal(names, layout)
        there = [one for one in find_distributions(layout) if not is_remnant(one)]
    going = {report.name for report in reports}
    return ChangePlan(
        (),
        (),
        tuple(described(one) for one in there if one.name in going),
        tuple(described(one) for one in there if one.name not in going),
        (),
        (),
        0,
        0,
        tuple(sorted(path for report in reports for path in report.removed)),
    )


def _looking(
    mode: Modes, record: RecordMode, check_tags: bool
) -> tuple[LinkOptions, InstallOptions]:
    refuse_unknown_record(record)
    how = link_options(mode, None, None, None, None, None)
    return how, InstallOptions(
        notes_for("wheel-linker", False, {}),
        "ignore",
        False,
        record,
        dry_run=True,
        check_tags=check_tags,
    )


def _told(made: Change, how: LinkOptions) -> ChangePlan:
    outdated = made.outdated
    names = {one.wheel.name.name for one in made.plans}
    versions: dict[str, list[str]] = {}
    for older in outdated.distributions:
        versions.setdefault(older.name, []).append(older.version)
    sizes = [one.recorded_sizes() for one in made.plans]
    going = (*outdated.files, *outdated.notes, *outdated.records)
    return ChangePlan(
        tuple(one.wheel.name for one in made.plans if one.wheel.name.name not in versions),
        tuple(
            Replacement(one.wheel.name, tuple(versions[one.wheel.name.name]))
            for one in made.plans
            if one.wheel.name.name in versions
        ),
        tuple(described(one) for one in outdated.distributions if one.name not in names),
        tuple(described(one) for one in made.others if not is_remnant(one)),
        made.conflicts,
        how.chain,
        sum(files for files, _ in sizes),
        sum(size for _, size in sizes),
        tuple(sorted(path for path in going if os.path.lexists(path) and not is_bytecode(path))),
    )
