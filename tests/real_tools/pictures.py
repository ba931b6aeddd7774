"""Exact pictures of what is installed, and the differences between installers that are right."""

from __future__ import annotations

import base64
import csv
import hashlib
import os
import re
import stat
import sys
from collections import Counter
from functools import partial
from importlib.metadata import PathDistribution
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

THERE: Final = "there"
BYTES: Final = "bytes"
EXECUTABLE: Final = "executable"


class Entry(NamedTuple):
    """One name of a tree."""

    content: str
    """The hash and the size, as ``RECORD`` has them; empty for a directory."""
    executable: int
    """The permission bits that make it so."""


class Difference(NamedTuple):
    """One way in which installers may differ."""

    tools: Collection[str]
    """Whose doing it is."""
    aspects: Collection[str]
    path: str
    """A regular expression, for the path from the environment's name on."""
    reason: str


# A distribution's own: some have others' below their packages.
_INFO: Final = r"[^/]*/(lib(64)?/(python|pypy)[^/]*|Lib)/site-packages/[^/]*\.dist-info"

ALLOWED: Final = (
    Difference(
        ("pip", "uv"),
        (THERE, BYTES),
        rf"{_INFO}/(INSTALLER|REQUESTED|direct_url\.json|uv_cache\.json)",
        "Each installer's own notes: its name; where the wheel came from, pip with its hash and uv without; when uv "
        "last saw it.",
    ),
    Difference(
        ("pip", "uv"),
        (BYTES,),
        rf"{_INFO}/RECORD",
        "The order of the rows and how they are quoted, and the rows of the notes. The rows themselves are compared.",
    ),
    Difference(
        ("uv",),
        (EXECUTABLE,),
        rf"{_INFO}/RECORD",
        "uv writes to the archive's own RECORD, which keeps its permission bits; in some archives all files have them.",
    ),
    Difference(
        ("uv",),
        (THERE,),
        r"[^/]*/\.lock",
        "uv's lock, which it leaves in the root of an environment, and which belongs to no distribution.",
    ),
    Difference(
        ("pip",),
        (EXECUTABLE,),
        r"[^/]*/bin/every-(python|flags|binary)",
        "pip leaves a script that is not executable in the archive as it is. It cannot be run then; the format has an "
        "installer make it executable, because archives that were made on Windows do not say so.",
    ),
    Difference(
        ("pip",),
        (BYTES,),
        r"an environment/bin/every-(python|flags)",
        "An interpreter's path that has spaces is written into the first line of a script by pip as it is, with which "
        "no kernel finds it.",
    ),
)
"""All that may differ between what is installed here and by the other tools, besides the launchers' bytes.

The launchers of entry points are each installer's own text. That they have the same names, are executable, start the
same interpreter and run is tested.
"""


def picture(root: Path) -> dict[str, Entry]:
    """Return everything below a directory, by paths that begin with its name; symlinks are what they lead to."""
    return {below(root, path): _entry(Path(path)) for path in _walk(os.fspath(root))}


def below(root: Path, path: str | os.PathLike[str]) -> str:
    """Return a path without what leads to a directory, whose name it begins with; one elsewhere as it is."""
    normal = Path(os.path.normpath(path))
    return (normal.relative_to(root.parent) if root.parent in normal.parents else normal).as_posix()


def _walk(root: str) -> Iterator[str]:
    for parent, directories, files in os.walk(root):
        yield from (os.path.join(parent, name) for name in (*directories, *files))


def _entry(path: Path) -> Entry:
    status = path.stat()
    if stat.S_ISDIR(status.st_mode):
        return Entry("", 0)
    return Entry(content(path), status.st_mode & 0o111)


def content(path: Path) -> str:
    """Return a file's hash and size as ``RECORD`` has them."""
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        for block in iter(partial(file.read, 1 << 20), b""):
            digest.update(block)
            size += len(block)
    return f"sha256={base64.urlsafe_b64encode(digest.digest()).rstrip(b'=').decode()},{size}"


