"""Where things lie in a store.

::

    root/
        k5tmyx6zcd/        an entry, named by the first digits of the wheel's SHA-256
            entry          what it holds, and when it was last used (see manifest)
            rows           what installing it takes from its RECORD (see records), and a checksum (see seal)
            problems       what is not right about its RECORD, if anything (see records)
            boot           only if it is not known to be on the disk: what tells that the system was not started since
            times          only if its files have other times than that of unpacking: the latest when all were right
            w/             the unpacked wheel
            bytecode/      only if it was compiled: a directory for each kind of interpreter and level of optimization,
                           such as cpython-311-a70d0d0a-0, with ``entry``, ``w/`` ... of its own (see _bytecode.sets)
        .store/
            index          which wheel files are known (see index)
            lock           held while entries come and go
            readers        locked by those who can read the store, but not write leases
            symlinked      which entries environments may have symlinks to (see symlinked)
            pruned         there once something was pruned
            leases/        who uses which entries (see lease)
            staging/       what is being made or removed

An entry comes into being by one rename out of ``staging``, and ends by one rename back into it.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

TREE: Final = "w"
MANIFEST: Final = "entry"
ROWS: Final = "rows"
PROBLEMS: Final = "problems"
BOOT: Final = "boot"
TIMES: Final = "times"
BYTECODE: Final = "bytecode"
PARTS: Final = frozenset({TREE, MANIFEST, ROWS, PROBLEMS, BOOT, TIMES, BYTECODE})
"""What there may be in an entry."""
CONTROL: Final = ".store"
INDEX: Final = "index"
LOCK: Final = "lock"
READERS: Final = "readers"
LEASES: Final = "leases"
STAGING: Final = "staging"
_HEX_DIGITS: Final = 64
_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz234567"
# Characters of five bits each. Short, since they are part of every symlink's target: ext4 keeps those up to 59 bytes
# in the inode. Should two digests begin alike, the second takes more of them.
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
    import base64  # those that are in the index have one

    letters = base64.b32encode(bytes.fromhex(digest)).decode().rstrip("=").lower()
    for length in _NAME_LENGTHS:
        yield letters[:length]


class Layout:
    """The paths of one store.

    :ivar root: its absolute path.
    """

    def __init__(self, root: str) -> None:
        self.root = root
        self.control: str = os.path.join(root, CONTROL)
        self.index: str = os.path.join(self.control, INDEX)
        self.lock: str = os.path.join(self.control, LOCK)
        self.readers: str = os.path.join(self.control, READERS)
        self.leases: str = os.path.join(self.control, LEASES)
        self.staging: str = os.path.join(self.control, STAGING)

    def entry(self, name: str) -> str:
        """Return the directory of an entry."""
        return f"{self.root}{os.sep}{name}"

    def tree(self, name: str) -> str:
        """Return the directory of an entry's unpacked wheel."""
        return f"{self.root}{os.sep}{name}{os.sep}{TREE}"

    def manifest(self, name: str) -> str:
        """Return the file that describes an entry."""
        return f"{self.root}{os.sep}{name}{os.sep}{MANIFEST}"

    def boot(self, name: str) -> str:
        """Return the file that an entry has which is not known to be on the disk."""
        return f"{self.root}{os.sep}{name}{os.sep}{BOOT}"

    def times(self, name: str) -> str:
        """Return the file that an entry has whose files have other times than that of unpacking."""
        return f"{self.root}{os.sep}{name}{os.sep}{TIMES}"

    def rows(self, name: str) -> str:
        """Return the file with what installing an entry takes from its ``RECORD``."""
        return f"{self.root}{os.sep}{name}{os.sep}{ROWS}"

    def bytecode(self, name: str) -> str:
        """Return the directory of what an entry has of bytecode."""
        return f"{self.root}{os.sep}{name}{os.sep}{BYTECODE}"

    def problems(self, name: str) -> str:
        """Return the file with what is not right about an entry's ``RECORD``; there is none if all is."""
        return f"{self.root}{os.sep}{name}{os.sep}{PROBLEMS}"
