"""Linking unpacked wheels into an environment: scan, check, stage, commit, refresh, report."""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

from wheel_linker._compat.named_tuple import NamedTuple
from wheel_linker._fs.destination import leading_to, resolved
from wheel_linker._fs.folder import Identity
from wheel_linker._fs.paths import is_within
from wheel_linker._fs.stage import PREFIX
from wheel_linker._link.fallback import warn_of_fallbacks
from wheel_linker._link.merge import StagedFiles, commit
from wheel_linker._link.options import AskedError
from wheel_linker._link.placer import Placer
from wheel_linker._link.report import note_symlinks
from wheel_linker._link.sites import opened_sites
from wheel_linker._link.staging import stage_all
from wheel_linker._log import warn_caller
from wheel_linker._wheel.conflicts import PackageConflictError, Supplier
from wheel_linker._wheel.dist_info import DIST_INFO, own_filename
from wheel_linker._wheel.filename import WheelFilename
from wheel_linker.errors import (
    InvalidWheelError,
    LinkError,
    PackageConflictWarning,
    refused,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from wheel_linker._link.options import LinkOptions
    from wheel_linker._link.report import LinkReport
    from wheel_linker._link.sites import Site, Sites
    from wheel_linker._wheel.conflicts import OnConflict, PackageConflict
    from wheel_linker._wheel.tree import Tree
    from wheel_linker._wheel.unpacked import UnpackedWheel

_GIVE_NAME: Final = "give the wheel's file name"


class Wheel(NamedTuple):
    """A wheel that has been scanned."""

    name: WheelFilename
    tree: Tree


def link(
    site_packages: str | os.PathLike[str],
    given: Sequence[UnpackedWheel],
    how: LinkOptions,
    on_conflict: OnConflict = "ignore",
) -> list[LinkReport]:
    """Link wheels, all or none; what the public calls say of their parameters and errors holds here."""
    try:
        with ExitStack() as kept:
            for wheel in given:
                kept.enter_context(wheel.hold())
            reports = _link(site_packages, given, how, on_conflict)
            note_symlinks(given, reports, how.modes())
            return reports
    except AskedError as error:
        raised = error.raised
    raise raised


def _link(
    site_packages: str | os.PathLike[str],
    given: Sequence[UnpackedWheel],
    how: LinkOptions,
    on_conflict: OnConflict,
) -> list[LinkReport]:
    path = resolved(site_packages)
    above = leading_to(path)
    in_one_pass = on_conflict == "ignore" and _can_be_read_late(path, how)
    coming = (scan_wheel(wheel, path, above, how, read_late=in_one_pass) for wheel in given)
    wheels = coming if in_one_pass and can_go_ahead(given, above, how) else [*coming]
    if isinstance(wheels, list):
        check_conflicts(path, [supplier_of(wheel) for wheel in wheels], on_conflict)
    with (
        refused(f"link into {path!r}", destination=path),
        opened_sites() as sites,
        how.progress.telling_of_failure(sites.is_complete),
    ):
        site = sites.prepare(path)
        scanned, reports = _stage_and_commit(sites, site, wheels, how)
        how.locks.record(site.folder, site.identity, [supplier_of(wheel) for wheel in scanned])
        return [
            report._replace(record_problems=wheel.record_problems())
            for report, wheel in zip(reports, given)
        ]


def _stage_and_commit(
    sites: Sites, site: Site, wheels: Iterable[Wheel], how: LinkOptions
) -> tuple[Sequence[Wheel], list[LinkReport]]:
    """Link wheels, and return them with what became of each.

    :param wheels: a list; or an iterator, if the first ones may be staged while others are still to be scanned.
    """
    path = site.folder.path
    scanned: list[Wheel] = []
    placers: list[Placer] = []

    def coming() -> Iterator[Placer]:
        for wheel in wheels:
            name = str(wheel.name)
            scanned.append(wheel)
            placers.append(
                Placer(wheel.tree, how.chain, how.backend, how.must_copy, path, how.native, name)
            )
            yield placers[-1]

    if isinstance(wheels, list):
        how.progress.expect(sum(wheel.tree.files for wheel in wheels))
    stage_all(coming(), site.stage, how)
    sites.protect([wheel.tree.path for wheel in scanned])
    whole = [_read_meanwhile(wheel, placer.tree) for wheel, placer in zip(scanned, placers)]
    # The warnings come while nothing has been changed, because a filter may turn one into an error.
    for placer in placers:
        warn_of_fallbacks(placer.tree.called, placer.chain, placer.fallbacks())
    with sites.committing([path], how.locks), how.progress.telling_of_failure():
        if how.exact:
            from wheel_linker._link.removal.surplus import remove_surplus

            remove_surplus(site.transaction, [wheel.tree for wheel in whole], how.exclude)
        replaced = [
            commit(site.transaction, StagedFiles.of_wheel(str(index), wheel.tree))
            for index, wheel in enumerate(whole)
        ]
    reports = [
        placer.report(wheel.name, gone) for placer, wheel, gone in zip(placers, whole, replaced)
    ]
    return scanned, reports


def _read_meanwhile(wheel: Wheel, tree: Tree) -> Wheel:
    """Return a wheel with all of its names, some of which may have been read when its files were placed."""
    if wheel.tree.is_read:
        return wheel
    refuse_stages(tree)
    return wheel._replace(tree=tree)


def _can_be_read_late(site_packages: str, how: LinkOptions) -> bool:
    """Tell whether nothing asks for the names in wheels before files are placed: then both is done in one visit.

    A stage has to lie in ``site_packages``. If that is not there yet, wheels are read before it is made.
    """
    return os.path.isdir(site_packages) and not (
        how.progress.wants_total
        or how.clones_whole()
        or how.exact
        or how.must_copy
        or how.native
        or how.exclude
    )


def can_go_ahead(
    given: Sequence[UnpackedWheel], above: Mapping[Identity, str], how: LinkOptions
) -> bool:
    """Tell whether files of the first wheels can be staged while others are still to be read.

    There have to be threads for it. A wheel that may be refused is refused before a stage is made.

    :param above: what :func:`leading_to` returns of the directory that they are for.
    """
    return (
        how.jobs > 1
        and len(given) > 1
        and not how.progress.wants_total
        and all(wheel.verified and not _leads_to(wheel, above) for wheel in given)
    )


def _leads_to(wheel: UnpackedWheel, above: Mapping[Identity, str]) -> bool:
    """Tell whether a directory may lie in a wheel, which the scan of the wheel makes sure of."""
    try:
        status = os.stat(wheel.path)
    except OSError:
        return True
    return not status.st_ino or Identity(status.st_dev, status.st_ino) in above


def scan_wheel(
    given: UnpackedWheel,
    site_packages: str,
    above: Mapping[Identity, str],
    how: LinkOptions,
    *,
    remedy: str | None = None,
    read_late: bool = False,
) -> Wheel:
    """Read the names in a wheel that is meant for ``site_packages``.

    :param above: what :func:`leading_to` returns of ``site_packages``.
    :param remedy: what to do if it has not one ``*.dist-info`` directory; None if its file name is enough.
    :param read_late: whether what is below its root may be left to be read when files are placed.
    :raises InvalidWheelError: if it is no unpacked wheel, holds what has no place in an environment, or its name is not
        found.
    :raises LinkError: if it cannot be read, or ``site_packages`` lies in it.
    """
    if remedy is None and given.filename is None:
        remedy = _GIVE_NAME
    tree = None if how.clones_whole() and not given.looks_late else given.known_tree()
    if tree is None:
        from wheel_linker._wheel.scan import scan, scan_root  # not for wheels of a store

        if read_late:
            tree = scan_root(given.path, remedy=remedy)
        else:
            tree = scan(given.path, remedy=remedy, excludes=how.exclude)
    elif how.exclude is not None:
        tree = tree.excluding(how.exclude)
    tree = tree._replace(file=given.file(), trusted=given.shares_all)
    # Whole directories are cloned with what is left out of them, and so with the stage, if that is in such a part.
    left_out = None if how.clones_whole() else how.exclude
    refuse_own_inside(site_packages, above, tree, left_out)
    refuse_stages(tree)
    if isinstance(given.filename, WheelFilename):
        return Wheel(given.filename, tree)
    if given.filename is not None:
        return Wheel(WheelFilename.parse(given.filename), tree)
    return Wheel(own_filename(tree.path, _own_dist_info(tree)), tree)


def _own_dist_info(tree: Tree) -> str:
    """Return the name of the one ``*.dist-info`` directory of a wheel, which names it also if it is left out."""
    for parts in tree.left_out:
        name = parts[0]
        is_named_so = len(parts) == 1 and name.endswith(DIST_INFO)
        if is_named_so and os.path.isdir(os.path.join(tree.path, name)):
            return name  # it is the only one: the scan has made sure of that
    return tree.dist_info(_GIVE_NAME)


def refuse_own_inside(
    site_packages: str,
    above: Mapping[Identity, str],
    tree: Tree,
    exclude: Callable[[str], bool] | None = None,
) -> None:
    """Refuse to link a wheel into itself, by whatever path.

    :param above: what :func:`leading_to` returns of ``site_packages``.
    :param exclude: tells which parts of the wheel are not linked: there ``site_packages`` may be.
    :raises LinkError: if ``site_packages`` lies in the wheel.
    """
    is_below = is_within(site_packages, tree.path)
    root = tree.path if is_below else above.get(tree.identity)
    if root is None or _is_left_out(site_packages, root, exclude):
        return
    raise LinkError(
        f"cannot link into {site_packages!r}: it lies in the unpacked wheel {tree.path!r} itself, "
        "which is never written to; choose another directory, or leave its place out with exclude",
        source=tree.path,
        destination=site_packages,
    )


def _is_left_out(path: str, root: str, exclude: Callable[[str], bool] | None) -> bool:
    """Tell whether a path below a root is in a part that is not linked, as the place where a project is built is."""
    if exclude is None or path == root:
        return False
    parts = os.path.relpath(path, root).split(os.sep)
    return any(exclude("/".join(parts[:depth])) for depth in range(1, len(parts) + 1))


def refuse_stages(tree: Tree) -> None:
    """Refuse what would be taken for the litter of a killed process.

    :raises InvalidWheelError: if a directory in the root of ``tree`` is called like one.
    """
    for index in tree.top_level():
        name = tree.directories[index].parts[0]
        if name.startswith(PREFIX):
            raise InvalidWheelError(
                f"the unpacked wheel {tree.called!r} has a directory {name!r}: such names belong to this "
                "library's own staging, and would be swept away"
            )


def supplier_of(wheel: Wheel) -> Supplier:
    """Return what a wheel supplies, for finding conflicts."""
    root = wheel.tree.directories[0]
    files = root.names()
    directories = (wheel.tree.directories[index].parts[0] for index in wheel.tree.top_level())
    left_out = frozenset("/".join(parts) for parts in wheel.tree.left_out)
    return Supplier(wheel.name, wheel.tree.path, files, tuple(directories), left_out)


def check_conflicts(
    site_packages: str, suppliers: Sequence[Supplier], on_conflict: OnConflict
) -> None:
    """Find conflicts among wheels for one directory, and warn of them or refuse them.

    :raises PackageConflictError: if there are any and ``on_conflict`` is ``"error"``.
    :raises LinkError: if a wheel cannot be read.
    """
    if on_conflict == "ignore":
        return
    from wheel_linker._wheel.conflict_search import find_conflicts

    refuse_or_warn(find_conflicts(site_packages, suppliers), on_conflict)


def refuse_or_warn(conflicts: tuple[PackageConflict, ...], on_conflict: OnConflict) -> None:
    """Do what was asked for about conflicts that were found. The errors are those of :func:`check_conflicts`."""
    if conflicts and on_conflict == "error":
        raise PackageConflictError(conflicts)
    for conflict in conflicts:
        warn_caller(str(conflict), PackageConflictWarning)
