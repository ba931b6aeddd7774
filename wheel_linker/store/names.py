"""The names of entries: how long they are, and what they are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_HEX_DIGITS: Final = 64
_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz234567"
# Characters of five bits each. Names are short, since they are part of every symlink's target: ext4 keeps targets of up
# to 59 bytes in the inode. Should two digests begin alike, the second name is longer.
_NAME_LENGTHS: Final = (10, 16, 26, 52)


def is_digest(text: str) -> bool:
    """Tell whether a text is a SHA-256 in lower-case hexadecimal digits."""
    return len(text) == _HEX_DIGITS and not text.strip("0123456789abcdef")


def is_entry_name(name: str) -> bool:
    """Tell whether a name in a store's root can be an entry's."""
    return _NAME_LENGTHS[0] <= len(name) <= _NAME_LENGTHS[-1] and not name.strip(_LETTERS)


def may_be_of(name: str, digest: str) -> bool:
    """Tell whether a wheel's entry may have a name."""
    return name in names_for(digest)


def names_for(digest: str) -> Iterator[str]:
    """Yield the names that a wheel's entry may have, in the order to be tried.

    :param digest: its SHA-256 in hexadecimal digits.
    """
    import base64  # not needed for wheels that the index knows

    letters = base64.b32encode(bytes.fromhex(digest)).decode().rstrip("=").lower()
    for length in _NAME_LENGTHS:
        yield letters[:length]
