"""Whether an installed distribution is what a wheel would make of it."""

from __future__ import annotations

import os
from collections import Counter
from contextlib import suppress
from io import StringIO
from typing import TYPE_CHECKING

from wheel_linker._compat.named_tuple import NamedTuple
from wheel_linker._fs.reading import FOLLOW, read_followed, read_regular, read_with_status
from wheel_linker._wheel.dist_info import DIST_INFO
from wheel_linker._wheel.record import NOTES, RECORD, SIGNATURES
from wheel_linker.install._present.unfinished import is_unfinished

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

    from wheel_linker._wheel.filename import WheelFilename
    from wheel_linker._wheel.unpacked import UnpackedWheel
    from wheel_linker.install._present.distributions import Distribution
    from wheel_linker.install.layout import Layout
    from wheel_linker.install.plan import Plan

    Rows = Counter[tuple[str, ...]]

_MUCH = 1 << 28
_DATA = b".data/"
_SCRIPTS = b".data/scripts/"


class Unchanged(NamedTuple):
    """A distribution that is as its wheel would make it."""

    distribution: Distribution
    """The distribution, with what its ``RECORD`` has."""
    recorded: str
    """The path of that ``RECORD``."""
    stamp: tuple[int, ...]
    """What changes when that ``RECORD`` is written anew."""

    def is_still_so(self) -> bool:
        """Tell whether nobody has written the ``RECORD`` since."""
        try:
            return _stamp(os.stat(self.recorded)) == self.stamp
        except OSError:
            return False


def unchanged(
    one: Distribution,
    wheel: UnpackedWheel,
    name: WheelFilename,
    scripts: bytes,
    planned: Callable[[UnpackedWheel], Plan],
) -> Unchanged | None:
    """Tell whether a wheel is installed, in the same version and by the same hashes: all of its files, and no others.

    :param scripts: as :func:`start_of_scripts` returns it.
    :param planned: says what installing a wheel would do; it is asked if the wheel's own ``RECORD`` does not tell.
    """
    recorded = one.recorded
    try:
        there, status = read_with_status(recorded, _MUCH, flags=FOLLOW)
    except OSError:
        return None
    if is_unfinished(there) or not _is_release(one, name):
        return None
    own = _own_record(one, wheel)
    if own is None:
        return None
    carried = _carried(one, wheel, own)
    if not _is_plainly(one, there, carried, own, scripts) and not _is_as_planned(
        one, there, own, planned(wheel)
    ):
        return None
    return Unchanged(one._replace(known_record=there), recorded, _stamp(status))


def start_of_scripts(layout: Layout) -> bytes:
    """Return what the paths of launchers usually start with in ``RECORD``."""
    try:
        start = os.path.relpath(layout.schemes["scripts"], layout.schemes["purelib"])
    except ValueError:  # the two are on different drives
        start = layout.schemes["scripts"]
    return f"{start.replace(os.sep, '/')}/".encode("utf-8", "surrogateescape")


def is_made_of(one: Distribution, wheel: UnpackedWheel, name: WheelFilename) -> bool:
    """Tell whether a distribution comes from a wheel, even if somebody was killed who wanted to change it.

    Launchers and notes are not compared: an installer makes them, and they follow from the wheel. Nor are scripts,
    whose first line an installer rewrites.
    """
    try:
        return _has_rows(one, read_followed(one.recorded, _MUCH), wheel, name)
    except OSError:
        return False


def _stamp(status: os.stat_result) -> tuple[int, ...]:
    return status.st_ino, status.st_size, status.st_mtime_ns


def _has_rows(one: Distribution, there: bytes, wheel: UnpackedWheel, name: WheelFilename) -> bool:
    """Tell whether a distribution has the version of a wheel, and what its ``RECORD`` says the rows of the wheel's.

    :param there: what the distribution's ``RECORD`` has.
    """
    own = _own_record(one, wheel) if _is_release(one, name) else None
    if own is None:
        return False
    carried = _carried(one, wheel, own)
    is_first = there.startswith(carried)
    if not is_first and not _but_bytecode(_rows(carried)) <= set(_rows(there)):
        return False
    moved = Counter(_moved(own))
    if not moved:
        return True
    # The rows of the wheel's root have been found already.
    if is_first:
        rest: Iterable[bytes] = _rows(there[len(carried) :])
    else:
        rest = (Counter(_rows(there)) - Counter(_rows(carried))).elements()
    return moved <= Counter(map(_digest_and_size, rest))


def _is_release(one: Distribution, name: WheelFilename) -> bool:
    return one.entry.endswith(DIST_INFO) and name.has_version(one.version)


