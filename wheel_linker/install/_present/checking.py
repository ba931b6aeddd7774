"""Whether an environment is as its installers left it."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, Final

from wheel_linker._fs.reading import FOLLOW, regular_size
from wheel_linker._wheel.bytecode import CACHE
from wheel_linker._wheel.record import encoded
from wheel_linker.install._present.distributions import find_distributions, is_remnant
from wheel_linker.install._present.installed import described
from wheel_linker.install._present.recorded import NoRecordError, read_rows
from wheel_linker.install._present.spelling import key_for
from wheel_linker.install.layout import root_of
from wheel_linker.install.report import FileProblem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from wheel_linker.install._present.distributions import Distribution
    from wheel_linker.install._present.installed import InstalledDistribution
    from wheel_linker.install._present.recorded import Row
    from wheel_linker.install.layout import Layout
    from wheel_linker.install.report import FileProblemKind

_CHUNK: Final = 1 << 20


def file_problems(layout: Layout) -> tuple[list[FileProblem], list[InstalledDistribution]]:
    """Compare what is installed with what its ``RECORD`` files say.

    :returns: what is wrong, by path; and the distributions of which nothing can be told.
    :raises LinkError: if what is installed cannot be read.
    """
    found: list[FileProblem] = []
    untold = []
    known: set[str] = set()
    tops: set[str] = set()
    roots = layout.roots()
    there = [one for one in find_distributions(layout) if not is_remnant(one)]
    key_of = key_for((one.library, one.entry) for one in there)
    for one in there:
        try:
            rows = read_rows(one)
        except NoRecordError:
            untold.append(described(one))
            tops.discard(one.path)
            continue
        known.update(key_of(row.path) for row in rows)
        known.add(key_of(one.recorded))
        tops.update(_tops(rows, one))
        # No RECORD can have its own hash, though some tools keep one for it that the wheel has.
        others = (row for row in rows if row.path != one.recorded)
        found += [problem for row in others if (problem := _compared(row, one, roots))]
    found += _unknown(tops, known, key_of)
    return sorted(found), untold


def _compared(row: Row, one: Distribution, roots: Sequence[str]) -> FileProblem | None:
    """Return what is wrong about a file, if anything; bytecode may come and go."""
    if row.path.endswith(".pyc") or root_of(row.path, roots) is None:
        return None
    try:
        kind = _difference(row)
    except (FileNotFoundError, NotADirectoryError):
        kind = None if _leads_nowhere(row) else "missing"
    except OSError:
        kind = "unreadable"
    return None if kind is None else FileProblem(row.path, kind, one.name)


def _leads_nowhere(row: Row) -> bool:
    """Tell whether a symlink is there that leads to nothing, and its row says nothing of a content either."""
    return not row.digest and row.size is None and os.path.islink(row.path)


def _difference(row: Row) -> FileProblemKind | None:
    size = os.stat(row.path).st_size  # an error where nothing is there
    if row.size not in (None, size):
        return "changed"
    digest = _digest(row.path, row.algorithm) if row.digest else ""
    if digest is not None and digest != row.digest:
        return "changed"
    return "bad-row" if row.is_damaged or digest is None else None


def _digest(path: str, algorithm: str) -> str | None:
    """Return the digest of a file; None by an algorithm that is unknown here, or of which digests have any length."""
    try:
        digest = hashlib.new(algorithm)
    except ValueError:
        return None
    if not digest.digest_size:
        return None
    fd = os.open(path, FOLLOW)
    try:
        regular_size(fd, path)
        while data := os.read(fd, _CHUNK):
            digest.update(data)
    finally:
        os.close(fd)
    return encoded(digest.digest())


def _tops(rows: Iterable[Row], one: Distribution) -> Iterator[str]:
    """Yield the directories in the library that are a distribution's packages."""
    prefix = os.path.join(one.library, "")
    for row in rows:
        if row.path.startswith(prefix):
            top, separator, rest = row.path[len(prefix) :].partition(os.sep)
            # A namespace belongs to nobody; only a package may be expected to be complete.
            if separator and (rest == "__init__.py" or prefix + top == one.path):
                yield prefix + top


def _unknown(
    tops: Iterable[str], known: set[str], key_of: Callable[[str], str]
) -> Iterator[FileProblem]:
    for top in sorted(tops):
        for path, directories, files in os.walk(top):
            if CACHE in directories:
                directories.remove(CACHE)
            for name in files:
                full = os.path.join(path, name)
                if key_of(full) not in known and not name.endswith(".pyc"):
                    yield FileProblem(full, "unknown", None)
