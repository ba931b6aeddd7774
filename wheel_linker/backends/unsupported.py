"""Platforms without a call that clones."""

from __future__ import annotations

import errno
import os
from typing import NoReturn


class UnsupportedBackend:
    """Refuses every call with ENOTSUP, so that the fallback chain moves on."""

    name = "unsupported"
    clones_directories = False

    def clone_file(
        self,
        source: str,
        destination: str,
        *,
        source_dir: int | None = None,
        destination_dir: int | None = None,
    ) -> None:
        """Refuse.

        :raises OSError: ENOTSUP, always.
        """
        refuse(source, destination)

    def clone_directory(
        self,
        source: str,
        destination: str,
        *,
        source_dir: int | None = None,
        destination_dir: int | None = None,
    ) -> None:
        """Refuse.

        :raises OSError: ENOTSUP, always.
        """
        refuse(source, destination)


def refuse(source: str, destination: str) -> NoReturn:
    """Raise what a system without the call would answer."""
    raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP), source, None, destination)
