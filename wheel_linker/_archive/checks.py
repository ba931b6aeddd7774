"""What a wheel file holds, checked as a whole before anything of it is written."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from wheel_linker._archive.links import read_links
from wheel_linker._archive.member_data import LONGEST_HEADER, data_start, unpacked
from wheel_linker._archive.zip_directory import Directory, Member, read_directory
from wheel_linker._compat.named_tuple import NamedTuple
from wheel_linker._wheel.dist_info import only_dist_info
from wheel_linker._wheel.filename import WheelFilename
from wheel_linker._wheel.names import Names, ambiguous, fault
from wheel_linker._wheel.record import RECORD, expected_rows, parse_record
from wheel_linker._wheel.record_problems import RecordProblem
from wheel_linker._wheel.record_reading import read_record, refuse_huge
from wheel_linker.errors import InvalidWheelError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from wheel_linker._archive.limits import Limits
    from wheel_linker._archive.wheel_file import WheelFile
    from wheel_linker._wheel.record import Row

# Bytes: of an entry that is there twice, both are compared in memory if they have no more.
_SMALL: Final = 8 * 1024 * 1024


class Contents(NamedTuple):
    """A wheel that may be unpacked, if its files are what they should be."""

    directory: Directory
    files: list[Member]
    """Its files in the order in which they lie in the archive."""
    directories: Iterable[str]
    """The directories that the files lie in, parents before children."""
    rows: Mapping[str, Row | None]
    """What should be true of each file, by path."""
    record_path: str
    record: bytes
    """The content of ``RECORD`` that ``rows`` are from."""
    problems: list[RecordProblem]
    """What is not right about it, as far as the names tell."""
    links: Mapping[str, str]
    """The targets of its symlinks, which are not among ``files``."""
    replaced: Mapping[int, Member]
    """Entries that do not count because a later one has the same name, by where they begin in the file."""
    strict: bool = False
    """Whether a file that is not what ``rows`` say is refused."""


def examine(file: WheelFile, filename: WheelFilename, limits: Limits) -> Contents:
    """Look a wheel over without unpacking it.

    :param filename: what the wheel is called.
    :raises InvalidWheelError: if it is no wheel, not the one it is called, or may not be unpacked.
    :raises LinkError: if it cannot be read.
    """
    directory = read_directory(file, limits.entries)
    names = Names()
    members = _Members()
    for member in directory.members:
        wrong = fault(member.name)
        if wrong:
            raise InvalidWheelError(
                f"its entry {member.name!r} {wrong}; no tool that builds wheels writes such names: "
                "do not trust this file"
            )
        if not members.add(member):
            continue
        if member.is_directory:
            names.add_directory(member.name[:-1])
        else:
            names.add_file(member.name)
    files = members.files()
    _check_sizes(files, file.size, limits)
    links = read_links(files, partial(_read, file, directory))
    dist_info = _dist_info(names.directories, filename)
    record_path = f"{dist_info}/{RECORD}"
    paths = dict.fromkeys(member.name for member in files)
    record = _read_record(file, directory, members.by_name.get(record_path), record_path, paths)
    content = read_record(record, paths, names.directories, dist_info)
    return Contents(
        directory,
        [member for member in files if not member.is_link] if links else files,
        names.directories,
        content.rows,
        record_path,
        record,
        [*members.problems(), *content.problems],
        links,
        members.replaced,
    )


class _Members:
    """The entries of an archive. Of several with one name the last counts.

    :ivar by_name: those that count.
    :ivar replaced: the others, by where they begin.
    """

    def __init__(self) -> None:
        self.by_name: dict[str, Member] = {}
        self.replaced: dict[int, Member] = {}

    def add(self, member: Member) -> bool:
        """Add the next one by its place in the file; tell whether the name is new."""
        other = self.by_name.setdefault(member.name, member)
        if other is member:
            return True
        # Readers look names up in the central directory, where the last one hides those before.
        first, last = sorted((other, member), key=_number)
        self.by_name[member.name] = last
        self.replaced[first.offset] = first
        return False

    def files(self) -> list[Member]:
        """Return the files that count, in the order in which they lie in the archive."""
        return sorted((each for each in self.by_name.values() if not each.is_directory), key=_start)

    def problems(self) -> Iterator[RecordProblem]:
        for member in self.replaced.values():
            if not _are_alike(member, self.by_name[member.name]):
                detail = "is twice in the archive, with different content; the last counts"
                yield RecordProblem("entry-twice", member.name, detail)


def _number(member: Member) -> int:
    return member.number


def _start(member: Member) -> int:
    return member.offset


def _are_alike(one: Member, other: Member) -> bool:
    return (one.size, one.crc) == (other.size, other.crc)


def strictly(contents: Contents) -> Contents:
    """Return the same contents, which have to be what ``RECORD`` says.

    :raises InvalidWheelError: if the names alone tell that they are not, or one is there twice and might be two things.
    """
    files = {member.name: member for member in contents.files}
    for member in contents.replaced.values():
        # Small entries are compared when they are unpacked.
        other = files.get(member.name)
        if other is None or member.size > _SMALL or not _are_alike(member, other):
            raise ambiguous(member.name, member.name)
    paths = {member.name for member in contents.files} | contents.links.keys()
    dist_info = contents.record_path.partition("/")[0]
    rows = expected_rows(parse_record(contents.record), paths, dist_info)
    return contents._replace(rows=rows, strict=True)


def _check_sizes(files: list[Member], archive: int, limits: Limits) -> None:
    total = sum(member.size for member in files)
    largest = max((member.size for member in files), default=0)
    if largest > limits.file_size or total > limits.total_size:
        raise InvalidWheelError(
            f"it would unpack to {total:,} bytes, {largest:,} of them in one file; allowed are {limits.total_size:,} "
            f"and {limits.file_size:,}: if you trust it, raise the limits"
        )
    if total > limits.ratio_from and total > limits.ratio * archive:
        raise InvalidWheelError(
            f"it would unpack to {total // archive:,} times its size, {total:,} bytes; "
            f"allowed is {limits.ratio} times: if you trust it, raise the limits"
        )


def _dist_info(directories: Iterable[str], filename: WheelFilename) -> str:
    top_level = (name for name in directories if "/" not in name)
    info = only_dist_info(top_level, "it", "build the wheel again")
    said = WheelFilename.from_dist_info(info)
    if not said.is_release_of(filename):
        raise InvalidWheelError(
            f"it is called {filename} and holds {info!r}: rename it to what it is, or get it from elsewhere"
        )
    return info


def _read_record(
    file: WheelFile, directory: Directory, member: Member | None, path: str, paths: Iterable[str]
) -> bytes:
    if member is None or member.is_link:
        raise InvalidWheelError(f"it has no file {path!r}; build the wheel again")
    refuse_huge(member.size, paths)
    return _read(file, directory, member)


def _read(file: WheelFile, directory: Directory, member: Member) -> bytes:
    """Return the content of a small member. The errors are those of :func:`unpacked`."""
    length = min(LONGEST_HEADER + member.compressed, directory.start - member.offset)
    raw = memoryview(file.read(member.offset, length))
    start = data_start(member, raw)
    return bytes(unpacked(member, raw[start : start + member.compressed]))
