"""What cloning takes."""

from __future__ import annotations

import errno
import os
from typing import NoReturn, Protocol


class Backend(Protocol):
    """What cloning takes. One module per operating system has one; callers may pass their own.

    A class of one's own that inherits from it has to have :meth:`clone_file` only. Several threads may call at once.
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

        Its owner may do with it what the source's owner may; group and others as the umask leaves it. No set-id bits.

        :param source_dir: the descriptor of the directory that ``source`` is relative to; None if it is none.
        :param destination_dir: as ``source_dir``.
        :raises OSError: with the system's number; FileExistsError if ``destination`` is there already.
            Nothing new is left there then.
        """

    def clone_directory(self, source: str, destination: str) -> None:
        """Make ``destination`` a copy-on-write copy of a whole directory, in one call.

        :raises OSError: as :meth:`clone_file`; by default ENOTSUP, as only files can be cloned.
        """
        refuse(source, destination)


def refuse(source: str, destination: str) -> NoReturn:
    """Raise what a system without the call would answer."""
    raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP), source, None, destination)
