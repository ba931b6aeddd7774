"""Saying in a ``RECORD`` that its distribution is about to change, before anything of it does.

A process that is killed leaves some files old, some new, and some missing. Then nothing must take the distribution for
whole, and something must tell which files of the new version have come already.
"""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from wheel_linker._compat.named_tuple import NamedTuple
from wheel_linker._fs.copying import create_with
from wheel_linker._fs.descent import Descent
from wheel_linker._fs.sharing import how_to_unlock
from wheel_linker._wheel.dist_info import DIST_INFO
from wheel_linker._wheel.record import RECORD
from wheel_linker.errors import refused
from wheel_linker.install._present.recorded import NoRecordError, read_text
from wheel_linker.install._present.unfinished import unfinished

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from wheel_linker._link.sites import Site, Sites
    from wheel_linker.install._present.distributions import Distribution


class _Announced(NamedTuple):
    """One ``RECORD`` that takes the place of another."""

    one: Distribution
    site: Site
    staged: str
    """The directory of the stage that it is in."""


def announce(
    older: Iterable[Distribution],
    coming: Mapping[tuple[str, str], bytes],
    sites: Sites,
    *,
    durable: bool = False,
) -> None:
    """Say in each ``RECORD`` that what it is of is about to change.

    :param older: what goes, or is replaced; their libraries are prepared.
    :param coming: by library and name, the ``RECORD`` of what takes its place there.
    :param durable: whether this is on the disk before anything changes.
    :raises LinkError: if the system refuses.
    """
    made = list(_staged(older, coming, sites))
    if durable and made:
        sites.settle()
    for announced in made:
        _put(announced)


def _staged(
    older: Iterable[Distribution], coming: Mapping[tuple[str, str], bytes], sites: Sites
) -> Iterator[_Announced]:
    for number, one in enumerate(older):
        record = _record(one)
        if not record or not sites.has(one.library):
            continue
        site = sites.at(one.library)
        content = unfinished(record, coming.get((one.library, one.name), b""), one.entry)
        name = f"{RECORD}-{number}"
        with (
            refused(f"write {one.recorded!r}", destination=one.recorded),
            site.stage.folder.make(name) as folder,
        ):
            create_with(content, folder.prefix + RECORD, folder.fd)
        yield _Announced(one, site, name)


def _record(one: Distribution) -> bytes:
    """Return what a ``RECORD`` says; nothing if it says nothing that could be believed."""
    if not one.entry.endswith(DIST_INFO) or os.path.islink(one.path):
        return b""
    try:
        return read_text(one).encode()
    except NoRecordError:
        return b""


def _put(announced: _Announced) -> None:
    transaction = announced.site.transaction
    path, parts = announced.one.recorded, (announced.one.entry,)
    with (
        announced.site.stage.folder.enter(announced.staged) as source,
        Descent(transaction.site, transaction.containment.enter) as folders,
    ):
        target = folders.go(parts)
        advice = {errno.EPERM: how_to_unlock(target.lstat(RECORD))}
        with refused(f"write {path!r}", destination=path, advice=advice):
            transaction.replace(source, target, parts, RECORD)
