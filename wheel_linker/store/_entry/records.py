"""What a store keeps of a wheel's ``RECORD``: the rows that an installed one has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wheel_linker._archive.links import files_led_to
from wheel_linker._fs.copying import create_with
from wheel_linker._wheel.dist_info import DIST_INFO
from wheel_linker._wheel.record import NOTES, RECORD, SIGNATURES, carried_rows, in_lines
from wheel_linker.store._entry.problems import write_problems
from wheel_linker.store._entry.seal import sealed
from wheel_linker.store.layout import ROWS

if TYPE_CHECKING:
    from collections.abc import Collection

    from wheel_linker._archive.checks import Contents
    from wheel_linker._archive.stored_file import StoredFile
    from wheel_linker._archive.unpacking import Result
    from wheel_linker._fs.folder import Folder


def write(entry: Folder, contents: Contents, result: Result) -> int:
    """Write what is kept into a new entry.

    :returns: how many bytes the rows take; -1 if there are none to be kept.
    :raises OSError: if it cannot be written.
    """
    dist_info = contents.record_path.partition("/")[0]
    signatures = {f"{dist_info}/{name}" for name in SIGNATURES}
    if result.problems or contents.links or any(file.path in signatures for file in result.files):
        rows: str | None = made_rows(result.files, dist_info)
    else:
        rows = _as_they_are(contents.record, dist_info)
    if result.problems:
        write_problems(entry, result.problems)
    if rows is None:
        return -1
    data = sealed(rows.encode("utf-8"))
    create_with(data, entry.prefix + ROWS, entry.fd)
    return len(data)


def _as_they_are(record: bytes, dist_info: str) -> str | None:
    """Return the rows of ``RECORD`` letter by letter; None if some of them lack something."""
    rows, others = carried_rows(record.decode("utf-8"), dist_info)
    return None if others else rows


def is_record(path: str) -> bool:
    """Tell whether a path in a wheel is that of its ``RECORD``."""
    directory, _, name = path.partition("/")
    return name == RECORD and directory.endswith(DIST_INFO)


def made_rows(files: Collection[StoredFile], dist_info: str) -> str:
    """Return rows for all files that stay where they lie in the wheel, by what they are.

    A symlink has the hash and size of the file that it leads to, which is what its readers get.
    """
    own = {f"{dist_info}/{name}" for name in (RECORD, *NOTES)}
    data = f"{dist_info.removesuffix('.dist-info')}.data/"
    staying = [file for file in files if file.path not in own and not file.path.startswith(data)]
    content: dict[str, tuple[str, int | str]] = {
        file.path: (file.hash, file.size) for file in staying if file.target is None
    }
    links = {file.path: file.target for file in files if file.target is not None}
    for path, target in files_led_to(links).items():
        content[path] = content.get(target, ("", ""))
    return in_lines((file.path, *content[file.path]) for file in staying)
