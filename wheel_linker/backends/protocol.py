"""What a backend is: the way in which files are cloned."""

from __future__ import annotations

import errno
import os
from typing import NoReturn, Protocol


class Backend(Protocol):
    """The way in which files are cloned. There is one for each operating system, and callers may pass their own.

    A class of your own that inherits from this one needs :meth:`clone_file` only. Several threads may call its methods
    at the same time.
    """

    clones_directories: bool = False
    """Whether :meth:`clone_directory` is worth calling."""

    def clone_file(
        self,
        source: str,
        destination: str,
        *,
        source_dir: int | None = None,
        destination_dir: int | None = None,
    ) -> None:
        """Make ``destination`` a copy-on-write copy of the regular file ``source``, never through a symlink.

        The owner of the copy may do with it what the owner of the source may do; the umask decides what group and
        others may. The copy has no set-id bits.

        :param source: the path of the file.
        :param destination: the path of the copy.
        :param source_dir: the descriptor of the directory that ``source`` is relative to; None if it is none.
        :param destination_dir: as ``source_dir``.
        :raises OSError: with the system's number; FileExistsError if ``destination`` is there already.
            Nothing new is left there then.
        """

    def clone_directory(self, source: str, destination: str) -> None:
        """Make ``destination`` a copy-on-write copy of a whole directory, in one call.

        :param source: the path of the directory.
        :param destination: the path of the copy.
        :raises OSError: as :meth:`clone_file`; by default ENOTSUP, as only files can be cloned.
        """
        refuse(source, destination)


def refuse(source: str, destination: str) -> NoReturn:
    """Raise what a system without the call would answer."""
    raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP), source, None, destination)
