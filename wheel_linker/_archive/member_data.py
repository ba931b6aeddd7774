"""The data of one entry of an archive: where they begin, and what they unpack to, as a whole or piece by piece."""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, Final

from wheel_linker._archive import inflate
from wheel_linker._archive.zip_directory import DEFLATED, STORED
from wheel_linker.errors import InvalidWheelError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import TypeAlias

    from wheel_linker._archive.zip_directory import Member

    Piece: TypeAlias = bytes | memoryview

PIECE: Final = 1024 * 1024
"""How many bytes of a large file are unpacked at once."""
_LOCAL: Final = Struct("<4s5H3L2H")  # APPNOTE.TXT 4.3.7
_MARK: Final = b"PK\x03\x04"
LONGEST_HEADER: Final = _LOCAL.size + 2 * 0xFFFF
"""How many bytes a local header has at the most."""


def data_start(member: Member, header: Piece) -> int:
    """Return how many bytes after its beginning a member's data begin.

    :param header: the archive from the member's beginning on, at least as far as its local header goes.
    :raises InvalidWheelError: if there is no local header, or it says another thing than the central directory.
    """
    if len(header) < _LOCAL.size:
        raise damaged(member, "its header is cut short")
    name_size: int
    extra_size: int
    mark, _, flags, method, _, _, _, _, _, name_size, extra_size = _LOCAL.unpack_from(header)
    if mark != _MARK:
        raise damaged(member, "it does not begin where the central directory says")
    if flags & 1 or method != member.method:
        raise damaged(member, "its two headers disagree")
    if header[_LOCAL.size : _LOCAL.size + name_size] != member.name.encode():
        raise damaged(member, "it has another name in its own header")
    return _LOCAL.size + name_size + extra_size


def unpacked(member: Member, data: Piece) -> Piece:
    """Return the content of a member that fits into memory.

    :param data: exactly its bytes in the archive.
    :raises InvalidWheelError: if they do not unpack to what the central directory says.
    """
    if member.method == DEFLATED:
        try:
            # One byte more is asked for than there should be, to see whether there is one.
            inflater = inflate.inflater()
            content: Piece = inflater.decompress(data, member.size + 1)
        except inflate.LIBRARY.error as error:
            raise inflate_error(member, error) from error
        if not inflater.eof or inflater.unused_data:
            raise damaged(member, "its data are cut short, or unpack to more than they should")
    else:
        content = data
    if len(content) != member.size:
        raise damaged(member, f"it has {len(content):,} bytes and should have {member.size:,}")
    if inflate.crc32(content) != member.crc:
        raise damaged(member, "its CRC is wrong")
    return content


def in_chunks(data: memoryview) -> Iterator[memoryview]:
    """Yield data that are in memory in parts, as :func:`pieces` takes them."""
    for start in range(0, len(data), PIECE):
        yield data[start : start + PIECE]


def pieces(member: Member, chunks: Iterable[Piece]) -> Iterator[Piece]:
    """Yield the content of a member of any size.

    :param chunks: its data in the archive.
    :raises InvalidWheelError: if they cannot be unpacked.
    """
    if member.method == STORED:
        yield from chunks
        return
    inflater = inflate.inflater()
    try:
        for chunk in chunks:
            rest: Piece = chunk
            while rest and not inflater.eof:
                yield inflater.decompress(rest, PIECE)
                rest = inflater.unconsumed_tail
        yield inflater.flush()
    except inflate.LIBRARY.error as error:
        raise inflate_error(member, error) from error
    if not inflater.eof or inflater.unused_data:
        raise damaged(member, "its data are cut short, or followed by others")


def damaged(member: Member, how: str) -> InvalidWheelError:
    """Return the error for a member that is not what it should be."""
    return InvalidWheelError(
        f"its entry {member.name!r} is damaged: {how}; download or build the wheel again"
    )


def inflate_error(member: Member, error: Exception) -> Exception:
    """Return what an error of the inflating library means: a damaged member, or too little memory."""
    # Z_MEM_ERROR of zlib.h, which Python does not tell from damage.
    if str(error).startswith("Error -4 "):
        return MemoryError(f"too little memory to unpack {member.name!r}")
    return damaged(member, str(error))