def without(some: Mapping[str, Entry], others: Mapping[str, Entry]) -> dict[str, Entry]:
    """Return what one picture has and another has not, or not like that."""
    return {path: entry for path, entry in some.items() if others.get(path) != entry}


class Record(NamedTuple):
    """The ``RECORD`` of one distribution."""

    rows: Mapping[str, Entry]
    """By path, as in a picture; executability is left out."""
    twice: list[str]
    """Paths that have two rows."""


def records(root: Path, site: Path) -> dict[str, Record]:
    """Return every ``RECORD`` in an environment, by the name of the ``*.dist-info``."""
    found = {}
    for path in sorted(site.glob("*.dist-info/RECORD")):
        with path.open(encoding="utf-8", newline="") as file:
            rows = [
                (below(root, site / name), f"{digest},{size}")
                for name, digest, size in csv.reader(file)
            ]
        times = Counter(name for name, _ in rows)
        found[path.parent.name] = Record(
            rows={name: Entry(claim, 0) for name, claim in rows},
            twice=[name for name, count in times.items() if count > 1],
        )
    return found


_VERSION: Final = re.compile(r"(?<=^pip)\d+\.\d+$|(?<=^easy_install-)\d+\.\d+$")


def launchers(root: Path, scripts: Path, site: Path) -> frozenset[str]:
    """Return the paths of the launchers that the entry points of an environment's distributions ask for.

    Of pip's wheel every installer makes one launcher more, for the sake of pip's past. A version in the name of one of
    pip's or setuptools' may have become the environment's.
    """
    suffix = ".exe" if os.name == "nt" else ""
    version = "{}.{}".format(*sys.version_info)
    names = {
        point.name
        for info in site.glob("*.dist-info")
        for point in PathDistribution(info).entry_points
        if point.group in {"console_scripts", "gui_scripts"}
    }
    if "pip" in names:
        names.add(f"pip{version}")
    renamed = {name: _VERSION.sub(version, name) for name in names}
    paths = {name: scripts / f"{other}{suffix}" for name, other in renamed.items()}
    return frozenset(
        below(root, path if path.exists() else scripts / f"{name}{suffix}")
        for name, path in paths.items()
    )


def differences(
    ours: Mapping[str, Entry],
    theirs: Mapping[str, Entry],
    tool: str,
    launched: Collection[str],
    also: Iterable[Difference] = (),
) -> list[str]:
    """Return what differs between two pictures and is not allowed to.

    :param also: what is allowed besides.
    """
    allowed = (*ALLOWED, *also)
    return [
        f"{path}: {aspect} differs from {tool}'s"
        for path in sorted({*ours, *theirs})
        for aspect in _differing(ours.get(path), theirs.get(path))
        if not (aspect == BYTES and path in launched)
        and not is_allowed(path, aspect, tool, allowed)
    ]


def _differing(one: Entry | None, other: Entry | None) -> Iterator[str]:
    if one is None or other is None:
        if one is not other:
            yield THERE
        return
    if one.content != other.content:
        yield BYTES
    if one.executable != other.executable:
        yield EXECUTABLE


def is_allowed(path: str, aspect: str, tool: str, allowed: Iterable[Difference] = ALLOWED) -> bool:
    """Tell whether installers may differ there."""
    return any(
        tool in row.tools and aspect in row.aspects and re.fullmatch(row.path, path)
        for row in allowed
    )


def shared(paths: Iterable[str], tool: str) -> set[str]:
    """Return the paths that each tool has to have."""
    return {path for path in paths if not is_allowed(path, THERE, tool)}


def unverified(root: Path, info: str, record: Record) -> list[str]:
    """Return the rows that are not right: each names a file that is there, with its hash and its size.

    :param info: the name of its ``*.dist-info``, whose own row has neither.
    """
    wrong = [f"{path} has two rows" for path in record.twice]
    for path, row in record.rows.items():
        if not (root / path).is_file():
            wrong.append(f"{path} is not there")
        elif row.content != ("," if path.endswith(f"/{info}/RECORD") else content(root / path)):
            wrong.append(f"{path} is not {row.content}")
    return wrong
