"""Places for what is needed as long as one command runs: unpacked wheels, and environments to try things in."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from wheel_linker._fs.destination import opened
from wheel_linker._fs.folder import Folder
from wheel_linker._fs.remove_tree import remove_tree
from wheel_linker._fs.stage import Stage
from wheel_linker._fs.timestamps import refresh
from wheel_linker._threads import uninterrupted
from wheel_linker.errors import refused

if TYPE_CHECKING:
    from collections.abc import Iterator


_PREFIX: Final = "wheel_linker-"


@contextmanager
def private_directory(site_packages: str) -> Iterator[str]:
    """Have a private directory in ``site_packages`` itself, the one place that is sure to be on its file system.

    It is one that the next link into ``site_packages`` removes if this process is killed.

    :raises LinkError: if ``site_packages`` is no directory, cannot be made, or is not writable.
    """
    with opened(os.path.realpath(site_packages)) as site:
        stage = Stage(site)
        # It is removed twice, because Ctrl-C may come in the instant before the first removal starts.
        try:
            try:
                _make(stage, site)
                yield stage.folder.path
                before = site.stat().st_mtime_ns
            finally:
                stage.remove()
        finally:
            stage.remove()
        # Its removal may have set the time back to one that an importer has seen.
        refresh(site, before)


def _make(stage: Stage, site: Folder) -> None:
    with refused(f"write to the directory {site.path!r}", destination=site.path):
        stage.make()


@contextmanager
def temporary_directory() -> Iterator[str]:
    """Have a directory where this machine keeps temporary files.

    Unlike tempfile's own, its removal changes no file's permissions: it may hold hard links into somebody's cache.
    """
    from tempfile import gettempdir

    # The name has 64 random bits, so that nobody else has it: it may be removed without asking whether it was made.
    name = _PREFIX + os.urandom(8).hex()
    with Folder.open(os.path.realpath(gettempdir())) as parent:

        def remove() -> None:
            remove_tree(parent, name)

        try:
            try:
                os.mkdir(parent.prefix + name, 0o700, dir_fd=parent.fd)
                yield os.path.join(parent.path, name)
            finally:
                uninterrupted(remove)
        finally:
            uninterrupted(remove)
