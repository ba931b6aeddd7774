"""Where things lie in a store.

::

    root/
        k5tmyx6zcd/        an entry, named by the first digits of the wheel's SHA-256 (see names)
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
            interpreters/  what interpreters have said of themselves (see install.asking)
            staging/       what is being made or removed

An entry comes into being by one rename out of ``staging``, and ends by one rename back into it.
"""

from __future__ import annotations

import os
from typing import Final

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


class Layout:
    """The paths of one store.

    :ivar root: its absolute path.
    """

    def __init__(self, root: str) -> None:
        self.root = root
        self.control: str = os.path.join(root, CONTROL)
        self.readers: str = os.path.join(self.control, READERS)
        self.leases: str = os.path.join(self.control, LEASES)

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