def _own_record(one: Distribution, wheel: UnpackedWheel) -> bytes | None:
    """Return the ``RECORD`` of a wheel; None if it cannot be read, or its ``*.dist-info`` is called otherwise."""
    try:
        return read_regular(os.path.join(wheel.path, one.entry, RECORD), _MUCH)
    except OSError:
        return None


def _carried(one: Distribution, wheel: UnpackedWheel, own: bytes) -> bytes:
    """Return the rows of a wheel's ``RECORD`` that every installed one has, letter by letter."""
    carried = wheel.carried_rows()
    return b"\n".join(_staying(own, one.entry)) if carried is None else carried


def _is_plainly(
    one: Distribution, there: bytes, carried: bytes, own: bytes, scripts: bytes
) -> bool:
    """Tell whether a ``RECORD`` has the rows that a wheel's own has, and no others.

    That is quick, and tells it of most wheels that are installed. It is not sure of those with scripts, whose first
    line an installer rewrites, nor of those whose own ``RECORD`` is not right.
    """
    if _SCRIPTS in own:
        return False
    if there.startswith(carried):
        rest = _rows(there[len(carried) :])
    else:
        found, staying = _rows(there), _but_bytecode(_rows(carried))
        if not staying <= set(found):
            return False
        rest = [row for row in found if row not in staying]
    added = (f"{one.entry}/".encode(), scripts)
    others = [row for row in rest if row and b".pyc," not in row and not row.startswith(added)]
    return Counter(map(_digest_and_size, others)) == Counter(_moved(own))


def _is_as_planned(one: Distribution, there: bytes, own: bytes, plan: Plan) -> bool:
    """Tell whether a ``RECORD`` has the rows that installing the wheel would write, and no others.

    Launchers are not compared, since each installer has its own. Files that lie elsewhere are compared by their
    content: others may spell the way to them otherwise.
    """
    starts = ("../", "/", *filter(None, plan.starts))
    found, wanted, known = (
        _parsed(record, starts, plan.launchers()) for record in (there, plan.record(), own)
    )
    # Other tools keep rows of files that are not there, and add notes.
    info = f"{one.entry}/"
    surplus = [row for row in found - wanted if row not in known and not row[0].startswith(info)]
    missing = [row for row in wanted - found if not _is_note(row[0], info)]
    return not surplus and not missing


def _parsed(record: bytes, starts: tuple[str, ...], without: Collection[str]) -> Rows:
    """Return the rows of a ``RECORD``, as far as it can be read, but for those of bytecode.

    :param starts: what the paths of files that lie elsewhere start with, which are left out of their rows.
    :param without: paths whose rows are left out.
    """
    import csv  # imported late: for few wheels only

    rows: Rows = Counter()
    with suppress(csv.Error):
        for row in csv.reader(StringIO(record.decode("utf-8", "replace"), newline="")):
            if row and row[0] not in without and not row[0].endswith(".pyc"):
                said = ("" if row[0].startswith(starts) else row[0], *row[1:])
                rows[said] += 1
    return rows


def _is_note(path: str, info: str) -> bool:
    return path in {f"{info}{name}" for name in (RECORD, *NOTES)}


def _rows(record: bytes) -> list[bytes]:
    return record.replace(b"\r\n", b"\n").split(b"\n")


def _but_bytecode(rows: Iterable[bytes]) -> set[bytes]:
    """Return the rows without those of bytecode, which interpreters write anew."""
    return {row for row in rows if b".pyc," not in row}


def _staying(record: bytes, info: str) -> Iterable[bytes]:
    """Return the rows of a wheel's own ``RECORD`` that an installed one has, too."""
    inside = f"{info}/".encode()
    own = tuple(f"{info}/{name},".encode() for name in (RECORD, *NOTES, *SIGNATURES))
    rows = [
        row for row in _rows(record) if row and not (row.startswith(inside) and row.startswith(own))
    ]
    if b".data/" not in record:  # faster than a look at each row
        return rows
    return [row for row in rows if not row.partition(b"/")[0].endswith(b".data")]


def _moved(record: bytes) -> list[bytes]:
    """Return what is said of files that go elsewhere and are not rewritten."""
    return [_digest_and_size(row) for row in _in_data(record) if b".data/scripts/" not in row]


def _in_data(record: bytes) -> Iterator[bytes]:
    """Yield the rows of what is in ``*.data``; few wheels have any, and all rows of a large one are many."""
    at = record.find(_DATA)
    while at >= 0:
        start, end = record.rfind(b"\n", 0, at) + 1, record.find(b"\n", at)
        row = record[start:] if end < 0 else record[start:end]
        if b"/" not in record[start:at]:
            yield row.rstrip(b"\r")
        at = record.find(_DATA, start + len(row))


def _digest_and_size(row: bytes) -> bytes:
    """Return hash and size, without the path."""
    head, _, size = row.rpartition(b",")
    return head.rpartition(b",")[2] + b"," + size
