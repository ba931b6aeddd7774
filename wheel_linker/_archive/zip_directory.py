"""The central directory of a zip archive: what is in it, and where.

It is read by APPNOTE.TXT, the .ZIP File Format Specification, sections 4.3 and 4.4, and strictly: an archive in which
two readers could see two things is refused. So there may be nothing before the first entry that counts, nothing between
the central directory and its end record, and no second name for an entry.
"""

from __future__ import annotations

import stat
from struct import Struct
from typing import TYPE_CHECKING, Final

from wheel_linker.errors import InvalidWheelError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wheel_linker._archive.wheel_file import WheelFile

STORED: Final = 0
DEFLATED: Final = 8
# 4.3.16, 4.3.15, 4.3.14, 4.3.12
_END: Final = Struct("<4s4H2LH")
_END_MARK: Final = b"PK\x05\x06"
_LOCATOR: Final = Struct("<4sLQL")
_LOCATOR_MARK: Final = b"PK\x06\x07"
_END64: Final = Struct("<4sQ2H2L4Q")
_END64_MARK: Final = b"PK\x06\x06"
_ENTRY: Final = Struct("<4s2B5H3L5H2L")
_ENTRY_MARK: Final = b"PK\x01\x02"
_EXTRA: Final = Struct("<2H")
_LONGEST_COMMENT: Final = 0xFFFF
_IN_ZIP64_16: Final = 0xFFFF
_IN_ZIP64_32: Final = 0xFFFFFFFF
_ZIP64: Final = 0x0001
_UNICODE_PATH: Final = 0x7075
# 4.4.4: encrypted, strongly encrypted, masked local headers.
_ENCRYPTED: Final = 0x1 | 0x40 | 0x2000
# A directory has some 100 bytes for a file; what is more is made to fill the memory.
_LARGEST_DIRECTORY: Final = 1024 * 1024 * 1024
_KINDS: Final = {
    stat.S_IFLNK: "a symlink",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a directory",
    stat.S_IFREG: "a file",
}


class Member:
    """One entry of an archive.

    :ivar name: its path; that of a directory ends in a slash.
    :ivar offset: where its local header begins, in bytes from the beginning of the file.
    :ivar compressed: how many bytes its data take in the archive.
    :ivar size: how many bytes it unpacks to.
    :ivar crc: their CRC-32.
    :ivar method: :data:`STORED` or :data:`DEFLATED`.
    :ivar executable: whether anybody may execute it.
    :ivar is_link: whether it is a symlink, its content the target.
    :ivar number: which one it is in the central directory; of two of one name, readers take the later.
    """

    __slots__ = (
        "compressed",
        "crc",
        "executable",
        "is_link",
        "method",
        "name",
        "number",
        "offset",
        "size",
    )

    def __init__(
        self,
        name: str,
        offset: int,
        compressed: int,
        size: int,
        crc: int,
        method: int,
        executable: bool,
        number: int = 0,
        is_link: bool = False,
    ) -> None:
        self.name = name
        self.offset = offset
        self.compressed = compressed
        self.size = size
        self.crc = crc
        self.method = method
        self.executable = executable
        self.number = number
        self.is_link = is_link

    @property
    def is_directory(self) -> bool:
        """Whether it is a directory."""
        return self.name.endswith("/")


class Directory:
    """What the end of an archive says.

    :ivar members: its entries, in the order in which they lie in the file.
    :ivar start: where the central directory begins.
    :ivar raw: the bytes from there to the end of the file.
    """

    def __init__(self, members: list[Member], start: int, raw: bytes) -> None:
        self.members = members
        self.start = start
        self.raw = raw


