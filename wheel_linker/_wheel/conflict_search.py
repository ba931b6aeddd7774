"""Finding paths that several wheels supply with different contents."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from wheel_linker._compat.named_tuple import NamedTuple
from wheel_linker._fs.folder import Folder
from wheel_linker._fs.paths import named_by, upwards
from wheel_linker._fs.stage import Stage
from wheel_linker._log import log
from wheel_linker._wheel.conflicts import PackageConflict
from wheel_linker._wheel.names import fold
from wheel_linker.errors import LinkError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from wheel_linker._wheel.conflicts import Supplier
    from wheel_linker._wheel.filename import WheelFilename

    Folds = Callable[[str, str], bool]

_CHUNK = 1024 * 1024


class _Supplied(NamedTuple):
    """What one wheel supplies for a path."""

    wheel: WheelFilename
    source: str
    relative: str
    is_directory: bool
    left_out: frozenset[str]

    @property
    def name(self) -> str:
        return self.relative.rpartition("/")[2]


def find_conflicts(
    site_packages: str, suppliers: Iterable[Supplier], *, exact: bool = False
) -> tuple[PackageConflict, ...]:
    """Return the conflicts among wheels meant for one directory, at most one for each top-level name.

    :param site_packages: where they go; tells whether names that differ in case or normalisation are one.
    :param suppliers: wheels, of different file names.
    :param exact: compare the bytes; otherwise files of equal size count as equal.
    :raises LinkError: if a wheel cannot be read.
    """

    def folds(one: str, other: str) -> bool:
        return are_one_name(site_packages, one, other)

    supplied = [one for supplier in suppliers for one in _top_level(supplier)]
    found = (_first_conflict(shared, folds, exact) for shared in _shared(supplied, folds))
    return tuple(conflict for conflict in found if conflict is not None)


def _top_level(supplier: Supplier) -> Iterator[_Supplied]:
    for names, is_directory in ((supplier.files, False), (supplier.directories, True)):
        for name in names:
            path = os.path.join(supplier.path, name)
            yield _Supplied(supplier.wheel, path, name, is_directory, supplier.left_out)


def _shared(supplied: Iterable[_Supplied], folds: Folds) -> Iterator[list[_Supplied]]:
    """Group what is supplied for the same path by several wheels, in the order of the names."""
    by_key: dict[str, list[_Supplied]] = {}
    for one in supplied:
        by_key.setdefault(fold(one.name), []).append(one)
    for _, alike in sorted(by_key.items()):
        for group in _by_name(alike, folds) if len(alike) > 1 else ():
            if len({one.wheel for one in group}) > 1:
                yield group


def _by_name(alike: list[_Supplied], folds: Folds) -> list[list[_Supplied]]:
    """Split entries whose names might be one name into groups whose names are one."""
    groups: list[list[_Supplied]] = []
    for one in alike:
        for group in groups:
            if one.name == group[0].name or folds(one.name, group[0].name):
                group.append(one)
                break
        else:
            groups.append([one])
    return groups


def _first_conflict(supplied: list[_Supplied], folds: Folds, exact: bool) -> PackageConflict | None:
    pending = [supplied]
    while pending:
        group = pending.pop()
        kinds = {one.is_directory for one in group}
        if kinds == {True}:
            entries = [entry for one in group for entry in _entries(one)]
            below = sorted(_shared(entries, folds), key=_directories_last)
            pending.extend(reversed(below))
        elif len(kinds) == 2 or not _alike([one.source for one in group], exact):
            return PackageConflict(
                group[0].relative, tuple(dict.fromkeys(one.wheel for one in group))
            )
    return None


def _directories_last(group: list[_Supplied]) -> bool:
    return group[0].is_directory


def _entries(one: _Supplied) -> list[_Supplied]:
    try:
        with os.scandir(one.source) as entries:
            return [
                _Supplied(
                    one.wheel,
                    entry.path,
                    f"{one.relative}/{entry.name}",
                    entry.is_dir(follow_symlinks=False),
                    one.left_out,
                )
                for entry in entries
                if f"{one.relative}/{entry.name}" not in one.left_out
            ]
    except OSError as error:
        raise _unreadable(error, one.source) from error


def _alike(paths: Sequence[str], exact: bool) -> bool:
    try:
        if any(map(os.path.islink, paths)):
            return all(map(os.path.islink, paths)) and len(set(map(os.readlink, paths))) == 1
        if len({os.stat(path).st_size for path in paths}) > 1:
            return False
        return not exact or all(_same_bytes(paths[0], path) for path in paths[1:])
    except OSError as error:
        raise _unreadable(error, paths[0]) from error


def _same_bytes(one: str, other: str) -> bool:
    with open(one, "rb") as mine, open(other, "rb") as yours:
        while True:
            data = mine.read(_CHUNK)
            if data != yours.read(_CHUNK):
                return False
            if not data:
                return True


def _unreadable(error: OSError, path: str) -> LinkError:
    where = named_by(error, path)
    return LinkError.from_os_error(error, f"compare {where!r} with other wheels", source=where)


def are_one_name(site_packages: str, one: str, other: str) -> bool:
    """Ask the destination's file system, by a throw-away file, whether two names are one there.

    :param site_packages: the directory that they are meant for, which may be missing.
    """
    existing = next(filter(os.path.isdir, upwards(site_packages)), site_packages)
    try:
        with Folder.open(existing) as folder:
            stage = Stage(folder)
            try:
                stage.make()
                os.mkdir(stage.old.prefix + one, dir_fd=stage.old.fd)
                return stage.old.lstat(other) is not None
            finally:
                stage.remove()
    except OSError as error:
        # If the directory is not writable, linking fails anyway, with a better message than this could give.
        log("cannot tell whether %s folds names: %s", existing, error)
        return False
