"""Whether an installed distribution is what a wheel would make of it."""

from __future__ import annotations

import os
from collections import Counter
from typing import TYPE_CHECKING

from wheel_linker._compat.named_tuple import NamedTuple
from wheel_linker._fs.reading import FOLLOW, read_followed, read_regular, read_with_status
from wheel_linker._wheel.dist_info import DIST_INFO
from wheel_linker._wheel.record import NOTES, RECORD, SIGNATURES
from wheel_linker.install._present.unfinished import is_unfinished

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from wheel_linker._wheel.filename import WheelFilename
    from wheel_linker._wheel.unpacked import UnpackedWheel
    from wheel_linker.install._present.distributions import Distribution

_MUCH = 1 << 28
_DATA = b".data/"


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


def unchanged(one: Distribution, wheel: UnpackedWheel, name: WheelFilename) -> Unchanged | None:
    """Tell whether the files of a wheel are installed, in the same version and by the same hashes, all of them."""
    recorded = one.recorded
    try:
        there, status = read_with_status(recorded, _MUCH, flags=FOLLOW)
    except OSError:
        return None
    if is_unfinished(there) or not _has_rows(one, there, wheel, name):
        return None
    return Unchanged(one._replace(known_record=there), recorded, _stamp(status))


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
    if not one.entry.endswith(DIST_INFO) or not name.has_version(one.version):
        return False
    try:
        own = read_regular(os.path.join(wheel.path, one.entry, RECORD), _MUCH)
    except OSError:
        return False
    carried = wheel.carried_rows()
    if carried is None:
        carried = b"\n".join(_staying(own, one.entry))
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
