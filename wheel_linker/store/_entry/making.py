"""Making an entry in private: unpack a wheel file, describe it, have it on the disk."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Final

from wheel_linker._archive.checks import examine, strictly
from wheel_linker._archive.unpacking import unpack
from wheel_linker._compat.named_tuple import NamedTuple
from wheel_linker._fs.durable import on_disk
from wheel_linker.errors import InvalidWheelError
from wheel_linker.store._entry import manifest, records
from wheel_linker.store._entry.checking import note_boot
from wheel_linker.store._entry.manifest import Manifest
from wheel_linker.store.layout import MANIFEST, PROBLEMS, ROWS, TREE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from wheel_linker._archive.stored_file import StoredFile
    from wheel_linker._archive.wheel_file import WheelFile
    from wheel_linker._fs.folder import Folder
    from wheel_linker._wheel.filename import WheelFilename
    from wheel_linker._wheel.record_problems import RecordProblem
    from wheel_linker.store._entry.options import UnpackOptions
    from wheel_linker.store.trust import Standing

# NTFS keeps time stamps in steps of 100 ns.
_STAMP_STEP: Final = 100


class Made(NamedTuple):
    """An entry in a private directory, not seen by anybody yet."""

    name: str
    """What it is called there."""
    facts: Manifest
    files: Sequence[StoredFile]
    problems: tuple[RecordProblem, ...]
    """What is not right about the wheel's ``RECORD``."""


def unpack_entry(
    stage: Folder,
    name: str,
    file: WheelFile,
    filename: WheelFilename,
    options: UnpackOptions,
    *,
    stamp: int | None = None,
) -> Made:
    """Unpack a wheel into a new entry of a private directory.

    :param name: what the entry is called there.
    :param stamp: the modification time for its files in nanoseconds since the epoch; that of now by default.
    :raises InvalidWheelError: if it is no wheel that may be unpacked.
    :raises OSError: if the wheel cannot be read, or the directory not be written.
    """
    try:
        contents = examine(file, filename, options.limits)
        if options.strict:
            contents = strictly(contents)
        with stage.make(name) as entry, entry.make(TREE) as tree:
            wanted = time.time_ns() // _STAMP_STEP * _STAMP_STEP if stamp is None else stamp
            result = unpack(
                file,
                contents,
                tree,
                options.crew,
                stamp=wanted,
                read_only=options.protect,
                progress=options.progress,
            )
            # The time as the file system keeps it: some keep whole seconds only.
            record = tree.at(contents.record_path)
            kept = os.stat(record, dir_fd=tree.fd).st_mtime_ns
            facts = Manifest(
                digest=result.digest,
                filename=str(filename),
                archive=file.size,
                files=len(result.files),
                size=sum(item.size for item in result.files),
                stamp=kept,
                rows=records.write(entry, contents, result),
            )
            manifest.write(entry, MANIFEST, facts, result.files)
    except InvalidWheelError as error:
        raise InvalidWheelError(f"cannot use {file.path!r}: {error}") from error
    return Made(name, facts, result.files, result.problems)


def have_on_disk(stage: Folder, made: Sequence[Made], standing: Standing, *, durable: bool) -> None:
    """Have new entries on the disk before others see them; where that is not wanted or cannot be had, note the boot.

    :raises OSError: if the disk is full, or broken.
    """
    if not durable or not on_disk(stage, _paths(made)):
        for each in made:
            with stage.enter(each.name) as entry:
                note_boot(entry, standing)


def _paths(made: Sequence[Made]) -> Iterator[str]:
    for each in made:
        yield f"{each.name}/{MANIFEST}"
        if each.facts.rows >= 0:
            yield f"{each.name}/{ROWS}"
        if each.problems:
            yield f"{each.name}/{PROBLEMS}"
        for file in each.files:
            path = f"{each.name}/{TREE}/{file.path}"
            # A symlink is on the disk when its directory is.
            yield path if file.target is None else path[: path.rindex("/") + 1]