def read_directory(file: WheelFile, most_entries: int) -> Directory:
    """Read the central directory of an archive.

    :param most_entries: how many entries are allowed.
    :raises InvalidWheelError: if the file is no such archive, is damaged or ambiguous, has more entries, or holds what
        no wheel does: entries that are encrypted, compressed by another method than "deflate", or no files.
    :raises LinkError: if it cannot be read.
    """
    count, start, size = _find_directory(file)
    if count > most_entries:
        raise InvalidWheelError(f"it has {count:,} entries, more than the {most_entries:,} allowed")
    if size > _LARGEST_DIRECTORY:
        raise InvalidWheelError(f"its central directory has {size:,} bytes, which no wheel needs")
    raw = file.read(start, file.size - start)
    members = list(_members(raw, size))
    if len(members) != count:
        raise _broken(f"it says that it has {count:,} entries, and has {len(members):,}")
    members.sort(key=_offset)
    _check_places(members, start)
    return Directory(members, start, raw)


def _offset(member: Member) -> int:
    return member.offset


def _find_directory(file: WheelFile) -> tuple[int, int, int]:
    """Return how many entries there are, and where the central directory begins and how long it is."""
    length = min(file.size, _END.size + _LONGEST_COMMENT)
    tail = file.read(file.size - length, length)
    position = tail.rfind(_END_MARK)
    if position < 0 or len(tail) - position < _END.size:
        raise _broken("it has no end record")
    _, disk, first_disk, here, count, size, start, comment = _END.unpack_from(tail, position)
    if position + _END.size + comment != len(tail):
        raise _broken("something follows its end record")
    end = file.size - len(tail) + position
    if end >= _LOCATOR.size:
        locator = file.read(end - _LOCATOR.size, _LOCATOR.size)
        if locator.startswith(_LOCATOR_MARK):
            small = (count, size, start)
            end, disk, first_disk, here, count, size, start = _read_end64(
                file, locator, end - _LOCATOR.size
            )
            _check_agreement(small, (count, size, start))
    if disk or first_disk or here != count:
        raise _broken("it is one of several parts")
    if start + size != end:
        raise _broken("its end record does not follow its central directory")
    return count, start, size


def _read_end64(
    file: WheelFile, locator: bytes, end: int
) -> tuple[int, int, int, int, int, int, int]:
    """Return where the Zip64 end record begins, and what it says."""
    _, _, position, _ = _LOCATOR.unpack(locator)
    if position + _END64.size > end:
        raise _broken("its Zip64 locator leads nowhere")
    mark, length, _, _, disk, first_disk, here, count, size, start = _END64.unpack(
        file.read(position, _END64.size)
    )
    # The length does not count itself and the mark, 4.3.14.1.
    if mark != _END64_MARK or position + 12 + length != end:
        raise _broken("its Zip64 locator leads nowhere")
    return position, disk, first_disk, here, count, size, start


def _check_agreement(small: tuple[int, int, int], large: tuple[int, int, int]) -> None:
    for one, limit, other in zip(small, (_IN_ZIP64_16, _IN_ZIP64_32, _IN_ZIP64_32), large):
        if one not in (limit, other):
            raise _broken("its two end records disagree")


def _members(raw: bytes, size: int) -> Iterator[Member]:
    position = number = 0
    while position < size:
        if position + _ENTRY.size > size:
            raise _broken("its central directory is cut short")
        fields = _ENTRY.unpack_from(raw, position)
        if fields[0] != _ENTRY_MARK:
            raise _broken("its central directory is garbled")
        (
            _,
            _,
            _,
            _,
            flags,
            method,
            _,
            _,
            crc,
            compressed,
            length,
            name_size,
            extra_size,
            comment_size,
        ) = fields[:14]
        position += _ENTRY.size
        following = position + name_size + extra_size + comment_size
        if following > size:
            raise _broken("its central directory is cut short")
        raw_name = raw[position : position + name_size]
        name = _decoded(raw_name)
        disk, _, attributes, offset = fields[14:]
        if extra_size:
            extra = raw[position + name_size : position + name_size + extra_size]
            length, compressed, offset, disk = _with_extra(
                raw_name, extra, (length, compressed, offset, disk)
            )
        if disk:
            raise _broken("it is one of several parts")
        _check_kind(name, flags, method, attributes >> 16, length, compressed)
        executable = bool(attributes >> 16 & 0o111)
        # A symlink to nothing is written by tools that do not follow one; all readers make an empty file of it.
        is_link = length > 0 and stat.S_ISLNK(attributes >> 16)
        yield Member(name, offset, compressed, length, crc, method, executable, number, is_link)
        position = following
        number += 1


