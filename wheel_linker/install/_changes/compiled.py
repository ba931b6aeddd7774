"""Rows in ``RECORD`` for the bytecode of what was installed, so that any tool's uninstall takes it along.

The bytecode is made when everything is in place, and ``RECORD`` is replaced then. As with pip, the rows have neither
hash nor size: an interpreter may write the files anew.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from wheel_linker._compat.named_tuple import NamedTuple
from wheel_linker._fs.copying import create_with
from wheel_linker._fs.reading import read_regular
from wheel_linker._link.merge import StagedFiles, commit
from wheel_linker._link.sites import opened_sites
from wheel_linker._log import log
from wheel_linker._wheel.bytecode import CACHE, bytecode_of
from wheel_linker._wheel.record import RECORD, rows_of
from wheel_linker._wheel.tree import Directory, Listing
from wheel_linker.errors import refused
from wheel_linker.install.compiling import compile_all

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from wheel_linker._link.locks import Locks
    from wheel_linker._link.sites import Sites
    from wheel_linker.install.layout import Layout
    from wheel_linker.install.plan import Plan

LIBRARIES: Final = ("purelib", "platlib")
"""The schemes whose files are compiled."""
_LONGEST: Final = 1 << 28


class _Renewal(NamedTuple):
    """A ``RECORD`` to be replaced."""

    plan: Plan
    before: bytes
    content: bytes

    def staged(self, name: str) -> StagedFiles:
        """Return what is staged in the directory of that name: ``RECORD`` in its ``*.dist-info``."""
        info = self.plan.metadata.dist_info
        listing = Listing.of([Directory((), [], []), Directory((info,), [RECORD], [])])
        path = self.plan.wheel.tree.path
        return StagedFiles(name, listing, path, path)

    def is_current(self) -> bool:
        """Tell whether nobody has replaced or removed the distribution since."""
        try:
            return read_regular(os.path.join(self.plan.dist_info, RECORD), _LONGEST) == self.before
        except OSError:
            return False


def compile_installed(
    plans: Sequence[Plan], layout: Layout, locks: Locks, *, optimize: int, durable: bool
) -> list[str]:
    """Compile what was installed, record the bytecode, and return its absolute paths.

    The errors are those of :func:`compile_all` and :func:`record_bytecode`.
    """
    pieces = (piece for one in plans for piece in one.pieces if piece.scheme in LIBRARIES)
    # Several wheels may have the same file.
    files = dict.fromkeys(path for piece in pieces for path in piece.paths())
    made = compile_all(files, layout, optimize)
    record_bytecode(plans, made, locks, durable=durable)
    return made


def record_bytecode(
    plans: Sequence[Plan], made: Sequence[str], locks: Locks, *, durable: bool
) -> None:
    """Add bytecode to the ``RECORD`` of each distribution whose sources it is of: to all of them, or to none.

    :param made: the absolute paths of the bytecode.
    :param durable: whether the new ``RECORD`` is on the disk before it takes the place of the old one.
    :raises LinkError: if the system refuses; what is installed stays.
    """
    renewals = list(_renewals(plans, made))
    if not renewals:
        return
    libraries = sorted({one.plan.library for one in renewals})
    place = libraries[0]
    doing = f"record the bytecode of what was installed into {place!r}"
    with refused(doing, destination=place), opened_sites() as sites:
        names = [_stage(one, str(number), sites) for number, one in enumerate(renewals)]
        if durable:
            sites.settle()
        with sites.committing(libraries, locks):
            for one, name in zip(renewals, names):
                if one.is_current():
                    commit(sites.at(one.plan.library).transaction, one.staged(name))
                else:
                    log("%s has been changed by others meanwhile", one.plan.dist_info)


def _stage(one: _Renewal, name: str, sites: Sites) -> str:
    stage = sites.prepare(one.plan.library).stage.folder
    with stage.make(name) as root, root.make(one.plan.metadata.dist_info) as info:
        create_with(one.content, info.prefix + RECORD, info.fd)
    return name


def _renewals(plans: Sequence[Plan], made: Sequence[str]) -> Iterator[_Renewal]:
    # The bytecode of a file that several have is in the RECORD of each.
    by_directory: dict[str, list[str]] = {}
    for path in made:
        by_directory.setdefault(os.path.dirname(path), []).append(os.path.basename(path))
    for plan in plans:
        paths = list(_paths(plan, by_directory))
        if paths:
            yield _Renewal(plan, plan.record(), with_rows(plan.record(), paths))


def _paths(plan: Plan, made: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Yield the bytecode of a plan's sources, as its ``RECORD`` calls it."""
    for piece, start in zip(plan.pieces, plan.starts):
        if piece.scheme not in LIBRARIES:
            continue
        for directory in piece.complete().directories:
            parts = (*directory.parts, CACHE)
            names = made.get(os.path.join(piece.destination, *parts), ())
            for name in bytecode_of(directory.files, names):
                yield start + "/".join((*parts, name))


def with_rows(record: bytes, paths: Sequence[str]) -> bytes:
    """Return a ``RECORD`` with rows for bytecode, which a wheel may have brought and the interpreter written anew."""
    added = rows_of((path, None) for path in paths)
    if b".pyc" in record:
        known = set(map(_path_of, added.splitlines()))
        lines = record.splitlines(keepends=True)
        record = b"".join([line for line in lines if _path_of(line) not in known])
    return record + added


def _path_of(row: bytes) -> bytes:
    return row.rpartition(b",")[0].rpartition(b",")[0]
