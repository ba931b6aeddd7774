"""Making a wheel file from an unpacked wheel, always the same one, and the ``RECORD`` of either.

Formats: "Binary distribution format" and "Recording installed projects", https://packaging.python.org/specifications/
"""

from __future__ import annotations

import hashlib
import os
import stat
import zipfile
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Final

from wheel_linker._compat.named_tuple import NamedTuple
from wheel_linker._fs.destination import opened
from wheel_linker._fs.folder import Folder
from wheel_linker._fs.moving import move
from wheel_linker._fs.paths import possible
from wheel_linker._fs.stage import staged
from wheel_linker._wheel.dist_info import own_filename
from wheel_linker._wheel.filename import WheelFilename
from wheel_linker._wheel.record import RECORD, SHA256, SIGNATURES, encoded, in_lines
from wheel_linker._wheel.scan import scan
from wheel_linker.errors import VANISHED, InvalidWheelError, refused

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from contextlib import AbstractContextManager

    from wheel_linker._wheel.tree import Tree

_SUFFIX: Final = ".whl"
_REMEDY: Final = "give the directory that a wheel was unpacked into"
_CHUNK: Final = 1024 * 1024
# A zip archive has no time before, and none after, this: APPNOTE.TXT 4.4.6.
_EARLIEST: Final = 315532800
_LATEST: Final = 4354819198
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)
_INFINITE: Final = float("inf")
_UNIX: Final = 3
_LEVEL: Final = 6
_NAME: Final = "new"


class _File(NamedTuple):
    path: str
    """Its path relative to the wheel, with forward slashes."""
    full: str


def write_record(tree: str | os.PathLike[str]) -> str:
    """Write ``RECORD`` anew; what the public call says holds here."""
    found = scan(tree, remedy=_REMEDY)
    dist_info = found.dist_info(_REMEDY)
    with (
        _refused("write RECORD of the unpacked wheel", found),
        Folder.open(os.path.join(found.path, dist_info)) as folder,
    ):
        content = _record(_digested(found, dist_info), dist_info)
        # A new file takes its place, since the one that is there may be a hard link into somebody's cache.
        with staged(folder) as stage:
            with open(os.path.join(stage.folder.path, _NAME), "xb") as file:
                file.write(content)
            move(stage.folder, _NAME, folder, RECORD)
    return os.path.join(found.path, dist_info, RECORD)


def pack(tree: str | os.PathLike[str], to: str | os.PathLike[str], timestamp: float | None) -> str:
    """Pack an unpacked wheel; what the public call says holds here."""
    found = scan(tree, remedy=_REMEDY)
    target = os.path.abspath(possible(os.fsdecode(to), "pack a wheel"))
    if not target.endswith(_SUFFIX) or os.path.isdir(target):
        target = os.path.join(target, str(_complete_name(found)))
    directory, name = os.path.split(target)
    moment = _moment(timestamp)
    with (
        _refused("pack the unpacked wheel", found, target),
        opened(directory) as folder,
        staged(folder) as stage,
    ):
        with zipfile.ZipFile(os.path.join(stage.folder.path, _NAME), "x") as archive:
            _pack(found, archive, moment)
        move(stage.folder, _NAME, folder, name)
    return target


def _pack(
    tree: Tree, archive: zipfile.ZipFile, moment: tuple[int, int, int, int, int, int]
) -> None:
    dist_info = tree.dist_info(_REMEDY)
    rows = []
    for file in _files(tree, dist_info):
        entry = _entry(file.path, moment, os.stat(file.full).st_mode)
        digest, size = hashlib.sha256(), 0
        entry.file_size = os.stat(file.full).st_size  # decides whether the entry takes Zip64
        with open(file.full, "rb") as source, archive.open(entry, "w") as packed:
            while data := source.read(_CHUNK):
                digest.update(data)
                size += len(data)
                packed.write(data)
        rows.append((file.path, f"{SHA256}={encoded(digest.digest())}", size))
    record = _entry(f"{dist_info}/{RECORD}", moment, 0)
    archive.writestr(record, _record(rows, dist_info), compresslevel=_LEVEL)


def _entry(path: str, moment: tuple[int, int, int, int, int, int], mode: int) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(path, moment)
    entry.create_system = _UNIX
    entry.external_attr = (stat.S_IFREG | (0o755 if mode & 0o111 else 0o644)) << 16
    entry.compress_type = zipfile.ZIP_DEFLATED
    return entry


def _moment(timestamp: float | None) -> tuple[int, int, int, int, int, int]:
    wanted = _EARLIEST if timestamp is None else timestamp
    if not -_INFINITE < wanted < _INFINITE:  # nor is what is no number
        raise ValueError(f"timestamp is {wanted}, which is no time: give seconds since 1970")
    # Not time.gmtime: where time_t has 32 bits it ends in 2038.
    then = _EPOCH + timedelta(seconds=int(min(max(wanted, _EARLIEST), _LATEST)))
    return (*then.timetuple()[:5], then.second // 2 * 2)  # in steps of two seconds


def _complete_name(tree: Tree) -> WheelFilename:
    """Return what the wheel file is called.

    :raises InvalidWheelError: if ``WHEEL`` has no tags to make it of.
    """
    name = own_filename(tree.path, tree.dist_info(_REMEDY))
    try:
        return WheelFilename.parse(str(name))
    except InvalidWheelError as error:
        raise InvalidWheelError(
            f"the unpacked wheel {tree.path!r} does not say in WHEEL for which Pythons it is: give the name of the "
            ".whl file, not of a directory"
        ) from error


def _files(tree: Tree, dist_info: str) -> list[_File]:
    """Return the files in the order in which they are packed: by path, ``*.dist-info`` last, without ``RECORD``.

    :raises InvalidWheelError: if a symlink does not lead to a file: there are none in archives.
    """
    left_out = {f"{dist_info}/{name}" for name in (RECORD, *SIGNATURES)}
    found = []
    for directory in tree.directories:
        where = os.path.join(tree.path, *directory.parts, "")
        for name, target in directory.links:
            if not os.path.isfile(where + name):
                raise InvalidWheelError(
                    f"cannot pack {where + name!r}: it is a symlink to {target!r}, and wheel files hold files only; "
                    "put what it leads to in its place"
                )
        names = directory.names()
        found += [_File(directory.path_of(name), where + name) for name in names]
    inside = f"{dist_info}/"
    kept = [file for file in found if file.path not in left_out]
    return sorted(kept, key=lambda file: (file.path.startswith(inside), file.path))


def _digested(tree: Tree, dist_info: str) -> Iterator[tuple[str, str, int]]:
    for file in _files(tree, dist_info):
        digest, size = hashlib.sha256(), 0
        with open(file.full, "rb", buffering=0) as source:
            while data := source.read(_CHUNK):
                digest.update(data)
                size += len(data)
        yield file.path, f"{SHA256}={encoded(digest.digest())}", size


def _record(rows: Iterable[tuple[str, str, int]], dist_info: str) -> bytes:
    return in_lines((*rows, (f"{dist_info}/{RECORD}", "", ""))).encode("utf-8")


def _refused(doing: str, tree: Tree, target: str | None = None) -> AbstractContextManager[None]:
    path = tree.path
    return refused(f"{doing} {path!r}", source=path, destination=target, advice=VANISHED)