def _decoded(name: bytes) -> str:
    try:
        # Names in wheels are UTF-8 ("Binary distribution format"), whatever the flag for that says.
        return name.decode()
    except UnicodeDecodeError as error:
        raise InvalidWheelError(
            f"the name of its entry {name!r} is not UTF-8; build the wheel again"
        ) from error


def _with_extra(
    name: bytes, extra: bytes, fields: tuple[int, int, int, int]
) -> tuple[int, int, int, int]:
    """Return size, compressed size, offset and disk, with those that did not fit taken from the extra fields."""
    position = 0
    seen = False
    # What is left of fewer than four bytes is padding, as zip alignment tools leave it.
    while position + _EXTRA.size <= len(extra):
        kind, size = _EXTRA.unpack_from(extra, position)
        position += _EXTRA.size
        value = extra[position : position + size]
        if len(value) != size or (kind == _ZIP64 and seen):
            raise _broken(f"the extra fields of its entry {name!r} are garbled")
        if kind == _ZIP64:
            fields, seen = _with_zip64(name, value, fields), True
        elif kind == _UNICODE_PATH and value[5:] != name:
            raise InvalidWheelError(
                f"its entry {name!r} has a second name, {value[5:]!r}; build the wheel again"
            )
        position += size
    if not seen and _IN_ZIP64_32 in fields[:3]:
        raise _broken(f"its entry {name!r} lacks its Zip64 sizes")
    return fields


def _with_zip64(
    name: bytes, value: bytes, fields: tuple[int, int, int, int]
) -> tuple[int, int, int, int]:
    """Replace the fields that are too large for their place, 4.5.3."""
    replaced = []
    position = 0
    for field, width, limit in zip(fields, (8, 8, 8, 4), (*[_IN_ZIP64_32] * 3, _IN_ZIP64_16)):
        if field == limit:
            if position + width > len(value):
                raise _broken(f"the Zip64 sizes of its entry {name!r} are cut short")
            replaced.append(int.from_bytes(value[position : position + width], "little"))
            position += width
        else:
            replaced.append(field)
    size, compressed, offset, disk = replaced
    return size, compressed, offset, disk


def _check_kind(name: str, flags: int, method: int, mode: int, size: int, compressed: int) -> None:
    """Refuse an entry that is anything but a file or directory that every reader sees alike."""
    fault = None
    kind = stat.S_IFMT(mode)
    directory = name.endswith("/")
    if flags & _ENCRYPTED:
        fault = "is encrypted"
    # By its name it is a directory to every reader, also if the tool that wrote it gave all entries one mode.
    elif kind not in (0, stat.S_IFREG, stat.S_IFDIR if directory else stat.S_IFLNK):
        fault = f"is {_KINDS.get(kind, 'of an unknown kind')} by its attributes"
    elif directory and size:
        fault = "is a directory with content"
    elif method not in (STORED, DEFLATED):
        fault = f"is compressed by method {method}, where wheels are stored or deflated"
    elif method == STORED and size != compressed:
        fault = "is stored, but in another size than its own"
    if fault:
        raise InvalidWheelError(
            f"its entry {name!r} {fault}; get the wheel from elsewhere, or build it again"
        )


def _check_places(members: list[Member], start: int) -> None:
    """Refuse entries that share bytes, as in bombs that unpack the same data many times."""
    limit = 0
    for member in members:
        if member.offset < limit:
            raise _broken(f"its entry {member.name!r} begins inside of another")
        limit = member.offset + 30 + len(member.name) + member.compressed
    if limit > start:
        raise _broken("its entries reach into the central directory")


def _broken(how: str) -> InvalidWheelError:
    return InvalidWheelError(
        f"it is no zip archive, or damaged: {how}; download or build the wheel again"
    )
